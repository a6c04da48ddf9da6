/* SPDX-License-Identifier: Apache-2.0 */
/* From a GitHub Actions step to a request, or to a refusal. The payload is hostile: on
 * pull_request the workflow that hands it over belongs to the PR's author. So little is
 * taken: which repository, which pull request, which run. */
#ifndef RATCHET_INTAKE_EVENT_H
#define RATCHET_INTAKE_EVENT_H

#include "base/err.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

struct event {
    enum job_kind kind;
    char name[32];                         /* "pull_request", "push", … */
    char repository[JOB_REPOSITORY_BYTES]; /* owner/name */
    int pr; /* 0 for a push, for a merge group, and where `branch` or `head` says it */
    char branch[JOB_REF_BYTES];      /* of a dispatch: whose open pull request is meant */
    char ref[JOB_REF_BYTES];         /* of a push: "refs/heads/main"; of a group: its own */
    char after[MODEL_SHA_BYTES];     /* of a push: the new tip */
    char head[MODEL_SHA_BYTES];      /* of a PR or a group: a hint, never trusted */
    char base[MODEL_SHA_BYTES];      /* of a group: what it is built on, no more trusted */
    char base_ref[JOB_REF_BYTES];    /* … the branch that it goes to, without refs/heads/ */
    char commenter[JOB_LOGIN_BYTES]; /* of a comment: whose it is; "": of nobody any more */
    bool by_comment;
    struct choices choices; /* of a dispatch; `refused` is "" */
    bool ignored;           /* nothing to do: exit 0 and say `why` */
    char why[MODEL_TEXT_BYTES];
};

/* Parse the payload of event `name`. Handled: pull_request (opened, synchronize, reopened,
 * edited, labeled, unlabeled, ready_for_review, closed → ignored), pull_request_target
 * likewise, issue_comment (created on a pull request, and a command of command.h, whose commit
 * becomes `head`; any other is ignored), workflow_dispatch (one of the
 * inputs `pull-request`, a positive number; `branch`; `sha`, which becomes `head`; and choices.h), push (a deleted branch, or one not `refs/heads/…`, is
 * ignored; so is a push whose commits are all ours: the messages have our
 * `Ratchet-Promotion:` trailer, and they change baselines only; whether the branch is the one
 * that is promoted, the daemon knows), merge_group (checks_requested, destroyed → ignored: a
 * group that is gone is not measured, whoever says so). A null or missing pull_request object without the event's own
 * number, other events and
 * malformed fields are ERR_INPUT. */
MUST_CHECK int event_parse(const char *name, const char *bytes, size_t len, struct event *out,
                           struct err *err);

/* Does the last paragraph of a commit's message say that it is a promotion of ours? It counts where nothing
 * but EVENT_BASELINES is changed: a squash merge carries its author's words. */
bool event_is_promotion(const char *message);
#define EVENT_BASELINES "baselines/"

#endif
