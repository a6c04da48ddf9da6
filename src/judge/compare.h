/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of design section 6: samples and baseline in, comparison out. Pure: same bytes
 * in, same bits out, on every machine. */
#ifndef RATCHET_JUDGE_COMPARE_H
#define RATCHET_JUDGE_COMPARE_H

#include "base/err.h"
#include "model.h"

/* `baseline` may be NULL. `look` counts from 0: how many looks came before this one (0 for
 * files judged once: then all rule->look_count looks are still corrected for, as the shipped
 * rule does). A config of another device's baseline is not compared. Every config of
 * `samples` gets a verdict; none is an error. */
MUST_CHECK int compare_samples(const struct samples *samples, const struct baseline *baseline,
                               const struct rule *rule, struct comparison *out,
                               struct err *err);

#endif
