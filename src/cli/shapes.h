/* SPDX-License-Identifier: Apache-2.0 */
/* What to measure and how often, from the command line over ci/ratchet.conf: the options that
 * bench, verify and sweep share. */
#ifndef RATCHET_CLI_SHAPES_H
#define RATCHET_CLI_SHAPES_H

#include "base/err.h"
#include "intake/config.h"

#include <stdbool.h>

struct shapes {
    const char *configs, *replicates, *iterations, *warmup;
    const char *batch, *heads, *seq, *dim, *dtype, *causals; /* lists, with commas */
    const char *heads_kv, *seq_k;
    bool causal; /* --causal without a list: true alone */
};

/* Their places in a table of cli_options: SHAPES_OPTIONS(given.shapes), */
#define SHAPES_OPTIONS(shapes)                                                          \
    {"configs", &(shapes).configs, NULL}, {"replicates", &(shapes).replicates, NULL},   \
        {"iterations", &(shapes).iterations, NULL}, {"warmup", &(shapes).warmup, NULL}, \
        {"batch", &(shapes).batch, NULL}, {"heads", &(shapes).heads, NULL},             \
        {"heads-kv", &(shapes).heads_kv, NULL}, {"seq", &(shapes).seq, NULL},           \
        {"seq-k", &(shapes).seq_k, NULL}, {"dim", &(shapes).dim, NULL},                 \
        {"dtype", &(shapes).dtype, NULL},                                               \
    {                                                                                   \
        "causal", &(shapes).causals, &(shapes).causal                                   \
    }

/* Narrow `config` down to what was asked for; `replicates` and `samples` where nothing was said.
 * There is one look, after all replicates. */
MUST_CHECK int shapes_apply(const struct shapes *given, const char *device,
                            unsigned replicates, unsigned samples,
                            struct ratchet_config *config, struct err *err);

#endif
