/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which arms are profiled, in which order, and for how long. Judges nothing. */
#include "pipeline/counters.h"

#include "base/proc.h"
#include "judge/counters.h"
#include "measure/device/device.h"
#include "measure/profile.h"
#include "pipeline/bench_setup.h"
#include "pipeline/hold.h"
#include "pipeline/why.h"

#include <math.h>
#include <string.h>

enum { CONFIGS_MAX = 4 };

struct counting {
    struct measurement *measurement;
    struct profiler profiler;
    struct bench_config benches[MODEL_CONFIGS_MAX];
    size_t chosen[CONFIGS_MAX]; /* configs, those that moved most first */
    size_t count;
    uint64_t begin_ns;
};

/* ---- which ---- */

static double moved_by(const struct counting *counting, size_t config)
{
    const struct change *change = &counting->measurement->comparison.configs[config].change;
    return change->known ? fabs(change->change) : 0;
}

/* Keeps the few that moved most; among equals the first of the file. */
static void choose(struct counting *counting, size_t config)
{
    size_t at = counting->count;
    while (at > 0 && moved_by(counting, config) > moved_by(counting, counting->chosen[at - 1]))
        at--;
    if (at == CONFIGS_MAX)
        return;
    if (counting->count < CONFIGS_MAX)
        counting->count++;
    memmove(&counting->chosen[at + 1], &counting->chosen[at],
            (counting->count - at - 1) * sizeof counting->chosen[0]);
    counting->chosen[at] = config;
}

static void choose_all(struct counting *counting, const struct arms *arms)
{
    struct measurement *measurement = counting->measurement;
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        const struct config_verdict *row = &measurement->comparison.configs[i];
        const struct library *against = measurement->job.choices.profile
                                            ? why_judged_against(arms, row, i)
                                            : why_against(arms, row, i);
        counting->benches[i].config = measurement->config.configs[i];
        request_set_arm(&counting->benches[i], ARM_HEAD, arms->head);
        request_set_arm(&counting->benches[i], ARM_ANCHOR, against);
        if (against != NULL)
            choose(counting, i);
    }
}

/* ---- counting ---- */

static int count_arm(struct counting *counting, const struct bench_request *bench,
                     size_t config, enum arm arm, const char *who, struct metric_readings *out,
                     struct err *err)
{
    struct measurement *measurement = counting->measurement;
    uint64_t now_ns = proc_now_ns();
    uint64_t gone_ms = (now_ns - counting->begin_ns) / 1000000;
    uint64_t limit_ms = measurement->host->limits.profile_ms;
    if (gone_ms >= limit_ms)
        return err_set(err, ERR_TIMEOUT, "%s: no time was left", who);
    const struct profile_request request = {.bench = bench,
                                            .config = config,
                                            .arm = arm,
                                            .profiler = &counting->profiler,
                                            .wall_ms = (unsigned)(limit_ms - gone_ms)};
    if (profile_run(&request, NULL, out, err) != 0)
        return err_wrap(err, "%s", who);
    measurement_say(measurement, "%s: profiled %s, %.1f s",
                    measurement->config.configs[config].name, who,
                    (double)(proc_now_ns() - now_ns) / 1e9);
    return 0;
}

static int count_config(struct counting *counting, const struct bench_request *bench,
                        size_t config, struct err *err)
{
    struct config_verdict *row = &counting->measurement->comparison.configs[config];
    const char *who = row->against == AGAINST_BASE ? "base" : "the anchor";
    struct metric_readings head, against;
    if (count_arm(counting, bench, config, ARM_HEAD, "head", &head, err) != 0 ||
        count_arm(counting, bench, config, ARM_ANCHOR, who, &against, err) != 0)
        return err_wrap(err, "%s", row->config.name);
    counters_compare(&head, &against, who, &row->metrics);
    return 0;
}

/* On the lane, as whatever else runs a kernel. */
static int count_all(struct counting *counting, struct err *err)
{
    struct measurement *measurement = counting->measurement;
    struct bench_request bench;
    struct environment ignored = {0};
    struct gpu gpu;
    if (request_fill(measurement, counting->benches, NULL, &gpu, NULL, &bench, err) != 0)
        return -1;
    /* The verdict is there: it does not wait for somebody who took the lane meanwhile. */
    HOLD_AUTO hold = {measurement, .lock = LANE_LOCK_NONE,
                      .wait_ms = measurement->host->limits.profile_ms};
    int rc = hold_device(measurement, bench.gpu, &ignored, &hold, err);
    environment_free(&ignored);
    counting->begin_ns = proc_now_ns();
    for (size_t i = 0; rc == 0 && i < counting->count; i++)
        rc = count_config(counting, &bench, counting->chosen[i], err);
    return rc;
}

static int find(const struct host_device *device, struct profiler *out, struct err *err)
{
    const struct device_kind *kind = device_kind_of(device->slug);
    if (kind == NULL)
        return err_set(err, ERR_NOT_FOUND, "nothing is measured on `%s`", device->slug);
    return profiler_find(device->profiler, kind, out, err);
}

void counters_look(struct measurement *measurement, const struct arms *arms)
{
    struct counting counting = {.measurement = measurement};
    const struct host_device *device = measurement->device;
    struct err problem = {0};
    bool asked = measurement->job.choices.profile;
    if (strcmp(device->profiler, HOST_PROFILER_OFF) == 0) {
        if (asked)
            measurement_note(measurement, "A profile was asked for: this host has profiler = "
                                          "off.");
        return;
    }
    choose_all(&counting, arms);
    if (counting.count == 0)
        return;
    int rc = find(device, &counting.profiler, &problem);
    if (rc != 0 && !asked && device->profiler[0] == '\0' && problem.class == ERR_NOT_FOUND)
        return; /* nobody asked for one */
    if (rc != 0 || count_all(&counting, &problem) != 0)
        measurement_note(measurement, "What a profiler counts could not be looked at: %.300s",
                         problem.text);
}
