/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation found, as calibration.json and as Markdown. Bytes only. */
#ifndef RATCHET_LAB_TABLES_H
#define RATCHET_LAB_TABLES_H

#include "base/buf.h"
#include "base/err.h"
#include "lab/pool.h"
#include "lab/simulate.h"
#include "model.h"

/* judge/calibration.h's members, and these besides:
 *     kernel             commit and code of the binary that all arms were
 *     samples            of each arm in a process
 *     replicate_seconds  of a process with three arms and all configs: computed from the pool's
 *     disjoint           checks of identical code that share no process: checks, wrong, upper
 *     checks[]           by true change: how many were drawn, and the share of each verdict,
 *                        "held": [share, lower, upper] (95% Clopper–Pearson, of the drawing), of
 *                        checks and of configs; replicates a check
 *     configs[]          by config, by true change: what single processes read (mean, sd), and
 *                        by replicate count the share of 95% intervals that hold that mean; in
 *                        how many the last count's leaves zero out */
MUST_CHECK int tables_json(const struct pool *pool, const struct rule *rule,
                           const struct figures *figures, struct buf *out, struct err *err);
void tables_markdown(const struct pool *pool, const struct rule *rule,
                     const struct figures *figures, struct buf *out);

#endif
