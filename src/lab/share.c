/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the interval of a share. */
#include "lab/share.h"

#include <math.h>

/* P(Bin(trials, p) ≤ hits) */
static double at_most(size_t hits, size_t trials, double p)
{
    if (hits >= trials)
        return 1;
    double n = (double)trials;
    double sum = 0;
    for (size_t i = 0; i <= hits; i++) {
        double k = (double)i;
        sum += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) +
                   (n - k) * log1p(-p));
    }
    return sum;
}

/* The p in (0, 1) at which P(Bin ≤ hits) falls to `level`. */
static double solve(size_t hits, size_t trials, double level)
{
    double low = 0;
    double high = 1;
    for (int i = 0; i < 50; i++) {
        double middle = 0.5 * (low + high);
        if (at_most(hits, trials, middle) > level)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

struct interval share_bounds(size_t hits, size_t trials)
{
    return (struct interval){
        hits == 0 ? 0 : solve(hits - 1, trials, 0.975),
        hits == trials ? 1 : solve(hits, trials, 0.025),
    };
}
