/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what counts as spilling. */
#include "lab/tune_spills.h"

#include "measure/device/device.h"
#include "measure/disassemble.h"

#include <stdio.h>

enum { READ_MS = 10000 };

void tune_spills_read(const struct measurement *measurement, const char *library,
                      struct code_listing *out)
{
    struct gpu gpu;
    struct err ignored;
    *out = (struct code_listing){.kernels = NULL};
    if (!device_is_gpu(measurement->job.device) ||
        device_find_gpu(measurement->job.device, measurement->lane->gpu, &gpu, NULL) != 0)
        return;
    const struct disassemble_request request = {.device = measurement->job.device,
                                                .capability = gpu.capability,
                                                .library = library,
                                                .wall_ms = READ_MS,
                                                .uid = measurement->host->sandbox_uid,
                                                .gid = measurement->host->sandbox_gid};
    if (disassemble(&request, out, &ignored) !=
        0) /* then it is measured, and shows what it costs */
        *out = (struct code_listing){.kernels = NULL};
}

/* Bytes a thread of the kernel that spills most; 0: none, or not known. */
static long long worst(const struct code_listing *listing)
{
    long long most = 0;
    for (size_t i = 0; i < listing->count; i++)
        if (listing->kernels[i].facts[CODE_SPILL_STORES] > most)
            most = listing->kernels[i].facts[CODE_SPILL_STORES];
    return most;
}

bool tune_spills_more(const struct code_listing *today, const struct code_listing *candidate,
                      char *why, size_t size)
{
    long long before = worst(today), now = worst(candidate);
    if (today->count == 0 || now <= before)
        return false;
    if (before == 0)
        snprintf(why, size, "it spills %lld bytes a thread, today's kernel none", now);
    else
        snprintf(why, size, "it spills %lld bytes a thread, today's kernel %lld", now, before);
    return true;
}
