/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the capture of launches. A kernel that does what a capture does not allow (allocate,
 * synchronise, launch elsewhere) breaks the promise of attention.h and is wrong. */
#include "harness/cuda_graphs.h"

#include <stdio.h>

static int forward(const struct device_work *work, size_t set, cuda_handle stream)
{
    const struct device_inputs *inputs = &work->sets[set];
    return work->kernel->forward(work->problem, inputs->q, inputs->k, inputs->v, work->to.out,
                                 work->to.lse, work->workspace, stream);
}

static void blame(const struct cuda_api *api, struct device_sample *out, const char *what,
                  cuda_result result)
{
    char text[120];
    cuda_api_describe(api, result, text, sizeof text);
    snprintf(out->what, sizeof out->what, "%s: %.110s", what, text);
}

/* One launch outside any graph. */
static cuda_result launch_once(const struct cuda_api *api, cuda_handle stream,
                               const struct device_work *work, size_t first,
                               struct device_sample *out)
{
    out->error = forward(work, first, stream);
    return api->cuCtxSynchronize();
}

static cuda_result capture(const struct cuda_api *api, cuda_handle stream,
                           const struct device_work *work, const struct device_plan *plan,
                           cuda_handle *graph, struct device_sample *out)
{
    cuda_result result = api->cuStreamBeginCapture_v2(stream, CUDA_CAPTURE_THREAD_LOCAL);
    if (result != CUDA_OK)
        return result;
    size_t set = plan->first;
    for (unsigned long i = 0; i < plan->launches && out->error == 0; i++) {
        out->error = forward(work, set, stream);
        if (++set == work->set_count)
            set = 0;
    }
    result = api->cuStreamEndCapture(stream, graph);
    if (result < CUDA_CAPTURE_UNSUPPORTED || result > CUDA_CAPTURE_LAST)
        return result;
    blame(api, out, "forward cannot be captured in a graph", result);
    return CUDA_OK;
}

static void forget(struct cuda_graph *graph, const struct cuda_api *api)
{
    if (graph->kernel != NULL)
        api->cuGraphExecDestroy(graph->exec);
    *graph = (struct cuda_graph){0};
}

int cuda_graphs_capture(const struct cuda_api *api, cuda_handle stream,
                        const struct device_work *work, cuda_handle *graph,
                        struct device_sample *out, cuda_result *result)
{
    const struct device_plan plan = {.launches = 1};
    *graph = NULL;
    *result = launch_once(api, stream, work, 0, out);
    if (*result == CUDA_OK && out->error == 0)
        *result = capture(api, stream, work, &plan, graph, out);
    return *result == CUDA_OK ? 0 : -1;
}

static int make(struct cuda_graphs *graphs, const struct cuda_api *api, cuda_handle stream,
                const struct device_work *work, const struct device_plan *plan,
                cuda_handle *exec, struct device_sample *out, cuda_result *result)
{
    cuda_handle graph = NULL;
    *result = launch_once(api, stream, work, plan->first, out);
    if (*result != CUDA_OK || out->error != 0)
        return *result == CUDA_OK ? 0 : -1;
    *result = capture(api, stream, work, plan, &graph, out);
    if (*result == CUDA_OK && out->error == 0 && out->what[0] == '\0') {
        *result = api->cuGraphInstantiateWithFlags(exec, graph, 0);
        if (*result == CUDA_OK)
            *result = api->cuGraphUpload(*exec, stream);
    }
    if (graph != NULL)
        api->cuGraphDestroy(graph);
    if (*result != CUDA_OK || *exec == NULL)
        return *result == CUDA_OK ? 0 : -1;
    struct cuda_graph *slot = &graphs->graphs[graphs->next];
    forget(slot, api);
    *slot = (struct cuda_graph){work->kernel, plan->first, plan->launches, plan->unseen,
                                *exec};
    graphs->next = (graphs->next + 1) % CUDA_GRAPHS_MAX;
    return 0;
}

int cuda_graphs_get(struct cuda_graphs *graphs, const struct cuda_api *api, cuda_handle stream,
                    const struct device_work *work, const struct device_plan *plan,
                    cuda_handle *exec, struct device_sample *out, cuda_result *result)
{
    *exec = NULL;
    *result = CUDA_OK;
    for (size_t i = 0; i < CUDA_GRAPHS_MAX; i++) {
        const struct cuda_graph *graph = &graphs->graphs[i];
        if (graph->kernel != work->kernel || graph->first != plan->first ||
            graph->launches != plan->launches || graph->unseen != plan->unseen)
            continue;
        *exec = graph->exec;
        return 0;
    }
    return make(graphs, api, stream, work, plan, exec, out, result);
}

void cuda_graphs_drop(struct cuda_graphs *graphs, const struct cuda_api *api)
{
    for (size_t i = 0; i < CUDA_GRAPHS_MAX; i++)
        forget(&graphs->graphs[i], api);
    graphs->next = 0;
}
