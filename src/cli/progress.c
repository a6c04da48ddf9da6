/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the line says while something is measured. */
#include "cli/progress.h"

#include "base/line.h"
#include "base/proc.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 20 };

void progress_begin(struct progress *progress, bool quiet)
{
    *progress = (struct progress){.quiet = quiet, .terminal = terminal_is_live(STDERR_FILENO)};
}

/* "; 0.0123 USD so far": since measuring began. */
static void put_money(const struct progress *progress, char out[PROGRESS_TEXT_BYTES])
{
    double seconds = (double)(proc_now_ns() - progress->held_ns) / 1e9;
    out[0] = '\0';
    if (progress->held_ns != 0 && progress->price.currency[0] != '\0')
        snprintf(out, PROGRESS_TEXT_BYTES, "; %.4f %s so far",
                 price_micro_of(&progress->price, seconds) / 1e6, progress->price.currency);
}

static void draw(const struct progress *progress, const struct progress_event *event)
{
    char line[PROGRESS_SAID_BYTES + 2 * PROGRESS_TEXT_BYTES + 3 * BAR_WIDTH],
        bar[3 * BAR_WIDTH] = "";
    char words[PROGRESS_TEXT_BYTES], money[PROGRESS_TEXT_BYTES];
    if (progress->all > 0) {
        size_t full = BAR_WIDTH * progress->done / progress->all;
        full = full > BAR_WIDTH ? BAR_WIDTH : full;
        snprintf(bar, sizeof bar, "[%.*s%.*s] ", (int)full, "####################",
                 (int)(BAR_WIDTH - full), "....................");
    }
    progress_words(&event->now, words);
    put_money(progress, money);
    snprintf(line, sizeof line, "%s%s%s%s%s", bar, words, words[0] == '\0' ? "" : money,
             words[0] == '\0' || progress->said[0] == '\0' ? "" : "; ", progress->said);
    terminal_draw(line);
}

void progress_show(void *context, const struct progress_event *event)
{
    struct progress *progress = context;
    char left[PROGRESS_TEXT_BYTES], money[PROGRESS_TEXT_BYTES];
    if (progress->held_ns == 0 && event->now.stage == STAGE_MEASURE)
        progress->held_ns = proc_now_ns();
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
    put_money(progress, money);
    line_err("ratchet: %s%s%s%s", event->text, told ? "" : "; ", told ? "" : left,
             told && event->kind != PROGRESS_REPLICATE ? "" : money);
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
