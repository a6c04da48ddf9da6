/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which processes are compared, and what equal or other hashes mean. */
#include "measure/bits.h"

#include "measure/device/device.h"
#include "measure/draw.h"
#include "measure/machine.h"
#include "measure/process.h"

#include <stdio.h>
#include <string.h>

/* One config in a process of its own. Its trouble goes to bits->why. */
static int hash(const struct bench_request *request, const struct machine *machine, size_t i,
                unsigned threads, struct hashes *hashes, struct bits *bits, struct err *err)
{
    struct bench_request asked = *request;
    struct process_config config = {.bench = &request->configs[i], .hashes = hashes};
    asked.threads = threads;
    config.arms[ARM_HEAD] = true;
    if (process_run(&asked, machine, &config, 1, NULL, err) != 0)
        return -1;
    bits->known = config.done && !trouble_any(config.trouble);
    for (size_t t = 0; !bits->known && t < TROUBLE_COUNT; t++)
        if (config.trouble[t].kind != TROUBLE_NONE)
            memcpy(bits->why, config.trouble[t].text, sizeof bits->why);
    return 0;
}

static bool steady(const struct hashes *hashes)
{
    for (size_t i = 1; i < BITS_LAUNCHES; i++)
        if (hashes->launches[i] != hashes->launches[0])
            return false;
    return true;
}

static int look_at(const struct bench_request *request, const struct machine *machine,
                   bool has_threads, size_t i, struct bits *out, struct err *err)
{
    uint64_t seed;
    unsigned threads = machine_threads(machine, request->threads);
    unsigned others = threads > 1 ? 1 : 2;
    if (draw_bits(&seed, err) != 0)
        return -1;
    struct hashes first = {.seed = seed}, again = first, other = first;
    if (hash(request, machine, i, threads, &first, out, err) != 0)
        return -1;
    if (out->known && !steady(&first))
        out->varies |= BITS_BY_LAUNCH;
    if (!out->known || out->varies != 0)
        return 0;
    if (hash(request, machine, i, threads, &again, out, err) != 0)
        return -1;
    if (out->known && (!steady(&again) || again.launches[0] != first.launches[0]))
        out->varies |= steady(&again) ? BITS_BY_PROCESS : BITS_BY_LAUNCH;
    if (!has_threads || !out->known || out->varies != 0)
        return 0;
    out->threads[0] = threads;
    out->threads[1] = others;
    if (hash(request, machine, i, others, &other, out, err) != 0)
        return -1;
    if (out->known && (!steady(&other) || other.launches[0] != first.launches[0]))
        out->varies |= BITS_BY_THREADS;
    return 0;
}

int bits_look(const struct bench_request *request, const struct samples *samples,
              struct bits *out, struct err *err)
{
    struct machine machine;
    const struct device_kind *kind;
    if (device_kind_get(request->device, request->gpu, &kind, err) != 0)
        return -1;
    machine_read(&machine);
    bool has_threads = kind->find == NULL;
    for (size_t i = 0; i < request->config_count; i++)
        if (samples->configs[i].fault == FAULT_NONE &&
            look_at(request, &machine, has_threads, i, &out[i], err) != 0)
            return -1;
    return 0;
}
