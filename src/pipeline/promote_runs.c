/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the two runs of a promotion, some minutes apart: the first is kept in the folder until the
 * second is due. */
#include "pipeline/promote_runs.h"

#include "intake/values.h"
#include "judge/samples.h"
#include "measure/device/device.h"
#include "pipeline/paths.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

void promote_runs_free(struct promote_runs *runs)
{
    samples_free(&runs->first);
    comparison_free(&runs->first_verdict);
}

static int first_path(const struct measurement *measurement, char out[FILE_PATH_BYTES],
                      struct err *err)
{
    return file_path(out, err, "%s/samples-1.json", measurement->folder);
}

/* How long the first run held the device, in ms. */
static int spent_path(const struct measurement *measurement, char out[FILE_PATH_BYTES],
                      struct err *err)
{
    return file_path(out, err, "%s/device-ms-1", measurement->folder);
}

static void load_spent(struct measurement *measurement)
{
    enum { NUMBER_BYTES = 32 };
    char path[FILE_PATH_BYTES];
    long long ms;
    struct err ignored;
    BUF_AUTO text;
    buf_init(&text, NUMBER_BYTES);
    measurement->device_untold = spent_path(measurement, path, &ignored) != 0 ||
                                 file_read(path, &text, &ignored) != 0 ||
                                 value_int(text.data, 0, 1000000000000, path, &ms, &ignored) !=
                                     0;
    if (!measurement->device_untold)
        measurement->device_ns += (uint64_t)ms * 1000000;
}

static int keep_spent(const struct measurement *measurement, struct err *err)
{
    char path[FILE_PATH_BYTES], text[32];
    int len = snprintf(text, sizeof text, "%llu",
                       (unsigned long long)(measurement->device_ns / 1000000));
    return spent_path(measurement, path, err) != 0
               ? -1
               : file_write(path, text, (size_t)len, 0644, err);
}

/* Both runs are taken on one GPU; a host's configuration may name another by now. */
static bool is_same_gpu(const struct measurement *measurement, const struct samples *first)
{
    const char *id = environment_get(&first->environment, "gpu_id");
    struct gpu gpu;
    struct err ignored;
    return id == NULL ||
           device_find_gpu(measurement->device->slug, measurement->lane->gpu, &gpu,
                           &ignored) != 0 ||
           strcmp(id, gpu.id) == 0;
}

/* The first run, if it was kept and is of this very tip. */
static bool load_first(struct measurement *measurement, struct samples *out, time_t *when)
{
    char path[FILE_PATH_BYTES];
    struct err ignored;
    struct stat info;
    BUF_AUTO text;
    buf_init(&text, measurement->host->limits.samples_bytes);
    if (first_path(measurement, path, &ignored) != 0 || stat(path, &info) != 0 ||
        file_read(path, &text, &ignored) != 0 ||
        samples_parse(text.data, text.len, path, &measurement->host->limits, out, &ignored) !=
            0)
        return false;
    *when = info.st_mtime;
    if (out->count > 0 &&
        strcmp(out->configs[0].arms[ARM_HEAD].commit, measurement->job.head) == 0 &&
        is_same_gpu(measurement, out)) {
        load_spent(measurement);
        return true;
    }
    samples_free(out);
    return false;
}

static unsigned seconds_left(const struct measurement *measurement, time_t since)
{
    double passed = difftime(time(NULL), since);
    double gap = measurement->config.promotion_gap_s;
    return passed >= gap ? 0 : (unsigned)(gap - (passed > 0 ? passed : 0)) + 1;
}

int promote_keep_first(struct measurement *measurement, struct promote_runs *runs,
                       unsigned *wait_s, struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, measurement->host->limits.samples_bytes);
    if (first_path(measurement, path, err) != 0 ||
        samples_format(&measurement->samples, &text, err) != 0 ||
        keep_spent(measurement, err) != 0 ||
        file_write(path, text.data, text.len, 0644, err) != 0)
        return -1;
    *wait_s = seconds_left(measurement, time(NULL));
    if (*wait_s > 0)
        return 0;
    runs->first = measurement->samples;
    runs->is_second = true;
    measurement->samples = (struct samples){.device = runs->first.device};
    return 0;
}

int promote_measure(struct measurement *measurement, const struct promotion_accept *accept,
                    struct promote_runs *runs, unsigned *wait_s, struct err *err)
{
    const char *const tip[] = {measurement->job.head};
    size_t at;
    time_t when;
    if (rules_read(measurement, measurement->job.head, err) != 0 ||
        paths_check(measurement, &measurement->config.source, tip, 1, &at, err) != 0)
        return -1;
    forgotten_find(measurement, &runs->forgotten);
    forgotten_keep_rows(measurement, &runs->forgotten, accept);
    if (!runs->is_second && load_first(measurement, &runs->first, &when)) {
        runs->is_second = true;
        *wait_s = seconds_left(measurement, when);
        if (*wait_s > 0)
            return 0;
    }
    return measurement_take(measurement, measurement->job.head, false, err);
}
