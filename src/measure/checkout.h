/* SPDX-License-Identifier: Apache-2.0 */
/* From pinned commits to folders on disk. Fetches go to a bare cache per repository; each job
 * gets fresh worktrees that no later job sees. */
#ifndef RATCHET_MEASURE_CHECKOUT_H
#define RATCHET_MEASURE_CHECKOUT_H

#include "base/err.h"
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

/* Write the tree of a commit to a new folder `path`. */
MUST_CHECK int checkout_tree(struct git_repo *repo, const char *sha, const char *path,
                             const struct limits *limits, struct err *err);

#endif
