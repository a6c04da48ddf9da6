/* SPDX-License-Identifier: Apache-2.0 */
/* jansson with a path in every error. Foreign JSON is parsed with duplicate keys refused and
 * with a ceiling on bytes and depth; a reader then asks for each key by its type and range
 * and gets errors such as
 *     samples.json: configs[2].replicates[0].head: expected an array of numbers */
#ifndef RATCHET_BASE_JSON_H
#define RATCHET_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_AUTO __attribute__((cleanup(json_free))) json_t
void json_free(json_t **json);

/* A place in a document, for messages: a name or an index under a parent. Lives on the
 * reader's stack: struct json_at at = {.parent = &up, .key = "configs"}. */
struct json_at {
    const struct json_at *parent; /* NULL at the root */
    const char *key;              /* the file's name at the root; NULL for an index */
    size_t index;
};

/* Parse one document (object at the top). `name` is the file or source. The caller owns
 * *out. Nesting deeper than 32 is refused. No memory for it is ERR_HOST. */
MUST_CHECK int json_parse(const char *bytes, size_t len, const char *name, json_t **out,
                          struct err *err);

/* ERR_INPUT with "path: text". Returns -1. */
int json_error(const struct json_at *at, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Required members. Borrowed results. */
MUST_CHECK int json_get_object(const json_t *object, const char *key, const struct json_at *at,
                               json_t **out, struct err *err);
MUST_CHECK int json_get_array(const json_t *object, const char *key, const struct json_at *at,
                              json_t **out, struct err *err);
/* A string copied into out[size]: longer, empty, or with control characters is refused. */
MUST_CHECK int json_get_string(const json_t *object, const char *key, const struct json_at *at,
                               char *out, size_t size, struct err *err);
/* 40 lower-case hex digits. */
MUST_CHECK int json_get_sha(const json_t *object, const char *key, const struct json_at *at,
                            char out[41], struct err *err);
/* 64 of them: a SHA-256. */
MUST_CHECK int json_get_sha256(const json_t *object, const char *key, const struct json_at *at,
                               char out[65], struct err *err);
MUST_CHECK int json_get_int(const json_t *object, const char *key, const struct json_at *at,
                            long long min, long long max, long long *out, struct err *err);
MUST_CHECK int json_get_number(const json_t *object, const char *key, const struct json_at *at,
                               double min, double max, double *out, struct err *err);
MUST_CHECK int json_get_bool(const json_t *object, const char *key, const struct json_at *at,
                             bool *out, struct err *err);
/* The value of a number, or 0. A zero has no sign: jansson drops it when it writes, so that what was
 * read with one would be another when it is read again. */
double json_number(const json_t *value);
/* Is the key there and not null? */
bool json_has(const json_t *object, const char *key);

/* Set a member, taking over `value`. NULL (out of memory, or a NaN) marks the object as
 * failed in *failed, so a writer checks once. */
void json_put(json_t *object, const char *key, json_t *value, bool *failed);
void json_push(json_t *array, json_t *value, bool *failed);

/* Text of JSON as it may be shown on a terminal: control, format and direction characters beyond ASCII are
 * written by their numbers, which read as the same. */
void json_escape_hidden(struct buf *out, const char *bytes, size_t len);
/* Compact (indent 0) or indented text appended to `out`, keys in insertion order; such characters are
 * escaped. */
MUST_CHECK int json_print(const json_t *json, int indent, struct buf *out, struct err *err);

#endif
