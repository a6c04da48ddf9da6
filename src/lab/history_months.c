/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the checks add up to: how often the same head was checked again, and what each month took. */
#include "lab/history.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool same_head(const struct history_check *a, const struct history_check *b)
{
    return a->head[0] != '\0' && a->kind == b->kind && strcmp(a->head, b->head) == 0 &&
           strcasecmp(a->repository, b->repository) == 0;
}

/* The month of a time that any file may claim. */
static void find_month(long long time, int *year, int *month)
{
    char day[UTC_BYTES];
    char *end;
    history_day(time, day);
    *year = (int)strtol(day, &end, 10);
    *month = (int)strtol(end + 1, NULL, 10);
}

/* A file may claim anything. */
static unsigned long long sum(unsigned long long a, unsigned long long b)
{
    return a > ULLONG_MAX - b ? ULLONG_MAX : a + b;
}

static void add_cost(struct history_month *month, const struct history_check *check)
{
    const struct price *price = &check->spent.price;
    size_t at = 0;
    while (at < month->cost_count && strcmp(month->costs[at].currency, price->currency) != 0)
        at++;
    if (price->currency[0] == '\0' || at == HISTORY_CURRENCIES_MAX) {
        month->unpriced++;
        month->unpriced_ms = sum(month->unpriced_ms, check->spent.device_ms);
        return;
    }
    if (at == month->cost_count) {
        month->cost_count++;
        memcpy(month->costs[at].currency, price->currency, sizeof month->costs[at].currency);
    }
    month->costs[at].micro = sum(month->costs[at].micro, check->cost_micro);
}

static void add_to_month(struct history_month *month, const struct history_check *check)
{
    month->checks++;
    month->again += check->again > 0;
    month->of_verdict[check->verdict]++;
    if (!check->spent.known) {
        month->untold++;
        return;
    }
    month->device_ms = sum(month->device_ms, check->spent.device_ms);
    add_cost(month, check);
}

int history_sum_up(struct history *history, struct err *err)
{
    history->months = calloc(history->check_count + 1, sizeof *history->months);
    if (history->months == NULL)
        return err_set(err, ERR_HOST, "out of memory for a history");
    for (size_t i = 0; i < history->check_count; i++) {
        struct history_check *check = &history->checks[i];
        int year, month;
        for (size_t j = 0; j < i; j++)
            check->again += same_head(&history->checks[j], check);
        find_month(check->time, &year, &month);
        struct history_month *last = history->month_count == 0
                                         ? NULL
                                         : &history->months[history->month_count - 1];
        if (last == NULL || last->year != year || last->month != month) {
            last = &history->months[history->month_count++];
            last->year = year;
            last->month = month;
        }
        add_to_month(last, check);
    }
    return 0;
}
