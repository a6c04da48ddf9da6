/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the last line of the terminal while something is measured. */
#include "cli/progress.h"

#include "model.h"

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
    char line[MODEL_TEXT_BYTES + PROGRESS_TEXT_BYTES], left[PROGRESS_TEXT_BYTES];
    progress->done += event->kind == PROGRESS_REPLICATE;
    if (progress->quiet || event->text[0] == '\0')
        return;
    progress_left(&event->now, left);
    bool told = left[0] == '\0' || event->kind == PROGRESS_VERDICT;
    if (progress->terminal && progress->all > 0) {
        snprintf(line, sizeof line, "%s%s%s", told ? "" : left, told ? "" : ": ", event->text);
        draw(progress, line);
        return;
    }
    told = told || strcmp(left, progress->left) == 0; /* not again on every line */
    fprintf(stderr, "ratchet: %s%s%s\n", event->text, told ? "" : "; ", told ? "" : left);
    if (!told)
        memcpy(progress->left, left, sizeof left);
}

/* The bar goes, the terminal is as it was. */
void progress_end(struct progress *progress)
{
    if (progress->terminal && !progress->quiet && progress->all > 0)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + TEXT_WIDTH + 20, "");
    progress->all = 0;
}
