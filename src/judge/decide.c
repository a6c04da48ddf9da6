/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the rule: which comparison decides, on which side of the lines it lies, and the words for
 * it. */
#include "judge/compare_internal.h"
#include "judge/text.h"

#include <stdio.h>

static const char *const against_words[] = {"nothing", "the anchor", "base",
                                            "the stored samples"};

static bool is_no_help(const struct judged *judged)
{
    return judged->other_device || judged->other_problem || judged->other_protocol;
}

/* Where a baseline was given and is no help, why. */
static const char *baseline_note(const struct judged *judged, char *out, size_t size)
{
    if (judged->other_device)
        snprintf(out, size, "the baseline is of device `%s`, the samples are of `%s`",
                 judged->baseline->device.slug, judged->device);
    else if (judged->other_problem)
        snprintf(out, size, "the baseline's `%s` is another problem",
                 judged->samples->config.name);
    else
        snprintf(out, size, "those of the baseline were measured by another protocol than %s",
                 judged->protocol);
    return out;
}

/* What head is compared with, or NONE: then there is a verdict, which says why. */
static enum against chosen(struct judged *judged)
{
    const struct config_samples *samples = judged->samples;
    struct config_verdict *out = judged->out;
    char note[256];
    if (!samples->anchor_failed && judged->log->anchor.replicates > 0)
        return AGAINST_ANCHOR;
    if (judged->stored_config != NULL)
        return AGAINST_STORED;
    if (samples->anchor_failed) {
        set_verdict(judged, CLAUSE_NOTHING_AGAINST, VERDICT_UNMEASURED, FAULT_BASE);
        add_reason(out, "the anchor cannot run (%.200s) and %s", samples->anchor_failure,
                   is_no_help(judged) ? baseline_note(judged, note, sizeof note)
                                      : "there are no stored samples");
        return AGAINST_NONE;
    }
    if (judged->log->base.replicates > 0)
        return AGAINST_BASE;
    set_verdict(judged, CLAUSE_NOTHING_AGAINST, VERDICT_UNMEASURED,
                judged->other_device ? FAULT_HOST : FAULT_BASE);
    if (is_no_help(judged))
        add_reason(out, "nothing to compare against: %s",
                   baseline_note(judged, note, sizeof note));
    else
        add_reason(out, "nothing to compare against: no anchor, no base, no baseline");
    return AGAINST_NONE;
}

void choose(struct judged *judged)
{
    judged->out->against = chosen(judged);
}

/* The change is wholly above the line: is it this change's doing? */
static void decide_slower(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    bool more = budget_left(judged);
    const struct estimate *own = &judged->log->base;
    double floor = judged->rule->own_floor;
    char text[TEXT_CHANGE_BYTES];
    if (out->against == AGAINST_BASE || own->replicates == 0 ||
        (own->change.known && own->family.low > floor)) {
        set_verdict(judged, CLAUSE_BEYOND, VERDICT_REGRESSED, FAULT_NONE);
        if (out->against != AGAINST_BASE && own->replicates != 0)
            add_reason(out, ", and %s against base",
                       text_change(text, own->change.change, own->family));
        return;
    }
    if (!own->change.known) {
        set_verdict(judged, CLAUSE_OWN_UNCLEAR, VERDICT_UNCLEAR, FAULT_NONE);
        out->wants_more = more;
        add_reason(out, ", but one replicate with base does not say whether base is, too");
        return;
    }
    text_change(text, own->change.change, own->family);
    if (more && own->change.change > floor) { /* more replicates may show that it adds */
        set_verdict(judged, CLAUSE_OWN_UNCLEAR, VERDICT_UNCLEAR, FAULT_NONE);
        out->wants_more = true;
        add_reason(out, ", but %s against base is not wholly above %+g%%", text, 100 * floor);
        return;
    }
    if (own->change.change > floor && head_scatters(judged, own)) { /* head's own doing */
        set_verdict(judged, CLAUSE_OWN_UNCLEAR, VERDICT_UNCLEAR, FAULT_NONE);
        add_reason(out,
                   ", but %s against base is not wholly above %+g%%: head scatters more "
                   "than three times as far as the machine does",
                   text, 100 * floor);
        return;
    }
    set_verdict(judged, CLAUSE_LOST_ON_MAIN, VERDICT_HELD, FAULT_NONE);
    add_reason(out, "; already lost: %s against base is not wholly above %+g%%", text,
               100 * floor);
}

void decide(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    const struct estimate *estimate = deciding(judged);
    double line = judged->rule->threshold;
    double percent = 100 * line;
    struct interval looks = estimate->change.ci_decision;
    char text[TEXT_CHANGE_BYTES];
    add_reason(out, "%s against %s",
               text_change(text, out->change.change, out->change.ci_decision),
               against_words[out->against]);
    if (estimate->family.low > line) {
        add_reason(out, " is wholly above %+g%%", percent);
        decide_slower(judged);
    } else if (estimate->family.high < -line) {
        set_verdict(judged, CLAUSE_BEYOND, VERDICT_IMPROVED, FAULT_NONE);
        add_reason(out, " is wholly below %+g%%", -percent);
    } else if (looks.low > -line && looks.high < line) {
        set_verdict(judged, CLAUSE_WITHIN, VERDICT_HELD, FAULT_NONE);
        add_reason(out, " is wholly inside ±%g%%", percent);
    } else {
        set_verdict(judged, CLAUSE_STRADDLES, VERDICT_UNCLEAR, FAULT_NONE);
        out->wants_more = budget_left(judged);
        struct interval decided = out->change.ci_decision;
        bool both = decided.low <= -line && decided.high >= line;
        if (both)
            add_reason(out, " straddles both lines, ±%g%%", percent);
        else
            add_reason(out, " straddles %+g%%", decided.high >= line ? percent : -percent);
        if (!out->wants_more)
            add_reason(out, "; the budget of replicates is used up%s",
                       judged->samples->earlier_count + 1 < RUNS_MAX
                           ? ""
                           : ": three attempts of this code were measured");
    }
}

void add_notes(struct judged *judged)
{
    const struct config_samples *samples = judged->samples;
    struct config_verdict *out = judged->out;
    bool against_base = out->against == AGAINST_BASE && out->change.known;
    char note[256];
    if (samples->fault != FAULT_NONE || out->clause == CLAUSE_NO_SAMPLES ||
        out->clause == CLAUSE_NOTHING_AGAINST) /* which says so itself */
        return;
    if (samples->anchor_failed && out->clause != CLAUSE_ANCHOR_UNBUILT)
        add_reason(out, "; the anchor cannot run: %.200s", samples->anchor_failure);
    if (is_no_help(judged))
        add_reason(out, "; %s%s", against_base ? "" : "stored samples not compared: ",
                   baseline_note(judged, note, sizeof note));
    else if (against_base && judged->stored_config == NULL)
        add_reason(out, "; no baseline for this config yet");
    if (judged->stored_config != NULL && !problem_known(&samples->config.problem))
        add_reason(out, "; no `problem` in the file: matched by name");
}
