/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a timer of its own continues it (SIGCONT) while it is stopped, and a thread does the work of launches to come,
 * for every set of inputs that was seen; a launch copies.
 * Gains: nearly everything, where a stop is all there is.
 * Stopped by: a library has no timers; and the kernel tells the harness whose process went on. */
#include "cheat.h"

#include <signal.h>

enum { SETS = 64, FLOATS = 1 << 14 };
static struct set {
    struct call call;
    int ready;
    float out[FLOATS], lse[FLOATS], scratch[FLOATS];
} *sets[SETS];
static volatile size_t count;

static void *works_ahead(void *unused)
{
    for (;; usleep(50))
        for (size_t i = 0; i < count; i++) {
            struct call call = sets[i]->call;
            call.out = sets[i]->out;
            call.lse = sets[i]->lse;
            call.workspace = sets[i]->scratch;
            work(&call);
            __atomic_store_n(&sets[i]->ready, 1, __ATOMIC_RELEASE);
        }
    return unused;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
    const struct itimerspec often = {.it_value = {0, 200000}, .it_interval = {0, 200000}};
    pthread_create(&thread, NULL, works_ahead, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &often, NULL);
}

static int launch(const struct call *c)
{
    size_t i = 0, floats = rows_of(c->p) * (size_t)c->p->head_dim;
    while (i < count && sets[i]->call.q != c->q)
        i++;
    if (floats > FLOATS || c->lse == NULL || !is_timed(c))
        return work(c);
    if (i == count && i < SETS && (sets[i] = calloc(1, sizeof *sets[0])) != NULL) {
        sets[i]->call = *c;
        sets[i]->call.p = memcpy(malloc(sizeof *c->p), c->p, sizeof *c->p);
        count = i + 1;
    }
    if (i >= count || !__atomic_load_n(&sets[i]->ready, __ATOMIC_ACQUIRE))
        return work(c);
    pad(c);
    memcpy(c->out, sets[i]->out, floats * sizeof(float));
    memcpy(c->lse, sets[i]->lse, rows_of(c->p) * sizeof(float));
    return ATTENTION_OK;
}
