/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the candidates of a search: their sources, as commits that only our own cache has, and their
 * libraries. */
#include "lab/autotune_internal.h"

#include "base/git.h"
#include "lab/tune_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- candidates ---- */

static int add_file(void *context, const struct git_file *file, struct err *err)
{
    struct autotune *tune = context;
    return file->link || file->bytes == NULL
               ? 0
               : tune_sources_add(&tune->sources, &tune->config.tune, file->path, file->bytes,
                                  file->len, err);
}

static int read_sources(struct autotune *tune, struct err *err)
{
    enum { FILE_BYTES = 4 << 20, ENTRIES = 100000, DEPTH = 64 };
    const struct kernel_source *source = &tune->config.source;
    const struct limits *limits = &tune->measurement->host->limits;
    const char *paths[MODEL_PATHS_MAX];
    for (size_t i = 0; i < source->path_count; i++)
        paths[i] = source->paths[i];
    const struct git_part part = {.paths = paths, .path_count = source->path_count};
    const struct git_tree_limits most = {limits->tree_bytes, ENTRIES, DEPTH};
    tune_sources_init(&tune->sources);
    return git_each_file(tune->measurement->repo, tune->measurement->job.head, &part, &most,
                         FILE_BYTES, add_file, tune, err) != 0
               ? -1
               : tune_sources_check(&tune->sources, &tune->config.tune, err);
}

/* A commit of the candidate's sources on top of head. */
static int commit_of(struct autotune *tune, struct trial *trial, struct err *err)
{
    struct git_change changes[TUNE_FILES_MAX];
    struct buf texts[TUNE_FILES_MAX];
    size_t count = 0;
    int result = 0;
    for (; result == 0 && count < tune->sources.file_count; count++) {
        bool changed;
        buf_init(&texts[count], tune->sources.files[count].text.max);
        result = tune_edit(&tune->sources, &tune->config.tune, &trial->candidate, count,
                           &texts[count], &changed, err);
        changes[count] = (struct git_change){tune->sources.files[count].path,
                                             texts[count].data, texts[count].len};
    }
    if (result == 0)
        result = git_commit_files(tune->measurement->repo, tune->measurement->job.head,
                                  changes, count, "Ratchet", "ratchet@localhost", "autotune",
                                  trial->commit, err);
    while (count > 0)
        buf_free(&texts[--count]);
    return result;
}

static int list_trials(struct autotune *tune, struct err *err)
{
    struct tune_candidate *candidates;
    if (tune_candidates(&tune->config.tune, &tune->sources, tune->config.rule.seed,
                        &candidates, &tune->count, err) != 0)
        return -1;
    tune->trials = calloc(tune->count + 1, sizeof *tune->trials);
    int result = tune->trials == NULL ? err_set(err, ERR_HOST, "out of memory for candidates")
                                      : 0;
    for (size_t i = 0; result == 0 && i < tune->count; i++) {
        tune->trials[i].candidate = candidates[i];
        tune->trials[i].logs = calloc(tune->config.config_count, sizeof(double));
        if (tune->trials[i].logs == NULL)
            result = err_set(err, ERR_HOST, "out of memory for candidates");
    }
    if (tune->trials == NULL)
        tune->count = 0;
    free(candidates);
    return result;
}

/* ---- building ---- */

int trials_begin_build(struct search *search, size_t i, struct err *err)
{
    struct trial *trial = &search->tune->trials[i];
    if (trial->begun)
        return 0;
    trial->begun = true;
    return commit_of(search->tune, trial, err) != 0 ||
                   builds_add(search->builds, trial->commit, i, err) != 0
               ? -1
               : 0;
}

/* Whose machine code this is already; NULL: nobody's. */
bool trials_has_twin(const struct autotune *tune, size_t i, char *text, size_t size)
{
    const char *code = tune->trials[i].code;
    if (strcmp(code, tune->today.code) == 0) {
        snprintf(text, size, "the machine code is today's");
        return true;
    }
    for (size_t other = 0; other < i; other++)
        if (strcmp(tune->trials[other].code, code) == 0) {
            snprintf(text, size, "the machine code is that of candidate %zu", other + 1);
            return true;
        }
    return false;
}

bool trials_spills_more(long long today, long long now, char why[MODEL_TEXT_BYTES])
{
    if (today < 0 || now <= today)
        return false;
    if (today == 0)
        snprintf(why, MODEL_TEXT_BYTES, "it spills %lld bytes a thread, today's kernel none",
                 now);
    else
        snprintf(why, MODEL_TEXT_BYTES, "it spills %lld bytes a thread, today's kernel %lld",
                 now, today);
    return true;
}

static int take_build(struct search *search, size_t i, const struct built *built,
                      struct err *err)
{
    const struct build_result *result = &built->result;
    struct autotune *tune = search->tune;
    struct trial *trial = &tune->trials[i];
    trial->library = *result;
    if (!result->built)
        return tune_log_reject(tune, i, 0, result->failure, err);
    char why[MODEL_TEXT_BYTES];
    if (trials_spills_more(tune->today_spills, built->spills, why))
        return tune_log_reject(tune, i, 0, why, err);
    return tune_log_built(tune, i, result->code, err);
}

/* Until candidate `i` is built, or cannot be. */
int trials_wait_for(struct search *search, size_t i, struct err *err)
{
    struct trial *trial = &search->tune->trials[i];
    while (!trial->library.built && trial_is_in(trial, 1)) {
        struct built built;
        size_t tag;
        int next = builds_next(search->builds, true, &tag, &built, err);
        if (next == 0)
            return err_set(err, ERR_INTERNAL, "candidate %zu is not being built", i + 1);
        if (next < 0 || take_build(search, tag, &built, err) != 0)
            return -1;
    }
    return 0;
}

int trials_build_today(struct search *search, struct err *err)
{
    struct autotune *tune = search->tune;
    struct built today;
    size_t tag;
    if (builds_add(search->builds, tune->measurement->job.head, 0, err) != 0 ||
        builds_next(search->builds, true, &tag, &today, err) < 0)
        return -1;
    tune->today = today.result;
    tune->today_spills = today.spills;
    if (!tune->today.built)
        return err_set(err, ERR_INPUT, "%.10s: %.400s", tune->measurement->job.head,
                       tune->today.failure);
    return 0;
}

/* ---- all ---- */

int trials_make(struct autotune *tune, struct err *err)
{
    return read_sources(tune, err) != 0 ? -1 : list_trials(tune, err);
}
