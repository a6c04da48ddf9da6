/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of what is samples.json's alone; what other files hold as well is
 * judge/fields'. */
#include "judge/samples.h"

#include "judge/fields.h"
#include "judge/samples_replicate.h"

#include <stdio.h>
#include <string.h>

/* Member `arms`, an object of objects, over what `out` holds; it may be missing. */
static int get_arms(const json_t *parent, const struct json_at *at,
                    const struct reading *reading, struct arm_info out[ARM_COUNT],
                    struct err *err)
{
    if (!json_has(parent, "arms"))
        return 0;
    json_t *arms;
    if (json_get_object(parent, "arms", at, &arms, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "arms"};
    struct arm_info read[ARM_COUNT] = {0};
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = reading->keys[arm];
        if (name == NULL || !json_has(arms, name))
            continue;
        json_t *object;
        struct arm_info *info = &read[arm];
        struct json_at arm_at = {.parent = &here, .key = name};
        if (json_get_object(arms, name, &here, &object, err) != 0 ||
            fields_get_text(object, "commit", &arm_at, info->commit, sizeof info->commit,
                            err) != 0 ||
            fields_get_text(object, "code", &arm_at, info->code, sizeof info->code, err) != 0)
            return -1;
        info->present = true;
    }
    memcpy(out, read, sizeof read);
    return 0;
}

/* Member `earlier`, which may be missing. */
static int get_earlier(const json_t *object, const struct json_at *at,
                       struct config_samples *out, struct err *err)
{
    json_t *array;
    struct json_at here = {.parent = at, .key = "earlier"};
    if (!json_has(object, "earlier"))
        return 0;
    if (json_get_array(object, "earlier", at, &array, err) != 0)
        return -1;
    if (json_array_size(array) > RUNS_MAX - 1)
        return json_error(&here, err, "expected at most %d numbers", RUNS_MAX - 1);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *number = json_array_get(array, i);
        long long count = json_is_integer(number) ? json_integer_value(number) : -1;
        if (count < 0 || count > LIMIT_COUNT)
            return json_error(&here, err, "expected numbers of replicates");
        out->earlier[out->earlier_count++] = (size_t)count;
    }
    return 0;
}

/* Earlier runs have no more replicates than there are. */
static int check_earlier(const struct json_at *at, const struct config_samples *config,
                         struct err *err)
{
    struct json_at here = {.parent = at, .key = "earlier"};
    unsigned runs = config->earlier_count;
    return runs > 0 && config_samples_until(config, runs - 1) > config->count
               ? json_error(&here, err, "more than the %zu replicates", config->count)
               : 0;
}

static int get_replicates(const json_t *object, const struct json_at *at,
                          const struct reading *reading, struct config_samples *out,
                          struct err *err)
{
    const struct limits *limits = reading->limits;
    json_t *array;
    if (json_get_array(object, "replicates", at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "replicates"};
    size_t count = json_array_size(array);
    unsigned long long most = limits->replicates * (1 + out->earlier_count);
    if (count > most)
        return json_error(&here, err, "%zu replicates, expected at most %llu", count, most);
    for (size_t i = 0; i < count; i++) {
        struct replicate *replicate = config_samples_add(out);
        struct json_at item = {.parent = &here, .index = i};
        if (replicate == NULL)
            return err_set(err, ERR_HOST, "out of memory");
        if (samples_get_replicate(json_array_get(array, i), &item, reading, replicate,
                                  out->arms, err) != 0)
            return -1;
    }
    return 0;
}

/* Member `without_head`, which may be missing. */
static int get_without_head(const json_t *object, const struct json_at *at,
                            const struct reading *reading, struct config_samples *out,
                            struct err *err)
{
    json_t *array;
    struct json_at here = {.parent = at, .key = "without_head"};
    if (!json_has(object, "without_head"))
        return 0;
    return json_get_array(object, "without_head", at, &array, err) != 0
               ? -1
               : fields_get_series(array, &here, reading->limits->replicates,
                                   &out->without_head, err);
}

static int get_fault(const json_t *object, const struct json_at *at,
                     struct config_samples *out, struct err *err)
{
    char name[16];
    if (fields_get_text(object, "fault", at, name, sizeof name, err) != 0 ||
        fields_get_text(object, "failure", at, out->failure, sizeof out->failure, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "fault"};
    if (name[0] == '\0' && out->failure[0] != '\0')
        return json_error(&here, err, "missing beside `failure`: whose it is");
    int fault = FAULT_NONE;
    while (fault <= FAULT_US && strcmp(name, fault_name((enum fault)fault)) != 0)
        fault++;
    if (fault > FAULT_US)
        return json_error(&here, err,
                          "`%s` is not known, expected the PR, the base, the host "
                          "or us",
                          name);
    out->fault = (enum fault)fault;
    char clause[MODEL_NAME_BYTES];
    struct json_at clause_at = {.parent = at, .key = "clause"};
    if (fields_get_text(object, "clause", at, clause, sizeof clause, err) != 0)
        return -1;
    if (clause_parse(clause, &out->clause) != 0)
        return json_error(&clause_at, err, "`%s` is not known", clause);
    return 0;
}

static int get_identical(const json_t *object, const struct json_at *at,
                         struct config_samples *out, struct err *err)
{
    char name[16];
    if (fields_get_text(object, "identical", at, name, sizeof name, err) != 0)
        return -1;
    if (name[0] == '\0')
        return 0;
    struct json_at here = {.parent = at, .key = "identical"};
    int arm = ARM_BASE;
    while (arm <= ARM_ANCHOR && strcmp(name, arm_name((enum arm)arm)) != 0)
        arm++;
    if (arm > ARM_ANCHOR)
        return json_error(&here, err, "`%s` is not known, expected base or anchor", name);
    const char *head = out->arms[ARM_HEAD].code, *other = out->arms[arm].code;
    if (head[0] != '\0' && other[0] != '\0' && strcmp(head, other) != 0)
        return json_error(&here, err, "head and %s have different code", name);
    out->identical = true;
    out->identical_to = (enum arm)arm;
    return 0;
}

static int get_peaks(const json_t *object, const struct json_at *at,
                     const struct reading *reading, struct config_samples *out,
                     struct err *err)
{
    if (!json_has(object, "peak_bytes"))
        return 0;
    json_t *peaks;
    if (json_get_object(object, "peak_bytes", at, &peaks, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "peak_bytes"};
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = reading->keys[arm];
        long long bytes;
        if (name == NULL || !json_has(peaks, name))
            continue;
        if (json_get_int(peaks, name, &here, 1, 1ll << 60, &bytes, err) != 0)
            return -1;
        out->peak_bytes[arm] = (unsigned long long)bytes;
    }
    return 0;
}

/* What is said of the anchor that the file calls so. */
static int get_anchor(const json_t *object, const struct json_at *at,
                      struct config_samples *out, struct err *err)
{
    if (get_identical(object, at, out, err) != 0 ||
        fields_get_text(object, "anchor_failure", at, out->anchor_failure,
                        sizeof out->anchor_failure, err) != 0)
        return -1;
    out->anchor_failed = out->anchor_failure[0] != '\0';
    return json_has(object, "anchor_unbuilt")
               ? json_get_bool(object, "anchor_unbuilt", at, &out->anchor_unbuilt, err)
               : 0;
}

/* What a time budget did. */
static int get_budget(const json_t *object, const struct json_at *at,
                      struct config_samples *out, struct err *err)
{
    if (json_has(object, "shortened") &&
        json_get_bool(object, "shortened", at, &out->shortened, err) != 0)
        return -1;
    return json_has(object, "out_of_time")
               ? json_get_bool(object, "out_of_time", at, &out->out_of_time, err)
               : 0;
}

/* Member `left_out`, which may be missing: of the arms that are read. */
static int get_left_out(const json_t *object, const struct json_at *at,
                        const struct reading *reading, struct config_samples *out,
                        struct err *err)
{
    if (!json_has(object, "left_out"))
        return 0;
    json_t *left_out;
    if (json_get_object(object, "left_out", at, &left_out, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "left_out"};
    for (int arm = ARM_OTHER; arm < ARM_COUNT; arm++)
        if (reading->keys[arm] != NULL &&
            fields_get_text(left_out, reading->keys[arm], &here,
                            out->left_out[arm - ARM_OTHER], sizeof out->left_out[0], err) != 0)
            return -1;
    return 0;
}

static int get_config(const json_t *object, const struct json_at *at,
                      const struct reading *reading, struct config_samples *out,
                      struct err *err)
{
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    if (fields_get_measured(object, at, &out->config, &out->clock_resolution_ns, err) != 0 ||
        get_arms(object, at, reading, out->arms, err) != 0 ||
        get_earlier(object, at, out, err) != 0 ||
        get_replicates(object, at, reading, out, err) != 0 ||
        get_without_head(object, at, reading, out, err) != 0 ||
        check_earlier(at, out, err) != 0 || get_fault(object, at, out, err) != 0 ||
        get_budget(object, at, out, err) != 0 ||
        (!reading->chosen && get_anchor(object, at, out, err) != 0) ||
        get_peaks(object, at, reading, out, err) != 0 ||
        get_left_out(object, at, reading, out, err) != 0)
        return -1;
    long long attempts = (long long)out->count;
    if (json_has(object, "attempts") &&
        json_get_int(object, "attempts", at, attempts, 1 << 20, &attempts, err) != 0)
        return -1;
    out->attempts = (size_t)attempts;
    return 0;
}

static int get_configs(const json_t *root, const struct json_at *at,
                       const struct reading *reading, struct samples *out, struct err *err)
{
    struct arm_info arms[ARM_COUNT] = {0};
    json_t *array;
    if (get_arms(root, at, reading, arms, err) != 0 ||
        fields_get_configs(root, at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "configs"};
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++) {
        struct config_samples *config = samples_add(out);
        struct json_at item = {.parent = &here, .index = i};
        struct json_at name = {.parent = &item, .key = "name"};
        if (config == NULL)
            return err_set(err, ERR_HOST, "out of memory");
        memcpy(config->arms, arms, sizeof arms);
        if (get_config(json_array_get(array, i), &item, reading, config, err) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(out->configs[j].config.name, config->config.name) == 0)
                return json_error(&name, err, "`%s` was there before", config->config.name);
    }
    return 0;
}

static int read_root(const json_t *root, const struct json_at *at,
                     const struct reading *reading, struct samples *out, struct err *err)
{
    SAMPLES_AUTO read = {0};
    if (fields_get_device(root, at, &read.device, err) != 0 ||
        fields_get_environment(root, at, &read.environment, err) != 0 ||
        get_configs(root, at, reading, &read, err) != 0)
        return -1;
    *out = read;
    read = (struct samples){0};
    return 0;
}

static int read_all(const char *bytes, size_t len, const char *name,
                    const struct reading *reading, struct samples *out, struct err *err)
{
    const struct json_at at = {.key = name};
    JSON_AUTO *root = NULL;
    return fields_open(bytes, len, reading->limits->samples_bytes, &at, SAMPLES_SCHEMA, &root,
                       err) != 0 ||
                   read_root(root, &at, reading, out, err) != 0
               ? -1
               : 0;
}

static struct reading reading_of_check(const struct limits *limits)
{
    struct reading reading = {.limits = limits};
    for (int arm = 0; arm < ARM_OTHER; arm++)
        reading.keys[arm] = arm_name((enum arm)arm);
    return reading;
}

int samples_parse(const char *bytes, size_t len, const char *name, const struct limits *limits,
                  struct samples *out, struct err *err)
{
    const struct reading reading = reading_of_check(limits);
    return read_all(bytes, len, name, &reading, out, err);
}

int samples_parse_others(const char *bytes, size_t len, const char *name,
                         const char (*others)[MODEL_NAME_BYTES], const struct limits *limits,
                         struct samples *out, struct err *err)
{
    struct reading reading = reading_of_check(limits);
    for (int i = 0; i < ARM_OTHERS_MAX; i++)
        if (others[i][0] != '\0')
            reading.keys[ARM_OTHER + i] = others[i];
    if (read_all(bytes, len, name, &reading, out, err) != 0)
        return -1;
    memcpy(out->others, others, sizeof out->others);
    return 0;
}

/* Names of arms of `object` that are not read yet: from then on they are. */
static int find_others(const json_t *object, const struct json_at *at, struct reading *reading,
                       struct err *err)
{
    json_t *arms, *value;
    const char *name;
    struct json_at here = {.parent = at, .key = "arms"};
    if (!json_has(object, "arms"))
        return 0;
    if (json_get_object(object, "arms", at, &arms, err) != 0)
        return -1;
    json_object_foreach(arms, name, value)
    {
        int arm = ARM_OTHER;
        if (reading_arm(reading, name) < ARM_COUNT)
            continue;
        while (arm < ARM_COUNT && reading->keys[arm] != NULL)
            arm++;
        if (arm == ARM_COUNT)
            return json_error(&here, err, "more than %d besides those of a check",
                              ARM_OTHERS_MAX);
        if (!model_name_ok(name))
            return json_error(&here, err, "`%.64s` is no name of an arm", name);
        reading->keys[arm] = name;
    }
    return 0;
}

int samples_parse_all(const char *bytes, size_t len, const char *name,
                      const struct limits *limits, struct samples *out, struct err *err)
{
    const struct json_at at = {.key = name}, configs_at = {.parent = &at, .key = "configs"};
    struct reading reading = reading_of_check(limits);
    json_t *configs;
    JSON_AUTO *root = NULL;
    if (fields_open(bytes, len, limits->samples_bytes, &at, SAMPLES_SCHEMA, &root, err) != 0 ||
        fields_get_configs(root, &at, &configs, err) != 0 ||
        find_others(root, &at, &reading, err) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(configs); i++) {
        const struct json_at item = {.parent = &configs_at, .index = i};
        if (find_others(json_array_get(configs, i), &item, &reading, err) != 0)
            return -1;
    }
    if (read_root(root, &at, &reading, out, err) != 0)
        return -1;
    for (int i = 0; i < ARM_OTHERS_MAX; i++)
        if (reading.keys[ARM_OTHER + i] != NULL)
            snprintf(out->others[i], sizeof out->others[i], "%s", reading.keys[ARM_OTHER + i]);
    return 0;
}

static bool has_anchor(const struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++)
        for (size_t r = 0; r < samples->configs[i].count; r++)
            if (samples->configs[i].replicates[r].arms[ARM_ANCHOR].count != 0)
                return true;
    return false;
}

int samples_parse_against(const char *bytes, size_t len, const char *name, const char *arm,
                          const struct limits *limits, struct samples *out, struct err *err)
{
    const struct reading reading = {
        .limits = limits,
        .keys = {[ARM_HEAD] = arm_name(ARM_HEAD), [ARM_ANCHOR] = arm},
        .chosen = true,
    };
    SAMPLES_AUTO read = {0};
    if (read_all(bytes, len, name, &reading, &read, err) != 0)
        return -1;
    if (!has_anchor(&read))
        return err_set(err, ERR_INPUT, "%s: no samples of an arm `%.64s`", name, arm);
    *out = read;
    read = (struct samples){0};
    return 0;
}
