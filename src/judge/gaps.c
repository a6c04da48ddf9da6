/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what becomes of a verdict when arms are missing in replicates that the host did not
 * mark. Who is missing may be missing because it was slow, so nobody gains by it. */
#include "judge/compare_internal.h"

#include "judge/num.h"
#include "judge/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of the unmarked replicates one in ten may have gaps and the verdict stands as it is: six
 * replicates and sixty are treated alike. Where more than half have, what is left is a
 * selection, and no worst case is bad enough. */
enum { BORNE_ONE_IN = 10, SELECTION_ONE_IN = 2 };

/* ---- counting ---- */

/* Is the arm one of the config's: somebody says so, or it was seen? An anchor that cannot
 * run is none, and its control neither: stored samples take their place. */
static bool has_arm(const struct config_samples *samples, enum arm arm)
{
    if (samples->anchor_failed && (arm == ARM_ANCHOR || arm == ARM_CONTROL))
        return false;
    if (arm == ARM_HEAD || samples->arms[arm].present)
        return true;
    for (size_t i = 0; i < samples->count; i++)
        if (samples->replicates[i].arms[arm].count != 0)
            return true;
    return false;
}

/* An arm with less than nine tenths of the samples that the fullest has is as good as missing: every
 * turn times all of them, and which samples were dropped is a selection, too. */
static bool is_there(const struct replicate *replicate, int arm)
{
    size_t most = 0;
    for (int other = 0; other < ARM_OTHER; other++)
        if (replicate->arms[other].count > most)
            most = replicate->arms[other].count;
    return replicate->arms[arm].count != 0 && 10 * replicate->arms[arm].count >= 9 * most;
}

/* Unmarked replicates that lack one of the arms of `of`, a set of bits; an arm that the
 * config does not have is not missed. */
static size_t lacking(const struct config_samples *samples, unsigned of)
{
    size_t count = 0;
    for (int arm = 0; arm < ARM_OTHER; arm++)
        if (!has_arm(samples, (enum arm)arm))
            of &= ~(1u << arm);
    for (size_t i = 0; i < samples->count; i++) {
        const struct replicate *replicate = &samples->replicates[i];
        bool gap = false;
        for (int arm = 0; arm < ARM_OTHER; arm++)
            gap = gap || ((of & 1u << arm) != 0 && !is_there(replicate, arm));
        count += gap && replicate->marks == 0;
    }
    return count;
}

static unsigned both(enum arm a, enum arm b)
{
    return 1u << a | 1u << b;
}

static const unsigned every_arm = (1u << ARM_OTHER) - 1;

void count_gaps(const struct config_samples *samples, struct config_verdict *out)
{
    out->rounds = config_samples_unmarked(samples);
    for (int arm = 0; arm < ARM_OTHER; arm++)
        out->missing[arm] = lacking(samples, 1u << arm);
}

bool gaps_borne(size_t missing, size_t rounds)
{
    return BORNE_ONE_IN * missing <= rounds;
}

static bool is_selection(size_t missing, size_t rounds)
{
    return SELECTION_ONE_IN * missing > rounds;
}

void add_gaps(struct config_verdict *out, const char *before, const char *after)
{
    char missing[TEXT_MISSING_BYTES];
    if (text_missing(missing, out)[0] != '\0')
        add_reason(out, "%s%s%s", before, missing, after);
}

/* ---- the worst that was seen ---- */

/* The slowest time of one arm against the fastest of the other, whichever replicates they are
 * of: how fast the machine was in one where an arm is missing is not known. */
static double widest(const struct medians *medians, enum arm slow, enum arm fast)
{
    return medians->fastest[fast] > 0 && medians->slowest[slow] > 0
               ? num_log(medians->slowest[slow]) - num_log(medians->fastest[fast])
               : 0;
}

/* Head against `other`, with what is missing at its worst. */
static int fill_pair(const struct judged *judged, enum arm other, struct missing *missing,
                     struct estimate *out, struct err *err)
{
    const struct config_log *log = judged->log;
    *missing = (struct missing){lacking(judged->samples, both(ARM_HEAD, other)),
                                widest(&log->medians, ARM_HEAD, other)};
    const struct pair pair = {.arm = ARM_HEAD,
                              .other = other,
                              .tick_ns = log->tick_ns,
                              .scatter = log->control.scatter,
                              .shrink = true,
                              .missing = missing};
    return change_paired(&log->medians, &pair, judged->levels, out, err);
}

/* The estimate that decides, the change's own, and control. */
static int fill_estimates(struct judged *judged, struct err *err)
{
    struct config_log *log = judged->log;
    const struct medians *medians = &log->medians;
    enum against against = judged->out->against;
    size_t control = lacking(judged->samples, both(ARM_CONTROL, ARM_ANCHOR));
    log->control_gap[0] = (struct missing){control, widest(medians, ARM_CONTROL, ARM_ANCHOR)};
    log->control_gap[1] = (struct missing){control, -widest(medians, ARM_ANCHOR, ARM_CONTROL)};
    if (log->base.replicates > 0 &&
        fill_pair(judged, ARM_BASE, &log->own_gap, &log->own_filled, err) != 0)
        return -1;
    if (against != AGAINST_STORED)
        return fill_pair(judged, against == AGAINST_BASE ? ARM_BASE : ARM_ANCHOR, &log->gap,
                         &log->filled, err);
    log->gap = (struct missing){judged->out->missing[ARM_HEAD],
                                num_log(medians->slowest[ARM_HEAD])};
    return estimate_stored(judged, &log->gap, &log->filled, err);
}

/* ---- judging again ---- */

/* A control that was there often enough, and would read nothing. */
static bool control_survives(const struct judged *judged)
{
    const struct config_log *log = judged->log;
    size_t missing = log->control_gap[0].count;
    double floor = judged->rule->control_floor;
    if (gaps_borne(missing, judged->out->rounds))
        return true;
    return log->control.change.known && !is_selection(missing, judged->out->rounds) &&
           change_mean(&log->control, &log->control_gap[0]) <= floor &&
           change_mean(&log->control, &log->control_gap[1]) >= -floor;
}

/* Base loses as much as head even then: what is not wholly above own-floor only because the
 * worst scatters far does not count. */
static bool lost_survives(const struct judged *judged)
{
    const struct config_log *log = judged->log;
    return log->own_filled.change.known &&
           !is_selection(log->own_gap.count, judged->out->rounds) &&
           log->own_filled.change.change <= judged->rule->own_floor;
}

static bool survives(const struct judged *judged)
{
    const struct config_verdict *out = judged->out;
    const struct estimate *filled = &judged->log->filled;
    double line = judged->rule->threshold;
    if (out->verdict == VERDICT_REGRESSED) { /* head gains nothing, main's arms are there */
        for (int arm = ARM_HEAD + 1; arm < ARM_OTHER; arm++)
            if (!gaps_borne(out->missing[arm], out->rounds))
                return false;
        return true;
    }
    if (out->verdict == VERDICT_UNCLEAR || is_selection(judged->log->gap.count, out->rounds) ||
        !filled->change.known || !control_survives(judged))
        return false;
    if (out->clause == CLAUSE_LOST_ON_MAIN)
        return lost_survives(judged);
    if (out->verdict == VERDICT_IMPROVED)
        return filled->family.high < -line;
    return filled->change.ci_decision.low > -line && filled->change.ci_decision.high < line;
}

int judge_gaps(struct judged *judged, struct err *err)
{
    struct config_verdict *out = judged->out;
    if (gaps_borne(lacking(judged->samples, every_arm), out->rounds))
        return 0;
    judged->log->gaps = true;
    if (fill_estimates(judged, err) != 0)
        return -1;
    if (survives(judged)) {
        add_gaps(out, "; ", ", which could not change that");
        return 0;
    }
    add_gaps(out, out->verdict == VERDICT_UNCLEAR ? "; " : "; but ",
             out->verdict == VERDICT_UNCLEAR ? "" : ", which could change that");
    set_verdict(judged, CLAUSE_GAPS, VERDICT_UNCLEAR, FAULT_NONE);
    out->wants_more = budget_left(judged);
    return 0;
}
