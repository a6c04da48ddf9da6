/* SPDX-License-Identifier: Apache-2.0 */
/* What a study decides by. Of both, `ci` is plain and `ci_decision` corrected (Bonferroni). */
#ifndef RATCHET_LAB_STUDY_MEANS_H
#define RATCHET_LAB_STUDY_MEANS_H

#include "lab/study.h"

/* Is it better than the best kernel before it, which is head in its samples? Corrected for all `proposals`. */
MUST_CHECK int study_judge(const struct samples *samples, const struct rule *rule,
                           size_t proposals, struct study_judged *out, struct err *err);

/* Time of the first kernel ÷ time of the best − 1, geometric mean over *configs configs. Corrected for the looks at which
 * the check could have stopped. */
MUST_CHECK int study_speedup(const struct samples *samples, const struct rule *rule,
                             struct change *out, size_t *configs, struct err *err);

#endif
