/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the samples before the first replicate: the device, the facts about it, and configs whose
 * libraries do not export what a kernel has to. */
#include "measure/bench_internal.h"

#include "measure/code.h"
#include "measure/machine.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

int bench_check(const struct bench_request *request, const struct device_kind **kind,
                struct err *err)
{
    if (request->samples == 0 || request->samples > request->limits->samples)
        return err_set(err, ERR_INPUT, "%u samples an arm, expected 1 to %llu",
                       request->samples, request->limits->samples);
    if (!(request->target_ns >= 1.0 && request->target_ns <= 1e12))
        return err_set(err, ERR_INPUT, "a sample of %g ns, expected 1 to 1e12",
                       request->target_ns);
    if (request->config_count == 0 || request->config_count > MODEL_CONFIGS_MAX)
        return err_set(err, ERR_INPUT, "%zu configs, expected 1 to %d", request->config_count,
                       MODEL_CONFIGS_MAX);
    if (device_kind_get(request->device, request->gpu, kind, err) != 0)
        return -1;
    for (size_t i = 0; i < request->config_count; i++)
        if (request->configs[i].library[ARM_HEAD] == NULL)
            return err_set(err, ERR_INTERNAL, "config `%s` has no head library",
                           request->configs[i].config.name);
    return 0;
}

static int add_facts(const struct bench_request *request, const struct device_kind *kind,
                     const struct device_use *use, struct environment *environment,
                     struct err *err)
{
    char text[64];
    if (machine_facts(use->machine, environment, err) != 0 ||
        kind->facts(use, environment, err) != 0)
        return -1;
    int failed = environment_set(environment, "protocol", kind->protocol);
    snprintf(text, sizeof text, "%.3g ms", request->target_ns / 1e6);
    if (request->target_ns > 0) /* else nobody said */
        failed |= environment_set(environment, "sample_target", text);
    snprintf(text, sizeof text, "%.3g ns", kind->tick_ns(use));
    failed |= environment_set(environment, "clock_resolution", text);
    failed |= environment_set(environment, "sandbox",
                              request->sandboxed ? "bubblewrap" : "none");
    return failed == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}

/* What a library exports is read from its file before anything of it runs. */
static int check_exports(const struct bench_request *request, const struct bench_config *bench,
                         struct config_samples *config, struct err *err)
{
    for (int arm = 0; arm < ARM_CONTROL; arm++) {
        struct err why = {0};
        if (bench->library[arm] == NULL ||
            code_check_exports(bench->library[arm], WIRE_KERNEL_SYMBOL, &why) == 0)
            continue;
        if (why.class != ERR_INPUT) {
            if (err != NULL)
                *err = why;
            return -1;
        }
        /* Paths of this host do not belong into a public comment. */
        const char *path = bench->library[arm];
        size_t skip = strncmp(why.text, path, strlen(path)) == 0 ? strlen(path) : 0;
        char text[MODEL_TEXT_BYTES];
        snprintf(text, sizeof text, "%s%.460s", skip > 0 ? "the library" : "",
                 why.text + skip);
        if (arm == ARM_ANCHOR)
            bench_fail_anchor(config, text);
        else if (config->fault == FAULT_NONE)
            bench_fail(config, arm == ARM_BASE ? FAULT_BASE : bench_fault_of_head(request),
                       CLAUSE_REFUSED, "%s%.480s", arm == ARM_BASE ? "base: " : "", text);
    }
    return 0;
}

static int add_config(const struct bench_request *request, double tick_ns, size_t index,
                      struct samples *samples, struct err *err)
{
    const struct bench_config *bench = &request->configs[index];
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        return err_set(err, ERR_HOST, "out of memory for samples");
    config->config = bench->config;
    config->clock_resolution_ns = tick_ns;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        config->arms[arm] = bench->info[arm];
        config->arms[arm].present = bench->library[arm] != NULL;
    }
    config->arms[ARM_CONTROL] = config->arms[ARM_ANCHOR];
    return check_exports(request, bench, config, err);
}

/* What it is, in figures and in facts. */
static int look_at(const struct bench_request *request, const struct device_kind *kind,
                   double *tick_ns, struct samples *out, struct err *err)
{
    struct machine machine;
    machine_read(&machine);
    const struct device_use use = bench_use(request, &machine);
    snprintf(out->device.slug, sizeof out->device.slug, "%s", request->device);
    snprintf(out->device.name, sizeof out->device.name, "%s", kind->name(&use));
    *tick_ns = kind->tick_ns(&use);
    return add_facts(request, kind, &use, &out->environment, err);
}

int bench_look(const struct bench_request *request, struct samples *out, struct err *err)
{
    double ignored;
    struct samples samples = {0};
    const struct device_kind *kind;
    if (device_kind_get(request->device, request->gpu, &kind, err) != 0)
        return -1;
    if (look_at(request, kind, &ignored, &samples, err) != 0) {
        samples_free(&samples);
        return -1;
    }
    *out = samples;
    return 0;
}

int bench_begin(const struct bench_request *request, struct samples *out, struct err *err)
{
    double tick_ns;
    struct samples samples = {0};
    const struct device_kind *kind;
    if (bench_check(request, &kind, err) != 0)
        return -1;
    if (request->others != NULL)
        memcpy(samples.others, request->others, sizeof samples.others);
    int rc = look_at(request, kind, &tick_ns, &samples, err);
    for (size_t i = 0; rc == 0 && i < request->config_count; i++)
        rc = add_config(request, tick_ns, i, &samples, err);
    if (rc != 0) {
        samples_free(&samples);
        return -1;
    }
    *out = samples;
    return 0;
}
