/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of verdict.json, also of files that older versions wrote. */
#include "judge/verdict.h"

#include "judge/counters.h"
#include "judge/fields.h"
#include "judge/why.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const unsigned long long verdict_bytes_max = 16ull << 20;

/* The index of a required word among `count` that `name_of` gives. */
static int get_word(const json_t *object, const char *key, const struct json_at *at,
                    const char *(*name_of)(int), int count, int *out, struct err *err)
{
    char word[MODEL_NAME_BYTES];
    if (json_get_string(object, key, at, word, sizeof word, err) != 0)
        return -1;
    for (int i = 0; i < count; i++) {
        if (strcmp(word, name_of(i)) == 0) {
            *out = i;
            return 0;
        }
    }
    struct json_at here = {.parent = at, .key = key};
    return json_error(&here, err, "`%s` is not known", word);
}

static const char *verdict_word(int i)
{
    return verdict_name((enum verdict)i);
}

static const char *against_word(int i)
{
    return against_name((enum against)i);
}

static const char *fault_word(int i)
{
    return fault_name((enum fault)i);
}

static const char *clause_word(int i)
{
    return clause_name((enum clause)i);
}

static int get_fault(const json_t *object, const struct json_at *at, enum fault *out,
                     struct err *err)
{
    int fault = FAULT_NONE;
    if (json_has(object, "fault") &&
        get_word(object, "fault", at, fault_word, FAULT_US + 1, &fault, err) != 0)
        return -1;
    *out = (enum fault)fault;
    return 0;
}

/* Files from before clauses have none. */
static int get_clause(const json_t *object, const struct json_at *at, enum clause *out,
                      struct err *err)
{
    int clause = CLAUSE_NONE;
    if (json_has(object, "clause") &&
        get_word(object, "clause", at, clause_word, CLAUSE_COUNT, &clause, err) != 0)
        return -1;
    *out = (enum clause)clause;
    return 0;
}

static int get_interval(const json_t *object, const char *key, const struct json_at *at,
                        struct interval *out, struct err *err)
{
    json_t *pair;
    if (json_get_array(object, key, at, &pair, err) != 0)
        return -1;
    const json_t *low = json_array_get(pair, 0);
    const json_t *high = json_array_get(pair, 1);
    struct json_at here = {.parent = at, .key = key};
    if (json_array_size(pair) != 2 || !json_is_number(low) || !json_is_number(high) ||
        json_number_value(low) > json_number_value(high))
        return json_error(&here, err, "expected two numbers, the lower first");
    *out = (struct interval){json_number(low), json_number(high)};
    return 0;
}

static int get_change(const json_t *object, const struct json_at *at, struct change *out,
                      struct err *err)
{
    if (!json_has(object, "change"))
        return 0;
    if (json_get_number(object, "change", at, -1e15, 1e15, &out->change, err) != 0 ||
        get_interval(object, "ci", at, &out->ci, err) != 0 ||
        get_interval(object, "ci_decision", at, &out->ci_decision, err) != 0)
        return -1;
    out->known = true;
    return 0;
}

static int get_part(const json_t *object, const char *key, const struct json_at *at,
                    struct change *out, struct err *err)
{
    json_t *part;
    struct json_at here = {.parent = at, .key = key};
    if (!json_has(object, key))
        return 0;
    if (json_get_object(object, key, at, &part, err) != 0)
        return -1;
    return get_change(part, &here, out, err);
}

static int get_medians(const json_t *object, const struct json_at *at,
                       struct config_verdict *out, struct err *err)
{
    json_t *medians;
    if (!json_has(object, "medians"))
        return 0;
    if (json_get_object(object, "medians", at, &medians, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "medians"};
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = arm_name((enum arm)arm);
        json_t *median;
        struct json_at arm_at = {.parent = &here, .key = name};
        if (!json_has(medians, name))
            continue;
        if (json_get_object(medians, name, &here, &median, err) != 0 ||
            json_get_number(median, "ns", &arm_at, 0, 1e15, &out->median_ns[arm], err) != 0 ||
            get_interval(median, "ci", &arm_at, &out->median_ci[arm], err) != 0)
            return -1;
    }
    return 0;
}

static int get_effects(const json_t *object, const struct json_at *at,
                       struct config_verdict *out, struct err *err)
{
    json_t *effects;
    if (!json_has(object, "effects"))
        return 0;
    struct json_at here = {.parent = at, .key = "effects"};
    if (json_get_object(object, "effects", at, &effects, err) != 0 ||
        json_get_number(effects, "cliffs_delta", &here, -1, 1, &out->cliffs_delta, err) != 0 ||
        json_get_number(effects, "p", &here, 0, 1, &out->p_value, err) != 0 ||
        json_get_bool(effects, "ci_overlap", &here, &out->ci_overlap, err) != 0)
        return -1;
    if (!json_has(effects, "hedges_g")) /* infinite: two groups without any scatter */
        out->hedges_g = out->cliffs_delta < 0 ? -INFINITY : INFINITY;
    else if (json_get_number(effects, "hedges_g", &here, -1e300, 1e300, &out->hedges_g, err) !=
             0)
        return -1;
    out->effects_known = true;
    return 0;
}

static int get_count(const json_t *object, const char *key, const struct json_at *at,
                     size_t *out, struct err *err)
{
    long long count = 0;
    if (json_has(object, key) && json_get_int(object, key, at, 0, 1 << 20, &count, err) != 0)
        return -1;
    *out = (size_t)count;
    return 0;
}

/* Files from before gaps were counted have neither. */
static int get_missing(const json_t *object, const struct json_at *at,
                       struct config_verdict *out, struct err *err)
{
    json_t *missing;
    struct json_at here = {.parent = at, .key = "missing"};
    if (get_count(object, "rounds", at, &out->rounds, err) != 0)
        return -1;
    if (!json_has(object, "missing"))
        return 0;
    if (json_get_object(object, "missing", at, &missing, err) != 0)
        return -1;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (get_count(missing, arm_name((enum arm)arm), &here, &out->missing[arm], err) != 0)
            return -1;
    return 0;
}

static int get_identity(const json_t *object, const struct json_at *at,
                        struct config_verdict *out, struct err *err)
{
    double resolution;
    if (json_has(object, "problem"))
        return fields_get_config(object, at, &out->config, &resolution, err);
    struct json_at name = {.parent = at, .key = "name"};
    if (json_get_string(object, "name", at, out->config.name, sizeof out->config.name, err) !=
        0)
        return -1;
    if (!model_name_ok(out->config.name))
        return json_error(&name, err, "expected letters, digits, `_`, `-` and `.`");
    return 0;
}

/* Member `runs`: there where there were re-runs. */
static int get_runs(const json_t *object, const struct json_at *at, struct config_verdict *out,
                    struct err *err)
{
    json_t *array;
    struct json_at here = {.parent = at, .key = "runs"};
    if (!json_has(object, "runs"))
        return 0;
    if (json_get_array(object, "runs", at, &array, err) != 0)
        return -1;
    if (json_array_size(array) > RUNS_MAX)
        return json_error(&here, err, "expected at most %d", RUNS_MAX);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        struct json_at item_at = {.parent = &here, .index = i};
        struct run_change *run = &out->runs[out->run_count++];
        if (!json_is_object(item))
            return json_error(&item_at, err, "expected an object");
        if (get_count(item, "replicates", &item_at, &run->replicates, err) != 0)
            return -1;
        run->known = json_has(item, "change");
        if (run->known &&
            json_get_number(item, "change", &item_at, -1, 1e15, &run->change, err) != 0)
            return -1;
    }
    return 0;
}

static int get_config(const json_t *object, const struct json_at *at,
                      struct config_verdict *out, struct err *err)
{
    int verdict = 0;
    int against = 0;
    size_t looks;
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    if (get_identity(object, at, out, err) != 0 ||
        get_word(object, "verdict", at, verdict_word, VERDICT_REGRESSED + 1, &verdict, err) !=
            0 ||
        fields_get_text(object, "reason", at, out->reason, sizeof out->reason, err) != 0 ||
        get_word(object, "against", at, against_word, AGAINST_STORED + 1, &against, err) !=
            0 ||
        get_change(object, at, &out->change, err) != 0 ||
        get_part(object, "own", at, &out->own, err) != 0 ||
        get_part(object, "control", at, &out->control, err) != 0 ||
        get_part(object, "stored", at, &out->stored, err) != 0 ||
        get_medians(object, at, out, err) != 0 || get_effects(object, at, out, err) != 0 ||
        get_count(object, "replicates", at, &out->replicates, err) != 0 ||
        get_count(object, "marked", at, &out->marked, err) != 0 ||
        get_count(object, "attempts", at, &out->attempts, err) != 0 ||
        get_missing(object, at, out, err) != 0 || get_runs(object, at, out, err) != 0 ||
        get_count(object, "looks", at, &looks, err) != 0 ||
        fields_get_marks(object, "marks", at, &out->marks, err) != 0 ||
        get_fault(object, at, &out->fault, err) != 0 ||
        get_clause(object, at, &out->clause, err) != 0 ||
        why_get(object, at, &out->code, err) != 0 ||
        counters_get(object, at, &out->metrics, err) != 0)
        return -1;
    out->verdict = (enum verdict)verdict;
    out->against = (enum against)against;
    out->looks = (unsigned)looks;
    out->anchor_drift_known = json_has(object, "anchor_drift");
    if (out->anchor_drift_known &&
        json_get_number(object, "anchor_drift", at, -1, 1e15, &out->anchor_drift, err) != 0)
        return -1;
    if (json_has(object, "anchor_drifted") &&
        json_get_bool(object, "anchor_drifted", at, &out->anchor_drifted, err) != 0)
        return -1;
    if (json_has(object, "wants_more") &&
        json_get_bool(object, "wants_more", at, &out->wants_more, err) != 0)
        return -1;
    return 0;
}

/* A price needs both of its members. `amount` follows from the rest. */
static int get_price(const json_t *object, const struct json_at *at, struct price *out,
                     struct err *err)
{
    double price;
    struct json_at here = {.parent = at, .key = "currency"};
    if (!json_has(object, "price_per_hour"))
        return 0;
    if (json_get_number(object, "price_per_hour", at, 0, (double)PRICE_MICRO_MAX / 1e6, &price,
                        err) != 0 ||
        json_get_string(object, "currency", at, out->currency, sizeof out->currency, err) != 0)
        return -1;
    for (const char *c = out->currency; *c != '\0'; c++)
        if (!((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z')))
            return json_error(&here, err, "expected letters");
    out->micro = (unsigned long long)(price * 1e6 + 0.5);
    return 0;
}

/* Files to compare have none. */
static int get_spent(const json_t *root, const struct json_at *at, struct spent *out,
                     struct err *err)
{
    json_t *cost;
    double seconds;
    struct json_at here = {.parent = at, .key = "cost"};
    if (!json_has(root, "cost"))
        return 0;
    if (json_get_object(root, "cost", at, &cost, err) != 0 ||
        json_get_number(cost, "device_seconds", &here, 0, 1e9, &seconds, err) != 0 ||
        get_price(cost, &here, &out->price, err) != 0)
        return -1;
    out->device_ms = (unsigned long long)(seconds * 1e3 + 0.5);
    out->known = true;
    return 0;
}

static int get_configs(const json_t *root, const struct json_at *at, struct comparison *out,
                       struct err *err)
{
    json_t *array;
    if (fields_get_configs(root, at, &array, err) != 0)
        return -1;
    struct json_at here = {.parent = at, .key = "configs"};
    size_t count = json_array_size(array);
    out->configs = calloc(count + 1, sizeof *out->configs);
    if (out->configs == NULL)
        return err_set(err, ERR_HOST, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct json_at item = {.parent = &here, .index = i};
        if (get_config(json_array_get(array, i), &item, &out->configs[out->count++], err) != 0)
            return -1;
    }
    return 0;
}

int verdict_parse_json(const char *bytes, size_t len, const char *name, struct comparison *out,
                       struct err *err)
{
    const struct json_at at = {.key = name};
    JSON_AUTO *root = NULL;
    if (fields_open(bytes, len, verdict_bytes_max, &at, VERDICT_SCHEMA, &root, err) != 0)
        return -1;
    COMPARISON_AUTO read = {0};
    int verdict = 0;
    if (fields_get_device(root, &at, &read.device, err) != 0 ||
        get_word(root, "verdict", &at, verdict_word, VERDICT_REGRESSED + 1, &verdict, err) !=
            0 ||
        fields_get_text(root, "reason", &at, read.reason, sizeof read.reason, err) != 0 ||
        fields_get_text(root, "partial", &at, read.partial, sizeof read.partial, err) != 0 ||
        get_fault(root, &at, &read.fault, err) != 0 ||
        get_clause(root, &at, &read.clause, err) != 0 ||
        get_spent(root, &at, &read.spent, err) != 0 || get_configs(root, &at, &read, err) != 0)
        return -1;
    if (json_has(root, "unclear_passes") &&
        json_get_bool(root, "unclear_passes", &at, &read.unclear_passes, err) != 0)
        return -1;
    read.verdict = (enum verdict)verdict;
    *out = read;
    read = (struct comparison){0};
    return 0;
}
