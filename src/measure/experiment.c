/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the turns of an experiment: how long the anchor takes, then delays that are shares of it. */
#include "measure/experiment.h"

#include "base/proc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_ns(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What a sample of the anchor takes now: the median of a few turns without delays. */
static int time_anchor(const struct turns *given, double *sample_ns, struct turns_end *end,
                       struct err *err)
{
    enum { TURNS = 9 };
    struct bench_request request = *given->request;
    struct turns turns = *given;
    struct series entries[TURNS_ENTRIES_MAX] = {{0}};
    struct turns_marks marks = {0};
    request.samples = TURNS;
    turns.request = &request;
    turns.entries[turns.count++].arm = ARM_ANCHOR;
    int rc = turns_take(&turns, entries, &marks, end, err);
    struct series *taken = &entries[0];
    if (rc == 0) {
        qsort(taken->ns, taken->count, sizeof *taken->ns, compare_ns);
        *sample_ns = taken->ns[taken->count / 2] * (double)turns.launches;
    }
    free(taken->ns);
    return rc;
}

int experiment_take(const struct experiment *experiment, const struct turns *given,
                    struct slowed *out, struct turns_end *end, struct err *err)
{
    struct turns turns = *given;
    double sample_ns;
    turns.delays = true;
    if (time_anchor(&turns, &sample_ns, end, err) != 0)
        return -1;
    for (size_t i = 0; i < experiment->count; i++)
        turns.entries[turns.count++] = (struct turns_entry){
            experiment->entries[i].arm,
            (unsigned long long)llround(experiment->entries[i].slower * sample_ns)};
    uint64_t begin = proc_now_ns();
    struct turns_marks marks = {0};
    int rc = turns_take(&turns, out->entries, &marks, end, err);
    memcpy(out->clock, end->slopes, sizeof out->clock);
    out->marks |= marks.all;
    out->seconds = (double)(proc_now_ns() - begin) / 1e9;
    return rc;
}
