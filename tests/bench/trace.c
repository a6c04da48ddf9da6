/* SPDX-License-Identifier: Apache-2.0 */
/* Owns reading traces and dealing their samples out. */
#include "bench/trace.h"

#include "base/buf.h"
#include "base/file.h"
#include "judge/samples.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where a trace does not say: a process that starts, verifies and takes 100 samples. */
static const double replicate_seconds_usual = 3.75;

/* ---- reading ---- */

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int load_file(const char *folder, const char *name, struct samples *out,
                     struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct limits limits = limits_default();
    limits.replicates = 4096; /* a pool of processes, not one check's */
    BUF_AUTO text;
    buf_init(&text, limits.samples_bytes);
    return file_path(path, err, "%s/%s", folder, name) != 0 ||
                   file_read(path, &text, err) != 0 ||
                   samples_parse(text.data, text.len, path, &limits, out, err) != 0
               ? -1
               : 0;
}

static void drop_marked(struct config_samples *config)
{
    size_t kept = 0;
    for (size_t i = 0; i < config->count; i++) {
        if (config->replicates[i].marks != 0)
            replicate_free(&config->replicates[i]);
        else
            config->replicates[kept++] = config->replicates[i];
    }
    config->count = kept;
}

/* How many arms every process has, and how many samples every arm; 0 where there is no
 * process, or some have other arms than the first. */
static size_t count_arms(const struct config_samples *config, size_t *shortest)
{
    size_t arms[2] = {0};
    *shortest = SIZE_MAX;
    for (size_t i = 0; i < config->count; i++) {
        size_t *count = &arms[i != 0];
        *count = 0;
        for (int arm = 0; arm < ARM_COUNT; arm++) {
            size_t samples = config->replicates[i].arms[arm].count;
            *count += samples != 0;
            if (samples != 0 && samples < *shortest)
                *shortest = samples;
        }
        if (i != 0 && arms[1] != arms[0])
            return 0;
    }
    return arms[0];
}

static int add_traces(struct traces *traces, struct samples *file, struct err *err)
{
    const char *seconds = environment_get(&file->environment, "replicate_seconds");
    for (size_t i = 0; i < file->count; i++) {
        size_t shortest;
        drop_marked(&file->configs[i]);
        size_t arms = count_arms(&file->configs[i], &shortest);
        if (arms == 0 || file->configs[i].count < 2 || traces->count == TRACES_MAX)
            return err_set(err, ERR_INPUT,
                           "trace `%s`: expected 2 processes or more that are not marked, "
                           "of the same arms, and at most %d traces",
                           file->configs[i].config.name, TRACES_MAX);
        traces->items[traces->count++] = (struct trace){
            .device = &file->device,
            .config = &file->configs[i],
            .arms = arms,
            .shortest = shortest,
            .replicate_seconds =
                seconds != NULL ? strtod(seconds, NULL) : replicate_seconds_usual,
        };
    }
    return 0;
}

int traces_load(const char *folder, struct traces *out, struct err *err)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_json, alphasort);
    if (count < 0)
        return err_set(err, ERR_INPUT, "cannot list `%s`", folder);
    *out = (struct traces){.files = calloc((size_t)count + 1, sizeof *out->files)};
    int failed = out->files == NULL ? err_set(err, ERR_HOST, "out of memory") : 0;
    for (int i = 0; i < count; i++) {
        if (failed == 0) {
            struct samples *file = &out->files[out->file_count++];
            failed = load_file(folder, names[i]->d_name, file, err) != 0 ||
                             add_traces(out, file, err) != 0
                         ? -1
                         : 0;
        }
        free(names[i]);
    }
    free(names);
    return failed;
}

void traces_free(struct traces *traces)
{
    for (size_t i = 0; i < traces->file_count; i++)
        samples_free(&traces->files[i]);
    free(traces->files);
    *traces = (struct traces){0};
}

/* ---- drawing ---- */

size_t draw_below(struct random *random, size_t bound)
{
    return (size_t)(((unsigned __int128)random_next(random) * bound) >> 64);
}

double draw_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* The recorded series of a process, in a random order. */
static size_t deal(const struct replicate *process, struct random *random,
                   const struct series *out[ARM_COUNT])
{
    size_t count = 0;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (process->arms[arm].count != 0)
            out[count++] = &process->arms[arm];
    for (size_t i = count; i > 1; i--) {
        size_t other = draw_below(random, i);
        const struct series *series = out[i - 1];
        out[i - 1] = out[other];
        out[other] = series;
    }
    return count;
}

const char *const disturbance_words[DISTURBANCES] = {
    [CALM] = "none",
    [BURSTS] = "bursts of another process",
    [STARVED] = "starved queue",
    [DRIFT] = "±2% drift in the middle of a check",
    [OUTLIER] = "one outlier process",
};

/* What a replicate's disturbance does to each moment, the same for all arms. */
struct weather {
    enum disturbance disturbance;
    size_t samples;
    double factor[4096]; /* of each sample's moment */
    double starving;     /* share of samples that wait for the host */
    double outlier;      /* factor of head alone, or of anchor alone */
    bool outlier_is_head;
};

static void brew(const struct draw *draw, size_t index, struct random *random,
                 struct weather *out)
{
    out->disturbance = draw->disturbance;
    out->starving = 0;
    out->outlier = 1;
    out->outlier_is_head = false;
    double before = 1;
    double after = 1;
    size_t half = draw->samples / 2;
    if (draw->disturbance == DRIFT) {
        before = index > draw->middle ? 1 + 0.02 * draw->sign : 1;
        after = index >= draw->middle ? 1 + 0.02 * draw->sign : 1;
    }
    for (size_t i = 0; i < draw->samples; i++)
        out->factor[i] = i < half ? before : after;
    bool struck = (random_next(random) & 1) != 0;
    if (draw->disturbance == BURSTS && struck) {
        for (size_t i = 0; i < draw->samples;) {
            size_t length = 1 + draw_below(random, draw->samples / 4 + 1);
            double factor = draw_below(random, 2) == 0 ? 1 : 1.2 + 0.3 * draw_unit(random);
            for (; length > 0 && i < draw->samples; length--, i++)
                out->factor[i] = factor;
        }
    }
    if (draw->disturbance == STARVED && struck)
        out->starving = draw_unit(random);
    if (draw->disturbance == OUTLIER && index == draw->middle) {
        out->outlier = 1 + 0.1 * draw->sign;
        out->outlier_is_head = struck;
    }
}

/* `count` samples of a series from `start`, each `stride`-th. */
static int take(const struct series *from, size_t start, size_t stride, double factor,
                const struct weather *weather, size_t count, struct random *random,
                struct series *out)
{
    out->ns = calloc(count, sizeof *out->ns);
    if (out->ns == NULL)
        return -1;
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        out->ns[i] = from->ns[start + i * stride] * factor * weather->factor[i];
        if (weather->starving > 0 && draw_unit(random) < weather->starving)
            out->ns[i] += 27000;
    }
    return 0;
}

int trace_draw(const struct trace *trace, const struct draw *draw, struct random *random,
               struct config_samples *out)
{
    const struct config_samples *config = trace->config;
    const struct replicate *process = &config->replicates[draw_below(random, config->count)];
    const struct series *arms[ARM_COUNT] = {0};
    size_t recorded = deal(process, random, arms);
    size_t stride = draw->with_base && recorded == 2 ? 2 : 1;
    size_t shortest = trace->shortest;
    size_t count = draw->samples < shortest / stride ? draw->samples : shortest / stride;
    size_t start = draw_below(random, shortest - count * stride + 1);
    struct weather weather;
    brew(draw, out->count, random, &weather);
    double head = 1 + draw->head;
    double anchor = 1;
    *(weather.outlier_is_head ? &head : &anchor) *= weather.outlier;

    struct replicate *replicate = config_samples_add(out);
    if (replicate == NULL || recorded < 2)
        return -1;
    out->attempts++;
    if (take(arms[0], start, stride, head, &weather, count, random,
             &replicate->arms[ARM_HEAD]) != 0 ||
        take(arms[1], start, stride, anchor, &weather, count, random,
             &replicate->arms[ARM_ANCHOR]) != 0)
        return -1;
    size_t next = 2;
    if (draw->with_base) {
        const struct series *from = recorded > 2 ? arms[next++] : arms[1];
        if (take(from, start + (recorded == 2), stride, 1 + draw->base, &weather, count,
                 random, &replicate->arms[ARM_BASE]) != 0)
            return -1;
    }
    if (recorded <= next)
        return 0;
    return take(arms[next], start, stride, 1, &weather, count, random,
                &replicate->arms[ARM_CONTROL]);
}

void trace_single(const struct trace *trace, size_t process, size_t arm, size_t count,
                  double factor, struct random *random, double *out)
{
    const struct replicate *replicate = &trace->config->replicates[process];
    const struct series *series = NULL;
    for (int i = 0; i < ARM_COUNT; i++)
        if (replicate->arms[i].count != 0 && arm-- == 0)
            series = &replicate->arms[i];
    size_t start = draw_below(random, series->count - count + 1);
    for (size_t i = 0; i < count; i++)
        out[i] = series->ns[start + i] * factor;
}
