/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU as a device: anonymous memory, memcpy, and the raw monotonic clock around calls
 * that have finished when they return. Preemption is read from getrusage, which counts for
 * every thread the kernel used, ended ones included. */
#include "harness/device.h"

#include "harness/storage.h"
#include "harness/verify.h"
#include "wire.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct device {
    struct attention_cpu_stream stream;
    int32_t cpus[]; /* stream.cpus points here where there is one for every thread */
};

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
    *out = device;
    return 0;
}

static void cpu_close(struct device *device)
{
    free(device);
}

static int cpu_allocate(struct device *device, size_t bytes, void **out, struct err *err)
{
    (void)device;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return err_errno(err, ERR_HOST, errno, "allocate %zu bytes", bytes);
    memset(memory, 0, bytes); /* a page only read before is the shared zero page */
    *out = memory;
    return 0;
}

static void cpu_release(struct device *device, void *memory, size_t bytes)
{
    (void)device;
    munmap(memory, bytes);
}

static int cpu_protect(struct device *device, void *memory, size_t bytes, bool read_only,
                       struct err *err)
{
    (void)device;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    size_t before = (uintptr_t)memory %
                    page; /* whole pages: what lies around is inputs as well */
    if (mprotect((char *)memory - before, bytes + before,
                 read_only ? PROT_READ : PROT_READ | PROT_WRITE) != 0)
        return err_errno(err, ERR_HOST, errno, "protect %zu bytes", bytes);
    return 0;
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

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static unsigned long long involuntary_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (unsigned long long)usage.ru_nivcsw;
}

/* Launch `i` is over: keep a row of it with a chance of 1 in i + 1, so that in the end each launch
 * was as likely as another. Nobody knew of it before: the clock has a say. */
static void keep_row(const struct device_work *work, unsigned long i, unsigned long launches,
                     struct device_keep *keep)
{
    uint64_t bits = inputs_mix(keep->seed ^ now_ns() ^ (uint64_t)i << 40);
    size_t dim = (size_t)work->problem->head_dim;
    if (inputs_below(bits, i + 1) != 0)
        return;
    keep->before_end = launches - 1 - i;
    keep->row = inputs_below(inputs_mix(bits), inputs_rows(work->problem, INPUTS_Q));
    keep->lse = work->to.lse[keep->row];
    memcpy(keep->out, (const float *)work->to.out + keep->row * dim, dim * sizeof(float));
}

static int cpu_sample(struct device *device, const struct device_work *work,
                      struct device_plan *plan, struct device_sample *out, struct err *err)
{
    (void)err;
    size_t set = device_plan_set(plan, work->sets, plan->launches - 1);
    int error = 0;
    /* On a busy machine this gives the rest of our slice away and comes back with a whole
     * one, so that a short sample seldom meets the end of a slice; else it costs 0.3 us. */
    sched_yield();
    unsigned long long switches = involuntary_switches();
    uint64_t start = now_ns();
    for (unsigned long i = 0; i < plan->launches; i++) {
        const struct device_inputs inputs = device_set(work->sets, set);
        int result = work->kernel->forward(work->problem, inputs.q, inputs.k, inputs.v,
                                           work->to.out, work->to.lse, work->workspace,
                                           &device->stream);
        if (error == 0)
            error = result;
        if (plan->keep != NULL)
            keep_row(work, i, plan->launches, plan->keep);
        if (++set == work->sets->q_count)
            set = 0;
    }
    uint64_t end = now_ns();
    if (plan->delayed) {
        uint64_t until = end + plan->delay_ns;
        while (end < until)
            end = now_ns();
    }
    *out = (struct device_sample){
        .total_ns = end - start,
        .disturbed = involuntary_switches() - switches,
        .error = error,
    };
    return 0;
}

const struct device_ops device_cpu = {
    .name = "cpu",
    .abi = ATTENTION_CPU,
    .dtypes = 1u << ATTENTION_FP32,
    .launches_min = 1,
    .launches_max = WIRE_LAUNCHES_MAX,
    .open = cpu_open,
    .close = cpu_close,
    .memory = cpu_memory,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .protect = cpu_protect,
    .write = cpu_copy,
    .read = cpu_copy,
    .fill = cpu_fill,
    .poison = cpu_poison,
    .scan = cpu_scan,
    .sample = cpu_sample,
};
