/* SPDX-License-Identifier: Apache-2.0 */
/* From pinned commits to folders on disk. Fetches go to a bare cache per repository; each job
 * gets fresh worktrees that no later job sees. */
#ifndef RATCHET_MEASURE_CHECKOUT_H
#define RATCHET_MEASURE_CHECKOUT_H

#include "base/err.h"
#include "base/file.h"
#include "base/git.h"
#include "limit.h"
#include "model.h"

/* Bring the PR's head and its base's tip into `repo` and find what is to be measured:
 * job->head is already pinned, job->base is set to the tip of base_ref, job->merge to
 * refs/pull/N/merge if its parents are exactly (base, head), else to a merge made here. A
 * conflict is ERR_CONFLICT. With remote->url NULL everything is already in `repo`, and only
 * the merge is made (job->base and job->head given). */
MUST_CHECK int checkout_pin(struct git_repo *repo, const struct git_remote_spec *remote,
                            struct job *job, struct err *err);

/* Make sure a commit (an anchor, say) is in `repo`, fetching it by SHA if it is not. */
MUST_CHECK int checkout_need(struct git_repo *repo, const struct git_remote_spec *remote,
                             const char *sha, struct err *err);

/* The submodules that a job's builds may see, and where their commits are fetched from: an
 * address that the host's configuration names, never one that a repository does. */
enum { CHECKOUT_SUBMODULES_MAX = 8 };
struct checkout_submodules {
    struct checkout_address {
        const char *path; /* of the submodule in the tree, borrowed */
        const char *url;  /* as in struct git_remote_spec, borrowed */
    } addresses[CHECKOUT_SUBMODULES_MAX];
    size_t address_count;
    char folder[FILE_PATH_BYTES]; /* bare caches are made in it, one per address; "": none is
                                   * fetched, of a local repository */
    struct git_submodule list[CHECKOUT_SUBMODULES_MAX]; /* for git_part; the repos are owned */
    size_t count;
    bool
        may_fetch; /* only while pinning: later what is missing is missing, and why is known… */
    struct checkout_unfetched {
        char commit[MODEL_SHA_BYTES];
        struct err why;
    } unfetched[CHECKOUT_SUBMODULES_MAX]; /* … for these */
    size_t unfetched_count;
};
void checkout_submodules_free(struct checkout_submodules *submodules);

/* Make sure that the commits of all submodules under a commit's paths are here, fetching them
 * by SHA without a token where it may, and put them on the list. Refused by name, ERR_INPUT: a submodule
 * without an address, one whose commit is not at its address, one within another, and a path
 * that leads into one to nothing. Those outside the paths are not looked at. */
MUST_CHECK int checkout_submodules(struct checkout_submodules *submodules,
                                   struct git_repo *repo, const char *commit,
                                   const char *const *paths, size_t path_count,
                                   const struct limits *limits, struct err *err);

/* Write a part of the tree of a commit to a new folder `path`. */
MUST_CHECK int checkout_tree(struct git_repo *repo, const char *sha,
                             const struct git_part *part, const char *path,
                             const struct limits *limits, struct err *err);

/* The same as a file in memory, for who makes the folder elsewhere. */
MUST_CHECK int checkout_parcel(struct git_repo *repo, const char *sha,
                               const struct git_part *part, const struct limits *limits,
                               int *parcel, struct err *err);

/* What the limits say of trees. */
struct git_tree_limits checkout_limits(const struct limits *limits);

#endif
