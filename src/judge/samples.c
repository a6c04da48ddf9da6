/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the frame of samples.json; the nouns inside it are judge/nouns'. Judges nothing. */
#include "judge/samples.h"

#include "judge/nouns.h"
#include "judge/text.h"

#include <string.h>

static const char schema[] = "ratchet.samples/1";

/* ---- reading ---- */

/* Member `arms`, an object of objects, over what `out` holds; it may be missing. */
static int get_arms(const json_t *parent, const struct json_at *at,
                    struct arm_info out[ARM_COUNT], struct err *err)
{
    if (!json_has(parent, "arms"))
        return 0;
    json_t *arms;
    if (json_get_object(parent, "arms", at, &arms, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "arms"};
    struct arm_info read[ARM_COUNT] = {0};
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = arm_name((enum arm)arm);
        if (!json_has(arms, name))
            continue;
        json_t *object;
        struct arm_info *info = &read[arm];
        struct json_at arm_at = {.parent = &here, .key = name};
        if (json_get_object(arms, name, &here, &object, err) != 0 ||
            nouns_get_text(object, "commit", &arm_at, info->commit, sizeof info->commit,
                           err) != 0 ||
            nouns_get_text(object, "code", &arm_at, info->code, sizeof info->code, err) !=
                0)
            return -1;
        info->present = true;
    }
    memcpy(out, read, sizeof read);
    return 0;
}

static int get_marks(const json_t *object, const struct json_at *at, unsigned *out,
                     struct err *err)
{
    if (!json_has(object, "marks"))
        return 0;
    json_t *marks;
    if (json_get_array(object, "marks", at, &marks, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "marks"};
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

static int get_replicate(const json_t *object, const struct json_at *at,
                         const struct limits *limits, struct replicate *out,
                         struct err *err)
{
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = arm_name((enum arm)arm);
        if (arm != ARM_HEAD && !json_has(object, name))
            continue;
        json_t *array;
        struct json_at here = {.parent = at, .key = name};
        if (json_get_array(object, name, at, &array, err) != 0 ||
            nouns_get_series(array, &here, limits->samples, &out->arms[arm], err) != 0)
            return -1;
    }
    return get_marks(object, at, &out->marks, err);
}

static int get_replicates(const json_t *object, const struct json_at *at,
                          const struct limits *limits, struct config_samples *out,
                          struct err *err)
{
    json_t *array;
    if (json_get_array(object, "replicates", at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "replicates"};
    size_t count = json_array_size(array);
    if (count > limits->replicates)
        return json_error(&here, err, "%zu replicates, expected at most %llu", count,
                          limits->replicates);
    for (size_t i = 0; i < count; i++) {
        struct replicate *replicate = config_samples_add(out);
        struct json_at item = {.parent = &here, .index = i};
        if (replicate == NULL)
            return err_set(err, ERR_HOST, "out of memory");
        if (get_replicate(json_array_get(array, i), &item, limits, replicate, err) != 0)
            return -1;
    }
    return 0;
}

static int get_fault(const json_t *object, const struct json_at *at,
                     struct config_samples *out, struct err *err)
{
    char name[16];
    if (nouns_get_text(object, "fault", at, name, sizeof name, err) != 0 ||
        nouns_get_text(object, "failure", at, out->failure, sizeof out->failure, err) !=
            0)
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
    return 0;
}

static int get_identical(const json_t *object, const struct json_at *at,
                         struct config_samples *out, struct err *err)
{
    char name[16];
    if (nouns_get_text(object, "identical", at, name, sizeof name, err) != 0)
        return -1;
    if (name[0] == '\0')
        return 0;
    struct json_at here = {.parent = at, .key = "identical"};
    for (int arm = ARM_BASE; arm <= ARM_ANCHOR; arm++) {
        if (strcmp(name, arm_name((enum arm)arm)) == 0) {
            out->identical = true;
            out->identical_to = (enum arm)arm;
            return 0;
        }
    }
    return json_error(&here, err, "`%s` is not known, expected base or anchor", name);
}

static int get_peaks(const json_t *object, const struct json_at *at,
                     struct config_samples *out, struct err *err)
{
    if (!json_has(object, "peak_bytes"))
        return 0;
    json_t *peaks;
    if (json_get_object(object, "peak_bytes", at, &peaks, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "peak_bytes"};
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = arm_name((enum arm)arm);
        long long bytes;
        if (!json_has(peaks, name))
            continue;
        if (json_get_int(peaks, name, &here, 1, 1ll << 60, &bytes, err) != 0)
            return -1;
        out->peak_bytes[arm] = (unsigned long long)bytes;
    }
    return 0;
}

static int get_config(const json_t *object, const struct json_at *at,
                      const struct limits *limits, struct config_samples *out,
                      struct err *err)
{
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    if (nouns_get_config(object, at, &out->config, &out->clock_resolution_ns, err) != 0 ||
        get_arms(object, at, out->arms, err) != 0 ||
        get_replicates(object, at, limits, out, err) != 0 ||
        get_fault(object, at, out, err) != 0 ||
        get_identical(object, at, out, err) != 0 ||
        get_peaks(object, at, out, err) != 0 ||
        nouns_get_text(object, "anchor_failure", at, out->anchor_failure,
                       sizeof out->anchor_failure, err) != 0)
        return -1;
    out->anchor_failed = out->anchor_failure[0] != '\0';
    long long attempts = (long long)out->count;
    if (json_has(object, "attempts") &&
        json_get_int(object, "attempts", at, attempts, 1 << 20, &attempts, err) != 0)
        return -1;
    out->attempts = (size_t)attempts;
    return 0;
}

static int get_configs(const json_t *root, const struct json_at *at,
                       const struct limits *limits, struct samples *out, struct err *err)
{
    struct arm_info arms[ARM_COUNT] = {0};
    json_t *array;
    if (get_arms(root, at, arms, err) != 0 ||
        json_get_array(root, "configs", at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "configs"};
    size_t count = json_array_size(array);
    if (count > MODEL_CONFIGS_MAX)
        return json_error(&here, err, "%zu configs, expected at most %d", count,
                          MODEL_CONFIGS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct config_samples *config = samples_add(out);
        struct json_at item = {.parent = &here, .index = i};
        struct json_at name = {.parent = &item, .key = "name"};
        if (config == NULL)
            return err_set(err, ERR_HOST, "out of memory");
        memcpy(config->arms, arms, sizeof arms);
        if (get_config(json_array_get(array, i), &item, limits, config, err) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(out->configs[j].config.name, config->config.name) == 0)
                return json_error(&name, err, "`%s` was there before",
                                  config->config.name);
    }
    return 0;
}

int samples_parse(const char *bytes, size_t len, const char *name,
                  const struct limits *limits, struct samples *out, struct err *err)
{
    const struct json_at at = {.key = name};
    JSON_AUTO *root = NULL;
    if (nouns_open(bytes, len, limits->samples_bytes, &at, schema, &root, err) != 0)
        return -1;
    __attribute__((cleanup(samples_free))) struct samples read = {0};
    if (nouns_get_device(root, &at, &read.device, err) != 0 ||
        nouns_get_environment(root, &at, &read.environment, err) != 0 ||
        get_configs(root, &at, limits, &read, err) != 0)
        return -1;
    *out = read;
    read = (struct samples){0};
    return 0;
}

/* ---- writing ---- */

static bool same_arms(const struct arm_info *a, const struct arm_info *b)
{
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (a[arm].present != b[arm].present ||
            strcmp(a[arm].commit, b[arm].commit) != 0 ||
            strcmp(a[arm].code, b[arm].code) != 0)
            return false;
    return true;
}

static void put_arms(struct buf *out, const struct arm_info arms[ARM_COUNT],
                     const char *indent)
{
    buf_adds(out, "\"arms\": {");
    const char *before = "";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (!arms[arm].present)
            continue;
        buf_addf(out, "%s\n%s  \"%s\": {", before, indent, arm_name((enum arm)arm));
        if (arms[arm].commit[0] != '\0') {
            buf_adds(out, "\"commit\": ");
            text_string(out, arms[arm].commit);
        }
        if (arms[arm].code[0] != '\0') {
            buf_adds(out, arms[arm].commit[0] != '\0' ? ", \"code\": " : "\"code\": ");
            text_string(out, arms[arm].code);
        }
        buf_addc(out, '}');
        before = ",";
    }
    if (before[0] != '\0')
        buf_addf(out, "\n%s", indent);
    buf_addc(out, '}');
}

/* Always with a head, and with the other arms that have samples. */
static void put_replicate(struct buf *out, const struct replicate *replicate)
{
    buf_adds(out, "{\"head\": ");
    nouns_put_series(out, &replicate->arms[ARM_HEAD]);
    for (int arm = ARM_HEAD + 1; arm < ARM_COUNT; arm++) {
        if (replicate->arms[arm].count == 0)
            continue;
        buf_addf(out, ", \"%s\": ", arm_name((enum arm)arm));
        nouns_put_series(out, &replicate->arms[arm]);
    }
    if (replicate->marks != 0) {
        const char *before = ", \"marks\": [";
        for (unsigned bit = 0; bit < MARK_BITS; bit++) {
            if ((replicate->marks & 1u << bit) == 0)
                continue;
            buf_addf(out, "%s\"%s\"", before, mark_name(bit));
            before = ", ";
        }
        buf_addc(out, ']');
    }
    buf_addc(out, '}');
}

static void put_text(struct buf *out, const char *key, const char *value)
{
    if (value[0] == '\0')
        return;
    buf_addf(out, "      \"%s\": ", key);
    text_string(out, value);
    buf_adds(out, ",\n");
}

/* The keys that most configs do not have. */
static void put_rare(struct buf *out, const struct config_samples *config)
{
    if (config->identical)
        put_text(out, "identical", arm_name(config->identical_to));
    if (config->fault != FAULT_NONE) {
        put_text(out, "fault", fault_name(config->fault));
        put_text(out, "failure", config->failure);
    }
    if (config->anchor_failed)
        put_text(out, "anchor_failure",
                 config->anchor_failure[0] != '\0' ? config->anchor_failure
                                                   : "not said why");
    const char *before = "      \"peak_bytes\": {";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (config->peak_bytes[arm] == 0)
            continue;
        buf_addf(out, "%s\"%s\": %llu", before, arm_name((enum arm)arm),
                 config->peak_bytes[arm]);
        before = ", ";
    }
    if (before[0] == ',')
        buf_adds(out, "},\n");
}

static void put_config(struct buf *out, const struct config_samples *config,
                       bool with_arms)
{
    buf_adds(out, "    {\n      \"name\": ");
    text_string(out, config->config.name);
    buf_adds(out, ", \"unit\": \"ns\"");
    if (config->clock_resolution_ns > 0) {
        buf_adds(out, ", \"clock_resolution_ns\": ");
        text_number(out, config->clock_resolution_ns);
    }
    buf_adds(out, ",\n      ");
    nouns_put_problem(out, &config->config.problem);
    buf_adds(out, ",\n");
    if (with_arms) {
        buf_adds(out, "      ");
        put_arms(out, config->arms, "      ");
        buf_adds(out, ",\n");
    }
    buf_addf(out, "      \"attempts\": %zu,\n", config->attempts);
    put_rare(out, config);
    buf_adds(out, "      \"replicates\": [");
    for (size_t i = 0; i < config->count; i++) {
        buf_adds(out, i == 0 ? "\n        " : ",\n        ");
        put_replicate(out, &config->replicates[i]);
    }
    buf_adds(out, config->count != 0 ? "\n      ]\n    }" : "]\n    }");
}

int samples_format(const struct samples *samples, struct buf *out, struct err *err)
{
    bool common = true;
    for (size_t i = 1; i < samples->count; i++)
        common = common && same_arms(samples->configs[0].arms, samples->configs[i].arms);
    buf_addf(out, "{\n  \"schema\": \"%s\",\n  ", schema);
    nouns_put_device(out, &samples->device);
    buf_adds(out, ",\n  ");
    nouns_put_environment(out, &samples->environment, "  ");
    buf_adds(out, ",\n  ");
    if (common && samples->count != 0) {
        put_arms(out, samples->configs[0].arms, "  ");
        buf_adds(out, ",\n  ");
    }
    buf_adds(out, "\"configs\": [");
    for (size_t i = 0; i < samples->count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_config(out, &samples->configs[i], !common);
    }
    buf_adds(out, samples->count != 0 ? "\n  ]\n}\n" : "]\n}\n");
    if (out->failed)
        return err_set(err, ERR_LIMIT, "samples: the text is longer than %zu bytes",
                       out->max);
    return 0;
}
