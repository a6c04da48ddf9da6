/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's random numbers: xoshiro256** 1.0 (Blackman and Vigna, Scrambled Linear
 * Pseudorandom Number Generators, ACM TOMS 47, 2021), its state filled by splitmix64 as
 * its authors advise. Integers only, so the same everywhere. Not for secrets. The draws
 * are inline: a check makes a million of them. */
#ifndef RATCHET_JUDGE_RANDOM_H
#define RATCHET_JUDGE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* Streams of one seed are taken one after another from its splitmix64 sequence. */
void random_seed(struct random *random, uint64_t seed, unsigned stream);

static inline uint64_t random_rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* 2¹⁶ modulo bound. */
static inline uint32_t random_surplus(uint32_t bound)
{
    return 0x10000u % bound;
}

/* Four whole numbers in [0, bound), each equally likely; 0 < bound < 2¹⁶. Each quarter of
 * a word is multiplied by the bound and the high part kept; a word with a quarter among
 * the few that would make some results likelier than others is thrown away (Lemire, Fast
 * Random Integer Generation in an Interval, ACM TOMACS 29, 2019). `surplus` is
 * random_surplus(). */
static inline void random_four(struct random *random, uint32_t bound, uint32_t surplus,
                               uint32_t out[4])
{
    for (;;) {
        uint64_t word = random_next(random);
        uint32_t a = (uint32_t)(word & 0xffffu) * bound;
        uint32_t b = (uint32_t)(word >> 16 & 0xffffu) * bound;
        uint32_t c = (uint32_t)(word >> 32 & 0xffffu) * bound;
        uint32_t d = (uint32_t)(word >> 48) * bound;
        if (((a & 0xffffu) < surplus) | ((b & 0xffffu) < surplus) | ((c & 0xffffu) < surplus) |
            ((d & 0xffffu) < surplus))
            continue;
        out[0] = a >> 16;
        out[1] = b >> 16;
        out[2] = c >> 16;
        out[3] = d >> 16;
        return;
    }
}

#endif
