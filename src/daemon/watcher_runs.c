/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which runs of Actions are looked at, and that each attempt is heard once. What is run is GitHub's own
 * machines' affair: of a run its name, and who started it, is all that is read. */
#include "daemon/watcher_words.h"

#include "base/line.h"

#include <stdio.h>
#include <string.h>

enum { RUN_PAGES = 8 }; /* of new runs that are read in one look */

struct runs {
    struct github_run list[RUN_PAGES * GITHUB_PAGE]; /* newest first */
    size_t count;
};

/* A run that starts meanwhile moves the others on: one may be on two pages. */
static void add(struct runs *runs, const struct github_runs *page)
{
    for (size_t i = 0; i < page->count; i++)
        if (runs->count == 0 || page->list[i].id < runs->list[runs->count - 1].id)
            runs->list[runs->count++] = page->list[i];
}

/* Page after page, as long as all that it shows is news. */
static int read_runs(struct watcher *watcher, struct github_known *first, bool *changed,
                     struct runs *runs, struct err *err)
{
    static struct github_runs page;
    struct github_known known = *first;
    for (unsigned number = 1; number <= RUN_PAGES; number++) {
        if (github_list_runs(&watcher->github, number, &known, changed, &page, err) != 0)
            return -1;
        if (number == 1)
            *first = known;
        if (!*changed)
            return 0;
        add(runs, &page);
        const struct github_run *last = page.count == 0 ? NULL : &page.list[page.count - 1];
        int news = last == NULL || !known.more
                       ? 0
                       : watched_run_is_news(&watcher->watched,
                                             &(struct watched_run){last->id, last->attempt},
                                             err);
        if (news <= 0)
            return news;
        known = (struct github_known){.etag = ""};
    }
    return 0;
}

static int hear(struct watcher *watcher, const struct github_run *run, struct err *err)
{
    const char *const logins[] = {run->actor, run->again, NULL};
    struct watched_word word = {.run = {run->id, run->attempt}};
    char sha[MODEL_SHA_BYTES];
    bool taken = false;
    int news = watched_run_is_news(&watcher->watched, &word.run, err);
    if (news < 0 || (news > 0 && command_names_pull(run->name, &word.pr, sha) &&
                     watcher_hear(watcher, &word, logins, sha, &taken, err) != 0))
        return -1;
    return taken ? 0 : watched_see_run(&watcher->watched, &word.run, err);
}

/* All are heard in the order in which they began; those that are gone from the list are not run again. */
static int hear_all(struct watcher *watcher, const struct runs *runs, struct err *err)
{
    static struct watched_run seen[RUN_PAGES * GITHUB_PAGE];
    bool begun = false;
    for (size_t i = 0; i < runs->count; i++)
        seen[i] = (struct watched_run){runs->list[i].id, runs->list[i].attempt};
    if (watched_begin_runs(&watcher->watched, seen, runs->count, &begun, err) != 0)
        return -1;
    for (size_t i = begun ? 0 : runs->count; i > 0; i--)
        if (hear(watcher, &runs->list[i - 1], err) != 0)
            return -1;
    return runs->count == 0
               ? 0
               : watched_forget_runs(&watcher->watched, seen[runs->count - 1].id, err);
}

int watcher_look_at_runs(struct watcher *watcher, struct err *err)
{
    static struct runs runs;
    struct github_known known = watcher->runs;
    bool changed = false;
    runs.count = 0;
    if (watcher->no_runs)
        return 0;
    if (read_runs(watcher, &known, &changed, &runs, err) != 0) {
        if (watcher_may_pass(watcher, err))
            return -1;
        watcher->no_runs = true;
        watcher->trouble = (struct github_trouble){0};
        line_err("ratchetd: watch %s: runs of Actions are not looked at, which takes actions: "
                 "read: %s",
                 watcher->github.repository, err->text);
        return 0;
    }
    /* The first page may say "unchanged", the others are read only behind one that does not. */
    if ((changed || runs.count > 0) && hear_all(watcher, &runs, err) != 0)
        return -1;
    watcher->runs = known;
    return 0;
}
