/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which facts a job keeps of where it ran, measured or not, and the hash of them. The facts
 * themselves are told by measure/. */
#include "pipeline/environment.h"

#include "base/file.h"
#include "measure/bench.h"
#include "measure/build.h"
#include "measure/machine.h"
#include "pipeline/arms.h"
#include "pipeline/bench_setup.h"

#include <stdio.h>
#include <string.h>

static int set(struct measurement *measurement, const char *name, const char *value,
               struct err *err)
{
    return environment_set(&measurement->samples.environment, name, value) == 0
               ? 0
               : err_set(err, ERR_HOST, "out of memory for the environment");
}

int environment_look(struct measurement *measurement, struct err *err)
{
    struct gpu gpu;
    struct bench_request request;
    struct samples found = {0};
    char policy[64];
    unsigned mhz = measurement->device->clock_lock_mhz;
    if (request_fill(measurement, NULL, NULL, &gpu, NULL, &request, err) != 0 ||
        bench_look(&request, &found, err) != 0)
        return -1;
    samples_free(&measurement->samples);
    measurement->samples = found;
    snprintf(policy, sizeof policy, "locked at %u MHz", mhz);
    return mhz == 0 ? 0 : set(measurement, "clock_policy", policy, err);
}

int environment_add_build(struct measurement *measurement, const struct kernel_source *source,
                          struct err *err)
{
    char toolchain[BUILD_TOOLCHAIN_BYTES];
    if (build_toolchain(measurement->device->slug, toolchain, sizeof toolchain, err) != 0 ||
        set(measurement, "compiler", toolchain, err) != 0)
        return -1;
    return source == NULL ||
                   (set(measurement, ARMS_FACT_COMMAND, source->recipe.command, err) == 0 &&
                    set(measurement, ARMS_FACT_OUTPUT, source->recipe.output, err) == 0)
               ? 0
               : -1;
}

/* The host alone, and why its device tells nothing. */
static int look_at_host(struct measurement *measurement, const char *problem, struct err *err)
{
    struct machine machine;
    machine_read(&machine);
    return machine_facts(&machine, &measurement->samples.environment, err) != 0
               ? -1
               : set(measurement, "device_problem", problem, err);
}

void environment_complete(struct measurement *measurement)
{
    struct err err, problem = {0};
    if (measurement->device == NULL || measurement->samples.environment.count > 0)
        return;
    int result = environment_look(measurement, &problem) == 0
                     ? 0
                     : look_at_host(measurement, problem.text, &err);
    if (result == 0 && measurement->builds > 0) /* else nobody asked for compilers yet */
        result = environment_add_build(measurement, NULL, &err);
    if (result != 0)
        measurement_say(measurement, "the environment: %s", err.text);
}

/* ---- env.json ---- */

static int hash_of(const struct environment *environment, char out[MODEL_CODE_BYTES],
                   struct err *err)
{
    BUF_AUTO text;
    char digits[FILE_SHA256_BYTES];
    buf_init(&text, ENVIRONMENT_MAX_BYTES);
    if (environment_hashed(environment, &text, err) != 0)
        return -1;
    file_sha256(text.data, text.len, digits);
    snprintf(out, MODEL_CODE_BYTES, "sha256:%s", digits);
    return 0;
}

/* The hash is of what the file says: bytes that it cannot hold are replaced there. So the facts are
 * written, read again, and only then hashed. */
int environment_write(const struct device *device, const struct environment *environment,
                      struct buf *out, struct err *err)
{
    ENVIRONMENT_FILE_AUTO told = {.hash = ""};
    BUF_AUTO text;
    buf_init(&text, ENVIRONMENT_MAX_BYTES);
    if (environment_format(device, environment, "-", &text, err) != 0 ||
        environment_parse(text.data, text.len, "env.json", &told, err) != 0 ||
        hash_of(&told.environment, told.hash, err) != 0)
        return -1;
    return environment_format(&told.device, &told.environment, told.hash, out, err);
}

int environment_read(const char *bytes, size_t len, const char *name,
                     struct environment_file *out, struct err *err)
{
    char hash[MODEL_CODE_BYTES];
    ENVIRONMENT_FILE_AUTO read = {.hash = ""};
    if (environment_parse(bytes, len, name, &read, err) != 0 ||
        hash_of(&read.environment, hash, err) != 0)
        return -1;
    if (strcmp(hash, read.hash) != 0)
        return err_set(err, ERR_INPUT, "%s: hash: expected `%s`, that of its facts", name,
                       hash);
    *out = read;
    read = (struct environment_file){.hash = ""};
    return 0;
}
