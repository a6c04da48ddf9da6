/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of many launches of one arm, captured once for each arm, length and first input set. */
#ifndef RATCHET_HARNESS_CUDA_GRAPHS_H
#define RATCHET_HARNESS_CUDA_GRAPHS_H

#include "harness/cuda_api.h"
#include "harness/device.h"

enum { CUDA_GRAPHS_MAX = 64 }; /* kept; the oldest makes room */

struct cuda_graphs {
    struct cuda_graph {
        const struct attention_kernel *kernel; /* NULL: none */
        size_t first;
        unsigned long launches;
        bool unseen;
        cuda_handle exec;
    } graphs[CUDA_GRAPHS_MAX];
    size_t next; /* to be replaced */
};

/* The graph for a sample; captured on `stream` where it is not there yet, after one launch
 * outside any graph, which loads what the kernel loads lazily. *exec is NULL where the kernel
 * is at fault: out->error or out->what says how. Sets CUDA's error in *result. */
int cuda_graphs_get(struct cuda_graphs *graphs, const struct cuda_api *api, cuda_handle stream,
                    const struct device_work *work, const struct device_plan *plan,
                    cuda_handle *exec, struct device_sample *out, cuda_result *result);

/* The graph of one call, captured likewise and not kept: to be looked at and destroyed. *graph is
 * NULL where the kernel is at fault. */
int cuda_graphs_capture(const struct cuda_api *api, cuda_handle stream,
                        const struct device_work *work, cuda_handle *graph,
                        struct device_sample *out, cuda_result *result);

/* Memory that graphs point to is about to go. */
void cuda_graphs_drop(struct cuda_graphs *graphs, const struct cuda_api *api);

#endif
