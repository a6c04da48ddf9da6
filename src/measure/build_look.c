/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the looking up of a word in a commit's tree. */
#include "measure/build_look.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

void look_free(struct look *look)
{
    git_lookup_close(&look->tree);
}

bool look_tree_path(const char *folder, const char *word, char out[WORD_BYTES])
{
    /* Where a build's worktree is, and where that really is: see sandbox.c. */
    static const char *const tops[] = {"/src/", "/build/src/"};
    char joined[2 * WORD_BYTES];
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        if (strncmp(word, tops[i], strlen(tops[i])) == 0) {
            folder = "";
            word += strlen(tops[i]);
            break;
        }
    }
    if (word[0] == '/' || strlen(word) >= WORD_BYTES)
        return false;
    snprintf(joined, sizeof joined, "%s/%s", folder, word);
    size_t used = 0;
    for (const char *at = joined; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len == 2 && at[0] == '.' && at[1] == '.') {
            while (used > 0 && out[--used] != '/')
                ;
        } else if (len > 0 && !(len == 1 && at[0] == '.')) {
            if (used + len + 2 > WORD_BYTES)
                return false;
            if (used > 0)
                out[used++] = '/';
            memcpy(out + used, at, len);
            used += len;
        }
        at += len + (at[len] == '/');
    }
    out[used] = '\0';
    return used > 0;
}

bool look_is_seen(const struct build_request *request, const char *path)
{
    for (size_t i = 0; i < request->path_count; i++)
        if (file_is_at_or_below(path, request->paths[i]) ||
            file_is_at_or_below(request->paths[i], path))
            return true;
    return file_is_at_or_below(request->output, path);
}

int look_outside(const struct look *look, const char *word, bool folders, char out[WORD_BYTES],
                 struct err *err)
{
    out[0] = '\0';
    for (size_t i = 0; i < look->folder_count; i++) {
        char path[WORD_BYTES];
        enum git_path_kind kind;
        if (!look_tree_path(look->folders[i], word, path))
            continue;
        if (git_lookup_path(look->tree, path, &kind, err) != 0)
            return -1;
        if (kind == GIT_PATH_ABSENT)
            continue;
        if (look_is_seen(look->request, path)) {
            out[0] = '\0';
            return 0;
        }
        if ((kind != GIT_PATH_FOLDER || folders) && out[0] == '\0')
            memcpy(out, path, sizeof path);
    }
    return 0;
}

void look_not_under(const char *path, char hint[BUILD_HINT_BYTES])
{
    snprintf(hint, BUILD_HINT_BYTES, "`%.250s`: not under [kernel] path", path);
}

bool look_next_word(const char **at, const char *ends, char word[WORD_BYTES])
{
    *at += strspn(*at, ends);
    size_t len = strcspn(*at, ends);
    snprintf(word, WORD_BYTES, "%.*s", (int)(len < WORD_BYTES ? len : WORD_BYTES - 1), *at);
    *at += len;
    return len > 0;
}
