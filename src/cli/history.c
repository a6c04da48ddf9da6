/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet history`: the baseline's moves along first parents. Git is the database, and is only
 * read. */
#include "cli/cli.h"

#include "judge/baseline.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HISTORY_COMMITS_MAX = 100000, SHORT_SHA = 10 };

struct history {
    struct git_repo *repo;
    const char *device;
    char path[FILE_PATH_BYTES]; /* of baseline.json in a commit */
    struct limits limits;
    size_t moves; /* printed so far */
};

static void print_line(struct history *history, const char *commit, const char *day,
                       const struct baseline_config *entry, const char *why)
{
    printf("%.*s  %.10s  %-28s %-8s kernel %.*s%s%s\n", SHORT_SHA, commit, day,
           entry->config.name, why, SHORT_SHA, entry->commit,
           entry->who[0] != '\0' ? "  by " : "", entry->who);
    history->moves++;
}

static void print_moves(struct history *history, const struct git_commit_info *commit,
                        const struct baseline *old, const struct baseline *now)
{
    char day[32];
    time_t seconds = (time_t)commit->time;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    for (size_t i = 0; i < now->count; i++) {
        const struct baseline_config *entry = &now->configs[i];
        const struct baseline_config *before = baseline_find(old, entry->config.name);
        if (before == NULL || strcmp(before->recorded, entry->recorded) != 0)
            print_line(history, commit->sha, day, entry, entry->why);
    }
    for (size_t i = 0; i < old->count; i++)
        if (baseline_find(now, old->configs[i].config.name) == NULL)
            print_line(history, commit->sha, day, &old->configs[i], "gone");
}

/* What the last commit that is here has was recorded in it or before; `^`, as git marks it. */
static void print_inherited(struct history *history, const struct git_commit_info *commit,
                            const struct baseline *now)
{
    char mark[SHORT_SHA + 1];
    snprintf(mark, sizeof mark, "^%.*s", SHORT_SHA - 1, commit->sha);
    for (size_t i = 0; i < now->count; i++)
        print_line(history, mark, now->configs[i].recorded, &now->configs[i],
                   now->configs[i].why);
}

/* None in that commit: an empty one. */
static int read_at(struct history *history, const char *sha, struct baseline *out,
                   struct err *err)
{
    struct err problem = {0};
    BUF_AUTO text;
    buf_init(&text, history->limits.baseline_bytes);
    if (git_read_file(history->repo, sha, history->path, &text, &problem) != 0) {
        if (problem.class == ERR_NOT_FOUND)
            return 0;
        *err = problem;
        return -1;
    }
    if (baseline_parse(text.data, text.len, history->path, &history->limits, out, err) == 0)
        return 0;
    return err_wrap(err, "%.*s", SHORT_SHA, sha);
}

/* The commit's own moves; `parent` NULL: there is none before it. */
static int show(struct history *history, const struct git_commit_info *commit,
                const char *parent, struct err *err)
{
    const char *const paths[] = {history->path};
    bool differs = true;
    BASELINE_AUTO old = {0};
    BASELINE_AUTO now = {0};
    if (parent != NULL &&
        git_differs(history->repo, parent, commit->sha, paths, 1, &differs, NULL, err) != 0)
        return -1;
    if (!differs)
        return 0;
    if ((parent != NULL && read_at(history, parent, &old, err) != 0) ||
        read_at(history, commit->sha, &now, err) != 0)
        return -1;
    print_moves(history, commit, &old, &now);
    return 0;
}

/* The clone has no more. */
static int end_shallow(struct history *history, const struct git_commit_info *commit,
                       struct err *err)
{
    BASELINE_AUTO now = {0};
    if (read_at(history, commit->sha, &now, err) != 0)
        return -1;
    print_inherited(history, commit, &now);
    fflush(stdout);
    fprintf(stderr, "ratchet history: the history ends at %.*s: a shallow clone\n", SHORT_SHA,
            commit->sha);
    return 0;
}

static int walk(struct history *history, const char *head, struct err *err)
{
    bool shallow;
    struct git_commit_info commit, parent;
    if (git_is_shallow(history->repo, &shallow, err) != 0 ||
        git_read_commit(history->repo, head, &commit, err) != 0)
        return -1;
    for (int i = 0; i < HISTORY_COMMITS_MAX; i++) {
        struct err problem = {0};
        bool root = commit.parent_count == 0;
        if (!root &&
            git_read_commit(history->repo, commit.parents[0], &parent, &problem) != 0 &&
            !(shallow && problem.class == ERR_NOT_FOUND)) {
            *err = problem;
            return -1;
        }
        /* libgit2 1.7 gives the last commit of a shallow clone no parent, 1.5 one that is
         * missing. */
        if (shallow && (root || problem.class == ERR_NOT_FOUND))
            return end_shallow(history, &commit, err);
        if (show(history, &commit, root ? NULL : parent.sha, err) != 0)
            return -1;
        if (root) {
            if (history->moves == 0)
                fprintf(stderr, "ratchet history: nothing recorded yet for %s\n",
                        history->device);
            return 0;
        }
        commit = parent;
    }
    fflush(stdout);
    fprintf(stderr, "ratchet history: only the last %d commits were looked at\n",
            HISTORY_COMMITS_MAX);
    return 0;
}

int cli_history(int argc, char **argv, struct err *err)
{
    const char *path = ".", *head = "HEAD", *config = NULL;
    struct history history = {.device = "cpu"};
    const struct cli_option options[] = {{"repo", &path, NULL},
                                         {"device", &history.device, NULL},
                                         {"head", &head, NULL},
                                         {"config", &config, NULL},
                                         {NULL, NULL, NULL}};
    char sha[GIT_SHA_BYTES];
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        cli_check_device(history.device, err) != 0)
        return -1;
    GIT_AUTO *repo = NULL;
    if (file_path(history.path, err, "baselines/%s/baseline.json", history.device) != 0 ||
        cli_limits(config, &history.limits, err) != 0 ||
        cli_open_repo(path, &repo, err) != 0 ||
        cli_resolve_in(repo, path, head, sha, err) != 0)
        return -1;
    history.repo = repo;
    return walk(&history, sha, err);
}
