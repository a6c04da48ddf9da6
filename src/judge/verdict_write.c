/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the text of verdict.json. Computes nothing. */
#include "judge/verdict.h"

#include "judge/counters.h"
#include "judge/fields.h"
#include "judge/text.h"
#include "judge/why.h"

#include <math.h>

/* `"change": …, "ci": …, "ci_decision": …`, nulls where it is not known. */
static void put_change(struct buf *out, const struct change *change)
{
    if (!change->known) {
        buf_adds(out, "\"change\": null, \"ci\": null, \"ci_decision\": null");
        return;
    }
    buf_adds(out, "\"change\": ");
    text_number(out, change->change);
    buf_adds(out, ", \"ci\": ");
    text_interval(out, change->ci);
    buf_adds(out, ", \"ci_decision\": ");
    text_interval(out, change->ci_decision);
}

static void put_part(struct buf *out, const char *key, const struct change *change)
{
    buf_addf(out, ",\n      \"%s\": ", key);
    if (!change->known) {
        buf_adds(out, "null");
        return;
    }
    buf_addc(out, '{');
    put_change(out, change);
    buf_addc(out, '}');
}

/* No reader takes an empty string. */
static void put_reason(struct buf *out, const char *reason)
{
    if (reason[0] == '\0')
        buf_adds(out, "null");
    else
        text_string(out, reason);
}

static void put_fault(struct buf *out, enum fault fault)
{
    if (fault == FAULT_NONE)
        buf_adds(out, "null");
    else
        text_string(out, fault_name(fault));
}

static void put_clause(struct buf *out, enum clause clause)
{
    if (clause == CLAUSE_NONE)
        buf_adds(out, "null");
    else
        text_string(out, clause_name(clause));
}

static void put_medians(struct buf *out, const struct config_verdict *config)
{
    buf_adds(out, ",\n      \"medians\": {");
    const char *before = "";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (!(config->median_ns[arm] > 0))
            continue;
        buf_addf(out, "%s\"%s\": {\"ns\": ", before, arm_name((enum arm)arm));
        text_number(out, config->median_ns[arm]);
        buf_adds(out, ", \"ci\": ");
        text_interval(out, config->median_ci[arm]);
        buf_addc(out, '}');
        before = ", ";
    }
    buf_addc(out, '}');
}

static void put_effects(struct buf *out, const struct config_verdict *config)
{
    buf_adds(out, ",\n      \"effects\": ");
    if (!config->effects_known) {
        buf_adds(out, "null");
        return;
    }
    buf_adds(out, "{\"hedges_g\": ");
    text_number(out, config->hedges_g);
    buf_adds(out, ", \"cliffs_delta\": ");
    text_number(out, config->cliffs_delta);
    buf_adds(out, ", \"p\": ");
    text_number(out, config->p_value);
    buf_addf(out, ", \"ci_overlap\": %s}", config->ci_overlap ? "true" : "false");
}

static void put_missing(struct buf *out, const struct config_verdict *config)
{
    buf_addf(out, ",\n      \"rounds\": %zu, \"missing\": {", config->rounds);
    const char *before = "";
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (config->missing[arm] == 0)
            continue;
        buf_addf(out, "%s\"%s\": %zu", before, arm_name((enum arm)arm), config->missing[arm]);
        before = ", ";
    }
    buf_addc(out, '}');
}

static void put_runs(struct buf *out, const struct config_verdict *config)
{
    for (unsigned i = 0; i < config->run_count; i++) {
        const struct run_change *run = &config->runs[i];
        buf_addf(out, "%s{\"replicates\": %zu, \"change\": ",
                 i == 0 ? ",\n      \"runs\": [" : ", ", run->replicates);
        text_number(out, run->known ? run->change : (double)NAN);
        buf_adds(out, i + 1 == config->run_count ? "}]" : "}");
    }
}

static void put_counts(struct buf *out, const struct config_verdict *config)
{
    buf_addf(out, ",\n      \"marked\": %zu, \"marks\": ", config->marked);
    fields_put_mark_names(out, config->marks);
    buf_addf(out, ", \"attempts\": %zu, \"looks\": %u, \"wants_more\": %s", config->attempts,
             config->looks, config->wants_more ? "true" : "false");
}

static void put_config(struct buf *out, const struct config_verdict *config)
{
    buf_adds(out, "    {\n      \"name\": ");
    text_string(out, config->config.name);
    buf_addf(out, ", \"verdict\": \"%s\", \"clause\": ", verdict_name(config->verdict));
    put_clause(out, config->clause);
    buf_adds(out, ",\n      \"reason\": ");
    put_reason(out, config->reason);
    buf_addf(out, ",\n      \"against\": \"%s\", ", against_name(config->against));
    put_change(out, &config->change);
    buf_addf(out, ", \"replicates\": %zu", config->replicates);
    put_part(out, "own", &config->own);
    put_part(out, "control", &config->control);
    put_part(out, "stored", &config->stored);
    buf_adds(out, ",\n      \"anchor_drift\": ");
    text_number(out, config->anchor_drift_known ? config->anchor_drift : (double)NAN);
    buf_addf(out, ", \"anchor_drifted\": %s", config->anchor_drifted ? "true" : "false");
    put_medians(out, config);
    put_effects(out, config);
    put_missing(out, config);
    put_counts(out, config);
    put_runs(out, config);
    buf_adds(out, ", \"fault\": ");
    put_fault(out, config->fault);
    if (problem_known(&config->config.problem)) {
        buf_adds(out, ",\n      \"unit\": \"ns\", ");
        fields_put_problem(out, &config->config.problem);
    }
    why_put(out, &config->code);
    counters_put(out, &config->metrics);
    buf_adds(out, "\n    }");
}

/* Whole millionths as doubles: their shortest digits are exact. */
static void put_spent(struct buf *out, const struct comparison *comparison)
{
    const struct spent *spent = &comparison->spent;
    if (!spent->known)
        return;
    buf_adds(out, ",\n  \"cost\": {\"device_seconds\": ");
    text_number(out, (double)spent->device_ms / 1e3);
    if (spent->price.currency[0] != '\0') {
        buf_adds(out, ", \"price_per_hour\": ");
        text_number(out, (double)spent->price.micro / 1e6);
        buf_adds(out, ", \"currency\": ");
        text_string(out, spent->price.currency);
        buf_adds(out, ", \"amount\": ");
        text_number(out, (double)comparison_cost_micro(comparison) / 1e6);
    }
    buf_addc(out, '}');
}

int verdict_format_json(const struct comparison *comparison, struct buf *out, struct err *err)
{
    buf_addf(out,
             "{\n  \"schema\": \"%s\",\n  \"verdict\": \"%s\", \"clause\": ", VERDICT_SCHEMA,
             verdict_name(comparison->verdict));
    put_clause(out, comparison->clause);
    buf_adds(out, ",\n  \"reason\": ");
    put_reason(out, comparison->reason);
    buf_adds(out, ",\n  \"fault\": ");
    put_fault(out, comparison->fault);
    buf_adds(out, ",\n  ");
    fields_put_device(out, &comparison->device);
    put_spent(out, comparison);
    if (comparison->partial[0] != '\0') {
        buf_adds(out, ",\n  \"partial\": ");
        text_string(out, comparison->partial);
    }
    buf_addf(out, ",\n  \"exit\": %d, \"unclear_passes\": %s,\n  \"configs\": [",
             comparison_exit(comparison), comparison->unclear_passes ? "true" : "false");
    for (size_t i = 0; i < comparison->count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_config(out, &comparison->configs[i]);
    }
    buf_adds(out, comparison->count != 0 ? "\n  ]\n}\n" : "]\n}\n");
    return buf_check(out, "verdict: the text", err);
}
