/* SPDX-License-Identifier: Apache-2.0 */
/* Watch mode, what persons say: a comment `/ratchet run`, or the label ratchet:run, asks for another check of a
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
    struct github_known pulls[WATCHER_PAGES], tip, remarks;
    bool settled;              /* who is closed is known */
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

#endif
