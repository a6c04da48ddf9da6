/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of GitHub again and again: open pull requests, the tip of a branch, comments, runs. Each
 * answer has an etag. Asked with it, GitHub says only that nothing has changed, and counts nothing; but
 * it holds for the token that it was given to, and for no other. */
#ifndef RATCHET_PUBLISH_GITHUB_WATCH_H
#define RATCHET_PUBLISH_GITHUB_WATCH_H

#include "base/http.h"
#include "publish/github.h"

/* Of a list. Bodies of 65536 characters have to fit into http-bytes as many times. */
enum { GITHUB_PAGE = 25 };

/* What is known of one address, with one token. Whoever could not use an answer to its end keeps the one of
 * before, and is told again. */
struct github_known {
    char etag[HTTP_ETAG_BYTES]; /* "": nothing */
    bool more;                  /* another page follows */
    long long date;             /* GitHub's clock at the last answer, UTC epoch seconds; -1 */
};

struct github_pulls {
    struct github_pull list[GITHUB_PAGE];
    size_t count;
};
/* A page of the open pull requests into a branch, oldest first, so that a new one is on the last page.
 * *changed false: nothing has, and *out is as it was. One that cannot be read is left out. */
MUST_CHECK int github_list_pulls(const struct github *github, const char *branch,
                                 unsigned page, struct github_known *known, bool *changed,
                                 struct github_pulls *out, struct err *err);

MUST_CHECK int github_watch_tip(const struct github *github, const char *branch,
                                struct github_known *known, bool *changed,
                                char sha[MODEL_SHA_BYTES], struct err *err);

/* What a commit says, its one parent ("": it has none, or several), and whether all that it changes lies
 * below `folder`. */
MUST_CHECK int github_get_commit(const struct github *github, const char *sha,
                                 const char *folder, struct buf *message,
                                 char parent[MODEL_SHA_BYTES], bool *inside, struct err *err);

enum { GITHUB_WORD_BYTES = 128 };
struct github_remark {
    long long id;                   /* later is greater */
    int pr;                         /* 0: it is no pull request's */
    char login[GITHUB_LOGIN_BYTES]; /* "": no person's: a bot's, or of a deleted account */
    bool edited;
    char line[GITHUB_WORD_BYTES]; /* its first; "" where it is longer */
};
struct github_remarks {
    struct github_remark list[GITHUB_PAGE];
    size_t count;
};
/* A page of a repository's comments, newest first. */
MUST_CHECK int github_list_remarks(const struct github *github, unsigned page,
                                   struct github_known *known, bool *changed,
                                   struct github_remarks *out, struct err *err);

/* A run of Actions that a person started, by hand or once more. */
struct github_run {
    long long id;                 /* later is greater */
    int attempt;                  /* 1, and one more each time it is run again */
    char name[GITHUB_WORD_BYTES]; /* as the list shows it; "" where it is longer */
    char actor
        [GITHUB_LOGIN_BYTES]; /* who started it first, and whoever started this attempt: "": no person */
    char again[GITHUB_LOGIN_BYTES];
};
struct github_runs {
    struct github_run list[GITHUB_PAGE];
    size_t count;
};
/* A page of the runs that workflow_dispatch started, newest first. */
MUST_CHECK int github_list_runs(const struct github *github, unsigned page,
                                struct github_known *known, bool *changed,
                                struct github_runs *out, struct err *err);

#endif
