/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep says: each arm's time over that of the first arm, ARM_HEAD, with the judge's
 * interval over fresh processes. Measures nothing and prints nothing. */
#ifndef RATCHET_LAB_SWEEP_H
#define RATCHET_LAB_SWEEP_H

#include "base/err.h"
#include "model.h"

#include <stddef.h>

/* Two arms, and how many such comparisons are made in all. */
struct sweep_pair {
    enum arm arm, other;
    size_t comparisons;
};
/* `change` is arm ÷ other − 1 over the unmarked replicates of one config that have both; not known
 * where there are fewer than two. `ci` is the plain interval, `ci_decision` the one corrected for the
 * comparisons (Bonferroni). `pairs`: how many replicates; may be NULL. Of the rule: resamples, seed,
 * confidence. */
MUST_CHECK int sweep_compare(const struct config_samples *config,
                             const struct sweep_pair *pair, const struct rule *rule,
                             struct change *change, size_t *pairs, struct err *err);

/* `change` is arm ÷ head − 1 over the unmarked replicates of one config; not known where fewer
 * than two have both. Of the rule: resamples, seed, confidence. */
MUST_CHECK int sweep_ratio(const struct config_samples *config, enum arm arm,
                           const struct rule *rule, struct change *change, struct err *err);
/* The same, of marked processes as well where too few are without a mark: to choose what is measured once more, and for
 * no claim. */
MUST_CHECK int sweep_first_look(const struct config_samples *config, enum arm arm,
                                const struct rule *rule, struct change *change,
                                struct err *err);

/* The geometric mean of these ratios over all configs that have one. Configs were measured in
 * the same processes: what a process did to all of them at once must not count as often as
 * there are configs. So the ratios of one process are averaged first: the n-th replicate of each
 * config is of the n-th process, and one that a config lacks, or that was marked, is left out of
 * all. Where that leaves fewer than the rule's min_replicates, though each config has more, it is the mean
 * of the configs' own changes, its interval that of theirs, corrected for their number. Not known where no
 * config has a ratio. */
MUST_CHECK int sweep_mean(const struct samples *samples, enum arm arm, const struct rule *rule,
                          struct change *change, size_t *configs, struct err *err);

#endif
