/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whether a config was measured well enough to be judged. */
#include "judge/compare_internal.h"
#include "judge/detectable.h"
#include "judge/text.h"

#include <stdio.h>

/* Marks left too few. Those that came with head alone at work, and hardly ever with main's own
 * code, are head's doing: it disturbs the machine that it is measured on, and another run of the
 * same code shows the same. */
static void decide_marked(struct judged *judged, const char *which)
{
    enum { LEAST = 4, TIMES = 3 };
    struct config_verdict *out = judged->out;
    size_t rounds[ARM_COUNT] = {0};
    size_t others = 0;
    for (size_t i = 0; i < judged->samples->count; i++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            rounds[arm] += judged->samples->replicates[i].provoked[arm] != 0;
    for (int arm = ARM_HEAD + 1; arm < ARM_COUNT; arm++)
        others = rounds[arm] > others ? rounds[arm] : others;
    bool heads = rounds[ARM_HEAD] >= LEAST && 2 * rounds[ARM_HEAD] > out->marked &&
                 rounds[ARM_HEAD] >= TIMES * others;
    char marks[TEXT_MARKS_BYTES];
    set_verdict(judged, CLAUSE_MARKED, VERDICT_UNCLEAR, heads ? FAULT_PR : FAULT_HOST);
    add_reason(out, "%s marked (%s)", which, text_marks(marks, out->marks));
    if (heads)
        add_reason(out, ", with head at work in %zu, and no other arm in more than %zu",
                   rounds[ARM_HEAD], others);
}

/* A file from before clauses, or of somebody else's, names none. */
static enum clause clause_of_failure(const struct config_samples *samples)
{
    if (samples->clause != CLAUSE_NONE)
        return samples->clause;
    return samples->fault == FAULT_HOST ? CLAUSE_HOST_FAILED
           : samples->fault == FAULT_US ? CLAUSE_INTERNAL
                                        : CLAUSE_NO_SAMPLES;
}

/* The time budget was spent before there was enough to judge: what that leaves open. */
static void decide_budget(struct judged *judged, size_t count, size_t least)
{
    struct config_verdict *out = judged->out;
    double line = 100 * judged->rule->threshold;
    set_verdict(judged, CLAUSE_BUDGET, VERDICT_UNCLEAR, FAULT_NONE);
    add_reason(out, "the time budget was spent after %zu of at least %zu replicates", count,
               least);
    char marks[TEXT_MARKS_BYTES];
    if (out->marked > 0)
        add_reason(out, " (%zu more marked: %s)", out->marked, text_marks(marks, out->marks));
    add_reason(out, ": whether it changed by more than ±%g%% is not resolved", line);
    double seen = count == 0 ? 0 : detectable_of(deciding(judged));
    if (seen > 0)
        add_reason(out, "; these would tell a change of %.3g%% and more from none",
                   100 * seen);
}

bool judge_unmeasured(struct judged *judged)
{
    const struct config_samples *samples = judged->samples;
    struct config_verdict *out = judged->out;
    size_t with_head = 0;
    size_t usable = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct replicate *replicate = &samples->replicates[i];
        with_head += replicate->arms[ARM_HEAD].count != 0;
        usable += replicate->arms[ARM_HEAD].count != 0 && replicate->marks == 0;
        out->marked += replicate->marks != 0;
        out->marks |= replicate->marks;
    }
    if (samples->fault != FAULT_NONE) {
        set_verdict(judged, clause_of_failure(samples), VERDICT_UNMEASURED, samples->fault);
        add_reason(out, "%s", samples->failure[0] != '\0' ? samples->failure : "not said why");
        return true;
    }
    if (samples->identical) {
        set_verdict(judged, CLAUSE_IDENTICAL_CODE, VERDICT_HELD, FAULT_NONE);
        out->against = samples->identical_to == ARM_BASE ? AGAINST_BASE : AGAINST_ANCHOR;
        add_reason(out, "identical machine code");
        return true;
    }
    if (usable == 0 && samples->out_of_time) {
        decide_budget(judged, 0, judged->rule->min_replicates);
        return true;
    }
    if (with_head == 0) {
        set_verdict(judged, CLAUSE_NO_SAMPLES, VERDICT_UNMEASURED, FAULT_US);
        add_reason(out, "no samples");
        return true;
    }
    if (usable == 0) {
        decide_marked(judged, out->rounds != 0 ? "every replicate with head was"
                                               : "every replicate was");
        out->wants_more = true;
        add_gaps(out, "; ", "");
        return true;
    }
    return false;
}

/* False, with the verdict set, when too few replicates are left to judge. */
static bool enough(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    size_t count = out->replicates;
    size_t least = judged->rule->min_replicates;
    if (least < 2)
        least = 2;
    if (out->against == AGAINST_STORED && judged->stored_config->count < least) {
        set_verdict(judged, CLAUSE_FEW_REPLICATES, VERDICT_UNMEASURED, FAULT_BASE);
        add_reason(out, "the baseline has %zu of at least %zu replicates",
                   judged->stored_config->count, least);
        return false;
    }
    if (count >= least)
        return true;
    if (judged->samples->out_of_time) {
        decide_budget(judged, count, least);
        return false;
    }
    if (out->marked == 0 || out->rounds >= least) {
        set_verdict(judged, CLAUSE_FEW_REPLICATES, VERDICT_UNMEASURED, FAULT_US);
        add_reason(out, "%zu of at least %zu replicates", count, least);
        add_gaps(out, "; ", "");
    } else {
        char which[96];
        snprintf(which, sizeof which, "%zu of at least %zu replicates; %zu more were", count,
                 least, out->marked);
        decide_marked(judged, which);
    }
    out->wants_more = budget_left(judged);
    return false;
}

/* Where the tick says nothing, nor does the interval: see compare.h. */
static bool clock_sees(struct judged *judged)
{
    const struct estimate *estimate = deciding(judged);
    struct config_verdict *out = judged->out;
    double half_tick = estimate->workings.half_tick;
    double line = judged->rule->threshold;
    if (half_tick <= 0.5 &&
        (half_tick <= line || estimate->family.low > line || estimate->family.high < -line))
        return true;
    double tick = out->against == AGAINST_STORED ? judged->log->stored_tick_ns
                                                 : judged->log->tick_ns;
    set_verdict(judged, CLAUSE_BELOW_CLOCK, VERDICT_UNMEASURED, FAULT_HOST);
    out->own = out->control = out->stored = (struct change){0};
    out->effects_known = false;
    add_reason(out, "shorter than the clock can see: median %g ns, one tick %g ns",
               tick / (2 * half_tick), tick);
    return false;
}

/* The anchor against its own copy must read nothing. */
static bool control_sound(struct judged *judged)
{
    const struct change *control = &judged->log->control.change;
    double floor = judged->rule->control_floor;
    if (!control->known ||
        (control->ci_decision.low <= floor && control->ci_decision.high >= -floor))
        return true;
    char text[TEXT_CHANGE_BYTES];
    set_verdict(judged, CLAUSE_CONTROL_BIASED, VERDICT_UNMEASURED, FAULT_HOST);
    add_reason(judged->out, "control biased: the anchor's own copy reads %s against it",
               text_change(text, control->change, control->ci_decision));
    return false;
}

/* An anchor that no recipe builds here is nobody's pull request: whatever the stored samples
 * say may be the toolchain's doing. */
static void judge_unbuilt(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    char text[TEXT_CHANGE_BYTES];
    set_verdict(judged, CLAUSE_ANCHOR_UNBUILT, VERDICT_UNCLEAR, FAULT_HOST);
    add_reason(out, "%s against the stored samples, but nothing is decided: %.300s",
               text_change(text, out->change.change, out->change.ci_decision),
               judged->samples->anchor_failure);
}

bool judge_unusable(struct judged *judged)
{
    if (!enough(judged) || !clock_sees(judged) || !control_sound(judged))
        return true;
    if (judged->samples->anchor_unbuilt)
        judge_unbuilt(judged);
    return judged->samples->anchor_unbuilt;
}
