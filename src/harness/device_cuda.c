/* SPDX-License-Identifier: Apache-2.0 */
/* An NVIDIA GPU as a device. A sample is a graph of many launches between two events, queued
 * behind a kernel that holds the queue back until everything is in it: the host's own pace is
 * never part of a sample, and when the host was too slow even for that, it is seen.
 *
 * Everything runs on one stream in the primary context, which is the one that kernel
 * libraries get by the runtime API. The stream waits for the null stream and the other way
 * round, so that copies and launches happen in the order they are written here. */
#include "harness/cuda_device.h"
#include "harness/library.h"
#include "harness/storage.h"
#include "harness/verify.h"

#include "harness/cuda_helpers_ptx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 256, /* of a helper's block */
    SUMS_THREADS = 128,
    SUMS_DIM_MAX = 4096,
    BAD_WORDS = 4,
    SWEPT_UNKNOWN_BYTES = 256 << 20 /* where the driver does not tell the size of its cache */
};

static const size_t sums_scratch_bytes = 64 << 20;

int cuda_check(const struct device *device, cuda_result result, const char *what,
               struct err *err)
{
    if (result == CUDA_OK)
        return 0;
    char text[200];
    cuda_api_describe(&device->api, result, text, sizeof text);
    bool kernels = result >= CUDA_ILLEGAL_ADDRESS && result <= CUDA_LAUNCH_FAILED;
    if (kernels)
        return err_set(err, DEVICE_OF_KERNEL, "%s", text);
    return err_set(err, ERR_HOST, "%s: %s", what, text);
}

/* ---- open, close ---- */

static int load_helpers(struct device *device, struct err *err)
{
    const struct cuda_api *api = &device->api;
    cuda_handle module;
    const struct {
        const char *name;
        cuda_handle *to;
    } helpers[] = {{"ratchet_hold", &device->hold},     {"ratchet_spin", &device->spin},
                   {"ratchet_fill", &device->fill},     {"ratchet_sweep", &device->sweep},
                   {"ratchet_keep", &device->keep},     {"ratchet_scan", &device->scan},
                   {"ratchet_reference", &device->sums}};
    cuda_result result = api->cuModuleLoadData(&module, cuda_helpers_ptx);
    for (size_t i = 0; result == CUDA_OK && i < sizeof helpers / sizeof helpers[0]; i++)
        result = api->cuModuleGetFunction(helpers[i].to, module, helpers[i].name);
    return cuda_check(device, result, "load the harness's own kernels", err);
}

static int allocate_own(struct device *device, struct err *err)
{
    const struct cuda_api *api = &device->api;
    void *flags = NULL;
    cuda_result result = api->cuStreamCreate(&device->stream, 0);
    if (result == CUDA_OK)
        result = api->cuEventCreate(&device->start, 0);
    if (result == CUDA_OK)
        result = api->cuEventCreate(&device->end, 0);
    if (result == CUDA_OK)
        result = api->cuMemHostAlloc(&flags, FLAG_WORDS * sizeof *device->flags,
                                     CUDA_HOST_PORTABLE_MAPPED);
    if (result == CUDA_OK) {
        memset(flags, 0, FLAG_WORDS * sizeof *device->flags);
        device->flags = flags;
        result = api->cuMemHostGetDevicePointer_v2(&device->flags_there, flags, 0);
    }
    if (result == CUDA_OK)
        result = api->cuMemAlloc_v2(&device->words, BAD_WORDS * sizeof(uint64_t));
    if (result == CUDA_OK)
        result = api->cuMemAlloc_v2(&device->swept, device->swept_bytes);
    if (result == CUDA_OK)
        result = api->cuMemsetD8_v2(device->swept, 0, device->swept_bytes);
    return cuda_check(device, result, "allocate the harness's own memory", err);
}

static void cuda_close(struct device *device)
{
    const struct cuda_api *api = &device->api;
    if (device->retained) {
        cuda_graphs_drop(&device->graphs, api);
        api->cuDevicePrimaryCtxRelease_v2(device->number);
    }
    free(device);
}

static int open_context(struct device *device, struct err *err)
{
    const struct cuda_api *api = &device->api;
    int count = 0;
    int processors = 0;
    int l2 = 0;
    cuda_result result = api->cuDeviceGetCount(&count);
    if (result == CUDA_OK && count == 0)
        return err_set(err, ERR_HOST, "the CUDA driver sees no GPU");
    if (result == CUDA_OK)
        result = api->cuDeviceGet(&device->number, 0);
    if (result == CUDA_OK)
        result = api->cuDevicePrimaryCtxRetain(&device->context, device->number);
    device->retained = result == CUDA_OK;
    if (result == CUDA_OK)
        result = api->cuCtxSetCurrent(device->context);
    if (result == CUDA_OK)
        result = api->cuDeviceGetAttribute(&processors, CUDA_ATTRIBUTE_PROCESSORS,
                                           device->number);
    if (result == CUDA_OK)
        result = api->cuDeviceGetAttribute(&l2, CUDA_ATTRIBUTE_L2_BYTES, device->number);
    device->blocks = (unsigned)processors * 8;
    device->swept_bytes = l2 > 0 ? 2 * (size_t)l2 : SWEPT_UNKNOWN_BYTES;
    return cuda_check(device, result, "open the GPU", err);
}

static int cuda_open(const struct device_options *options, struct device **out,
                     struct err *err)
{
    (void)options; /* threads and processors are the CPU's */
    struct device *device = calloc(1, sizeof *device);
    if (device == NULL)
        return err_set(err, ERR_HOST, "no memory for the device");
    if (cuda_api_open(&device->api, err) != 0 || open_context(device, err) != 0 ||
        load_helpers(device, err) != 0 || allocate_own(device, err) != 0) {
        cuda_close(device);
        return -1;
    }
    *out = device;
    return 0;
}

static void cuda_memory(struct device *device, struct device_memory *out)
{
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    int l2 = 0;
    *out = (struct device_memory){0};
    if (device->api.cuMemGetInfo_v2(&free_bytes, &total_bytes) == CUDA_OK) {
        out->free = free_bytes;
        out->total = total_bytes;
    }
    if (device->api.cuDeviceGetAttribute(&l2, CUDA_ATTRIBUTE_L2_BYTES, device->number) ==
            CUDA_OK &&
        l2 > 0)
        out->l2 = (unsigned long long)l2;
}

static int cuda_load(struct device *device, const char *path, struct library *out,
                     char text[WIRE_TEXT_BYTES], struct err *err)
{
    (void)device;
    (void)err;
    struct err why = {0};
    if (library_open(path, ATTENTION_CUDA, out, &why) == 0)
        return 0;
    snprintf(text, WIRE_TEXT_BYTES, "%.*s", WIRE_TEXT_BYTES - 1, why.text);
    return 1;
}

/* ---- memory ---- */

/* A GPU's memory has no protection: inputs that a kernel wrote to are made again before each
 * check, and what they ought to be is known from their seed alone. */
static int cuda_allocate(struct device *device, size_t bytes, bool inputs, void **out,
                         struct err *err)
{
    (void)inputs;
    cuda_address memory;
    cuda_result result = device->api.cuMemAlloc_v2(&memory, bytes);
    if (result == CUDA_OUT_OF_MEMORY)
        return err_set(err, ERR_HOST, "out of device memory: %zu bytes more were wanted",
                       bytes);
    if (result == CUDA_OK)
        result = device->api.cuMemsetD8_v2(memory, 0, bytes);
    *out = (void *)(uintptr_t)memory;
    return cuda_check(device, result, "allocate device memory", err);
}

static void cuda_release(struct device *device, void *memory, size_t bytes)
{
    (void)bytes;
    cuda_graphs_drop(&device->graphs, &device->api);
    device->api.cuMemFree_v2(cuda_address_of(memory));
}

static int cuda_write(struct device *device, void *to, const void *from, size_t bytes,
                      struct err *err)
{
    return cuda_check(device, device->api.cuMemcpyHtoD_v2(cuda_address_of(to), from, bytes),
                      "copy to the device", err);
}

static int cuda_read(struct device *device, void *to, const void *from, size_t bytes,
                     struct err *err)
{
    return cuda_check(device, device->api.cuMemcpyDtoH_v2(to, cuda_address_of(from), bytes),
                      "copy from the device", err);
}

static int cuda_poison(struct device *device, int dtype, void *to, size_t count,
                       struct err *err)
{
    cuda_result result = dtype == ATTENTION_FP32
                             ? device->api.cuMemsetD32_v2(cuda_address_of(to), STORAGE_POISON,
                                                          count)
                             : device->api.cuMemsetD16_v2(cuda_address_of(to),
                                                          STORAGE_POISON >> 16, count);
    return cuda_check(device, result, "poison an output", err);
}

/* ---- helpers ---- */

/* Launch a helper that answers in device->words. */
static int ask(struct device *device, cuda_handle function, void **arguments,
               unsigned char preset, uint64_t answer[BAD_WORDS], struct err *err)
{
    const size_t bytes = BAD_WORDS * sizeof *answer;
    cuda_result result = device->api.cuMemsetD8_v2(device->words, preset, bytes);
    if (result == CUDA_OK)
        result = cuda_launch(device, function, device->blocks, THREADS, 0, arguments);
    if (result == CUDA_OK)
        result = device->api.cuMemcpyDtoH_v2(answer, device->words, bytes);
    return cuda_check(device, result, "run a kernel of the harness's own", err);
}

static int cuda_fill(struct device *device, const struct inputs *inputs,
                     enum inputs_tensor tensor, void *to, size_t sets, size_t stride,
                     double *largest, struct err *err)
{
    const struct cuda_api *api = &device->api;
    cuda_address memory = cuda_address_of(to);
    cuda_address most_there = largest == NULL ? 0 : device->words;
    unsigned long long rows = inputs_rows(inputs->problem, tensor);
    unsigned long long apart = stride;
    int dim = inputs->problem->head_dim;
    unsigned long long seed = inputs->seed[tensor];
    int kind = (int)inputs->kind;
    int which = (int)tensor;
    int dtype = inputs->problem->dtype;
    void *arguments[] = {&memory, &apart, &rows,  &dim,       &seed,
                         &kind,   &which, &dtype, &most_there};
    unsigned blocks = device->blocks / (unsigned)sets + 1;
    unsigned row_blocks = (unsigned)dim / (8 * THREADS) +
                          1; /* a row's own threads, at least */
    float most = 0.0F;
    cuda_result result = api->cuMemsetD8_v2(device->words, 0, sizeof most);
    if (result == CUDA_OK)
        result = cuda_launch_rows(device, device->fill,
                                  blocks < row_blocks ? row_blocks : blocks, (unsigned)sets,
                                  THREADS, 0, arguments);
    if (result == CUDA_OK && largest != NULL)
        result = api->cuMemcpyDtoH_v2(&most, device->words, sizeof most);
    if (largest != NULL)
        *largest = fmax(*largest, (double)most);
    return cuda_check(device, result, "make inputs", err);
}

static int cuda_sweep(struct device *device, struct err *err)
{
    unsigned long long count = device->swept_bytes / 16;
    void *arguments[] = {&device->swept, &count, &device->words};
    return cuda_check(
        device, cuda_launch(device, device->sweep, device->blocks, THREADS, 0, arguments),
        "sweep the caches", err);
}

static int read_element(struct device *device, const void *tensor, int dtype, uint64_t index,
                        float *out, struct err *err)
{
    char stored[4];
    size_t bytes = storage_bytes(dtype);
    if (cuda_read(device, stored, (const char *)tensor + index * bytes, bytes, err) != 0)
        return -1;
    storage_get(dtype, stored, 1, out);
    return 0;
}

static int cuda_scan(struct device *device, const struct attention_problem *problem,
                     const struct device_outputs *outputs, double largest, char *text,
                     size_t size, struct err *err)
{
    struct attention_problem by_value = *problem;
    cuda_address out = cuda_address_of(outputs->out);
    cuda_address lse = cuda_address_of(outputs->lse);
    float bound = (float)VERIFY_BOUND(largest);
    unsigned guard = (unsigned)outputs->guard;
    unsigned poison = STORAGE_POISON;
    void *arguments[] = {&by_value, &out, &lse, &bound, &guard, &poison, &device->words};
    uint64_t bad[BAD_WORDS];
    float value;
    if (ask(device, device->scan, arguments, 0xff, bad, err) != 0)
        return -1;
    if (bad[0] != UINT64_MAX) {
        if (read_element(device, outputs->out, problem->dtype, bad[0], &value, err) != 0)
            return -1;
        verify_describe_out(problem, (size_t)bad[0], value, largest, text, size);
        return 1;
    }
    if (bad[1] != UINT64_MAX) {
        if (read_element(device, outputs->lse, ATTENTION_FP32, bad[1], &value, err) != 0)
            return -1;
        verify_describe_lse(problem, (size_t)bad[1], value, text, size);
        return 1;
    }
    if (bad[2] == UINT64_MAX && bad[3] == UINT64_MAX)
        return 0;
    snprintf(text, size, "%s was written behind its end",
             bad[2] != UINT64_MAX ? "out" : "lse");
    return 1;
}

static cuda_result sum_rows(struct device *device, const struct inputs *inputs,
                            cuda_address rows, size_t count, cuda_address scratch,
                            cuda_address sums)
{
    struct attention_problem problem = *inputs->problem;
    unsigned long long seed = inputs->seed[INPUTS_Q]; /* verification's: all from one */
    int kind = (int)inputs->kind;
    void *arguments[] = {&problem, &seed, &kind, &rows, &scratch, &sums};
    return cuda_launch(device, device->sums, (unsigned)count, SUMS_THREADS,
                       (size_t)problem.head_dim * sizeof(double), arguments);
}

static int cuda_sums(struct device *device, const struct inputs *inputs, const uint64_t *rows,
                     size_t count, double *out, struct err *err)
{
    const struct cuda_api *api = &device->api;
    const struct attention_problem *problem = inputs->problem;
    if (problem->head_dim > SUMS_DIM_MAX)
        return err_set(err, ERR_HOST, "head_dim %d: no reference on the device above %d",
                       problem->head_dim, SUMS_DIM_MAX);
    size_t row_bytes = (size_t)problem->seq_k * sizeof(double);
    size_t chunk = sums_scratch_bytes / row_bytes;
    chunk = chunk == 0 ? 1 : chunk > count ? count : chunk;
    size_t sums_bytes = VERIFY_SUMS(problem->head_dim) * sizeof(double);
    cuda_address rows_there = 0, scratch = 0, sums = 0;
    cuda_result result = api->cuMemAlloc_v2(&rows_there, count * sizeof *rows);
    if (result == CUDA_OK)
        result = api->cuMemAlloc_v2(&scratch, chunk * row_bytes);
    if (result == CUDA_OK)
        result = api->cuMemAlloc_v2(&sums, count * sums_bytes);
    if (result == CUDA_OK)
        result = api->cuMemcpyHtoD_v2(rows_there, rows, count * sizeof *rows);
    for (size_t done = 0; result == CUDA_OK && done < count; done += chunk)
        result = sum_rows(device, inputs, rows_there + done * sizeof *rows,
                          count - done < chunk ? count - done : chunk, scratch,
                          sums + done * sums_bytes);
    if (result == CUDA_OK)
        result = api->cuMemcpyDtoH_v2(out, sums, count * sums_bytes);
    api->cuMemFree_v2(rows_there);
    api->cuMemFree_v2(scratch);
    api->cuMemFree_v2(sums);
    return cuda_check(device, result, "compute the reference", err);
}

const struct device_ops device_cuda = {
    .name = "cuda",
    .dtypes = 1u << ATTENTION_FP16 | 1u << ATTENTION_BF16,
    .launches_min = 20,
    .launches_max = 1000,
    .speaks_early = true,
    .open = cuda_open,
    .close = cuda_close,
    .load = cuda_load,
    .memory = cuda_memory,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .write = cuda_write,
    .read = cuda_read,
    .fill = cuda_fill,
    .poison = cuda_poison,
    .scan = cuda_scan,
    .sums = cuda_sums,
    .sweep = cuda_sweep,
    .stage = cuda_stage,
    .unstage = cuda_unstage,
    .sample = cuda_sample,
    .trace = cuda_trace,
    .launches = cuda_launches,
};
