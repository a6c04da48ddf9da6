/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the rule: which line decides, on which side it lies, and the words for it. The
 * numbers come from judge/change and judge/stats. */
#include "judge/compare.h"

#include "judge/compare_internal.h"
#include "judge/numbers.h"
#include "judge/text.h"
#include "judge/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_config_log(struct config_log *log)
{
    medians_free(&log->medians);
    free(log->stored_medians);
    estimate_free(&log->anchor);
    estimate_free(&log->base);
    estimate_free(&log->control);
    estimate_free(&log->stored);
    estimate_free(&log->filled);
    estimate_free(&log->own_filled);
    *log = (struct config_log){0};
}

static void free_judged(struct judged *judged)
{
    free_config_log(&judged->log);
}

void compare_log_free(struct compare_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free_config_log(&log->configs[i]);
    free(log->configs);
    *log = (struct compare_log){0};
}

/* ---- words ---- */

void add_reason(struct config_verdict *out, const char *format, ...)
{
    size_t used = strlen(out->reason);
    va_list args;
    va_start(args, format);
    vsnprintf(out->reason + used, sizeof out->reason - used, format, args);
    va_end(args);
}

void decide(struct judged *judged, enum clause clause, enum verdict verdict, enum fault fault)
{
    struct config_verdict *out = judged->out;
    out->clause = clause;
    out->verdict = verdict;
    out->fault = fault;
    if (verdict == VERDICT_UNMEASURED) {
        out->change = (struct change){0};
        out->wants_more = false;
    }
}

/* ---- the rule ---- */

/* The budget is the last look. */
static bool budget_left(const struct judged *judged)
{
    const struct rule *rule = judged->rule;
    return rule->look_count > 0 && judged->out->rounds < rule->looks[rule->look_count - 1];
}

static const char *const against_words[] = {"nothing", "the anchor", "base",
                                            "the stored samples"};

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
        snprintf(out, size, "no baseline for this config yet");
    return out;
}

/* What decides, or NONE with the reason why nothing can. */
static enum against choose(struct judged *judged)
{
    const struct config_samples *samples = judged->samples;
    struct config_verdict *out = judged->out;
    char note[256];
    if (!samples->anchor_failed && judged->log.anchor.replicates > 0)
        return AGAINST_ANCHOR;
    if (judged->stored_config != NULL)
        return AGAINST_STORED;
    if (samples->anchor_failed) {
        decide(judged, CLAUSE_NOTHING_AGAINST, VERDICT_UNMEASURED, FAULT_BASE);
        add_reason(out, "the anchor cannot run (%.200s) and %s", samples->anchor_failure,
                   judged->other_device || judged->other_problem
                       ? baseline_note(judged, note, sizeof note)
                       : "there are no stored samples");
        return AGAINST_NONE;
    }
    if (judged->log.base.replicates > 0)
        return AGAINST_BASE;
    decide(judged, CLAUSE_NOTHING_AGAINST, VERDICT_UNMEASURED,
           judged->other_device ? FAULT_HOST : FAULT_BASE);
    if (judged->other_device || judged->other_problem)
        add_reason(out, "nothing to compare against: %s",
                   baseline_note(judged, note, sizeof note));
    else
        add_reason(out, "nothing to compare against: no anchor, no base, no baseline");
    return AGAINST_NONE;
}

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
    decide(judged, CLAUSE_MARKED, VERDICT_UNCLEAR, heads ? FAULT_PR : FAULT_HOST);
    add_reason(out, "%s marked (%s)", which, text_marks(marks, out->marks));
    if (heads)
        add_reason(out, ", with head at work in %zu, and no other arm in more than %zu",
                   rounds[ARM_HEAD], others);
}

/* False, with the verdict set, when too few replicates are left to judge. */
static bool enough(struct judged *judged, enum against against, size_t count)
{
    struct config_verdict *out = judged->out;
    size_t least = judged->rule->min_replicates;
    if (least < 2)
        least = 2;
    if (against == AGAINST_STORED && judged->stored_config->count < least) {
        decide(judged, CLAUSE_FEW_REPLICATES, VERDICT_UNMEASURED, FAULT_BASE);
        add_reason(out, "the baseline has %zu of at least %zu replicates",
                   judged->stored_config->count, least);
        return false;
    }
    if (count >= least)
        return true;
    if (out->marked == 0 || out->rounds >= least) {
        decide(judged, CLAUSE_FEW_REPLICATES, VERDICT_UNMEASURED, FAULT_US);
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
static bool clock_sees(struct judged *judged, const struct estimate *estimate)
{
    struct config_verdict *out = judged->out;
    double half_tick = estimate->workings.half_tick;
    double line = judged->rule->threshold;
    if (half_tick <= 0.5 &&
        (half_tick <= line || estimate->claim.low > line || estimate->claim.high < -line))
        return true;
    double tick = out->against == AGAINST_STORED ? judged->log.stored_tick_ns
                                                 : judged->log.tick_ns;
    decide(judged, CLAUSE_BELOW_CLOCK, VERDICT_UNMEASURED, FAULT_HOST);
    out->own = out->control = out->stored = (struct change){0};
    out->effects_known = false;
    add_reason(out, "shorter than the clock can see: median %g ns, one tick %g ns",
               tick / (2 * half_tick), tick);
    return false;
}

/* The anchor against its own copy must read nothing. */
static bool control_sound(struct judged *judged)
{
    const struct change *control = &judged->log.control.change;
    double floor = judged->rule->control_floor;
    if (!control->known ||
        (control->ci_decision.low <= floor && control->ci_decision.high >= -floor))
        return true;
    char text[TEXT_CHANGE_BYTES];
    decide(judged, CLAUSE_CONTROL_BIASED, VERDICT_UNMEASURED, FAULT_HOST);
    add_reason(judged->out, "control biased: the anchor's own copy reads %s against it",
               text_change(text, control->change, control->ci_decision));
    return false;
}

/* The change is wholly above the line: is it this change's doing? */
static void judge_slower(struct judged *judged, enum against against, bool more)
{
    struct config_verdict *out = judged->out;
    const struct estimate *own = &judged->log.base;
    double floor = judged->rule->own_floor;
    char text[TEXT_CHANGE_BYTES];
    if (against == AGAINST_BASE || own->replicates == 0 ||
        (own->change.known && own->claim.low > floor)) {
        decide(judged, CLAUSE_BEYOND, VERDICT_REGRESSED, FAULT_NONE);
        if (against != AGAINST_BASE && own->replicates != 0)
            add_reason(out, ", and %s against base",
                       text_change(text, own->change.change, own->claim));
        return;
    }
    if (!own->change.known) {
        decide(judged, CLAUSE_OWN_UNCLEAR, VERDICT_UNCLEAR, FAULT_NONE);
        out->wants_more = more;
        add_reason(out, ", but one replicate with base does not say whether base is, too");
        return;
    }
    text_change(text, own->change.change, own->claim);
    if (more && own->change.change > floor) { /* more replicates may show that it adds */
        decide(judged, CLAUSE_OWN_UNCLEAR, VERDICT_UNCLEAR, FAULT_NONE);
        out->wants_more = true;
        add_reason(out, ", but %s against base is not wholly above %+g%%", text, 100 * floor);
        return;
    }
    if (own->change.change > floor && head_scatters(judged, against, own)) {
        decide(judged, CLAUSE_OWN_UNCLEAR, VERDICT_UNCLEAR, FAULT_NONE); /* head's own doing */
        add_reason(out,
                   ", but %s against base is not wholly above %+g%%: head scatters more "
                   "than three times as far as the machine does",
                   text, 100 * floor);
        return;
    }
    decide(judged, CLAUSE_LOST_ON_MAIN, VERDICT_HELD, FAULT_NONE);
    add_reason(out, "; already lost on main: %s against base is not wholly above %+g%%", text,
               100 * floor);
}

static void judge_line(struct judged *judged, enum against against,
                       const struct estimate *estimate)
{
    struct config_verdict *out = judged->out;
    double line = judged->rule->threshold;
    double percent = 100 * line;
    bool more = budget_left(judged);
    struct interval looks = estimate->change.ci_decision;
    char text[TEXT_CHANGE_BYTES];
    add_reason(out, "%s against %s",
               text_change(text, out->change.change, out->change.ci_decision),
               against_words[against]);
    if (estimate->claim.low > line) {
        add_reason(out, " is wholly above %+g%%", percent);
        judge_slower(judged, against, more);
    } else if (estimate->claim.high < -line) {
        decide(judged, CLAUSE_BEYOND, VERDICT_IMPROVED, FAULT_NONE);
        add_reason(out, " is wholly below %+g%%", -percent);
    } else if (looks.low > -line && looks.high < line) {
        decide(judged, CLAUSE_WITHIN, VERDICT_HELD, FAULT_NONE);
        add_reason(out, " is wholly inside ±%g%%", percent);
    } else {
        decide(judged, CLAUSE_STRADDLES, VERDICT_UNCLEAR, FAULT_NONE);
        out->wants_more = more;
        struct interval decided = out->change.ci_decision;
        bool both = decided.low <= -line && decided.high >= line;
        if (both)
            add_reason(out, " straddles both lines, ±%g%%", percent);
        else
            add_reason(out, " straddles %+g%%", decided.high >= line ? percent : -percent);
        if (!more)
            add_reason(out, "; the budget of replicates is used up");
    }
}

/* What a reader must know besides. */
static void add_notes(struct judged *judged, enum against against)
{
    struct config_verdict *out = judged->out;
    char note[256];
    if (against == AGAINST_STORED && judged->samples->anchor_failed)
        add_reason(out, "; the anchor cannot run: %.200s", judged->samples->anchor_failure);
    if (against == AGAINST_BASE)
        add_reason(out, "; %s", baseline_note(judged, note, sizeof note));
    if (against == AGAINST_ANCHOR && judged->other_device)
        add_reason(out, "; stored samples not compared: %s",
                   baseline_note(judged, note, sizeof note));
    if (judged->stored_config != NULL && !problem_known(&judged->samples->config.problem))
        add_reason(out, "; no `problem` in the file: matched by name");
}

const struct estimate *line_of(const struct judged *judged, enum against against)
{
    return against == AGAINST_ANCHOR ? &judged->log.anchor
           : against == AGAINST_BASE ? &judged->log.base
                                     : &judged->log.stored;
}

/* An anchor that no recipe builds here is nobody's pull request: whatever the stored samples
 * say may be the toolchain's doing. */
static void judge_unbuilt(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    char text[TEXT_CHANGE_BYTES];
    decide(judged, CLAUSE_ANCHOR_UNBUILT, VERDICT_UNCLEAR, FAULT_HOST);
    add_reason(out, "%s against the stored samples, but nothing is claimed: %.300s",
               text_change(text, out->change.change, out->change.ci_decision),
               judged->samples->anchor_failure);
}

static int judge_measured(struct judged *judged, struct err *err)
{
    struct config_verdict *out = judged->out;
    judged->log.medians = *judged->medians;
    *judged->medians = (struct medians){0};
    if (draw_lines(judged, err) != 0)
        return -1;
    enum against against = choose(judged);
    if (describe(judged, against, err) != 0)
        return -1;
    if (against == AGAINST_NONE)
        return 0;
    const struct estimate *estimate = line_of(judged, against);
    out->against = against;
    out->replicates = estimate->replicates;
    out->change = with_decision(estimate, judged->rule->threshold);
    if (!enough(judged, against, estimate->replicates) || !clock_sees(judged, estimate) ||
        !control_sound(judged))
        return 0;
    if (judged->samples->anchor_unbuilt) {
        judge_unbuilt(judged);
        return 0;
    }
    judge_line(judged, against, estimate);
    if (judge_gaps(judged, against, err) != 0)
        return -1;
    if (out->clause == CLAUSE_GAPS)
        out->wants_more = budget_left(judged);
    judged->passes = doubt_passes(judged, against);
    add_notes(judged, against);
    return 0;
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

/* Verdicts that need no arithmetic; true when one was given. */
static bool judge_unmeasured(struct judged *judged)
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
        decide(judged, clause_of_failure(samples), VERDICT_UNMEASURED, samples->fault);
        add_reason(out, "%s", samples->failure[0] != '\0' ? samples->failure : "not said why");
        return true;
    }
    if (samples->identical) {
        decide(judged, CLAUSE_IDENTICAL_CODE, VERDICT_HELD, FAULT_NONE);
        out->against = samples->identical_to == ARM_BASE ? AGAINST_BASE : AGAINST_ANCHOR;
        add_reason(out, "identical machine code");
        return true;
    }
    if (with_head == 0) {
        decide(judged, CLAUSE_NO_SAMPLES, VERDICT_UNMEASURED, FAULT_US);
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

/* `log` takes over the numbers; NULL: nobody wants them. */
static int judge_config(const struct samples *samples, size_t at, struct medians *medians,
                        const struct baseline *baseline, const struct rule *rule,
                        const struct levels *levels, struct config_verdict *out,
                        struct config_log *log, bool *passes, struct err *err)
{
    const struct config_samples *config = &samples->configs[at];
    __attribute__((cleanup(free_judged))) struct judged judged = {
        .rule = rule,
        .levels = levels,
        .samples = config,
        .medians = medians,
        .baseline = baseline,
        .device = samples->device.slug,
        .out = out,
    };
    if (baseline != NULL && strcmp(baseline->device.slug, samples->device.slug) != 0) {
        judged.other_device = true;
    } else if (baseline != NULL) {
        judged.stored_config = baseline_find(baseline, config->config.name);
        if (judged.stored_config != NULL &&
            !problem_matches(&judged.stored_config->config.problem, &config->config.problem)) {
            judged.other_problem = true;
            judged.stored_config = NULL;
        }
    }
    *out = (struct config_verdict){
        .config = config->config, .attempts = config->attempts, .looks = rule->look_count};
    if (config->fault == FAULT_NONE && !config->identical)
        count_gaps(config, out);
    if (!judge_unmeasured(&judged) && judge_measured(&judged, err) != 0)
        return -1;
    *passes = judged.passes;
    if (log != NULL) {
        *log = judged.log;
        judged.log = (struct config_log){0};
    }
    return 0;
}

/* Configs that have something to be called regressed or improved for. */
static size_t claims_of(const struct samples *samples)
{
    size_t count = 0;
    for (size_t i = 0; i < samples->count; i++)
        count += samples->configs[i].fault == FAULT_NONE && !samples->configs[i].identical &&
                 samples->configs[i].count != 0;
    return count > 0 ? count : 1;
}

/* The medians of every config that is measured, none of the others. */
struct all_medians {
    struct medians *configs; /* owned */
    size_t count;
};

static void free_all_medians(struct all_medians *all)
{
    for (size_t i = 0; i < all->count; i++)
        medians_free(&all->configs[i]);
    free(all->configs);
}

static int take_medians(const struct samples *samples, struct all_medians *out,
                        struct err *err)
{
    out->configs = calloc(samples->count + 1, sizeof *out->configs);
    if (out->configs == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    for (; out->count < samples->count; out->count++) {
        const struct config_samples *config = &samples->configs[out->count];
        if (config->fault == FAULT_NONE && !config->identical &&
            medians_of(config, &out->configs[out->count], err) != 0)
            return -1;
    }
    return 0;
}

/* How far head scatters against the anchor, or base where there is none, in all configs. */
static int spread_over(const struct samples *samples, const struct all_medians *medians,
                       struct spread *out, struct err *err)
{
    size_t count = 0;
    NUMBERS_AUTO *both = numbers_new(2 * samples->count);
    if (both == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    double *dfs = both + samples->count;
    for (size_t i = 0; i < samples->count; i++) {
        for (int k = 0; k < 2; k++) {
            enum arm other = k == 0 ? ARM_ANCHOR : ARM_BASE;
            if (change_variance(&medians->configs[i], ARM_HEAD, other,
                                tick_of(&samples->configs[i]), &both[count], &dfs[count],
                                err) != 0)
                return -1;
            if (dfs[count] > 0)
                break;
        }
        count += dfs[count] > 0;
    }
    *out = spread_of(both, dfs, count);
    return 0;
}

/* ---- configs that nobody measured ---- */

static const struct config_samples *find_samples(const struct samples *samples,
                                                 const char *name)
{
    for (size_t i = 0; i < samples->count; i++)
        if (strcmp(samples->configs[i].config.name, name) == 0)
            return &samples->configs[i];
    return NULL;
}

/* What the baseline has and the samples lack is no pass, unless main dropped it. */
static int add_missing(const struct samples *samples, const struct baseline *baseline,
                       unsigned looks, struct comparison *out, struct err *err)
{
    for (size_t i = 0; i < baseline->count; i++) {
        const struct baseline_config *stored = &baseline->configs[i];
        if (find_samples(samples, stored->config.name) != NULL)
            continue;
        if (out->count == MODEL_CONFIGS_MAX)
            return err_set(err, ERR_INPUT,
                           "more than %d configs, with those that are in the baseline alone",
                           MODEL_CONFIGS_MAX);
        struct config_verdict *row = &out->configs[out->count++];
        *row = (struct config_verdict){
            .config = stored->config,
            .verdict = stored->retired ? VERDICT_HELD : VERDICT_UNMEASURED,
            .clause = stored->retired ? CLAUSE_RETIRED : CLAUSE_NOT_MEASURED,
            .fault = stored->retired ? FAULT_NONE : FAULT_US,
            .looks = looks};
        if (stored->retired)
            add_reason(row,
                       "ci/ratchet.conf lists it no more: the next promotion retires it from "
                       "the baseline");
        else
            add_reason(row, "`%s` is in the baseline and was not measured", row->config.name);
    }
    return 0;
}

/* ---- the whole ---- */

int compare_logged(const struct samples *samples, const struct baseline *baseline,
                   const struct rule *rule, struct comparison *out, struct compare_log *log,
                   struct err *err)
{
    unsigned looks = rule->look_count > 0 ? rule->look_count : 1;
    size_t claims = claims_of(samples);
    __attribute__((cleanup(free_all_medians))) struct all_medians medians = {0};
    struct spread spread;
    if (take_medians(samples, &medians, err) != 0 ||
        spread_over(samples, &medians, &spread, err) != 0)
        return -1;
    const struct levels levels = {
        .bootstrap = {.resamples = rule->resamples,
                      .seed = rule->seed,
                      .confidence = rule->confidence},
        .looks = looks,
        .claims = (double)looks * (double)claims,
        .spread = spread,
    };
    __attribute__((cleanup(comparison_free))) struct comparison comparison = {
        .device = samples->device,
        .configs = calloc(samples->count + (baseline == NULL ? 0 : baseline->count) + 1,
                          sizeof *comparison.configs),
        .unclear_passes = rule->unclear_passes,
    };
    __attribute__((cleanup(compare_log_free))) struct compare_log kept = {
        .configs = log == NULL ? NULL : calloc(samples->count + 1, sizeof *kept.configs),
        .levels = levels,
        .claims = claims,
    };
    if (comparison.configs == NULL || (log != NULL && kept.configs == NULL))
        return err_set(err, ERR_HOST, "judge: out of memory");
    for (size_t i = 0; i < samples->count; i++) {
        struct config_verdict *config = &comparison.configs[comparison.count++];
        struct config_log *numbers = log == NULL ? NULL : &kept.configs[kept.count++];
        bool passes = false;
        if (judge_config(samples, i, &medians.configs[i], baseline, rule, &levels, config,
                         numbers, &passes, err) != 0)
            return err_wrap(err, "config `%s`", samples->configs[i].config.name);
        if (config->verdict == VERDICT_UNCLEAR && !passes)
            comparison.unclear_passes = false;
    }
    if (baseline != NULL && strcmp(baseline->device.slug, samples->device.slug) == 0 &&
        add_missing(samples, baseline, rule->look_count, &comparison, err) != 0)
        return -1;
    verdict_roll_up(&comparison);
    *out = comparison;
    comparison = (struct comparison){0};
    if (log != NULL) {
        *log = kept;
        kept = (struct compare_log){0};
    }
    return 0;
}

int compare_samples(const struct samples *samples, const struct baseline *baseline,
                    const struct rule *rule, struct comparison *out, struct err *err)
{
    return compare_logged(samples, baseline, rule, out, NULL, err);
}
