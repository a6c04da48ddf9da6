/* SPDX-License-Identifier: Apache-2.0 */
/* Owns ci/ratchet.conf. All devices are read and checked, so that a mistake shows on any
 * host; what belongs to one device is handed out. Opens no file. */
#include "intake/config.h"

#include "base/git.h"
#include "cost.h"
#include "intake/config_keys.h"
#include "intake/cut.h"
#include "intake/expression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS_MAX = 1024 };

/* One [build "x"], [bench "x"], [tune "x"] or [config "x"]. */
struct part {
    unsigned section;
    char name[MODEL_NAME_BYTES];
    keys_seen seen;
    struct recipe recipe;
    struct bench_settings bench;
    struct tune_space tune;
    struct config_entry config;
};

struct parse {
    const char *name;
    const struct limits *limits;
    struct ratchet_config out;
    keys_seen seen[CONFIG_SECTIONS]; /* of those without subsections */
    struct part *parts;              /* owned */
    size_t part_count;
};

/* ---- sections ---- */

static struct part *find_part(const struct parse *parse, unsigned section, const char *name)
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
                parse->name, config_keys.sections[section].name, name, MODEL_NAME_BYTES - 1);
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
    *part = (struct part){.section = section};
    memcpy(part->name, name, strlen(name) + 1);
    return part;
}

static void *target_of(struct parse *parse, unsigned section)
{
    return section == CONFIG_KERNEL ? (void *)&parse->out.source
           : section == CONFIG_RULE ? (void *)&parse->out.rule
                                    : (void *)&parse->out;
}

static void *target_of_part(struct part *part)
{
    return part->section == CONFIG_BUILD   ? (void *)&part->recipe
           : part->section == CONFIG_BENCH ? (void *)&part->bench
           : part->section == CONFIG_TUNE  ? (void *)&part->tune
                                           : (void *)&part->config;
}

static int open_section(void *context, unsigned section, const char *subsection,
                        struct keys_target *out, struct err *err)
{
    struct parse *parse = context;
    if (config_keys.sections[section].of == NULL) {
        *out = (struct keys_target){target_of(parse, section), &parse->seen[section]};
        return 0;
    }
    struct part *part = find_part(parse, section, subsection);
    if (part == NULL && (part = add_part(parse, section, subsection, err)) == NULL)
        return -1;
    *out = (struct keys_target){target_of_part(part), &part->seen};
    return 0;
}

/* What the file did not say. */
static int set_initial(struct parse *parse, struct err *err)
{
    for (unsigned section = 0; section < CONFIG_SECTIONS; section++)
        if (config_keys.sections[section].of == NULL &&
            keys_initial(&config_keys, section, target_of(parse, section),
                         parse->seen[section], err) != 0)
            return -1;
    for (size_t i = 0; i < parse->part_count; i++) {
        struct part *part = &parse->parts[i];
        if (keys_initial(&config_keys, part->section, target_of_part(part), part->seen, err) !=
            0)
            return -1;
    }
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
    if (rule->look_count == 0) { /* default looks give way to what was asked for */
        const struct rule usual = rule_default();
        for (unsigned i = 0; i < usual.look_count; i++)
            if (usual.looks[i] >= rule->min_replicates && usual.looks[i] <= max)
                rule->looks[rule->look_count++] = usual.looks[i];
        if (rule->look_count == 0)
            rule->looks[rule->look_count++] = rule->min_replicates;
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

static int check_problem(const struct parse *parse, struct part *part, struct err *err)
{
    struct problem *problem = &part->config.problem;
    if (problem->heads_kv == 0)
        problem->heads_kv = problem->heads;
    if (problem->seq_k == 0)
        problem->seq_k = problem->seq_q;
    if (problem->heads % problem->heads_kv != 0)
        return err_set(err, ERR_INPUT,
                       "%s: config.%s.heads-kv: expected a divisor of heads, which is %d, not "
                       "`%d`",
                       parse->name, part->name, problem->heads, problem->heads_kv);
    if (cost_too_large(problem))
        return err_set(err, ERR_INPUT, "%s: config.%s: a tensor has more than %.0f elements",
                       parse->name, part->name, COST_ELEMENTS_MAX);
    return 0;
}

/* With the first value of each parameter: that it is an expression of them. */
static int check_tune(const struct parse *parse, const struct part *part, struct err *err)
{
    const struct tune_space *space = &part->tune;
    struct expression_value values[TUNE_PARAMETERS_MAX];
    long long ignored;
    for (size_t i = 0; i < space->parameter_count; i++)
        values[i] = (struct expression_value){space->parameters[i].name,
                                              space->parameters[i].values[0]};
    for (size_t i = 0; i < space->constraint_count; i++)
        if (expression_compute(space->constraints[i], values, space->parameter_count, &ignored,
                               err) != 0)
            return err_wrap(err, "%s: tune.%s.constraint", parse->name, part->name);
    return 0;
}

/* There is no [build] for the device that `key` of a part names, or `part` NULL: that is asked for; and
 * for which there are some. */
static int no_build(const struct parse *parse, const struct part *part, const char *key,
                    const char *slug, struct err *err)
{
    char where[2 * MODEL_NAME_BYTES] = "", there[ERR_TEXT_BYTES / 2] = "";
    size_t used = 0;
    if (part != NULL)
        snprintf(where, sizeof where, "%s.%s%s: ", config_keys.sections[part->section].name,
                 part->name, key);
    for (size_t i = 0; i < parse->part_count && used < sizeof there; i++)
        if (parse->parts[i].section == CONFIG_BUILD)
            used += (size_t)snprintf(there + used, sizeof there - used, "%s\"%s\"",
                                     used > 0 ? ", " : "only ", parse->parts[i].name);
    return err_set(err, ERR_INPUT, "%s: %sthere is no [build \"%.60s\"], %s%s", parse->name,
                   where, slug, used > 0 ? there : "nor any other",
                   part == NULL ? ": that device is not guarded here" : "");
}

/* A device of a config: one that something builds, and that has its type. */
static int check_device(const struct parse *parse, const struct part *part, const char *slug,
                        struct err *err)
{
    enum dtype dtype = part->config.problem.dtype;
    if (find_part(parse, CONFIG_BUILD, slug) == NULL)
        return no_build(parse, part, ".device", slug, err);
    return device_has_dtype(slug, dtype)
               ? 0
               : err_set(err, ERR_INPUT, "%s: config.%s.dtype: " DEVICE_LACKS_DTYPE,
                         parse->name, part->name, dtype_name(dtype), slug,
                         device_dtypes(slug));
}

static int check_part(const struct parse *parse, struct part *part, struct err *err)
{
    if (keys_require(&config_keys, part->section, part->name, part->seen, parse->name, err) !=
        0)
        return -1;
    /* A device that nothing builds is a misspelt one, and its configs would go unguarded. */
    if ((part->section == CONFIG_BENCH || part->section == CONFIG_TUNE) &&
        find_part(parse, CONFIG_BUILD, part->name) == NULL)
        return no_build(parse, part, "", part->name, err);
    for (size_t i = 0; i < part->config.device_count; i++)
        if (check_device(parse, part, part->config.devices[i], err) != 0)
            return -1;
    if (part->section == CONFIG_BENCH && part->bench.samples > parse->limits->samples)
        return err_set(err, ERR_INPUT,
                       "%s: bench.%s.samples: %u is more than the %llu samples of this host",
                       parse->name, part->name, part->bench.samples, parse->limits->samples);
    return part->section == CONFIG_CONFIG ? check_problem(parse, part, err)
           : part->section == CONFIG_TUNE ? check_tune(parse, part, err)
                                          : 0;
}

/* ---- what belongs to one device ---- */

static bool is_for(const struct part *part, const char *slug)
{
    for (size_t i = 0; i < part->config.device_count; i++)
        if (strcmp(part->config.devices[i], slug) == 0)
            return true;
    return false;
}

static int pick_configs(struct parse *parse, const char *slug, struct err *err)
{
    struct ratchet_config *out = &parse->out;
    for (size_t i = 0; i < parse->part_count; i++) {
        const struct part *part = &parse->parts[i];
        if (part->section != CONFIG_CONFIG || !is_for(part, slug))
            continue;
        if (out->config_count == MODEL_CONFIGS_MAX ||
            out->config_count >= parse->limits->configs)
            return err_set(err, ERR_LIMIT, "%s: more than %zu configs for device `%s`",
                           parse->name, out->config_count, slug);
        struct config *config = &out->configs[out->config_count++];
        memcpy(config->name, part->name, sizeof config->name);
        config->problem = part->config.problem;
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
    const struct part *build = find_part(parse, CONFIG_BUILD, slug);
    if (build == NULL)
        return no_build(parse, NULL, "", slug, err);
    source->recipe = build->recipe;
    return 0;
}

static int pick_device(struct parse *parse, const char *slug, struct err *err)
{
    struct ratchet_config *out = &parse->out;
    if (pick_source(parse, slug, err) != 0)
        return -1;
    const struct part *tune = find_part(parse, CONFIG_TUNE, slug);
    if (tune != NULL)
        out->tune = tune->tune;
    const struct part *bench = find_part(parse, CONFIG_BENCH, slug);
    if (bench != NULL)
        out->bench = bench->bench;
    else if (keys_initial(&config_keys, CONFIG_BENCH, &out->bench, 0, err) != 0)
        return -1;
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
        keys_read(&config_keys, text, len, parse->name, open_section, parse, err) != 0 ||
        set_initial(parse, err) != 0)
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
    parse->out.rule.look_count = 0; /* so that none is taken for given */
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
    return subsection[0] == '\0'
               ? strcmp(section, config_keys.sections[CONFIG_KERNEL].name) == 0
               : strcmp(section, config_keys.sections[CONFIG_BUILD].name) == 0 &&
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
    unsigned index = subsection[0] == '\0' ? CONFIG_KERNEL : CONFIG_BUILD;
    if (open_section(parse, index, subsection, &target, err) != 0)
        return -1;
    return keys_read_one(&config_keys, index, subsection, name, value, &target, parse->name,
                         err);
}

int config_parse_source(const char *text, size_t len, const char *name, const char *slug,
                        const struct limits *limits, struct kernel_source *out,
                        struct err *err)
{
    struct parse *parse __attribute__((cleanup(free_parse))) = new_parse(name, limits, err);
    struct source_reading reading = {parse, slug};
    if (parse == NULL || check_length(parse, len, err) != 0 ||
        git_read_config(text, len, name, read_source_entry, &reading, err) != 0 ||
        cut_refuse(&config_keys, text, len, name, err) != 0)
        return -1;
    const struct part *build = find_part(parse, CONFIG_BUILD, slug);
    if (build != NULL &&
        keys_require(&config_keys, CONFIG_BUILD, slug, build->seen, name, err) != 0)
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
