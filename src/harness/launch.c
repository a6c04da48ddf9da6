/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what verification and timing do alike: make inputs, launch an arm, read a row of what it
 * wrote. */
#include "harness/state.h"
#include "harness/storage.h"
#include "harness/voice.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_CRASHED = 75 };

/* One tensor of `count` sets from set `first` on. */
static int write_tensor(struct harness *harness, const struct inputs *inputs,
                        enum inputs_tensor tensor, size_t first, size_t count, double *largest,
                        struct err *err)
{
    const struct device_sets *sets = &harness->sets;
    const struct device_ops *ops = harness->ops;
    size_t stride = tensor == INPUTS_Q ? sets->q_stride : sets->kv_stride;
    char *to = tensor == INPUTS_Q ? sets->q : tensor == INPUTS_K ? sets->k : sets->v;
    struct inputs from = *inputs;
    to += first * stride;
    from.seed[tensor] += first;
    if (count == 0)
        return 0;
    return ops->fill(harness->device, &from, tensor, to, count, stride, largest, err);
}

int write_set(struct harness *harness, uint64_t seed, struct err *err)
{
    const struct inputs inputs = inputs_alike(&harness->problem, seed, INPUTS_VERIFY);
    double ignored = 0.0;
    harness->filled = false;
    harness->largest_value = 0.0;
    if (write_tensor(harness, &inputs, INPUTS_Q, 0, 1, &ignored, err) != 0 ||
        write_tensor(harness, &inputs, INPUTS_K, 0, 1, &ignored, err) != 0)
        return -1;
    return write_tensor(harness, &inputs, INPUTS_V, 0, 1, &harness->largest_value, err);
}

int write_sets(struct harness *harness, uint64_t seed, size_t last, size_t count,
               struct err *err)
{
    const struct device_sets *sets = &harness->sets;
    const struct inputs inputs = inputs_alike(&harness->problem, seed, INPUTS_TIMING);
    size_t some = count < sets->q_count ? count : sets->q_count;
    size_t to_last = last + 1 < some ? last + 1
                                     : some; /* the others are at the end: sets go round */
    size_t kv_first = 0;
    size_t kv_count = sets->kv_count;
    if (harness->filled) {
        kv_first = inputs_below(inputs_mix(seed ^ 1), sets->kv_count);
        kv_count = 1;
    }
    if (write_tensor(harness, &inputs, INPUTS_Q, last + 1 - to_last, to_last, NULL, err) !=
            0 ||
        write_tensor(harness, &inputs, INPUTS_Q, sets->q_count - (some - to_last),
                     some - to_last, NULL, err) != 0 ||
        write_tensor(harness, &inputs, INPUTS_K, kv_first, kv_count, NULL, err) != 0 ||
        write_tensor(harness, &inputs, INPUTS_V, kv_first, kv_count, NULL, err) != 0)
        return -1;
    harness->q_seed = seed;
    for (size_t i = 0; i < kv_count; i++)
        harness->kv_seed[kv_first + i] = seed + kv_first + i;
    harness->filled = true;
    harness->ran = ARM_COUNT;
    return 0;
}

int poison_outputs(struct harness *harness, struct err *err)
{
    int dtype = harness->problem.dtype;
    if (harness->ops->poison(harness->device, dtype, harness->out.at,
                             harness->out.bytes / storage_bytes(dtype), err) != 0)
        return -1;
    return harness->ops->poison(harness->device, ATTENTION_FP32, harness->lse.at,
                                harness->lse.bytes / sizeof(float), err);
}

struct device_outputs outputs_of(const struct harness *harness)
{
    return (struct device_outputs){harness->out.at, harness->lse.at, GUARD_BYTES,
                                   harness->out_stride, harness->lse_stride};
}

static struct device_work work_of(const struct harness *harness, enum arm arm)
{
    const struct library *library = &harness->libraries[harness->slots[arm]];
    return (struct device_work){
        .kernel = &library->kernel,
        .worker = library->worker,
        .problem = &harness->problem,
        .sets = &harness->sets,
        .to = outputs_of(harness),
        .workspace = harness->workspace.at,
    };
}

bool is_peer(const struct harness *harness, enum arm arm)
{
    const char *name = harness->libraries[harness->slots[arm]].name;
    return strncmp(name, ATTENTION_PEER, strlen(ATTENTION_PEER)) == 0;
}

void say_wrong(enum arm arm, const char *text)
{
    voice_say("wrong %s %.*s", arm_name(arm), WIRE_TEXT_BYTES - 1, text);
}

/* The kernel has ended the device: the last words of this process. */
static void give_up(const struct err *err)
{
    voice_say("crashed %.*s", WIRE_TEXT_BYTES - 1, err->text);
    voice_flush();
    _exit(EXIT_CRASHED);
}

/* How a launch ended: as launch(). */
static int settle(enum arm arm, int failed, const struct device_sample *sample,
                  const struct err *err)
{
    if (failed != 0) {
        if (err->class == DEVICE_OF_KERNEL)
            give_up(err);
        return -1;
    }
    if (sample->error == 0 && sample->what[0] == '\0')
        return 0;
    char text[sizeof sample->what];
    snprintf(text, sizeof text, "forward returned %d%s", sample->error,
             sample->error == ATTENTION_UNSUPPORTED ? " (ATTENTION_UNSUPPORTED)" : "");
    say_wrong(arm, sample->error != 0 ? text : sample->what);
    return 1;
}

/* A peer's output is not asked for. */
static struct device_work work_for(const struct harness *harness, enum arm arm,
                                   const struct device_plan *plan)
{
    struct device_work work = work_of(harness, arm);
    if (plan->unseen)
        work.to = (struct device_outputs){0};
    return work;
}

int launch_stage(struct harness *harness, enum arm arm, struct device_plan *plan,
                 struct err *err)
{
    const struct device_work work = work_for(harness, arm, plan);
    struct device_sample sample;
    if (harness->ops->stage == NULL)
        return 0;
    int failed = harness->ops->stage(harness->device, &work, plan, &sample, err);
    return settle(arm, failed, &sample, err);
}

void launch_unstage(struct harness *harness, struct device_plan *plan)
{
    if (harness->ops->unstage != NULL)
        harness->ops->unstage(harness->device, plan);
}

/* `kernel_ns` may be NULL here: then nothing is traced. */
int launch_traced(struct harness *harness, enum arm arm, struct device_plan *plan,
                  struct device_sample *sample, unsigned long long *kernel_ns, struct err *err)
{
    const struct device_ops *ops = harness->ops;
    const struct device_work work = work_for(harness, arm, plan);
    int failed = kernel_ns == NULL
                     ? ops->sample(harness->device, &work, plan, sample, err)
                     : ops->trace(harness->device, &work, plan, sample, kernel_ns, err);
    return settle(arm, failed, sample, err);
}

int launch(struct harness *harness, enum arm arm, struct device_plan *plan,
           struct device_sample *sample, struct err *err)
{
    return launch_traced(harness, arm, plan, sample, NULL, err);
}

int launch_look(struct harness *harness, enum arm arm, struct device_launches *out,
                struct err *err)
{
    struct device_sample sample;
    struct device_work work = work_of(harness, arm);
    int failed = harness->ops->launches(harness->device, &work, out, &sample, err);
    return settle(arm, failed, &sample, err);
}

int read_row(struct harness *harness, size_t row, struct err *err)
{
    size_t dim = (size_t)harness->problem.head_dim;
    int dtype = harness->problem.dtype;
    size_t bytes = dim * storage_bytes(dtype);
    if (harness->ops->read(harness->device, harness->stored_row,
                           (const char *)harness->out.at + row * bytes, bytes, err) != 0)
        return -1;
    storage_get(dtype, harness->stored_row, dim, harness->row);
    return harness->ops->read(harness->device, harness->row + dim,
                              (const float *)harness->lse.at + row, sizeof(float), err);
}
