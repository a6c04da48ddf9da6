/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where a study ran, what its steps took, how to run them again, and its files. */
#include "lab/study_report.h"

#include "lab/study_words.h"
#include "publish/figures.h"

#include <stdio.h>
#include <string.h>

static bool tells_of_peers(const struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->facts[i].name, "peer_", 5) == 0)
            return true;
    return false;
}

void study_put_environment(const struct study_page *page)
{
    static const char *const columns[] = {"fact", "value"};
    const struct document *document = &page->document;
    const struct environment_file *file = &page->result->files->environment;
    document_heading(document, "Where it was measured");
    if (file->environment.count == 0) {
        document_text(document, "Nobody recorded it.");
        return;
    }
    document_text(document,
                  "As recorded in env.json, whose hash is the first row. The build is that of"
                  " the first kernel: a proposal may change it.%s",
                  tells_of_peers(&file->environment)
                      ? " What begins with peer_ is of the Python that the study was given,"
                        " which need not be that of the implementations above."
                      : "");
    document_table(document, columns, 2);
    document_row(document);
    document_cell(document, "hash");
    document_cell_code(document, file->hash);
    document_row_end(document);
    for (size_t i = 0; i < file->environment.count; i++) {
        document_row(document);
        document_cell(document, "%s", file->environment.facts[i].name);
        document_cell_code(document, file->environment.facts[i].value);
        document_row_end(document);
    }
    document_table_end(document);
}

static void put_step_table(const struct study_page *page)
{
    static const char *const columns[] = {"step", "state", "took"};
    const struct document *document = &page->document;
    const struct study *study = &page->result->files->study;
    char text[STUDY_WORDS_BYTES];
    document_table(document, columns, 3);
    for (size_t i = 0; i < study->step_count; i++) {
        const struct study_step *step = &study->steps[i];
        document_row(document);
        document_cell(document, "%s", study_step_text(text, step));
        document_cell(document, "%s", study_state_name(step->state));
        document_cell(document, "%s", study_duration_text(text, step->seconds));
        document_row_end(document);
    }
    document_table_end(document);
}

static void put_whys(const struct study_page *page)
{
    const struct study *study = &page->result->files->study;
    char text[STUDY_WORDS_BYTES];
    bool any = false;
    for (size_t i = 0; i < study->step_count; i++) {
        const struct study_step *step = &study->steps[i];
        if (step->state != STUDY_FAILED && step->state != STUDY_SKIPPED)
            continue;
        if (!any)
            document_list(&page->document);
        any = true;
        document_point(&page->document, "%s %s: %s", study_step_text(text, step),
                       study_state_name(step->state),
                       step->why[0] == '\0' ? "nobody said why" : step->why);
    }
    if (any)
        document_list_end(&page->document);
}

static void put_commands(const struct study_page *page)
{
    const struct document *document = &page->document;
    const struct study *study = &page->result->files->study;
    char name[STUDY_WORDS_BYTES];
    BUF_AUTO text;
    buf_init(&text, 1 << 18);
    document_heading(document, "To run it again");
    for (size_t i = 0; i < study->step_count; i++) {
        const struct study_step *step = &study->steps[i];
        if (step->command[0] == '\0')
            continue;
        if (text.len > 0)
            buf_addc(&text, '\n');
        buf_addf(&text, "# %s\n%s\n", study_step_text(name, step), step->command);
    }
    buf_note_loss(document->out, &text);
    if (text.len == 0) {
        document_text(document, "No step recorded its command.");
        return;
    }
    document_text(
        document,
        "With ratchet %s, in a clone of the repository, on the same kind of device;"
        " RATCHETD.CONF stands for the host's own configuration, STUDY for this folder; a"
        " file that --arms names is not in it. Commits other than the"
        " first kernel's were made by the study: the first kernel with the change.patch of"
        " each proposal that was kept before, and then of that proposal. ratchet study"
        " --verify makes them again, and measures the best kernel against the first.",
        study->version);
    document_code(document, text.data);
}

void study_put_steps(const struct study_page *page)
{
    const struct study *study = &page->result->files->study;
    char spent[STUDY_WORDS_BYTES], estimate[STUDY_WORDS_BYTES];
    document_heading(&page->document, "Time and cost");
    if (study->estimate_s > 0)
        document_text(&page->document, "Estimated before it began: %s. Spent: %s.",
                      study_spent_text(estimate, study, study->estimate_s),
                      study_spent_text(spent, study, study_seconds(study)));
    else
        document_text(&page->document, "Spent: %s. Nothing was estimated before.",
                      study_spent_text(spent, study, study_seconds(study)));
    if (study->price.currency[0] == '\0')
        document_text(&page->document,
                      "No price of the device is known, so there is no cost.");
    put_step_table(page);
    put_whys(page);
    put_commands(page);
}

void study_put_files(const struct study_page *page)
{
    static const char *const columns[] = {"file", "size", "SHA-256"};
    const struct document *document = &page->document;
    const struct study_listing *raw = &page->result->files->raw;
    char text[FIGURE_BYTES];
    document_heading(document, "Files");
    document_text(
        document,
        "What the steps left, as this report found it. The inventory has also what this"
        " report brought. ratchet study --verify makes all again that is made from samples,"
        " the report among it, and compares every byte.");
    document_list(document);
    document_link(document, "inventory.json", "inventory.json: every file, its size and hash");
    document_list_end(document);
    document_table(document, columns, 3);
    for (size_t i = 0; i < raw->count; i++) {
        document_row(document);
        document_cell_code(document, raw->files[i].path);
        document_cell(document, "%s",
                      raw->files[i].bytes == 0
                          ? "0 B"
                          : figure_bytes(text, (double)raw->files[i].bytes));
        document_cell_code(document, raw->files[i].sha256);
        document_row_end(document);
    }
    document_table_end(document);
}
