/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which metrics of a profiler moved, and the line of words about them. */
#include "judge/counters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double least_share = 0.05; /* of the larger reading */
/* In the unit itself: profilers read a few of everything. */
static const double least[] = {[METRIC_BYTES] = 65536,
                               [METRIC_COUNT] = 1000,
                               [METRIC_PERCENT] = 2,
                               [METRIC_CYCLES] = 0.25};

static double larger_of(const struct metric_pair *pair)
{
    return pair->head > pair->against ? pair->head : pair->against;
}

/* From 0 to 1: of the larger reading. */
static double moved_by(const struct metric_pair *pair)
{
    double larger = larger_of(pair);
    double smaller = pair->head > pair->against ? pair->against : pair->head;
    return larger > 0 ? (larger - smaller) / larger : 0;
}

static bool has_moved(const struct metric_pair *pair)
{
    double share = moved_by(pair);
    return share >= least_share && share * larger_of(pair) >= least[metric_unit(pair->metric)];
}

/* Those that moved most first; among equals in the order of the table. */
static int by_movement(const void *left, const void *right)
{
    const struct metric_pair *a = left, *b = right;
    double by_a = moved_by(a), by_b = moved_by(b);
    if (by_a != by_b)
        return by_a > by_b ? -1 : 1;
    return a->metric < b->metric ? -1 : a->metric > b->metric;
}

static void put_line(struct buf *out, const struct metric_change *change, const char *who)
{
    char head[METRIC_AMOUNT_BYTES], against[METRIC_AMOUNT_BYTES];
    const struct metric_pair *most = &change->moved[0];
    if (change->count == 0) {
        buf_addf(out, "head and %s are alike in all that was counted", who);
        return;
    }
    buf_addf(out, "head %s %s, %s %s", metric_amount(head, most->metric, most->head),
             metric_words(most->metric), who,
             metric_amount(against, most->metric, most->against));
}

void counters_compare(const struct metric_readings *head,
                      const struct metric_readings *against, const char *who,
                      struct metric_change *out)
{
    *out = (struct metric_change){.line = ""};
    for (int metric = 0; metric < METRICS; metric++) {
        const struct metric_pair pair = {(enum metric)metric, head->values[metric],
                                         against->values[metric]};
        if (isnan(pair.head) || isnan(pair.against))
            continue;
        if (has_moved(&pair))
            out->moved[out->count++] = pair;
        else
            out->alike++;
    }
    if (out->count + out->alike == 0)
        return;
    if (out->count > 1)
        qsort(out->moved, out->count, sizeof out->moved[0], by_movement);
    BUF_AUTO line;
    buf_init(&line, METRIC_LINE_BYTES - 1);
    put_line(&line, out, who);
    memcpy(out->line, line.data, line.len + 1);
}
