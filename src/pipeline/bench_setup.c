/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from a measurement's host, rules and job to what the bench is asked. */
#include "pipeline/bench_setup.h"

#include "measure/device/device.h"
#include "pipeline/lane_lock.h"

#include <stdio.h>

enum { BUSY_MS = 10000 };

void request_set_arm(struct bench_config *bench, enum arm arm, const struct library *library)
{
    if (library == NULL)
        return;
    bench->library[arm] = library->result.library;
    bench->info[arm].present = true;
    snprintf(bench->info[arm].commit, sizeof bench->info[arm].commit, "%s", library->commit);
    snprintf(bench->info[arm].code, sizeof bench->info[arm].code, "%s", library->result.code);
}

/* A replicate takes its time: of which config, and the how manieth. */
static void say_busy(struct measurement *measurement, const struct bench_event *event)
{
    const struct samples *samples = &measurement->samples;
    size_t most = measurement->now.replicates_max;
    if (event->config >= samples->count)
        measurement_tell(measurement, PROGRESS_BUSY, "starting the harness, %.0f s",
                         event->seconds);
    else if (most == 0)
        measurement_tell(measurement, PROGRESS_BUSY, "%s: %.0f s",
                         samples->configs[event->config].config.name, event->seconds);
    else
        measurement_tell(measurement, PROGRESS_BUSY,
                         "%s: replicate %zu of at most %zu, %.0f s",
                         samples->configs[event->config].config.name,
                         config_samples_unmarked(&samples->configs[event->config]) + 1, most,
                         event->seconds);
}

static void bench_says(void *context, const struct bench_event *event)
{
    struct measurement *measurement = context;
    if (event->kind == BENCH_BUSY) {
        say_busy(measurement, event);
        return;
    }
    if (event->kind == BENCH_REPLICATE)
        pace_add(&measurement->pace, event->config, event->seconds);
    measurement_tell(measurement,
                     event->kind == BENCH_REPLICATE ? PROGRESS_REPLICATE : PROGRESS_LINE, "%s",
                     event->line);
}

int request_fill(struct measurement *measurement, const struct bench_config *benches,
                 const struct measurement_libraries *ready, struct gpu *gpu,
                 struct gpu_watch *watch, struct bench_request *out, struct err *err)
{
    const struct host_device *device = measurement->device;
    const struct host_lane *lane = measurement->lane;
    const struct bench_settings *settings = &measurement->config.bench;
    bool is_gpu = device_is_gpu(device->slug);
    if (is_gpu && device_find_gpu(device->slug, lane->gpu, gpu, err) != 0)
        return -1;
    *out = (struct bench_request){.device = device->slug,
                                  .gpu = is_gpu ? gpu : NULL,
                                  .watch = watch,
                                  .threads = device->threads != 0 ? device->threads
                                                                  : lane_cores(lane),
                                  .cpus = lane->cpu_count > 0 ? lane->cpus : NULL,
                                  .cpu_count = lane->cpu_count,
                                  .samples = settings->samples,
                                  .warmup = settings->warmup,
                                  .target_ns = settings->target_ns,
                                  .warm_inputs = settings->warm_inputs,
                                  .configs = benches,
                                  .config_count = measurement->config.config_count,
                                  .harness = measurement->host->harness,
                                  .work = measurement->work,
                                  .head_is_main = measurement->job.kind == JOB_PROMOTE,
                                  .sandboxed = true,
                                  .uid = measurement->host->sandbox_uid,
                                  .gid = measurement->host->sandbox_gid,
                                  .limits = &measurement->host->limits,
                                  .progress = bench_says,
                                  .busy_ms = BUSY_MS,
                                  .context = measurement};
    if (ready != NULL) {
        out->others = ready->others;
        out->peers = true;
        out->expose = ready->expose;
        out->expose_count = ready->expose_count;
    }
    return 0;
}
