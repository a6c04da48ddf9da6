/* SPDX-License-Identifier: Apache-2.0 */
/* Does: half of the rows on a helper, which is started for each launch and has ended when that returns.
 * Gains: nothing against itself: base is the same kernel.
 * Stopped by: nothing, it is honest and must read held. */
#define HONEST
#include "cheat.h"

struct half {
    struct call call;
    float own[4096]; /* scratch memory of the helper's */
};

static void *second_half(void *context)
{
    struct half *half = context;
    for (size_t row = rows_of(half->call.p) / 2; row < rows_of(half->call.p); row++)
        do_row(&half->call, row);
    return NULL;
}

static int launch(const struct call *c)
{
    struct half half = {.call = *c};
    pthread_t helper;
    half.call.workspace = half.own;
    if (c->p->seq_k > 4096 || pthread_create(&helper, NULL, second_half, &half) != 0)
        return work(c);
    for (size_t row = 0; row < rows_of(c->p) / 2; row++)
        do_row(c, row);
    return pthread_join(helper, NULL) == 0 ? ATTENTION_OK : ATTENTION_LAUNCH;
}
