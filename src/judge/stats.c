/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the estimators that the report shows beside a verdict, and the median. */
#include "judge/stats.h"

#include "judge/dist.h"
#include "judge/num.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void swap(double *a, double *b)
{
    double value = *a;
    *a = *b;
    *b = value;
}

/* Hoare's selection, the pivot a median of three. */
double stats_select(double *values, size_t count, size_t rank)
{
    size_t low = 0;
    size_t high = count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (values[middle] < values[low])
            swap(&values[middle], &values[low]);
        if (values[high] < values[low])
            swap(&values[high], &values[low]);
        if (values[high] < values[middle])
            swap(&values[high], &values[middle]);
        double pivot = values[middle];
        size_t i = low;
        size_t j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&values[i++], &values[j--]);
        }
        /* now values[low..j] ≤ pivot ≤ values[j + 1..high], and j < high */
        if (rank <= j)
            high = j;
        else
            low = j + 1;
    }
    return values[rank];
}

double stats_median(double *values, size_t count)
{
    double upper = stats_select(values, count, count / 2);
    if (count % 2 == 1)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < count / 2; i++)
        if (values[i] > lower)
            lower = values[i];
    return 0.5 * (lower + upper);
}

/* The largest k ≥ 1 with P(Bin(n, ½) < k) ≤ tail, or 1. */
static size_t median_rank(size_t count, double tail)
{
    if (count > 1000) { /* 2⁻ⁿ would underflow, and the normal approximation is exact enough */
        double n = (double)count;
        double z = dist_student_quantile(tail, 1000);
        return (size_t)(0.5 * (n - z * num_sqrt(n)));
    }
    double probability = 1; /* of exactly i successes */
    for (size_t i = 0; i < count; i++)
        probability *= 0.5;
    double below = probability; /* P(Bin < k) for k = 1 */
    size_t k = 1;
    for (; k < count / 2; k++) {
        probability *= (double)(count - k + 1) / (double)k;
        below += probability;
        if (below > tail)
            break;
    }
    return k;
}

struct interval stats_median_interval(double *values, size_t count, double confidence)
{
    size_t k = median_rank(count, (1 - confidence) / 2);
    struct interval interval;
    interval.low = stats_select(values, count, k - 1);
    interval.high = stats_select(values, count, count - k);
    return interval;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double squares_about(const double *values, size_t count, double mean)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sum;
}

double stats_hedges_g(const double *a, size_t n, const double *b, size_t m)
{
    double mean_a = mean_of(a, n);
    double mean_b = mean_of(b, m);
    double df = (double)(n + m) - 2;
    double pooled = num_sqrt((squares_about(a, n, mean_a) + squares_about(b, m, mean_b)) / df);
    double difference = mean_a - mean_b;
    if (pooled == 0)
        return difference == 0 ? 0 : difference > 0 ? INFINITY : -INFINITY;
    double correction = 1 - 3 / (4 * df - 1);
    return correction * (difference / pooled);
}

double stats_cliffs_delta(const double *a, size_t n, const double *b, size_t m)
{
    long long above = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            above += (a[i] > b[j]) - (a[i] < b[j]);
    return (double)above / ((double)n * (double)m);
}

/* ---- Mann–Whitney ---- */

enum { EXACT_MAX = 32, RANKS_MAX = EXACT_MAX * (EXACT_MAX + 1) };

/* Twice the midrank of `value` among both groups: whole, ties included. */
static uint64_t twice_midrank(double value, const double *a, size_t n, const double *b,
                              size_t m)
{
    uint64_t below = 0;
    uint64_t equal = 0;
    for (size_t i = 0; i < n; i++) {
        below += a[i] < value;
        equal += a[i] == value;
    }
    for (size_t i = 0; i < m; i++) {
        below += b[i] < value;
        equal += b[i] == value;
    }
    return 2 * below + equal + 1;
}

/* C(count, chosen), exact below 2⁵³. */
static double choices(size_t count, size_t chosen)
{
    double ways = 1;
    for (size_t i = 1; i <= chosen; i++)
        ways = ways * (double)(count - chosen + i) / (double)i;
    return ways;
}

/* Count, for each rank sum up to the observed one, the ways to choose n of the N ranks:
 * adding one rank after the other. C(32, 16) < 2³². */
static double exact_p(const uint64_t *ranks, size_t total, size_t n, uint64_t observed)
{
    uint32_t ways[EXACT_MAX / 2 + 1][RANKS_MAX + 1];
    for (size_t chosen = 0; chosen <= n; chosen++)
        memset(ways[chosen], 0, (observed + 1) * sizeof ways[0][0]);
    ways[0][0] = 1;
    for (size_t i = 0; i < total; i++)
        for (size_t chosen = i + 1 < n ? i + 1 : n; chosen >= 1; chosen--)
            for (uint64_t sum = ranks[i]; sum <= observed; sum++)
                ways[chosen][sum] += ways[chosen - 1][sum - ranks[i]];
    double below = 0;
    for (uint64_t sum = 0; sum < observed; sum++)
        below += ways[n][sum];
    double all = choices(total, n);
    double at_most = below + ways[n][observed];
    double at_least = all - below;
    double p = 2 * (at_most < at_least ? at_most : at_least) / all;
    return p < 1 ? p : 1;
}

static double normal_p(double rank_sum, double ties, double n, double m)
{
    double total = n + m;
    double u = rank_sum - 0.5 * n * (n + 1);
    double expected = 0.5 * n * m;
    double variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)));
    if (!(variance > 0))
        return 1; /* every value is the same */
    double off = u > expected ? u - expected : expected - u;
    double p = 2 * dist_normal_cdf(-(off - 0.5) / num_sqrt(variance));
    return p < 1 ? p : 1;
}

/* Σ (t³ − t) over groups of t tied values is Σ (t² − 1) over values. */
static double tie_term(double value, const double *a, size_t n, const double *b, size_t m)
{
    double equal = 0;
    for (size_t i = 0; i < n; i++)
        equal += a[i] == value;
    for (size_t i = 0; i < m; i++)
        equal += b[i] == value;
    return equal * equal - 1;
}

double stats_mann_whitney_p(const double *a, size_t n, const double *b, size_t m)
{
    if (n > m) { /* two-sided: the groups can change places */
        const double *values = a;
        a = b;
        b = values;
        size_t count = n;
        n = m;
        m = count;
    }
    uint64_t observed = 0;
    for (size_t i = 0; i < n; i++)
        observed += twice_midrank(a[i], a, n, b, m);
    if (n + m <= EXACT_MAX) {
        uint64_t ranks[EXACT_MAX];
        uint64_t odd = 0;
        for (size_t i = 0; i < n + m; i++) {
            ranks[i] = twice_midrank(i < n ? a[i] : b[i - n], a, n, b, m);
            odd |= ranks[i] & 1;
        }
        for (size_t i = 0; odd == 0 && i < n + m; i++) /* no ties by twos: half the work */
            ranks[i] /= 2;
        return exact_p(ranks, n + m, n, odd == 0 ? observed / 2 : observed);
    }
    double ties = 0;
    for (size_t i = 0; i < n; i++)
        ties += tie_term(a[i], a, n, b, m);
    for (size_t i = 0; i < m; i++)
        ties += tie_term(b[i], a, n, b, m);
    return normal_p(0.5 * (double)observed, ties, (double)n, (double)m);
}
