/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON that samples.json, baseline.json, verdict.json, calibration.json and a pool write
 * alike: device, environment, config with its problem, marks, arrays of times. Both ways,
 * bytes only. */
#ifndef RATCHET_JUDGE_FIELDS_H
#define RATCHET_JUDGE_FIELDS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "model.h"

/* Parse `bytes` and check size and schema. The caller owns *out; `at` is its root. */
MUST_CHECK int fields_open(const char *bytes, size_t len, unsigned long long max,
                           const struct json_at *at, const char *schema, json_t **out,
                           struct err *err);

/* Member `device` of `parent`: slug, and name (the slug where absent). */
MUST_CHECK int fields_get_device(const json_t *parent, const struct json_at *at,
                                 struct device *out, struct err *err);

/* Member `environment`, which may be missing. On failure `out` may hold part of it. */
MUST_CHECK int fields_get_environment(const json_t *parent, const struct json_at *at,
                                      struct environment *out, struct err *err);

/* name, unit, problem (heads_kv is heads where absent), and clock_resolution_ns (0 where
 * absent) of one config. */
MUST_CHECK int fields_get_config(const json_t *object, const struct json_at *at,
                                 struct config *config, double *clock_resolution_ns,
                                 struct err *err);
/* The same where `problem` may be missing: then it is zeroed, not known. */
MUST_CHECK int fields_get_measured(const json_t *object, const struct json_at *at,
                                   struct config *config, double *clock_resolution_ns,
                                   struct err *err);

/* Member `configs`, an array of at most MODEL_CONFIGS_MAX. *out is borrowed. */
MUST_CHECK int fields_get_configs(const json_t *root, const struct json_at *at, json_t **out,
                                  struct err *err);

/* An array of times, at most `max`, each a number above 0. `at` is the array's own place.
 * On failure `out` may hold part of it. */
MUST_CHECK int fields_get_series(const json_t *array, const struct json_at *at,
                                 unsigned long long max, struct series *out, struct err *err);

/* A member that may be missing (then ""), else json_get_string(). */
MUST_CHECK int fields_get_text(const json_t *object, const char *key, const struct json_at *at,
                               char *out, size_t size, struct err *err);

/* A UTC time, exactly "2026-11-21T01:10:20Z" in shape. */
MUST_CHECK int fields_get_time(const json_t *object, const char *key, const struct json_at *at,
                               char out[32], struct err *err);

/* Member `key` (`marks`), an array of names that may be missing, ored into *out. */
MUST_CHECK int fields_get_marks(const json_t *object, const char *key,
                                const struct json_at *at, unsigned *out, struct err *err);

/* Member `protocol`, which may be missing: then the first. */
MUST_CHECK int fields_get_protocol(const json_t *object, const struct json_at *at,
                                   char out[MODEL_PROTOCOL_BYTES], struct err *err);

/* [slope, its standard error, degrees of freedom]. `at` is the array's own place. */
MUST_CHECK int fields_get_clock(const json_t *array, const struct json_at *at,
                                struct clock_slope *out, struct err *err);

/* `"device": {…}`, `"environment": {…}`, and so on, without comma or newline. */
void fields_put_device(struct buf *out, const struct device *device);
void fields_put_environment(struct buf *out, const struct environment *environment,
                            const char *indent);
void fields_put_problem(struct buf *out, const struct problem *problem);
void fields_put_marks(struct buf *out, unsigned marks); /* `, "marks": […]`; 0: nothing */
void fields_put_mark_names(struct buf *out, unsigned marks);          /* the array alone */
void fields_put_series(struct buf *out, const struct series *series); /* the array alone */
void fields_put_clock(struct buf *out, const struct clock_slope *clock);

#endif
