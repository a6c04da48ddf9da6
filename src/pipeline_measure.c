/* SPDX-License-Identifier: Apache-2.0 */
/* From libraries to a comparison: the device held, and replicates until the judge has seen
 * enough. */
#include "pipeline.h"

#include "base/proc.h"
#include "judge/compare.h"
#include "judge/verdict.h"
#include "measure/bench.h"
#include "measure/build.h"
#include "measure/device/device.h"
#include "pipeline_arms.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bench ---- */

static void set_arm(struct bench_config *bench, enum arm arm, const struct library *library)
{
    if (library == NULL)
        return;
    bench->library[arm] = library->result.library;
    bench->info[arm].present = true;
    snprintf(bench->info[arm].commit, sizeof bench->info[arm].commit, "%s", library->commit);
    snprintf(bench->info[arm].code, sizeof bench->info[arm].code, "%s", library->result.code);
}

/* Where base runs the anchor's own machine code, a base arm would measure the anchor a third
 * time: the change against the anchor is the PR's own contribution then. */
static void set_arms(const struct pipeline *pipeline, const struct arms *arms,
                     struct bench_config *benches)
{
    for (size_t i = 0; i < pipeline->config.config_count; i++) {
        benches[i].config = pipeline->config.configs[i];
        set_arm(&benches[i], ARM_HEAD, arms->head);
        set_arm(&benches[i], ARM_ANCHOR, arms_anchor(arms, i));
        if (!arms_same_code(arms->base, arms_anchor(arms, i)))
            set_arm(&benches[i], ARM_BASE, arms->base);
    }
}

/* What is known before anything runs: identical machine code, and anchors that are gone. */
static void set_known(struct samples *samples, const struct arms *arms,
                      const struct bench_config *benches)
{
    for (size_t i = 0; i < samples->count; i++) {
        struct config_samples *config = &samples->configs[i];
        memcpy(config->arms, benches[i].info, sizeof config->arms);
        config->arms[ARM_CONTROL] = config->arms[ARM_ANCHOR];
        const struct anchor *anchor = arms->of_config[i];
        if (arms_same_code(arms->head, arms_anchor(arms, i))) {
            config->identical = true;
            config->identical_to = ARM_ANCHOR;
        } else if (arms_same_code(arms->head, arms->base)) {
            config->identical = true;
            config->identical_to = ARM_BASE;
        }
        if (anchor != NULL && anchor->library == NULL) {
            config->anchor_failed = true;
            config->anchor_unbuilt = anchor->unbuilt;
            memcpy(config->anchor_failure, anchor->failure, MODEL_TEXT_BYTES);
        }
    }
}

/* Marked replicates are taken again, up to as many again as were planned. */
static size_t attempts_max(const struct pipeline *pipeline)
{
    const struct rule *rule = &pipeline->config.rule;
    size_t planned = rule->looks[rule->look_count - 1];
    size_t limit = pipeline->host->limits.replicates;
    return 2 * planned < limit ? 2 * planned : limit;
}

static bool choose(const struct pipeline *pipeline, size_t target, const bool *open,
                   bool *want)
{
    bool any = false;
    for (size_t i = 0; i < pipeline->samples.count; i++) {
        const struct config_samples *config = &pipeline->samples.configs[i];
        want[i] = open[i] && !config->identical && config->fault == FAULT_NONE &&
                  config_samples_unmarked(config) < target &&
                  config->attempts < attempts_max(pipeline);
        any = any || want[i];
    }
    return any;
}

static int compare(struct pipeline *pipeline, struct err *err)
{
    comparison_free(&pipeline->comparison);
    return compare_samples(&pipeline->samples,
                           pipeline->has_baseline ? &pipeline->baseline : NULL,
                           &pipeline->config.rule, &pipeline->comparison, err);
}

/* Look, and go on with the configs that more replicates could settle. */
static int look_until_settled(struct pipeline *pipeline, const struct bench_request *request,
                              struct err *err)
{
    const struct rule *rule = &pipeline->config.rule;
    bool open[MODEL_CONFIGS_MAX], want[MODEL_CONFIGS_MAX];
    memset(open, true, sizeof open);
    for (unsigned look = 0; look < rule->look_count; look++) {
        while (choose(pipeline, rule->looks[look], open, want))
            if (bench_replicate(request, want, &pipeline->samples, err) != 0)
                return -1;
        if (compare(pipeline, err) != 0)
            return -1;
        bool any = false;
        for (size_t i = 0; i < pipeline->samples.count; i++) { /* rows of more may follow */
            open[i] = pipeline->comparison.configs[i].wants_more;
            any = any || open[i];
        }
        if (rule->look_count > 1)
            pipeline_say(pipeline, "after %u replicates: %s", rule->looks[look],
                         pipeline->comparison.reason);
        if (!any)
            break;
    }
    return 0;
}

/* ---- the device: its lock, its clocks ---- */

int pipeline_device_lock(const struct host *host, const char *device, const struct gpu *gpu,
                         char out[FILE_PATH_BYTES], struct err *err)
{
    return device_lock_path(host->lock_dir, device, gpu, out, err);
}

/* What is held while a device is measured on. */
struct hold {
    struct pipeline *pipeline;
    int lock;
    struct gpu_clock_lock *clocks; /* NULL: left as they were */
};

/* In this order: nobody else may measure while clocks are still being unlocked. */
static void hold_end(struct hold *hold)
{
    struct err err;
    if (gpu_clocks_unlock(&hold->clocks, &err) != 0)
        pipeline_say(hold->pipeline, "the clocks stay locked for now: %s", err.text);
    file_close(&hold->lock);
}

static int lock_device(struct pipeline *pipeline, const struct gpu *gpu, int *lock,
                       struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (pipeline_device_lock(pipeline->host, pipeline->job.device, gpu, path, err) != 0)
        return -1;
    if (file_lock(path, false, lock, err) == 0)
        return 0;
    if (err->class != ERR_CONFLICT)
        return -1;
    pipeline_say(pipeline, "waiting for the device: %s", err->text);
    return file_lock(path, true, lock, err);
}

/* A lock that the host wants and does not get is a fact of the environment, no failure: what
 * is measured with free clocks is sound all the same. */
static int settle_clocks(struct pipeline *pipeline, const struct gpu *gpu, struct hold *hold,
                         struct err *err)
{
    const char *folder = pipeline->host->lock_dir;
    unsigned mhz = pipeline->device->clock_lock_mhz;
    char policy[MODEL_TEXT_BYTES] = "as found";
    struct err why;
    bool undone = false;
    if (gpu_clocks_undo(gpu, folder, &undone, &why) != 0)
        snprintf(policy, sizeof policy, "locked by a run that was killed: %.400s", why.text);
    else if (mhz > 0 &&
             gpu_clocks_lock(gpu, mhz, folder, hold->lock, &hold->clocks, &why) == 0)
        snprintf(policy, sizeof policy, "locked at %u MHz", mhz);
    else if (mhz > 0)
        snprintf(policy, sizeof policy, "as found; %u MHz were refused: %.400s", mhz,
                 why.text);
    if (undone)
        pipeline_say(pipeline, "unlocked the clocks that a killed run had left locked");
    if (environment_set(&pipeline->samples.environment, "clock_policy", policy) != 0)
        return err_set(err, ERR_HOST, "out of memory for the environment");
    return 0;
}

static int hold_device(struct pipeline *pipeline, const struct gpu *gpu, struct hold *hold,
                       struct err *err)
{
    if (lock_device(pipeline, gpu, &hold->lock, err) != 0)
        return -1;
    return gpu == NULL ? 0 : settle_clocks(pipeline, gpu, hold, err);
}

/* The lock is tried, not waited for: whoever has it undoes it. */
static int undo_one(const struct host *host, const struct host_device *device, struct err *err)
{
    char path[FILE_PATH_BYTES];
    bool undone;
    struct gpu gpu;
    FD_AUTO lock = -1;
    if (device_find_gpu(device->slug, device->gpu, &gpu, err) != 0 ||
        pipeline_device_lock(host, device->slug, &gpu, path, err) != 0)
        return -1;
    if (file_lock(path, false, &lock, err) != 0)
        return err->class == ERR_CONFLICT ? 0 : -1;
    return gpu_clocks_undo(&gpu, host->lock_dir, &undone, err);
}

int pipeline_undo_clocks(const struct host *host, struct err *err)
{
    char pattern[FILE_PATH_BYTES];
    glob_t found;
    if (file_path(pattern, err, "%s/ratchet-gpu-*.clocks", host->lock_dir) != 0)
        return -1;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return 0;
    globfree(&found);
    for (size_t i = 0; i < host->device_count; i++)
        if (device_is_gpu(host->devices[i].slug) &&
            undo_one(host, &host->devices[i], err) != 0)
            return err_wrap(err, "device %s", host->devices[i].slug);
    return 0;
}

static void bench_says(void *context, const char *line)
{
    pipeline_say(context, "%s", line);
}

/* How the libraries were made: the compilers, and head's own recipe. */
static int add_build_facts(struct pipeline *pipeline, const struct kernel_source *source,
                           struct err *err)
{
    struct environment *environment = &pipeline->samples.environment;
    char toolchain[BUILD_TOOLCHAIN_BYTES];
    if (build_toolchain(pipeline->device->slug, toolchain, sizeof toolchain, err) != 0)
        return -1;
    if (environment_set(environment, "compiler", toolchain) != 0 ||
        environment_set(environment, ARMS_FACT_COMMAND, source->recipe.command) != 0 ||
        environment_set(environment, ARMS_FACT_OUTPUT, source->recipe.output) != 0)
        return err_set(err, ERR_HOST, "out of memory for the environment");
    return 0;
}

/* What every measurement of this job begins with, the environment's facts included. `built`:
 * head, NULL where the libraries are `ready` ones that were not built here. */
static int begin(struct pipeline *pipeline, const struct bench_config *benches,
                 const struct library *built, const struct pipeline_libraries *ready,
                 struct gpu *gpu, struct gpu_watch *watch, struct bench_request *out,
                 struct err *err)
{
    const struct host_device *device = pipeline->device;
    const struct bench_settings *settings = &pipeline->config.bench;
    bool is_gpu = device_is_gpu(device->slug);
    if (is_gpu && device_find_gpu(device->slug, device->gpu, gpu, err) != 0)
        return -1;
    *out = (struct bench_request){.device = device->slug,
                                  .gpu = is_gpu ? gpu : NULL,
                                  .watch = watch,
                                  .threads = device->threads,
                                  .cpus = device->cpu_count > 0 ? device->cpus : NULL,
                                  .cpu_count = device->cpu_count,
                                  .samples = settings->samples,
                                  .warmup = settings->warmup,
                                  .target_ns = settings->target_ns,
                                  .warm_inputs = settings->warm_inputs,
                                  .configs = benches,
                                  .config_count = pipeline->config.config_count,
                                  .harness = pipeline->host->harness,
                                  .work = pipeline->work,
                                  .head_is_main = pipeline->job.kind == JOB_PROMOTE,
                                  .sandboxed = true,
                                  .uid = pipeline->host->sandbox_uid,
                                  .gid = pipeline->host->sandbox_gid,
                                  .limits = &pipeline->host->limits,
                                  .progress = bench_says,
                                  .context = pipeline};
    if (ready != NULL) {
        out->others = ready->others;
        out->peers = true;
        out->expose = ready->expose;
        out->expose_count = ready->expose_count;
    }
    samples_free(&pipeline->samples);
    if (bench_begin(out, &pipeline->samples, err) != 0)
        return -1;
    return built == NULL ? 0 : add_build_facts(pipeline, &built->source, err);
}

/* Take all the replicates that it needs, with the device held. */
static int take(struct pipeline *pipeline, const struct bench_request *request,
                struct err *err)
{
    struct hold hold __attribute__((cleanup(hold_end))) = {pipeline, .lock = -1};
    if (hold_device(pipeline, request->gpu, &hold, err) != 0)
        return -1;
    uint64_t start = proc_now_ns();
    int result = look_until_settled(pipeline, request, err);
    if (result == 0 && request->gpu != NULL)
        result = gpu_watch_facts(request->watch, &pipeline->samples.environment, err);
    pipeline->bench_s += (double)(proc_now_ns() - start) / 1e9;
    return result;
}

static int bench(struct pipeline *pipeline, const struct arms *arms,
                 struct bench_config *benches, struct err *err)
{
    struct gpu gpu;
    struct gpu_watch watch = {0};
    struct bench_request request;
    if (begin(pipeline, benches, arms->head, NULL, &gpu, &watch, &request, err) != 0)
        return -1;
    set_known(&pipeline->samples, arms, benches);
    return take(pipeline, &request, err);
}

int pipeline_sweep(struct pipeline *pipeline, const struct pipeline_libraries *libraries,
                   struct err *err)
{
    struct gpu gpu;
    struct gpu_watch watch = {0};
    struct bench_request request;
    if (begin(pipeline, libraries->configs, NULL, libraries, &gpu, &watch, &request, err) != 0)
        return -1;
    return take(pipeline, &request, err);
}

static void note_missing_baseline(struct pipeline *pipeline, bool with_base)
{
    if (!with_base)
        return;
    if (!pipeline->has_baseline)
        pipeline_note(pipeline,
                      "No baseline for %s yet: compared with the base commit. The first merge "
                      "to main records it.",
                      pipeline->job.device);
}

int pipeline_measure(struct pipeline *pipeline, const char *head, bool with_base,
                     struct err *err)
{
    struct arms *arms __attribute__((cleanup(arms_free))) = arms_new(pipeline, err);
    struct bench_config benches[MODEL_CONFIGS_MAX] = {0};
    if (arms == NULL)
        return -1;
    note_missing_baseline(pipeline, with_base);
    int built = arms_build(pipeline, arms, head, with_base, err);
    if (built <= 0)
        return built;
    set_arms(pipeline, arms, benches);
    return bench(pipeline, arms, benches, err);
}

int pipeline_lend(struct pipeline *pipeline, const char *commit,
                  const struct pipeline_lab *lab, struct err *err)
{
    struct arms *arms __attribute__((cleanup(arms_free))) = arms_new(pipeline, err);
    struct bench_config benches[MODEL_CONFIGS_MAX] = {0};
    struct bench_request request;
    struct gpu_watch watch = {0};
    struct gpu gpu;
    if (arms == NULL ||
        arms_build_one(pipeline, arms, commit, "kernel", &arms->head, err) != 0)
        return -1;
    if (!arms->head->result.built)
        return err_set(err, ERR_INPUT, "%.10s: %.480s", commit, arms->head->result.failure);
    for (size_t i = 0; i < pipeline->config.config_count; i++) {
        benches[i].config = pipeline->config.configs[i];
        for (int arm = 0; arm < ARM_OTHER; arm++)
            set_arm(&benches[i], (enum arm)arm, arms->head);
    }
    if (begin(pipeline, benches, arms->head, NULL, &gpu, &watch, &request, err) != 0)
        return -1;
    for (size_t i = 0; i < pipeline->samples.count; i++)
        if (pipeline->samples.configs[i].fault != FAULT_NONE)
            return err_set(err, ERR_INPUT, "%s: %.480s", benches[i].config.name,
                           pipeline->samples.configs[i].failure);
    struct hold hold __attribute__((cleanup(hold_end))) = {pipeline, .lock = -1};
    if (hold_device(pipeline, request.gpu, &hold, err) != 0)
        return -1;
    return lab->use(lab->context, &request, err);
}
