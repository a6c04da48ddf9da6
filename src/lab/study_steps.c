/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of a study, its budget, and every step that is no proposal. */
#include "lab/study_internal.h"

#include "lab/study_baseline.h"
#include "lab/study_documents.h"
#include "lab/study_inventory.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the budget, the share that a step may take. The rest is the proposals', up to proposals_share (see
 * study_proposals.c), and the end's. */
static const double benchmark_share = 0.1, backends_share = 0.2, shapes_share = 0.3;
static const double end_least_s = 5,
                    budget_most_s = 24 * 3600; /* the latter is what --budget takes */

static void budget_words(struct study_words *words, double seconds, char text[32])
{
    snprintf(text, 32, "%.0fs", fmin(fmax(seconds, end_least_s), budget_most_s));
    study_add(words, "--budget");
    study_add(words, text);
}

/* Has a command left this file? */
static bool is_there(const struct study_making *making, const char *name)
{
    char path[FILE_PATH_BYTES];
    struct err ignored;
    return study_path(making, path, &ignored, "%s", name) == 0 && access(path, F_OK) == 0;
}

/* ---- environment, benchmark ---- */

static int environment(struct study_making *making, struct err *err)
{
    struct study_step *step = study_next(making, STUDY_ENVIRONMENT);
    struct study_words words = {.count = 0};
    int code;
    if (step == NULL)
        return 0;
    study_add(&words, "env");
    study_add_where(&words, making);
    study_add(&words, "--head");
    study_add(&words, making->study->asked.commit);
    study_add(&words, "--python");
    study_add_as(&words, making->options->python, "python3");
    study_add(&words, "--output");
    study_add(&words, "env.json");
    study_show(step, &words);
    if (study_child(making, &words, &code, err) != 0)
        return -1;
    return code != 0 ? study_stop(making, err)
                     : study_settle(making, step, STUDY_DONE, err, NULL);
}

static int benchmark(struct study_making *making, struct err *err)
{
    struct study_step *step = study_next(making, STUDY_BENCHMARK);
    struct study_words words = {.count = 0};
    char budget[32];
    int code;
    if (step == NULL)
        return 0;
    study_add(&words, "bench");
    study_add_where(&words, making);
    study_add(&words, "--head");
    study_add(&words, making->study->asked.commit);
    budget_words(&words, benchmark_share * making->study->asked.budget_s, budget);
    study_add(&words, "--output");
    study_add(&words, "benchmark.json");
    study_show(step, &words);
    if (study_child(making, &words, &code, err) != 0)
        return -1;
    return code != 0 || !is_there(making, "benchmark.json")
               ? study_stop(making, err)
               : study_settle(making, step, STUDY_DONE, err, NULL);
}

/* ---- sweeps ---- */

/* Of the configs by default, or of `shapes`; with the arms of files. */
static int run_sweep(struct study_making *making, const char *folder,
                     const char *const *shapes, double share, int *code, struct err *err)
{
    struct study_words words = {.count = 0};
    const struct study_options *options = making->options;
    char budget[32];
    bool built;
    const char *first = making->study->asked.commit;
    if (study_build(making, first, first, STUDY_FIRST, &built, err) != 0)
        return -1;
    if (!built)
        return study_stop(making, err);
    study_add(&words, "sweep");
    study_add_where(&words, making);
    study_add(&words, "--head");
    study_add(&words, making->study->asked.commit);
    for (size_t i = 0; shapes != NULL && i < STUDY_SHAPE_WORDS_MAX && shapes[i] != NULL; i++)
        study_add(&words, shapes[i]);
    for (size_t i = 0; i < STUDY_ARMS_MAX && options->arms[i] != NULL; i++) {
        study_add(&words, "--arms");
        study_add_as(&words, options->arms[i], strrchr(options->arms[i], '/') + 1);
    }
    budget_words(&words, share * making->study->asked.budget_s, budget);
    study_add(&words, "--report");
    study_add(&words, folder);
    study_add_as(&words, "first=" STUDY_FIRST, "first=first.so");
    study_show(making->step, &words);
    return study_child(making, &words, code, err);
}

/* A sweep that failed leaves a study without it. */
static int settle_sweep(struct study_making *making, struct study_step *step, int code,
                        const char *file, struct err *err)
{
    if (!is_there(making, file))
        return study_settle(making, step, STUDY_FAILED, err, "%.400s", study_said(making));
    return study_settle(making, step, STUDY_DONE, err, "%s",
                        code == 0 ? ""
                                  : "the first kernel could not be measured at some shapes");
}

static int backends(struct study_making *making, struct err *err)
{
    struct study_step *step = study_next(making, STUDY_BACKENDS);
    int code = EXIT_INTERNAL;
    if (step == NULL)
        return 0;
    if (making->options->arms[0] == NULL)
        return study_settle(making, step, STUDY_SKIPPED, err,
                            "no other implementation was named (--arms FILE)");
    return run_sweep(making, "backends", NULL, backends_share, &code, err) != 0
               ? -1
               : settle_sweep(making, step, code, "backends/sweep.json", err);
}

/* Where no shapes were asked for: the first config at a quarter to twice its length. */
static void default_shapes(const struct study_making *making, char text[128],
                           const char *words[])
{
    const struct problem *problem = &making->config.configs[0].problem;
    int seq = problem->seq_q;
    words[0] = "--configs";
    words[1] = making->config.configs[0].name;
    words[2] = "--seq";
    words[3] = text;
    words[4] = NULL;
    if (seq >= 4)
        snprintf(text, 128, "%d,%d,%d,%d", seq / 4, seq / 2, seq, 2 * seq);
    else
        snprintf(text, 128, "%d,%d", seq, 2 * seq);
}

static int shapes(struct study_making *making, struct err *err)
{
    struct study_step *step = study_next(making, STUDY_SHAPES);
    const char *words[8];
    char text[128];
    int code = EXIT_INTERNAL;
    if (step == NULL)
        return 0;
    default_shapes(making, text, words);
    bool asked = making->options->shapes[0] != NULL;
    return run_sweep(making, "shapes", asked ? making->options->shapes : words, shapes_share,
                     &code, err) != 0
               ? -1
               : settle_sweep(making, step, code, "shapes/sweep.json", err);
}

static int measure_first(struct study_making *making, struct err *err)
{
    return environment(making, err) != 0 || benchmark(making, err) != 0 ||
                   backends(making, err) != 0 || shapes(making, err) != 0
               ? -1
               : 0;
}

/* ---- the end ---- */

static int move(struct study_making *making, const char *from, const char *to, struct err *err)
{
    char source[FILE_PATH_BYTES], target[FILE_PATH_BYTES];
    if (study_path(making, source, err, "%s", from) != 0 ||
        study_path(making, target, err, "%s", to) != 0)
        return -1;
    return rename(source, target) == 0
               ? 0
               : err_errno(err, ERR_HOST, errno, "rename `%s` to `%s`", source, target);
}

static int write_baseline(struct study_making *making, const char *from, struct err *err)
{
    SAMPLES_AUTO samples = {0};
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, making->host->limits.baseline_bytes);
    return study_read_samples(making, from, &samples, err) != 0 ||
                   study_baseline_json(making->study, &samples, &text, err) != 0 ||
                   study_path(making, path, err, STUDY_BASELINE) != 0
               ? -1
               : file_write(path, text.data, text.len, 0644, err);
}

static int check_best(struct study_making *making, int *code, struct err *err)
{
    struct study_words words = {.count = 0};
    const struct study *study = making->study;
    char path[FILE_PATH_BYTES], budget[32];
    if (study_path(making, path, err, "end") != 0 || file_remove_tree(path, err) != 0)
        return -1;
    study_add(&words, "check");
    study_add_where(&words, making);
    study_add(&words, "--base");
    study_add(&words, study->asked.commit);
    study_add(&words, "--head");
    study_add_as(&words, study->best, "HEAD");
    study_add(&words, "--no-baseline");
    budget_words(&words, study_left(making), budget);
    study_add(&words, "--output");
    study_add(&words, "end");
    study_show_best(making);
    study_show(making->step, &words);
    return study_child(making, &words, code, err);
}

static int end(struct study_making *making, struct err *err)
{
    struct study_step *step = study_next(making, STUDY_END);
    const struct study *study = making->study;
    int code;
    if (step == NULL)
        return 0;
    if (strcmp(study->best, study->asked.commit) == 0)
        return write_baseline(making, "benchmark.json", err) != 0
                   ? -1
                   : study_settle(making, step, STUDY_SKIPPED, err,
                                  "nothing was kept: the first kernel is the best");
    if (check_best(making, &code, err) != 0)
        return -1;
    if (code >= EXIT_USAGE || !is_there(making, "end/samples.json"))
        return study_settle(making, step, STUDY_FAILED, err, "%.400s", study_said(making));
    return move(making, "end/samples.json", "samples.json", err) != 0 ||
                   write_baseline(making, "samples.json", err) != 0
               ? -1
               : study_settle(making, step, STUDY_DONE, err, NULL);
}

/* ---- all ---- */

/* Of calls that were killed; no file of a study has such a name. */
static int drop_half_written(struct study_making *making, struct err *err)
{
    struct study_listing listing
        __attribute__((cleanup(study_listing_free))) = {.files = NULL};
    char path[FILE_PATH_BYTES];
    if (study_folder_list(making->study->path, &listing, err) != 0)
        return -1;
    for (size_t i = 0; i < listing.count; i++)
        if (file_is_half(listing.files[i].path) &&
            (study_path(making, path, err, "%s", listing.files[i].path) != 0 ||
             unlink(path) != 0))
            return err_errno(err, ERR_HOST, errno, "remove `%s`", listing.files[i].path);
    return 0;
}

/* study.json is whole before the documents are made of it, so that it calls the step done before they are there;
 * the inventory is the last of them. */
static int report(struct study_making *making, struct err *err)
{
    struct study_step *step = study_next(making, STUDY_REPORT);
    if (study_drop_work(making, err) != 0 || drop_half_written(making, err) != 0)
        return -1;
    if (step == NULL && is_there(making, STUDY_INVENTORY))
        return 0;
    if (step != NULL && study_settle(making, step, STUDY_DONE, err, NULL) != 0)
        return -1;
    if (study_documents_write(making->study->path, &making->host->limits, err) == 0)
        return 0;
    if (step != NULL) {
        struct err ignored;
        int undone = study_settle(making, step, STUDY_OPEN, &ignored, NULL);
        (void)undone; /* the reason why there is no report is the one that is told */
    }
    return -1;
}

int study_run(const struct study_options *options, const struct host *host, struct study *out,
              struct err *err)
{
    struct study_making *making = calloc(1, sizeof *making);
    if (making == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study");
    making->study = out;
    making->kept_folder = out->path;
    making->options = options;
    making->host = host;
    making->lock = -1;
    making->device = host_find_device(host, options->device);
    int result = making->device == NULL
                     ? err_set(err, ERR_INPUT, "this host has no device `%s`", options->device)
                     : study_open(making, err);
    if (result == 0)
        result = measure_first(making, err) != 0 || study_optimise(making, err) != 0 ||
                         end(making, err) != 0 || report(making, err) != 0
                     ? -1
                     : 0;
    study_close(making);
    free(making);
    return result;
}
