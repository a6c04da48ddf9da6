/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness needs of a device: memory, inputs made and outputs looked at in place, and
 * launches that are timed. One table of functions per kind of device; the rest of the harness
 * knows no other difference. */
#ifndef RATCHET_HARNESS_DEVICE_H
#define RATCHET_HARNESS_DEVICE_H

#include "base/err.h"
#include "harness/inputs.h"
#include "wire.h"

#include "attention.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device; /* each kind has its own */
struct library;
struct worker;

struct device_options {
    int32_t threads;     /* CPU: given to the kernel */
    const int32_t *cpus; /* CPU: logical processors to stay on; NULL: any */
    size_t cpu_count;
};

struct device_memory { /* bytes; 0: not known */
    unsigned long long l2, free, total;
};

/* One set of inputs, in device memory. */
struct device_inputs {
    const void *q, *k, *v;
};

/* All of them: set i is q i, and k and v i modulo kv_count, of which q_count is a multiple. Keys and
 * values are as many as keep the caches cold; queries as many as a sample has launches, so that no
 * two launches of it have the same answer. */
struct device_sets {
    char *q, *k, *v;            /* of set 0; NULL: none yet */
    size_t q_stride, kv_stride; /* bytes from one to the next */
    size_t q_count, kv_count;
};

static inline struct device_inputs device_set(const struct device_sets *sets, size_t i)
{
    size_t kv = i % sets->kv_count * sets->kv_stride;
    return (struct device_inputs){sets->q + i * sets->q_stride, sets->k + kv, sets->v + kv};
}

/* Outputs, in device memory; `guard` bytes of poison lie behind each. */
struct device_outputs {
    void *out; /* of set 0 */
    float *lse;
    size_t guard;
    size_t out_stride,
        lse_stride; /* bytes from one set's to the next's; 0: all write to the same */
};

/* Of one set alone. */
static inline struct device_outputs device_output(const struct device_outputs *outputs,
                                                  size_t set)
{
    struct device_outputs one = {.guard = outputs->guard};
    if (outputs->out != NULL) {
        one.out = (char *)outputs->out + set * outputs->out_stride;
        one.lse = (float *)(void *)((char *)outputs->lse + set * outputs->lse_stride);
    }
    return one;
}

/* Everything a launch of one arm needs; only the library differs from arm to arm. */
struct device_work {
    const struct attention_kernel *kernel; /* in this process… */
    struct worker *worker;                 /* …or in its own; else NULL */
    const struct attention_problem *problem;
    const struct device_sets *sets;
    struct device_outputs to;
    void *workspace;
};

/* One row of what one launch of a sample wrote. Where launches share an output it is taken between that
 * launch and the next, and is the one that is asked for; where each has its own, it is drawn of all of
 * them when the sample is over, and which it was is said. Never from a seed of inputs: these tell it. */
struct device_keep {
    size_t before_end; /* launches that came after it */
    size_t row;
    char *out; /* room for a row as it is stored */
    float lse;
};

/* A sample to be taken: `launches` back to back, the last on input set `last`, those before it on
 * the sets before; where `delayed`, the device is kept busy for delay_ns more before the end. */
struct device_plan {
    size_t last;
    unsigned long launches;
    bool delayed;
    uint64_t delay_ns;
    bool unseen;              /* a peer's: its output is not asked for */
    struct device_keep *keep; /* NULL: nothing is kept */
    void *staged;             /* by `stage` */
};

/* The input set of the launch that comes `before` launches before the last. */
static inline size_t device_plan_set(const struct device_plan *plan,
                                     const struct device_sets *sets, size_t before)
{
    return (plan->last + sets->q_count - before % sets->q_count) % sets->q_count;
}

struct device_sample {
    unsigned long long total_ns;  /* of all launches together */
    unsigned long long disturbed; /* see wire.h */
    int error;                    /* the first nonzero value that forward returned… */
    char what[160];               /* …or what else the kernel did wrong, "" where nothing */
};

/* The kernels that one call of forward launches, in their order; more are not told. */
struct device_launches {
    struct device_launch {
        unsigned long long threads, blocks; /* of a block, of the grid */
        unsigned long long shared;          /* dynamic, bytes a block */
        unsigned long long warps;           /* that a multiprocessor can hold at a time */
        char name[WIRE_TEXT_BYTES];         /* mangled, cut */
    } launches[WIRE_LAUNCHED_MAX];
    size_t count;
};

#define DEVICE_OF_KERNEL ERR_INPUT /* class of an error that ended the device, see `sample` */

struct device_ops {
    const char *name;                         /* as in the protocol's first line */
    unsigned dtypes;                          /* 1 << enum attention_dtype, ored */
    unsigned long launches_min, launches_max; /* of a sample; see launches_for */
    bool speaks_early; /* send each sample at once: the processor is not measured */
    bool own_outputs;  /* each launch of a sample has an output of its own */
    bool clock_apart;  /* no library reaches the clock that samples are taken by */

    int (*open)(const struct device_options *options, struct device **out, struct err *err);
    void (*close)(struct device *device);
    void (*memory)(struct device *device, struct device_memory *out);
    /* Load the library at `path` into an empty slot; 1: it is refused, and `text` says why. */
    int (*load)(struct device *device, const char *path, struct library *out,
                char text[WIRE_TEXT_BYTES], struct err *err);
    /* Memory at ATTENTION_ALIGNMENT whose pages are all there before anything is timed. No kernel can
     * write to inputs, where the device can prevent that. */
    int (*allocate)(struct device *device, size_t bytes, bool inputs, void **out,
                    struct err *err);
    void (*release)(struct device *device, void *memory, size_t bytes);
    int (*write)(struct device *device, void *to, const void *from, size_t bytes,
                 struct err *err);
    int (*read)(struct device *device, void *to, const void *from, size_t bytes,
                struct err *err);

    /* A whole tensor of each of `sets` input sets, `stride` bytes apart; that of set i is drawn from
     * seed + i. *largest grows to its largest |element|; NULL: nobody asks. */
    int (*fill)(struct device *device, const struct inputs *inputs, enum inputs_tensor tensor,
                void *to, size_t sets, size_t stride, double *largest, struct err *err);
    int (*poison)(struct device *device, int dtype, void *to, size_t count, struct err *err);
    /* Is every element written, within 1.01 `largest`, and nothing behind the end? 0, or 1
     * with what is wrong in `text`. */
    int (*scan)(struct device *device, const struct attention_problem *problem,
                const struct device_outputs *outputs, double largest, char *text, size_t size,
                struct err *err);
    /* Sums of the reference (verify.h) of some rows; NULL: the host does it. */
    int (*sums)(struct device *device, const struct inputs *inputs, const uint64_t *rows,
                size_t count, double *out, struct err *err);

    /* Put the caches into a state that no arm has a part in; NULL: there is no need. */
    int (*sweep)(struct device *device, struct err *err);
    /* What a sample needs and must not wait for while it is taken; *out has only what went wrong.
     * `unstage` frees it, and a plan that never was staged is fine. NULL: nothing. */
    int (*stage)(struct device *device, const struct device_work *work,
                 struct device_plan *plan, struct device_sample *out, struct err *err);
    void (*unstage)(struct device *device, struct device_plan *plan);
    /* Returns when the device has finished. An error of class DEVICE_OF_KERNEL: the kernel
     * has ended the device for this process (an illegal address, say). */
    int (*sample)(struct device *device, const struct device_work *work,
                  struct device_plan *plan, struct device_sample *out, struct err *err);
    /* A sample, and the kernels' own time in it by the vendor's tracer; NULL: there is none. */
    int (*trace)(struct device *device, const struct device_work *work,
                 struct device_plan *plan, struct device_sample *out,
                 unsigned long long *kernel_ns, struct err *err);
    /* One call of forward, and which kernels it launches; *sample has only what went wrong. NULL:
     * it launches none. */
    int (*launches)(struct device *device, const struct device_work *work,
                    struct device_launches *out, struct device_sample *sample,
                    struct err *err);
};

extern const struct device_ops device_cpu;
extern const struct device_ops device_cuda;

#endif
