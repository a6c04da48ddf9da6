/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a new baseline.json on main: one commit, compare-and-swap, never forced. What moves
 * was decided by the judge. */
#ifndef RATCHET_PUBLISH_PUSH_BASELINE_H
#define RATCHET_PUBLISH_PUSH_BASELINE_H

#include "base/err.h"
#include "base/git.h"
#include "model.h"
#include "publish/github.h"

/* Put on a pull request by somebody who may write: its loss is accepted when it is merged. */
#define ACCEPT_LABEL "ratchet:accept-loss"

struct promote_request {
    struct git_repo *repo;
    const struct git_remote_spec *remote;
    const struct github *github; /* for the fallback pull request; NULL: none is opened */
    const char *branch;          /* "main" */
    const char *tip;             /* the commit that was measured and decided from */
    const char *path;            /* "baselines/<device>/baseline.json" */
    const void *bytes;           /* the new file */
    size_t len;
    const char *device;
    const char *message; /* subject and body, without the trailers */
};

enum promote_end {
    PROMOTED,           /* main has it */
    PROMOTED_ON_BRANCH, /* main declined: it stands on a branch, perhaps with a PR */
    PROMOTE_RACE        /* main moved: fetch, decide again */
};

struct promote_result {
    enum promote_end end;
    char commit[MODEL_SHA_BYTES];
    char branch[JOB_REF_BYTES];      /* where PROMOTED_ON_BRANCH */
    char pull_url[JOB_URL_BYTES];    /* "" where none was opened */
    char declined[MODEL_TEXT_BYTES]; /* the server's words */
};
/* The commit's message gets `[skip ci]` in its subject on a direct push, and the trailer
 * `Ratchet-Promotion: <device>` always. */
MUST_CHECK int promote_push(const struct promote_request *request,
                            struct promote_result *result, struct err *err);

#endif
