/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest change that a measurement could have seen: of as many as seen, 95% are. */
#include "judge/compare.h"
#include "judge/detectable.h"
#include "judge/random.h"
#include "judge.h"
#include "tap.h"

#include <math.h>

enum { TRIALS = 1500 };

/* `count` processes: all arms scatter together by `common`, each by `own`; head by a true change. */
static void draw(struct random *random, size_t count, double common, double own, double change,
                 struct config_samples *out)
{
    for (size_t i = 0; i < count; i++) {
        struct replicate *replicate = config_samples_add(out);
        double ns = 1e6 * exp(common * normal(random));
        if (replicate == NULL ||
            series_add(&replicate->arms[ARM_HEAD], ns * exp(own * normal(random)) * (1 + change)) != 0 ||
            series_add(&replicate->arms[ARM_ANCHOR], ns * exp(own * normal(random))) != 0)
            abort();
    }
}

static double seen(const struct config_samples *config, enum arm other, const struct rule *rule)
{
    struct err err = {0};
    double change = -1;
    if (!OK(detectable(config, other, rule, &change, &err) == 0))
        printf("# %s\n", err.text);
    return change;
}

/* Over many: the mean of what they say; then in which share a change of that size is told. */
static void test_power(size_t count, double own, const struct rule *rule)
{
    struct random random = {0};
    double mean = 0;
    size_t told = 0;
    random_seed(&random, 7 + count, 0);
    for (size_t i = 0; i < 200; i++) {
        SAMPLES_AUTO samples = {0};
        struct config_samples *config = add_config(&samples, "c");
        draw(&random, count, 0.02, own, 0, config);
        mean += seen(config, ARM_ANCHOR, rule) / 200;
    }
    for (size_t i = 0; i < TRIALS; i++) {
        SAMPLES_AUTO samples = {0};
        struct comparison comparison = {0};
        struct err err = {0};
        draw(&random, count, 0.02, own, mean, add_config(&samples, "c"));
        OK(compare_samples(&samples, NULL, rule, &comparison, &err) == 0);
        told += comparison.configs[0].change.ci.low > 0;
        comparison_free(&comparison);
    }
    double share = (double)told / TRIALS;
    printf("# n %zu, sd %g: sees %.3g%%, told in %.1f%%\n", count, own, 100 * mean, 100 * share);
    OK(share > 0.93 && share < 0.995);
}

static void test_edges(const struct rule *rule)
{
    struct random random = {0};
    random_seed(&random, 3, 0);
    tap_case("fewer than two processes, or no such arm: not known");
    for (size_t count = 0; count < 2; count++) {
        SAMPLES_AUTO samples = {0};
        struct config_samples *config = add_config(&samples, "c");
        draw(&random, count, 0.02, 0.01, 0, config);
        NEAR(seen(config, ARM_HEAD, rule), 0, 0);
        NEAR(seen(config, ARM_ANCHOR, rule), 0, 0);
    }
    SAMPLES_AUTO samples = {0};
    struct config_samples *config = add_config(&samples, "c");
    draw(&random, 6, 0.02, 0.001, 0, config);
    NEAR(seen(config, ARM_BASE, rule), 0, 0);
    tap_case("a pair sees what both share less of; alone, processes scatter in full");
    OK(seen(config, ARM_ANCHOR, rule) < 0.01);
    OK(seen(config, ARM_HEAD, rule) > 0.02 && seen(config, ARM_HEAD, rule) < 0.2);
    tap_case("marked replicates say nothing");
    for (size_t i = 1; i < 6; i++)
        config->replicates[i].marks = MARK_SHARED;
    NEAR(seen(config, ARM_ANCHOR, rule), 0, 0);
    tap_case("the same to the tick: the tick is left");
    SAMPLES_AUTO same = {0};
    config = add_config(&same, "c");
    draw(&random, 6, 0, 0, 0, config);
    config->clock_resolution_ns = 20000;
    NEAR(seen(config, ARM_HEAD, rule), 0.01, 1e-9); /* half of 2% of 1 ms */
    NEAR(seen(config, ARM_ANCHOR, rule), 0.01, 1e-9);
}

int main(void)
{
    struct rule rule = rule_default();
    rule.resamples = 1000;
    test_edges(&rule);
    tap_case("a true change of that size is told from none in about 95% of measurements");
    test_power(6, 0.005, &rule);
    test_power(16, 0.005, &rule);
    test_power(6, 0.05, &rule);
    return tap_done();
}
