/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the commits of a study: the first kernel's, and what patches make on top of it. */
#include "lab/study_internal.h"

#include <string.h>

#define CHANGE "optimise/%s/change.patch"

int study_fetch(struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES], sha[GIT_SHA_BYTES];
    const struct limits *limits = &making->host->limits;
    const struct git_remote_spec remote = {.url = making->options->repo,
                                           .timeout_ms = (unsigned)limits->fetch_ms,
                                           .max_bytes = limits->fetch_bytes};
    if (file_path(path, err, "%s/" STUDY_WORK, making->study->path) != 0 ||
        file_mkdirs(path, 0755, err) != 0 ||
        file_path(path, err, "%s/" STUDY_REPO, making->study->path) != 0 ||
        git_open(path, &making->repo, err) != 0)
        return -1;
    return git_fetch(making->repo, &remote, making->study->asked.commit, sha, err);
}

int study_keep_patch(struct study_making *making, const char *name, const struct buf *patch,
                     struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/optimise/%s", making->study->path, name) != 0 ||
                   file_mkdirs(path, 0755, err) != 0 ||
                   file_path(path, err, "%s/" CHANGE, making->study->path, name) != 0
               ? -1
               : file_write(path, patch->data, patch->len, 0644, err);
}

int study_commit(const struct study_making *making, const char *name, const char *parent,
                 char commit[GIT_SHA_BYTES], struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO patch;
    buf_init(&patch, STUDY_PATCH_BYTES);
    return file_path(path, err, "%s/" CHANGE, making->kept_folder, name) != 0 ||
                   file_read(path, &patch, err) != 0
               ? -1
               : git_commit_patch(making->repo, parent, patch.data, patch.len, name, commit,
                                  err);
}

int study_replay(struct study_making *making, struct err *err)
{
    char best[GIT_SHA_BYTES];
    const struct study *study = making->study;
    memcpy(best, study->asked.commit, sizeof best);
    for (size_t i = 0; i < study->step_count; i++)
        if (study->steps[i].kept &&
            study_commit(making, study->steps[i].name, best, best, err) != 0) {
            err->class = err->class == ERR_HOST ? ERR_HOST : ERR_INPUT;
            return err_wrap(err, "%s was kept", study->steps[i].name);
        }
    return strcmp(best, study->best) == 0
               ? 0
               : err_set(err, ERR_INPUT,
                         "%s/" STUDY_FILE ": best: %.10s is not what its patches make, %.10s",
                         study->path, study->best, best);
}
