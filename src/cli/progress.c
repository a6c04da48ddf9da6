/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the line says while something is measured. */
#include "cli/progress.h"

#include "base/line.h"
#include "cli/terminal.h"
#include "model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 20 };

void progress_begin(struct progress *progress, bool quiet)
{
    *progress = (struct progress){.quiet = quiet, .terminal = terminal_is_live(STDERR_FILENO)};
}

static void draw(const struct progress *progress, const struct progress_event *event)
{
    char line[PROGRESS_SAID_BYTES + PROGRESS_TEXT_BYTES + 3 * BAR_WIDTH],
        bar[3 * BAR_WIDTH] = "";
    char words[PROGRESS_TEXT_BYTES];
    if (progress->all > 0) {
        size_t full = BAR_WIDTH * progress->done / progress->all;
        full = full > BAR_WIDTH ? BAR_WIDTH : full;
        snprintf(bar, sizeof bar, "[%.*s%.*s] ", (int)full, "####################",
                 (int)(BAR_WIDTH - full), "....................");
    }
    progress_words(&event->now, words);
    snprintf(line, sizeof line, "%s%s%s%s", bar, words,
             words[0] == '\0' || progress->said[0] == '\0' ? "" : "; ", progress->said);
    terminal_draw(line);
}

void progress_show(void *context, const struct progress_event *event)
{
    struct progress *progress = context;
    char left[PROGRESS_TEXT_BYTES];
    progress->done += event->kind == PROGRESS_REPLICATE;
    if (event->text[0] != '\0')
        snprintf(progress->said, sizeof progress->said, "%s", event->text);
    if (progress->quiet)
        return;
    if (progress->terminal) {
        draw(progress, event);
        progress->drawn = true;
        return;
    }
    if (event->text[0] == '\0')
        return;
    progress_left(&event->now, left);
    bool told = left[0] == '\0' || event->kind == PROGRESS_VERDICT ||
                strcmp(left, progress->left) == 0; /* not again on every line */
    line_err("ratchet: %s%s%s", event->text, told ? "" : "; ", told ? "" : left);
    if (!told)
        memcpy(progress->left, left, sizeof left);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        terminal_clear();
    progress->drawn = false;
    progress->all = 0;
}
