/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of a study's report, and its summary. */
#include "lab/study_report.h"

#include "lab/study_checklist.h"
#include "lab/study_words.h"
#include "lab/sweep_report.h"

#include <stdio.h>

enum { SUMMARY_BYTES = 2000 };

static const char *why_of(const struct study *study, enum study_phase phase)
{
    const struct study_step *step = study_step_find(study, phase, "");
    return step == NULL                ? "the study has no such step"
           : step->why[0] != '\0'      ? step->why
           : step->state == STUDY_OPEN ? "not done yet"
                                       : "nobody said why";
}

/* ---- the summary ---- */

static void tell_what(const struct study_result *result, struct buf *out)
{
    const struct study *study = &result->files->study;
    const struct samples *samples = study_result_samples(result);
    char count[STUDY_WORDS_BYTES];
    if (samples == NULL)
        buf_addf(out, "This study of the kernel of commit %.10s on `%s` measured nothing: %s.",
                 study->asked.commit, study->asked.device, why_of(study, STUDY_BENCHMARK));
    else
        buf_addf(
            out,
            "This study timed the attention kernel of commit %.10s on %s at %s, and tried to"
            " make it faster.",
            study->asked.commit, samples->device.name,
            study_count_text(count, result->row_count, "shape"));
}

static void tell_speedup(const struct study_result *result, struct buf *out)
{
    const struct study_files *files = result->files;
    char text[STUDY_WORDS_BYTES], confidence[STUDY_WORDS_BYTES], count[STUDY_WORDS_BYTES];
    const struct change *speedup = &result->speedup;
    if (!speedup->known) {
        buf_adds(out, " How fast the best kernel is beside the first is not known: at no"
                      " shape did two undisturbed processes time both.");
        return;
    }
    const struct interval *ci = &speedup->ci_decision;
    bool enough = result->processes >= files->rule.min_replicates;
    if (result->speedup_configs < result->row_count)
        buf_addf(out, " At %zu of %zu shapes the speed-up is not known.",
                 result->row_count - result->speedup_configs, result->row_count);
    buf_addf(out, " %s: the first takes %s as long as the best (%s interval in brackets,",
             !enough || (ci->low <= 0 && ci->high >= 0)
                 ? "Whether the best kernel found is faster than the first is not shown"
             : result->speedup_configs == result->row_count
                 ? (ci->low > 0 ? "The best kernel found is faster than the first"
                                : "The best kernel found is slower than the first")
                 : (ci->low > 0
                        ? "Where it is, the best kernel found is faster than the first"
                        : "Where it is, the best kernel found is slower than the first"),
             study_speedup_text(text, speedup, *ci),
             study_confidence_text(confidence, files->rule.confidence));
    buf_addf(out,
             " corrected for %s at which measuring could have stopped; geometric mean over"
             " %s).",
             study_count_text(text, files->rule.look_count, "look"),
             study_count_text(count, result->speedup_configs, "shape"));
    if (!enough)
        buf_addf(out,
                 " Fewer than %u undisturbed processes ran at some shape: too few for that.",
                 files->rule.min_replicates);
}

static const char *why_open(const struct study_result *result)
{
    return result->speedup.known && result->speedup_configs < result->row_count
               ? "the speed-up is not known at every shape"
           : result->speedup.known && result->processes < result->files->rule.min_replicates
               ? "too few processes ran"
           : result->speedup.known ? "the interval reaches to both sides of it"
           : result->compared      ? "the speed-up is not known"
           : result->kept > 0      ? "there is no last check"
                                   : "nothing was kept";
}

static void tell_result(const struct study_result *result, struct buf *out)
{
    const struct study *study = &result->files->study;
    char count[STUDY_WORDS_BYTES];
    if (study_result_samples(result) == NULL)
        return;
    if (result->compared)
        tell_speedup(result, out);
    else if (result->kept > 0)
        buf_addf(out,
                 " %zu proposal%s kept, each faster than the best before it by its own"
                 " measurement; what was kept gives in all is not known, as the last check is"
                 " missing: %s.",
                 result->kept, result->kept == 1 ? " was" : "s were",
                 why_of(study, STUDY_END));
    else if (result->measured > 0)
        buf_addf(
            out,
            " Of %s measured none was shown to be faster, so the first kernel is the best that"
            " is known.",
            study_count_text(count, result->measured, "proposal"));
    else
        buf_addf(out,
                 " No proposal was measured (%s), so the first kernel is the best that is"
                 " known.",
                 why_of(study, STUDY_OPTIMISE));
}

static void tell_target(const struct study_result *result, struct buf *out)
{
    char target[STUDY_WORDS_BYTES];
    static const char *const words[] = {
        [STUDY_TARGET_MET] = "met: the whole interval is above it",
        [STUDY_TARGET_MISSED] = "missed: the whole interval is below it"};
    if (result->target == STUDY_TARGET_NONE)
        return;
    study_times_text(target, result->files->study.asked.target_speedup);
    if (result->target != STUDY_TARGET_OPEN)
        buf_addf(out, " The target of %s is %s.", target, words[result->target]);
    else
        buf_addf(out, " That the target of %s is met is not shown: %s.", target,
                 why_open(result));
}

static void tell_verdicts(const struct study_result *result, struct buf *out)
{
    static const enum verdict order[] = {VERDICT_IMPROVED, VERDICT_HELD, VERDICT_REGRESSED,
                                         VERDICT_UNCLEAR, VERDICT_UNMEASURED};
    size_t counts[VERDICT_REGRESSED + 1] = {0}, told = 0;
    if (!result->compared)
        return;
    for (size_t i = 0; i < result->row_count; i++)
        counts[result->rows[i].verdict->verdict]++;
    buf_addf(out, " Shape by shape, with a threshold of %.3g%%, the best kernel is judged",
             100 * result->files->rule.threshold);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (counts[order[i]] > 0)
            buf_addf(out, "%s %s at %zu", told++ == 0 ? "" : ",", verdict_name(order[i]),
                     counts[order[i]]);
    buf_adds(out, told == 0 ? " nowhere." : ".");
    for (size_t i = 0; i < result->row_count; i++)
        if (result->rows[i].verdict->verdict == VERDICT_UNCLEAR) {
            buf_addf(out, " Why it is unclear at %s: %s.",
                     result->rows[i].samples->config.name, result->rows[i].verdict->reason);
            break;
        }
}

static void tell_backends(const struct study_result *result, struct buf *out)
{
    const struct sweep_result *sweep = &result->backends.result;
    BUF_AUTO summary;
    buf_init(&summary, SUMMARY_BYTES);
    if (!result->backends.there || sweep->arm_count < 2) {
        buf_addf(out, " The kernel was not set beside other implementations: %s.",
                 result->backends.there ? "none of them ran"
                                        : why_of(&result->files->study, STUDY_BACKENDS));
        return;
    }
    sweep_summary(sweep, &summary);
    buf_addf(
        out,
        " %zu other implementation%s ran beside the first kernel%s (called %s there). With"
        " intervals corrected for all %zu comparisons, %s.",
        sweep->arm_count - 1, sweep->arm_count == 2 ? "" : "s",
        result->compared ? ", not the best" : "", sweep->arms[0].name, sweep->comparisons,
        summary.data);
}

static void tell_spent(const struct study_result *result, struct buf *out)
{
    const struct study *study = &result->files->study;
    char text[STUDY_WORDS_BYTES];
    size_t failed = 0, skipped = 0, open = 0;
    for (size_t i = 0; i < study->step_count; i++) {
        failed += study->steps[i].state == STUDY_FAILED;
        skipped += study->steps[i].state == STUDY_SKIPPED;
        open += study->steps[i].state == STUDY_OPEN && study->steps[i].phase != STUDY_REPORT;
    }
    buf_addf(out, " %s took %s.", open > 0 ? "What is done of it" : "All of it",
             study_spent_text(text, study, study_seconds(study)));
    if (open > 0)
        buf_addf(out, " %zu of its %zu steps %s not done yet.", open, study->step_count,
                 open == 1 ? "is" : "are");
    if (failed + skipped == 0)
        return;
    buf_addf(out, " Of its %zu steps", study->step_count);
    if (failed > 0)
        buf_addf(out, " %zu failed", failed);
    if (skipped > 0)
        buf_addf(out, "%s %zu %s skipped", failed > 0 ? " and" : "", skipped,
                 skipped == 1 ? "was" : "were");
    buf_adds(out, ": see Time and cost.");
}

void study_put_summary(const struct study_page *page)
{
    const struct study_result *result = page->result;
    BUF_AUTO text;
    buf_init(&text, SUMMARY_BYTES);
    tell_what(result, &text);
    tell_result(result, &text);
    tell_target(result, &text);
    document_text(&page->document, "%s", text.data);
    buf_clear(&text);
    tell_verdicts(result, &text);
    tell_backends(result, &text);
    tell_spent(result, &text);
    document_text(&page->document, "%s", text.data + 1);
}

/* ---- the documents ---- */

static void put_paper(const struct study_page *page)
{
    const struct document *document = &page->document;
    if (page->paper->text.len == 0)
        return;
    document_heading(document, "For a paper");
    document_text(document, "%s", page->paper->text.data);
    document_list(document);
    document_link(
        document, "numbers.json",
        "numbers.json: each number of this paragraph, with the file and the key it is from");
    document_list_end(document);
}

static void put_badges(const struct study_page *page)
{
    const struct document *document = &page->document;
    document_heading(document, "Badges");
    document_text(document, "As pictures, and as JSON for shields.io's endpoint.");
    document_list(document);
    document_link(document, "badges/speedup.svg", "speed-up");
    document_link(document, "badges/verdict.svg", "verdict");
    document_link(document, "badges/reproducible.svg", "reproducible");
    document_list_end(document);
}

static void put_checklist(const struct study_page *page)
{
    struct study_item items[STUDY_ITEMS];
    size_t done = study_checklist(page->result, items);
    document_heading(&page->document, "Reproducibility");
    document_text(&page->document,
                  "%zu of %d are ticked: those that the files of this study show.", done,
                  STUDY_ITEMS);
    document_list(&page->document);
    for (size_t i = 0; i < STUDY_ITEMS; i++)
        document_point(&page->document, "%s %s: %s.", items[i].done ? "☑" : "☐", items[i].what,
                       items[i].why);
    document_list_end(&page->document);
}

int study_report(const struct study_page *page, struct err *err)
{
    const struct document *document = &page->document;
    const struct samples *samples = study_result_samples(page->result);
    char title[256];
    snprintf(title, sizeof title, "Study of an attention kernel on %s",
             samples == NULL ? page->result->files->study.asked.device : samples->device.name);
    document_begin(document, title);
    study_put_summary(page);
    study_put_times(page);
    if (study_put_sweeps(page, err) != 0)
        return -1;
    document_heading(document, "Optimisation");
    study_put_proposals(page);
    put_paper(page);
    put_badges(page);
    put_checklist(page);
    study_put_environment(page);
    study_put_steps(page);
    study_put_files(page);
    document_end(document);
    return buf_check(document->out, "the report of a study", err);
}

int study_optimisation(const struct study_page *page, struct err *err)
{
    const struct document *document = &page->document;
    BUF_AUTO text;
    buf_init(&text, SUMMARY_BYTES);
    document_begin(document, "What was tried to make the kernel faster");
    tell_what(page->result, &text);
    tell_result(page->result, &text);
    tell_target(page->result, &text);
    tell_verdicts(page->result, &text);
    document_text(document, "%s", text.data);
    document_heading(document, "Proposals");
    study_put_proposals(page);
    document_end(document);
    return buf_check(document->out, "the results of the optimisation", err);
}
