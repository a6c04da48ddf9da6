/* SPDX-License-Identifier: Apache-2.0 */
/* What a commit says of itself. Private to src/pipeline, but for labs. */
#ifndef RATCHET_PIPELINE_RULES_H
#define RATCHET_PIPELINE_RULES_H

#include "pipeline/measurement.h"

/* ci/ratchet.conf, and baseline.json and calibration.json of baselines/<device>, of a commit.
 * A calibration decides nothing: one that cannot be used is no failure. Configs of the baseline
 * that the configuration lists no more are marked as retired. */
MUST_CHECK int rules_read(struct measurement *measurement, const char *commit,
                          struct err *err);

/* baseline.json of a commit; *found is false where there is none. The caller frees `out`. */
MUST_CHECK int rules_read_baseline(struct measurement *measurement, const char *commit,
                                   struct baseline *out, bool *found, struct err *err);

/* The same of a commit of the repository in the folder `path`, which the measurement opens: for a
 * lab that has no pipeline. */
MUST_CHECK int rules_read_local(struct measurement *measurement, const char *path,
                                const char *commit, struct err *err);

/* Mark what the baseline has and ci/ratchet.conf lists no more: nobody waits for it. */
void rules_mark_retired(struct measurement *measurement);

/* Could a check take its rules and baseline from this commit? ERR_INPUT says why not, and *clause
 * which of them. */
MUST_CHECK int rules_try(struct measurement *measurement, const char *commit,
                         enum clause *clause, struct err *err);

/* ci/ratchet.conf of a commit, for the job's device. ERR_INPUT where it cannot be used. */
MUST_CHECK int rules_read_config(struct measurement *measurement, const char *commit,
                                 struct ratchet_config *out, struct err *err);

/* What a commit's own ci/ratchet.conf says of its kernel. None, or one that cannot be used, is
 * ERR_INPUT. */
MUST_CHECK int rules_read_source(struct measurement *measurement, const char *commit,
                                 struct kernel_source *out, struct err *err);

#endif
