/* SPDX-License-Identifier: Apache-2.0 */
/* What a GPU can do at most: the vendor's figures, by name and compute capability, each
 * with its source in peaks.c. Used for the floor below which a time cannot be true
 * (measure/) and for the share of the peaks that a kernel reaches (publish/). */
#ifndef RATCHET_PEAKS_H
#define RATCHET_PEAKS_H

struct peaks {
    const char *name;       /* "NVIDIA L4", as the driver gives it */
    const char *capability; /* "8.9" */
    double dram_gb_s;       /* bytes per ns */
    double fp16_tflop_s;    /* dense fp16/bf16 on tensor cores, 1000 operations per ns */
    double l2_mib;          /* 0: the vendor does not say */
};

/* NULL where this GPU is not in the table. */
const struct peaks *peaks_find(const char *name, const char *capability);

#endif
