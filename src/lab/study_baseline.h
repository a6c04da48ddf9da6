/* SPDX-License-Identifier: Apache-2.0 */
/* baseline.json of a study: the best kernel's samples, as a promotion would record them at the study's beginning. Bytes
 * only: the same samples give the same. */
#ifndef RATCHET_LAB_STUDY_BASELINE_H
#define RATCHET_LAB_STUDY_BASELINE_H

#include "lab/study.h"

#define STUDY_BASELINE "baseline.json"

MUST_CHECK int study_baseline_json(const struct study *study, const struct samples *samples,
                                   struct buf *out, struct err *err);

#endif
