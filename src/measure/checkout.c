/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which commits a job measures, and puts their trees on disk or in a parcel. How a fetch, a
 * merge or a safe write is done is base/git's. */
#include "measure/checkout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static bool has_remote(const struct git_remote_spec *remote)
{
    return remote != NULL && remote->url != NULL;
}

int checkout_need(struct git_repo *repo, const struct git_remote_spec *remote, const char *sha,
                  struct err *err)
{
    struct git_commit_info info;
    struct err why = {0};
    if (git_read_commit(repo, sha, &info, &why) == 0) {
        git_keep(repo, sha);
        return 0;
    }
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
    if (git_fetch(repo, remote, ref, now, err) != 0)
        return -1;
    struct git_commit_info info;
    if (git_read_commit(repo, job->head, &info, NULL) == 0)
        return 0;
    return err_set(err, ERR_INPUT, "pull request %d moved from %s to %s", job->pr, job->head,
                   now);
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
    if (git_fetch(repo, remote, ref, merge, &why) != 0) {
        if (why.class == ERR_NOT_FOUND)
            return 0;
        if (err != NULL)
            *err = why;
        return -1;
    }
    struct git_commit_info info;
    if (git_read_commit(repo, merge, &info, err) != 0)
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
    if (git_is_ancestor(repo, job->head, job->base, &merged, err) != 0)
        return -1;
    if (merged) {
        memcpy(sha, job->base, GIT_SHA_BYTES);
        return 0;
    }
    if (find_merge(repo, remote, job, &found, sha, err) != 0)
        return -1;
    if (found || git_make_merge(repo, job->base, job->head, sha, err) == 0)
        return 0;
    if (err != NULL && err->class == ERR_LIMIT)
        err->class = ERR_CONFLICT; /* whose trees do not merge here */
    return -1;
}

int checkout_pin(struct git_repo *repo, const struct git_remote_spec *remote, struct job *job,
                 struct err *err)
{
    struct job pinned = *job;
    if (has_remote(remote)) {
        char ref[sizeof "refs/heads/" + JOB_REF_BYTES];
        snprintf(ref, sizeof ref, "refs/heads/%s", job->base_ref);
        if (git_fetch(repo, remote, ref, pinned.base, err) != 0 ||
            need_head(repo, remote, &pinned, err) != 0)
            return -1;
    }
    if (pin_merge(repo, remote, &pinned, pinned.merge, err) != 0)
        return -1;
    memcpy(job->base, pinned.base, sizeof job->base);
    memcpy(job->merge, pinned.merge, sizeof job->merge);
    return 0;
}

/* ---- submodules ---- */

void checkout_submodules_free(struct checkout_submodules *submodules)
{
    for (size_t i = 0; i < submodules->count; i++)
        git_close(&submodules->list[i].repo);
    submodules->count = 0;
}

/* One submodule at a commit, before its address is known. */
struct pinned {
    char path[256];
    char commit[GIT_SHA_BYTES];
};
struct pinned_list {
    struct pinned list[CHECKOUT_SUBMODULES_MAX];
    size_t count;
};

static int note_pinned(void *context, const char *path, const char *commit, struct err *err)
{
    struct pinned_list *found = context;
    if (found->count == CHECKOUT_SUBMODULES_MAX)
        return err_set(err, ERR_INPUT, "more than %d submodules under [kernel] path",
                       CHECKOUT_SUBMODULES_MAX);
    if (strlen(path) >= sizeof found->list->path)
        return err_set(err, ERR_INPUT, "submodule `%.100s…` has a path of more than %zu bytes",
                       path, sizeof found->list->path - 1);
    struct pinned *pinned = &found->list[found->count++];
    snprintf(pinned->path, sizeof pinned->path, "%s", path);
    snprintf(pinned->commit, sizeof pinned->commit, "%s", commit);
    return 0;
}

static const struct checkout_address *address_of(const struct checkout_submodules *submodules,
                                                 const char *path)
{
    for (size_t i = 0; i < submodules->address_count; i++)
        if (strcmp(submodules->addresses[i].path, path) == 0)
            return &submodules->addresses[i];
    return NULL;
}

/* The cache of a submodule, opened once. */
static int open_submodule(struct checkout_submodules *submodules,
                          const struct checkout_address *address, struct git_repo **repo,
                          struct err *err)
{
    for (size_t i = 0; i < submodules->count; i++) {
        if (submodules->list[i].path == address->path) {
            *repo = submodules->list[i].repo;
            return 0;
        }
    }
    /* The list has room: it holds addresses, and there are no more of these. */
    char key[FILE_KEY_BYTES], path[FILE_PATH_BYTES];
    file_key(address->url, key);
    struct git_submodule *added = &submodules->list[submodules->count];
    if (file_mkdirs(submodules->folder, 0700, err) != 0 ||
        file_path(path, err, "%s/submodule-%s.git", submodules->folder, key) != 0 ||
        git_cache_open(path, &added->repo, err) != 0)
        return -1;
    int tidy = !submodules->may_fetch ? 0 : git_cache_tidy(added->repo, NULL);
    (void)tidy; /* else it is used as it is */
    added->path = address->path;
    submodules->count++;
    *repo = added->repo;
    return 0;
}

/* The failure of a commit that could not be fetched before, or NULL. */
static struct checkout_unfetched *find_unfetched(struct checkout_submodules *submodules,
                                                 const char *commit)
{
    for (size_t i = 0; i < submodules->unfetched_count; i++)
        if (strcmp(submodules->unfetched[i].commit, commit) == 0)
            return &submodules->unfetched[i];
    return NULL;
}

/* A commit that could not be fetched is not asked for again: an address may hang as long as it likes,
 * once. Why it could not is still known when nothing is fetched any more. */
static void remember(struct checkout_submodules *submodules, const char *commit,
                     struct err *why)
{
    const struct checkout_unfetched *before = find_unfetched(submodules, commit);
    if (before != NULL) {
        *why = before->why;
        return;
    }
    if (!submodules->may_fetch || submodules->unfetched_count == CHECKOUT_SUBMODULES_MAX)
        return;
    struct checkout_unfetched *unfetched =
        &submodules->unfetched[submodules->unfetched_count++];
    snprintf(unfetched->commit, sizeof unfetched->commit, "%s", commit);
    unfetched->why = *why;
}

/* Nobody but the host's owner chose the address, and it gets no token of ours. */
static int need_submodule(struct checkout_submodules *submodules, const struct pinned *pinned,
                          const struct limits *limits, struct git_repo **repo, struct err *err)
{
    const struct checkout_address *address = address_of(submodules, pinned->path);
    if (submodules->folder[0] == '\0')
        return err_set(err, ERR_INPUT,
                       "submodule `%s` under [kernel] path: a check of a local repository "
                       "fetches none; `--repository OWNER/NAME --pr N` does, from where "
                       "ratchetd.conf says",
                       pinned->path);
    if (address == NULL)
        return err_set(
            err, ERR_INPUT,
            "submodule `%s` under [kernel] path: ratchetd.conf names no address for "
            "it (`submodule = %s https://…` in [repository])",
            pinned->path, pinned->path);
    /* Whoever let us wait in vain is not waited for again. */
    unsigned patience = submodules->unfetched_count == 0 ? (unsigned)limits->github_ms : 0;
    bool ask = submodules->may_fetch && find_unfetched(submodules, pinned->commit) == NULL;
    struct git_remote_spec remote = {.url = ask ? address->url : NULL,
                                     .timeout_ms = (unsigned)limits->fetch_ms,
                                     .retry_ms = patience,
                                     .max_bytes = limits->fetch_bytes};
    if (open_submodule(submodules, address, repo, err) != 0)
        return -1;
    struct err why = {0};
    if (checkout_need(*repo, &remote, pinned->commit, &why) == 0)
        return 0;
    remember(submodules, pinned->commit, &why);
    if (why.class == ERR_NOT_FOUND)
        return err_set(err, ERR_INPUT, "submodule `%s`: no commit %s at %s", pinned->path,
                       pinned->commit, address->url);
    return err_set(err, why.class, "submodule `%s`: %s", pinned->path, why.text);
}

/* A path into a submodule could not be looked at before the submodule was here. */
static int check_inside(struct git_repo *repo, const struct pinned *pinned, const char *path,
                        struct err *err)
{
    size_t len = strlen(pinned->path);
    enum git_path_kind kind;
    char where[256];
    if (strncmp(path, pinned->path, len) != 0 || path[len] != '/')
        return 0;
    if (git_check_path(repo, pinned->commit, path + len, &kind, where, err) != 0)
        return -1;
    if (kind == GIT_PATH_FILE || kind == GIT_PATH_FOLDER)
        return 0;
    return err_set(err, ERR_INPUT, "[kernel] path `%s` is no file or folder of submodule `%s`",
                   path, pinned->path);
}

int checkout_submodules(struct checkout_submodules *submodules, struct git_repo *repo,
                        const char *commit, const char *const *paths, size_t path_count,
                        const struct limits *limits, struct err *err)
{
    struct pinned_list found = {.count = 0};
    struct git_tree_limits tree = checkout_limits(limits);
    struct git_part part = {.paths = paths, .path_count = path_count};
    if (git_each_submodule(repo, commit, &part, &tree, note_pinned, &found, err) != 0)
        return -1;
    for (size_t i = 0; i < found.count; i++) {
        struct pinned *pinned = &found.list[i];
        struct git_repo *here;
        if (need_submodule(submodules, pinned, limits, &here, err) != 0)
            return -1;
        for (size_t j = 0; j < path_count; j++)
            if (check_inside(here, pinned, paths[j], err) != 0)
                return -1;
    }
    return 0;
}

/* ---- trees ---- */

struct git_tree_limits checkout_limits(const struct limits *limits)
{
    unsigned long long depth = limits->tree_depth;
    return (struct git_tree_limits){.bytes = limits->tree_bytes,
                                    .entries = limits->tree_entries,
                                    .depth = depth > 10000 ? 10000 : (unsigned)depth};
}

int checkout_tree(struct git_repo *repo, const char *sha, const struct git_part *part,
                  const char *path, const struct limits *limits, struct err *err)
{
    struct git_tree_limits tree = checkout_limits(limits);
    return git_checkout(repo, sha, part, path, &tree, err);
}

int checkout_parcel(struct git_repo *repo, const char *sha, const struct git_part *part,
                    const struct limits *limits, int *parcel, struct err *err)
{
    struct git_tree_limits tree = checkout_limits(limits);
    FD_AUTO fd = memfd_create("commit", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "cannot write down a commit");
    if (git_parcel_write(repo, sha, part, &tree, fd, err) != 0)
        return -1;
    *parcel = fd;
    fd = -1;
    return 0;
}
