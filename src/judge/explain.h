/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log: every number a verdict was made from, in the order it was used, down
 * to the clause of the rule that decided. Text for people, from what judge/compare kept;
 * nothing is computed here a second time. */
#ifndef RATCHET_JUDGE_EXPLAIN_H
#define RATCHET_JUDGE_EXPLAIN_H

#include "base/buf.h"
#include "judge/compare.h"
#include "model.h"

/* Samples, rule, comparison and log of one call of compare_logged(). A text longer than the
 * buffer may hold sets out->failed. */
void explain_text(const struct samples *samples, const struct rule *rule,
                  const struct comparison *comparison, const struct compare_log *log,
                  struct buf *out);

#endif
