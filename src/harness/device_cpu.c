/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU as a device: each library in a worker, memory that these share, and our own clock around
 * calls that have finished when they return. */
#include "harness/device.h"

#include "base/sanitized.h"
#include "harness/library.h"
#include "harness/shared.h"
#include "harness/storage.h"
#include "harness/verify.h"
#include "harness/worker.h"
#include "wire.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { SHARED_MAX = 8, DISTURBANCE_NS = 200000 };

struct device {
    struct worker *workers[WIRE_SLOTS_MAX];
    size_t worker_count;
    struct shared shared[SHARED_MAX];
    struct attention_cpu_stream stream;
    int32_t cpus[]; /* stream.cpus points here where there is one for every thread */
};

static int tell(struct worker *worker, enum worker_ask ask, const struct shared *shared,
                struct err *err)
{
    struct worker_request request;
    struct worker_reply reply;
    worker_request_begin(&request, ask);
    request.shared = *shared;
    if (worker_do(worker, &request, &reply, NULL, err) != 0)
        return -1;
    return reply.result == 0 ? 0 : err_set(err, ERR_HOST, "%s", reply.text);
}

/* With a processor for every thread the caller takes the first and the library pins its
 * helpers to the others; with fewer, all share the set. */
static int pin(const struct device_options *options, struct err *err)
{
    size_t count = options->cpu_count;
    size_t threads = (size_t)options->threads;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < (count >= threads ? 1 : count); i++) {
        if (options->cpus[i] < 0 || options->cpus[i] >= CPU_SETSIZE)
            return err_set(err, ERR_INPUT, "cannot pin to cpu %d", (int)options->cpus[i]);
        CPU_SET((size_t)options->cpus[i], &set);
    }
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        return err_errno(err, ERR_HOST, errno, "pin to cpu %d", (int)options->cpus[0]);
    return 0;
}

static int cpu_open(const struct device_options *options, struct device **out, struct err *err)
{
    size_t threads = (size_t)options->threads;
    struct device *device = calloc(1, sizeof *device + threads * sizeof device->cpus[0]);
    if (device == NULL)
        return err_set(err, ERR_HOST, "no memory for the device");
    device->stream.threads = options->threads;
    if (options->cpu_count > 0 && pin(options, err) != 0) {
        free(device);
        return -1;
    }
    if (options->cpu_count >= threads) {
        memcpy(device->cpus, options->cpus, threads * sizeof device->cpus[0]);
        device->stream.cpus = device->cpus;
    }
    /* A library's process, the same user's, does not read our memory. */
    prctl(PR_SET_DUMPABLE, 0);
    *out = device;
    return 0;
}

static void cpu_close(struct device *device)
{
    for (size_t i = 0; i < device->worker_count; i++)
        worker_end(device->workers[i]);
    if (SANITIZED)
        prctl(PR_SET_DUMPABLE, 1); /* who looks for leaks now has to */
    free(device);
}

/* ---- libraries, each in a worker ---- */

static int cpu_load(struct device *device, const char *path, struct library *out,
                    char text[WIRE_TEXT_BYTES], struct err *err)
{
    struct worker *worker;
    if (device->worker_count == WIRE_SLOTS_MAX)
        return err_set(err, ERR_INPUT, "more than %d libraries", WIRE_SLOTS_MAX);
    int refused = worker_start(path, &device->stream, &worker, text, err);
    if (refused != 0)
        return refused;
    device->workers[device->worker_count++] = worker;
    struct err why = {0};
    if (library_of_worker(worker, text, out, &why) == 0)
        return 0;
    snprintf(text, WIRE_TEXT_BYTES, "%.*s", WIRE_TEXT_BYTES - 1, why.text);
    return 1;
}

/* ---- memory that they share ---- */

static int cpu_allocate(struct device *device, size_t bytes, bool inputs, void **out,
                        struct err *err)
{
    size_t free_one = 0;
    while (free_one < SHARED_MAX && device->shared[free_one].at != NULL)
        free_one++;
    if (free_one == SHARED_MAX)
        return err_set(err, ERR_HOST, "more than %d buffers", SHARED_MAX);
    struct shared *shared = &device->shared[free_one];
    if (shared_open(bytes, inputs, shared, err) != 0)
        return -1;
    *out = shared->at;
    for (size_t i = 0; i < device->worker_count; i++)
        if (tell(device->workers[i], WORKER_MAP, shared, err) != 0)
            return -1;
    return 0;
}

static void cpu_release(struct device *device, void *memory, size_t bytes)
{
    (void)bytes;
    struct err ignored;
    size_t found = 0;
    while (found < SHARED_MAX && device->shared[found].at != memory)
        found++;
    if (found == SHARED_MAX)
        return;
    for (size_t i = 0; i < device->worker_count; i++)
        if (tell(device->workers[i], WORKER_UNMAP, &device->shared[found], &ignored) != 0)
            continue; /* the next request to it says so */
    shared_close(&device->shared[found]);
}

static int cpu_copy(struct device *device, void *to, const void *from, size_t bytes,
                    struct err *err)
{
    (void)device;
    (void)err;
    memcpy(to, from, bytes);
    return 0;
}

static void cpu_memory(struct device *device, struct device_memory *out)
{
    (void)device;
    *out = (struct device_memory){0}; /* the parent reads of /proc what it needs */
}

static int cpu_fill(struct device *device, const struct inputs *inputs,
                    enum inputs_tensor tensor, void *to, size_t sets, size_t stride,
                    double *largest, struct err *err)
{
    (void)device;
    (void)err;
    size_t dim = (size_t)inputs->problem->head_dim;
    size_t rows = inputs_rows(inputs->problem, tensor);
    for (size_t set = 0; set < sets; set++) {
        struct inputs one = *inputs;
        one.seed[tensor] += set;
        for (size_t i = 0; i < rows; i++)
            inputs_row(&one, tensor, i, (float *)((char *)to + set * stride) + i * dim);
    }
    const float *values = to;
    for (size_t i = 0; largest != NULL && i < rows * dim; i++)
        *largest = fmax(*largest, fabs((double)values[i]));
    return 0;
}

static int cpu_poison(struct device *device, int dtype, void *to, size_t count,
                      struct err *err)
{
    (void)device;
    (void)err;
    storage_poison(dtype, to, count);
    return 0;
}

static bool guard_holds(const float *behind, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *behind; i++)
        if (!storage_is_poison(behind[i]))
            return false;
    return true;
}

static int cpu_scan(struct device *device, const struct attention_problem *problem,
                    const struct device_outputs *outputs, double largest, char *text,
                    size_t size, struct err *err)
{
    (void)device;
    (void)err;
    const float *out = outputs->out;
    size_t rows = inputs_rows(problem, INPUTS_Q);
    if (!verify_whole(problem, out, outputs->lse, largest, text, size))
        return 1;
    bool out_holds = guard_holds(out + rows * (size_t)problem->head_dim, outputs->guard);
    if (out_holds && guard_holds(outputs->lse + rows, outputs->guard))
        return 0;
    snprintf(text, size, "%s was written behind its end", out_holds ? "lse" : "out");
    return 1;
}

/* One launch of the sample, each as likely as another, and a row of what it wrote. */
static int keep_row(const struct device_work *work, const struct device_plan *plan,
                    struct err *err)
{
    struct device_keep *keep = plan->keep;
    uint64_t bits;
    if (inputs_secret(&bits, err) != 0)
        return -1;
    size_t dim = (size_t)work->problem->head_dim;
    keep->before_end = inputs_below(bits, plan->launches);
    keep->row = inputs_below(inputs_mix(bits), inputs_rows(work->problem, INPUTS_Q));
    const struct device_outputs wrote = device_output(
        &work->to, device_plan_set(plan, work->sets, keep->before_end));
    keep->lse = wrote.lse[keep->row];
    memcpy(keep->out, (const float *)wrote.out + keep->row * dim, dim * sizeof(float));
    return 0;
}

/* With one thread what others took of the processor is not in the time. */
static unsigned long long disturbances(const struct device *device,
                                       const struct worker_took *took)
{
    return device->stream.threads == 1 ? 0 : took->waited_ns / DISTURBANCE_NS;
}

static int cpu_sample(struct device *device, const struct device_work *work,
                      struct device_plan *plan, struct device_sample *out, struct err *err)
{
    struct worker_request request;
    struct worker_reply reply;
    struct worker_took took;
    worker_request_begin(&request, WORKER_SAMPLE);
    request.problem = *work->problem;
    request.sets = *work->sets;
    request.to = work->to;
    request.workspace = work->workspace;
    request.first = device_plan_set(plan, work->sets, plan->launches - 1);
    request.launches = plan->launches;
    request.delayed = plan->delayed;
    request.delay_ns = plan->delay_ns;
    if (worker_do(work->worker, &request, &reply, &took, err) != 0)
        return -1;
    *out = (struct device_sample){
        .total_ns = took.ns,
        .disturbed = disturbances(device, &took),
        .error = reply.result,
    };
    if (took.went_on)
        snprintf(out->what, sizeof out->what, "it went on while it was stopped");
    return plan->keep == NULL || work->to.out == NULL ? 0 : keep_row(work, plan, err);
}

const struct device_ops device_cpu = {
    .name = "cpu",
    .dtypes = 1u << ATTENTION_FP32,
    .launches_min = 1,
    .launches_max = WIRE_LAUNCHES_MAX,
    .own_outputs = true,
    .clock_apart = true,
    .open = cpu_open,
    .close = cpu_close,
    .load = cpu_load,
    .memory = cpu_memory,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .write = cpu_copy,
    .read = cpu_copy,
    .fill = cpu_fill,
    .poison = cpu_poison,
    .scan = cpu_scan,
    .sample = cpu_sample,
};
