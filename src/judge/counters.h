/* SPDX-License-Identifier: Apache-2.0 */
/* How what a profiler counted of a config that moved differs, in words and numbers. It says what
 * differs, never that this is the cause, and changes no verdict. */
#ifndef RATCHET_JUDGE_COUNTERS_H
#define RATCHET_JUDGE_COUNTERS_H

#include "base/buf.h"
#include "base/json.h"
#include "model.h"

/* A metric moved where the readings differ by 5% of the larger one, and by more than what is little in
 * its unit (counters.c). `who` is the other side, "the anchor". Where nothing moved, there is a line as
 * well; where nothing is known of both, there is none. */
void counters_compare(const struct metric_readings *head,
                      const struct metric_readings *against, const char *who,
                      struct metric_change *out);

/* Member `metrics` of a config in verdict.json: `,\n"metrics": {…}`, nothing where nobody looked.
 * A metric that is not in our table is passed over. */
void counters_put(struct buf *out, const struct metric_change *change);
MUST_CHECK int counters_get(const json_t *config, const struct json_at *at,
                            struct metric_change *out, struct err *err);

#endif
