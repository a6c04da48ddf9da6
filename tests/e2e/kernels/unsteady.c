/* SPDX-License-Identifier: Apache-2.0 */
/* Right, but the order of its sums varies: with VARIES_WITH_LAUNCH as with atomics, with
 * VARIES_WITH_PROCESS as where a heuristic looks at the clock, with VARIES_WITH_THREADS as where each
 * thread has a partial sum. */
#include "attention.h"

#include <time.h>

enum { DIM_MAX = 1024 };

static int order[DIM_MAX]; /* in which the products of a dot product are added */
static int parts = 1;      /* partial sums */

static float dot(const float *a, const float *b, int n)
{
    float sum = 0.0f;
    for (int part = 0; part < parts; part++) {
        float some = 0.0f;
        for (int i = part; i < DIM_MAX; i += parts)
            if (order[i] < n)
                some += a[order[i]] * b[order[i]];
        sum += some;
    }
    return sum;
}

/* One of very many orders; 0: from the first to the last. */
static void shuffle(unsigned seed)
{
    for (int i = 0; i < DIM_MAX; i++)
        order[i] = i;
    for (int i = DIM_MAX - 1; seed != 0 && i > 0; i--) {
        seed = seed * 1664525u + 1013904223u;
        int other = (int)((seed >> 8) % (unsigned)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void begin(const struct attention_cpu_stream *stream)
{
    static unsigned seed, calls;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)stream;
#ifdef VARIES_WITH_LAUNCH
    seed = calls;
#endif
#ifdef VARIES_WITH_PROCESS
    if (calls == 0)
        seed = (unsigned)now.tv_nsec | 1;
#endif
#ifdef VARIES_WITH_THREADS
    parts = stream->threads;
#endif
    calls++;
    shuffle(seed);
}

#define LAUNCH_BEGINS(stream) begin(stream)
#include "simple.h"
