/* SPDX-License-Identifier: Apache-2.0 */
/* Does: supports() has the harness's sched_yield, which comes right before a sample's clock is read, do the work of
 * the launches to come, for every set of inputs that was seen; a launch copies.
 * Gains: nearly everything.
 * Stopped by: a clock in another process, which counts all of the time that an arm's process runs. */
#define PREPARE(problem) prepare()
static void prepare(void);
#include "cheat.h"

enum { SETS = 64, FLOATS = 1 << 16 };
static struct {
    struct call call;
    int ready;
    float out[FLOATS], lse[FLOATS];
} *sets[SETS];
static size_t count;
static float scratch[FLOATS];

static int sample_begins(void)
{
    for (size_t i = 0; i < count; i++) {
        struct call call = sets[i]->call;
        call.out = sets[i]->out;
        call.lse = sets[i]->lse;
        call.workspace = scratch;
        work(&call);
        sets[i]->ready = 1;
    }
    return 0;
}

static void prepare(void)
{
    static int hooked;
    if (!hooked++)
        hook("sched_yield", (void *)sample_begins);
}

static int launch(const struct call *c)
{
    size_t i = 0, floats = rows_of(c->p) * (size_t)c->p->head_dim;
    while (i < count && sets[i]->call.q != c->q)
        i++;
    if (floats > FLOATS || c->lse == NULL || !is_timed(c))
        return work(c);
    if (i == count) {
        if (count < SETS && (sets[count] = malloc(sizeof *sets[0])) != NULL) {
            sets[count]->ready = 0;
            sets[count]->call = *c;
            sets[count]->call.p = memcpy(malloc(sizeof *c->p), c->p, sizeof *c->p);
            count++;
        }
        return work(c);
    }
    if (!sets[i]->ready)
        return work(c);
    pad(c);
    memcpy(c->out, sets[i]->out, floats * sizeof(float));
    memcpy(c->lse, sets[i]->lse, rows_of(c->p) * sizeof(float));
    return ATTENTION_OK;
}
