/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of launches. `forward` of an arm is called once for each input set, under capture, and
 * not again while it is timed: what a sample runs is put together of these captures, by us and
 * anew each time, so that no library can know how many launches there will be or leave any out. */
#ifndef RATCHET_HARNESS_CUDA_GRAPHS_H
#define RATCHET_HARNESS_CUDA_GRAPHS_H

#include "harness/cuda_api.h"
#include "harness/device.h"

enum { CUDA_CHAIN_MAX = 8 };

/* One call of forward. */
struct cuda_call {
    cuda_handle graph; /* owned; NULL: not captured yet */
    /* Where it is nothing but kernels one after another, these: nodes of a graph cost less time,
     * on the device as well, than a graph within a graph. 0: it is something else. */
    size_t count;
    cuda_handle nodes[CUDA_CHAIN_MAX];
    struct cuda_kernel_node kernels[CUDA_CHAIN_MAX];
};

/* The captures of one arm. */
struct cuda_captures {
    const struct attention_kernel *kernel; /* NULL: none */
    bool unseen;
    struct cuda_call *calls; /* owned: one for each input set */
    size_t count;
};

struct cuda_graphs {
    struct cuda_captures arms[WIRE_SLOTS_MAX];
};

/* A node of ours behind one of the launches. */
struct cuda_extra {
    size_t before_end; /* launches that come after it */
    struct cuda_kernel_node kernel;
};

/* An executable graph of a plan's launches, in order, `extra` among them where it is not NULL;
 * captured where they are not yet, after one launch outside any graph, which loads what the
 * kernel loads lazily. To be destroyed by the caller; NULL where the kernel is at fault: out->error
 * or out->what says how. Sets CUDA's error in *result. 0 or -1. */
int cuda_graphs_make(struct cuda_graphs *graphs, const struct cuda_api *api,
                     cuda_handle stream, const struct device_work *work,
                     const struct device_plan *plan, const struct cuda_extra *extra,
                     cuda_handle *exec, struct device_sample *out, cuda_result *result);

/* The graph of one call on input set 0, captured likewise: to be looked at, not to be destroyed. */
int cuda_graphs_capture(struct cuda_graphs *graphs, const struct cuda_api *api,
                        cuda_handle stream, const struct device_work *work, cuda_handle *graph,
                        struct device_sample *out, cuda_result *result);

/* Memory that graphs point to is about to go. */
void cuda_graphs_drop(struct cuda_graphs *graphs, const struct cuda_api *api);

#endif
