/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what of somebody's work tree is not in the commit that is checked out. */
#include "base/git_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_list(git_status_list **list)
{
    git_status_list_free(*list);
}

static void free_names(char (**names)[GITLIB_PATH_BYTES])
{
    free(*names);
}

static const char *path_of(const git_status_entry *entry)
{
    const git_diff_delta *delta = entry->index_to_workdir != NULL ? entry->index_to_workdir
                                                                  : entry->head_to_index;
    return delta == NULL ? "" : delta->new_file.path;
}

/* Names for libgit2, clean; *all where one of them is the whole tree. */
static int clean_names(const char *const *paths, size_t count,
                       char (*names)[GITLIB_PATH_BYTES], char **strings, bool *all,
                       struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (gitlib_clean_path(paths[i], names[i], GITLIB_PATH_BYTES, err) != 0)
            return -1;
        strings[i] = names[i];
        *all = *all || names[i][0] == '\0';
    }
    return 0;
}

int git_uncommitted(struct git_repo *repo, const char *const *paths, size_t count,
                    size_t *changed, char first[256], struct err *err)
{
    git_repository *lib;
    __attribute__((cleanup(free_list))) git_status_list *list = NULL;
    char(*names)[GITLIB_PATH_BYTES]
        __attribute__((cleanup(free_names))) = calloc(count + 1, sizeof *names);
    char *strings[GIT_UNCOMMITTED_PATHS_MAX];
    bool all = false;
    *changed = 0;
    if (names == NULL || count > GIT_UNCOMMITTED_PATHS_MAX)
        return err_set(err, ERR_HOST, "out of memory for %zu paths", count);
    if (gitlib_repo(repo, &lib, err) != 0 ||
        clean_names(paths, count, names, strings, &all, err) != 0)
        return -1;
    if (git_repository_is_bare(lib))
        return 0;
    git_status_options options = {.version = GIT_STATUS_OPTIONS_VERSION,
                                  .flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED |
                                           GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                                           GIT_STATUS_OPT_DISABLE_PATHSPEC_MATCH};
    if (!all)
        options.pathspec = (git_strarray){strings, count};
    git_error_clear();
    int code = git_status_list_new(&list, lib, &options);
    if (code < 0)
        return gitlib_error(err, code, "cannot compare %s with its HEAD", repo->path);
    *changed = git_status_list_entrycount(list);
    if (*changed > 0)
        snprintf(first, 256, "%s", path_of(git_status_byindex(list, 0)));
    return 0;
}
