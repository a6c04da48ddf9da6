/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which documents a study has, and how they come into its folder. */
#include "lab/study_documents.h"

#include "judge/verdict.h"
#include "lab/study_badges.h"
#include "lab/study_baseline.h"
#include "lab/study_data.h"
#include "lab/study_figures.h"
#include "lab/study_inventory.h"
#include "lab/study_paper.h"
#include "lab/study_report.h"
#include "lab/study_result.h"
#include "lab/sweep_data.h"
#include "lab/sweep_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_BYTES = 64 << 20 };

struct document_file {
    char path[MODEL_NAME_BYTES * 2]; /* in the study's folder */
    struct buf text;                 /* owned */
    bool derived;                    /* no document: see make_derived */
};
struct documents {
    struct document_file *list; /* owned */
    size_t count;
};

static void documents_free(struct documents *documents)
{
    for (size_t i = 0; i < documents->count; i++)
        buf_free(&documents->list[i].text);
    free(documents->list);
    *documents = (struct documents){.list = NULL};
}

/* ---- making ---- */

struct making {
    const struct study_result *result;
    const struct study_figures *figures;
    const struct study_paper *paper;
    struct documents *documents;
    struct err *err;
};

/* The text of a new document; NULL: no memory. */
static struct buf *add(const struct making *making, const char *path)
{
    struct documents *documents = making->documents;
    struct document_file *list = realloc(documents->list,
                                         (documents->count + 1) * sizeof *list);
    if (list == NULL) {
        err_set(making->err, ERR_HOST, "out of memory for a study's documents");
        return NULL;
    }
    documents->list = list;
    struct document_file *file = &list[documents->count++];
    *file = (struct document_file){.path = ""};
    snprintf(file->path, sizeof file->path, "%s", path);
    buf_init(&file->text, DOCUMENT_BYTES);
    return &file->text;
}

static int add_copy(const struct making *making, const char *path, const struct buf *from)
{
    struct buf *text = add(making, path);
    if (text == NULL)
        return -1;
    buf_add(text, from->data, from->len);
    return buf_check(text, path, making->err);
}

static int make_data(const struct making *making)
{
    const struct study_files *files = making->result->files;
    struct buf *text;
    if ((text = add(making, "summary.json")) == NULL ||
        study_summary_json(making->result, text, making->err) != 0)
        return -1;
    if (files->end_there && ((text = add(making, "comparison.json")) == NULL ||
                             verdict_format_json(&files->comparison, text, making->err) != 0))
        return -1;
    return add_copy(making, "numbers.json", &making->paper->numbers);
}

static int make_reports(const struct making *making)
{
    static const struct {
        const char *path;
        enum document_kind kind;
        int (*write)(const struct study_page *, struct err *);
    } reports[] = {{"COMBINED_REPORT.md", DOCUMENT_MARKDOWN, study_report},
                   {"report.html", DOCUMENT_HTML, study_report},
                   {"OPTIMIZATION_RESULTS.md", DOCUMENT_MARKDOWN, study_optimisation}};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        struct buf *text = add(making, reports[i].path);
        if (text == NULL)
            return -1;
        const struct study_page page = {
            {reports[i].kind, text}, making->result, making->figures, making->paper};
        if (reports[i].write(&page, making->err) != 0)
            return -1;
    }
    return 0;
}

static int make_pictures(const struct making *making)
{
    struct study_badge badges[STUDY_BADGES];
    struct buf *text;
    for (size_t i = 0; i < making->figures->count; i++) {
        const struct study_figure *figure = &making->figures->list[i];
        if (add_copy(making, figure->file, &figure->svg) != 0)
            return -1;
    }
    study_badges_of(making->result, badges);
    for (size_t i = 0; i < STUDY_BADGES; i++) {
        char svg[64], json[64];
        snprintf(svg, sizeof svg, "badges/%s.svg", badges[i].name);
        snprintf(json, sizeof json, "badges/%s.json", badges[i].name);
        if ((text = add(making, svg)) == NULL)
            return -1;
        study_badge_svg(&badges[i], text);
        if (buf_check(text, svg, making->err) != 0 || (text = add(making, json)) == NULL)
            return -1;
        study_badge_json(&badges[i], text);
        if (buf_check(text, json, making->err) != 0)
            return -1;
    }
    return 0;
}

static struct buf *add_to(const struct making *making, enum study_phase phase,
                          const char *name)
{
    char path[MODEL_NAME_BYTES * 2];
    snprintf(path, sizeof path, "%s/%.80s", study_phase_name(phase), name);
    return add(making, path);
}

static int make_sweep(const struct making *making, enum study_phase phase,
                      const struct study_sweep *sweep)
{
    struct err *err = making->err;
    struct buf *text;
    if (!sweep->there)
        return 0;
    for (size_t i = 0; i < sweep->figures.count; i++) {
        const struct sweep_figure *figure = &sweep->figures.list[i];
        char path[MODEL_NAME_BYTES * 2];
        snprintf(path, sizeof path, "%s/%.80s.svg", study_phase_name(phase), figure->name);
        if (add_copy(making, path, &figure->svg) != 0)
            return -1;
    }
    if ((text = add_to(making, phase, "sweep.json")) == NULL ||
        sweep_json(&sweep->result, text, err) != 0 ||
        (text = add_to(making, phase, "sweep.csv")) == NULL ||
        sweep_csv(&sweep->result, text, err) != 0 ||
        (text = add_to(making, phase, "sweep.md")) == NULL ||
        sweep_report(&sweep->result, &sweep->figures, DOCUMENT_MARKDOWN, text, err) != 0 ||
        (text = add_to(making, phase, "sweep.html")) == NULL)
        return -1;
    return sweep_report(&sweep->result, &sweep->figures, DOCUMENT_HTML, text, err);
}

/* What was made of the samples before the documents were, so that nobody has to believe it. */
static int make_derived(const struct making *making)
{
    const struct study_result *result = making->result;
    const struct samples *samples = study_result_samples(result);
    size_t before = making->documents->count;
    struct buf *text;
    if (samples != NULL &&
        ((text = add(making, STUDY_BASELINE)) == NULL ||
         study_baseline_json(&result->files->study, samples, text, making->err) != 0))
        return -1;
    if (make_sweep(making, STUDY_BACKENDS, &result->backends) != 0 ||
        make_sweep(making, STUDY_SHAPES, &result->shapes) != 0)
        return -1;
    for (size_t i = before; i < making->documents->count; i++)
        making->documents->list[i].derived = true;
    return 0;
}

static int make_all(const struct study_files *files, bool derived, struct documents *out,
                    struct err *err)
{
    struct study_result result __attribute__((cleanup(study_result_free))) = {.files = NULL};
    struct study_figures figures __attribute__((cleanup(study_figures_free))) = {.list = NULL};
    struct study_paper paper __attribute__((cleanup(study_paper_free))) = {0};
    const struct making making = {&result, &figures, &paper, out, err};
    if (study_result_of(files, &result, err) == 0 &&
        study_figures_of(&result, &figures, err) == 0 &&
        study_paper_of(&result, &paper, err) == 0 && make_data(&making) == 0 &&
        make_pictures(&making) == 0 && make_reports(&making) == 0 &&
        (!derived || make_derived(&making) == 0))
        return 0;
    documents_free(out);
    return -1;
}

/* Of the folder as it is; with `derived`, also what was made of the samples before. */
static int read_and_make(const char *path, const struct limits *limits, bool derived,
                         struct documents *out, struct err *err)
{
    struct study_files *files = malloc(sizeof *files);
    if (files == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study");
    int rc = study_files_read(path, limits, files, err);
    if (rc == 0) {
        rc = make_all(files, derived, out, err);
        study_files_free(files);
    }
    free(files);
    return rc;
}

/* ---- writing ---- */

static int write_one(const char *path, const char *name, const struct buf *text,
                     struct err *err)
{
    char full[FILE_PATH_BYTES];
    return file_path(full, err, "%s/%s", path, name) != 0
               ? -1
               : file_write(full, text->data, text->len, 0644, err);
}

/* Figures of an earlier state of the study would stay, and be nobody's. */
static int write_all(const char *path, const struct documents *documents, struct err *err)
{
    if (study_folder_empty(path, "figures", err) != 0 ||
        study_folder_empty(path, "badges", err) != 0)
        return -1;
    for (size_t i = 0; i < documents->count; i++)
        if (write_one(path, documents->list[i].path, &documents->list[i].text, err) != 0)
            return -1;
    return 0;
}

int study_documents_write(const char *path, const struct limits *limits, struct err *err)
{
    struct documents documents __attribute__((cleanup(documents_free))) = {.list = NULL};
    BUF_AUTO inventory;
    buf_init(&inventory, STUDY_INVENTORY_BYTES);
    return read_and_make(path, limits, false, &documents, err) != 0 ||
                   write_all(path, &documents, err) != 0 ||
                   study_inventory_of(path, &inventory, err) != 0 ||
                   write_one(path, STUDY_INVENTORY, &inventory, err) != 0
               ? -1
               : 0;
}

/* What is not in the folder stays out of it. */
static int renew_one(const char *path, const struct document_file *document, struct err *err)
{
    struct err why = {0};
    BUF_AUTO text;
    buf_init(&text, DOCUMENT_BYTES);
    if (!document->derived)
        return 0;
    if (study_folder_read(path, document->path, &text, &why) != 0)
        return why.class == ERR_NOT_FOUND ? 0 : err_set(err, why.class, "%s", why.text);
    return write_one(path, document->path, &document->text, err);
}

int study_documents_renew(const char *path, const struct limits *limits, struct err *err)
{
    struct documents documents __attribute__((cleanup(documents_free))) = {.list = NULL};
    if (read_and_make(path, limits, true, &documents, err) != 0)
        return -1;
    for (size_t i = 0; i < documents.count; i++)
        if (renew_one(path, &documents.list[i], err) != 0)
            return -1;
    return study_documents_write(path, limits, err);
}

/* ---- verifying ---- */

static int compare_one(const char *path, const struct document_file *document, struct buf *out,
                       size_t *differ, struct err *err)
{
    struct err why = {0};
    BUF_AUTO text;
    buf_init(&text, DOCUMENT_BYTES);
    if (study_folder_read(path, document->path, &text, &why) != 0) {
        if (document->derived && why.class == ERR_NOT_FOUND)
            return 0; /* what is not in the folder is no claim */
        if (why.class == ERR_HOST)
            return err_set(err, why.class, "%s", why.text);
        buf_addf(out, "%s\n", why.text);
    } else if (text.len != document->text.len ||
               memcmp(text.data, document->text.data, text.len) != 0) {
        buf_addf(out, "%s: is not what the samples give\n", document->path);
    } else {
        return 0;
    }
    ++*differ;
    return 0;
}

int study_documents_verify(const char *path, const struct limits *limits, struct buf *out,
                           size_t *differ, struct err *err)
{
    struct documents documents __attribute__((cleanup(documents_free))) = {.list = NULL};
    struct err why = {0};
    *differ = 0;
    if (study_inventory_verify(path, out, differ, err) != 0)
        return -1;
    if (read_and_make(path, limits, true, &documents, &why) != 0) {
        if (why.class == ERR_HOST)
            return err_set(err, why.class, "%s", why.text);
        buf_addf(out, "the documents cannot be made again: %s\n", why.text);
        ++*differ;
    }
    size_t before = *differ;
    for (size_t i = 0; i < documents.count; i++)
        if (compare_one(path, &documents.list[i], out, differ, err) != 0)
            return -1;
    if (*differ > before)
        buf_adds(out,
                 "another version of ratchet may write other documents: see study.json\n");
    return buf_check(out, "what differs in a study", err);
}
