/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the memory of a history, and how its times and costs are written. */
#include "lab/history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void history_free(struct history *history)
{
    for (size_t i = 0; i < history->check_count; i++)
        free(history->checks[i].readings);
    free(history->moves);
    free(history->checks);
    free(history->months);
    free(history->notes);
    *history = (struct history){0};
}

/* Room for one element more, doubling; NULL with err set. */
static void *grown(void *list, size_t count, size_t size, struct err *err)
{
    if ((count & (count + 1)) != 0) /* not at 0, 1, 3, 7, …: there is room */
        return list;
    void *more = realloc(list, (2 * count + 1) * size);
    if (more == NULL)
        err_set(err, ERR_HOST, "out of memory for a history");
    return more;
}

int history_note(struct history *history, struct err *err, const char *format, ...)
{
    if (history->note_count == HISTORY_NOTES_MAX) {
        history->notes_left_out++;
        return 0;
    }
    void *list = grown(history->notes, history->note_count, sizeof *history->notes, err);
    if (list == NULL)
        return -1;
    va_list args;
    va_start(args, format);
    history->notes = list;
    vsnprintf(history->notes[history->note_count++], sizeof *history->notes, format, args);
    va_end(args);
    return 0;
}

struct history_move *history_add_move(struct history *history, struct err *err)
{
    void *list = grown(history->moves, history->move_count, sizeof *history->moves, err);
    if (list == NULL)
        return NULL;
    history->moves = list;
    struct history_move *move = &history->moves[history->move_count++];
    *move = (struct history_move){0};
    return move;
}

struct history_check *history_add_check(struct history *history, struct err *err)
{
    void *list = grown(history->checks, history->check_count, sizeof *history->checks, err);
    if (list == NULL)
        return NULL;
    history->checks = list;
    struct history_check *check = &history->checks[history->check_count++];
    *check = (struct history_check){0};
    return check;
}

/* ---- in words ---- */

const char *history_day(long long time, char out[UTC_BYTES])
{
    utc_text(out, time);
    out[strlen("2026-11-21")] = '\0';
    return out;
}

const char *history_seconds(const struct history *history, unsigned long long ms,
                            char out[HISTORY_COST_BYTES])
{
    snprintf(out, HISTORY_COST_BYTES, "%.1f %s-seconds", (double)ms / 1e3,
             device_is_gpu(history->device) ? "GPU" : "device");
    return out;
}

const char *history_money(unsigned long long micro, const char *currency,
                          char out[HISTORY_COST_BYTES])
{
    snprintf(out, HISTORY_COST_BYTES, "%llu.%06llu %s", micro / 1000000, micro % 1000000,
             currency);
    return out;
}

void history_month_text(const struct history *history, const struct history_month *month,
                        struct buf *out)
{
    char text[HISTORY_COST_BYTES];
    size_t told = month->checks - month->untold;
    buf_addf(out, "%zu check%s", month->checks, month->checks == 1 ? "" : "s");
    const char *before = " (";
    for (int verdict = VERDICT_REGRESSED; verdict >= 0; verdict--) {
        if (month->of_verdict[verdict] == 0)
            continue;
        buf_addf(out, "%s%zu %s", before, month->of_verdict[verdict],
                 verdict_name((enum verdict)verdict));
        before = ", ";
    }
    buf_addc(out, ')');
    if (month->again > 0)
        buf_addf(out, ", %zu of a head checked before", month->again);
    if (told > 0)
        buf_addf(out, "; %s", history_seconds(history, month->device_ms, text));
    for (size_t i = 0; i < month->cost_count; i++)
        buf_addf(out, ", %s",
                 history_money(month->costs[i].micro, month->costs[i].currency, text));
    if (month->unpriced > 0)
        buf_addf(out, "; %zu %s no price (%s)", month->unpriced,
                 month->unpriced == 1 ? "has" : "have",
                 history_seconds(history, month->unpriced_ms, text));
    if (month->untold > 0)
        buf_addf(out, "; %zu tell%s no time", month->untold, month->untold == 1 ? "s" : "");
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    const struct history_series *x = a, *y = b;
    int order = strcmp(x->config, y->config);
    return order != 0 ? order : strcmp(x->protocol, y->protocol);
}

size_t history_times_max(const struct history *history)
{
    size_t most = history->move_count;
    for (size_t i = 0; i < history->check_count; i++)
        most += history->checks[i].count;
    return most;
}

/* Equal ones stand together: keep one of each. */
static size_t keep_each(struct history_series *list, size_t found)
{
    size_t kept = 0;
    for (size_t i = 0; i < found; i++) {
        if (kept > 0 && by_name(&list[kept - 1], &list[i]) == 0)
            continue;
        bool another = kept > 0 && strcmp(list[kept - 1].config, list[i].config) == 0;
        if (another)
            list[kept - 1].alone = false;
        list[kept] = list[i];
        list[kept++].alone = !another;
    }
    return kept;
}

int history_series(const struct history *history, struct history_series **list, size_t *count,
                   struct err *err)
{
    size_t found = 0;
    struct history_series *all = calloc(history_times_max(history) + 1, sizeof *all);
    if (all == NULL)
        return err_set(err, ERR_HOST, "out of memory for a history");
    for (size_t i = 0; i < history->move_count; i++)
        if (history->moves[i].ns > 0)
            all[found++] = (struct history_series){history->moves[i].config,
                                                   history->moves[i].protocol, false};
    for (size_t i = 0; i < history->check_count; i++)
        for (size_t j = 0; j < history->checks[i].count; j++)
            if (history->checks[i].readings[j].ns > 0)
                all[found++] = (struct history_series){history->checks[i].readings[j].config,
                                                       history->checks[i].protocol, false};
    qsort(all, found, sizeof *all, by_name);
    *count = keep_each(all, found);
    *list = all;
    return 0;
}

bool history_is_of(const struct history_series *series, const char *config,
                   const char *protocol)
{
    return strcmp(series->config, config) == 0 && strcmp(series->protocol, protocol) == 0;
}

const char *history_title(const struct history_series *series, char out[HISTORY_TITLE_BYTES])
{
    snprintf(out, HISTORY_TITLE_BYTES, "%s%s%s", series->config,
             series->alone                 ? ""
             : series->protocol[0] == '\0' ? ", measuring protocol not told"
                                           : ", measuring protocol ",
             series->alone ? "" : series->protocol);
    return out;
}

const char *history_break(const struct history_move *move, char out[HISTORY_TITLE_BYTES])
{
    snprintf(out, HISTORY_TITLE_BYTES, "measuring protocol %s → %s", move->before,
             move->protocol);
    return out;
}
