/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the text of samples.json. */
#include "judge/samples.h"

#include "judge/fields.h"
#include "judge/text.h"

#include <string.h>

static bool same_arms(const struct arm_info *a, const struct arm_info *b)
{
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (a[arm].present != b[arm].present || strcmp(a[arm].commit, b[arm].commit) != 0 ||
            strcmp(a[arm].code, b[arm].code) != 0)
            return false;
    return true;
}

/* The key under which an arm is written. */
static const char *key_of(const struct samples *samples, int arm)
{
    return arm < ARM_OTHER ? arm_name((enum arm)arm) : samples->others[arm - ARM_OTHER];
}

static void put_arms(struct buf *out, const struct samples *samples,
                     const struct arm_info arms[ARM_COUNT], const char *indent)
{
    buf_adds(out, "\"arms\": {");
    const char *before = "";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (!arms[arm].present)
            continue;
        buf_addf(out, "%s\n%s  \"%s\": {", before, indent, key_of(samples, arm));
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

static void put_provoked(struct buf *out, const struct samples *samples,
                         const struct replicate *replicate)
{
    bool any = false;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (replicate->provoked[arm] == 0)
            continue;
        buf_addf(out, "%s\"%s\": ", any ? ", " : ", \"provoked\": {", key_of(samples, arm));
        fields_put_mark_names(out, replicate->provoked[arm]);
        any = true;
    }
    if (any)
        buf_addc(out, '}');
}

/* Of each arm of which it is known: slope, its standard error, degrees of freedom. */
static void put_clock(struct buf *out, const struct samples *samples,
                      const struct replicate *replicate)
{
    const char *before = ", \"clock\": {";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const struct clock_slope *clock = &replicate->clock[arm];
        if (clock->freedom == 0 || replicate->arms[arm].count == 0)
            continue;
        buf_addf(out, "%s\"%s\": ", before, key_of(samples, arm));
        fields_put_clock(out, clock);
        before = ", ";
    }
    if (before[2] == '\0')
        buf_addc(out, '}');
}

/* Always with a head, and with the other arms that have samples. */
static void put_replicate(struct buf *out, const struct samples *samples,
                          const struct replicate *replicate)
{
    buf_adds(out, "{\"head\": ");
    fields_put_series(out, &replicate->arms[ARM_HEAD]);
    for (int arm = ARM_HEAD + 1; arm < ARM_COUNT; arm++) {
        if (replicate->arms[arm].count == 0)
            continue;
        buf_addf(out, ", \"%s\": ", key_of(samples, arm));
        fields_put_series(out, &replicate->arms[arm]);
    }
    put_clock(out, samples, replicate);
    fields_put_marks(out, replicate->marks);
    put_provoked(out, samples, replicate);
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

static void put_left_out(struct buf *out, const struct samples *samples,
                         const struct config_samples *config)
{
    const char *before = "      \"left_out\": {";
    for (int arm = ARM_OTHER; arm < ARM_COUNT; arm++) {
        const char *why = config->left_out[arm - ARM_OTHER];
        if (why[0] == '\0')
            continue;
        buf_addf(out, "%s\"%s\": ", before, key_of(samples, arm));
        text_string(out, why);
        before = ", ";
    }
    if (before[0] == ',')
        buf_adds(out, "},\n");
}

/* The keys that most configs do not have. */
static void put_rare(struct buf *out, const struct samples *samples,
                     const struct config_samples *config)
{
    if (config->identical)
        put_text(out, "identical", arm_name(config->identical_to));
    if (config->fault != FAULT_NONE) {
        put_text(out, "fault", fault_name(config->fault));
        put_text(out, "clause", clause_name(config->clause));
        put_text(out, "failure", config->failure);
    }
    if (config->anchor_failed)
        put_text(out, "anchor_failure",
                 config->anchor_failure[0] != '\0' ? config->anchor_failure : "not said why");
    if (config->anchor_failed && config->anchor_unbuilt)
        buf_adds(out, "      \"anchor_unbuilt\": true,\n");
    if (config->shortened)
        buf_adds(out, "      \"shortened\": true,\n");
    if (config->out_of_time)
        buf_adds(out, "      \"out_of_time\": true,\n");
    if (config->without_head.count > 0) {
        buf_adds(out, "      \"without_head\": ");
        fields_put_series(out, &config->without_head);
        buf_adds(out, ",\n");
    }
    const char *before = "      \"peak_bytes\": {";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (config->peak_bytes[arm] == 0)
            continue;
        buf_addf(out, "%s\"%s\": %llu", before, key_of(samples, arm), config->peak_bytes[arm]);
        before = ", ";
    }
    if (before[0] == ',')
        buf_adds(out, "},\n");
    put_left_out(out, samples, config);
}

static void put_earlier(struct buf *out, const struct config_samples *config)
{
    for (unsigned i = 0; i < config->earlier_count; i++)
        buf_addf(out, "%s%zu%s", i == 0 ? "      \"earlier\": [" : ", ", config->earlier[i],
                 i + 1 == config->earlier_count ? "],\n" : "");
}

static void put_config(struct buf *out, const struct samples *samples,
                       const struct config_samples *config, bool with_arms)
{
    buf_adds(out, "    {\n      \"name\": ");
    text_string(out, config->config.name);
    buf_adds(out, ", \"unit\": \"ns\"");
    if (config->clock_resolution_ns > 0) {
        buf_adds(out, ", \"clock_resolution_ns\": ");
        text_number(out, config->clock_resolution_ns);
    }
    buf_adds(out, ",\n");
    if (problem_known(&config->config.problem)) {
        buf_adds(out, "      ");
        fields_put_problem(out, &config->config.problem);
        buf_adds(out, ",\n");
    }
    if (with_arms) {
        buf_adds(out, "      ");
        put_arms(out, samples, config->arms, "      ");
        buf_adds(out, ",\n");
    }
    buf_addf(out, "      \"attempts\": %zu,\n", config->attempts);
    put_earlier(out, config);
    put_rare(out, samples, config);
    buf_adds(out, "      \"replicates\": [");
    for (size_t i = 0; i < config->count; i++) {
        buf_adds(out, i == 0 ? "\n        " : ",\n        ");
        put_replicate(out, samples, &config->replicates[i]);
    }
    buf_adds(out, config->count != 0 ? "\n      ]\n    }" : "]\n    }");
}

int samples_format(const struct samples *samples, struct buf *out, struct err *err)
{
    bool common = true;
    for (size_t i = 1; i < samples->count; i++)
        common = common && same_arms(samples->configs[0].arms, samples->configs[i].arms);
    buf_addf(out, "{\n  \"schema\": \"%s\",\n  ", SAMPLES_SCHEMA);
    fields_put_device(out, &samples->device);
    buf_adds(out, ",\n  ");
    fields_put_environment(out, &samples->environment, "  ");
    buf_adds(out, ",\n  ");
    if (common && samples->count != 0) {
        put_arms(out, samples, samples->configs[0].arms, "  ");
        buf_adds(out, ",\n  ");
    }
    buf_adds(out, "\"configs\": [");
    for (size_t i = 0; i < samples->count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_config(out, samples, &samples->configs[i], !common);
    }
    buf_adds(out, samples->count != 0 ? "\n  ]\n}\n" : "]\n}\n");
    return buf_check(out, "samples: the text", err);
}
