/* SPDX-License-Identifier: Apache-2.0 */
/* How the machine code of a config that moved differs: what was counted, in words and numbers. It
 * says what differs, never that this is the cause, and changes no verdict. */
#ifndef RATCHET_JUDGE_WHY_H
#define RATCHET_JUDGE_WHY_H

#include "base/buf.h"
#include "base/json.h"
#include "model.h"

/* Pairs kernels by their names, the last one left of each side too, and says how those that differ
 * do: `who` is the other side, "the anchor". Two listings that are alike have a line as well. */
void why_compare(const struct code_listing *head, const struct code_listing *against,
                 const char *who, struct code_change *out);

/* Member `why` of a config in verdict.json: `,\n"why": {…}`, nothing where nobody looked. */
void why_put(struct buf *out, const struct code_change *change);
MUST_CHECK int why_get(const json_t *config, const struct json_at *at, struct code_change *out,
                       struct err *err);

#endif
