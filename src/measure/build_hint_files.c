/* SPDX-License-Identifier: Apache-2.0 */
/* Of a build that failed: files under its paths that are not what their names say. A pointer of
 * Git LFS, a conflict marker that somebody committed, a link. */
#include "measure/build_hint.h"

#include "base/leftover.h"
#include "measure/checkout.h"

#include <stdio.h>
#include <string.h>

enum { MARKED_BYTES_MAX = 1 << 20, MARKED_MAX = 64 };

struct marked {
    const char *log;
    char hint[BUILD_HINT_BYTES];
    bool named; /* the log names the file of the hint */
    unsigned count;
};

/* What git left in a file, or NULL. */
static const char *leftover_of(const struct git_file *file, size_t *line)
{
    const char *leftover = leftover_find(file->bytes, file->len, line);
    if (leftover != NULL && /* no text, or a line drawn under a heading */
        (memchr(file->bytes, '\0', file->len) != NULL ||
         (file->bytes[0] != 'v' && memmem(file->bytes, file->len, "<<<<<<<", 7) == NULL)))
        return NULL;
    return leftover;
}

static int look_at_file(void *context, const struct git_file *file, struct err *err)
{
    struct marked *marked = context;
    size_t line;
    (void)err;
    if (file->bytes == NULL)
        return 0;
    const char *leftover = file->link ? NULL : leftover_of(file, &line);
    if ((leftover == NULL && !file->link) || marked->named || marked->count++ >= MARKED_MAX)
        return 0;
    bool named = strstr(marked->log, file->path) != NULL;
    if ((marked->hint[0] != '\0' || file->link) && !named)
        return 0;
    marked->named = named;
    if (file->link)
        snprintf(marked->hint, sizeof marked->hint,
                 "`%.250s` is a link, which a build does not follow", file->path);
    else
        snprintf(marked->hint, sizeof marked->hint, "`%.250s`, line %zu: %s", file->path, line,
                 leftover);
    return 0;
}

void build_hint_files(const struct build_request *request, const char *log,
                      char hint[BUILD_HINT_BYTES])
{
    struct marked marked = {.log = log};
    struct git_part part = {.paths = request->paths, .path_count = request->path_count};
    if (request->submodules != NULL) {
        part.submodules = request->submodules->list;
        part.submodule_count = request->submodules->count;
    }
    struct git_tree_limits limits = checkout_limits(request->limits);
    if (git_each_file(request->repo, request->commit, &part, &limits, MARKED_BYTES_MAX,
                      look_at_file, &marked, NULL) == 0)
        memcpy(hint, marked.hint, sizeof marked.hint);
}
