/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a thread that has the device write 256 MB again and again, on a stream of its own, while any graph but its own
 * runs.
 * Gains: as much of main's arms' time as they wait for memory and processors that they share.
 * Stopped by: no host code of an arm where others are timed; the anchor's time without head must agree. */
#include "graphs.h"

#include <pthread.h>
#include <unistd.h>

static void launched(void *)
{
}

static void *loads(void *)
{
    const size_t bytes = (size_t)256 << 20;
    cudaStream_t own;
    char *memory;
    if (cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking) != cudaSuccess ||
        cudaMalloc(&memory, bytes) != cudaSuccess)
        return nullptr;
    for (;;) {
        if (is_ours) {
            usleep(10);
            continue;
        }
        cudaMemsetAsync(memory, 0, bytes, own);
        cudaStreamSynchronize(own);
    }
}

static int launch(const call &c)
{
    static pthread_t thread;
    static bool begun;
    watch(c);
    if (!begun && capture_of(c) == 0)
        begun = pthread_create(&thread, nullptr, loads, nullptr) == 0;
    return work(c);
}
