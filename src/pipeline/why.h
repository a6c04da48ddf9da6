/* SPDX-License-Identifier: Apache-2.0 */
/* Of configs that moved: how head's machine code differs from that of the arm it was judged
 * against. After the verdict, and never part of it. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_WHY_H
#define RATCHET_PIPELINE_WHY_H

#include "pipeline/arms.h"

/* What a row that moved was judged against; NULL: it did not, or nothing that is built here. */
const struct library *why_against(const struct arms *arms, const struct config_verdict *row,
                                  size_t config);

/* … also of one that did not move. */
const struct library *why_judged_against(const struct arms *arms,
                                         const struct config_verdict *row, size_t config);

/* Fills in `code` of the comparison's rows. What cannot be looked at is a note. */
void why_look(struct measurement *measurement, const struct arms *arms);

#endif
