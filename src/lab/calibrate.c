/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the recording: one process after the other, and the pool's file. */
#include "lab/calibrate.h"

#include "base/proc.h"
#include "base/utc.h"
#include "judge/stats.h"
#include "judge/text.h"
#include "measure/bench.h"
#include "measure/machine.h"
#include "measure/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL_BYTES_MAX = 256 << 20 };

struct recording {
    struct measurement *measurement;
    const char *commit, *path;
    size_t processes;
    const struct bench_request *request;
    struct machine machine;
    struct pool pool;
};

int calibrate_read(const char *path, const struct limits *limits, struct pool *out,
                   size_t *used, struct err *err)
{
    BUF_AUTO text;
    size_t whole;
    buf_init(&text, POOL_BYTES_MAX);
    if (file_read(path, &text, err) != 0 ||
        pool_parse(text.data, text.len, path, limits, out, &whole, err) != 0)
        return -1;
    if (used == NULL && whole != text.len) {
        pool_free(out);
        return err_set(err, ERR_INPUT, "%s: the last line was cut off", path);
    }
    if (used != NULL)
        *used = whole;
    return 0;
}

/* ---- one process ---- */

static const char *trouble_of(const struct process_config *config)
{
    for (int arm = 0; arm <= ARM_COUNT; arm++)
        if (config->trouble[arm].kind != TROUBLE_NONE)
            return config->trouble[arm].text;
    return config->started ? "did not end" : "was not begun";
}

static int keep(const struct recording *recording, const struct process_config *configs,
                struct pool_process *process, struct err *err)
{
    for (size_t i = 0; i < recording->pool.config_count; i++) {
        const struct slowed *slowed = &configs[i].slowed;
        if (!configs[i].done)
            return err_set(err, ERR_HOST, "%s: %s", recording->pool.configs[i].config.name,
                           trouble_of(&configs[i]));
        for (size_t entry = 0; entry < POOL_ENTRIES; entry++)
            process->rows[i].ns[entry] = stats_median(slowed->entries[entry].ns,
                                                      slowed->entries[entry].count);
        memcpy(process->rows[i].clock, slowed->clock, sizeof process->rows[i].clock);
        process->rows[i].marks = slowed->marks;
        process->rows[i].seconds = slowed->seconds;
    }
    return 0;
}

static void configs_free(struct process_config *configs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        replicate_free(&configs[i].replicate);
        for (size_t entry = 0; entry < TURNS_ENTRIES_MAX; entry++)
            free(configs[i].slowed.entries[entry].ns);
    }
    free(configs);
}

static int write_process(struct recording *recording, const struct pool_process *process,
                         struct err *err)
{
    BUF_AUTO line;
    buf_init(&line, POOL_BYTES_MAX);
    if (pool_format_process(&recording->pool, process, &line, err) != 0)
        return -1;
    return file_append(recording->path, line.data, line.len, err);
}

static int record_one(struct recording *recording, struct err *err)
{
    size_t count = recording->pool.config_count;
    struct process_config *configs = calloc(count, sizeof *configs);
    struct pool_process *process = pool_add(&recording->pool);
    if (configs == NULL || process == NULL) {
        free(configs);
        return err_set(err, ERR_HOST, "out of memory for a process");
    }
    for (size_t i = 0; i < count; i++) {
        configs[i].bench = &recording->request->configs[i];
        for (int arm = 0; arm < ARM_OTHER; arm++)
            configs[i].arms[arm] = true;
    }
    uint64_t begin = proc_now_ns();
    int rc = process_run(recording->request, &recording->machine, configs, count,
                         &pool_entries, err);
    process->seconds = (double)(proc_now_ns() - begin) / 1e9;
    if (rc == 0)
        rc = keep(recording, configs, process, err);
    configs_free(configs, count);
    utc_now(process->ended);
    return rc == 0 ? write_process(recording, process, err) : -1;
}

/* As long as those that are there took. */
static void set_left(const struct recording *recording)
{
    const struct pool *pool = &recording->pool;
    double seconds = 0.0;
    for (size_t i = 0; i < pool->process_count; i++)
        seconds += pool->processes[i].seconds;
    seconds *= (double)(recording->processes - pool->process_count) /
               (double)pool->process_count;
    measurement_set_left(recording->measurement, seconds, seconds);
}

/* ---- the file ---- */

/* What the file's first line will say. */
static int describe(struct recording *recording, struct err *err)
{
    struct pool *pool = &recording->pool;
    const struct bench_request *request = recording->request;
    const struct samples *samples = &recording->measurement->samples;
    pool->device = samples->device;
    pool->samples = request->samples;
    snprintf(pool->commit, sizeof pool->commit, "%s", recording->commit);
    const char *protocol = environment_protocol(&samples->environment);
    snprintf(pool->protocol, sizeof pool->protocol, "%s", protocol);
    memcpy(pool->code, request->configs[0].info[ARM_HEAD].code, sizeof pool->code);
    pool->configs = calloc(request->config_count, sizeof *pool->configs);
    if (pool->configs == NULL)
        return err_set(err, ERR_HOST, "out of memory for the pool");
    pool->config_count = request->config_count;
    for (size_t i = 0; i < pool->config_count; i++) {
        pool->configs[i].config = request->configs[i].config;
        pool->configs[i].tick_ns = samples->configs[i].clock_resolution_ns;
    }
    return 0;
}

static int begin_file(const struct recording *recording, struct err *err)
{
    BUF_AUTO line;
    buf_init(&line, POOL_BYTES_MAX);
    if (pool_format_head(&recording->pool, &line, err) != 0)
        return -1;
    return file_write(recording->path, line.data, line.len, 0644, err);
}

/* The processes that an earlier recording left, without the line it was cut off in. */
static int resume(struct recording *recording, struct err *err)
{
    struct pool found = {0};
    struct err problem = {0};
    size_t used;
    if (calibrate_read(recording->path, recording->request->limits, &found, &used, &problem) !=
        0) {
        if (problem.class == ERR_NOT_FOUND)
            return begin_file(recording, err);
        *err = problem;
        return -1;
    }
    if (pool_same(&found, &recording->pool, recording->path, err) != 0) {
        pool_free(&found);
        return -1;
    }
    pool_free(&recording->pool);
    recording->pool = found;
    if (truncate(recording->path, (off_t)used) != 0)
        return err_errno(err, ERR_HOST, errno, "truncate `%s`", recording->path);
    measurement_say(recording->measurement, "%s: goes on after %zu processes", recording->path,
                    found.process_count);
    return 0;
}

static int use(void *context, const struct bench_request *request, struct err *err)
{
    struct recording *recording = context;
    recording->request = request;
    machine_read(&recording->machine);
    if (describe(recording, err) != 0 || resume(recording, err) != 0)
        return -1;
    while (recording->pool.process_count < recording->processes) {
        if (record_one(recording, err) != 0)
            return -1;
        const struct pool_process *last =
            &recording->pool.processes[recording->pool.process_count - 1];
        char text[TEXT_MARKS_BYTES];
        unsigned marks = 0;
        for (size_t i = 0; i < recording->pool.config_count; i++)
            marks |= last->rows[i].marks;
        set_left(recording);
        measurement_tell(recording->measurement, PROGRESS_REPLICATE,
                         "pool: replicate %zu of %zu, %.1f s%s%s",
                         recording->pool.process_count, recording->processes, last->seconds,
                         marks == 0 ? "" : ", marked: ", text_marks(text, marks));
    }
    return 0;
}

int calibrate_record(struct measurement *measurement, const char *commit, const char *path,
                     size_t processes, struct pool *out, struct err *err)
{
    struct recording recording = {
        .measurement = measurement, .commit = commit, .path = path, .processes = processes};
    const struct measurement_lab lab = {use, &recording};
    if (measurement_lend(measurement, commit, &lab, err) != 0) {
        pool_free(&recording.pool);
        return -1;
    }
    *out = recording.pool;
    return 0;
}
