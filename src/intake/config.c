/* SPDX-License-Identifier: Apache-2.0 */
/* Owns ci/ratchet.conf. All devices are read and checked, so that a mistake shows on any
 * host; what belongs to one device is handed out. Opens no file. */
#include "intake/config.h"

#include "base/git.h"
#include "intake/keys.h"
#include "intake/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS_MAX = 1024, DEVICES_MAX = 16 };

enum { KERNEL, RULE, PROMOTION, BUILD, BENCH, CONFIG };
static const struct keys_section sections[] = {
    [KERNEL] = {"kernel", NULL},       [RULE] = {"rule", NULL},
    [PROMOTION] = {"promotion", NULL}, [BUILD] = {"build", "device"},
    [BENCH] = {"bench", "device"},     [CONFIG] = {"config", "name"},
};
enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

/* One [build "x"], [bench "x"] or [config "x"]. */
struct part {
    unsigned section;
    char name[MODEL_NAME_BYTES];
    uint64_t seen;
    struct recipe recipe;
    struct bench_settings bench;
    struct problem problem;
    char devices[DEVICES_MAX][MODEL_NAME_BYTES];
    size_t device_count;
};

static const struct bench_settings bench_default = {
    .samples = 100, .warmup = 5, .target_ns = 2e6, .warm_inputs = false};

struct parse {
    const char *name;
    const struct limits *limits;
    struct ratchet_config out;
    uint64_t seen[SECTION_COUNT]; /* of those without subsections */
    bool looks_given;
    struct part *parts; /* owned */
    size_t part_count;
};

/* ---- readers of single keys ---- */

static int read_tree_path(char *out, size_t size, const char *value, const char *where,
                          struct err *err)
{
    size_t len = strlen(value);
    if (len >= size || !value_is_tree_path(value))
        return err_set(err, ERR_INPUT,
                       "%s: expected a path inside the tree (relative, no `..`, at most %zu "
                       "bytes), not `%.60s`",
                       where, size - 1, value);
    memcpy(out, value, len + 1);
    return 0;
}

static int read_kernel_path(void *target, const struct key *key, const char *value,
                            const char *where, struct err *err)
{
    (void)key;
    struct kernel_source *source = &((struct parse *)target)->out.source;
    if (source->path_count == MODEL_PATHS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d paths", where, MODEL_PATHS_MAX);
    char folder[256];
    size_t len = strlen(value);
    if (len > 1 && len < sizeof folder && value[len - 1] == '/') { /* `kernels/` */
        memcpy(folder, value, len - 1);
        folder[len - 1] = '\0';
        value = folder;
    }
    if (read_tree_path(source->paths[source->path_count], sizeof source->paths[0], value,
                       where, err) != 0)
        return -1;
    source->path_count++;
    return 0;
}

static int read_output(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    (void)key;
    struct recipe *recipe = &((struct part *)target)->recipe;
    return read_tree_path(recipe->output, sizeof recipe->output, value, where, err);
}

static int read_seed(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    (void)key;
    long long seed = 0;
    if (value_int(value, 0, INT64_MAX, where, &seed, err) != 0)
        return -1;
    ((struct parse *)target)->out.rule.seed = (unsigned long long)seed;
    return 0;
}

static int read_look(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    struct parse *parse = target;
    struct rule *rule = &parse->out.rule;
    if (!parse->looks_given)
        rule->look_count = 0; /* the first one replaces the defaults */
    parse->looks_given = true;
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

/* One of two words into a bool: `no` and `yes` say what they stand for. */
static int read_choice(bool *out, const char *no, const char *yes, const char *value,
                       const char *where, struct err *err)
{
    bool is_yes = strcmp(value, yes) == 0;
    if (!is_yes && strcmp(value, no) != 0)
        return err_set(err, ERR_INPUT, "%s: expected `%s` or `%s`, not `%.60s`", where, no,
                       yes, value);
    *out = is_yes;
    return 0;
}

static int read_unclear(void *target, const struct key *key, const char *value,
                        const char *where, struct err *err)
{
    (void)key;
    bool *out = &((struct parse *)target)->out.rule.unclear_passes;
    return read_choice(out, "fail", "pass", value, where, err);
}

static int read_inputs(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    (void)key;
    bool *out = &((struct part *)target)->bench.warm_inputs;
    return read_choice(out, "cold", "warm", value, where, err);
}

static int read_device(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    (void)key;
    struct part *part = target;
    if (!model_name_ok(value))
        return err_set(err, ERR_INPUT,
                       "%s: expected a device such as cpu or nvidia-l4, not "
                       "`%.60s`",
                       where, value);
    if (part->device_count == DEVICES_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d devices", where, DEVICES_MAX);
    for (size_t i = 0; i < part->device_count; i++)
        if (strcmp(part->devices[i], value) == 0)
            return err_set(err, ERR_INPUT, "%s: `%s` stands twice", where, value);
    memcpy(part->devices[part->device_count++], value, strlen(value) + 1);
    return 0;
}

static int read_dimension(void *target, const struct key *key, const char *value,
                          const char *where, struct err *err)
{
    long long number = 0;
    if (value_int(value, 1, PROBLEM_DIM_MAX, where, &number, err) != 0)
        return -1;
    int out = (int)number;
    memcpy((char *)target + key->offset, &out, sizeof out);
    return 0;
}

static int read_dtype(void *target, const struct key *key, const char *value,
                      const char *where, struct err *err)
{
    (void)key;
    if (dtype_parse(value, &((struct part *)target)->problem.dtype) != 0)
        return err_set(err, ERR_INPUT, "%s: expected fp16, bf16 or fp32, not `%.60s`", where,
                       value);
    return 0;
}

static int read_causal(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    (void)key;
    return value_bool(value, where, &((struct part *)target)->problem.causal, err);
}

/* ---- the table ---- */

#define KEY(in, word, reader, ...)                               \
    {                                                            \
        .section = in, .name = word, .read = reader, __VA_ARGS__ \
    }
#define IN_RULE(field) .offset = offsetof(struct parse, out.rule.field)
#define IN_PART(field) .offset = offsetof(struct part, field)

static const struct key keys[] = {
    KEY(KERNEL, "path", read_kernel_path, .repeat = true),
    KEY(RULE, "threshold", key_ratio, IN_RULE(threshold), .min = 0.001, .max = 0.5),
    KEY(RULE, "confidence", key_ratio, IN_RULE(confidence), .min = 0.8, .max = 0.999),
    KEY(RULE, "resamples", key_unsigned, IN_RULE(resamples), .min = 1000, .max = 1000000),
    KEY(RULE, "seed", read_seed, .min = 0),
    KEY(RULE, "own-floor", key_ratio, IN_RULE(own_floor), .min = 0, .max = 0.5),
    KEY(RULE, "control-floor", key_ratio, IN_RULE(control_floor), .min = 0.0005, .max = 0.5),
    KEY(RULE, "drift-margin", key_ratio, IN_RULE(drift_margin), .min = 0, .max = 0.5),
    KEY(RULE, "min-replicates", key_unsigned, IN_RULE(min_replicates), .min = 6, .max = 64),
    KEY(RULE, "look", read_look, .min = 6, .max = 1024, .repeat = true),
    KEY(RULE, "unclear", read_unclear, .min = 0),
    KEY(PROMOTION, "gap", key_seconds, .offset = offsetof(struct parse, out.promotion_gap_s),
        .min = 0, .max = 86400e9),
    KEY(BUILD, "command", key_text, IN_PART(recipe.command),
        .size = sizeof((struct recipe *)0)->command, .required = true),
    KEY(BUILD, "output", read_output, .required = true),
    KEY(BENCH, "samples", key_unsigned, IN_PART(bench.samples), .min = 1, .max = 1000000),
    KEY(BENCH, "target", key_duration, IN_PART(bench.target_ns), .min = 1e3, .max = 10e9),
    KEY(BENCH, "warmup", key_unsigned, IN_PART(bench.warmup), .min = 0, .max = 10000),
    KEY(BENCH, "inputs", read_inputs, .min = 0),
    KEY(CONFIG, "device", read_device, .repeat = true, .required = true),
    KEY(CONFIG, "batch", read_dimension, IN_PART(problem.batch), .required = true),
    KEY(CONFIG, "heads", read_dimension, IN_PART(problem.heads), .required = true),
    KEY(CONFIG, "heads-kv", read_dimension, IN_PART(problem.heads_kv)),
    KEY(CONFIG, "seq-q", read_dimension, IN_PART(problem.seq_q), .required = true),
    KEY(CONFIG, "seq-k", read_dimension, IN_PART(problem.seq_k)),
    KEY(CONFIG, "head-dim", read_dimension, IN_PART(problem.head_dim), .required = true),
    KEY(CONFIG, "dtype", read_dtype, .required = true),
    KEY(CONFIG, "causal", read_causal, .min = 0),
};

static const struct keys_table table = {sections, SECTION_COUNT, keys,
                                        sizeof keys / sizeof keys[0]};

/* ---- sections ---- */

static const struct part *find_part(const struct parse *parse, unsigned section,
                                    const char *name)
{
    for (size_t i = 0; i < parse->part_count; i++)
        if (parse->parts[i].section == section && strcmp(parse->parts[i].name, name) == 0)
            return &parse->parts[i];
    return NULL;
}

static struct part *add_part(struct parse *parse, unsigned section, const char *name,
                             struct err *err)
{
    if (!model_name_ok(name)) {
        err_set(err, ERR_INPUT,
                "%s: [%s \"%.60s\"]: expected 1 to %d letters, digits, `_`, `-` or `.`",
                parse->name, sections[section].name, name, MODEL_NAME_BYTES - 1);
        return NULL;
    }
    if (parse->part_count == SECTIONS_MAX) {
        err_set(err, ERR_LIMIT, "%s: more than %d sections", parse->name, SECTIONS_MAX);
        return NULL;
    }
    if ((parse->part_count & (parse->part_count - 1)) == 0) { /* full: double it */
        size_t room = parse->part_count == 0 ? 1 : 2 * parse->part_count;
        struct part *parts = realloc(parse->parts, room * sizeof *parts);
        if (parts == NULL) {
            err_set(err, ERR_HOST, "%s: out of memory", parse->name);
            return NULL;
        }
        parse->parts = parts;
    }
    struct part *part = &parse->parts[parse->part_count++];
    *part = (struct part){.section = section, .bench = bench_default};
    memcpy(part->name, name, strlen(name) + 1);
    return part;
}

static int open_section(void *context, unsigned section, const char *subsection,
                        struct keys_target *out, struct err *err)
{
    struct parse *parse = context;
    if (sections[section].of == NULL) {
        *out = (struct keys_target){parse, &parse->seen[section]};
        return 0;
    }
    struct part *part = (struct part *)find_part(parse, section, subsection);
    if (part == NULL && (part = add_part(parse, section, subsection, err)) == NULL)
        return -1;
    *out = (struct keys_target){part, &part->seen};
    return 0;
}

/* ---- checks of the whole ---- */

static int check_rule(struct parse *parse, struct err *err)
{
    struct rule *rule = &parse->out.rule;
    unsigned long long max = parse->limits->replicates;
    if (rule->own_floor > rule->threshold)
        return err_set(err, ERR_INPUT, "%s: rule.own-floor: expected at most rule.threshold",
                       parse->name);
    if (rule->min_replicates > max)
        return err_set(err, ERR_INPUT,
                       "%s: rule.min-replicates: this host takes at most %llu replicates",
                       parse->name, max);
    if (!parse->looks_given) { /* default looks give way to what was asked for */
        unsigned kept = 0;
        for (unsigned i = 0; i < rule->look_count; i++)
            if (rule->looks[i] >= rule->min_replicates && rule->looks[i] <= max)
                rule->looks[kept++] = rule->looks[i];
        if (kept == 0)
            rule->looks[kept++] = rule->min_replicates;
        rule->look_count = kept;
    }
    if (rule->looks[0] < rule->min_replicates)
        return err_set(err, ERR_INPUT,
                       "%s: rule.look: %u is less than rule.min-replicates, which is %u",
                       parse->name, rule->looks[0], rule->min_replicates);
    if (rule->looks[rule->look_count - 1] > max)
        return err_set(err, ERR_INPUT,
                       "%s: rule.look: %u is more than the %llu replicates of this host",
                       parse->name, rule->looks[rule->look_count - 1], max);
    return 0;
}

/* A tensor beyond this is a slip of the keyboard, and products stay far from overflow. */
static const double elements_max = (double)(1ull << 36);

static int check_problem(const struct parse *parse, struct part *part, struct err *err)
{
    struct problem *problem = &part->problem;
    if (problem->heads_kv == 0)
        problem->heads_kv = problem->heads;
    if (problem->seq_k == 0)
        problem->seq_k = problem->seq_q;
    if (problem->heads % problem->heads_kv != 0)
        return err_set(err, ERR_INPUT,
                       "%s: config.%s.heads-kv: expected a divisor of heads, which is %d, not "
                       "`%d`",
                       parse->name, part->name, problem->heads, problem->heads_kv);
    double rows = (double)problem->batch * problem->head_dim;
    if (rows * problem->heads * problem->seq_q > elements_max ||
        rows * problem->heads_kv * problem->seq_k > elements_max)
        return err_set(err, ERR_INPUT, "%s: config.%s: a tensor has more than %.0f elements",
                       parse->name, part->name, elements_max);
    return 0;
}

static int check_part(const struct parse *parse, struct part *part, struct err *err)
{
    if (keys_require(&table, part->section, part->name, part->seen, parse->name, err) != 0)
        return -1;
    /* A device that nothing builds is a misspelt one, and its configs would go unguarded. */
    if (part->section == BENCH && find_part(parse, BUILD, part->name) == NULL)
        return err_set(err, ERR_INPUT, "%s: bench.%s: there is no [build \"%s\"]", parse->name,
                       part->name, part->name);
    for (size_t i = 0; i < part->device_count; i++)
        if (find_part(parse, BUILD, part->devices[i]) == NULL)
            return err_set(err, ERR_INPUT, "%s: config.%s.device: there is no [build \"%s\"]",
                           parse->name, part->name, part->devices[i]);
    if (part->section == BENCH && part->bench.samples > parse->limits->samples)
        return err_set(err, ERR_INPUT,
                       "%s: bench.%s.samples: %u is more than the %llu samples of this host",
                       parse->name, part->name, part->bench.samples, parse->limits->samples);
    return part->section == CONFIG ? check_problem(parse, part, err) : 0;
}

/* ---- what belongs to one device ---- */

static bool is_for(const struct part *part, const char *slug)
{
    for (size_t i = 0; i < part->device_count; i++)
        if (strcmp(part->devices[i], slug) == 0)
            return true;
    return false;
}

static int pick_configs(struct parse *parse, const char *slug, struct err *err)
{
    struct ratchet_config *out = &parse->out;
    for (size_t i = 0; i < parse->part_count; i++) {
        const struct part *part = &parse->parts[i];
        if (part->section != CONFIG || !is_for(part, slug))
            continue;
        if (out->config_count == MODEL_CONFIGS_MAX ||
            out->config_count >= parse->limits->configs)
            return err_set(err, ERR_LIMIT, "%s: more than %zu configs for device `%s`",
                           parse->name, out->config_count, slug);
        struct config *config = &out->configs[out->config_count++];
        memcpy(config->name, part->name, sizeof config->name);
        config->problem = part->problem;
    }
    return out->config_count > 0
               ? 0
               : err_set(err, ERR_INPUT, "%s: no [config …] has `device = %s`", parse->name,
                         slug);
}

static int pick_source(struct parse *parse, const char *slug, struct err *err)
{
    struct kernel_source *source = &parse->out.source;
    if (source->path_count == 0)
        return err_set(err, ERR_INPUT, "%s: kernel.path: missing", parse->name);
    const struct part *build = find_part(parse, BUILD, slug);
    if (build == NULL)
        return err_set(err, ERR_INPUT,
                       "%s: there is no [build \"%.60s\"]: device `%.60s` is not guarded here",
                       parse->name, slug, slug);
    source->recipe = build->recipe;
    return 0;
}

static int pick_device(struct parse *parse, const char *slug, struct err *err)
{
    struct ratchet_config *out = &parse->out;
    if (pick_source(parse, slug, err) != 0)
        return -1;
    const struct part *bench = find_part(parse, BENCH, slug);
    out->bench = bench == NULL ? bench_default : bench->bench;
    return pick_configs(parse, slug, err);
}

static int check_length(const struct parse *parse, size_t len, struct err *err)
{
    if (len <= parse->limits->config_bytes)
        return 0;
    return err_set(err, ERR_LIMIT, "%s: longer than %llu bytes", parse->name,
                   parse->limits->config_bytes);
}

static int parse_all(struct parse *parse, const char *text, size_t len, const char *slug,
                     struct err *err)
{
    if (check_length(parse, len, err) != 0 ||
        keys_read(&table, text, len, parse->name, open_section, parse, err) != 0)
        return -1;
    for (size_t i = 0; i < parse->part_count; i++)
        if (check_part(parse, &parse->parts[i], err) != 0)
            return -1;
    if (check_rule(parse, err) != 0)
        return -1;
    return pick_device(parse, slug, err);
}

static void free_parse(struct parse **parse)
{
    if (*parse != NULL)
        free((*parse)->parts);
    free(*parse);
}

static struct parse *new_parse(const char *name, const struct limits *limits, struct err *err)
{
    struct parse *parse = calloc(1, sizeof *parse);
    if (parse == NULL) {
        err_set(err, ERR_HOST, "%s: out of memory", name);
        return NULL;
    }
    parse->name = name;
    parse->limits = limits;
    parse->out.rule = rule_default();
    parse->out.promotion_gap_s = 600;
    return parse;
}

int config_parse(const char *text, size_t len, const char *name, const char *slug,
                 const struct limits *limits, struct ratchet_config *out, struct err *err)
{
    struct parse *parse __attribute__((cleanup(free_parse))) = new_parse(name, limits, err);
    if (parse == NULL || parse_all(parse, text, len, slug, err) != 0)
        return -1;
    *out = parse->out;
    return 0;
}

/* ---- the source of one arm ---- */

/* Not a table walk: what another version of Ratchet put into the rest of the file is no matter. */
struct source_reading {
    struct parse *parse;
    const char *slug;
};

static bool is_source(const struct source_reading *reading, const char *section,
                      const char *subsection)
{
    return subsection[0] == '\0' ? strcmp(section, sections[KERNEL].name) == 0
                                 : strcmp(section, sections[BUILD].name) == 0 &&
                                       strcmp(subsection, reading->slug) == 0;
}

static int read_source_entry(void *context, const char *section, const char *subsection,
                             const char *name, const char *value, struct err *err)
{
    const struct source_reading *reading = context;
    struct parse *parse = reading->parse;
    if (!is_source(reading, section, subsection))
        return 0;
    struct keys_target target;
    unsigned index = subsection[0] == '\0' ? KERNEL : BUILD;
    if (open_section(parse, index, subsection, &target, err) != 0)
        return -1;
    return keys_read_one(&table, index, subsection, name, value, &target, parse->name, err);
}

int config_parse_source(const char *text, size_t len, const char *name, const char *slug,
                        const struct limits *limits, struct kernel_source *out,
                        struct err *err)
{
    struct parse *parse __attribute__((cleanup(free_parse))) = new_parse(name, limits, err);
    struct source_reading reading = {parse, slug};
    if (parse == NULL || check_length(parse, len, err) != 0 ||
        git_read_config(text, len, name, read_source_entry, &reading, err) != 0)
        return -1;
    const struct part *build = find_part(parse, BUILD, slug);
    if (build != NULL && keys_require(&table, BUILD, slug, build->seen, name, err) != 0)
        return -1;
    if (pick_source(parse, slug, err) != 0)
        return -1;
    *out = parse->out.source;
    return 0;
}

static bool has_path(const struct kernel_source *source, const char *path)
{
    for (size_t i = 0; i < source->path_count; i++)
        if (strcmp(source->paths[i], path) == 0)
            return true;
    return false;
}

bool kernel_source_equal(const struct kernel_source *a, const struct kernel_source *b)
{
    for (size_t i = 0; i < a->path_count; i++)
        if (!has_path(b, a->paths[i]))
            return false;
    for (size_t i = 0; i < b->path_count; i++)
        if (!has_path(a, b->paths[i]))
            return false;
    return strcmp(a->recipe.command, b->recipe.command) == 0 &&
           strcmp(a->recipe.output, b->recipe.output) == 0;
}
