/* SPDX-License-Identifier: Apache-2.0 */
/* One config on its way to a verdict. compare.c takes it through these steps, in this order,
 * each a file. Nothing is handed back: what a step finds stands in the log or in the verdict.
 *
 *     medians.h     samples to medians; what all configs have in common is learnt from these
 *     gaps.c        which replicates lack an arm
 *     measured.c    a verdict that needs no estimate
 *     claims.c      a verdict because an arm's times do not agree with the host's clock
 *     estimates.c   medians to estimates, by change.h
 *     decide.c      choose: what head is compared with
 *     describe.c    what is shown of it, whatever the verdict
 *     measured.c    a verdict because the estimate cannot be used
 *     decide.c      decide: the rule
 *     gaps.c        would the verdict stand if what is missing were the worst?
 *     beside.c      is what head is compared with slowed by head?
 *     doubt.c       may it pass where `unclear = pass`?
 *     decide.c      add_notes
 *
 * All of them set verdicts through judged.c, and no two files need each other. For nobody
 * else. */
#ifndef RATCHET_JUDGE_COMPARE_INTERNAL_H
#define RATCHET_JUDGE_COMPARE_INTERNAL_H

#include "judge/compare.h"

struct judged {
    const struct rule *rule;
    const struct levels *levels;
    const struct config_samples *samples;
    const struct baseline *baseline;             /* NULL: none */
    const struct baseline_config *stored_config; /* NULL: none that can be compared */
    bool other_device;                           /* the baseline is another device's */
    bool other_problem;                          /* … or its config is another problem */
    bool other_protocol;                         /* … or was measured otherwise: wire.h */
    const char *protocol;
    const char *device;
    struct config_log *log; /* its medians are there from the start */
    struct config_verdict *out;
    bool passes; /* `unclear = pass` passes it */
};

/* ---- judged.c ---- */

/* Appends to the reason. */
__attribute__((format(printf, 2, 3))) void add_reason(struct config_verdict *out,
                                                      const char *format, ...);

/* The one place where a verdict is given: by which clause of the rule, and whose fault. */
void set_verdict(struct judged *judged, enum clause clause, enum verdict verdict,
                 enum fault fault);

/* The estimate that decides; there is one unless out->against is NONE. */
const struct estimate *deciding(const struct judged *judged);

/* More replicates may be taken in this run. The budget is the last look. */
bool budget_left(const struct judged *judged);

/* ---- measured.c ---- */

/* A verdict that needs no arithmetic; true when one was given. */
bool judge_unmeasured(struct judged *judged);

/* A verdict because too few replicates are left, the clock is too coarse, control is biased
 * or the anchor cannot be built; true when one was given. */
bool judge_unusable(struct judged *judged);

/* ---- claims.c ---- */

/* A verdict because the times that an arm claims do not agree with the host's clock; true when one
 * was given. */
bool judge_claims(struct judged *judged);
/* A green verdict becomes unclear where the host's clock is known too badly to believe in head's. */
void judge_unseen(struct judged *judged);

/* ---- beside.c ---- */

/* A green verdict becomes another where what head is compared with is slowed by it. */
MUST_CHECK int judge_beside(struct judged *judged, struct err *err);

/* ---- estimates.c ---- */

/* The clock's tick, ns. */
double tick_of(const struct config_samples *samples);

/* Head against anchor, base and stored samples, control against anchor. */
MUST_CHECK int estimate_all(struct judged *judged, struct err *err);

/* Head against the stored samples; `missing`: of head, NULL for none. */
MUST_CHECK int estimate_stored(const struct judged *judged, const struct missing *missing,
                               struct estimate *out, struct err *err);

/* ---- decide.c ---- */

/* Sets out->against. Where that is NONE there is a verdict. */
void choose(struct judged *judged);

/* On which side of the lines the estimate that decides lies. */
void decide(struct judged *judged);

/* What a reader must know besides, whatever the verdict: an anchor that cannot run, and what of the
 * baseline counts for nothing, or by its name alone. */
void add_notes(struct judged *judged);

/* ---- describe.c ---- */

MUST_CHECK int describe(struct judged *judged, struct err *err);

/* ---- gaps.c ---- */

/* How many replicates the host did not mark, and in how many of them an arm is missing. */
void count_gaps(const struct config_samples *samples, struct config_verdict *out);

/* "head is missing in 10 of 16 replicates", between `before` and `after`; nothing where
 * nothing is missing. */
void add_gaps(struct config_verdict *out, const char *before, const char *after);

/* What is missing never helps: the verdict that stands has to stay one when each ratio that
 * is missing is the worst that was seen. */
MUST_CHECK int judge_gaps(struct judged *judged, struct err *err);

/* ---- doubt.c ---- */

/* Head scatters more than three times as far in this estimate as the machine alone does. */
bool head_scatters(const struct judged *judged, const struct estimate *estimate);

/* The verdict is unclear, and is no more than a doubt. Says why not where the rule asks. */
bool doubt_passes(struct judged *judged);

#endif
