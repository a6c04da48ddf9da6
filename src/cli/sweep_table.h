/* SPDX-License-Identifier: Apache-2.0 */
/* What `ratchet sweep` prints: a row for each arm of each config, then the geometric means, who is the
 * fastest where that can be told, ceilings, and why some are not there. Figures are of `result`, or the judge's own. */
#ifndef RATCHET_CLI_SWEEP_TABLE_H
#define RATCHET_CLI_SWEEP_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "lab/sweep_result.h"
#include "model.h"

MUST_CHECK int sweep_table(const struct samples *samples, const struct comparison *comparison,
                           const struct rule *rule, const struct sweep_result *result,
                           struct buf *out, struct err *err);

#endif
