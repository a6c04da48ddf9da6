/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the last line of the terminal while something is measured. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, TEXT_WIDTH = 44 };

void progress_begin(struct progress *progress, bool quiet)
{
    *progress = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1};
}

static void draw(const struct progress *progress, const char *line)
{
    size_t full = progress->all == 0 ? 0 : BAR_WIDTH * progress->done / progress->all;
    full = full > BAR_WIDTH ? BAR_WIDTH : full;
    fprintf(stderr, "\r[%.*s%.*s] %zu/%zu %-*.*s", (int)full, "##############################",
            (int)(BAR_WIDTH - full), "..............................", progress->done,
            progress->all, TEXT_WIDTH, TEXT_WIDTH, line);
    fflush(stderr);
}

void progress_show(void *context, const struct progress_event *event)
{
    struct progress *progress = context;
    progress->done += event->kind == PROGRESS_REPLICATE;
    if (progress->quiet)
        return;
    if (progress->terminal && progress->all > 0)
        draw(progress, event->text);
    else
        fprintf(stderr, "ratchet: %s\n", event->text);
}

/* The bar goes, the terminal is as it was. */
void progress_end(struct progress *progress)
{
    if (progress->terminal && !progress->quiet && progress->all > 0)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + TEXT_WIDTH + 20, "");
    progress->all = 0;
}
