/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files of a sweep. */
#include "cli/sweep_folder.h"

#include "cli/cli.h"
#include "cli/outputs.h"
#include "cli/sweep_png.h"
#include "judge/samples.h"
#include "lab/sweep_data.h"
#include "lab/sweep_figures.h"
#include "lab/sweep_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 64 << 20 };

#define SAMPLES_FILE "samples.json"

int sweep_asked(const char *device, const struct ratchet_config *config,
                const struct arm_info *codes, const char *const *names, size_t count,
                char out[SWEEP_ASKED_BYTES], struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    buf_addf(&text, "%s %u %u %u %g %d\n", device, config->rule.looks[0],
             config->bench.samples, config->bench.warmup, config->bench.target_ns,
             config->bench.warm_inputs);
    for (size_t i = 0; i < count; i++)
        buf_addf(&text, "%s %s\n", names[i], codes[i].code);
    for (size_t i = 0; i < config->config_count; i++) {
        const struct problem *p = &config->configs[i].problem;
        buf_addf(&text, "%s %d %d %d %d %d %d %s %d\n", config->configs[i].name, p->batch,
                 p->heads, p->heads_kv, p->seq_q, p->seq_k, p->head_dim, dtype_name(p->dtype),
                 p->causal);
    }
    if (buf_check(&text, "what a sweep is asked", err) != 0)
        return -1;
    file_sha256(text.data, text.len, out);
    return 0;
}

/* ---- open and close ---- */

/* What an earlier run left; none is no error. */
static int read_before(struct sweep_folder *folder, const char *asked,
                       const char (*others)[MODEL_NAME_BYTES], const struct limits *limits,
                       struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct err why = {0};
    BUF_AUTO text;
    buf_init(&text, limits->samples_bytes);
    if (file_path(path, err, "%s/" SAMPLES_FILE, folder->path) != 0 ||
        file_drop_half(path, err) != 0)
        return -1;
    if (file_read(path, &text, &why) != 0) {
        if (why.class == ERR_NOT_FOUND)
            return 0;
        return err_set(err, ERR_INPUT, "%s", why.text);
    }
    if (samples_parse_others(text.data, text.len, path, others, limits, &folder->before,
                             err) != 0)
        return -1;
    const char *was = environment_get(&folder->before.environment, SWEEP_FACT_ASKED);
    if (was == NULL || strcmp(was, asked) != 0)
        return err_set(err, ERR_INPUT,
                       "%s: of another sweep (other arms, shapes or numbers): name another"
                       " folder, or remove it",
                       path);
    folder->found = true;
    return 0;
}

int sweep_folder_open(const char *path, const char *asked,
                      const char (*others)[MODEL_NAME_BYTES], const struct limits *limits,
                      struct sweep_folder *out, struct err *err)
{
    char lock[FILE_PATH_BYTES];
    *out = (struct sweep_folder){.lock = -1};
    static const char *const names[] = {SAMPLES_FILE, "sweep.json", "sweep.csv", "sweep.md",
                                        "sweep.html"};
    if (outputs_try_in("--report", path, names, sizeof names / sizeof *names, err) != 0 ||
        file_path(out->path, err, "%s", path) != 0 ||
        file_path(lock, err, "%s/lock", path) != 0 || file_lock(lock, &out->lock, err) != 0)
        return -1;
    return read_before(out, asked, others, limits, err);
}

void sweep_folder_close(struct sweep_folder *folder)
{
    char lock[FILE_PATH_BYTES];
    struct err err;
    if (folder->path[0] == '\0')
        return;
    if (folder->lock >= 0 && file_path(lock, &err, "%s/lock", folder->path) == 0)
        unlink(lock);
    file_close(&folder->lock);
    samples_free(&folder->before);
    folder->path[0] = '\0';
}

/* ---- write ---- */

static int write_file(const struct sweep_folder *folder, const char *name,
                      const struct buf *text, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/%s", folder->path, name) != 0 ||
                   file_write(path, text->data, text->len, 0644, err) != 0
               ? -1
               : 0;
}

int sweep_folder_keep(const struct sweep_folder *folder, const struct samples *samples,
                      const struct limits *limits, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/" SAMPLES_FILE, folder->path) != 0
               ? -1
               : cli_write_samples(samples, path, limits, err);
}

static int write_data(const struct sweep_folder *folder, const struct sweep_result *result,
                      struct err *err)
{
    BUF_AUTO json;
    BUF_AUTO csv;
    buf_init(&json, FILE_BYTES);
    buf_init(&csv, FILE_BYTES);
    return sweep_json(result, &json, err) != 0 ||
                   write_file(folder, "sweep.json", &json, err) != 0 ||
                   sweep_csv(result, &csv, err) != 0 ||
                   write_file(folder, "sweep.csv", &csv, err) != 0
               ? -1
               : 0;
}

static int write_reports(const struct sweep_folder *folder, const struct sweep_result *result,
                         const struct sweep_figures *figures, struct err *err)
{
    BUF_AUTO markdown;
    BUF_AUTO page;
    buf_init(&markdown, FILE_BYTES);
    buf_init(&page, FILE_BYTES);
    return sweep_report(result, figures, DOCUMENT_MARKDOWN, &markdown, err) != 0 ||
                   write_file(folder, "sweep.md", &markdown, err) != 0 ||
                   sweep_report(result, figures, DOCUMENT_HTML, &page, err) != 0 ||
                   write_file(folder, "sweep.html", &page, err) != 0
               ? -1
               : 0;
}

static int write_figures(const struct sweep_folder *folder,
                         const struct sweep_figures *figures, bool png,
                         char said[SWEEP_SAID_BYTES], struct err *err)
{
    struct png_program program;
    if (png)
        png_find(&program, said);
    for (size_t i = 0; i < figures->count; i++) {
        const struct sweep_figure *figure = &figures->list[i];
        char name[MODEL_NAME_BYTES + 8];
        snprintf(name, sizeof name, "%s.svg", figure->name);
        if (write_file(folder, name, &figure->svg, err) != 0)
            return -1;
        if (png && said[0] == '\0')
            png_convert(&program, folder->path, figure->name, said);
    }
    return 0;
}

int sweep_folder_write(const struct sweep_folder *folder, const struct sweep_result *result,
                       bool png, char said[SWEEP_SAID_BYTES], struct err *err)
{
    struct sweep_figures figures __attribute__((cleanup(sweep_figures_free))) = {.list = NULL};
    said[0] = '\0';
    return write_data(folder, result, err) != 0 ||
                   sweep_figures_of(result, &figures, err) != 0 ||
                   write_figures(folder, &figures, png, said, err) != 0 ||
                   write_reports(folder, result, &figures, err) != 0
               ? -1
               : 0;
}
