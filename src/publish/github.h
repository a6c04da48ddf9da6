/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the GitHub REST API that we make, with its rules: version header, serial
 * writes, rate limits and `retry-after` obeyed, 403 told from a rate limit, Link followed as
 * given but the token sent to the API's own origin only, redirects followed within that
 * origin: a repository that was renamed or moved is still ours under the name that the host
 * knows, which is how answers of here call it. GETs, PATCHes and PUTs are tried
 * again on 5xx and broken connections until `github_ms` has passed; a POST only by a caller
 * that first looks whether the last one arrived. */
#ifndef RATCHET_PUBLISH_GITHUB_H
#define RATCHET_PUBLISH_GITHUB_H

#include "base/buf.h"
#include "base/err.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>

/* What was the matter with the last call that failed: for whoever tries again later. */
struct github_trouble {
    long status; /* HTTP status of the last answer; 0: there was none */
    long long
        wait_s;   /* that it asked for, or that our own patience has; 0: no use in waiting */
    bool limited; /* a rate limit: nothing else goes through before that either */
    bool
        lost; /* something was written and no answer came: GitHub may do it yet, or have done it */
};

/* Of a call that failed: may another try at another time go through? */
bool github_may_pass(const struct github_trouble *trouble, enum err_class class);

struct github {
    const char *api; /* no trailing slash */
    const char *token;
    bool
        borrowed; /* the token is a job's: it dies with it, and may do what its workflow says */
    const char *repository; /* owner/name */
    const char *author;     /* login whose comments are ours */
    const struct limits *limits;
    struct github_trouble *trouble; /* filled in by calls that fail; may be NULL */
    bool checks;  /* check runs in place of statuses: an App that may make them */
    bool no_wait; /* a rate limit ends a call at once: the caller comes again after it */
};

enum { GITHUB_TIME_BYTES = 21 }; /* "2026-01-05T09:00:00Z": later is greater as text, too */
enum { GITHUB_LOGIN_BYTES = JOB_LOGIN_BYTES };

struct github_pull {
    int number;
    bool open, merged, draft;
    char head[MODEL_SHA_BYTES];
    char base_ref[JOB_REF_BYTES];
    char base_repository[JOB_REPOSITORY_BYTES];
    char head_repository[JOB_REPOSITORY_BYTES]; /* "" for a deleted fork */
    char head_ref[JOB_REF_BYTES];               /* its branch; "" where it is too long */
    char author[64];
    char updated[GITHUB_TIME_BYTES]; /* of anything of it, but for its base; or "" */
    char labels[16][64];             /* the first 16 */
    size_t label_count;
};
/* Its head is a branch of another repository, or of one that is gone. */
bool github_is_fork(const struct github_pull *pull);
bool github_has_label(const struct github_pull *pull, const char *label);
MUST_CHECK int github_get_pull(const struct github *github, int number,
                               struct github_pull *out, struct err *err);
/* Tip of a branch. */
MUST_CHECK int github_branch_tip(const struct github *github, const char *branch,
                                 char sha[MODEL_SHA_BYTES], struct err *err);

/* Is `group` a branch of the merge queue for `branch`, and at `head`? ERR_NOT_FOUND where it is not.
 * *base_queued: another group there is at `base`, and its name says that it was put behind that one. Any
 * writer can push such branches. */
MUST_CHECK int github_find_group(const struct github *github, const char *branch,
                                 const char *group, const char *head, const char *base,
                                 bool *base_queued, struct err *err);

/* ERR_INPUT unless GitHub started that run of Actions (digits) for that very group, which it does for a
 * branch that its queue made, and for no other. */
MUST_CHECK int github_confirm_group(const struct github *github, const char *run,
                                    const char *group, const char *head, struct err *err);

/* state: "pending", "success", "failure", "error"; description is cut to 140 characters. With
 * `checks` it is a check run of that name. */
MUST_CHECK int github_set_status(const struct github *github, const char *sha,
                                 const char *context, const char *state,
                                 const char *description, const char *target_url,
                                 struct err *err);

/* Who else has a hand in a status that was just set? Reads those of the commit once: where the newest
 * of this context is somebody else's and says something else, or is our own `pending` that came late, ours is set
 * again, once. `seen` is a line about whoever spoke there last but for us, or "". Only a token that is ours alone can tell:
 * every workflow of a repository speaks as github-actions[bot]. */
MUST_CHECK int github_guard_status(const struct github *github, const char *sha,
                                   const char *context, const char *state,
                                   const char *description, const char *target_url,
                                   char seen[MODEL_TEXT_BYTES], struct err *err);

enum { GITHUB_COMMENT_BYTES = 65000 }; /* GitHub refuses more than 65536 characters */
struct github_comment {
    int pr;
    const char *marker;
    const char *body; /* a section; 65000 bytes at most: cutting it is the caller's part */
    size_t len;
    bool
        only_update; /* where there is no such section, none is made: no url, and that is all */
    long long id;    /* where it is thought to be, 0: not known; then where it is */
    char url[JOB_URL_BYTES];
};
/* One comment of ours per PR, with a section for each device (publish/sections.h): the one with that
 * id, or found by a marker of the family as its first line and by author (walking all pages); its
 * section of `marker` is updated, or added, or the comment is created where there is none. Should a
 * POST's answer be lost, the pages are walked again before another. If several of ours are
 * there, the oldest is kept. GitHub knows no compare-and-swap of a comment: after a write beside
 * others' sections it is looked at again, and written again where another host's write, based on what
 * was there before, has taken ours away. */
MUST_CHECK int github_upsert_comment(const struct github *github,
                                     struct github_comment *comment, struct err *err);

/* The number of the one open pull request of this repository whose head is that branch, or, where `branch` is
 * NULL or "", that commit. ERR_NOT_FOUND where there is none, ERR_INPUT where there are several. */
MUST_CHECK int github_find_pull(const struct github *github, const char *branch,
                                const char *sha, int *number, struct err *err);

/* Is this commit one of the pull request's? ERR_NOT_FOUND where it is not. */
MUST_CHECK int github_confirm_head(const struct github *github, int number, const char *sha,
                                   struct err *err);

/* The merged PR a commit on a branch came from; ERR_NOT_FOUND where there is none. */
MUST_CHECK int github_pull_of_commit(const struct github *github, const char *sha,
                                     struct github_pull *out, struct err *err);
/* May that account write to the repository? */
MUST_CHECK int github_may_write(const struct github *github, const char *login,
                                bool *may_write, struct err *err);
/* Who put `label` on the PR last, and when, and is that a person who may write to the repository? */
MUST_CHECK int github_who_labeled(const struct github *github, int pr, const char *label,
                                  char login[64], char when[GITHUB_TIME_BYTES],
                                  bool *may_write, struct err *err);
/* Who started that run of Actions (digits) by hand, and may that person write to the repository? Where somebody else
 * started it again, both have to; `login` is one who may not, where there is one. ERR_INPUT: it was
 * not started by hand, or is over, so that its name is worth nothing. */
MUST_CHECK int github_who_started(const struct github *github, const char *run,
                                  char login[GITHUB_LOGIN_BYTES], bool *may_write,
                                  struct err *err);
/* When that branch of the repository was last pushed to that commit, by GitHub's own clock (a commit's date
 * is its author's word). ERR_NOT_FOUND where GitHub knows of no such push; with `still`, or where the
 * branch's newest push that it knows of is another. */
MUST_CHECK int github_pushed_at(const struct github *github, const char *branch,
                                const char *sha, bool still, char when[GITHUB_TIME_BYTES],
                                struct err *err);

/* … when the head of a pull request was pushed to its branch, of a fork, too, which has to be public. */
MUST_CHECK int github_head_pushed_at(const struct github *github,
                                     const struct github_pull *pull, bool still,
                                     char when[GITHUB_TIME_BYTES], struct err *err);

/* Whose word lets the code of a fork's pull request run? Of its head's commit alone: by a comment with
 * COMMAND_RUN that names it (command.h), or by the label LABEL_RUN, put on after it was pushed. Of a
 * person who may write now: no bot's, no App's, no comment that was edited. */
struct github_word {
    char login[GITHUB_LOGIN_BYTES]; /* "": nobody's */
    char why_not[320]; /* then: why the last that was said does not count, or "" */
};
MUST_CHECK int github_find_word(const struct github *github, const struct github_pull *pull,
                                struct github_word *out, struct err *err);

/* An open PR from `branch` into `base`, made if there is none. */
MUST_CHECK int github_open_pull(const struct github *github, const char *branch,
                                const char *base, const char *title, const char *body,
                                char url[JOB_URL_BYTES], struct err *err);

#endif
