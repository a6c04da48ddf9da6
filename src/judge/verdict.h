/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts as text: the JSON of `compare --json` (schema ratchet.verdict/1), its reader
 * for files written earlier, the table for a terminal, and verdicts that needed no
 * samples. */
#ifndef RATCHET_JUDGE_VERDICT_H
#define RATCHET_JUDGE_VERDICT_H

#include "base/buf.h"
#include "base/err.h"
#include "model.h"

#define VERDICT_SCHEMA "ratchet.verdict/1"

MUST_CHECK int verdict_format_json(const struct comparison *comparison, struct buf *out,
                                   struct err *err);
MUST_CHECK int verdict_parse_json(const char *bytes, size_t len, const char *name,
                                  struct comparison *out, struct err *err);
void verdict_format_table(const struct comparison *comparison, struct buf *out);

/* A comparison with no configs and one verdict for the whole: "kernel not touched"
 * (held), a build that failed (unmeasured), a merge conflict. */
void verdict_whole(struct comparison *out, const struct device *device, enum verdict verdict,
                   enum fault fault, enum clause clause, const char *reason);

/* Sets verdict, clause, reason and fault of the whole from its configs: the worst counts, by
 * config_verdict_before(). With no configs but retired ones it is unmeasured. */
void verdict_roll_up(struct comparison *comparison);

#endif
