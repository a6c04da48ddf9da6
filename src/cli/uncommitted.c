/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the line that tells of edits which are not committed, and so are not measured. */
#include "cli/cli.h"

#include "base/git.h"
#include "base/line.h"
#include "intake/config.h"
#include "pipeline/measurement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)GIT_UNCOMMITTED_PATHS_MAX > (int)MODEL_PATHS_MAX,
               "room for ci/ratchet.conf as well");

static void free_source(struct kernel_source **source)
{
    free(*source);
}

/* What a build of HEAD would read; none where its ci/ratchet.conf cannot say. */
static void read_source(struct git_repo *repo, const char *device, const struct limits *limits,
                        struct kernel_source *out)
{
    struct err ignored;
    char head[MODEL_SHA_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    if (git_resolve(repo, "HEAD", head, &ignored) != 0 ||
        git_read_file(repo, head, CONFIG_PATH, &text, &ignored) != 0 ||
        config_parse_source(text.data, text.len, CONFIG_PATH, device, limits, out, &ignored) !=
            0)
        out->path_count = 0;
}

static int look(const char *path, const char *device, const struct limits *limits,
                size_t *changed, char first[256], struct err *err)
{
    GIT_AUTO *repo = NULL;
    struct kernel_source *source
        __attribute__((cleanup(free_source))) = calloc(1, sizeof *source);
    const char *paths[GIT_UNCOMMITTED_PATHS_MAX] = {CONFIG_PATH};
    if (source == NULL)
        return err_set(err, ERR_HOST, "out of memory");
    if (git_open_existing(path, &repo, err) != 0)
        return -1;
    read_source(repo, device, limits, source);
    for (size_t i = 0; i < source->path_count; i++)
        paths[i + 1] = source->paths[i];
    return git_uncommitted(repo, paths, source->path_count + 1, changed, first, err);
}

void cli_note_uncommitted(const char *repo, const char *head, const char *device,
                          const struct limits *limits)
{
    struct err problem = {0}; /* also makes one line of a name */
    char first[256] = "", more[48] = "";
    size_t changed = 0;
    if (strcmp(head, "HEAD") != 0 && strcmp(head, "@") != 0)
        return; /* a commit that was named is what is meant */
    if (look(repo, device, limits, &changed, first, &problem) != 0) {
        line_err("ratchet: whether all is committed could not be told: %s", problem.text);
        return;
    }
    if (changed > 1)
        snprintf(more, sizeof more, " and %zu more", changed - 1);
    err_write(&problem, ERR_NONE,
              "not committed, and so not looked at: `%s`%s (HEAD is taken)", first, more);
    if (changed > 0)
        line_err("ratchet: %s", problem.text);
}
