/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the rule share: compare.c decides, describe.c computes and shows,
 * gaps.c judges again where replicates are missing, doubt.c says what `unclear = pass` may
 * pass. For nobody else. */
#ifndef RATCHET_JUDGE_COMPARE_INTERNAL_H
#define RATCHET_JUDGE_COMPARE_INTERNAL_H

#include "judge/compare.h"

/* One config on its way to a verdict. */
struct judged {
    const struct rule *rule;
    const struct levels *levels;
    const struct config_samples *samples;
    struct medians *medians;                     /* of the samples; taken over when needed */
    const struct baseline *baseline;             /* NULL: none */
    const struct baseline_config *stored_config; /* NULL: none that can be compared */
    bool other_device;                           /* the baseline is another device's */
    bool other_problem;                          /* … or its config is another problem */
    const char *device;
    struct config_log log; /* the numbers, owned */
    struct config_verdict *out;
    bool passes; /* `unclear = pass` passes it */
};

/* ---- compare.c ---- */

/* Appends to the reason. */
__attribute__((format(printf, 2, 3))) void add_reason(struct config_verdict *out,
                                                      const char *format, ...);

/* The one place where a verdict is given: by which clause of the rule, and whose fault. */
void decide(struct judged *judged, enum clause clause, enum verdict verdict, enum fault fault);

/* The line that decides. */
const struct estimate *line_of(const struct judged *judged, enum against against);

/* ---- describe.c ---- */

/* The clock's tick, ns. */
double tick_of(const struct config_samples *samples);

/* Every line there is: head against anchor, base and stored, control against anchor. */
MUST_CHECK int draw_lines(struct judged *judged, struct err *err);

/* What there is to see, whatever the verdict. */
MUST_CHECK int describe(struct judged *judged, enum against against, struct err *err);

/* The interval that decides, put where it is reported. */
struct change with_decision(const struct estimate *estimate, double threshold);

/* ---- gaps.c ---- */

/* How many replicates the host did not mark, and in how many of them an arm is missing. */
void count_gaps(const struct config_samples *samples, struct config_verdict *out);

/* "head is missing in 10 of 16 replicates", between `before` and `after`; nothing where
 * nothing is missing. */
void add_gaps(struct config_verdict *out, const char *before, const char *after);

/* What is missing never helps: the verdict that stands has to stay one when each ratio that
 * is missing is the worst that was seen. */
MUST_CHECK int judge_gaps(struct judged *judged, enum against against, struct err *err);

/* ---- doubt.c ---- */

/* Head scatters more than three times as far along this line as the machine alone does. */
bool head_scatters(const struct judged *judged, enum against against,
                   const struct estimate *line);

/* The verdict is unclear, and is no more than a doubt. Says why not where the rule asks. */
bool doubt_passes(struct judged *judged, enum against against);

#endif
