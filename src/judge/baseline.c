/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is baseline.json's alone; what other files write as well is judge/fields'. Which
 * configs move is baseline_promote.c's. */
#include "judge/baseline.h"

#include "judge/fields.h"
#include "judge/text.h"

#include <stdlib.h>
#include <string.h>

static const char schema[] = "ratchet.baseline/1";

/* Why a config is what it is: the only words a file may say. */
static const char *const whys[] = {"new", "improved", "accepted", "reverted"};

static bool known_why(const char *why)
{
    for (size_t i = 0; i < sizeof whys / sizeof whys[0]; i++)
        if (strcmp(why, whys[i]) == 0)
            return true;
    return false;
}

static int get_replicates(const json_t *object, const struct json_at *at,
                          const struct limits *limits, struct baseline_config *out,
                          struct err *err)
{
    json_t *array;
    if (json_get_array(object, "replicates", at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "replicates"};
    size_t count = json_array_size(array);
    unsigned long long max = 2 * limits->replicates; /* a promotion keeps those of two runs */
    if (count == 0 || count > max)
        return json_error(&here, err, "%zu replicates, expected 1 to %llu", count, max);
    out->replicates = calloc(count, sizeof *out->replicates);
    if (out->replicates == NULL)
        return err_set(err, ERR_HOST, "out of memory");
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *series = json_array_get(array, i);
        struct json_at item = {.parent = &here, .index = i};
        if (!json_is_array(series) || json_array_size(series) == 0)
            return json_error(&item, err, "expected an array of numbers, at least one");
        if (fields_get_series(series, &item, limits->samples, &out->replicates[i], err) != 0)
            return -1;
    }
    return 0;
}

static int get_config(const json_t *object, const struct json_at *at,
                      const struct limits *limits, struct baseline_config *out,
                      struct err *err)
{
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    if (fields_get_config(object, at, &out->config, &out->clock_resolution_ns, err) != 0 ||
        json_get_sha(object, "commit", at, out->commit, err) != 0 ||
        fields_get_text(object, "code", at, out->code, sizeof out->code, err) != 0 ||
        fields_get_time(object, "recorded", at, out->recorded, err) != 0 ||
        json_get_string(object, "why", at, out->why, sizeof out->why, err) != 0 ||
        fields_get_text(object, "who", at, out->who, sizeof out->who, err) != 0)
        return -1;
    struct json_at why = {.parent = at, .key = "why"};
    if (!known_why(out->why))
        return json_error(&why, err, "`%s` is not known, expected new, improved or accepted",
                          out->why);
    if (fields_get_environment(object, at, &out->environment, err) != 0)
        return -1;
    return get_replicates(object, at, limits, out, err);
}

static int get_configs(const json_t *root, const struct json_at *at,
                       const struct limits *limits, struct baseline *out, struct err *err)
{
    json_t *array;
    if (fields_get_configs(root, at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "configs"};
    size_t count = json_array_size(array);
    out->configs = calloc(count + 1, sizeof *out->configs);
    if (out->configs == NULL)
        return err_set(err, ERR_HOST, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct baseline_config *config = &out->configs[out->count++];
        struct json_at item = {.parent = &here, .index = i};
        struct json_at name = {.parent = &item, .key = "name"};
        if (get_config(json_array_get(array, i), &item, limits, config, err) != 0)
            return -1;
        if (baseline_find(out, config->config.name) != config)
            return json_error(&name, err, "`%s` was there before", config->config.name);
    }
    return 0;
}

int baseline_parse(const char *bytes, size_t len, const char *name,
                   const struct limits *limits, struct baseline *out, struct err *err)
{
    const struct json_at at = {.key = name};
    JSON_AUTO *root = NULL;
    if (fields_open(bytes, len, limits->baseline_bytes, &at, schema, &root, err) != 0)
        return -1;
    BASELINE_AUTO read = {0};
    if (fields_get_device(root, &at, &read.device, err) != 0 ||
        get_configs(root, &at, limits, &read, err) != 0)
        return -1;
    *out = read;
    read = (struct baseline){0};
    return 0;
}

/* ---- writing ---- */

static void put_text(struct buf *out, const char *key, const char *value)
{
    buf_addf(out, "      \"%s\": ", key);
    text_string(out, value);
    buf_adds(out, ",\n");
}

static void put_config(struct buf *out, const struct baseline_config *config)
{
    buf_adds(out, "    {\n      \"name\": ");
    text_string(out, config->config.name);
    buf_adds(out, ", \"unit\": \"ns\"");
    if (config->clock_resolution_ns > 0) {
        buf_adds(out, ", \"clock_resolution_ns\": ");
        text_number(out, config->clock_resolution_ns);
    }
    buf_adds(out, ",\n      ");
    fields_put_problem(out, &config->config.problem);
    buf_adds(out, ",\n");
    put_text(out, "commit", config->commit);
    if (config->code[0] != '\0')
        put_text(out, "code", config->code);
    put_text(out, "recorded", config->recorded);
    put_text(out, "why", config->why);
    if (config->who[0] != '\0')
        put_text(out, "who", config->who);
    buf_adds(out, "      ");
    fields_put_environment(out, &config->environment, "      ");
    buf_adds(out, ",\n      \"replicates\": [");
    for (size_t i = 0; i < config->count; i++) {
        buf_adds(out, i == 0 ? "\n        " : ",\n        ");
        fields_put_series(out, &config->replicates[i]);
    }
    buf_adds(out, "\n      ]\n    }");
}

static int by_name(const void *a, const void *b)
{
    const struct baseline_config *const *left = a;
    const struct baseline_config *const *right = b;
    return strcmp((*left)->config.name, (*right)->config.name);
}

static void free_rows(const struct baseline_config ***rows)
{
    free(*rows);
}

int baseline_format(const struct baseline *baseline, struct buf *out, struct err *err)
{
    __attribute__((cleanup(free_rows)))
    const struct baseline_config **rows = calloc(baseline->count + 1, sizeof *rows);
    if (rows == NULL)
        return err_set(err, ERR_HOST, "out of memory");
    for (size_t i = 0; i < baseline->count; i++)
        rows[i] = &baseline->configs[i];
    qsort(rows, baseline->count, sizeof *rows, by_name);
    buf_addf(out, "{\n  \"schema\": \"%s\",\n  ", schema);
    fields_put_device(out, &baseline->device);
    buf_adds(out, ",\n  \"configs\": [");
    for (size_t i = 0; i < baseline->count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_config(out, rows[i]);
    }
    buf_adds(out, baseline->count != 0 ? "\n  ]\n}\n" : "]\n}\n");
    return buf_check(out, "baseline: the text", err);
}
