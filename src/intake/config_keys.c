/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the keys of ci/ratchet.conf: what each one is, and how it is read. */
#include "intake/config_keys.h"

#include "intake/expression.h"
#include "intake/values.h"

#include <string.h>

/* ---- types that one key has ---- */

static int read_tree_path(void *target, const struct key *key, const char *value,
                          const char *where, struct err *err)
{
    size_t len = strlen(value);
    if (len >= key->size || !value_is_tree_path(value))
        return err_set(err, ERR_INPUT,
                       "%s: expected a path inside the tree (relative, no `..`, at most %zu "
                       "bytes), not `%.60s`",
                       where, key->size - 1, value);
    memcpy((char *)target + key->offset, value, len + 1);
    return 0;
}

static const struct key_type tree_path = {"path in the tree", read_tree_path, NULL, NULL};

static int read_path(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    struct kernel_source *source = target;
    if (source->path_count == MODEL_PATHS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d paths", where, MODEL_PATHS_MAX);
    char folder[sizeof source->paths[0]];
    size_t len = strlen(value);
    if (len > 1 && len < sizeof folder && value[len - 1] == '/') { /* `kernels/` */
        memcpy(folder, value, len - 1);
        folder[len - 1] = '\0';
        value = folder;
    }
    if (read_tree_path(source->paths[source->path_count], key, value, where, err) != 0)
        return -1;
    source->path_count++;
    return 0;
}

static const struct key_type path = {"path in the tree", read_path, NULL, NULL};

static int read_look(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    struct rule *rule = target;
    long long look = 0;
    if (value_int(value, (long long)key->min, (long long)key->max, where, &look, err) != 0)
        return -1;
    if (rule->look_count == RULE_LOOKS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d looks", where, RULE_LOOKS_MAX);
    if (rule->look_count > 0 && (unsigned)look <= rule->looks[rule->look_count - 1])
        return err_set(err, ERR_INPUT, "%s: expected more than the %u before it, not `%lld`",
                       where, rule->looks[rule->look_count - 1], look);
    rule->looks[rule->look_count++] = (unsigned)look;
    return 0;
}

static void range_look(const struct key *key, struct buf *out)
{
    buf_addf(out, "%.0f to %.0f, up to %d", key->min, key->max, RULE_LOOKS_MAX);
}

static const struct key_type look = {"number", read_look, range_look, NULL};

static int read_device(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    (void)key;
    struct config_entry *config = target;
    if (!model_name_ok(value))
        return err_set(err, ERR_INPUT,
                       "%s: expected a device such as cpu or nvidia-l4, not "
                       "`%.60s`",
                       where, value);
    if (config->device_count == CONFIG_DEVICES_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d devices", where, CONFIG_DEVICES_MAX);
    for (size_t i = 0; i < config->device_count; i++)
        if (strcmp(config->devices[i], value) == 0)
            return err_set(err, ERR_INPUT, "%s: `%s` stands twice", where, value);
    memcpy(config->devices[config->device_count++], value, strlen(value) + 1);
    return 0;
}

static const struct key_type device = {"device", read_device, NULL, NULL};

static int read_dtype(void *target, const struct key *key, const char *value,
                      const char *where, struct err *err)
{
    (void)key;
    if (dtype_parse(value, &((struct config_entry *)target)->problem.dtype) != 0)
        return err_set(err, ERR_INPUT, "%s: expected fp16, bf16 or fp32, not `%.60s`", where,
                       value);
    return 0;
}

static const struct key_type dtype = {"fp16, bf16 or fp32", read_dtype, NULL, NULL};

/* The numbers behind a parameter's name. */
static int read_values(struct tune_parameter *parameter, char *list, const char *where,
                       struct err *err)
{
    for (char *word; (word = strsep(&list, " \t")) != NULL;) {
        long long value = 0;
        if (word[0] == '\0')
            continue;
        if (value_int(word, -1000000000, 1000000000, where, &value, err) != 0)
            return -1;
        if (parameter->count == TUNE_VALUES_MAX)
            return err_set(err, ERR_INPUT, "%s: %s has more than %d values", where,
                           parameter->name, TUNE_VALUES_MAX);
        for (size_t i = 0; i < parameter->count; i++)
            if (parameter->values[i] == value)
                return err_set(err, ERR_INPUT, "%s: %s has %lld twice", where, parameter->name,
                               value);
        parameter->values[parameter->count++] = value;
    }
    return parameter->count > 0
               ? 0
               : err_set(err, ERR_INPUT, "%s: %s has no values", where, parameter->name);
}

/* "BLOCK_K: 32 64 128" */
static int read_parameter(void *target, const struct key *key, const char *value,
                          const char *where, struct err *err)
{
    (void)key;
    struct tune_space *space = target;
    char text[512] = "";
    size_t len = strcspn(value, ": \t"), colon = len + strspn(value + len, " \t");
    if (strlen(value) >= sizeof text || value[colon] != ':' || len >= TUNE_NAME_BYTES ||
        !expression_is_name(value, len))
        return err_set(
            err, ERR_INPUT,
            "%s: expected a macro and its values, such as `BLOCK_K: 32 64 128`, not "
            "`%.60s`",
            where, value);
    for (size_t i = 0; i < space->parameter_count; i++)
        if (strlen(space->parameters[i].name) == len &&
            memcmp(space->parameters[i].name, value, len) == 0)
            return err_set(err, ERR_INPUT, "%s: `%s` stands twice", where,
                           space->parameters[i].name);
    if (space->parameter_count == TUNE_PARAMETERS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d parameters", where,
                       TUNE_PARAMETERS_MAX);
    struct tune_parameter *parameter = &space->parameters[space->parameter_count++];
    memcpy(parameter->name, value, len);
    memcpy(text, value + colon + 1, strlen(value + colon + 1) + 1);
    return read_values(parameter, text, where, err);
}

static void range_parameter(const struct key *key, struct buf *out)
{
    (void)key;
    buf_addf(out, "up to %d of up to %d", TUNE_PARAMETERS_MAX, TUNE_VALUES_MAX);
}

static const struct key_type parameter = {"list", read_parameter, range_parameter, NULL};

/* Names in it are looked at when all parameters are read. */
static int read_constraint(void *target, const struct key *key, const char *value,
                           const char *where, struct err *err)
{
    struct tune_space *space = target;
    if (space->constraint_count == TUNE_CONSTRAINTS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d constraints", where,
                       TUNE_CONSTRAINTS_MAX);
    const struct key text = {.name = key->name, .size = TUNE_CONSTRAINT_BYTES};
    return key_text.read(space->constraints[space->constraint_count++], &text, value, where,
                         err);
}

static void range_constraint(const struct key *key, struct buf *out)
{
    (void)key;
    buf_addf(out, "up to %d", TUNE_CONSTRAINTS_MAX);
}

static const struct key_type constraint = {"expression", read_constraint, range_constraint,
                                           NULL};

static const char *const comment_words[] = {
    [COMMENT_ALWAYS] = "always", [COMMENT_CHANGE] = "change", [COMMENT_NEVER] = "never", NULL};

/* ---- the table ---- */

static const struct keys_section sections[] = {
    [CONFIG_KERNEL] = {"kernel", NULL},       [CONFIG_RULE] = {"rule", NULL},
    [CONFIG_PROMOTION] = {"promotion", NULL}, [CONFIG_REPORT] = {"report", NULL},
    [CONFIG_BUILD] = {"build", "device"},     [CONFIG_BENCH] = {"bench", "device"},
    [CONFIG_TUNE] = {"tune", "device"},       [CONFIG_CONFIG] = {"config", "name"},
};

#define TEXT_OF(...) #__VA_ARGS__
#define TEXT(...) TEXT_OF(__VA_ARGS__)
#define KEY(in, word, kind, what, ...)                                                   \
    {                                                                                    \
        .section = CONFIG_##in, .name = word, .type = &(kind), .help = what, __VA_ARGS__ \
    }
#define IN(type, field) \
    .offset = offsetof(struct type, field), .size = sizeof((struct type *)0)->field
#define DIMENSION(field) IN(config_entry, problem.field), .min = 1, .max = PROBLEM_DIM_MAX

static const struct key keys[] = {
    KEY(KERNEL, "path", path, "file or folder that a build sees of the tree",
        .size = sizeof((struct kernel_source *)0)->paths[0], .repeat = true,
        .otherwise = "one is required"),
#define RULE_KEY(type, field, word, value, least, most, what)                     \
    KEY(RULE, word,                                                               \
        *_Generic((type)0, double                                                 \
                  : &key_ratio, unsigned                                          \
                  : &key_unsigned, unsigned long long                             \
                  : &key_natural),                                                \
        what, IN(rule, field), .number = (double)(value), .min = (double)(least), \
        .max = (double)(most)),
    RULE_TABLE(RULE_KEY)
#undef RULE_KEY
        KEY(RULE, "look", look,
            "replicates at which the judge looks, ascending; the last is the budget", .min = 6,
            .max = 1024, .repeat = true, .otherwise = TEXT(RULE_LOOKS)),
    KEY(RULE, "unclear", key_choice, "whether an unclear verdict fails the status",
        IN(rule, unclear_passes), .words = (const char *const[]){"fail", "pass", NULL},
        .initial = "fail"),
    KEY(PROMOTION, "gap", key_seconds, "between the two runs of a promotion",
        IN(ratchet_config, promotion_gap_s), .max = 86400e9, .initial = "10m"),
    KEY(REPORT, "comment", key_choice,
        "when a pull request gets one; change: once a verdict is not held",
        IN(ratchet_config, comment), .words = comment_words, .initial = "always"),
    KEY(BUILD, "command", key_shell, "for /bin/sh -c, at the top of the tree, in the sandbox",
        IN(recipe, command), .required = true),
    KEY(BUILD, "output", tree_path, "the library that it makes", IN(recipe, output),
        .required = true),
    KEY(BENCH, "samples", key_unsigned, "per arm and replicate", IN(bench_settings, samples),
        .min = 1, .max = 1000000, .initial = "100"),
    KEY(BENCH, "target", key_duration, "device time of one sample",
        IN(bench_settings, target_ns), .min = 1e3, .max = 10e9, .initial = "2ms"),
    KEY(BENCH, "warmup", key_unsigned, "samples thrown away first", IN(bench_settings, warmup),
        .max = 10000, .initial = "5"),
    KEY(BENCH, "inputs", key_choice,
        "whether a launch finds keys and values in the device's cache",
        IN(bench_settings, warm_inputs), .words = (const char *const[]){"cold", "warm", NULL},
        .initial = "cold"),
    KEY(BENCH, "budget", key_duration,
        "wall time of a check's measuring, of all configs together",
        IN(bench_settings, budget_ns), .min = BUDGET_LEAST_NS, .max = BUDGET_MOST_NS,
        .otherwise = "as long as it takes"),
    KEY(TUNE, "parameter", parameter,
        "macro of the sources, and numbers to try, as in BLOCK_K: 32 64 128", .repeat = true,
        .otherwise = "autotune needs one"),
    KEY(TUNE, "constraint", constraint, "which go together: BLOCK_M * STAGES <= 512",
        .repeat = true, .otherwise = "all do"),
    KEY(CONFIG, "device", device, "where it is measured", .repeat = true, .required = true),
    KEY(CONFIG, "batch", key_int, "sequences", DIMENSION(batch), .required = true),
    KEY(CONFIG, "heads", key_int, "heads of queries", DIMENSION(heads), .required = true),
    KEY(CONFIG, "heads-kv", key_int, "heads of keys and values; divides heads",
        DIMENSION(heads_kv), .otherwise = "as heads"),
    KEY(CONFIG, "seq-q", key_int, "length of the queries", DIMENSION(seq_q), .required = true),
    KEY(CONFIG, "seq-k", key_int, "length of keys and values", DIMENSION(seq_k),
        .otherwise = "as seq-q"),
    KEY(CONFIG, "head-dim", key_int, "length of one head's vectors", DIMENSION(head_dim),
        .required = true),
    KEY(CONFIG, "dtype", dtype, "of inputs and result; fp32: of cpu alone", .required = true),
    KEY(CONFIG, "causal", key_bool, "a query sees no later keys",
        IN(config_entry, problem.causal), .initial = "false"),
};

const struct keys_table config_keys = {sections, CONFIG_SECTIONS, keys,
                                       sizeof keys / sizeof keys[0]};
_Static_assert(sizeof keys / sizeof keys[0] <= KEYS_MAX, "keys_seen has a bit for each");
