/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the JSON of calibration.json. Draws no checks and counts no verdicts. */
#include "judge/calibration.h"

#include "judge/fields.h"
#include "judge/text.h"

#include <limits.h>

static const char schema[] = "ratchet.calibration/1";

enum { BUDGET_MAX = 1000000, PROCESSES_MAX = 1000000000 };
static const long long checks_max = 1000000000000;

static int get_count(const json_t *object, const char *key, const struct json_at *at,
                     long long max, unsigned *out, struct err *err)
{
    long long value;
    if (json_get_int(object, key, at, 1, max, &value, err) != 0)
        return -1;
    *out = (unsigned)value;
    return 0;
}

static int get_rule(const json_t *root, const struct json_at *at, struct calibration *out,
                    struct err *err)
{
    json_t *rule;
    struct json_at here = {.parent = at, .key = "rule"};
    if (json_get_object(root, "rule", at, &rule, err) != 0)
        return -1;
    if (json_get_number(rule, "threshold", &here, 1e-6, 10, &out->threshold, err) != 0 ||
        json_get_number(rule, "confidence", &here, 0.5, 1, &out->confidence, err) != 0)
        return -1;
    return get_count(rule, "budget", &here, BUDGET_MAX, &out->budget, err);
}

static int get_identical(const json_t *root, const struct json_at *at, struct calibration *out,
                         struct err *err)
{
    json_t *identical;
    struct json_at here = {.parent = at, .key = "identical"};
    long long checks, wrong;
    if (json_get_object(root, "identical", at, &identical, err) != 0 ||
        json_get_int(identical, "checks", &here, 1, checks_max, &checks, err) != 0 ||
        json_get_int(identical, "wrong", &here, 0, checks, &wrong, err) != 0)
        return -1;
    out->checks = (unsigned long long)checks;
    out->wrong = (unsigned long long)wrong;
    return json_get_number(identical, "wrong_upper", &here, (double)wrong / (double)checks, 1,
                           &out->wrong_upper, err);
}

int calibration_parse(const char *bytes, size_t len, const char *name,
                      const struct limits *limits, struct calibration *out, struct err *err)
{
    const struct json_at at = {.key = name};
    JSON_AUTO *root = NULL;
    struct calibration read = {0};
    if (fields_open(bytes, len, limits->calibration_bytes, &at, schema, &root, err) != 0 ||
        fields_get_device(root, &at, &read.device, err) != 0 ||
        fields_get_protocol(root, &at, read.protocol, err) != 0 ||
        fields_get_time(root, "recorded", &at, read.recorded, err) != 0 ||
        get_rule(root, &at, &read, err) != 0 ||
        get_count(root, "processes", &at, PROCESSES_MAX, &read.processes, err) != 0 ||
        get_identical(root, &at, &read, err) != 0)
        return -1;
    if (json_has(root, "smallest_change") &&
        json_get_number(root, "smallest_change", &at, 1e-6, 10, &read.smallest_change, err) !=
            0)
        return -1;
    *out = read;
    return 0;
}

/* ---- writing ---- */

static void put_number(struct buf *out, const char *key, double number, const char *after)
{
    buf_addf(out, "\"%s\": ", key);
    text_number(out, number);
    buf_adds(out, after);
}

static void put_all(const struct calibration *calibration, const char *more, struct buf *out)
{
    buf_addf(out, "{\n  \"schema\": \"%s\",\n  ", schema);
    fields_put_device(out, &calibration->device);
    buf_adds(out, ",\n  \"protocol\": ");
    text_string(out, calibration->protocol);
    buf_adds(out, ",\n  \"recorded\": ");
    text_string(out, calibration->recorded);
    buf_adds(out, ",\n  \"rule\": {");
    put_number(out, "threshold", calibration->threshold, ", ");
    put_number(out, "confidence", calibration->confidence, ", ");
    put_number(out, "budget", calibration->budget, "},\n  ");
    put_number(out, "processes", calibration->processes, ",\n");
    buf_addf(out, "  \"identical\": {\"checks\": %llu, \"wrong\": %llu, ", calibration->checks,
             calibration->wrong);
    put_number(out, "wrong_upper", calibration->wrong_upper, "},\n  ");
    if (calibration->smallest_change > 0)
        put_number(out, "smallest_change", calibration->smallest_change, "");
    else
        buf_adds(out, "\"smallest_change\": null");
    buf_adds(out, more);
    buf_adds(out, "\n}\n");
}

int calibration_format(const struct calibration *calibration, const char *more,
                       struct buf *out, struct err *err)
{
    BUF_AUTO text;
    struct calibration read;
    struct limits limits = {.calibration_bytes = ULLONG_MAX};
    buf_init(&text, out->max);
    put_all(calibration, more, &text);
    if (!text.failed &&
        calibration_parse(text.data, text.len, "calibration", &limits, &read, err) != 0)
        return -1;
    if (!text.failed)
        buf_add(out, text.data, text.len);
    if (text.failed)
        return buf_check(&text, "calibration: the text", err);
    return buf_check(out, "calibration: the text", err);
}
