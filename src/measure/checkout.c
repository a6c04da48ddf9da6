/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which commits a job measures, and puts their trees on disk. How a fetch, a
 * merge or a safe write is done is base/git's. */
#include "measure/checkout.h"

#include <stdio.h>
#include <string.h>

static bool has_remote(const struct git_remote_spec *remote)
{
    return remote != NULL && remote->url != NULL;
}

int checkout_need(struct git_repo *repo, const struct git_remote_spec *remote,
                  const char *sha, struct err *err)
{
    struct git_commit_info info;
    struct err why = {0};
    if (git_read_commit(repo, sha, &info, &why) == 0)
        return 0;
    if (why.class != ERR_NOT_FOUND || !has_remote(remote)) {
        if (err != NULL)
            *err = why;
        return -1;
    }
    char got[GIT_SHA_BYTES];
    return git_fetch(repo, remote, sha, got, err);
}

/* GitHub serves any commit that a ref of its own reaches, so the head comes by SHA even
 * when the branch has moved on; other servers may want a ref to be named. */
static int need_head(struct git_repo *repo, const struct git_remote_spec *remote,
                     const struct job *job, struct err *err)
{
    struct err why = {0};
    if (checkout_need(repo, remote, job->head, &why) == 0)
        return 0;
    if (why.class != ERR_NOT_FOUND || job->pr <= 0) {
        if (err != NULL)
            *err = why;
        return -1;
    }
    char ref[64], now[GIT_SHA_BYTES];
    snprintf(ref, sizeof ref, "refs/pull/%d/head", job->pr);
    if (git_fetch(repo, remote, ref, now, err) < 0)
        return -1;
    struct git_commit_info info;
    if (git_read_commit(repo, job->head, &info, NULL) == 0)
        return 0;
    return err_set(err, ERR_CONFLICT, "pull request %d moved from %s to %s", job->pr,
                   job->head, now);
}

/* The merge that GitHub made, if it is the one we want; *found says so. It lags behind
 * both sides, and is missing where there is a conflict. */
static int find_merge(struct git_repo *repo, const struct git_remote_spec *remote,
                      const struct job *job, bool *found, char sha[GIT_SHA_BYTES],
                      struct err *err)
{
    *found = false;
    if (job->pr <= 0 || !has_remote(remote))
        return 0;
    char ref[64], merge[GIT_SHA_BYTES];
    struct err why = {0};
    snprintf(ref, sizeof ref, "refs/pull/%d/merge", job->pr);
    if (git_fetch(repo, remote, ref, merge, &why) < 0) {
        if (why.class == ERR_NOT_FOUND)
            return 0;
        if (err != NULL)
            *err = why;
        return -1;
    }
    struct git_commit_info info;
    if (git_read_commit(repo, merge, &info, err) < 0)
        return -1;
    *found = info.parent_count == 2 && strcmp(info.parents[0], job->base) == 0 &&
             strcmp(info.parents[1], job->head) == 0;
    if (*found)
        memcpy(sha, merge, GIT_SHA_BYTES);
    return 0;
}

/* What the base will be once the pull request is merged. */
static int pin_merge(struct git_repo *repo, const struct git_remote_spec *remote,
                     const struct job *job, char sha[GIT_SHA_BYTES], struct err *err)
{
    bool merged = false, found = false;
    if (git_is_ancestor(repo, job->head, job->base, &merged, err) < 0)
        return -1;
    if (merged) {
        memcpy(sha, job->base, GIT_SHA_BYTES);
        return 0;
    }
    if (find_merge(repo, remote, job, &found, sha, err) < 0)
        return -1;
    return found ? 0 : git_make_merge(repo, job->base, job->head, sha, err);
}

int checkout_pin(struct git_repo *repo, const struct git_remote_spec *remote,
                 struct job *job, struct err *err)
{
    struct job pinned = *job;
    if (has_remote(remote)) {
        char ref[sizeof "refs/heads/" + JOB_REF_BYTES];
        snprintf(ref, sizeof ref, "refs/heads/%s", job->base_ref);
        if (git_fetch(repo, remote, ref, pinned.base, err) < 0 ||
            need_head(repo, remote, &pinned, err) < 0)
            return -1;
    }
    if (pin_merge(repo, remote, &pinned, pinned.merge, err) < 0)
        return -1;
    memcpy(job->base, pinned.base, sizeof job->base);
    memcpy(job->merge, pinned.merge, sizeof job->merge);
    return 0;
}

int checkout_tree(struct git_repo *repo, const char *sha, const char *path,
                  const struct limits *limits, struct err *err)
{
    unsigned long long depth = limits->tree_depth;
    struct git_tree_limits tree = {.bytes = limits->tree_bytes,
                                   .entries = limits->tree_entries,
                                   .depth = depth > 10000 ? 10000 : (unsigned)depth};
    return git_checkout(repo, sha, path, &tree, err);
}
