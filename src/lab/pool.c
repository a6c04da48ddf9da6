/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lines of a pool's file. */
#include "lab/pool.h"

#include "base/json.h"
#include "judge/fields.h"
#include "judge/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] = "ratchet.pool/1";

enum { LINE_BYTES_MAX = 1 << 20 };

const struct experiment pool_entries = {.entries = {[POOL_ANCHOR] = {ARM_ANCHOR, 0},
                                                    [POOL_CONTROL] = {ARM_CONTROL, 0},
                                                    [POOL_BASE_5] = {ARM_BASE, 0.05},
                                                    [POOL_0] = {ARM_HEAD, 0},
                                                    [POOL_0_2] = {ARM_HEAD, 0.002},
                                                    [POOL_0_5] = {ARM_HEAD, 0.005},
                                                    [POOL_1] = {ARM_HEAD, 0.01},
                                                    [POOL_2] = {ARM_HEAD, 0.02},
                                                    [POOL_3] = {ARM_HEAD, 0.03},
                                                    [POOL_3_97] = {ARM_HEAD, 3.0 / 97},
                                                    [POOL_4] = {ARM_HEAD, 0.04},
                                                    [POOL_4_96] = {ARM_HEAD, 4.0 / 96},
                                                    [POOL_5] = {ARM_HEAD, 0.05},
                                                    [POOL_10] = {ARM_HEAD, 0.10}},
                                        .count = POOL_ENTRIES};

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->process_count; i++)
        free(pool->processes[i].rows);
    free(pool->processes);
    free(pool->configs);
    *pool = (struct pool){0};
}

struct pool_process *pool_add(struct pool *pool)
{
    struct pool_process *all = realloc(pool->processes,
                                       (pool->process_count + 1) * sizeof *all);
    if (all == NULL)
        return NULL;
    pool->processes = all;
    struct pool_row *rows = calloc(pool->config_count, sizeof *rows);
    if (rows == NULL)
        return NULL;
    all[pool->process_count] = (struct pool_process){.rows = rows};
    return &all[pool->process_count++];
}

/* ---- writing ---- */

static int end_line(struct buf *line, struct buf *out, struct err *err)
{
    buf_adds(line, "}\n");
    if (buf_check(line, "pool: a line", err) != 0)
        return -1;
    buf_add(out, line->data, line->len);
    return buf_check(out, "pool", err);
}

int pool_format_head(const struct pool *pool, struct buf *out, struct err *err)
{
    BUF_AUTO line;
    buf_init(&line, LINE_BYTES_MAX);
    buf_addf(&line, "{\"schema\": \"%s\", ", schema);
    fields_put_device(&line, &pool->device);
    buf_adds(&line, ", \"commit\": ");
    text_string(&line, pool->commit);
    buf_adds(&line, ", \"code\": ");
    text_string(&line, pool->code);
    buf_adds(&line, ", \"protocol\": ");
    text_string(&line, pool->protocol[0] != '\0' ? pool->protocol : MODEL_PROTOCOL_FIRST);
    buf_addf(&line, ", \"samples\": %u, \"entries\": [", pool->samples);
    for (size_t i = 0; i < pool_entries.count; i++) {
        buf_addf(&line, "%s[\"%s\", ", i == 0 ? "" : ", ",
                 arm_name(pool_entries.entries[i].arm));
        text_number(&line, pool_entries.entries[i].slower);
        buf_addc(&line, ']');
    }
    buf_adds(&line, "], \"configs\": [");
    for (size_t i = 0; i < pool->config_count; i++) {
        const struct pool_config *config = &pool->configs[i];
        buf_adds(&line, i == 0 ? "{\"name\": " : ", {\"name\": ");
        text_string(&line, config->config.name);
        buf_adds(&line, ", \"unit\": \"ns\", \"clock_resolution_ns\": ");
        text_number(&line, config->tick_ns);
        buf_adds(&line, ", ");
        fields_put_problem(&line, &config->config.problem);
        buf_addc(&line, '}');
    }
    buf_addc(&line, ']');
    return end_line(&line, out, err);
}

int pool_format_process(const struct pool *pool, const struct pool_process *process,
                        struct buf *out, struct err *err)
{
    BUF_AUTO line;
    buf_init(&line, LINE_BYTES_MAX);
    buf_adds(&line, "{\"ended\": ");
    text_string(&line, process->ended);
    buf_addf(&line, ", \"seconds\": %.3f, \"configs\": [", process->seconds);
    for (size_t i = 0; i < pool->config_count; i++) {
        const struct pool_row *row = &process->rows[i];
        buf_addf(&line, "%s{\"seconds\": %.3f, \"ns\": [", i == 0 ? "" : ", ", row->seconds);
        for (size_t entry = 0; entry < POOL_ENTRIES; entry++) {
            /* seven digits: far below a tick */
            buf_addf(&line, "%s%.7g", entry == 0 ? "" : ", ", row->ns[entry]);
        }
        buf_adds(&line, "], \"clock\": [");
        for (size_t entry = 0; entry < POOL_ENTRIES; entry++) {
            buf_adds(&line, entry == 0 ? "" : ", ");
            fields_put_clock(&line, &row->clock[entry]);
        }
        buf_addc(&line, ']');
        fields_put_marks(&line, row->marks);
        buf_addc(&line, '}');
    }
    buf_addc(&line, ']');
    return end_line(&line, out, err);
}

/* ---- reading ---- */

static int get_entries(const json_t *root, const struct json_at *at, struct err *err)
{
    json_t *entries;
    if (json_get_array(root, "entries", at, &entries, err) != 0)
        return -1;
    const struct json_at here = {.parent = at, .key = "entries"};
    if (json_array_size(entries) != pool_entries.count)
        return json_error(&here, err, "expected %zu entries", pool_entries.count);
    for (size_t i = 0; i < pool_entries.count; i++) {
        const struct json_at one = {.parent = &here, .index = i};
        const struct experiment_entry *want = &pool_entries.entries[i];
        const char *arm = json_string_value(json_array_get(json_array_get(entries, i), 0));
        const json_t *given = json_array_get(json_array_get(entries, i), 1);
        double slower = json_number_value(given);
        if (arm == NULL || !json_is_number(given) || strcmp(arm, arm_name(want->arm)) != 0 ||
            slower != want->slower)
            return json_error(&one, err, "expected [\"%s\", %.17g]", arm_name(want->arm),
                              want->slower);
    }
    return 0;
}

static int get_configs(const json_t *root, const struct json_at *at, struct pool *out,
                       struct err *err)
{
    json_t *configs;
    if (json_get_array(root, "configs", at, &configs, err) != 0)
        return -1;
    const struct json_at here = {.parent = at, .key = "configs"};
    size_t count = json_array_size(configs);
    if (count == 0 || count > MODEL_CONFIGS_MAX)
        return json_error(&here, err, "expected 1 to %d configs", MODEL_CONFIGS_MAX);
    out->configs = calloc(count, sizeof *out->configs);
    if (out->configs == NULL)
        return err_set(err, ERR_HOST, "out of memory for the pool");
    out->config_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct json_at one = {.parent = &here, .index = i};
        const json_t *config = json_array_get(configs, i);
        if (!json_is_object(config))
            return json_error(&one, err, "expected an object");
        if (fields_get_config(config, &one, &out->configs[i].config, &out->configs[i].tick_ns,
                              err) != 0)
            return -1;
    }
    return 0;
}

static int get_head(const char *bytes, size_t len, const struct json_at *at,
                    const struct limits *limits, struct pool *out, struct err *err)
{
    JSON_AUTO *root = NULL;
    long long samples;
    if (fields_open(bytes, len, LINE_BYTES_MAX, at, schema, &root, err) != 0 ||
        fields_get_device(root, at, &out->device, err) != 0 ||
        json_get_sha(root, "commit", at, out->commit, err) != 0 ||
        json_get_string(root, "code", at, out->code, sizeof out->code, err) != 0 ||
        fields_get_protocol(root, at, out->protocol, err) != 0 ||
        json_get_int(root, "samples", at, 1, (long long)limits->samples, &samples, err) != 0 ||
        get_entries(root, at, err) != 0)
        return -1;
    out->samples = (unsigned)samples;
    return get_configs(root, at, out, err);
}

/* Member `clock`, which the first protocol did not have. */
static int get_clocks(const json_t *row, const struct json_at *at, struct pool_row *out,
                      struct err *err)
{
    json_t *array;
    const struct json_at here = {.parent = at, .key = "clock"};
    if (!json_has(row, "clock"))
        return 0;
    if (json_get_array(row, "clock", at, &array, err) != 0)
        return -1;
    if (json_array_size(array) != POOL_ENTRIES)
        return json_error(&here, err, "expected %d clocks", POOL_ENTRIES);
    for (size_t i = 0; i < POOL_ENTRIES; i++) {
        const struct json_at one = {.parent = &here, .index = i};
        if (fields_get_clock(json_array_get(array, i), &one, &out->clock[i], err) != 0)
            return -1;
    }
    return 0;
}

static int get_row(const json_t *row, const struct json_at *at, struct pool_row *out,
                   struct err *err)
{
    json_t *array;
    struct series series = {0};
    if (!json_is_object(row))
        return json_error(at, err, "expected an object");
    if (json_get_number(row, "seconds", at, 0, 1e6, &out->seconds, err) != 0 ||
        json_get_array(row, "ns", at, &array, err) != 0 ||
        get_clocks(row, at, out, err) != 0 ||
        fields_get_marks(row, "marks", at, &out->marks, err) != 0)
        return -1;
    const struct json_at here = {.parent = at, .key = "ns"};
    int rc = fields_get_series(array, &here, POOL_ENTRIES, &series, err);
    if (rc == 0 && series.count != POOL_ENTRIES)
        rc = json_error(&here, err, "expected %d times", POOL_ENTRIES);
    if (rc == 0)
        memcpy(out->ns, series.ns, sizeof out->ns);
    free(series.ns);
    return rc;
}

static int get_process(const char *bytes, size_t len, const struct json_at *at,
                       struct pool *out, struct err *err)
{
    JSON_AUTO *root = NULL;
    json_t *rows;
    if (out->process_count == POOL_PROCESSES_MAX)
        return json_error(at, err, "more than %d processes", POOL_PROCESSES_MAX);
    struct pool_process *process = pool_add(out);
    if (process == NULL)
        return err_set(err, ERR_HOST, "out of memory for the pool");
    if (json_parse(bytes, len, at->key, &root, err) != 0 ||
        fields_get_time(root, "ended", at, process->ended, err) != 0 ||
        json_get_number(root, "seconds", at, 1e-6, 1e6, &process->seconds, err) != 0 ||
        json_get_array(root, "configs", at, &rows, err) != 0)
        return -1;
    const struct json_at here = {.parent = at, .key = "configs"};
    if (json_array_size(rows) != out->config_count)
        return json_error(&here, err, "expected %zu configs", out->config_count);
    for (size_t i = 0; i < out->config_count; i++) {
        const struct json_at one = {.parent = &here, .index = i};
        if (get_row(json_array_get(rows, i), &one, &process->rows[i], err) != 0)
            return -1;
    }
    return 0;
}

static int parse(const char *bytes, size_t len, const char *name, const struct limits *limits,
                 struct pool *out, size_t *used, struct err *err)
{
    char where[512];
    const struct json_at at = {.key = where};
    size_t line = 0;
    for (*used = 0; *used < len; line++) {
        const char *start = bytes + *used;
        const char *end = memchr(start, '\n', len - *used);
        if (end == NULL)
            break;
        size_t bytes_here = (size_t)(end - start);
        snprintf(where, sizeof where, "%.400s: line %zu", name, line + 1);
        if (bytes_here > LINE_BYTES_MAX)
            return json_error(&at, err, "longer than %d bytes", LINE_BYTES_MAX);
        if ((line == 0 ? get_head(start, bytes_here, &at, limits, out, err)
                       : get_process(start, bytes_here, &at, out, err)) != 0)
            return -1;
        *used += bytes_here + 1;
    }
    if (line == 0)
        return err_set(err, ERR_INPUT, "%s: expected a first line of schema `%s`", name,
                       schema);
    return 0;
}

int pool_parse(const char *bytes, size_t len, const char *name, const struct limits *limits,
               struct pool *out, size_t *used, struct err *err)
{
    struct pool read = {0};
    if (parse(bytes, len, name, limits, &read, used, err) != 0) {
        pool_free(&read);
        return -1;
    }
    *out = read;
    return 0;
}

int pool_same(const struct pool *a, const struct pool *b, const char *name, struct err *err)
{
    const char *what = strcmp(a->device.slug, b->device.slug) != 0   ? "device"
                       : strcmp(a->device.name, b->device.name) != 0 ? "device.name"
                       : strcmp(a->protocol, b->protocol) != 0       ? "protocol"
                       : strcmp(a->code, b->code) != 0               ? "code"
                       : a->samples != b->samples                    ? "samples"
                       : a->config_count != b->config_count          ? "configs"
                                                                     : NULL;
    for (size_t i = 0; what == NULL && i < a->config_count; i++)
        if (strcmp(a->configs[i].config.name, b->configs[i].config.name) != 0 ||
            !problem_equal(&a->configs[i].config.problem, &b->configs[i].config.problem))
            what = "configs";
    return what == NULL ? 0
                        : err_set(err, ERR_INPUT,
                                  "%s: %s: expected the same as now, to go on with this pool",
                                  name, what);
}
