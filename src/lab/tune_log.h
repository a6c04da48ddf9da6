/* SPDX-License-Identifier: Apache-2.0 */
/* What a search has found up to now, as lines of JSON (schema ratchet.tune/1), each written when it is
 * known. The first says what is searched:
 *     {"schema": "ratchet.tune/1", "commit": "…", "device": "cpu", "space": "sha256…", "configs": ["…"]}
 * and the others, in any order:
 *     {"built": 3, "code": "sha256:…"}                     candidate 3
 *     {"rejected": 7, "round": 0, "why": "…"}              it cannot be built, or measured in a round
 *     {"round": 1, "trials": [3, 7], "seconds": 9.1, "logs": [[-0.01, 0.02], [0.3, 0.28]]}
 *     {"end": [3], "seconds": 31.0}                        the samples lie in samples.json
 * Numbers of candidates are places in the list that tune_candidates makes. */
#ifndef RATCHET_LAB_TUNE_LOG_H
#define RATCHET_LAB_TUNE_LOG_H

#include "lab/autotune.h"

/* Begin the file, or read it: candidates built and rejected, and seconds spent. Another search's is ERR_INPUT; a
 * last line that was cut off is dropped. */
MUST_CHECK int tune_log_open(struct autotune *tune, struct err *err);
MUST_CHECK int tune_log_built(struct autotune *tune, size_t trial, const char *code,
                              struct err *err);
MUST_CHECK int tune_log_reject(struct autotune *tune, size_t trial, unsigned round,
                               const char *why, struct err *err);
/* Was this group measured in this round? 1: trials[…]->logs and ->mean are set. */
MUST_CHECK int tune_log_find(struct autotune *tune, unsigned round, const size_t *trials,
                             size_t count, struct err *err);
MUST_CHECK int tune_log_group(struct autotune *tune, unsigned round, const size_t *trials,
                              size_t count, double seconds, struct err *err);
/* Were these measured at the end? 1: yes. */
MUST_CHECK int tune_log_find_end(struct autotune *tune, const size_t *trials, size_t count,
                                 struct err *err);
/* Writes samples.json, too. */
MUST_CHECK int tune_log_end(struct autotune *tune, const struct samples *samples,
                            const size_t *trials, size_t count, double seconds,
                            struct err *err);
/* What samples.json has of today's kernel, as head, and of one candidate, as anchor. */
MUST_CHECK int tune_log_samples(const struct autotune *tune, size_t trial, struct samples *out,
                                struct err *err);

/* The name of a candidate as an arm: "candidate-8" is the one at place 7. */
void tune_log_arm(size_t trial, char out[MODEL_NAME_BYTES]);

#endif
