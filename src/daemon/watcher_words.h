/* SPDX-License-Identifier: Apache-2.0 */
/* Watch mode, what persons say: a comment `/ratchet run`, the label ratchet:run, or a run of Actions asks for another check of a
 * pull request. It counts where its author may write to the repository when it is read; nobody's edited
 * comment counts, and no program's. Private to the watcher. */
#ifndef RATCHET_DAEMON_WATCHER_WORDS_H
#define RATCHET_DAEMON_WATCHER_WORDS_H

#include "command.h"
#include "daemon/watcher.h"
#include "intake/watched.h"
#include "pipeline/credential.h"
#include "publish/github_watch.h"

enum { WATCHER_PAGES = 64 }; /* of open pull requests */

struct watcher {
    struct watched watched;
    struct github github;
    struct limits limits;
    struct github_trouble trouble;
    char token[MODEL_TOKEN_BYTES];
    long long ends_s; /* the token, by GitHub's clock; 0: never */
    struct github_known pulls[WATCHER_PAGES], tip, remarks, runs;
    bool settled;              /* who is closed is known */
    bool no_runs;              /* this token may not read them */
    struct github_pulls *list; /* owned: of the page that is read */
    struct github_remarks page;
    struct watcher_look look; /* that goes on */
    enum err_class
        told; /* of what was the matter, as it was told last; with GitHub's status */
    long told_status;
};

/* The token is to be another one: what is known by etags of the old one is void. */
void watcher_forget(struct watcher *watcher);
void watcher_tell_jobs(struct watcher *watcher, const struct watched_jobs *jobs,
                       const char *what);

MUST_CHECK int watcher_see_label(struct watcher *watcher, const struct github_pull *pull,
                                 struct err *err);
MUST_CHECK int watcher_look_at_words(struct watcher *watcher, struct err *err);
/* A run of Actions, started by hand, whose name says `/ratchet run` and a number. Where the token may not
 * read them (actions: read), that is said once, and nothing else is missed. */
MUST_CHECK int watcher_look_at_runs(struct watcher *watcher, struct err *err);

/* Is it trouble that may pass, so that another look may find out what this one could not? */
bool watcher_may_pass(const struct watcher *watcher, const struct err *err);
/* GitHub is asked for persons and pull request at this moment: `logins` ends with NULL, and all of them have to
 * be somebody who may write; `sha`, the head that they name, "" for none. *taken: there are jobs. */
MUST_CHECK int watcher_hear(struct watcher *watcher, struct watched_word *word,
                            const char *const *logins, const char *sha, bool *taken,
                            struct err *err);

#endif
