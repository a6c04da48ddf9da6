/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the moments of logs of variances. */
#include "judge/spread.h"

#include "judge/num.h"

enum { FAR = 12 }; /* from here on the asymptotic series are exact enough */

/* y (c₀ − y (c₁ − y (c₂ − …))) */
static double alternating(double y, const double *c, size_t count)
{
    double sum = 0;
    for (size_t i = count; i-- > 0;)
        sum = y * (c[i] - sum);
    return sum;
}

/* ψ(x) = ψ(x + 1) − 1/x, then Abramowitz and Stegun 6.3.18. */
double spread_digamma(double x)
{
    static const double c[] = {1.0 / 12,  1.0 / 120, 1.0 / 252,
                               1.0 / 240, 1.0 / 132, 691.0 / 32760};
    double sum = 0;
    while (x < FAR) {
        sum -= 1 / x;
        x += 1;
    }
    return sum + num_log(x) - 0.5 / x - alternating(1 / (x * x), c, sizeof c / sizeof *c);
}

/* ψ′(x) = ψ′(x + 1) + 1/x², then 6.4.12. */
double spread_trigamma(double x)
{
    static const double c[] = {1.0 / 6, 1.0 / 30, 1.0 / 42, 1.0 / 30, 5.0 / 66, 691.0 / 2730};
    double sum = 0;
    while (x < FAR) {
        sum += 1 / (x * x);
        x += 1;
    }
    double y = 1 / (x * x);
    return sum + 1 / x + 0.5 * y + alternating(y, c, sizeof c / sizeof *c) / x;
}

/* The largest whole d₀ whose ψ′(d₀/2) is no less than `excess`: how far true variances seem
 * to lie apart. ψ′ falls. */
static unsigned agreement(double excess)
{
    unsigned low = 0;
    unsigned high = SPREAD_DF_MAX;
    while (low < high) {
        unsigned middle = (low + high + 1) / 2;
        if (spread_trigamma(0.5 * middle) >= excess)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

struct spread spread_of(const double *variances, const double *dfs, size_t count)
{
    double mean = 0;
    double expected = 0; /* variance of the logs if all true variances were one */
    double squares = 0;
    if (count < SPREAD_LEAST)
        return (struct spread){0};
    for (int round = 0; round < 2; round++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            double half = 0.5 * dfs[i];
            double e = num_log(variances[i]) - spread_digamma(half) + num_log(half);
            double off = e - mean;
            sum += round == 0 ? e : off * off;
            expected += round == 0 ? spread_trigamma(half) : 0;
        }
        if (round == 0)
            mean = sum / (double)count;
        else
            squares = sum;
    }
    double excess = squares / (double)(count - 1) - expected / (double)count;
    unsigned df = agreement(excess);
    if (df == 0)
        return (struct spread){0};
    double half = 0.5 * df;
    return (struct spread){df, num_exp(mean + spread_digamma(half) - num_log(half))};
}
