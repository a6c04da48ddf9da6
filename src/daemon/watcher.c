/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one look at a watched repository: what is asked, in which order, and what becomes known of it. */
#include "daemon/watcher.h"

#include "base/line.h"
#include "daemon/store.h"
#include "daemon/watcher_words.h"
#include "intake/event.h"
#include "intake/watched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PROMOTIONS_MAX = 8, /* commits of ours in a row that are looked through */
    LOOK_CALLS = 10,    /* a look that takes longer than these may ends its process */
    RENEW_S = 10 * 60   /* before a token ends there is another */
};

/* ---- the token ---- */

/* One of the host's own file is not ours to end. */
static void end_token(const struct watcher *watcher)
{
    if (watcher->watched.repository != NULL && watcher->token[0] != '\0' &&
        watcher->watched.repository->credential == CREDENTIAL_APP)
        (void)credential_revoke(&watcher->github);
}

void watcher_forget(struct watcher *watcher)
{
    explicit_bzero(watcher->token, sizeof watcher->token);
    watcher->ends_s = 0;
    memset(watcher->pulls, 0, sizeof watcher->pulls);
    watcher->tip = (struct github_known){.etag = ""};
    watcher->remarks = (struct github_known){.etag = ""};
    watcher->runs = (struct github_known){.etag = ""};
    watcher->no_runs = false;
}

static bool is_over(const struct watcher *watcher)
{
    return watcher->token[0] == '\0' ||
           (watcher->ends_s != 0 && watcher->tip.date + RENEW_S > watcher->ends_s);
}

/* It ends by GitHub's clock, which every answer tells: ours may be off. */
static int take_app_token(struct watcher *watcher, struct err *err)
{
    struct github_installed installed = {0};
    if (!is_over(watcher))
        return 0;
    end_token(watcher);
    watcher_forget(watcher);
    watcher->github.token = NULL;
    int result = credential_of_app(watcher->watched.repository, &watcher->github, false,
                                   &installed, err);
    if (result == 0) {
        memcpy(watcher->token, installed.token, sizeof watcher->token);
        watcher->ends_s = installed.ends_s;
    }
    explicit_bzero(&installed, sizeof installed);
    watcher->github.token = watcher->token;
    return result;
}

/* A file may hold another one than a moment ago; what is known by the old one's etags is void. */
static int take_file_token(struct watcher *watcher, struct err *err)
{
    char token[MODEL_TOKEN_BYTES];
    int result = host_read_token(watcher->watched.repository, token, err);
    if (result == 0 && strcmp(token, watcher->token) != 0) {
        watcher_forget(watcher);
        memcpy(watcher->token, token, sizeof token);
    }
    explicit_bzero(token, sizeof token);
    watcher->github.token = watcher->token;
    return result;
}

static int take_token(struct watcher *watcher, struct err *err)
{
    return watcher->watched.repository->credential == CREDENTIAL_APP
               ? take_app_token(watcher, err)
               : take_file_token(watcher, err);
}

/* ---- pull requests ---- */

/* All of a page, or what came before the one that the queue has no room for. */
static int see_pulls(struct watcher *watcher, unsigned page, const struct github_pulls *pulls,
                     struct err *err)
{
    struct watched_pull seen[GITHUB_PAGE];
    struct watched_jobs jobs;
    char what[96];
    for (size_t i = 0; i < pulls->count; i++) {
        const struct github_pull *pull = &pulls->list[i];
        seen[i] = (struct watched_pull){.number = pull->number, .draft = pull->draft};
        memcpy(seen[i].head, pull->head, sizeof seen[i].head);
        if (watched_see_pull(&watcher->watched, page, &seen[i], &jobs, err) != 0)
            return -1;
        snprintf(what, sizeof what, "#%d at %.*s", pull->number, SHORT_SHA, pull->head);
        watcher_tell_jobs(watcher, &jobs, what);
        if (watcher_see_label(watcher, pull, err) != 0)
            return -1;
    }
    return watched_see_page(&watcher->watched, page, seen, pulls->count, err);
}

/* A pull request that is closed moves those behind it to other pages: who is closed is known for sure
 * where there is one page, or none has changed. */
static int look_at_pulls(struct watcher *watcher, struct err *err)
{
    unsigned page = 0;
    bool any = false, more = true;
    while (more) {
        bool changed = false;
        if (page == WATCHER_PAGES)
            return err_set(err, ERR_LIMIT, "watch: %s has more than %d open pull requests",
                           watcher->github.repository, WATCHER_PAGES * GITHUB_PAGE);
        struct github_known known = watcher->pulls[page];
        if (github_list_pulls(&watcher->github, watcher->watched.repository->branch, ++page,
                              &known, &changed, watcher->list, err) != 0 ||
            (changed && see_pulls(watcher, page, watcher->list, err) != 0))
            return -1;
        watcher->pulls[page - 1] = known;
        any = any || changed;
        more = known.more;
    }
    /* What was known of pages behind the last is void: who stood there stands elsewhere. */
    memset(&watcher->pulls[page], 0, (WATCHER_PAGES - page) * sizeof *watcher->pulls);
    if (any && page > 1) {
        watcher->settled = false;
        return 0;
    }
    if (watcher->settled && !any)
        return 0;
    watcher->settled = true;
    return watched_settle(&watcher->watched, page, err);
}

/* ---- the branch ---- */

/* Is all that lies between the two tips a promotion of ours? Our own push is no news. */
static int is_news(struct watcher *watcher, const char *before, const char *tip, bool *news,
                   struct err *err)
{
    char sha[MODEL_SHA_BYTES], parent[MODEL_SHA_BYTES];
    BUF_AUTO message;
    buf_init(&message, watcher->github.limits->http_bytes);
    memcpy(sha, tip, sizeof sha);
    *news = before[0] != '\0';
    for (int i = 0; *news && i < PROMOTIONS_MAX; i++) {
        bool inside = false;
        if (github_get_commit(&watcher->github, sha, EVENT_BASELINES, &message, parent,
                              &inside, err) != 0)
            return -1;
        if (!inside || !event_is_promotion(message.data))
            return 0;
        *news = strcmp(parent, before) != 0;
        memcpy(sha, parent, sizeof sha);
        if (parent[0] == '\0')
            return 0;
    }
    return 0;
}

static int look_at_branch(struct watcher *watcher, struct err *err)
{
    struct github_known known = watcher->tip;
    char before[MODEL_SHA_BYTES], tip[MODEL_SHA_BYTES], what[96];
    bool changed = false, news = false;
    struct watched_jobs jobs;
    if (github_watch_tip(&watcher->github, watcher->watched.repository->branch, &known,
                         &changed, tip, err) != 0 ||
        watched_tip(&watcher->watched, before, err) != 0)
        return -1;
    if (changed && strcmp(before, tip) != 0) {
        if (is_news(watcher, before, tip, &news, err) != 0 ||
            watched_see_tip(&watcher->watched, tip, news, &jobs, err) != 0)
            return -1;
        snprintf(what, sizeof what, "push of %.*s", SHORT_SHA, tip);
        watcher_tell_jobs(watcher, &jobs, what);
    }
    watcher->tip = known;
    return 0;
}

/* ---- one look ---- */

/* Said once, and again when it is of another kind: it may go on for days, and its words tell milliseconds. */
static void tell_trouble(struct watcher *watcher, const struct err *err)
{
    bool same = watcher->told == err->class && watcher->told_status == watcher->trouble.status;
    watcher->told = err->class;
    watcher->told_status = watcher->trouble.status;
    if (!same)
        line_err("ratchetd: watch %s: %s", watcher->github.repository,
                 err->class == ERR_NONE ? "goes on" : err->text);
}

/* The branch comes first: its answer tells GitHub's time. */
static void look(struct watcher *watcher)
{
    struct err err = {0};
    watcher->trouble = (struct github_trouble){0};
    watcher->look = (struct watcher_look){.end = WATCHER_LOOKED};
    int result = take_token(watcher, &err);
    if (result == 0)
        result = watched_open(&watcher->watched, &err);
    if (result == 0)
        result = look_at_branch(watcher, &err);
    if (result == 0)
        result = look_at_pulls(watcher, &err);
    if (result == 0)
        result = watcher_look_at_words(watcher, &err);
    if (result == 0)
        result = watcher_look_at_runs(watcher, &err);
    if (result == 0)
        watcher->trouble.status = 0;
    tell_trouble(watcher, result == 0 ? &(struct err){.class = ERR_NONE} : &err);
    if (result == 0)
        return;
    watcher->look.end = watcher->trouble.limited ? WATCHER_LIMITED : WATCHER_AWAY;
    watcher->look.seconds = watcher->trouble.limited ? watcher->trouble.wait_s : 0;
    if (watcher->trouble.status == 401) /* it has ended before its time, or was revoked */
        watcher_forget(watcher);
}

static int open_watcher(struct watcher *watcher, const struct host *host, const char *name,
                        struct err *err)
{
    const struct host_repository *repository = host_find_repository(host, name);
    if (repository == NULL || !repository->watch)
        return err_set(err, ERR_USAGE, "--watch: `%.100s` is not watched by this host", name);
    watcher->list = calloc(1, sizeof *watcher->list);
    if (watcher->list == NULL)
        return err_set(err, ERR_HOST, "out of memory for a list of pull requests");
    watcher->limits = limits_once(&host->limits); /* there is another look soon */
    watcher->watched.host = host;
    watcher->watched.repository = repository;
    watcher->github = (struct github){.api = repository->api,
                                      .token = watcher->token,
                                      .repository = repository->name,
                                      .author = repository->author,
                                      .limits = &watcher->limits,
                                      .trouble = &watcher->trouble,
                                      .no_wait = true};
    return store_open(host, &watcher->watched.db, err);
}

int watcher_run(const struct host *host, const char *repository, int ask, int tell,
                struct err *err)
{
    struct watcher *watcher = calloc(1, sizeof *watcher);
    char byte;
    ssize_t got = 0;
    if (watcher == NULL)
        return err_set(err, ERR_HOST, "out of memory for watching");
    int result = open_watcher(watcher, host, repository, err);
    while (result == 0 && ((got = read(ask, &byte, 1)) > 0 || (got < 0 && errno == EINTR))) {
        if (got < 0)
            continue;
        alarm((unsigned)(LOOK_CALLS * (watcher->limits.http_ms / 1000 + 1)));
        look(watcher);
        alarm(0);
        if (write(tell, &watcher->look, sizeof watcher->look) != sizeof watcher->look)
            break;
    }
    end_token(watcher);
    watcher_forget(watcher);
    db_close(&watcher->watched.db);
    free(watcher->list);
    free(watcher);
    return result;
}
