/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whose word is taken for another check, and of which pull request; and how jobs are told of. */
#include "daemon/watcher_words.h"

#include "base/line.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 64 }; /* that are taken in one look; those left are taken in the next */

void watcher_tell_jobs(struct watcher *watcher, const struct watched_jobs *jobs,
                       const char *what)
{
    struct err line; /* no control characters, whatever a name holds */
    for (size_t i = 0; i < jobs->count; i++) {
        err_write(&line, ERR_NONE, "job %lld: accepted %s %s", jobs->id[i],
                  watcher->watched.repository->name, what);
        line_err("ratchetd: %s", line.text);
    }
    watcher->look.jobs += (unsigned)jobs->count;
}

static void say(const struct watcher *watcher, int pr, const char *login, const char *why)
{
    struct err line; /* no control characters, whatever a name holds */
    err_write(&line, ERR_AUTH, "watch %s: #%d: the word of %s does not count: %s",
              watcher->github.repository, pr, login, why);
    line_err("ratchetd: %s", line.text);
}

/* May this word start a job? Whether a fork's head may run is asked again when that is pinned. */
static bool may_run(const struct watcher *watcher, const struct github_pull *pull,
                    const char *sha, char why[128])
{
    if (!pull->open)
        snprintf(why, 128, "the pull request is closed");
    else if (github_is_fork(pull) && !watcher->watched.repository->approve_forks)
        snprintf(why, 128, "it comes from a fork");
    else if (sha[0] != '\0' && strcmp(pull->head, sha) != 0)
        snprintf(why, 128, "its head is %.*s", SHORT_SHA, pull->head);
    else
        return true;
    return false;
}

/* Another look may find out what this one could not. */
bool watcher_may_pass(const struct watcher *watcher, const struct err *err)
{
    return github_may_pass(&watcher->trouble, err->class) || err->class == ERR_LIMIT;
}

/* What GitHub refuses to tell of one pull request must not hide the others. */
static int pass_over(struct watcher *watcher, int pr, const char *login, struct err *err)
{
    if (watcher_may_pass(watcher, err))
        return -1;
    watcher->trouble = (struct github_trouble){0};
    say(watcher, pr, login, err->text);
    return 0;
}

static int take(struct watcher *watcher, const struct watched_word *word, const char *login,
                struct err *err)
{
    struct watched_jobs jobs;
    char what[160];
    if (watched_take_word(&watcher->watched, word, &jobs, err) != 0)
        return -1;
    snprintf(what, sizeof what, "#%d again, by the word of %s", word->pr, login);
    watcher_tell_jobs(watcher, &jobs, what);
    return 0;
}

/* ---- labels ---- */

/* GitHub is asked who put it on where the pull request has changed since that was asked last: to put it on
 * again is one change. */
int watcher_see_label(struct watcher *watcher, const struct github_pull *pull, struct err *err)
{
    struct watched_word word = {.pr = pull->number};
    char login[GITHUB_LOGIN_BYTES], when[GITHUB_TIME_BYTES], last[32], why[128];
    bool same = false, may_write = false;
    if (!github_has_label(pull, LABEL_RUN))
        return 0;
    if (watched_label(&watcher->watched, pull->number, pull->updated, &same, last, err) != 0)
        return -1;
    if (same)
        return 0;
    if (github_who_labeled(&watcher->github, pull->number, LABEL_RUN, login, when, &may_write,
                           err) != 0) {
        if (pass_over(watcher, pull->number, "whoever put the label on", err) != 0)
            return -1;
    } else if (strcmp(when, last) > 0) {
        memcpy(word.head, pull->head, sizeof word.head);
        word.labeled = when;
        if (!may_write)
            say(watcher, pull->number, login, "they may not write to the repository");
        else if (!may_run(watcher, pull, "", why))
            say(watcher, pull->number, login, why);
        else if (take(watcher, &word, login, err) != 0)
            return -1;
    }
    return watched_see_label(&watcher->watched, pull->number, pull->updated, err);
}

/* ---- comments ---- */

struct words {
    struct github_remark list[WORDS_MAX]; /* the oldest of them, newest first */
    size_t count;
    long long newest; /* id of any comment; -1: there is none */
    bool left;        /* some newer ones did not fit */
};

static bool is_word(const struct github_remark *remark, char sha[MODEL_SHA_BYTES])
{
    return command_is_run(remark->line, sha) && remark->pr != 0;
}

static void add_word(struct words *words, const struct github_remark *remark)
{
    char ignored[MODEL_SHA_BYTES];
    if (!is_word(remark, ignored) || remark->edited || remark->login[0] == '\0')
        return;
    if (words->count == WORDS_MAX) {
        memmove(words->list, words->list + 1, (WORDS_MAX - 1) * sizeof *words->list);
        words->count--;
        words->left = true;
    }
    words->list[words->count++] = *remark;
}

/* Page after page, until a comment that was seen. A new one moves the others on: those that were
 * just read are skipped. */
static int read_words(struct watcher *watcher, long long seen, struct github_known *first,
                      bool *changed, struct words *words, struct err *err)
{
    long long oldest = 0;
    struct github_known known = *first;
    for (unsigned page = 1;; page++) {
        struct github_remarks *remarks = &watcher->page;
        if (github_list_remarks(&watcher->github, page, &known, changed, remarks, err) != 0)
            return -1;
        if (page == 1)
            *first = known;
        if (!*changed)
            return 0;
        for (size_t i = 0; i < remarks->count; i++) {
            const struct github_remark *remark = &remarks->list[i];
            if (words->newest < remark->id)
                words->newest = remark->id;
            if (remark->id <= seen || seen < 0)
                return 0;
            if (oldest == 0 || remark->id < oldest)
                add_word(words, remark);
            oldest = remark->id;
        }
        if (!known.more)
            return 0;
        known = (struct github_known){.etag = ""};
    }
}

/* Of several the last, if all may write, else the first who may not. */
static int ask_who(struct watcher *watcher, const char *const *logins, const char **who,
                   bool *may_write, struct err *err)
{
    *may_write = true;
    for (; *logins != NULL && *may_write; logins++) {
        *who = *logins;
        *may_write = (*logins)[0] != '\0';
        if (*may_write && github_may_write(&watcher->github, *logins, may_write, err) != 0)
            return -1;
    }
    return 0;
}

int watcher_hear(struct watcher *watcher, struct watched_word *word, const char *const *logins,
                 const char *sha, bool *taken, struct err *err)
{
    struct github_pull pull;
    char why[128];
    const char *who = "";
    bool may_write = false;
    *taken = false;
    if (ask_who(watcher, logins, &who, &may_write, err) != 0 ||
        (may_write && github_get_pull(&watcher->github, word->pr, &pull, err) != 0))
        return pass_over(watcher, word->pr, who, err);
    if (!may_write) {
        say(watcher, word->pr, who[0] == '\0' ? "a program, or of nobody" : who,
            "they may not write to the repository");
    } else if (!may_run(watcher, &pull, sha, why)) {
        say(watcher, word->pr, who, why);
    } else {
        memcpy(word->head, pull.head, sizeof word->head);
        *taken = true;
        return take(watcher, word, who, err);
    }
    return 0;
}

static int hear(struct watcher *watcher, const struct github_remark *remark, struct err *err)
{
    struct watched_word word = {.pr = remark->pr, .comment = remark->id};
    const char *const logins[] = {remark->login, NULL};
    char sha[MODEL_SHA_BYTES];
    bool taken = false;
    (void)is_word(remark, sha);
    if (watcher_hear(watcher, &word, logins, sha, &taken, err) != 0)
        return -1;
    return taken ? 0 : watched_see_comment(&watcher->watched, remark->id, err);
}

int watcher_look_at_words(struct watcher *watcher, struct err *err)
{
    struct github_known known = watcher->remarks;
    static struct words words;
    long long seen = -1;
    bool changed = false;
    words.count = 0;
    words.newest = 0;
    words.left = false;
    if (watched_comment(&watcher->watched, &seen, err) != 0 ||
        read_words(watcher, seen, &known, &changed, &words, err) != 0)
        return -1;
    for (size_t i = words.count; i > 0; i--)
        if (hear(watcher, &words.list[i - 1], err) != 0)
            return -1;
    if (!words.left && words.newest > seen &&
        watched_see_comment(&watcher->watched, words.newest, err) != 0)
        return -1;
    if (!words.left)
        watcher->remarks = known;
    return 0;
}
