/* SPDX-License-Identifier: Apache-2.0 */
/* What `ratchet sweep` prints: a row for each arm of each config, then the geometric means. */
#ifndef RATCHET_CLI_SWEEP_TABLE_H
#define RATCHET_CLI_SWEEP_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "model.h"

/* `first` is the name of the arm that the samples have as head. */
MUST_CHECK int sweep_table(const struct samples *samples, const struct comparison *comparison,
                           const struct rule *rule, const char *first, struct buf *out,
                           struct err *err);

#endif
