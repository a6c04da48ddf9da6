/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what counts as the spills of a library. */
#include "pipeline/spills.h"

#include "measure/device/device.h"
#include "measure/disassemble.h"

enum { READ_MS = 20000 };

long long spills_worst(const struct code_listing *listing)
{
    long long most = -1;
    for (size_t i = 0; i < listing->count; i++)
        if (listing->kernels[i].facts[CODE_SPILL_STORES] > most)
            most = listing->kernels[i].facts[CODE_SPILL_STORES];
    return most;
}

long long spills_of(const struct measurement *measurement, const char *library)
{
    struct gpu gpu;
    struct err ignored; /* what cannot be read is measured, and shows what it costs */
    CODE_LISTING_AUTO listing = {0};
    if (!device_is_gpu(measurement->job.device) ||
        device_find_gpu(measurement->job.device, measurement->lane->gpu, &gpu, NULL) != 0)
        return -1;
    const struct disassemble_request request = {.device = measurement->job.device,
                                                .capability = gpu.capability,
                                                .library = library,
                                                .wall_ms = READ_MS,
                                                .uid = measurement->host->sandbox_uid,
                                                .gid = measurement->host->sandbox_gid};
    return disassemble(&request, &listing, &ignored) == 0 ? spills_worst(&listing) : -1;
}
