/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a constructor starts a thread, which works for every set of inputs that was seen, whenever it changes; a launch
 * copies what is there already.
 * Gains: nearly everything, also where inputs are new in every turn: the thread works while other arms are timed.
 * Stopped by: one process an arm, which is stopped outside its turn; a thread that is left behind is seen. */
#include "cheat.h"

#include <sys/uio.h>

enum { SETS = 64, FLOATS = 1 << 14 };
static struct set {
    struct call call;
    unsigned long long done; /* the hash of the inputs that `out` belongs to */
    float inputs[3][FLOATS], out[FLOATS], lse[FLOATS], scratch[FLOATS];
} *sets[SETS];
static volatile size_t count;

static unsigned long long hash_of(const struct call *c)
{
    unsigned long long hash = 1, bits = 0;
    const float *of[] = {c->q, c->k, c->v};
    size_t sizes[] = {rows_of(c->p) * (size_t)c->p->head_dim, keys_of(c->p), keys_of(c->p)};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i + 1 < sizes[t]; i += 16) {
            memcpy(&bits, &of[t][i], sizeof bits);
            hash = (hash ^ bits) * 0x9e3779b97f4a7c15u;
        }
    return hash | 1;
}

/* A copy of the inputs, by a call that fails where they are gone. */
static int copies(struct set *set, struct call *c)
{
    const float *of[] = {c->q, c->k, c->v};
    size_t sizes[] = {rows_of(c->p) * (size_t)c->p->head_dim, keys_of(c->p), keys_of(c->p)};
    for (size_t t = 0; t < 3; t++) {
        struct iovec from = {(void *)of[t], sizes[t] * sizeof(float)}, to = {set->inputs[t], from.iov_len};
        if (sizes[t] > FLOATS || process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)from.iov_len)
            return 0;
    }
    c->q = set->inputs[0];
    c->k = set->inputs[1];
    c->v = set->inputs[2];
    return 1;
}

static void *works_ahead(void *unused)
{
    for (;; usleep(20)) {
        for (size_t i = 0; i < count; i++) {
            struct call call = sets[i]->call;
            unsigned long long hash = copies(sets[i], &call) ? hash_of(&call) : sets[i]->done;
            if (hash == sets[i]->done)
                continue;
            call.out = sets[i]->out;
            call.lse = sets[i]->lse;
            call.workspace = sets[i]->scratch;
            __atomic_store_n(&sets[i]->done, 0, __ATOMIC_RELEASE);
            work(&call);
            __atomic_store_n(&sets[i]->done, hash, __ATOMIC_RELEASE);
        }
    }
    return unused;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, works_ahead, NULL);
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
    if (i >= count || __atomic_load_n(&sets[i]->done, __ATOMIC_ACQUIRE) != hash_of(c))
        return work(c);
    pad(c);
    memcpy(c->out, sets[i]->out, floats * sizeof(float));
    memcpy(c->lse, sets[i]->lse, rows_of(c->p) * sizeof(float));
    return ATTENTION_OK;
}
