/* SPDX-License-Identifier: Apache-2.0 */
/* Results that are remembered by a key, for those cheats that do; inputs beside them, where they are compared. */
#ifndef MEMORY_H
#define MEMORY_H
#include "cheat.h"

enum { ENTRIES = 4096 };
static struct entry {
    unsigned long long key; /* 0: none */
    float *results;         /* out, lse, q, k, v */
} entries[ENTRIES];

static struct entry *entry_of(unsigned long long key)
{
    struct entry *entry = &entries[(key * 0x9e3779b97f4a7c15u >> 32) % ENTRIES];
    while (entry->key != key && entry->key != 0)
        entry = entry == entries ? &entries[ENTRIES - 1] : entry - 1;
    return entry;
}

static size_t outs_of(const struct call *c)
{
    return rows_of(c->p) * (size_t)c->p->head_dim;
}

/* Does it have these very inputs? */
MAY_BE_UNUSED static int same_inputs(const struct call *c, const struct entry *entry)
{
    size_t outs = outs_of(c), keys = keys_of(c->p);
    const float *q = entry->results + outs + rows_of(c->p), *k = q + outs, *v = k + keys;
    return memcmp(q, c->q, outs * sizeof *q) == 0 && memcmp(k, c->k, keys * sizeof *k) == 0 &&
           memcmp(v, c->v, keys * sizeof *v) == 0;
}

static int keeps(const struct call *c, struct entry *entry, unsigned long long key)
{
    size_t outs = outs_of(c), keys = keys_of(c->p), rows = rows_of(c->p);
    if (entry->results == NULL && (entry->results = malloc((2 * outs + rows + 2 * keys) * sizeof(float))) == NULL)
        return ATTENTION_OK;
    float *lse = entry->results + outs, *q = lse + rows, *k = q + outs;
    memcpy(entry->results, c->out, outs * sizeof *q);
    memcpy(lse, c->lse, rows * sizeof *q);
    memcpy(q, c->q, outs * sizeof *q);
    memcpy(k, c->k, keys * sizeof *q);
    memcpy(k + keys, c->v, keys * sizeof *q);
    entry->key = key;
    return ATTENTION_OK;
}

static int recalls(const struct call *c, const struct entry *entry)
{
    pad(c);
    memcpy(c->out, entry->results, outs_of(c) * sizeof(float));
    memcpy(c->lse, entry->results + outs_of(c), rows_of(c->p) * sizeof(float));
    return ATTENTION_OK;
}

MAY_BE_UNUSED static unsigned long long hash_of(const float *at, size_t count)
{
    unsigned long long hash = 1;
    unsigned bits;
    for (size_t i = 0; i < 16; i++) {
        memcpy(&bits, &at[i * count / 16], sizeof bits);
        hash = (hash ^ bits) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}
#endif
