/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the capture of launches. A kernel that does what a capture does not allow (allocate,
 * synchronise, launch elsewhere) breaks the promise of attention.h and is wrong. */
#include "harness/cuda_graphs.h"

#include <stdio.h>
#include <stdlib.h>

static int forward(const struct device_work *work, size_t set, cuda_handle stream)
{
    const struct device_inputs inputs = device_set(work->sets, set);
    return work->kernel->forward(work->problem, inputs.q, inputs.k, inputs.v, work->to.out,
                                 work->to.lse, work->workspace, stream);
}

static void blame(const struct cuda_api *api, struct device_sample *out, const char *what,
                  cuda_result result)
{
    char text[120];
    cuda_api_describe(api, result, text, sizeof text);
    snprintf(out->what, sizeof out->what, "%s: %.110s", what, text);
}

/* Is the kernel fine so far? */
static bool fine(const struct device_sample *out, cuda_result result)
{
    return result == CUDA_OK && out->error == 0 && out->what[0] == '\0';
}

static cuda_result capture(const struct cuda_api *api, cuda_handle stream,
                           const struct device_work *work, size_t set, cuda_handle *graph,
                           struct device_sample *out)
{
    cuda_result result = api->cuStreamBeginCapture_v2(stream, CUDA_CAPTURE_THREAD_LOCAL);
    if (result != CUDA_OK)
        return result;
    out->error = forward(work, set, stream);
    result = api->cuStreamEndCapture(stream, graph);
    if (result < CUDA_CAPTURE_UNSUPPORTED || result > CUDA_CAPTURE_LAST)
        return result;
    blame(api, out, "forward cannot be captured in a graph", result);
    return CUDA_OK;
}

/* Put nodes that are a chain into its order. False: they are none. */
static bool order_chain(const struct cuda_api *api, struct cuda_call *call)
{
    cuda_handle from[CUDA_CHAIN_MAX], to[CUDA_CHAIN_MAX];
    size_t edges = 0;
    if (api->cuGraphGetEdges(call->graph, NULL, NULL, &edges) != CUDA_OK ||
        edges + 1 != call->count ||
        (edges > 0 && api->cuGraphGetEdges(call->graph, from, to, &edges) != CUDA_OK))
        return false; /* it also fails where an edge is more than an order */
    for (size_t step = 0; step < edges; step++) /* back to the one that nothing leads to */
        for (size_t e = 0; e < edges; e++)
            if (to[e] == call->nodes[0])
                call->nodes[0] = from[e];
    for (size_t i = 1; i < call->count; i++) {
        size_t e = 0;
        while (e < edges && from[e] != call->nodes[i - 1])
            e++;
        if (e == edges)
            return false;
        call->nodes[i] = to[e];
    }
    return true;
}

/* Is the call nothing but kernels one after another? */
static void look(const struct cuda_api *api, struct cuda_call *call)
{
    size_t count = 0;
    if (api->cuGraphGetNodes(call->graph, NULL, &count) != CUDA_OK || count == 0 ||
        count > CUDA_CHAIN_MAX ||
        api->cuGraphGetNodes(call->graph, call->nodes, &count) != CUDA_OK)
        return;
    call->count = count;
    bool chain = order_chain(api, call);
    for (size_t i = 0; chain && i < count; i++) {
        int type = -1;
        chain = api->cuGraphNodeGetType(call->nodes[i], &type) == CUDA_OK &&
                type == CUDA_NODE_KERNEL &&
                api->cuGraphKernelNodeGetParams_v2(call->nodes[i], &call->kernels[i]) ==
                    CUDA_OK;
    }
    if (!chain)
        call->count = 0;
}

static void forget(struct cuda_captures *arm, const struct cuda_api *api)
{
    for (size_t i = 0; i < arm->count; i++)
        if (arm->calls[i].graph != NULL)
            api->cuGraphDestroy(arm->calls[i].graph);
    free(arm->calls);
    *arm = (struct cuda_captures){0};
}

/* The captures of an arm, all of them. NULL: *result or *out says why not. */
static struct cuda_captures *captures_of(struct cuda_graphs *graphs,
                                         const struct cuda_api *api, cuda_handle stream,
                                         const struct device_work *work, bool unseen,
                                         struct device_sample *out, cuda_result *result)
{
    struct cuda_captures *arm = graphs->arms;
    while (arm->kernel != NULL && (arm->kernel != work->kernel || arm->unseen != unseen))
        if (++arm == graphs->arms + WIRE_SLOTS_MAX)
            arm = graphs->arms; /* never: there are as many as libraries */
    if (arm->kernel != NULL)
        return arm;
    *arm = (struct cuda_captures){.kernel = work->kernel, .unseen = unseen};
    arm->calls = calloc(work->sets->q_count, sizeof *arm->calls);
    if (arm->calls == NULL) {
        *result = CUDA_OUT_OF_MEMORY;
        return NULL;
    }
    arm->count = work->sets->q_count;
    out->error = forward(work, 0, stream);
    *result = api->cuCtxSynchronize();
    for (size_t i = 0; i < arm->count && fine(out, *result); i++) {
        *result = capture(api, stream, work, i, &arm->calls[i].graph, out);
        if (arm->calls[i].graph != NULL)
            look(api, &arm->calls[i]);
    }
    if (fine(out, *result))
        return arm;
    forget(arm, api);
    return NULL;
}

/* A node of a graph, behind *last, which it becomes. */
static cuda_result add_kernel(const struct cuda_api *api, cuda_handle graph,
                              const struct cuda_kernel_node *kernel, cuda_handle *last)
{
    cuda_handle node;
    cuda_result result = api->cuGraphAddKernelNode_v2(
        &node, graph, *last == NULL ? NULL : last, *last != NULL, kernel);
    *last = node;
    return result;
}

static cuda_result add_call(const struct cuda_api *api, cuda_handle graph,
                            const struct cuda_call *call, cuda_handle *last)
{
    cuda_handle node;
    cuda_result result = CUDA_OK;
    if (call->count == 0) {
        result = api->cuGraphAddChildGraphNode(&node, graph, *last == NULL ? NULL : last,
                                               *last != NULL, call->graph);
        *last = node;
        return result;
    }
    for (size_t i = 0; i < call->count && result == CUDA_OK; i++) {
        result = add_kernel(api, graph, &call->kernels[i], last);
        if (result == CUDA_OK)
            result = api->cuGraphKernelNodeCopyAttributes(*last, call->nodes[i]);
    }
    return result;
}

/* One launch after another, and what is put among them. */
static cuda_result chain(const struct cuda_api *api, const struct cuda_captures *arm,
                         const struct device_work *work, const struct device_plan *plan,
                         const struct cuda_extra *extra, cuda_handle graph)
{
    cuda_handle last = NULL;
    cuda_result result = CUDA_OK;
    for (size_t left = plan->launches; left-- > 0 && result == CUDA_OK;) {
        size_t set = device_plan_set(plan, work->sets, left);
        result = add_call(api, graph, &arm->calls[set], &last);
        if (result == CUDA_OK && extra != NULL && extra->before_end == left)
            result = add_kernel(api, graph, &extra->kernel, &last);
    }
    return result;
}

int cuda_graphs_capture(struct cuda_graphs *graphs, const struct cuda_api *api,
                        cuda_handle stream, const struct device_work *work, cuda_handle *graph,
                        struct device_sample *out, cuda_result *result)
{
    *result = CUDA_OK;
    const struct cuda_captures *arm = captures_of(graphs, api, stream, work, false, out,
                                                  result);
    *graph = arm == NULL ? NULL : arm->calls[0].graph;
    return *result == CUDA_OK ? 0 : -1;
}

int cuda_graphs_make(struct cuda_graphs *graphs, const struct cuda_api *api,
                     cuda_handle stream, const struct device_work *work,
                     const struct device_plan *plan, const struct cuda_extra *extra,
                     cuda_handle *exec, struct device_sample *out, cuda_result *result)
{
    cuda_handle graph = NULL;
    *exec = NULL;
    *result = CUDA_OK;
    const struct cuda_captures *arm = captures_of(graphs, api, stream, work, plan->unseen, out,
                                                  result);
    if (arm == NULL)
        return *result == CUDA_OK ? 0 : -1;
    *result = api->cuGraphCreate(&graph, 0);
    if (*result == CUDA_OK)
        *result = chain(api, arm, work, plan, extra, graph);
    if (*result == CUDA_OK)
        *result = api->cuGraphInstantiateWithFlags(exec, graph, 0);
    if (*result == CUDA_OK)
        *result = api->cuGraphUpload(*exec, stream);
    if (graph != NULL)
        api->cuGraphDestroy(graph);
    return *result == CUDA_OK ? 0 : -1;
}

void cuda_graphs_drop(struct cuda_graphs *graphs, const struct cuda_api *api)
{
    for (size_t i = 0; i < WIRE_SLOTS_MAX; i++)
        if (graphs->arms[i].kernel != NULL)
            forget(&graphs->arms[i], api);
}
