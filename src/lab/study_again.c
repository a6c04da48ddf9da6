/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the measuring of a study that is there, once more. */
#include "lab/study_internal.h"

#include <stdlib.h>
#include <string.h>

static void add_commits(struct study_words *words, const struct study *study)
{
    if (strcmp(study->best, study->asked.commit) == 0) {
        study_add(words, "bench");
        study_add(words, "--head");
        study_add(words, study->best);
        return;
    }
    study_add(words, "check");
    study_add(words, "--base");
    study_add(words, study->asked.commit);
    study_add(words, "--head");
    study_add(words, study->best);
    study_add(words, "--no-baseline");
}

static int measure(struct study_making *making, struct err *err)
{
    struct study_words words = {.count = 0};
    int code;
    add_commits(&words, making->study);
    study_add_where(&words, making);
    study_add(&words, "--output");
    study_add(&words, strcmp(words.given[0], "check") == 0 ? "." : "samples.json");
    if (study_child(making, &words, &code, err) != 0)
        return -1;
    return code < EXIT_USAGE ? 0 : err_set(err, ERR_INPUT, "%.400s", study_said(making));
}

static int read_samples(const struct study_making *making, struct samples *out,
                        struct err *err)
{
    struct err why = {0};
    if (study_read_samples(making, "samples.json", out, &why) == 0)
        return 0;
    bool there = why.class != ERR_NOT_FOUND;
    return err_set(err, there ? why.class : ERR_INPUT, "%s%.400s",
                   there ? "" : "not measured: ",
                   there || making->said[0] == '\0' ? why.text : making->said);
}

static int again(struct study_making *making, struct samples *out, struct err *err)
{
    return study_fetch(making, err) != 0 || study_replay(making, err) != 0 ||
                   measure(making, err) != 0
               ? -1
               : read_samples(making, out, err);
}

int study_again(const struct study_options *options, const struct host *host,
                const struct study *of, const char *scratch, struct samples *out,
                struct err *err)
{
    struct study_making *making = calloc(1, sizeof *making);
    struct study *study = malloc(sizeof *study);
    struct study_step step = {.name = "verify"};
    int result = -1;
    if (making == NULL || study == NULL)
        err_write(err, ERR_HOST, "out of memory for a study");
    else {
        *study = *of;
        *making = (struct study_making){.study = study,
                                        .options = options,
                                        .host = host,
                                        .kept_folder = of->path,
                                        .lock = -1,
                                        .step = &step,
                                        .again = true};
        result = file_path(study->path, err, "%s", scratch) != 0 ? -1
                                                                 : again(making, out, err);
        study_close(making);
    }
    free(study);
    free(making);
    return result;
}
