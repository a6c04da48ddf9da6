/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from foreign bytes to checked values; knows no schema. */
#include "base/json.h"

#include "base/leftover.h"
#include "base/name.h"
#include "base/scan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { JSON_DEPTH_MAX = 32, JSON_PATH_BYTES = 512 };

void json_free(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

/* Nesting is bounded before jansson sees the bytes: its own bound is in the thousands. */
static bool too_deep(const char *bytes, size_t len)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* Why a text is no JSON, where git left something in it; else 0. */
static int refuse_leftover(const char *bytes, size_t len, const char *name, struct err *err)
{
    size_t line;
    const char *leftover = leftover_find(bytes, len, &line);
    return leftover == NULL
               ? 0
               : err_set(err, ERR_INPUT, "%s: line %zu: %s, not JSON", name, line, leftover);
}

/* jansson says nothing of its own where an allocation fails while it reads, and may lose a byte for
 * it. So the allocations of one reading are watched. */
static struct {
    json_malloc_t allocate;
    bool failed;
} watched;

static void *allocate_watched(size_t size)
{
    void *memory = watched.allocate(size);
    watched.failed = watched.failed || memory == NULL;
    return memory;
}

/* NULL with *problem, or, where memory ran out, with *problem untouched. */
static json_t *load(const char *bytes, size_t len, json_error_t *problem, bool *no_memory)
{
    json_free_t release;
    json_get_alloc_funcs(&watched.allocate, &release);
    watched.failed = false;
    json_set_alloc_funcs(allocate_watched, release);
    json_t *json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, problem);
    json_set_alloc_funcs(watched.allocate, release);
    *no_memory = watched.failed;
    if (watched.failed)
        json_free(&json);
    return json;
}

int json_parse(const char *bytes, size_t len, const char *name, json_t **out, struct err *err)
{
    if (too_deep(bytes, len))
        return refuse_leftover(bytes, len, name, err) != 0
                   ? -1
                   : err_set(err, ERR_INPUT, "%s: nested deeper than %d levels", name,
                             JSON_DEPTH_MAX);
    json_error_t problem;
    bool no_memory;
    json_t *json = load(bytes, len, &problem, &no_memory);
    if (no_memory)
        return err_set(err, ERR_HOST, "out of memory for `%s`", name);
    if (json == NULL)
        return refuse_leftover(bytes, len, name, err) != 0
                   ? -1
                   : err_set(err, ERR_INPUT, "%s: line %d: not JSON: %s", name, problem.line,
                             problem.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_INPUT, "%s: expected an object at the top", name);
    }
    *out = json;
    return 0;
}

/* "file: configs[2].replicates" into `out`, root first. */
static void write_path(const struct json_at *at, struct buf *out)
{
    if (at == NULL)
        return;
    write_path(at->parent, out);
    if (at->key == NULL)
        buf_addf(out, "[%zu]", at->index);
    else if (at->parent == NULL)
        buf_adds(out, at->key);
    else
        buf_addf(out, "%s%s", at->parent->parent == NULL ? ": " : ".", at->key);
}

int json_error(const struct json_at *at, struct err *err, const char *format, ...)
{
    char text[JSON_PATH_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    BUF_AUTO path;
    buf_init(&path, JSON_PATH_BYTES);
    write_path(at, &path);
    return err_set(err, ERR_INPUT, "%s: %s", path.data, text);
}

bool json_has(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    return member != NULL && !json_is_null(member);
}

/* The member, or an error that says what was expected there. */
static json_t *need(const json_t *object, const char *key, const struct json_at *at,
                    bool right_type, const char *expected, struct err *err)
{
    json_t *member = json_object_get(object, key);
    struct json_at here = {.parent = at, .key = key};
    if (member == NULL)
        json_error(&here, err, "missing, expected %s", expected);
    else if (!right_type)
        json_error(&here, err, "expected %s", expected);
    else
        return member;
    return NULL;
}

int json_get_object(const json_t *object, const char *key, const struct json_at *at,
                    json_t **out, struct err *err)
{
    bool ok = json_is_object(json_object_get(object, key));
    json_t *member = need(object, key, at, ok, "an object", err);
    if (member == NULL)
        return -1;
    *out = member;
    return 0;
}

int json_get_array(const json_t *object, const char *key, const struct json_at *at,
                   json_t **out, struct err *err)
{
    bool ok = json_is_array(json_object_get(object, key));
    json_t *member = need(object, key, at, ok, "an array", err);
    if (member == NULL)
        return -1;
    *out = member;
    return 0;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return true;
    return false;
}

int json_get_string(const json_t *object, const char *key, const struct json_at *at, char *out,
                    size_t size, struct err *err)
{
    bool ok = json_is_string(json_object_get(object, key));
    json_t *member = need(object, key, at, ok, "a string", err);
    if (member == NULL)
        return -1;
    struct json_at here = {.parent = at, .key = key};
    const char *text = json_string_value(member);
    size_t len = json_string_length(member);
    if (len == 0)
        return json_error(&here, err, "expected a string that is not empty");
    if (len >= size)
        return json_error(&here, err, "expected a string of at most %zu bytes", size - 1);
    if (has_control(text, len))
        return json_error(&here, err, "expected a string without control characters");
    memcpy(out, text, len + 1);
    return 0;
}

int json_get_sha(const json_t *object, const char *key, const struct json_at *at, char out[41],
                 struct err *err)
{
    struct json_at here = {.parent = at, .key = key};
    if (json_get_string(object, key, at, out, 41, err) != 0)
        return -1;
    return name_is_sha(out) ? 0
                            : json_error(&here, err, "expected 40 hex digits, not `%s`", out);
}

int json_get_sha256(const json_t *object, const char *key, const struct json_at *at,
                    char out[65], struct err *err)
{
    struct json_at here = {.parent = at, .key = key};
    if (json_get_string(object, key, at, out, 65, err) != 0)
        return -1;
    return name_is_hex(out, 64) ? 0 : json_error(&here, err, "expected a SHA-256 in hex");
}

int json_get_int(const json_t *object, const char *key, const struct json_at *at,
                 long long min, long long max, long long *out, struct err *err)
{
    bool ok = json_is_integer(json_object_get(object, key));
    json_t *member = need(object, key, at, ok, "a whole number", err);
    if (member == NULL)
        return -1;
    long long value = json_integer_value(member);
    struct json_at here = {.parent = at, .key = key};
    if (value < min || value > max)
        return json_error(&here, err, "expected a whole number from %lld to %lld", min, max);
    *out = value;
    return 0;
}

int json_get_number(const json_t *object, const char *key, const struct json_at *at,
                    double min, double max, double *out, struct err *err)
{
    bool ok = json_is_number(json_object_get(object, key));
    json_t *member = need(object, key, at, ok, "a number", err);
    if (member == NULL)
        return -1;
    double value = json_number(member);
    struct json_at here = {.parent = at, .key = key};
    if (!(value >= min && value <= max))
        return json_error(&here, err, "expected a number from %g to %g", min, max);
    *out = value;
    return 0;
}

int json_get_bool(const json_t *object, const char *key, const struct json_at *at, bool *out,
                  struct err *err)
{
    bool ok = json_is_boolean(json_object_get(object, key));
    json_t *member = need(object, key, at, ok, "true or false", err);
    if (member == NULL)
        return -1;
    *out = json_is_true(member);
    return 0;
}

void json_put(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (json_object_set_new(object, key, value) != 0)
        *failed = true;
}

void json_push(json_t *array, json_t *value, bool *failed)
{
    if (json_array_append_new(array, value) != 0)
        *failed = true;
}

void json_escape_hidden(struct buf *out, const char *bytes, size_t len)
{
    const char *at = bytes, *end = bytes + len, *kept = at;
    uint32_t character;
    while (at < end) {
        size_t hidden = scan_hidden(at, end, &character);
        if (hidden == 0) {
            at++;
            continue;
        }
        buf_add(out, kept, (size_t)(at - kept));
        if (character < 0x10000)
            buf_addf(out, "\\u%04x", character);
        else
            buf_addf(out, "\\u%04x\\u%04x", 0xd7c0 + (character >> 10),
                     0xdc00 | (character & 0x3ff));
        kept = at += hidden;
    }
    buf_add(out, kept, (size_t)(at - kept));
}

/* Jansson never hands out half a character. */
static int append_bytes(const char *bytes, size_t len, void *context)
{
    struct buf *out = context;
    json_escape_hidden(out, bytes, len);
    return out->failed ? -1 : 0;
}

double json_number(const json_t *value)
{
    return json_number_value(value) + 0.0; /* −0 + 0 is +0 */
}

int json_print(const json_t *json, int indent, struct buf *out, struct err *err)
{
    size_t flags = indent > 0 ? JSON_INDENT((size_t)indent) : JSON_COMPACT;
    if (json_dump_callback(json, append_bytes, out, flags) == 0)
        return 0;
    return buf_check(out, "JSON text", err) != 0
               ? -1
               : err_set(err, ERR_HOST, "out of memory for JSON text");
}
