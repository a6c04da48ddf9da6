/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the comparison of two libraries' kernels, and its one line of words. */
#include "judge/why.h"

#include <stdlib.h>
#include <string.h>

/* ---- what counts as a difference ---- */

/* Of a pair: what is said in the order of the rows, from a difference of `least` on that is also
 * `share` of the larger number. Registers are given out by eights, and a system may take a KiB of
 * shared memory for itself. */
static const struct said {
    enum code_fact fact;
    const char *verb, *noun;
    long long least;
    double share;
} said[] = {
    {CODE_SPILL_STORES, "spills", "bytes a thread", 1, 0},
    {CODE_LAUNCHES, "is launched", "times a call", 1, 0},
    {CODE_WARPS, "keeps at most", "warps on a multiprocessor", 1, 0},
    {CODE_STATIC_SHARED, "takes", "bytes of static shared memory a block", 1025, 0},
    {CODE_DYNAMIC_SHARED, "takes", "bytes of dynamic shared memory a block", 1025, 0},
    {CODE_REGISTERS, "uses", "registers a thread", 8, 0},
    {CODE_LOCAL, "has", "instructions on local memory", 1, 0.02},
    {CODE_THREADS, "launches blocks of", "threads", 1, 0},
    {CODE_BLOCKS, "launches", "blocks", 1, 0},
    {CODE_TENSOR, "has", "tensor core instructions", 1, 0.02},
    {CODE_PACKED, "has", "packed floating-point instructions", 1, 0.02},
    {CODE_SCALAR, "has", "scalar floating-point instructions", 1, 0.02},
    {CODE_INSTRUCTIONS, "has", "instructions", 1, 0.02},
};
enum { SAID = sizeof said / sizeof said[0], SAID_MAX = 3 };

static bool differs(const struct code_pair *pair, const struct said *row)
{
    long long head = pair->head.facts[row->fact], against = pair->against.facts[row->fact];
    if (head < 0 || against < 0)
        return false;
    /* Where both are known, spills are what local memory is used for. */
    if (row->fact == CODE_LOCAL && pair->head.facts[CODE_SPILL_STORES] >= 0 &&
        pair->against.facts[CODE_SPILL_STORES] >= 0)
        return false;
    long long more = head > against ? head - against : against - head;
    long long larger = head > against ? head : against;
    return more >= row->least && (double)more >= row->share * (double)larger;
}

static bool is_alike(const struct code_pair *pair)
{
    return memcmp(pair->head.facts, pair->against.facts, sizeof pair->head.facts) == 0;
}

/* Which of two pairs is told first: by the first row in which they differ in what they say. */
static int by_difference(const void *left, const void *right)
{
    const struct code_pair *a = left, *b = right;
    for (size_t i = 0; i < SAID; i++) {
        enum code_fact fact = said[i].fact;
        long long more_a = differs(a, &said[i]) ? a->head.facts[fact] - a->against.facts[fact]
                                                : 0;
        long long more_b = differs(b, &said[i]) ? b->head.facts[fact] - b->against.facts[fact]
                                                : 0;
        more_a = more_a < 0 ? -more_a : more_a;
        more_b = more_b < 0 ? -more_b : more_b;
        if (more_a != more_b)
            return more_a > more_b ? -1 : 1;
    }
    return strcmp(a->head.name, b->head.name);
}

/* ---- pairs ---- */

/* Which kernel of `against` each of `head` is paired with; -1: none. The work of why_compare. */
struct pairing {
    const struct code_listing *head, *against;
    bool *taken;   /* of against */
    long *partner; /* of head */
};

static void pair_by_name(struct pairing *pairing)
{
    for (size_t i = 0; i < pairing->head->count; i++) {
        pairing->partner[i] = -1;
        for (size_t j = 0; j < pairing->against->count && pairing->partner[i] < 0; j++) {
            if (pairing->taken[j] ||
                pairing->head->kernels[i].key != pairing->against->kernels[j].key)
                continue;
            pairing->partner[i] = (long)j;
            pairing->taken[j] = true;
        }
    }
}

/* One that is left on each side: the same kernel by another name. Returns how many kernels have no
 * partner. */
static size_t pair_the_last(struct pairing *pairing)
{
    size_t heads = 0, others = 0, head = 0, other = 0;
    for (size_t i = 0; i < pairing->head->count; i++)
        if (pairing->partner[i] < 0) {
            heads++;
            head = i;
        }
    for (size_t j = 0; j < pairing->against->count; j++)
        if (!pairing->taken[j]) {
            others++;
            other = j;
        }
    if (heads != 1 || others != 1)
        return heads + others;
    pairing->partner[head] = (long)other;
    return 0;
}

/* ---- words ---- */

static void put_number(struct buf *out, long long number)
{
    if (number == 0)
        buf_adds(out, "none");
    else
        buf_addf(out, "%lld", number);
}

/* The class of instructions of which there are most more, or most fewer. */
static void put_class(struct buf *out, const struct code_pair *pair, const char *who)
{
    enum code_fact most = CODE_OTHER;
    long long by = 0;
    bool more = pair->head.facts[CODE_INSTRUCTIONS] > pair->against.facts[CODE_INSTRUCTIONS];
    for (int fact = CODE_TENSOR; fact < CODE_OTHER; fact++) {
        long long head = pair->head.facts[fact], against = pair->against.facts[fact];
        long long moved = more ? head - against : against - head;
        if (head >= 0 && against >= 0 && moved > by) {
            by = moved;
            most = (enum code_fact)fact;
        }
    }
    if (most == CODE_OTHER)
        return;
    buf_addf(out, " (%s: ", code_fact_words(most) + strlen("– "));
    put_number(out, pair->head.facts[most]);
    buf_addf(out, ", %s ", who);
    put_number(out, pair->against.facts[most]);
    buf_addc(out, ')');
}

static size_t put_pair(struct buf *out, const struct code_pair *pair, const char *who)
{
    size_t count = 0;
    for (size_t i = 0; i < SAID && count < SAID_MAX; i++) {
        if (!differs(pair, &said[i]))
            continue;
        long long head = pair->head.facts[said[i].fact];
        buf_addf(out, "%s%s ", count == 0 ? "head " : "; head ", said[i].verb);
        put_number(out, head);
        if (head != 0)
            buf_addf(out, " %s", said[i].noun);
        buf_addf(out, ", %s ", who);
        put_number(out, pair->against.facts[said[i].fact]);
        if (head == 0)
            buf_addf(out, " %s", said[i].noun);
        if (said[i].fact == CODE_INSTRUCTIONS)
            put_class(out, pair, who);
        count++;
    }
    return count;
}

static void put_line(struct buf *out, const struct code_change *change, const char *who)
{
    size_t differ = change->count + change->left_out;
    if (differ == 0) {
        buf_addf(out, "head and %s are alike in every figure of their machine code", who);
    } else if (put_pair(out, &change->pairs[0], who) == 0) {
        buf_addf(out, "head and %s differ little in every figure of their machine code", who);
    } else if (differ > 1) {
        buf_addf(out, " (of %zu kernels that differ, the one that differs most)", differ);
    }
    if (change->unpaired > 0)
        buf_addf(out, "; %zu %s only one of the two has", change->unpaired,
                 change->unpaired == 1 ? "kernel" : "kernels");
}

/* ---- all ---- */

static void keep_pairs(const struct pairing *pairing, struct code_pair *all,
                       struct code_change *out)
{
    size_t count = 0;
    for (size_t i = 0; i < pairing->head->count; i++) {
        if (pairing->partner[i] < 0)
            continue;
        struct code_pair *pair = &all[count];
        *pair = (struct code_pair){pairing->head->kernels[i],
                                   pairing->against->kernels[pairing->partner[i]]};
        out->alike += is_alike(pair);
        count += !is_alike(pair);
    }
    if (count > 1)
        qsort(all, count, sizeof *all, by_difference);
    out->count = count < CODE_PAIRS_MAX ? count : CODE_PAIRS_MAX;
    out->left_out = count - out->count;
    if (out->count > 0)
        memcpy(out->pairs, all, out->count * sizeof *all);
}

void why_compare(const struct code_listing *head, const struct code_listing *against,
                 const char *who, struct code_change *out)
{
    *out = (struct code_change){.line = ""};
    struct pairing pairing = {head, against, calloc(against->count + 1, sizeof(bool)),
                              calloc(head->count + 1, sizeof(long))};
    struct code_pair *all = calloc(head->count + 1, sizeof *all);
    if (pairing.taken != NULL && pairing.partner != NULL && all != NULL) {
        pair_by_name(&pairing);
        out->unpaired = pair_the_last(&pairing);
        keep_pairs(&pairing, all, out);
        BUF_AUTO line;
        buf_init(&line, CODE_LINE_BYTES - 1);
        put_line(&line, out, who);
        memcpy(out->line, line.data, line.len + 1);
    }
    free(pairing.taken);
    free(pairing.partner);
    free(all);
}
