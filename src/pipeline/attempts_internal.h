/* SPDX-License-Identifier: Apache-2.0 */
/* One config of a check, as the table of attempts knows it. Private to attempts*.c. */
#ifndef RATCHET_PIPELINE_ATTEMPTS_INTERNAL_H
#define RATCHET_PIPELINE_ATTEMPTS_INTERNAL_H

#include "base/file.h"
#include "pipeline/attempts.h"

struct row {
    struct measurement *measurement;
    struct config_samples *config;
    char repository[JOB_REPOSITORY_BYTES];
    char rule[FILE_KEY_BYTES];
    const char *code, *who, *environment;
};

const char *attempts_arm_code(const struct row *row, enum arm arm);
/* All numbers by which is judged; whether a doubt passes is another question. */
void attempts_rule_key(const struct rule *rule, char out[FILE_KEY_BYTES]);
/* A line `name=value` for each fact that has to be the same. */
MUST_CHECK int attempts_put_environment(const struct environment *all, struct buf *out,
                                        struct err *err);
/* All that has to be the same; `row` has rule and environment. */
void attempts_code_key(const struct row *row, char out[FILE_KEY_BYTES]);

struct attempts_before {
    long long others;  /* checks of this code by others that came to a look */
    long long spoiled; /* … whose control differed */
    bool any;          /* row->config has what the next one goes on from: */
    bool own;          /* it is this very check's, which was killed */
    bool counts;       /* it came to a look */
};
/* The replicates of all runs until now are put into row->config. */
MUST_CHECK int attempts_load(const struct row *row, struct attempts_before *out,
                             struct err *err);
/* Until `out` is freed no other check of its code is at it on this host; the second waits. `out` has its codes. */
MUST_CHECK int attempts_lock(struct measurement *measurement, struct attempts *out,
                             struct err *err);

#endif
