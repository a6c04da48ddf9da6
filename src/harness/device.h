/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness needs of a device: memory, copies, and launches that are timed. One table
 * of functions per kind of device; the rest of the harness knows no other difference. */
#ifndef RATCHET_HARNESS_DEVICE_H
#define RATCHET_HARNESS_DEVICE_H

#include "base/err.h"

#include "attention.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device; /* each kind has its own */

struct device_options {
    int32_t threads;     /* CPU: given to the kernel */
    const int32_t *cpus; /* CPU: logical processors to stay on; NULL: any */
    size_t cpu_count;
};

/* One set of inputs, in device memory. */
struct device_inputs {
    const void *q, *k, *v;
};

/* Everything a launch of one arm needs; only `kernel` differs from arm to arm. */
struct device_work {
    const struct attention_kernel *kernel;
    const struct attention_problem *problem;
    const struct device_inputs *sets;
    size_t set_count;
    void *out;
    float *lse;
    void *workspace;
};

struct device_sample {
    unsigned long long total_ns; /* of all launches together */
    unsigned long long switches; /* involuntary context switches of the process meanwhile */
    int error;                   /* the first nonzero value that forward returned */
};

struct device_ops {
    const char *name;          /* as in the protocol's first line */
    enum attention_device abi; /* what a library must be for */
    int (*open)(const struct device_options *options, struct device **out, struct err *err);
    void (*close)(struct device *device);
    /* Memory at ATTENTION_ALIGNMENT whose pages are all there before anything is timed. */
    int (*allocate)(struct device *device, size_t bytes, void **out, struct err *err);
    void (*release)(struct device *device, void *memory, size_t bytes);
    /* Make memory from `allocate` read-only or writable again, where the device can. */
    int (*protect)(struct device *device, void *memory, size_t bytes, bool read_only,
                   struct err *err);
    int (*write)(struct device *device, void *to, const void *from, size_t bytes,
                 struct err *err);
    int (*read)(struct device *device, void *to, const void *from, size_t bytes,
                struct err *err);
    /* `launches` back to back, the first on input set `first`, then rotating; returns when
     * the device has finished. Between the two clock readings there is nothing else. */
    int (*sample)(struct device *device, const struct device_work *work, size_t first,
                  unsigned long launches, struct device_sample *out, struct err *err);
};

extern const struct device_ops device_cpu;

#endif
