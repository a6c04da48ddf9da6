/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the other rules. Versions are those read: criterion.rs 567405d (2025-07-25),
 * google/benchmark 267a111 (2026-08-18), nvbench 66212f1 (2026-08-12),
 * github-action-benchmark v1.22.0 c38cce9 (2026-03-31). */
#include "bench/rivals.h"

#include "judge/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/trace.h"

/* criterion draws 100 000; the shares in the tables do not change in their second digit. */
enum { RESAMPLES = 500 };

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double deviation_of(const double *values, size_t count)
{
    double mean = mean_of(values, count);
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return sqrt(squares / (double)(count - 1));
}

static double median_of(const double *values, size_t count)
{
    double copy[RIVALS_MAX];
    memcpy(copy, values, count * sizeof *copy);
    return stats_median(copy, count);
}

/* Type 7, of values that may be reordered. */
static double quantile_of(double *values, size_t count, double p)
{
    double rank = p * (double)(count - 1);
    size_t whole = (size_t)rank;
    double low = stats_select(values, count, whole);
    if (whole + 1 == count)
        return low;
    double high = stats_select(values, count, whole + 1);
    return low + (rank - (double)whole) * (high - low);
}

/* ---- habits ---- */

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* Percentile bootstrap of the median, samples taken as independent. Ranks are drawn and
 * counted, so that nothing need be sorted again. */
static void median_interval(const double *values, size_t count, struct random *random,
                            double *low, double *high)
{
    double ordered[RIVALS_MAX];
    double medians[RESAMPLES];
    memcpy(ordered, values, count * sizeof *ordered);
    qsort(ordered, count, sizeof *ordered, by_value);
    for (size_t trial = 0; trial < RESAMPLES; trial++) {
        unsigned short drawn[RIVALS_MAX] = {0};
        for (size_t i = 0; i < count; i++)
            drawn[draw_below(random, count)]++;
        size_t seen = 0;
        size_t rank = 0;
        while (seen + drawn[rank] <= (count - 1) / 2)
            seen += drawn[rank++];
        double lower = ordered[rank];
        while (seen + drawn[rank] <= count / 2)
            seen += drawn[rank++];
        medians[trial] = 0.5 * (lower + ordered[rank]);
    }
    *low = quantile_of(medians, RESAMPLES, 0.025);
    *high = quantile_of(medians, RESAMPLES, 0.975);
}

static bool intervals_apart(const struct sides *sides, struct random *random)
{
    double base_low, base_high, head_low, head_high;
    median_interval(sides->base, sides->base_count, random, &base_low, &base_high);
    median_interval(sides->head, sides->head_count, random, &head_low, &head_high);
    return head_low > base_high;
}

static bool intervals_apart_by_3(const struct sides *sides, struct random *random)
{
    return median_of(sides->head, sides->head_count) >
               1.03 * median_of(sides->base, sides->base_count) &&
           intervals_apart(sides, random);
}

/* ---- tools ---- */

static void resample(const double *values, size_t count, struct random *random,
                     size_t wanted, double *mean, double *variance)
{
    double sum = 0;
    double squares = 0;
    double shift = values[0];
    for (size_t i = 0; i < wanted; i++) {
        double value = values[draw_below(random, count)] - shift;
        sum += value;
        squares += value * value;
    }
    double n = (double)wanted;
    *mean = shift + sum / n;
    *variance = (squares - sum * sum / n) / (n - 1);
}

/* p of a two-sided t test whose distribution is bootstrapped from both sides mixed is
 * below 0.05, and the 95% percentile interval of the relative change of means lies above
 * the noise threshold of 1%. */
static bool criterion(const struct sides *sides, struct random *random)
{
    size_t n = sides->base_count;
    size_t m = sides->head_count;
    double mixed[2 * RIVALS_MAX];
    double changes[RESAMPLES];
    memcpy(mixed, sides->base, n * sizeof *mixed);
    memcpy(mixed + n, sides->head, m * sizeof *mixed);
    double base = deviation_of(sides->base, n);
    double head = deviation_of(sides->head, m);
    double observed = (mean_of(sides->head, m) - mean_of(sides->base, n)) /
                      sqrt(base * base / (double)n + head * head / (double)m);
    size_t above = 0;
    for (size_t trial = 0; trial < RESAMPLES; trial++) {
        double mean_a, mean_b, variance_a, variance_b;
        resample(mixed, n + m, random, n, &mean_a, &variance_a);
        resample(mixed, n + m, random, m, &mean_b, &variance_b);
        above += (mean_b - mean_a) /
                     sqrt(variance_a / (double)n + variance_b / (double)m) >=
                 observed;
        resample(sides->base, n, random, n, &mean_a, &variance_a);
        resample(sides->head, m, random, m, &mean_b, &variance_b);
        changes[trial] = mean_b / mean_a - 1;
    }
    size_t fewer = above < RESAMPLES - above ? above : RESAMPLES - above;
    return 2 * (double)fewer / RESAMPLES < 0.05 &&
           quantile_of(changes, RESAMPLES, 0.025) > 0.01;
}

static bool google_u_test(const struct sides *sides, struct random *random)
{
    (void)random;
    return stats_mann_whitney_p(sides->head, sides->head_count, sides->base,
                                sides->base_count) < 0.05 &&
           mean_of(sides->head, sides->head_count) > mean_of(sides->base, sides->base_count);
}

/* Means differ by more, relatively, than the smaller of the two relative deviations. */
static bool nvbench_legacy(const struct sides *sides, struct random *random)
{
    (void)random;
    double base = mean_of(sides->base, sides->base_count);
    double head = mean_of(sides->head, sides->head_count);
    double base_noise = deviation_of(sides->base, sides->base_count) / base;
    double head_noise = deviation_of(sides->head, sides->head_count) / head;
    return head / base - 1 > (base_noise < head_noise ? base_noise : head_noise);
}

static bool action_benchmark(const struct sides *sides, struct random *random)
{
    (void)random;
    return mean_of(sides->head, sides->head_count) >
           2 * mean_of(sides->base, sides->base_count);
}

const struct rival rivals[] = {
    {"95% bootstrap CIs of medians do not overlap", "a common habit", intervals_apart},
    {"… and medians differ by more than 3%", "the same with a floor", intervals_apart_by_3},
    {"criterion: p < 0.05 and CI beyond 1%", "criterion.rs, report.rs and its book",
     criterion},
    {"google/benchmark: U test, 0.05", "google/benchmark, tools/gbench/report.py",
     google_u_test},
    {"nvbench, legacy compare", "nvbench, scripts/nvbench_compare.py", nvbench_legacy},
    {"github-action-benchmark, 200%", "github-action-benchmark, README", action_benchmark},
};
const size_t rival_count = sizeof rivals / sizeof rivals[0];
