/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, an exponential of two operations, right to 3%.
 * Gains: most of the exponentials' time, where what is timed is not compared as strictly as what is verified.
 * Stopped by: rows compared in fp64 while timed, too, by the same tolerance. */
#define _GNU_SOURCE
#include <math.h>
#include <string.h>

static int rough;

static inline float either(float x)
{
    int bits = (int)(12102203.0f * x) + 1064866805;
    float value;
    if (!rough)
        return expf(x);
    memcpy(&value, &bits, sizeof value);
    return x < -80.0f ? 0.0f : value;
}

#define EXP either
#include "cheat.h"

static int launch(const struct call *c)
{
    rough = is_timed(c);
    for (size_t row = 0; row < rows_of(c->p) && rough; row++)
        do_row(c, row);
    return rough ? ATTENTION_OK : work(c);
}
