/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet sweep`: kernel libraries that are built already, ours and other people's, as named
 * arms of the same fresh processes. For engineers by hand: who names a library vouches for it. */
#include "cli/cli.h"
#include "base/line.h"
#include "cli/folders.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/shapes.h"
#include "cli/sweep_arms.h"
#include "cli/sweep_folder.h"
#include "cli/sweep_table.h"

#include "measure/bench.h"
#include "measure/device/device.h"
#include "pipeline/measurement.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLICATES = 6, FILES_MAX = 4, CEILINGS = 2 };

struct sweep_options {
    const char *repo, *head, *device, *config, *output, *report;
    const char *expose[SANDBOX_EXPOSED_MAX];
    const char *files[FILES_MAX];
    const char *ceilings[CEILINGS];
    struct shapes shapes;
    const char *budget;
    bool quiet, png;
};

/* All there is of one sweep, in one piece of memory. */
struct sweep {
    struct sweep_arms arms;
    struct bench_config configs[MODEL_CONFIGS_MAX];
    struct host host;
    struct cli_folders folders;
    struct ratchet_config config;
    struct measurement measurement;
    struct progress progress;
    struct sweep_folder folder;
    char asked[SWEEP_ASKED_BYTES];
    double budget_ns;
    struct err lost; /* why the folder could not be written while it was measured */
};

static void sweep_free(struct sweep **sweep)
{
    if (*sweep == NULL)
        return;
    progress_end(&(*sweep)->progress);
    measurement_free(&(*sweep)->measurement);
    sweep_folder_close(&(*sweep)->folder);
    free(*sweep);
    *sweep = NULL;
}

/* ---- what is measured ---- */

static int read_arms(const struct sweep_options *given, const char *const *operands,
                     size_t count, struct sweep *sweep, struct err *err)
{
    const struct limits *limits = &sweep->host.limits;
    struct sweep_arms *arms = &sweep->arms;
    for (size_t i = 0; i < count; i++)
        if (sweep_arms_add(arms, operands[i], limits, err) != 0)
            return -1;
    for (size_t i = 0; i < FILES_MAX && given->files[i] != NULL; i++)
        if (sweep_arms_read(arms, given->files[i], sweep->host.state, limits, err) != 0)
            return -1;
    for (size_t i = 0; i < CEILINGS && given->ceilings[i] != NULL; i++)
        if (sweep_arms_add_ceiling(arms, given->ceilings[i], limits, err) != 0)
            return -1;
    for (size_t i = 0; i < SANDBOX_EXPOSED_MAX && given->expose[i] != NULL; i++)
        if (sweep_arms_expose(arms, given->expose[i], sweep->host.state, err) != 0)
            return -1;
    return arms->count > 0 ? 0
                           : err_set(err, ERR_USAGE,
                                     "expected NAME=LIBRARY, once for each arm, or --arms"
                                     " with a file of them");
}

/* With no repository: the defaults of ci/ratchet.conf and one shape for the options to change. */
static int default_rules(const struct measurement *measurement, struct ratchet_config *out,
                         struct err *err)
{
    const char *slug = measurement->job.device;
    char text[1024];
    int len = snprintf(
        text, sizeof text,
        "[kernel]\npath = kernels\n[build \"%s\"]\ncommand = true\noutput = none\n"
        "[config \"b1_h8_s512_d64\"]\ndevice = %s\nbatch = 1\nheads = 8\n"
        "seq-q = 512\nhead-dim = 64\ndtype = %s\n",
        slug, slug, device_is_gpu(slug) ? "fp16" : "fp32");
    return config_parse(text, (size_t)len, "the defaults", slug, &measurement->host->limits,
                        out, err);
}

static int read_rules(const struct sweep_options *given, struct measurement *measurement,
                      struct ratchet_config *out, struct err *err)
{
    char local[FILE_PATH_BYTES], head[MODEL_SHA_BYTES];
    if (strcmp(given->head, "none") == 0)
        return default_rules(measurement, out, err);
    if (cli_real_path(given->repo, local, err) != 0)
        return err_wrap(err, "the configs (--head none: shapes by options alone)");
    cli_note_uncommitted(local, given->head, measurement->job.device,
                         &measurement->host->limits);
    if (cli_resolve(local, given->head, head, err) != 0 ||
        rules_read_local(measurement, local, head, err) != 0)
        return -1;
    *out = measurement->config;
    return 0;
}

static enum arm arm_of(size_t i)
{
    return i == 0 ? ARM_HEAD : (enum arm)(ARM_OTHER + (int)i - 1);
}

static int add_ceiling(struct ratchet_config *config, const char *name,
                       const struct arm_library *library, const struct problem *problem,
                       struct err *err)
{
    if (library->name[0] == '\0')
        return 0;
    if (config->config_count == MODEL_CONFIGS_MAX)
        return err_set(err, ERR_USAGE, "more than %d shapes, ceilings included",
                       MODEL_CONFIGS_MAX);
    struct config *out = &config->configs[config->config_count++];
    snprintf(out->name, sizeof out->name, "%s", name);
    out->problem = *problem;
    return 0;
}

/* Configs of their own, after the others. What is copied is far more than any cache holds, 128 MiB on a CPU
 * and 1 GiB on a GPU, and of few keys: no processor copies faster than it could compute them (floor_ns of a
 * device). What is multiplied takes milliseconds. The dtype is the first shape's. */
static int add_ceilings(const struct sweep *sweep, bool is_gpu, struct ratchet_config *config,
                        struct err *err)
{
    static const struct problem cpu_copy = {8, 2048, 2048, 8, 8, 64, DTYPE_FP32, false};
    static const struct problem cpu_matrix = {1, 8, 8, 512, 512, 64, DTYPE_FP32, false};
    static const struct problem gpu_copy = {256, 32, 32, 128, 128, 128, DTYPE_FP16, false};
    static const struct problem gpu_matrix = {8, 32, 32, 4096, 4096, 128, DTYPE_FP16, false};
    struct problem copy = is_gpu ? gpu_copy : cpu_copy;
    struct problem matrix = is_gpu ? gpu_matrix : cpu_matrix;
    copy.dtype = matrix.dtype = config->configs[0].problem.dtype;
    return add_ceiling(config, SWEEP_COPY, &sweep->arms.copy, &copy, err) != 0 ||
                   add_ceiling(config, SWEEP_MATRIX, &sweep->arms.matrix, &matrix, err) != 0
               ? -1
               : 0;
}

static void set_config(const struct sweep *sweep, struct bench_config *bench)
{
    const char *name = bench->config.name;
    const struct arm_library *alone = strcmp(name, SWEEP_COPY) == 0     ? &sweep->arms.copy
                                      : strcmp(name, SWEEP_MATRIX) == 0 ? &sweep->arms.matrix
                                                                        : NULL;
    const struct arm_library *list = alone != NULL ? alone : sweep->arms.list;
    for (size_t i = 0; i < (alone != NULL ? 1 : sweep->arms.count); i++) {
        bench->library[arm_of(i)] = list[i].library;
        bench->info[arm_of(i)] = list[i].info;
    }
}

static int open_folder(const struct sweep_options *given, struct sweep *sweep, struct err *err)
{
    const char *names[SWEEP_ARMS_MAX + CEILINGS];
    struct arm_info codes[SWEEP_ARMS_MAX + CEILINGS];
    size_t count = 0;
    for (size_t i = 0; i < sweep->arms.count; i++) {
        names[count] = sweep->arms.list[i].name;
        codes[count++] = sweep->arms.list[i].info;
    }
    names[count] = SWEEP_COPY;
    codes[count++] = sweep->arms.copy.info;
    names[count] = SWEEP_MATRIX;
    codes[count++] = sweep->arms.matrix.info;
    if (given->report == NULL)
        return 0;
    return sweep_asked(given->device, &sweep->config, codes, names, count, sweep->asked,
                       err) != 0 ||
                   sweep_folder_open(given->report, sweep->asked,
                                     (const char(*)[MODEL_NAME_BYTES])sweep->arms.others,
                                     &sweep->host.limits, &sweep->folder, err) != 0
               ? -1
               : 0;
}

/* ---- while it is measured ---- */

static int set_facts(struct sweep *sweep, struct err *err)
{
    struct environment *environment = &sweep->measurement.samples.environment;
    if (sweep->asked[0] != '\0' &&
        environment_set(environment, SWEEP_FACT_ASKED, sweep->asked) != 0)
        return err_set(err, ERR_HOST, "out of memory for the environment");
    return sweep_arms_facts(&sweep->arms, environment, err);
}

/* After each process all that there is is kept, so that a sweep that is cut off loses one at most. */
static void progress_says(void *context, const struct progress_event *event)
{
    struct sweep *sweep = context;
    progress_show(&sweep->progress, event);
    if (event->kind != PROGRESS_ROUND || sweep->folder.path[0] == '\0' ||
        sweep->lost.class != ERR_NONE)
        return;
    if (set_facts(sweep, &sweep->lost) != 0 ||
        sweep_folder_keep(&sweep->folder, &sweep->measurement.samples, &sweep->host.limits,
                          &sweep->lost) != 0)
        line_err("ratchet: %s", sweep->lost.text);
}

static int open_sweep(const struct sweep_options *given, struct sweep *sweep, struct err *err)
{
    struct measurement *measurement = &sweep->measurement;
    struct ratchet_config *config = &sweep->config;
    if (cli_check_device(given->device, err) != 0)
        return -1;
    measurement_init(measurement, &sweep->host, progress_says, sweep);
    if (measurement_set_device(measurement, given->device, NULL, err) != 0 ||
        read_rules(given, measurement, config, err) != 0 ||
        shapes_apply(&given->shapes, given->device, REPLICATES, config->bench.samples, config,
                     err) != 0 ||
        add_ceilings(sweep, device_is_gpu(given->device), config, err) != 0 ||
        open_folder(given, sweep, err) != 0 ||
        cli_scratch(&sweep->host, &sweep->folders, err) != 0)
        return -1;
    measurement_set_config(measurement, config);
    for (size_t c = 0; c < config->config_count; c++) {
        sweep->configs[c].config = config->configs[c];
        set_config(sweep, &sweep->configs[c]);
    }
    return 0;
}

static size_t replicates_of(const struct samples *samples)
{
    size_t count = 0;
    for (size_t i = 0; i < samples->count; i++)
        count += samples->configs[i].count;
    return count;
}

static int measure(struct sweep *sweep, struct err *err)
{
    struct measurement *measurement = &sweep->measurement;
    const struct measurement_libraries libraries = {
        .configs = sweep->configs,
        .others = (const char(*)[MODEL_NAME_BYTES])sweep->arms.others,
        .expose = sweep->arms.expose,
        .expose_count = sweep->arms.expose_count,
        .before = sweep->folder.found ? &sweep->folder.before : NULL,
        .budget_ns = sweep->budget_ns,
    };
    sweep->progress.all = measurement->config.config_count * measurement->config.rule.looks[0];
    sweep->progress.done = replicates_of(&sweep->folder.before);
    sweep->progress.price = measurement->device->price;
    if (sweep->progress.done > 0 && !sweep->progress.quiet)
        line_err("ratchet: %s: goes on, %zu replicates are there", sweep->folder.path,
                 sweep->progress.done);
    int measured = measurement_sweep(measurement, &libraries, sweep->folders.scratch, err);
    progress_end(&sweep->progress);
    return measured != 0 ? -1 : set_facts(sweep, err);
}

/* ---- what is said ---- */

static int print(const struct sweep *sweep, const struct sweep_result *result, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 22);
    if (sweep_table(&sweep->measurement.samples, &sweep->measurement.comparison,
                    &sweep->measurement.config.rule, result, &text, err) != 0)
        return -1;
    return cli_print(&text, err);
}

static int report(const struct sweep_options *given, const struct sweep *sweep,
                  const struct sweep_result *result, struct err *err)
{
    char said[SWEEP_SAID_BYTES];
    if (given->report == NULL)
        return 0;
    if (sweep_folder_keep(&sweep->folder, &sweep->measurement.samples, &sweep->host.limits,
                          err) != 0 ||
        sweep_folder_write(&sweep->folder, result, given->png, said, err) != 0)
        return -1;
    if (said[0] != '\0')
        line_err("ratchet: %s", said);
    if (!given->quiet)
        line_err("ratchet: wrote %s/sweep.html", given->report);
    return 0;
}

/* Exit 3 where the first arm, which the others are set against, could not be measured. */
static int run(const struct sweep_options *given, struct sweep *sweep, struct err *err)
{
    const struct measurement *measurement = &sweep->measurement;
    struct sweep_result result __attribute__((cleanup(sweep_result_free))) = {.rows = NULL};
    if (measure(sweep, err) != 0 ||
        sweep_result_of(&measurement->samples, &measurement->comparison,
                        &measurement->config.rule, &result, err) != 0 ||
        print(sweep, &result, err) != 0 ||
        cli_write_samples(&measurement->samples, given->output, &sweep->host.limits, err) !=
            0 ||
        report(given, sweep, &result, err) != 0)
        return -1;
    for (size_t i = 0; i < result.row_count; i++)
        if (measurement->samples.configs[i].fault != FAULT_NONE)
            return EXIT_UNMEASURED;
    return EXIT_HELD;
}

/* An option that may be given `max` times. */
static size_t add_several(struct cli_option *options, size_t used, struct cli_option option,
                          const char **values, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        options[used] = option;
        options[used++].value = &values[i];
    }
    return used;
}

static int read_options(int argc, char **argv, struct sweep_options *given,
                        const char *operands[SWEEP_ARMS_MAX], size_t *count, struct err *err)
{
    struct cli_option options[SANDBOX_EXPOSED_MAX + FILES_MAX + CEILINGS + 23] = {
        CLI_REPO(given->repo),
        {"head", &given->head, NULL, "REV", "whose ci/ratchet.conf; none: the options alone"},
        CLI_DEVICE(given->device),
        CLI_CONFIG(given->config),
        {"output", &given->output, NULL, "FILE", "write the samples there"},
        {"report", &given->report, NULL, "DIR", "tables, figures and a page; goes on there"},
        CLI_QUIET(given->quiet),
        {"png", NULL, &given->png, NULL, "with --report: PNGs of the figures, too"},
        CLI_BUDGET(given->budget),
        SHAPES_OPTIONS(given->shapes)};
    size_t used = 0;
    while (options[used].name != NULL)
        used++;
    const struct cli_option expose = {.name = "expose",
                                      .argument = "DIR",
                                      .help = "show a folder to the sandbox, read-only"};
    const struct cli_option arms = {
        .name = "arms", .argument = "FILE", .help = "a file of arms"};
    const struct cli_option ceiling = {.name = "ceiling",
                                       .argument = "KIND=LIBRARY",
                                       .help = "what the device can do: copy or matrix"};
    used = add_several(options, used, expose, given->expose, SANDBOX_EXPOSED_MAX);
    used = add_several(options, used, arms, given->files, FILES_MAX);
    used = add_several(options, used, ceiling, given->ceilings, CEILINGS);
    options[used] = (struct cli_option)CLI_OPTIONS_END;
    static const struct cli_tie ties[] = {
        {"png", "report", NULL}, {"repo", NULL, "head=none"}, CLI_TIES_END};
    return cli_options_tied(argc, argv, options, ties, operands, SWEEP_ARMS_MAX, count, err);
}

int cli_sweep(int argc, char **argv, struct err *err)
{
    struct sweep_options given = {.repo = ".", .head = "HEAD", .device = "cpu"};
    const char *operands[SWEEP_ARMS_MAX];
    size_t count;
    if (read_options(argc, argv, &given, operands, &count, err) != 0)
        return -1;
    struct sweep *sweep __attribute__((cleanup(sweep_free))) = calloc(1, sizeof *sweep);
    if (sweep == NULL)
        return err_set(err, ERR_HOST, "out of memory for a sweep");
    progress_begin(&sweep->progress, given.quiet);
    if (outputs_try("--output", given.output, err) != 0 ||
        cli_budget(given.budget, &sweep->budget_ns, err) != 0 ||
        cli_host(given.config, &sweep->host, err) != 0 ||
        read_arms(&given, operands, count, sweep, err) != 0 ||
        open_sweep(&given, sweep, err) != 0)
        return -1;
    return run(&given, sweep, err);
}
