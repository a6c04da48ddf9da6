/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a sample on an NVIDIA GPU: a graph of launches between two events, queued behind a kernel that
 * holds the queue back until everything is in it, and one row that is kept in the middle of it. */
#include "harness/cuda_device.h"
#include "harness/cuda_launches.h"
#include "harness/cupti.h"
#include "harness/storage.h"

#include <math.h>
#include <stdlib.h>

enum {
    KEEP_THREADS = 128,
    KEPT_ROW = 16 /* bytes before the row in what ratchet_keep puts by */
};

static const uint64_t hold_limit_ns = 1000000000; /* the host had a second to fill the queue */

cuda_result cuda_launch_rows(struct device *device, cuda_handle function, unsigned blocks,
                             unsigned rows, unsigned threads, size_t shared, void **arguments)
{
    return device->api.cuLaunchKernel(function, blocks, rows, 1, threads, 1, 1,
                                      (unsigned)shared, device->stream, arguments, NULL);
}

cuda_result cuda_launch(struct device *device, cuda_handle function, unsigned blocks,
                        unsigned threads, size_t shared, void **arguments)
{
    return cuda_launch_rows(device, function, blocks, 1, threads, shared, arguments);
}

/* Queue everything of a sample behind the holding kernel. */
static cuda_result enqueue(struct device *device, cuda_handle graph,
                           const struct device_plan *plan)
{
    const struct cuda_api *api = &device->api;
    cuda_address until = device->flags_there + FLAG_UNTIL * sizeof *device->flags;
    cuda_address late = device->flags_there + FLAG_LATE * sizeof *device->flags;
    unsigned long long limit = hold_limit_ns;
    unsigned long long delay = plan->delay_ns;
    void *hold[] = {&until, &device->until, &late, &limit};
    void *spin[] = {&delay};
    cuda_result result = cuda_launch(device, device->hold, 1, 1, 0, hold);
    if (result == CUDA_OK)
        result = api->cuEventRecord(device->start, device->stream);
    if (result == CUDA_OK)
        result = api->cuGraphLaunch(graph, device->stream);
    if (result == CUDA_OK && plan->delayed)
        result = cuda_launch(device, device->spin, 1, 1, 0, spin);
    if (result == CUDA_OK)
        result = api->cuEventRecord(device->end, device->stream);
    return result;
}

/* What a sample runs, and where the row that it keeps lies until it is over. */
struct staged {
    cuda_handle exec;
    cuda_address kept; /* as ratchet_keep puts it by; 0: nothing is kept */
    size_t row_bytes;
};

void cuda_unstage(struct device *device, struct device_plan *plan)
{
    struct staged *staged = plan->staged;
    plan->staged = NULL;
    if (staged == NULL)
        return;
    if (staged->exec != NULL)
        device->api.cuGraphExecDestroy(staged->exec);
    if (staged->kept != 0)
        device->api.cuMemFree_v2(staged->kept);
    free(staged);
}

/* The graph, with the node that keeps a row behind the launch that was drawn. */
static cuda_result make_graph(struct device *device, const struct device_work *work,
                              const struct device_plan *plan, struct staged *staged,
                              struct device_sample *out)
{
    cuda_result result = CUDA_OK;
    const struct device_keep *keep = plan->keep;
    cuda_address row = 0, lse = 0;
    unsigned bytes = 0;
    void *arguments[] = {&row, &bytes, &lse, &staged->kept};
    struct cuda_extra extra = {.kernel = {.function = device->keep,
                                          .grid = {1, 1, 1},
                                          .block = {KEEP_THREADS, 1, 1},
                                          .parameters = arguments}};
    if (keep != NULL) {
        staged->row_bytes = (size_t)work->problem->head_dim *
                            storage_bytes(work->problem->dtype);
        bytes = (unsigned)staged->row_bytes;
        row = cuda_address_of(work->to.out) + keep->row * staged->row_bytes;
        lse = cuda_address_of(work->to.lse + keep->row);
        extra.before_end = keep->before_end;
        result = device->api.cuMemAlloc_v2(&staged->kept, KEPT_ROW + staged->row_bytes);
    }
    if (result == CUDA_OK)
        cuda_graphs_make(&device->graphs, &device->api, device->stream, work, plan,
                         keep == NULL ? NULL : &extra, &staged->exec, out, &result);
    return result;
}

int cuda_stage(struct device *device, const struct device_work *work, struct device_plan *plan,
               struct device_sample *out, struct err *err)
{
    struct staged *staged = calloc(1, sizeof *staged);
    *out = (struct device_sample){0};
    if (staged == NULL)
        return err_set(err, ERR_HOST, "no memory for a sample");
    plan->staged = staged;
    cuda_result result = make_graph(device, work, plan, staged, out);
    if (result == CUDA_OK && staged->exec != NULL)
        return 0;
    cuda_unstage(device, plan); /* where the kernel is at fault, *out says it */
    return cuda_check(device, result, "make a graph of launches", err);
}

static int read_kept(struct device *device, const struct staged *staged,
                     struct device_keep *keep, struct err *err)
{
    const struct cuda_api *api = &device->api;
    cuda_result result = api->cuMemcpyDtoH_v2(&keep->lse, staged->kept, sizeof keep->lse);
    if (result == CUDA_OK)
        result = api->cuMemcpyDtoH_v2(keep->out, staged->kept + KEPT_ROW, staged->row_bytes);
    return cuda_check(device, result, "copy from the device", err);
}

static int take_sample(struct device *device, const struct device_plan *plan,
                       struct device_sample *out, struct err *err)
{
    const struct cuda_api *api = &device->api;
    const struct staged *staged = plan->staged;
    device->until++;
    cuda_result result = enqueue(device, staged->exec, plan);
    __atomic_store_n(&device->flags[FLAG_UNTIL], device->until, __ATOMIC_RELEASE);
    cuda_result end = api->cuEventSynchronize(device->end);
    if (result == CUDA_OK)
        result = end;
    float ms = 0.0F;
    if (result == CUDA_OK)
        result = api->cuEventElapsedTime(&ms, device->start, device->end);
    out->total_ns = (unsigned long long)llround(1e6 * (double)ms);
    out->disturbed = __atomic_load_n(&device->flags[FLAG_LATE], __ATOMIC_ACQUIRE) ==
                     device->until;
    if (cuda_check(device, result, "time the kernel", err) != 0)
        return -1;
    return plan->keep == NULL ? 0 : read_kept(device, staged, plan->keep, err);
}

int cuda_sample(struct device *device, const struct device_work *work,
                struct device_plan *plan, struct device_sample *out, struct err *err)
{
    *out = (struct device_sample){0};
    if (plan->staged != NULL)
        return take_sample(device, plan, out, err);
    if (cuda_stage(device, work, plan, out, err) != 0)
        return -1;
    if (plan->staged == NULL)
        return 0; /* *out says what the kernel did */
    int rc = take_sample(device, plan, out, err);
    cuda_unstage(device, plan);
    return rc;
}

/* The same sample, with CUPTI looking on. A device runs as fast as its clocks, and they depend on
 * the pauses it had: so a trace is taken sample by sample, in turns like any other. */
int cuda_trace(struct device *device, const struct device_work *work, struct device_plan *plan,
               struct device_sample *out, unsigned long long *kernel_ns, struct err *err)
{
    if (!device->tracing) {
        cuda_graphs_drop(&device->graphs, &device->api);
        if (cupti_begin(err) != 0)
            return -1;
        device->tracing = true;
    }
    if (cuda_stage(device, work, plan, out, err) != 0)
        return -1;
    if (plan->staged == NULL)
        return 0;   /* *out says what the kernel did */
    cupti_forget(); /* what came before the sample */
    int rc = take_sample(device, plan, out, err);
    cuda_unstage(device, plan);
    return rc != 0 ? -1 : cupti_sum(kernel_ns, err);
}

int cuda_launches(struct device *device, const struct device_work *work,
                  struct device_launches *out, struct device_sample *sample, struct err *err)
{
    cuda_handle graph;
    cuda_result result;
    *sample = (struct device_sample){0};
    *out = (struct device_launches){.count = 0};
    if (cuda_graphs_capture(&device->graphs, &device->api, device->stream, work, &graph,
                            sample, &result) != 0)
        return cuda_check(device, result, "capture a launch", err);
    if (graph == NULL)
        return 0; /* *sample says what the kernel did */
    return cuda_launches_read(&device->api, graph, out, err);
}
