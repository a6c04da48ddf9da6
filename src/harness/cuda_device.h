/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the CUDA device share: device_cuda.c owns the device and its memory,
 * cuda_samples.c what is timed on it. For nobody else. */
#ifndef RATCHET_HARNESS_CUDA_DEVICE_H
#define RATCHET_HARNESS_CUDA_DEVICE_H

#include "harness/cuda_api.h"
#include "harness/cuda_graphs.h"
#include "harness/device.h"

enum {
    FLAG_UNTIL, /* words of the memory that host and device share */
    FLAG_LATE,
    FLAG_WORDS
};

struct device {
    struct cuda_api api;
    int number;
    bool retained;
    bool tracing;
    cuda_handle context, stream, start, end;
    cuda_handle hold, spin, fill, sweep, keep, scan, sums;
    volatile uint32_t *flags; /* FLAG_WORDS, mapped */
    cuda_address flags_there;
    cuda_address words; /* device memory for a helper's answer: BAD_WORDS of 64 bits */
    cuda_address swept; /* read through before a sample */
    size_t swept_bytes;
    uint32_t until;  /* of the sample made last */
    unsigned blocks; /* that fill the device */
    struct cuda_graphs graphs;
};

static inline cuda_address cuda_address_of(const void *memory)
{
    return (cuda_address)(uintptr_t)memory;
}

/* An error of CUDA's. From the numbers alone: what a kernel does to its own context is the
 * kernel's, everything else the host's. */
MUST_CHECK int cuda_check(const struct device *device, cuda_result result, const char *what,
                          struct err *err);

/* Queue a helper: `blocks` of `threads`, and `rows` of these blocks. */
cuda_result cuda_launch_rows(struct device *device, cuda_handle function, unsigned blocks,
                             unsigned rows, unsigned threads, size_t shared, void **arguments);
cuda_result cuda_launch(struct device *device, cuda_handle function, unsigned blocks,
                        unsigned threads, size_t shared, void **arguments);

/* As in struct device_ops. */
MUST_CHECK int cuda_stage(struct device *device, const struct device_work *work,
                          struct device_plan *plan, struct device_sample *out,
                          struct err *err);
void cuda_unstage(struct device *device, struct device_plan *plan);
MUST_CHECK int cuda_sample(struct device *device, const struct device_work *work,
                           struct device_plan *plan, struct device_sample *out,
                           struct err *err);
MUST_CHECK int cuda_trace(struct device *device, const struct device_work *work,
                          struct device_plan *plan, struct device_sample *out,
                          unsigned long long *kernel_ns, struct err *err);
MUST_CHECK int cuda_launches(struct device *device, const struct device_work *work,
                             struct device_launches *out, struct device_sample *sample,
                             struct err *err);

#endif
