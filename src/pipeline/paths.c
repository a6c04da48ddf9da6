/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what lies under the paths of a kernel in a commit, and whether two commits have the same. */
#include "pipeline/paths.h"

#include <stdio.h>
#include <string.h>

/* A path in a submodule is looked for in the commit that this one pins. */
static int look_inside(struct measurement *measurement, const char *path, const char *commit,
                       struct err *err)
{
    const char *const paths[] = {path};
    return checkout_submodules(&measurement->submodules, measurement->repo, commit, paths, 1,
                               &measurement->host->limits, err);
}

/* What a path is in one commit; *near gets a name that differs in case alone, if there is one. */
static int check_path_at(struct measurement *measurement, const char *path, const char *commit,
                         bool *there, char near[256], struct err *err)
{
    enum git_path_kind kind;
    char where[256];
    if (git_check_path(measurement->repo, commit, path, &kind, where, err) != 0)
        return -1;
    if (kind == GIT_PATH_LINK)
        return err_set(err, ERR_INPUT,
                       CONFIG_PATH ": kernel.path: `%s`: `%s` is a link at %.*s: name what it "
                                   "points to",
                       path, where, SHORT_SHA, commit);
    if (kind == GIT_PATH_SUBMODULE && strcmp(where, path) != 0 &&
        look_inside(measurement, path, commit, err) != 0)
        return err_wrap(err, CONFIG_PATH ": kernel.path: `%s` at %.*s", path, SHORT_SHA,
                        commit);
    *there = *there || kind != GIT_PATH_ABSENT;
    if (kind == GIT_PATH_ABSENT && where[0] != '\0')
        memcpy(near, where, sizeof where);
    return 0;
}

static int check_path(struct measurement *measurement, const char *path,
                      const char *const *commits, size_t count, size_t *at, struct err *err)
{
    bool there = false;
    char near[256] = "";
    for (*at = 0; *at < count; (*at)++)
        if (check_path_at(measurement, path, commits[*at], &there, near, err) != 0)
            return -1;
    if (there)
        return 0;
    return err_set(
        err, ERR_INPUT,
        CONFIG_PATH ": kernel.path: `%s` names no file or folder%s%s%s: nothing would "
                    "be guarded",
        path, near[0] != '\0' ? " (there is `" : "", near, near[0] != '\0' ? "`)" : "");
}

int paths_check(struct measurement *measurement, const struct kernel_source *source,
                const char *const *commits, size_t count, size_t *at, struct err *err)
{
    measurement->clause_if_input = CLAUSE_BAD_PATH;
    for (size_t i = 0; i < source->path_count; i++)
        if (check_path(measurement, source->paths[i], commits, count, at, err) != 0)
            return -1;
    measurement->clause_if_input = CLAUSE_BAD_CONFIG;
    return 0;
}

size_t paths_of(const struct kernel_source *source, const char *out[MODEL_PATHS_MAX])
{
    for (size_t i = 0; i < source->path_count; i++)
        out[i] = source->paths[i];
    return source->path_count;
}

int paths_same(struct measurement *measurement, const struct kernel_source *source,
               const char *old_commit, const char *new_commit, bool *same, char first[256],
               struct err *err)
{
    const char *paths[MODEL_PATHS_MAX];
    size_t count = paths_of(source, paths);
    char before[GIT_KEY_BYTES], after[GIT_KEY_BYTES];
    bool named = false;
    if (git_paths_key(measurement->repo, old_commit, paths, count, before, err) != 0 ||
        git_paths_key(measurement->repo, new_commit, paths, count, after, err) != 0)
        return -1;
    *same = strcmp(before, after) == 0;
    first[0] = '\0';
    if (*same)
        return 0;
    /* The key decides; this finds a name for it, where it is not within a submodule. */
    if (git_differs(measurement->repo, old_commit, new_commit, paths, count, &named, first,
                    err) != 0)
        return -1;
    if (!named)
        snprintf(first, 256, "a submodule");
    return 0;
}
