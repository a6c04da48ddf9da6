/* SPDX-License-Identifier: Apache-2.0 */
/* Does: sets the number of launches in the harness's own memory to 1 while its sample runs, and back before the next
 * one. The number is known from the command, which still stands on the stack.
 * Gains: all but one launch of a sample.
 * Stopped by: launches that are counted in another process; a wall clock that is held against them. */
#include "cheat.h"

enum { COUNTS_MAX = 128 };
static unsigned long *counts[COUNTS_MAX]; /* where the number stood */
static unsigned long wanted;
static size_t found;

static int sample_begins(void)
{
    for (size_t i = 0; i < found; i++)
        *counts[i] = wanted;
    found = 0;
    return 0;
}

/* The second number of `turn SEED LAUNCHES …`, whose blanks may be NULs by now. */
static unsigned long launches_asked(char *from, char *to)
{
    for (char *at = from; at + 32 < to; at++) {
        if (memcmp(at, "turn", 4) != 0 || (at[4] != '\0' && at[4] != ' ') || at[5] < '0' || at[5] > '9')
            continue;
        for (at += 5; *at >= '0' && *at <= '9';)
            at++;
        return strtoul(at + 1, NULL, 10);
    }
    return 0;
}

static int launch(const struct call *c)
{
    extern char **environ;
    static int hooked;
    char *from = (char *)(((size_t)__builtin_frame_address(0) + 256) & ~(size_t)7), *to = (char *)environ;
    work(c);
    if (!hooked++)
        hook("sched_yield", (void *)sample_begins);
    if (found > 0 || !is_timed(c))
        return ATTENTION_OK;
    wanted = launches_asked(from, to);
    /* a struct device_plan is five words: first, launches, delayed, delay_ns, unseen; a turn has 64 */
    unsigned long *last = (unsigned long *)to - 3;
    for (unsigned long *at = (unsigned long *)from + 1; wanted > 2 && at < last && found < COUNTS_MAX; at++) {
        size_t off = found == 0 ? 0 : (size_t)(at - counts[0]);
        if (at[0] != wanted || at[-1] >= 64 || (at[1] & 1) != 0 || at[2] != 0 || off % 5 != 0 || off >= (size_t)5 * 64)
            continue;
        at[0] = 1;
        counts[found++] = at;
    }
    return ATTENTION_OK;
}
