/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the judge's rooms share: making samples without a file. */
#ifndef RATCHET_TESTS_JUDGE_H
#define RATCHET_TESTS_JUDGE_H

#include "judge/random.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A config called `name` with nothing in it yet. */
static inline struct config_samples *add_config(struct samples *samples, const char *name)
{
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        abort();
    snprintf(config->config.name, sizeof config->config.name, "%s", name);
    config->config.problem = (struct problem){1, 4, 4, 256, 256, 64, DTYPE_FP32, false};
    config->clock_resolution_ns = 1;
    return config;
}

/* From 0 to 1, 1 excluded. */
static inline double uniform(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* Mean 0 and standard deviation 1, nearly: the sum of twelve of those. */
static inline double normal(struct random *random)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform(random);
    return sum - 6;
}

/* Small scatter with mean 0, the same for every test: ±0.1% and less. */
static inline double wobble(size_t i)
{
    static const double steps[] = {0.0005,  -0.0007, 0.0002, 0.001,
                                   -0.0009, -0.0001, 0.0004, -0.0004};
    return steps[i % 8];
}

/* Three samples a replicate around `ns` × (1 + change), the replicate's speed drifting. A
 * NaN change leaves the arm out. */
static inline void add_arm(struct replicate *replicate, enum arm arm, double ns,
                           double change, size_t i)
{
    if (change != change)
        return;
    double middle = ns * (1 + change) * (1 + wobble(i + 3 * (size_t)arm));
    for (int k = -1; k <= 1; k++)
        if (series_add(&replicate->arms[arm], middle * (1 + 0.002 * k)) != 0)
            abort();
}

struct changes {
    double head, base, control; /* against the anchor; NaN: no such arm */
    double anchor;              /* 0, or NaN: no anchor */
};

static inline void add_replicates(struct config_samples *config, size_t count,
                                  struct changes changes)
{
    for (size_t i = 0; i < count; i++) {
        struct replicate *replicate = config_samples_add(config);
        if (replicate == NULL)
            abort();
        double ns = 100000 * (1 + 0.01 * wobble(5 * i) * 100);
        add_arm(replicate, ARM_HEAD, ns, changes.head, config->count);
        add_arm(replicate, ARM_BASE, ns, changes.base, config->count);
        add_arm(replicate, ARM_ANCHOR, ns, changes.anchor, config->count);
        add_arm(replicate, ARM_CONTROL, ns, changes.control, config->count);
    }
    config->attempts += count;
}

/* To the bit, but for the bytes between the fields. */
static inline bool same_change(const struct change *a, const struct change *b)
{
    return a->known == b->known && memcmp(&a->change, &b->change, sizeof a->change) == 0 &&
           memcmp(&a->ci, &b->ci, sizeof a->ci) == 0 &&
           memcmp(&a->ci_decision, &b->ci_decision, sizeof a->ci_decision) == 0;
}

#endif
