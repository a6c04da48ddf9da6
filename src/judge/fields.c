/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the JSON that several of our files share; knows none of these files. */
#include "judge/fields.h"

#include "judge/text.h"
#include "limit.h"

#include <math.h>
#include <string.h>

enum { FACTS_MAX = 256, FACT_NAME_BYTES = 128, FACT_VALUE_BYTES = 4096 };

static const double time_max_ns = 1e15; /* 11 days in one launch: nobody measured that */

int fields_open(const char *bytes, size_t len, unsigned long long max,
                const struct json_at *at, const char *schema, json_t **out, struct err *err)
{
    if (len > max)
        return json_error(at, err, "%zu bytes, expected at most %llu", len, max);
    JSON_AUTO *root = NULL;
    if (json_parse(bytes, len, at->key, &root, err) != 0)
        return -1;
    char name[MODEL_NAME_BYTES];
    if (json_get_string(root, "schema", at, name, sizeof name, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "schema"};
    if (strcmp(name, schema) != 0)
        return json_error(&here, err, "`%s` is not known, expected `%s`", name, schema);
    *out = root;
    root = NULL;
    return 0;
}

int fields_get_device(const json_t *parent, const struct json_at *at, struct device *out,
                      struct err *err)
{
    json_t *object;
    struct device device = {0};
    struct json_at here = {.parent = at, .key = "device"};
    if (json_get_object(parent, "device", at, &object, err) != 0 ||
        json_get_string(object, "slug", &here, device.slug, sizeof device.slug, err) != 0 ||
        fields_get_text(object, "name", &here, device.name, sizeof device.name, err) != 0)
        return -1;
    struct json_at slug = {.parent = &here, .key = "slug"};
    if (!model_name_ok(device.slug))
        return json_error(&slug, err, "expected letters, digits, `_`, `-` and `.`");
    if (device.name[0] == '\0')
        memcpy(device.name, device.slug, sizeof device.slug);
    *out = device;
    return 0;
}

int fields_get_time(const json_t *object, const char *key, const struct json_at *at,
                    char out[32], struct err *err)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    struct json_at here = {.parent = at, .key = key};
    char text[32];
    if (json_get_string(object, key, at, text, sizeof text, err) != 0)
        return -1;
    bool ok = strlen(text) == sizeof shape - 1;
    for (size_t i = 0; ok && shape[i] != '\0'; i++)
        ok = shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i];
    if (!ok)
        return json_error(&here, err, "expected a time like 2026-11-21T01:10:20Z");
    memcpy(out, text, sizeof text);
    return 0;
}

int fields_get_marks(const json_t *object, const char *key, const struct json_at *at,
                     unsigned *out, struct err *err)
{
    if (!json_has(object, key))
        return 0;
    json_t *marks;
    if (json_get_array(object, key, at, &marks, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = key};
    for (size_t i = 0; i < json_array_size(marks); i++) {
        const char *name = json_string_value(json_array_get(marks, i));
        struct json_at mark_at = {.parent = &here, .index = i};
        unsigned bit = 0;
        while (bit < MARK_BITS && (name == NULL || strcmp(name, mark_name(bit)) != 0))
            bit++;
        /* A mark we do not know is no reason to judge the replicate. */
        if (bit == MARK_BITS)
            return json_error(&mark_at, err, "not a mark of this version");
        *out |= 1u << bit;
    }
    return 0;
}

int fields_get_protocol(const json_t *object, const struct json_at *at,
                        char out[MODEL_PROTOCOL_BYTES], struct err *err)
{
    if (json_has(object, "protocol"))
        return json_get_string(object, "protocol", at, out, MODEL_PROTOCOL_BYTES, err);
    memcpy(out, MODEL_PROTOCOL_FIRST, sizeof MODEL_PROTOCOL_FIRST);
    return 0;
}

int fields_get_clock(const json_t *array, const struct json_at *at, struct clock_slope *out,
                     struct err *err)
{
    const json_t *first = json_array_get(array, 0), *second = json_array_get(array, 1);
    const json_t *third = json_array_get(array, 2);
    double slope = json_number_value(first), error = json_number_value(second);
    json_int_t freedom = json_integer_value(third);
    if (json_array_size(array) != 3 || !json_is_number(first) || !json_is_number(second) ||
        !json_is_integer(third) || !(fabs(slope) < 1e9) || !(error >= 0 && error < 1e9) ||
        freedom < 0 || freedom > LIMIT_COUNT)
        return json_error(at, err, "expected a slope, its error and degrees of freedom");
    *out = (struct clock_slope){slope, error, (unsigned)freedom};
    return 0;
}

/* A value may be empty, a name may not; neither holds a control character. */
static bool fact_ok(const char *text, size_t len, size_t max)
{
    if (len >= max || strlen(text) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

int fields_get_environment(const json_t *parent, const struct json_at *at,
                           struct environment *out, struct err *err)
{
    if (!json_has(parent, "environment"))
        return 0;
    json_t *object;
    struct json_at here = {.parent = at, .key = "environment"};
    if (json_get_object(parent, "environment", at, &object, err) != 0)
        return -1;
    if (json_object_size(object) > FACTS_MAX)
        return json_error(&here, err, "expected at most %d members", FACTS_MAX);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        struct json_at fact = {.parent = &here, .key = key};
        if (key[0] == '\0' || !fact_ok(key, strlen(key), FACT_NAME_BYTES))
            return json_error(&here, err, "expected names of 1 to %d printable bytes",
                              FACT_NAME_BYTES - 1);
        if (!json_is_string(value) ||
            !fact_ok(json_string_value(value), json_string_length(value), FACT_VALUE_BYTES))
            return json_error(&fact, err, "expected a string of at most %d printable bytes",
                              FACT_VALUE_BYTES - 1);
        if (environment_set(out, key, json_string_value(value)) != 0)
            return err_set(err, ERR_HOST, "out of memory");
    }
    return 0;
}

static int get_problem(const json_t *object, const struct json_at *at, struct problem *out,
                       struct err *err)
{
    struct problem problem = {0};
    const struct {
        const char *key;
        int *field;
    } fields[] = {{"batch", &problem.batch},       {"heads", &problem.heads},
                  {"heads_kv", &problem.heads_kv}, {"seq_q", &problem.seq_q},
                  {"seq_k", &problem.seq_k},       {"head_dim", &problem.head_dim}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        long long value = problem.heads;
        bool optional = fields[i].field == &problem.heads_kv;
        if (!(optional && !json_has(object, fields[i].key)) &&
            json_get_int(object, fields[i].key, at, 1, PROBLEM_DIM_MAX, &value, err) != 0)
            return -1;
        *fields[i].field = (int)value;
    }
    struct json_at heads_kv = {.parent = at, .key = "heads_kv"};
    if (problem.heads % problem.heads_kv != 0)
        return json_error(&heads_kv, err, "%d does not divide the %d heads", problem.heads_kv,
                          problem.heads);
    char dtype[16];
    struct json_at here = {.parent = at, .key = "dtype"};
    if (json_get_string(object, "dtype", at, dtype, sizeof dtype, err) != 0)
        return -1;
    if (dtype_parse(dtype, &problem.dtype) != 0)
        return json_error(&here, err, "`%s` is not known, expected fp16, bf16 or fp32", dtype);
    if (json_get_bool(object, "causal", at, &problem.causal, err) != 0)
        return -1;
    *out = problem;
    return 0;
}

static int get_config(const json_t *object, const struct json_at *at, bool optional_problem,
                      struct config *config, double *clock_resolution_ns, struct err *err)
{
    struct config read = {0};
    if (json_get_string(object, "name", at, read.name, sizeof read.name, err) != 0)
        return -1;
    struct json_at name = {.parent = at, .key = "name"};
    if (!model_name_ok(read.name))
        return json_error(&name, err, "expected letters, digits, `_`, `-` and `.`");
    char unit[16];
    struct json_at unit_at = {.parent = at, .key = "unit"};
    if (json_get_string(object, "unit", at, unit, sizeof unit, err) != 0)
        return -1;
    if (strcmp(unit, "ns") != 0)
        return json_error(&unit_at, err, "`%s` is not known, expected `ns`", unit);
    json_t *problem;
    struct json_at problem_at = {.parent = at, .key = "problem"};
    if (!(optional_problem && !json_has(object, "problem")) &&
        (json_get_object(object, "problem", at, &problem, err) != 0 ||
         get_problem(problem, &problem_at, &read.problem, err) != 0))
        return -1;
    double resolution = 0;
    if (json_has(object, "clock_resolution_ns") &&
        json_get_number(object, "clock_resolution_ns", at, 1e-9, 1e9, &resolution, err) != 0)
        return -1;
    *config = read;
    *clock_resolution_ns = resolution;
    return 0;
}

int fields_get_config(const json_t *object, const struct json_at *at, struct config *config,
                      double *clock_resolution_ns, struct err *err)
{
    return get_config(object, at, false, config, clock_resolution_ns, err);
}

int fields_get_measured(const json_t *object, const struct json_at *at, struct config *config,
                        double *clock_resolution_ns, struct err *err)
{
    return get_config(object, at, true, config, clock_resolution_ns, err);
}

int fields_get_configs(const json_t *root, const struct json_at *at, json_t **out,
                       struct err *err)
{
    if (json_get_array(root, "configs", at, out, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "configs"};
    size_t count = json_array_size(*out);
    return count > MODEL_CONFIGS_MAX
               ? json_error(&here, err, "%zu configs, expected at most %d", count,
                            MODEL_CONFIGS_MAX)
               : 0;
}

int fields_get_series(const json_t *array, const struct json_at *at, unsigned long long max,
                      struct series *out, struct err *err)
{
    size_t count = json_array_size(array);
    if (count > max)
        return json_error(at, err, "%zu samples, expected at most %llu", count, max);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        struct json_at here = {.parent = at, .index = i};
        double ns = json_is_number(item) ? json_number_value(item) : 0;
        if (!(ns > 0 && ns <= time_max_ns))
            return json_error(&here, err, "expected a time in ns, a number above 0");
        if (series_add(out, ns) != 0)
            return err_set(err, ERR_HOST, "out of memory");
    }
    return 0;
}

int fields_get_text(const json_t *object, const char *key, const struct json_at *at, char *out,
                    size_t size, struct err *err)
{
    if (json_has(object, key))
        return json_get_string(object, key, at, out, size, err);
    out[0] = '\0';
    return 0;
}

/* ---- writing ---- */

void fields_put_device(struct buf *out, const struct device *device)
{
    buf_adds(out, "\"device\": {\"slug\": ");
    text_string(out, device->slug);
    buf_adds(out, ", \"name\": ");
    text_string(out, device->name[0] == '\0' ? device->slug : device->name);
    buf_addc(out, '}');
}

void fields_put_environment(struct buf *out, const struct environment *environment,
                            const char *indent)
{
    buf_adds(out, "\"environment\": {");
    for (size_t i = 0; i < environment->count; i++) {
        buf_addf(out, "%s\n%s  ", i == 0 ? "" : ",", indent);
        text_string(out, environment->facts[i].name);
        buf_adds(out, ": ");
        text_string(out, environment->facts[i].value);
    }
    if (environment->count != 0)
        buf_addf(out, "\n%s", indent);
    buf_addc(out, '}');
}

void fields_put_problem(struct buf *out, const struct problem *problem)
{
    buf_addf(out,
             "\"problem\": {\"batch\": %d, \"heads\": %d, \"heads_kv\": %d, \"seq_q\": %d, "
             "\"seq_k\": %d, \"head_dim\": %d, \"dtype\": \"%s\", \"causal\": %s}",
             problem->batch, problem->heads, problem->heads_kv, problem->seq_q, problem->seq_k,
             problem->head_dim, dtype_name(problem->dtype),
             problem->causal ? "true" : "false");
}

void fields_put_series(struct buf *out, const struct series *series)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < series->count; i++) {
        if (i != 0)
            buf_adds(out, ", ");
        text_number(out, series->ns[i]);
    }
    buf_addc(out, ']');
}

void fields_put_mark_names(struct buf *out, unsigned marks)
{
    const char *before = "";
    buf_addc(out, '[');
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        if ((marks & 1u << bit) == 0)
            continue;
        buf_addf(out, "%s\"%s\"", before, mark_name(bit));
        before = ", ";
    }
    buf_addc(out, ']');
}

void fields_put_marks(struct buf *out, unsigned marks)
{
    if (marks == 0)
        return;
    buf_adds(out, ", \"marks\": ");
    fields_put_mark_names(out, marks);
}

void fields_put_clock(struct buf *out, const struct clock_slope *clock)
{
    buf_addf(out, "[%.5g, %.3g, %u]", clock->slope, clock->error, clock->freedom);
}
