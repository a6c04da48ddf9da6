/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the seeding of the generator; the draws are inline in the header. */
#include "judge/random.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void random_seed(struct random *random, uint64_t seed, unsigned stream)
{
    for (unsigned i = 0; i <= stream; i++)
        for (int word = 0; word < 4; word++)
            random->state[word] = splitmix64(&seed);
}
