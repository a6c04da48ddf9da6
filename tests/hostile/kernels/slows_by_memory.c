/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a thread that writes 32 MB again and again while anybody but this kernel is at work.
 * Gains: as much of main's arms' time as they wait for memory that they share.
 * Stopped by: one process an arm, which is stopped outside its turn. Here kernels fit into a core's own cache. */
#include "cheat.h"

enum { BYTES = 32 << 20, PIECE = 1 << 20 };
static volatile long long returned_ns = 1ll << 62;

static void *loads(void *memory)
{
    for (size_t at = 0;; at = (at + PIECE) % BYTES) {
        if (now_ns() - returned_ns > 5000)
            memset((char *)memory + at, (int)at, PIECE);
        else
            usleep(20);
    }
    return NULL;
}

static int launch(const struct call *c)
{
    static int begun;
    pthread_t thread;
    returned_ns = 1ll << 62;
    if (!begun && is_timed(c)) {
        begun = 1;
        pthread_create(&thread, NULL, loads, malloc(BYTES));
    }
    work(c);
    returned_ns = now_ns();
    return ATTENTION_OK;
}
