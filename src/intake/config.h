/* SPDX-License-Identifier: Apache-2.0 */
/* ci/ratchet.conf: what is guarded, how it is built, which configs are measured, and the rule.
 * git-config syntax; unknown sections and keys are refused, and every error names file,
 * section.key and what was expected. The keys are the table in config_keys.c, which
 * `ratchet help ratchet.conf` prints; of the rule, RULE_TABLE in model.h.
 *
 * A check takes all of it from the BASE commit, but for [kernel] and [build]: what a kernel is
 * made of and how it is built is part of the kernel, and every arm has its own commit's. */
#ifndef RATCHET_INTAKE_CONFIG_H
#define RATCHET_INTAKE_CONFIG_H

#include "base/err.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

struct recipe { /* how one device's kernel is built */
    char command[1024]; /* for /bin/sh -c, at the top of the tree, in the build sandbox */
    char output[256];   /* path in the tree of the library it makes */
};

/* What a commit says of its kernel: from which files it is built, and how. */
struct kernel_source {
    char paths[MODEL_PATHS_MAX][256];
    size_t path_count;
    struct recipe recipe;
};
/* The same paths in whatever order, and the same recipe? Values are compared, not bytes. */
bool kernel_source_equal(const struct kernel_source *a, const struct kernel_source *b);

#define BUDGET_LEAST_NS 1e9
#define BUDGET_MOST_NS 86400e9

struct bench_settings {
    unsigned samples;
    unsigned warmup;
    double target_ns;
    bool warm_inputs;
    double budget_ns; /* wall time that measuring may take; 0: as long as it takes */
};

/* What `ratchet autotune` may change of a kernel: macros of its sources, each defined there once as a
 * whole number, and which of their values go together. */
enum {
    TUNE_PARAMETERS_MAX = 12,
    TUNE_VALUES_MAX = 16,
    TUNE_CONSTRAINTS_MAX = 8,
    TUNE_NAME_BYTES = 48,
    TUNE_CONSTRAINT_BYTES = 256
};
struct tune_parameter {
    char name[TUNE_NAME_BYTES];
    long long values[TUNE_VALUES_MAX];
    size_t count;
};
struct tune_space {
    struct tune_parameter parameters[TUNE_PARAMETERS_MAX];
    size_t parameter_count;
    char constraints[TUNE_CONSTRAINTS_MAX][TUNE_CONSTRAINT_BYTES]; /* see intake/expression.h */
    size_t constraint_count;
};

/* When a pull request gets a comment of ours. One that is there already is kept up to date whatever is
 * said here: it shall tell no old verdict. */
enum comment_when {
    COMMENT_ALWAYS,
    COMMENT_CHANGE, /* once a verdict is another than held, which is what nobody needs to be told */
    COMMENT_NEVER
};

struct ratchet_config { /* for one device */
    struct kernel_source source;
    struct rule rule;
    unsigned promotion_gap_s;
    enum comment_when comment;
    struct bench_settings bench;
    struct tune_space tune; /* no parameters: there is no [tune] for this device */
    struct config configs[MODEL_CONFIGS_MAX];
    size_t config_count;
};

/* Parse the text for device `slug`. No [build "slug"], no config for the device, or no
 * kernel path is ERR_INPUT; so is a config or [bench] for a device that no [build] is for. `name` is for messages ("ci/ratchet.conf at 1a2b3c4"). */
MUST_CHECK int config_parse(const char *text, size_t len, const char *name, const char *slug,
                            const struct limits *limits, struct ratchet_config *out,
                            struct err *err);

/* The [kernel] and [build "slug"] of a text alone, whatever else it says: of a commit that is an
 * arm, perhaps an old one. A value there that cannot be used, or that is missing, is ERR_INPUT. */
MUST_CHECK int config_parse_source(const char *text, size_t len, const char *name,
                                   const char *slug, const struct limits *limits,
                                   struct kernel_source *out, struct err *err);

#endif
