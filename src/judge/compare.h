/* SPDX-License-Identifier: Apache-2.0 */
/* The rule: samples and baseline in, comparison out. Pure: same bytes in, same bits out, on
 * every machine. The steps on the way: judge/compare_internal.h. */
#ifndef RATCHET_JUDGE_COMPARE_H
#define RATCHET_JUDGE_COMPARE_H

#include "base/err.h"
#include "judge/change.h"
#include "model.h"

/* Wall time for each second that an arm claims, over its replicates (judge/claims.c). */
struct claim {
    double slope, error;
    unsigned long long freedom; /* of the error; 0: not known */
};

/* Of what passes while one arm claims a second, how much passes while another does, as an interval. */
struct claim_pair {
    enum arm arm, other;
    double ratio, reach;
    bool disagrees;
};
enum { CLAIM_PAIRS = 12 };

/* What head is compared with, beside head and in processes without it (judge/beside.c). */
struct beside_log {
    bool wanted; /* there was a reason to look */
    enum arm arm;
    size_t beside, without; /* processes of either kind */
    bool known;             /* enough for the rest */
    double more, error;     /* of logarithms: beside less without */
    double surely, likely; /* the least that it is, by an honest check in 10 000, and by 95% */
};

/* The numbers that the verdict of one config was made from, as they were used. */
struct config_log {
    double tick_ns, stored_tick_ns;
    struct medians medians; /* no rows where nothing had to be computed */
    double *stored_medians; /* owned */
    size_t stored_count;
    struct estimate anchor, base, control, stored; /* control against anchor; the rest
                                                    * are head against … */
    double main_scatter; /* of ln control/anchor, else of ln base/anchor; 0: not known */
    /* Where so many replicates lack an arm that it was judged again: how many ratios of the
     * estimate that decides, of head against base and of control are missing, and the first
     * two with each at the worst that was seen. */
    bool gaps;
    struct missing gap, own_gap, control_gap[2]; /* of control: the slowest, the fastest */
    struct estimate filled, own_filled;
    /* What arms claim against the host's clock, and each other. */
    struct claim claims[ARM_OTHER];
    struct claim_pair pairs[CLAIM_PAIRS]; /* those that could be held against each other */
    size_t pair_count;
    struct claim_pair unseen; /* what head could hide: ratio + reach − 1; ratio 0: not asked;
                               * other ARM_OTHER: against the clock itself */
    struct beside_log beside;
};

/* Where the judge draws these lines. */
#define CLAIM_TOLERANCE 0.03
#define CLAIM_UNSEEN 0.25
#define BESIDE_TOLERANCE 0.10
#define BESIDE_DOUBT 0.05

struct compare_log {
    struct config_log *configs; /* owned, in the order of the samples; the comparison may have
                                 * more rows: configs that are in the baseline alone */
    size_t count;
    /* Of each run, by what there was when it ended: a config of an earlier run, which is settled,
     * is judged as it was then. */
    struct levels levels[RUNS_MAX];
    size_t family[RUNS_MAX]; /* so many configs could be called regressed or improved */
    unsigned runs;
};
void compare_log_free(struct compare_log *log);

/* `baseline` may be NULL. It is called again after each further look (6, 8, … replicates)
 * with all replicates so far; the decision intervals are always corrected for all of
 * rule->look_count looks and of all re-runs that could come, also for a file that is judged once,
 * so that which look it was makes no difference (judge/levels.h). A config with earlier runs is
 * judged by all of their replicates, at the level of its last. A config of another device's baseline is not compared. Every
 * config of `samples` gets a verdict, in their order, and after them every one that the
 * baseline of this device has and the samples lack: unmeasured, or `retired`. No config at all
 * is unmeasured, not an error; more than MODEL_CONFIGS_MAX in all is ERR_INPUT.
 *
 * Gaps: an arm that a config has (it is declared, or was seen in any replicate), missing in a
 * replicate without a mark, or there with less than nine tenths of the samples of the fullest arm. Up
 * to one replicate in ten with gaps changes nothing. With more, improved and held stay only if
 * they would be that with each ratio that is missing at the worst seen, the slowest time of one
 * arm against the fastest of the other; not where more than half are missing, and not unless
 * control, judged so, would still read nothing. Regressed stays where main's arms are there.
 * All else is unclear.
 *
 * Below the clock: M is the median of what head is compared with, and half a tick ÷ M is added
 * to either side of every interval. Where M < tick, or where half a tick ÷ M > threshold (no
 * interval fits between the lines) and the interval is not wholly beyond one of them, the
 * config is unmeasured.
 *
 * `unclear = pass`: judge/doubt.c.
 *
 * Bonferroni for the configs counts those that have samples. `ci_decision` of a config is
 * the interval that decided: the one corrected for looks and configs where the one
 * corrected for looks alone lies wholly beyond a line, else the latter. */
MUST_CHECK int compare_samples(const struct samples *samples, const struct baseline *baseline,
                               const struct rule *rule, struct comparison *out,
                               struct err *err);

/* The same, and keeps the numbers: whoever wants them readable keeps the log of the comparison
 * that counts, for judge/explain, and compares no second time. `log` may be NULL. It owns what
 * is in it and points to nothing else; what was there before is not freed. The caller frees
 * it. */
MUST_CHECK int compare_logged(const struct samples *samples, const struct baseline *baseline,
                              const struct rule *rule, struct comparison *out,
                              struct compare_log *log, struct err *err);

/* So few of `rounds` unmarked replicates lack something that the verdict stands as it is. */
bool gaps_borne(size_t missing, size_t rounds);

#endif
