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
#define SHAPES_CONFIGS(shapes)                                                    \
    {                                                                             \
        "configs", &(shapes).configs, NULL, "LIST", "of ci/ratchet.conf, by name" \
    }
/* Of whoever has such fields. */
#define SHAPES_LISTS(at)                                                        \
    {"batch", &(at).batch, NULL, "LIST", "sequences; lists have commas"},       \
        {"heads", &(at).heads, NULL, "LIST", "heads of queries"},               \
        {"heads-kv", &(at).heads_kv, NULL, "LIST", "heads of keys and values"}, \
        {"seq", &(at).seq, NULL, "LIST", "length of queries and keys"},         \
        {"dim", &(at).dim, NULL, "LIST", "length of one head's vectors"},       \
    {                                                                           \
        "dtype", &(at).dtype, NULL, "LIST", "fp16, bf16, fp32"                  \
    }
#define SHAPES_OPTIONS(shapes)                                                     \
    SHAPES_CONFIGS(shapes), SHAPES_LISTS(shapes),                                  \
        {"seq-k", &(shapes).seq_k, NULL, "LIST", "length of keys, where another"}, \
        {"causal", &(shapes).causals, &(shapes).causal, "LIST",                    \
         "true, or a list such as false,true"},                                    \
        {"replicates", &(shapes).replicates, NULL, "N", "fresh processes"},        \
        {"iterations", &(shapes).iterations, NULL, "N", "samples in each"},        \
    {                                                                              \
        "warmup", &(shapes).warmup, NULL, "N", "samples thrown away first"         \
    }

/* Narrow `config` down to what was asked for; `replicates` and `samples` where nothing was said.
 * There is one look, after all replicates. */
MUST_CHECK int shapes_apply(const struct shapes *given, const char *device,
                            unsigned replicates, unsigned samples,
                            struct ratchet_config *config, struct err *err);
/* For a command that hands them on: can they be read, and has the device such types? */
MUST_CHECK int shapes_check(const struct shapes *given, const char *device, struct err *err);
/* Is `name`, which `option` gives, one of them? */
MUST_CHECK int shapes_check_name(const struct ratchet_config *config, const char *option,
                                 const char *name, struct err *err);

#endif
