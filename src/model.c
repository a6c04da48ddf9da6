/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names and the memory of the structures in model.h; no rule, no format. */
#include "model.h"

#include "base/err.h"
#include "base/name.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const dtype_names[DTYPE_COUNT] = {"fp16", "bf16", "fp32"};
static const char *const arm_names[ARM_COUNT] = {"head",   "base",   "anchor", "control",
                                                 "other1", "other2", "other3", "other4",
                                                 "other5", "other6", "other7", "other8"};
static const char *const mark_names[MARK_BITS] = {"throttled", "shared",     "starved",
                                                  "preempted", "wall-clock", "unequal-clocks"};
static const char *const fault_names[] = {"", "the PR", "the base", "the host", "us"};
static const char *const clause_names[CLAUSE_COUNT] = {
    [CLAUSE_NONE] = "",
    [CLAUSE_WITHIN] = "within",
    [CLAUSE_BEYOND] = "beyond",
    [CLAUSE_STRADDLES] = "straddles",
    [CLAUSE_LOST_ON_MAIN] = "lost-on-main",
    [CLAUSE_OWN_UNCLEAR] = "own-unclear",
    [CLAUSE_GAPS] = "gaps",
    [CLAUSE_FEW_REPLICATES] = "few-replicates",
    [CLAUSE_BUDGET] = "budget",
    [CLAUSE_MARKED] = "marked",
    [CLAUSE_CONTROL_BIASED] = "control-biased",
    [CLAUSE_BELOW_CLOCK] = "below-clock",
    [CLAUSE_NO_SAMPLES] = "no-samples",
    [CLAUSE_NOTHING_AGAINST] = "nothing-against",
    [CLAUSE_ANCHOR_UNBUILT] = "anchor-unbuilt",
    [CLAUSE_NOT_MEASURED] = "not-measured",
    [CLAUSE_IDENTICAL_CODE] = "identical-code",
    [CLAUSE_NOT_TOUCHED] = "not-touched",
    [CLAUSE_RETIRED] = "retired",
    [CLAUSE_RECORDED] = "recorded",
    [CLAUSE_BUILD_FAILED] = "build-failed",
    [CLAUSE_REFUSED] = "refused",
    [CLAUSE_WRONG_RESULT] = "wrong-result",
    [CLAUSE_CRASHED] = "crashed",
    [CLAUSE_TIMED_OUT] = "timed-out",
    [CLAUSE_IMPLAUSIBLE] = "implausible",
    [CLAUSE_GARBLED] = "garbled",
    [CLAUSE_DISTURBS] = "disturbs",
    [CLAUSE_EVERY_ARM] = "every-arm",
    [CLAUSE_HOST_FAILED] = "host-failed",
    [CLAUSE_CONFLICT] = "conflict",
    [CLAUSE_NOT_PINNED] = "not-pinned",
    [CLAUSE_NOT_APPROVED] = "not-approved",
    [CLAUSE_BAD_CONFIG] = "bad-config",
    [CLAUSE_BAD_RECIPE] = "bad-recipe",
    [CLAUSE_BAD_BASELINE] = "bad-baseline",
    [CLAUSE_BAD_PATH] = "bad-path",
    [CLAUSE_INTERNAL] = "internal",
    [CLAUSE_CANCELLED] = "cancelled",
};
static const char *const verdict_names[] = {"held", "improved", "unclear", "unmeasured",
                                            "regressed"};
static const char *const against_names[] = {"none", "anchor", "base", "stored"};

const char *dtype_name(enum dtype dtype)
{
    return dtype_names[dtype];
}

int dtype_parse(const char *name, enum dtype *out)
{
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(name, dtype_names[i]) == 0) {
            *out = (enum dtype)i;
            return 0;
        }
    }
    return -1;
}

const char *arm_name(enum arm arm)
{
    return arm_names[arm];
}

const char *mark_name(unsigned bit)
{
    return bit < MARK_BITS ? mark_names[bit] : "?";
}

const char *fault_name(enum fault fault)
{
    return fault_names[fault];
}

const char *clause_name(enum clause clause)
{
    return clause_names[clause];
}

int clause_parse(const char *name, enum clause *out)
{
    for (int i = 0; i < CLAUSE_COUNT; i++) {
        if (strcmp(name, clause_names[i]) == 0) {
            *out = (enum clause)i;
            return 0;
        }
    }
    return -1;
}

const char *verdict_name(enum verdict verdict)
{
    return verdict_names[verdict];
}

const char *against_name(enum against against)
{
    return against_names[against];
}

bool problem_known(const struct problem *problem)
{
    return problem->batch > 0;
}

bool problem_matches(const struct problem *a, const struct problem *b)
{
    return !problem_known(a) || !problem_known(b) || problem_equal(a, b);
}

bool problem_equal(const struct problem *a, const struct problem *b)
{
    return a->batch == b->batch && a->heads == b->heads && a->heads_kv == b->heads_kv &&
           a->seq_q == b->seq_q && a->seq_k == b->seq_k && a->head_dim == b->head_dim &&
           a->dtype == b->dtype && a->causal == b->causal;
}

bool device_is_gpu(const char *slug)
{
    static const char *const vendors[] = {"nvidia-"};
    for (size_t i = 0; i < sizeof vendors / sizeof vendors[0]; i++)
        if (strncmp(slug, vendors[i], strlen(vendors[i])) == 0)
            return true;
    return false;
}

bool device_slug_ok(const char *slug)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    return model_name_ok(slug) && slug[strspn(slug, letters)] == '\0' &&
           (strcmp(slug, "cpu") == 0 || device_is_gpu(slug));
}

bool device_has_dtype(const char *slug, enum dtype dtype)
{
    return device_is_gpu(slug) == (dtype != DTYPE_FP32);
}

const char *device_dtypes(const char *slug)
{
    return device_is_gpu(slug) ? "fp16 and bf16" : "fp32";
}

bool choices_partial(const struct choices *choices)
{
    return choices->configs[0] != '\0' || choices->budget_s > 0;
}

bool choices_any(const struct choices *choices)
{
    return choices_partial(choices) || choices->profile;
}

bool model_name_ok(const char *name)
{
    return name_ok(name, MODEL_NAME_BYTES);
}

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

/* Grow an array of `count` elements by one zeroed element. */
static void *grow(void *array, size_t count, size_t size)
{
    /* Doubling by counting alone: the capacity is the next power of two. */
    if ((count & (count - 1)) == 0) {
        size_t capacity = count == 0 ? 1 : 2 * count;
        array = realloc(array, capacity * size);
        if (array == NULL)
            return NULL;
    }
    memset((char *)array + count * size, 0, size);
    return array;
}

int environment_set(struct environment *environment, const char *name, const char *value)
{
    char *copy = copy_text(value);
    if (copy == NULL)
        return -1;
    for (size_t i = 0; i < environment->count; i++) {
        if (strcmp(environment->facts[i].name, name) == 0) {
            free(environment->facts[i].value);
            environment->facts[i].value = copy;
            return 0;
        }
    }
    char *key = copy_text(name);
    struct fact *facts = key == NULL
                             ? NULL
                             : grow(environment->facts, environment->count, sizeof *facts);
    if (facts == NULL) {
        free(key);
        free(copy);
        return -1;
    }
    environment->facts = facts;
    facts[environment->count++] = (struct fact){key, copy};
    return 0;
}

bool environment_is_reading(const char *name)
{
    return strncmp(name, "seen_", 5) == 0;
}

const char *environment_get(const struct environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->count; i++)
        if (strcmp(environment->facts[i].name, name) == 0)
            return environment->facts[i].value;
    return NULL;
}

const char *environment_protocol(const struct environment *environment)
{
    const char *named = environment_get(environment, "protocol");
    return named == NULL ? MODEL_PROTOCOL_FIRST : named;
}

int environment_copy(const struct environment *from, struct environment *to)
{
    for (size_t i = 0; i < from->count; i++)
        if (environment_set(to, from->facts[i].name, from->facts[i].value) != 0)
            return -1;
    return 0;
}

void environment_free(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->facts[i].name);
        free(environment->facts[i].value);
    }
    free(environment->facts);
    *environment = (struct environment){0};
}

size_t config_samples_unmarked(const struct config_samples *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->count; i++)
        count += config->replicates[i].marks == 0;
    return count;
}

size_t config_samples_until(const struct config_samples *config, unsigned run)
{
    size_t count = 0;
    if (run >= config->earlier_count)
        return config->count;
    for (unsigned i = 0; i <= run; i++)
        count += config->earlier[i];
    return count;
}

unsigned config_samples_marks(const struct config_samples *config)
{
    unsigned marks = 0;
    for (size_t i = 0; i < config->count; i++)
        marks |= config->replicates[i].marks;
    return marks;
}

size_t config_samples_unmarked_now(const struct config_samples *config)
{
    size_t count = 0;
    unsigned runs = config->earlier_count;
    for (size_t i = runs == 0 ? 0 : config_samples_until(config, runs - 1); i < config->count;
         i++)
        count += config->replicates[i].marks == 0;
    return count;
}

int series_add(struct series *series, double ns)
{
    double *grown = grow(series->ns, series->count, sizeof *grown);
    if (grown == NULL)
        return -1;
    series->ns = grown;
    series->ns[series->count++] = ns;
    return 0;
}

void replicate_free(struct replicate *replicate)
{
    for (int arm = 0; arm < ARM_COUNT; arm++)
        free(replicate->arms[arm].ns);
    *replicate = (struct replicate){0};
}

void config_samples_free(struct config_samples *config)
{
    for (size_t i = 0; i < config->count; i++)
        replicate_free(&config->replicates[i]);
    free(config->replicates);
    free(config->without_head.ns);
    *config = (struct config_samples){0};
}

struct replicate *config_samples_add(struct config_samples *config)
{
    struct replicate *grown = grow(config->replicates, config->count, sizeof *grown);
    if (grown == NULL)
        return NULL;
    config->replicates = grown;
    return &config->replicates[config->count++];
}

bool config_samples_run_again(struct config_samples *config)
{
    unsigned runs = config->earlier_count;
    if (runs + 1 == RUNS_MAX)
        return false;
    size_t before = runs == 0 ? 0 : config_samples_until(config, runs - 1);
    config->earlier[config->earlier_count++] = config->count - before;
    return true;
}

struct config_samples *samples_add(struct samples *samples)
{
    struct config_samples *grown = grow(samples->configs, samples->count, sizeof *grown);
    if (grown == NULL)
        return NULL;
    samples->configs = grown;
    return &samples->configs[samples->count++];
}

const struct config_samples *samples_find(const struct samples *samples, const char *name)
{
    for (size_t i = 0; i < samples->count; i++)
        if (strcmp(samples->configs[i].config.name, name) == 0)
            return &samples->configs[i];
    return NULL;
}

void samples_free(struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++)
        config_samples_free(&samples->configs[i]);
    free(samples->configs);
    environment_free(&samples->environment);
    *samples = (struct samples){0};
}

void baseline_config_free(struct baseline_config *config)
{
    for (size_t i = 0; i < config->count; i++)
        free(config->replicates[i].ns);
    free(config->replicates);
    environment_free(&config->environment);
    *config = (struct baseline_config){0};
}

void baseline_free(struct baseline *baseline)
{
    for (size_t i = 0; i < baseline->count; i++)
        baseline_config_free(&baseline->configs[i]);
    free(baseline->configs);
    *baseline = (struct baseline){0};
}

const struct baseline_config *baseline_find(const struct baseline *baseline, const char *name)
{
    for (size_t i = 0; i < baseline->count; i++)
        if (strcmp(baseline->configs[i].config.name, name) == 0)
            return &baseline->configs[i];
    return NULL;
}

const struct config_verdict *comparison_find(const struct comparison *comparison,
                                             const char *name)
{
    for (size_t i = 0; comparison != NULL && i < comparison->count; i++)
        if (strcmp(comparison->configs[i].config.name, name) == 0)
            return &comparison->configs[i];
    return NULL;
}

double price_micro_of(const struct price *price, double seconds)
{
    return price->currency[0] == '\0' ? 0 : (double)price->micro / 3600 * seconds;
}

struct rule rule_default(void)
{
    static const unsigned looks[] = {RULE_LOOKS};
    struct rule rule = {
#define RULE_VALUE(type, field, key, value, ...) .field = (value),
        RULE_TABLE(RULE_VALUE)
#undef RULE_VALUE
            .look_count = sizeof looks / sizeof looks[0]};
    memcpy(rule.looks, looks, sizeof looks);
    return rule;
}

/* The PR's own comes first: its author can mend it. */
static int concern_of(enum fault fault)
{
    return fault == FAULT_NONE ? FAULT_US + 1 : (int)fault;
}

bool config_verdict_before(const struct config_verdict *a, const struct config_verdict *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    bool lost_a = a->clause == CLAUSE_LOST_ON_MAIN, lost_b = b->clause == CLAUSE_LOST_ON_MAIN;
    if (lost_a != lost_b)
        return lost_a;
    if (a->change.known != b->change.known)
        return a->change.known;
    double change_a = a->change.change, change_b = b->change.change;
    if (!a->change.known)
        return concern_of(a->fault) < concern_of(b->fault);
    if (a->verdict == VERDICT_IMPROVED)
        return change_a < change_b;
    if (a->verdict == VERDICT_HELD && !lost_a)
        return fabs(change_a) > fabs(change_b);
    return change_a > change_b;
}

void comparison_free(struct comparison *comparison)
{
    free(comparison->configs);
    *comparison = (struct comparison){0};
}

/* price * time / hour, whose product would not fit. */
unsigned long long comparison_cost_micro(const struct comparison *comparison)
{
    const unsigned long long hour_ms = 3600000;
    const struct spent *spent = &comparison->spent;
    unsigned long long hours = spent->price.micro / hour_ms;
    unsigned long long rest = spent->price.micro % hour_ms;
    return hours * spent->device_ms + rest * spent->device_ms / hour_ms;
}

bool config_verdict_final(const struct config_verdict *verdict)
{
    return verdict->verdict == VERDICT_HELD || verdict->verdict == VERDICT_IMPROVED ||
           verdict->verdict == VERDICT_REGRESSED;
}

int comparison_exit(const struct comparison *comparison)
{
    int held = comparison->partial[0] == '\0' ? EXIT_HELD : EXIT_UNCLEAR;
    switch (comparison->verdict) {
    case VERDICT_HELD:
    case VERDICT_IMPROVED:
        return held;
    case VERDICT_REGRESSED:
        return EXIT_REGRESSED;
    case VERDICT_UNCLEAR:
        return comparison->unclear_passes ? held : EXIT_UNCLEAR;
    case VERDICT_UNMEASURED:
        break;
    }
    return EXIT_UNMEASURED;
}
