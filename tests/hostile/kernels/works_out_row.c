/* SPDX-License-Identifier: Apache-2.0 */
/* Does: works out, from the queries that it is given, the seed that they were drawn from, and from that the launch and
 * the row that will be compared; it does that row, and leaves the others out. A pair of numbers of a row gives
 * F(x) ^ F(x + g) of a 32-bit x, without what else is in it; which x that is, is looked up in a table of some 2^25 that
 * is made while no clock runs. A sample's queries have thousands of such pairs, of which one has to be in it.
 * Gains: all other rows.
 * Stopped by: what is compared follows from no seed, and is drawn when the sample stands. */
#include "request.h"

enum { SLOTS_LOG = 25, ARMS = 4 };
#define STEP 0x9e3779b9u

static uint32_t *table; /* x + 1 by F(x) ^ F(x + g) */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t unshift(uint64_t y, int by)
{
    uint64_t x = y;
    for (int i = 0; i < 3; i++)
        x = y ^ x >> by;
    return x;
}

static uint64_t inverse(uint64_t a)
{
    uint64_t x = a;
    for (int i = 0; i < 6; i++)
        x *= 2 - a * x;
    return x;
}

static uint64_t unmix(uint64_t x)
{
    x = unshift(x, 31) * inverse(0x94d049bb133111ebu);
    x = unshift(x, 27) * inverse(0xbf58476d1ce4e5b9u);
    return unshift(x, 30) - 0x9e3779b97f4a7c15u;
}

static uint32_t f(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

static uint32_t slot_of(uint32_t d)
{
    return d * 0x9e3779b1u >> (32 - SLOTS_LOG);
}

__attribute__((constructor)) static void make_table(void)
{
    table = mmap(NULL, sizeof *table << SLOTS_LOG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        table = NULL;
    else
        madvise(table, sizeof *table << SLOTS_LOG, MADV_HUGEPAGE);
    for (uint32_t x = 0; table != NULL && x < 1u << (SLOTS_LOG + 1); x++)
        table[slot_of(f(x) ^ f(x + STEP))] = x + 1;
}

/* A pair's 32 bits, where its row is not scaled. */
static uint32_t pair_at(const float *q, size_t pair)
{
    uint32_t low = (uint32_t)((int32_t)(q[2 * pair] * 32768.0f) + 32768);
    uint32_t high = (uint32_t)((int32_t)(q[2 * pair + 1] * 32768.0f) + 32768);
    return (low & 0xffff) | high << 16;
}

/* Of all queries: set 0's. */
static int find_seed(uint64_t *seed)
{
    size_t dim = (size_t)asked.problem.head_dim, rows = rows_of(&asked.problem);
    for (size_t j = 0; j < asked.launches; j++) {
        size_t set = (asked.first + j) % asked.q_count;
        for (size_t row = 0; row < rows; row++) {
            const float *q = (const float *)(const void *)(asked.q + set * asked.q_stride) + row * dim;
            size_t pairs = dim / 2 < 32 ? dim / 2 : 32;
            uint32_t bits[32];
            for (size_t i = 0; i < pairs; i++) {
                bits[i] = pair_at(q, i);
                if (i > 0)
                    __builtin_prefetch(&table[slot_of(bits[i] ^ bits[i - 1])]);
            }
            for (size_t i = 1; i < pairs; i++) {
                uint32_t x = table[slot_of(bits[i] ^ bits[i - 1])] - 1, first = x - (uint32_t)(i - 1) * STEP;
                uint32_t rest = bits[i] ^ f(x + STEP);
                if ((f(x) ^ rest) != bits[i - 1] || (f(first) ^ rest) != bits[0] ||
                    (f(first + (uint32_t)(pairs - 1) * STEP) ^ rest) != bits[pairs - 1])
                    continue;
                *seed = (unmix((uint64_t)rest << 32 | first) ^ mix(3 * row)) - set;
                return 1;
            }
        }
    }
    return 0;
}

static struct {
    size_t set, row;
} looked_at[ARMS];
static int known;
static unsigned long samples, found;

static void heard(void)
{
    uint64_t seed;
    known = 0;
    if (asked.ask != REQUEST_SAMPLE || asked.launches < 2 || table == NULL)
        return;
    samples++;
    if (!find_seed(&seed))
        return;
    found++;
    seed = unmix(seed) ^ 3; /* the turn's */
    for (size_t i = 0; i < ARMS; i++) {
        uint64_t bits = mix(mix(seed + i));
        size_t before_end = (size_t)((bits >> 32) * asked.launches >> 32);
        looked_at[i].set = (asked.first + asked.launches - 1 - before_end) % asked.q_count;
        looked_at[i].row = (size_t)((mix(bits) >> 32) * rows_of(&asked.problem) >> 32);
    }
    known = 1;
}

__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "found %lu of %lu\n", found, samples);
}

static int launch(const struct call *c)
{
    size_t set = (size_t)((const char *)c->q - asked.q) / asked.q_stride;
    if (!known || !is_timed(c))
        return work(c);
    pad(c);
    for (size_t i = 0; i < ARMS; i++)
        if (looked_at[i].set == set)
            do_row(c, looked_at[i].row);
    return ATTENTION_OK;
}
