/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet history`: the baseline's moves along first parents. Git is the database. */
#include "cli/cli.h"

#include "base/git.h"
#include "judge/baseline.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HISTORY_COMMITS_MAX = 100000 };

static void print_move(const struct git_commit_info *commit, const struct baseline *old,
                       const struct baseline *now)
{
    char when[32];
    time_t seconds = (time_t)commit->time;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%d", &utc);
    for (size_t i = 0; i < now->count; i++) {
        const struct baseline_config *entry = &now->configs[i];
        const struct baseline_config *before = baseline_find(old, entry->config.name);
        if (before != NULL && strcmp(before->recorded, entry->recorded) == 0)
            continue;
        printf("%.10s  %s  %-28s %-8s kernel %.10s%s%s\n", commit->sha, when,
               entry->config.name, entry->why, entry->commit,
               entry->who[0] != '\0' ? "  by " : "", entry->who);
    }
}

static int read_at(struct git_repo *repo, const char *sha, const char *path,
                   struct baseline *out, struct err *err)
{
    struct limits limits = limits_default();
    struct err problem = {0};
    BUF_AUTO text;
    buf_init(&text, limits.baseline_bytes);
    if (git_read_file(repo, sha, path, &text, &problem) != 0) {
        if (problem.class == ERR_NOT_FOUND)
            return 0;
        *err = problem;
        return -1;
    }
    return baseline_parse(text.data, text.len, path, &limits, out, err);
}

static int walk(struct git_repo *repo, const char *head, const char *folder, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct git_commit_info commit;
    if (file_path(path, err, "%s/baseline.json", folder) != 0 ||
        git_read_commit(repo, head, &commit, err) != 0)
        return -1;
    for (int i = 0; i < HISTORY_COMMITS_MAX && commit.parent_count > 0; i++) {
        const char *const paths[] = {path};
        bool differs;
        char first[256];
        struct git_commit_info parent;
        if (git_differs(repo, commit.parents[0], commit.sha, paths, 1, &differs, first, err) != 0)
            return -1;
        if (differs) {
            struct baseline old __attribute__((cleanup(baseline_free))) = {0};
            struct baseline now __attribute__((cleanup(baseline_free))) = {0};
            if (read_at(repo, commit.parents[0], path, &old, err) != 0 ||
                read_at(repo, commit.sha, path, &now, err) != 0)
                return -1;
            print_move(&commit, &old, &now);
        }
        if (git_read_commit(repo, commit.parents[0], &parent, err) != 0)
            return -1;
        commit = parent;
    }
    return 0;
}

int cli_history(int argc, char **argv, struct err *err)
{
    const char *path = ".", *device = "cpu", *head = "HEAD";
    const struct cli_option options[] = {{"repo", &path, NULL},
                                         {"device", &device, NULL},
                                         {"head", &head, NULL},
                                         {NULL, NULL, NULL}};
    char folder[FILE_PATH_BYTES], sha[GIT_SHA_BYTES], inside[FILE_PATH_BYTES];
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0)
        return -1;
    if (!model_name_ok(device))
        return err_set(err, ERR_USAGE, "--device: `%s` is not a slug", device);
    if (file_path(folder, err, "baselines/%s", device) != 0 ||
        file_path(inside, err, "%s/.git", path) != 0)
        return -1;
    if (access(inside, F_OK) != 0)
        return err_set(err, ERR_USAGE, "`%s` is not a git repository", path);
    GIT_AUTO *repo = NULL;
    if (git_open(path, &repo, err) != 0 || git_resolve(repo, head, sha, err) != 0)
        return -1;
    return walk(repo, sha, folder, err);
}
