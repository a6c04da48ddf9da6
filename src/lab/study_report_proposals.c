/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is told of the proposals of a study. */
#include "lab/study_report.h"

#include "lab/study_words.h"
#include "publish/figures.h"

#include <stdio.h>

static void put_rule(const struct study_page *page)
{
    const struct study_files *files = page->result->files;
    char one[STUDY_WORDS_BYTES], all[STUDY_WORDS_BYTES];
    size_t proposals = files->study.asked.proposals;
    double alpha = 1 - files->rule.confidence;
    document_text(
        &page->document,
        "Each proposal is a patch on top of the best kernel before it, and ran beside that"
        " kernel in the same fresh processes. It is kept only if the interval of its mean"
        " change in time (geometric, over shapes) lies wholly below 0, and no shape is slower"
        " by its own interval. A change below 0 is faster.");
    if (proposals > 1)
        document_text(&page->document,
                      "Of up to %zu proposals some would look faster by luck, so that interval"
                      " is one of %s: all of them together hold with %s (Bonferroni).",
                      proposals, study_confidence_text(one, 1 - alpha / (double)proposals),
                      study_confidence_text(all, files->rule.confidence));
    else
        document_text(&page->document, "That interval is one of %s.",
                      study_confidence_text(all, files->rule.confidence));
}

static void put_row(const struct document *document, const struct study_step *step,
                    const struct study_judged *judged)
{
    char change[STUDY_WORDS_BYTES], duration[STUDY_WORDS_BYTES];
    document_row(document);
    document_cell(document, "%s", step->name);
    if (step->proposal)
        document_cell(document, "%s",
                      study_change_text(change, &judged->mean, judged->mean.ci_decision));
    else
        document_cell(document,
                      step->state == STUDY_DONE ? "nothing to judge" : "not measured");
    document_cell(document, "%s", step->kept ? "yes" : "no");
    if (step->proposal)
        document_cell(document, "%zu", judged->replicates);
    else
        document_cell(document, "–");
    document_cell(document, "%s", study_duration_text(duration, step->seconds));
    document_row_end(document);
}

/* What a table has no room for. */
static void put_fates(const struct study_page *page)
{
    const struct study *study = &page->result->files->study;
    char fate[STUDY_FATE_BYTES];
    document_list(&page->document);
    for (size_t i = 0; i < study->step_count; i++)
        if (study->steps[i].phase == STUDY_OPTIMISE)
            document_point(&page->document, "%s: %s", study->steps[i].name,
                           study_fate_text(fate, page->result->files, &study->steps[i]));
    document_list_end(&page->document);
}

static void put_configs(const struct study_page *page, size_t step)
{
    static const char *const columns[] = {"shape", "change in time"};
    const struct document *document = &page->document;
    const struct study_files *files = page->result->files;
    const struct samples *samples = &files->proposals[step];
    char text[STUDY_WORDS_BYTES];
    document_text(document,
                  "%s, shape by shape, against the best kernel before it, each with its"
                  " own interval of %s:",
                  files->study.steps[step].name,
                  study_confidence_text(text, files->rule.confidence));
    document_table(document, columns, 2);
    for (size_t i = 0; i < samples->count; i++) {
        const struct change *change = &files->judged[step].configs[i];
        document_row(document);
        document_cell(document, "%s", samples->configs[i].config.name);
        document_cell(document, "%s", study_change_text(text, change, change->ci));
        document_row_end(document);
    }
    document_table_end(document);
}

void study_put_proposals(const struct study_page *page)
{
    static const char *const columns[] = {"proposal", "mean change in time", "kept",
                                          "processes", "took"};
    const struct study_result *result = page->result;
    const struct study *study = &result->files->study;
    if (result->proposed == 0) {
        document_text(&page->document, "Nothing was proposed.");
        return;
    }
    put_rule(page);
    document_table(&page->document, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < study->step_count; i++)
        if (study->steps[i].phase == STUDY_OPTIMISE)
            put_row(&page->document, &study->steps[i], &result->files->judged[i]);
    document_table_end(&page->document);
    put_fates(page);
    study_put_figures(page, STUDY_OPTIMISE);
    for (size_t i = 0; i < study->step_count; i++)
        if (study->steps[i].proposal)
            put_configs(page, i);
}
