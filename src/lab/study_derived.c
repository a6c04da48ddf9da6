/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is made again of a study's samples, so that nobody has to believe it. */
#include "lab/study_derived.h"

#include "lab/study_baseline.h"
#include "lab/sweep_data.h"
#include "lab/sweep_report.h"

#include <stdio.h>
#include <stdlib.h>

enum { DOCUMENT_BYTES = 64 << 20 };

struct buf *study_documents_add(struct study_documents *out, const char *path, struct err *err)
{
    struct study_document *list = realloc(out->list, (out->count + 1) * sizeof *out->list);
    if (list == NULL) {
        err_set(err, ERR_HOST, "out of memory for a study's documents");
        return NULL;
    }
    out->list = list;
    struct study_document *document = &list[out->count++];
    *document = (struct study_document){.path = ""};
    snprintf(document->path, sizeof document->path, "%s", path);
    buf_init(&document->text, DOCUMENT_BYTES);
    return &document->text;
}

static struct buf *add(struct study_documents *out, enum study_phase phase, const char *name,
                       const char *ending, struct err *err)
{
    char path[MODEL_NAME_BYTES * 2];
    snprintf(path, sizeof path, "%s/%.80s%s", study_phase_name(phase), name, ending);
    return study_documents_add(out, path, err);
}

static int add_sweep(const struct study_sweep *sweep, enum study_phase phase,
                     struct study_documents *out, struct err *err)
{
    struct buf *text;
    if (!sweep->there)
        return 0;
    for (size_t i = 0; i < sweep->figures.count; i++) {
        const struct sweep_figure *figure = &sweep->figures.list[i];
        if ((text = add(out, phase, figure->name, ".svg", err)) == NULL)
            return -1;
        buf_add(text, figure->svg.data, figure->svg.len);
        if (buf_check(text, figure->name, err) != 0)
            return -1;
    }
    if ((text = add(out, phase, "sweep", ".json", err)) == NULL ||
        sweep_json(&sweep->result, text, err) != 0 ||
        (text = add(out, phase, "sweep", ".csv", err)) == NULL ||
        sweep_csv(&sweep->result, text, err) != 0 ||
        (text = add(out, phase, "sweep", ".md", err)) == NULL ||
        sweep_report(&sweep->result, &sweep->figures, DOCUMENT_MARKDOWN, text, err) != 0 ||
        (text = add(out, phase, "sweep", ".html", err)) == NULL)
        return -1;
    return sweep_report(&sweep->result, &sweep->figures, DOCUMENT_HTML, text, err);
}

int study_derived_of(const struct study_result *result, struct study_documents *out,
                     struct err *err)
{
    const struct samples *samples = study_result_samples(result);
    struct buf *text;
    if (samples != NULL &&
        ((text = study_documents_add(out, STUDY_BASELINE, err)) == NULL ||
         study_baseline_json(&result->files->study, samples, text, err) != 0))
        return -1;
    return add_sweep(&result->backends, STUDY_BACKENDS, out, err) != 0 ||
                   add_sweep(&result->shapes, STUDY_SHAPES, out, err) != 0
               ? -1
               : 0;
}
