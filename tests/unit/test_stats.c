/* SPDX-License-Identifier: Apache-2.0 */
/* Estimators and the bootstrap on values with known answers, and on degenerate ones. The
 * comparison with SciPy on random input is check_stats.py. */
#include "tap.h"

#include "judge/bootstrap.h"
#include "judge/dist.h"
#include "judge/random.h"
#include "judge/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct sample none = {0};
static const struct bootstrap usual = {
    .resamples = 10000, .seed = 42, .confidence = 0.95};

static int ascending(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

static void test_median(void)
{
    tap_case("median");
    NEAR(stats_median((double[]){3}, 1), 3, 0);
    NEAR(stats_median((double[]){4, 3}, 2), 3.5, 0);
    NEAR(stats_median((double[]){9, 1, 5}, 3), 5, 0);
    NEAR(stats_median((double[]){9, 1, 5, 7}, 4), 6, 0);
    NEAR(stats_median((double[]){2, 2, 2, 2, 2, 2}, 6), 2, 0);
    tap_case("median agrees with a sort on random values with many ties");
    struct random random;
    random_seed(&random, 3, 0);
    int wrong = 0;
    for (int trial = 0; trial < 3000; trial++) {
        double values[60];
        double sorted[60];
        size_t count = 1 + random_next(&random) % 60;
        uint64_t kinds = 1 + random_next(&random) % 40;
        for (size_t i = 0; i < count; i++)
            values[i] = sorted[i] = (double)(random_next(&random) % kinds);
        qsort(sorted, count, sizeof *sorted, ascending);
        double want = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
        wrong += stats_median(values, count) != want;
        qsort(values, count, sizeof *values, ascending);
        wrong += memcmp(values, sorted, count * sizeof *values) != 0;
    }
    EQ_INT(wrong, 0);
}

static void test_median_interval(void)
{
    tap_case("order statistics of the median's interval");
    /* Tabulated k for 95%: n = 6 → 1, 8 → 1, 9 → 2, 12 → 3, 20 → 6, 40 → 14. */
    static const struct {
        size_t count, k;
    } table[] = {{1, 1}, {3, 1}, {6, 1}, {8, 1}, {9, 2}, {12, 3}, {20, 6}, {40, 14}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        double values[40];
        for (size_t j = 0; j < table[i].count; j++)
            values[j] = (double)((j * 7) % table[i].count + 1); /* 1…n, shuffled */
        if (table[i].count % 7 == 0)
            continue;
        struct interval ci = stats_median_interval(values, table[i].count, 0.95);
        NEAR(ci.low, (double)table[i].k, 0);
        NEAR(ci.high, (double)(table[i].count + 1 - table[i].k), 0);
    }
    static double many[4000];
    for (int i = 0; i < 4000; i++)
        many[i] = i + 1;
    struct interval ci = stats_median_interval(many, 4000, 0.95);
    NEAR(ci.low, 2000.5 - 0.98 * sqrt(4000), 2);
    NEAR(ci.high, 2000.5 + 0.98 * sqrt(4000), 2);
}

static void test_effects(void)
{
    const double a[] = {3, 4, 5, 6};
    const double b[] = {1, 2, 3, 4};
    tap_case("Hedges' g");
    /* pooled sd √(5/3), J = 1 − 3/23 */
    NEAR(stats_hedges_g(a, 4, b, 4), 2 / sqrt(5.0 / 3) * 20 / 23, 1e-15);
    NEAR(stats_hedges_g(b, 4, a, 4), -2 / sqrt(5.0 / 3) * 20 / 23, 1e-15);
    const double same[] = {2, 2, 2};
    const double more[] = {3, 3, 3};
    NEAR(stats_hedges_g(same, 3, same, 3), 0, 0);
    OK(stats_hedges_g(more, 3, same, 3) == INFINITY);
    OK(stats_hedges_g(same, 3, more, 3) == -INFINITY);
    tap_case("Cliff's delta");
    NEAR(stats_cliffs_delta(a, 4, b, 4), (13.0 - 1) / 16 - 0, 1e-15);
    NEAR(stats_cliffs_delta(same, 3, same, 3), 0, 0);
    NEAR(stats_cliffs_delta(more, 3, same, 3), 1, 0);
    NEAR(stats_cliffs_delta(same, 3, more, 3), -1, 0);
    tap_case("Mann–Whitney p");
    /* 20 assignments, complete separation: 2/20 */
    const double low[] = {1, 2, 3};
    const double high[] = {4, 5, 6};
    NEAR(stats_mann_whitney_p(low, 3, high, 3), 0.1, 1e-15);
    NEAR(stats_mann_whitney_p(high, 3, low, 3), 0.1, 1e-15);
    NEAR(stats_mann_whitney_p(same, 3, same, 3), 1, 0);
    NEAR(stats_mann_whitney_p(a, 1, b, 1), 1, 0);
    /* {1, 2} and {2, 3}: midranks 1, 2.5, 2.5, 4; the sum is ≤ 3.5 in 2 of 6 ways */
    const double one[] = {1, 2};
    const double two[] = {2, 3};
    NEAR(stats_mann_whitney_p(one, 2, two, 2), 2 * 2.0 / 6, 1e-15);
    double flat[40];
    for (int i = 0; i < 40; i++)
        flat[i] = 5;
    NEAR(stats_mann_whitney_p(flat, 40, flat, 40), 1, 0);
    double up[40];
    double down[40];
    for (int i = 0; i < 40; i++) {
        up[i] = i;
        down[i] = i - 100;
    }
    OK(stats_mann_whitney_p(up, 40, down, 40) < 1e-12);
}

static struct bootstrap_result mean_of(const double *values, size_t count,
                                       const struct bootstrap *settings)
{
    struct bootstrap_result result = {0};
    struct err err = {0};
    OK(bootstrap_mean((struct sample){values, count}, none, settings, &result, &err) ==
       0);
    return result;
}

static void test_bootstrap(void)
{
    const double values[] = {0.011, 0.013, 0.008, 0.012, 0.010, 0.015, 0.009, 0.014};
    tap_case("bootstrap of the mean");
    struct bootstrap_result result = mean_of(values, 8, &usual);
    NEAR(result.estimate, 0.0115, 1e-17);
    NEAR(result.standard_error, sqrt(6e-6 / 8), 1e-12);
    EQ_INT(result.df, 7);
    OK(result.plain.low < result.estimate && result.estimate < result.plain.high);
    double half = dist_student_quantile(0.025, 7) * result.standard_error;
    OK(result.plain.low <= result.estimate - half + 1e-15);
    OK(result.plain.high >= result.estimate + half - 1e-15);
    /* … and the expanded percentile interval is not far from it */
    NEAR(result.plain.high - result.plain.low, 2 * half, 0.2 * half);
    tap_case("the same seed gives the same bits, another does not");
    struct bootstrap_result again = mean_of(values, 8, &usual);
    OK(memcmp(&again, &result, sizeof result) == 0);
    /* one value far out: its long side is the percentile's, which depends on the draws */
    const double skewed[] = {0, 0.001, 0.002, 0.001, 0, 0.2};
    struct bootstrap other = usual;
    other.seed = 43;
    other.resamples = 999;
    struct bootstrap_result one = mean_of(skewed, 6, &usual);
    struct bootstrap_result two = mean_of(skewed, 6, &other);
    OK(one.plain.low <= one.estimate && one.plain.high > one.estimate);
    NEAR(one.estimate, two.estimate, 0);
    OK(one.plain.high > 0.1);

    tap_case("no scatter, no width; scatter seen elsewhere gives width");
    const double flat[] = {0.02, 0.02, 0.02, 0.02, 0.02, 0.02};
    result = mean_of(flat, 6, &usual);
    NEAR(result.plain.low, 0.02, 1e-17);
    NEAR(result.plain.high, 0.02, 1e-17);
    struct interval wide = bootstrap_correct(&result, 0.95, 15, 0.006, NULL).interval;
    double t = dist_student_quantile(0.025 / 15, 5);
    NEAR(wide.high - 0.02, t * 0.006 / sqrt(6), 1e-12);
    NEAR(0.02 - wide.low, t * 0.006 / sqrt(6), 1e-12);

    tap_case("each side says what it rests on");
    struct corrected least = bootstrap_correct(&result, 0.95, 15, 0.006, NULL);
    OK(least.bounds.low == BOUND_SCATTER && least.bounds.high == BOUND_SCATTER);
    NEAR(least.error, 0.006 / sqrt(6), 1e-15);
    NEAR(least.tail, 0.025 / 15, 1e-15);
    OK(one.bounds.low == BOUND_STUDENT && one.bounds.high == BOUND_BOOTSTRAP);
    OK(one.plain.high == one.percentile.high && one.plain.low < one.percentile.low);

    tap_case("correcting never saturates and never narrows");
    result = mean_of(values, 8, &usual);
    struct interval before = result.plain;
    for (double comparisons = 1; comparisons < 2000; comparisons *= 3) {
        struct interval now = bootstrap_correct(&result, 0.95, comparisons, 0, NULL).interval;
        OK(now.low <= before.low && now.high >= before.high);
        OK(comparisons <= 1 || (now.low < before.low && now.high > before.high));
        before = now;
    }
    OK(before.high > 0.015); /* beyond the largest value: no percentile gets there */

    tap_case("difference of two groups");
    struct err err = {0};
    struct sample a = {values, 8};
    struct sample b = {flat, 6};
    OK(bootstrap_mean(a, b, &usual, &result, &err) == 0);
    NEAR(result.estimate, 0.0115 - 0.02, 1e-16);
    EQ_INT(result.df, 5);
    OK(result.plain.high < 0);
    /* Groups of one size are not resampled in step: then a − a would have no width. */
    OK(bootstrap_mean(a, a, &usual, &result, &err) == 0);
    OK(result.plain.high > 0.0015);

    tap_case("what cannot be bootstrapped is refused");
    struct bootstrap few = {.resamples = 1, .seed = 1, .confidence = 0.95};
    struct bootstrap_result untouched = result;
    OK(bootstrap_mean((struct sample){values, 1}, none, &usual, &result, &err) == -1);
    EQ_INT(err.class, ERR_INTERNAL);
    OK(bootstrap_mean(a, (struct sample){values, 1}, &usual, &result, &err) == -1);
    OK(bootstrap_mean(a, none, &few, &result, &err) == -1);
    OK(memcmp(&untouched, &result, sizeof result) == 0);
}

int main(void)
{
    test_median();
    test_median_interval();
    test_effects();
    test_bootstrap();
    return tap_done();
}
