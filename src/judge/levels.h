/* SPDX-License-Identifier: Apache-2.0 */
/* How α is spent on the looks of a check and of its re-runs.
 *
 * Whoever re-runs a check until it is green throws dice. So re-runs of the same code are further
 * looks at one series of replicates: all looks that could come share one α, whether they are
 * taken or not (Lan and DeMets, Discrete sequential boundaries for clinical trials, Biometrika 70,
 * 1983: α is spent by a plan that is fixed before the first look). Each look has a share of it,
 * and by Bonferroni's inequality the shares may be added up however the looks depend on each
 * other. The first check has most, as hardly any is run again; its looks have equal parts:
 *
 *     run              1     2     3
 *     share of α      80%   10%   10%
 *     α is divided by, with 3 looks a run and one config
 *                     3.75  30    30
 */
#ifndef RATCHET_JUDGE_LEVELS_H
#define RATCHET_JUDGE_LEVELS_H

#include "model.h"

/* What α is divided by at each look of a run, counted from 0; and once more by the number of
 * configs, where the whole family may not be wrong. */
double levels_divisor(const struct rule *rule, unsigned run);

#endif
