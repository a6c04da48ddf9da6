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

/* The inputs are writable only in here: a kernel that writes to them crashes. */
int write_sets(struct harness *harness, enum inputs_kind kind, uint64_t seed, size_t sets,
               struct err *err)
{
    const struct memory *memory = &harness->inputs;
    if (harness->ops->protect(harness->device, memory->at, memory->bytes, false, err) != 0)
        return -1;
    harness->largest_value = 0.0;
    double ignored = 0.0;
    char *base = memory->at; /* through which the sets may be written */
    for (size_t set = 0; set < sets; set++) {
        const struct inputs inputs = {&harness->problem, seed + set, kind};
        const struct device_inputs *to = &harness->sets[set];
        const struct {
            enum inputs_tensor tensor;
            const void *to;
            double *largest;
        } tensors[] = {{INPUTS_Q, to->q, &ignored},
                       {INPUTS_K, to->k, &ignored},
                       {INPUTS_V, to->v, &harness->largest_value}};
        for (size_t i = 0; i < 3; i++)
            if (harness->ops->fill(harness->device, &inputs, tensors[i].tensor,
                                   base + ((const char *)tensors[i].to - base),
                                   tensors[i].largest, err) != 0)
                return -1;
    }
    return harness->ops->protect(harness->device, memory->at, memory->bytes, true, err);
}

struct device_outputs outputs_of(const struct harness *harness)
{
    return (struct device_outputs){harness->out.at, harness->lse.at, GUARD_BYTES};
}

static struct device_work work_of(const struct harness *harness, enum arm arm)
{
    return (struct device_work){
        .kernel = &harness->libraries[harness->slots[arm]].kernel,
        .problem = &harness->problem,
        .sets = harness->sets,
        .set_count = harness->set_count,
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

/* `kernel_ns` may be NULL here: then nothing is traced. */
int launch_traced(struct harness *harness, enum arm arm, const struct device_plan *plan,
                  struct device_sample *sample, unsigned long long *kernel_ns, struct err *err)
{
    const struct device_ops *ops = harness->ops;
    struct device_work work = work_of(harness, arm);
    if (plan->unseen)
        work.to = (struct device_outputs){0};
    int failed = kernel_ns == NULL
                     ? ops->sample(harness->device, &work, plan, sample, err)
                     : ops->trace(harness->device, &work, plan, sample, kernel_ns, err);
    return settle(arm, failed, sample, err);
}

int launch(struct harness *harness, enum arm arm, const struct device_plan *plan,
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

int read_row(struct harness *harness, size_t row, float *to, struct err *err)
{
    size_t dim = (size_t)harness->problem.head_dim;
    int dtype = harness->problem.dtype;
    size_t bytes = dim * storage_bytes(dtype);
    if (harness->ops->read(harness->device, harness->stored_row,
                           (const char *)harness->out.at + row * bytes, bytes, err) != 0)
        return -1;
    storage_get(dtype, harness->stored_row, dim, to);
    return harness->ops->read(harness->device, to + dim, (const float *)harness->lse.at + row,
                              sizeof *to, err);
}
