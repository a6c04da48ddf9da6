/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of one replicate. */
#include "judge/samples_replicate.h"

#include "judge/fields.h"

#include <string.h>

int reading_arm(const struct reading *reading, const char *name)
{
    int arm = 0;
    while (arm < ARM_COUNT &&
           (reading->keys[arm] == NULL || strcmp(reading->keys[arm], name) != 0))
        arm++;
    return arm;
}

/* Read what member `name` of `all` says of an arm, which may be none that is read (ARM_COUNT). */
typedef int get_of_arm(const json_t *all, const char *name, const struct json_at *at, int arm,
                       struct replicate *out, struct err *err);

/* Member `key`, which may be missing, an object by arms. An arm that is not read is one of a sweep's,
 * and has samples beside it. */
static int get_by_arm(const json_t *object, const char *key, const struct json_at *at,
                      const struct reading *reading, get_of_arm *get, struct replicate *out,
                      struct err *err)
{
    json_t *all, *value;
    const char *name;
    if (!json_has(object, key))
        return 0;
    if (json_get_object(object, key, at, &all, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = key};
    json_object_foreach(all, name, value)
    {
        int arm = reading_arm(reading, name);
        struct json_at arm_at = {.parent = &here, .key = name};
        if (arm == ARM_COUNT && !json_is_array(json_object_get(object, name)))
            return json_error(&arm_at, err, "not an arm of this replicate");
        if (get(all, name, &here, arm, out, err) != 0)
            return -1;
    }
    return 0;
}

/* Marks by the arm that was at work. */
static int get_provoked(const json_t *all, const char *name, const struct json_at *at, int arm,
                        struct replicate *out, struct err *err)
{
    unsigned marks = 0;
    struct json_at here = {.parent = at, .key = name};
    if (fields_get_marks(all, name, at, &marks, err) != 0)
        return -1;
    if ((marks & ~out->marks) != 0)
        return json_error(&here, err, "expected none but the replicate's own marks");
    if (arm < ARM_COUNT)
        out->provoked[arm] = marks;
    return 0;
}

static int get_clock(const json_t *all, const char *name, const struct json_at *at, int arm,
                     struct replicate *out, struct err *err)
{
    struct clock_slope read;
    struct json_at here = {.parent = at, .key = name};
    if (fields_get_clock(json_object_get(all, name), &here, &read, err) != 0)
        return -1;
    if (arm < ARM_COUNT)
        out->clock[arm] = read;
    return 0;
}

int samples_get_replicate(const json_t *object, const struct json_at *at,
                          const struct reading *reading, struct replicate *out,
                          struct arm_info arms[ARM_COUNT], struct err *err)
{
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = reading->keys[arm];
        if (name == NULL || (arm != ARM_HEAD && !json_has(object, name)))
            continue;
        json_t *array;
        struct json_at here = {.parent = at, .key = name};
        if (json_get_array(object, name, at, &array, err) != 0 ||
            fields_get_series(array, &here, reading->limits->samples, &out->arms[arm], err) !=
                0)
            return -1;
        if (out->arms[arm].count == 0) /* an arm that is named has been meant to be there */
            arms[arm].present = true;
    }
    return fields_get_marks(object, "marks", at, &out->marks, err) != 0 ||
                   get_by_arm(object, "provoked", at, reading, get_provoked, out, err) != 0 ||
                   get_by_arm(object, "clock", at, reading, get_clock, out, err) != 0
               ? -1
               : 0;
}
