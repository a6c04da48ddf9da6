/* SPDX-License-Identifier: Apache-2.0 */
/* How a study's numbers are written, the same in all of its documents. Each returns `out`. */
#ifndef RATCHET_LAB_STUDY_WORDS_H
#define RATCHET_LAB_STUDY_WORDS_H

#include "lab/study_result.h"

enum { STUDY_WORDS_BYTES = 256 };

/* "1.234× [1.220×, 1.250×]", of a change that is a speed-up − 1; "not known". */
const char *study_speedup_text(char out[STUDY_WORDS_BYTES], const struct change *change,
                               struct interval interval);
/* "1.234×" */
const char *study_times_text(char out[STUDY_WORDS_BYTES], double speedup);
/* "1.5 s", "41 s", "12 min 3 s", "2 h 5 min" */
const char *study_duration_text(char out[STUDY_WORDS_BYTES], double seconds);
/* "12 min 3 s, 0.14 USD at 0.7 USD an hour"; without a price the time alone. */
const char *study_spent_text(char out[STUDY_WORDS_BYTES], const struct study *study,
                             double seconds);
/* "-4.12% [-4.50, -3.80]" of any interval of a change. */
const char *study_change_text(char out[STUDY_WORDS_BYTES], const struct change *change,
                              struct interval interval);
/* "97.5%" */
const char *study_confidence_text(char out[STUDY_WORDS_BYTES], double confidence);
/* "1 config", "3 configs" */
const char *study_count_text(char out[STUDY_WORDS_BYTES], size_t count, const char *what);

/* "backends", "optimise: 02-tiles" */
const char *study_step_text(char out[STUDY_WORDS_BYTES], const struct study_step *step);

/* What became of a proposal: "kept", "not kept: …", "failed: …", "not tried: …". */
enum { STUDY_FATE_BYTES = STUDY_TEXT_BYTES + 64 };
const char *study_fate_text(char out[STUDY_FATE_BYTES], const struct study_files *files,
                            const struct study_step *step);

/* What p95 and p99 are of: "each the mean of as many launches as take 1 ms together". */
const char *study_sample_text(char out[STUDY_WORDS_BYTES], const struct samples *samples);

#endif
