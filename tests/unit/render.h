/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown rendered by a renderer that nobody here wrote: cmark-gfm, GitHub's own parser. */
#ifndef RATCHET_TESTS_RENDER_H
#define RATCHET_TESTS_RENDER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline bool render_available(void)
{
    return system("cmark-gfm --version >/dev/null 2>&1") == 0;
}

/* HTML of `markdown`, raw HTML kept so that it can be seen. */
static inline bool render(const char *markdown, size_t len, struct buf *html)
{
    char path[] = "/tmp/render.XXXXXX", command[128], chunk[4096];
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    bool ok = write(fd, markdown, len) == (ssize_t)len;
    close(fd);
    snprintf(command, sizeof command,
             "cmark-gfm --unsafe -e table -e autolink -e strikethrough %s", path);
    FILE *pipe = popen(command, "r");
    while (pipe != NULL) {
        size_t got = fread(chunk, 1, sizeof chunk, pipe);
        if (got == 0)
            break;
        buf_add(html, chunk, got);
    }
    ok = pipe != NULL && pclose(pipe) == 0 && ok && !html->failed;
    unlink(path);
    return ok;
}

static inline size_t render_count(const char *html, const char *what)
{
    size_t count = 0;
    for (const char *at = html; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

#endif
