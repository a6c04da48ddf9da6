/* SPDX-License-Identifier: Apache-2.0 */
/* baselines/<device>/calibration.json (schema ratchet.calibration/1), both ways: how often
 * the rule errs on a device, found by experiment. Bytes only; the experiment is not here.
 *
 *     schema           "ratchet.calibration/1"
 *     device           slug, and name: what it was recorded on
 *     protocol         how its times were taken (wire.h); missing: the first
 *     recorded         "2026-11-21T01:10:20Z": when the pool of processes was complete
 *     rule             what the checks were judged by
 *       .threshold     0.03 is 3%
 *       .confidence    0.95
 *       .budget        replicates at the last look
 *     processes        how many fresh processes the pool holds. The checks below share them,
 *                      so this, not `checks`, is the number of independent observations
 *     identical        checks of code against itself
 *       .checks        how many were drawn
 *       .wrong         of those: called regressed or improved
 *       .wrong_upper   upper end of the 95% Clopper–Pearson interval of wrong / checks; may
 *                      be larger than these two alone would give, as the checks share
 *                      processes, never below wrong / checks
 *     smallest_change  0.01 is 1%: the smallest true change of those tried whose 95% interval
 *                      excluded 0 in at least 95% of checks, at the config where that was
 *                      worst; null or missing where none of those tried was seen so well
 *
 * Other members are ignored here: tables by config and by true change may follow. */
#ifndef RATCHET_JUDGE_CALIBRATION_H
#define RATCHET_JUDGE_CALIBRATION_H

#include "base/buf.h"
#include "base/err.h"
#include "limit.h"
#include "model.h"

MUST_CHECK int calibration_parse(const char *bytes, size_t len, const char *name,
                                 const struct limits *limits, struct calibration *out,
                                 struct err *err);
/* The members above, and `more`: text of further members that begins with a comma, or "". What
 * calibration_parse() would refuse is refused. */
MUST_CHECK int calibration_format(const struct calibration *calibration, const char *more,
                                  struct buf *out, struct err *err);

#endif
