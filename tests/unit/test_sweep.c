/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep says of its samples: ratios to the first arm, and their geometric mean, each
 * with an interval over processes and not over configs. */
#include "tap.h"

#include "lab/sweep.h"

#include <math.h>
#include <stdlib.h>

enum { PROCESSES = 6 };

static const double drift[PROCESSES] = {1, 1.01, 0.99, 1.02, 1, 0.98};

static void add(struct replicate *replicate, enum arm arm, double ns)
{
    for (int i = -1; i <= 1; i++)
        if (series_add(&replicate->arms[arm], ns * (1 + 0.001 * i)) != 0)
            abort();
}

/* A config where `arm` takes `factor` times as long as head, times what scatter[i] says. */
static struct config_samples *add_config(struct samples *samples, enum arm arm, double ns,
                                         double factor, const double *scatter)
{
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        abort();
    config->clock_resolution_ns = 1;
    for (size_t i = 0; i < PROCESSES; i++) {
        struct replicate *replicate = config_samples_add(config);
        if (replicate == NULL)
            abort();
        add(replicate, ARM_HEAD, ns * drift[i]);
        add(replicate, arm, ns * drift[i] * factor * (scatter == NULL ? 1 : scatter[i]));
    }
    return config;
}

static struct change ratio(const struct config_samples *config, enum arm arm)
{
    const struct rule rule = rule_default();
    struct change change = {.known = true};
    struct err err;
    OK(sweep_ratio(config, arm, &rule, &change, &err) == 0);
    return change;
}

static struct change mean(const struct samples *samples, enum arm arm, size_t *configs)
{
    const struct rule rule = rule_default();
    struct change change = {.known = true};
    struct err err;
    OK(sweep_mean(samples, arm, &rule, &change, configs, &err) == 0);
    return change;
}

static void test_ratio(void)
{
    struct samples samples = {0};
    tap_case("twice the time is a change of one, whatever a process does to both");
    struct config_samples *config = add_config(&samples, ARM_OTHER, 1e5, 2, NULL);
    struct change change = ratio(config, ARM_OTHER);
    OK(change.known);
    NEAR(change.change, 1, 1e-12);
    NEAR(change.ci.high - change.ci.low, 1e-5, 1e-9); /* a tick */
    tap_case("an arm that is not there has no ratio");
    OK(!ratio(config, ARM_OTHER + 1).known);
    tap_case("a marked process does not count");
    struct replicate *replicate = &config->replicates[2];
    replicate->marks = MARK_SHARED;
    for (size_t i = 0; i < replicate->arms[ARM_OTHER].count; i++)
        replicate->arms[ARM_OTHER].ns[i] *= 5;
    NEAR(ratio(config, ARM_OTHER).change, 1, 1e-12);
    tap_case("one process has no interval, so no ratio");
    for (size_t i = 1; i < PROCESSES; i++)
        config->replicates[i].marks = MARK_SHARED;
    OK(!ratio(config, ARM_OTHER).known);
    samples_free(&samples);
}

static void test_mean(void)
{
    static const double same[PROCESSES] = {1.01, 0.99, 1.03, 0.97, 1.02, 0.98};
    static const double opposite[PROCESSES] = {1 / 1.01, 1 / 0.99, 1 / 1.03,
                                               1 / 0.97, 1 / 1.02, 1 / 0.98};
    enum arm arm = ARM_OTHER + 3;
    struct samples samples = {0};
    size_t configs = 77;
    tap_case("the geometric mean over configs");
    add_config(&samples, arm, 1e5, 2, NULL);
    add_config(&samples, arm, 3e6, 0.5, NULL);
    add_config(&samples, arm, 1e5, 8, NULL);
    struct change change = mean(&samples, arm, &configs);
    EQ_INT(configs, 3);
    NEAR(change.change, 1, 1e-12);
    tap_case("a config without the arm, or with a fault, does not count");
    add_config(&samples, ARM_OTHER, 1e5, 100, NULL);
    struct config_samples *failed = add_config(&samples, arm, 1e5, 100, NULL);
    failed->fault = FAULT_PR;
    NEAR(mean(&samples, arm, &configs).change, 1, 1e-12);
    EQ_INT(configs, 3);
    tap_case("where no config has it there is none");
    OK(!mean(&samples, ARM_OTHER + 5, &configs).known);
    EQ_INT(configs, 0);
    samples_free(&samples);

    tap_case("what moves all configs of a process together makes the interval no narrower");
    add_config(&samples, arm, 1e5, 2, same);
    double one = mean(&samples, arm, &configs).ci.high;
    for (int i = 0; i < 8; i++)
        add_config(&samples, arm, 1e5, 2, same);
    NEAR(mean(&samples, arm, &configs).ci.high, one, 1e-9);
    EQ_INT(configs, 9);
    samples_free(&samples);
    tap_case("and what they do against each other goes");
    add_config(&samples, arm, 1e5, 2, same);
    add_config(&samples, arm, 1e5, 2, opposite);
    change = mean(&samples, arm, &configs);
    NEAR(change.change, 1, 1e-12);
    NEAR(change.ci.high, 1, 1e-9);
    tap_case("a process that is marked in one config is left out of all: the same ones are paired");
    samples.configs[1].replicates[0].marks = MARK_SHARED;
    samples.configs[1].replicates[3].marks = MARK_SHARED;
    change = mean(&samples, arm, &configs);
    NEAR(change.change, 1, 1e-12);
    NEAR(change.ci.high, 1, 1e-9);
    EQ_INT(configs, 2);
    tap_case("where too few processes have all configs, it is the mean of their own, with no narrower an interval");
    for (size_t i = 1; i < 5; i++)
        samples.configs[i < 3 ? 0 : 1].replicates[i].marks = MARK_SHARED;
    change = mean(&samples, arm, &configs);
    struct change first = ratio(&samples.configs[0], arm);
    struct change second = ratio(&samples.configs[1], arm);
    OK(change.known);
    EQ_INT(configs, 2);
    NEAR(log(1 + change.change), (log(1 + first.change) + log(1 + second.change)) / 2, 1e-12);
    OK(log(1 + change.ci.low) < (log(1 + first.ci.low) + log(1 + second.ci.low)) / 2);
    OK(log(1 + change.ci.high) > (log(1 + first.ci.high) + log(1 + second.ci.high)) / 2);
    samples_free(&samples);
}

static void test_first_look(void)
{
    const struct rule rule = rule_default();
    struct samples samples = {0};
    struct change change;
    struct err err;
    tap_case("a first look takes marked processes where too few are without a mark");
    struct config_samples *config = add_config(&samples, ARM_OTHER, 50000, 2, NULL);
    for (size_t i = 1; i < PROCESSES; i++)
        config->replicates[i].marks = 1;
    OK(!ratio(config, ARM_OTHER).known);
    OK(sweep_first_look(config, ARM_OTHER, &rule, &change, &err) == 0);
    OK(change.known);
    NEAR(change.change, 1, 1e-6);
    OK(config->replicates[1].marks == 1 && config->replicates[0].marks == 0);
    tap_case("and none where there are enough");
    config->replicates[1].marks = 0;
    for (size_t i = 2; i < PROCESSES; i++)
        for (size_t j = 0; j < config->replicates[i].arms[ARM_OTHER].count; j++)
            config->replicates[i].arms[ARM_OTHER].ns[j] *= 3;
    OK(sweep_first_look(config, ARM_OTHER, &rule, &change, &err) == 0);
    NEAR(change.change, 1, 1e-6);
    tap_case("without any, nothing is known");
    config->count = 0;
    OK(sweep_first_look(config, ARM_OTHER, &rule, &change, &err) == 0);
    OK(!change.known);
    config->count = PROCESSES;
    samples_free(&samples);
}

int main(void)
{
    test_ratio();
    test_first_look();
    test_mean();
    return tap_done();
}
