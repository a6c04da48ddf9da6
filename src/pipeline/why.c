/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which libraries are looked at, and for how long. Judges nothing. */
#include "pipeline/why.h"

#include "base/proc.h"
#include "judge/why.h"
#include "measure/device/device.h"
#include "measure/disassemble.h"

#include <stdio.h>
#include <string.h>

/* Libraries of one check, head's among them, and the time for all together. */
enum { LIBRARIES_MAX = 4, ALL_MS = 20000 };

struct looked {
    const struct library *library;
    bool known;
    struct code_listing listing; /* owned */
};

struct looks {
    struct measurement *measurement;
    char capability[8]; /* of the GPU; "" on a processor */
    uint64_t begin_ns;
    struct looked all[LIBRARIES_MAX];
    size_t count;
};

static int look_at(struct looks *looks, const struct library *library,
                   struct code_listing *out, struct err *err)
{
    const struct measurement *measurement = looks->measurement;
    uint64_t gone_ms = (proc_now_ns() - looks->begin_ns) / 1000000;
    if (gone_ms >= ALL_MS)
        return err_set(err, ERR_TIMEOUT, "no time was left");
    const struct disassemble_request request = {.device = measurement->job.device,
                                                .capability = looks->capability,
                                                .library = library->result.library,
                                                .wall_ms = ALL_MS - (unsigned)gone_ms,
                                                .uid = measurement->host->sandbox_uid,
                                                .gid = measurement->host->sandbox_gid};
    return disassemble(&request, out, err);
}

/* The kernels of a library; NULL where they are not known, which is a note. */
static const struct code_listing *listing_of(struct looks *looks,
                                             const struct library *library)
{
    for (size_t i = 0; i < looks->count; i++)
        if (looks->all[i].library == library)
            return looks->all[i].known ? &looks->all[i].listing : NULL;
    if (looks->count == LIBRARIES_MAX)
        return NULL;
    struct looked *looked = &looks->all[looks->count++];
    struct err problem = {0};
    looked->library = library;
    looked->known = look_at(looks, library, &looked->listing, &problem) == 0;
    if (!looked->known)
        measurement_note(looks->measurement,
                         "How the machine code differs could not be looked at: %.300s",
                         problem.text);
    return looked->known && looked->listing.count > 0 ? &looked->listing : NULL;
}

/* What a row was judged against; NULL: nothing that is built here. */
static const struct library *against(const struct arms *arms, const struct config_verdict *row,
                                     size_t config)
{
    if (row->verdict != VERDICT_REGRESSED && row->verdict != VERDICT_IMPROVED)
        return NULL;
    return row->against == AGAINST_ANCHOR ? arms_anchor(arms, config)
           : row->against == AGAINST_BASE ? arms->base
                                          : NULL;
}

void why_look(struct measurement *measurement, const struct arms *arms)
{
    struct looks looks = {.measurement = measurement, .begin_ns = proc_now_ns()};
    struct gpu gpu;
    if (device_is_gpu(measurement->job.device) &&
        device_find_gpu(measurement->job.device, measurement->lane->gpu, &gpu, NULL) == 0)
        memcpy(looks.capability, gpu.capability, sizeof looks.capability);
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        struct config_verdict *row = &measurement->comparison.configs[i];
        const struct library *other = against(arms, row, i);
        const struct code_listing *head = other == NULL ? NULL
                                                        : listing_of(&looks, arms->head);
        const struct code_listing *listing = head == NULL ? NULL : listing_of(&looks, other);
        if (listing != NULL)
            why_compare(head, listing, row->against == AGAINST_BASE ? "base" : "the anchor",
                        &row->code);
    }
    for (size_t i = 0; i < looks.count; i++)
        code_listing_free(&looks.all[i].listing);
}
