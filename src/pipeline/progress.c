/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how figures of progress are said to people. */
#include "pipeline/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rounded up: seconds, then minutes, then hours. */
static void put_time(double seconds, char *out, size_t size)
{
    if (seconds < 120)
        snprintf(out, size, "%.0f s", ceil(seconds));
    else if (seconds < 120 * 60)
        snprintf(out, size, "%.0f min", ceil(seconds / 60));
    else
        snprintf(out, size, "%.1f h", ceil(seconds / 360) / 10);
}

void progress_left(const struct progress_figures *now, char out[PROGRESS_TEXT_BYTES])
{
    char least[32], most[32];
    out[0] = '\0';
    if (!(now->least_s >= 0 && now->most_s > 0))
        return;
    put_time(now->least_s, least, sizeof least);
    put_time(now->most_s, most, sizeof most);
    if (now->least_s <= 0)
        snprintf(out, PROGRESS_TEXT_BYTES, "up to %s left", most);
    else if (strcmp(least, most) == 0)
        snprintf(out, PROGRESS_TEXT_BYTES, "%s left", most);
    else
        snprintf(out, PROGRESS_TEXT_BYTES, "%s to %s left", least, most);
}

void progress_words(const struct progress_figures *now, char out[PROGRESS_TEXT_BYTES])
{
    static const char *const stages[] = {[STAGE_NONE] = "at work",
                                         [STAGE_BUILD] = "building",
                                         [STAGE_DEVICE] = "waiting for the device",
                                         [STAGE_MEASURE] = "measuring"};
    char left[PROGRESS_TEXT_BYTES];
    int used = snprintf(out, PROGRESS_TEXT_BYTES, "%s", stages[now->stage]);
    if (now->stage != STAGE_MEASURE || now->replicates_max == 0 || used < 0)
        return;
    size_t next = now->replicates < now->replicates_max ? now->replicates + 1
                                                        : now->replicates_max;
    progress_left(now, left);
    snprintf(out + used, PROGRESS_TEXT_BYTES - (size_t)used,
             ": replicate %zu of at most %zu, %zu config%s%s%s", next, now->replicates_max,
             now->configs, now->configs == 1 ? "" : "s", left[0] == '\0' ? "" : ", ", left);
}
