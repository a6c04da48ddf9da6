/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which documents a study has, and how they come into its folder. */
#include "lab/study_documents.h"

#include "judge/verdict.h"
#include "lab/study_badges.h"
#include "lab/study_data.h"
#include "lab/study_figures.h"
#include "lab/study_inventory.h"
#include "lab/study_paper.h"
#include "lab/study_report.h"
#include "lab/study_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_BYTES = 64 << 20 };

void study_documents_free(struct study_documents *documents)
{
    for (size_t i = 0; i < documents->count; i++)
        buf_free(&documents->list[i].text);
    free(documents->list);
    *documents = (struct study_documents){.list = NULL};
}

/* ---- making ---- */

struct making {
    const struct study_result *result;
    const struct study_figures *figures;
    const struct study_paper *paper;
    struct study_documents *documents;
    struct err *err;
};

/* The text of a new document; NULL: no memory. */
static struct buf *add(const struct making *making, const char *name)
{
    struct study_documents *documents = making->documents;
    struct study_document *list = realloc(documents->list,
                                          (documents->count + 1) * sizeof *documents->list);
    if (list == NULL) {
        err_set(making->err, ERR_HOST, "out of memory for a study's documents");
        return NULL;
    }
    documents->list = list;
    struct study_document *document = &list[documents->count++];
    *document = (struct study_document){.path = ""};
    snprintf(document->path, sizeof document->path, "%s", name);
    buf_init(&document->text, DOCUMENT_BYTES);
    return &document->text;
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
    if ((text = add(making, "numbers.json")) == NULL)
        return -1;
    buf_add(text, making->paper->numbers.data, making->paper->numbers.len);
    return buf_check(text, "numbers.json", making->err);
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
        if ((text = add(making, figure->file)) == NULL)
            return -1;
        buf_add(text, figure->svg.data, figure->svg.len);
        if (buf_check(text, figure->file, making->err) != 0)
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

int study_documents_of(const struct study_files *files, struct study_documents *out,
                       struct err *err)
{
    struct study_result result __attribute__((cleanup(study_result_free))) = {.files = NULL};
    struct study_figures figures __attribute__((cleanup(study_figures_free))) = {.list = NULL};
    struct study_paper paper __attribute__((cleanup(study_paper_free))) = {0};
    struct study_documents documents = {.list = NULL};
    const struct making making = {&result, &figures, &paper, &documents, err};
    if (study_result_of(files, &result, err) != 0 ||
        study_figures_of(&result, &figures, err) != 0 ||
        study_paper_of(&result, &paper, err) != 0 || make_data(&making) != 0 ||
        make_pictures(&making) != 0 || make_reports(&making) != 0) {
        study_documents_free(&documents);
        return -1;
    }
    *out = documents;
    return 0;
}

/* Of the folder as it is. */
static int documents_read(const char *path, const struct limits *limits,
                          struct study_documents *out, struct err *err)
{
    struct study_files *files = malloc(sizeof *files);
    if (files == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study");
    int rc = study_files_read(path, limits, files, err);
    if (rc == 0) {
        rc = study_documents_of(files, out, err);
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
static int write_all(const char *path, const struct study_documents *documents,
                     struct err *err)
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
    struct study_documents documents
        __attribute__((cleanup(study_documents_free))) = {.list = NULL};
    BUF_AUTO inventory;
    buf_init(&inventory, STUDY_INVENTORY_BYTES);
    return documents_read(path, limits, &documents, err) != 0 ||
                   write_all(path, &documents, err) != 0 ||
                   study_inventory_of(path, &inventory, err) != 0 ||
                   write_one(path, STUDY_INVENTORY, &inventory, err) != 0
               ? -1
               : 0;
}

/* ---- verifying ---- */

static int compare_one(const char *path, const struct study_document *document,
                       struct buf *out, size_t *differ, struct err *err)
{
    struct err why = {0};
    BUF_AUTO text;
    buf_init(&text, DOCUMENT_BYTES);
    if (study_folder_read(path, document->path, &text, &why) != 0) {
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
    struct study_documents documents
        __attribute__((cleanup(study_documents_free))) = {.list = NULL};
    struct err why = {0};
    *differ = 0;
    if (study_inventory_verify(path, out, differ, err) != 0)
        return -1;
    if (documents_read(path, limits, &documents, &why) != 0) {
        if (why.class == ERR_HOST)
            return err_set(err, why.class, "%s", why.text);
        buf_addf(out, "the documents cannot be made again: %s\n", why.text);
        ++*differ;
    }
    for (size_t i = 0; i < documents.count; i++)
        if (compare_one(path, &documents.list[i], out, differ, err) != 0)
            return -1;
    return buf_check(out, "what differs in a study", err);
}
