/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet sweep`: kernel libraries that are built already, ours and other people's, as named
 * arms of the same fresh processes. For engineers by hand: who names a library vouches for it. */
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/shapes.h"
#include "cli/sweep_table.h"

#include "measure/bench.h"
#include "measure/code.h"
#include "measure/device/device.h"
#include "measure/sandbox.h"
#include "pipeline/measurement.h"
#include "pipeline/rules.h"
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SWEEP_ARMS_MAX = 1 + ARM_OTHERS_MAX, REPLICATES = 6 };

struct sweep_options {
    const char *repo, *head, *device, *config, *output;
    const char *expose[SANDBOX_EXPOSED_MAX];
    struct shapes shapes;
    bool quiet;
};

struct sweep_arm {
    char name[MODEL_NAME_BYTES];
    char library[PATH_MAX];
    struct arm_info info;
};

/* All there is of one sweep, in one piece of memory. */
struct sweep {
    struct sweep_arm arms[SWEEP_ARMS_MAX]; /* the first is head, the rest follow ARM_OTHER */
    size_t count;
    char others[ARM_OTHERS_MAX][MODEL_NAME_BYTES];
    struct sandbox_bind expose[SANDBOX_EXPOSED_MAX];
    char exposed[SANDBOX_EXPOSED_MAX][FILE_PATH_BYTES]; /* what they lead to */
    size_t expose_count;
    struct bench_config configs[MODEL_CONFIGS_MAX];
    struct host host;
    struct cli_folders folders;
    struct ratchet_config config;
    struct measurement measurement;
    struct progress progress;
};

static void sweep_free(struct sweep **sweep)
{
    if (*sweep == NULL)
        return;
    progress_end(&(*sweep)->progress);
    measurement_free(&(*sweep)->measurement);
    cli_drop_scratch(&(*sweep)->folders);
    free(*sweep);
    *sweep = NULL;
}

/* ---- the arms ---- */

/* Keys that a replicate of samples.json has already. */
static bool is_reserved(const char *name)
{
    for (int arm = 0; arm < ARM_OTHER; arm++)
        if (strcmp(name, arm_name((enum arm)arm)) == 0)
            return true;
    return strcmp(name, "marks") == 0 || strcmp(name, "provoked") == 0;
}

static int read_name(const struct sweep *sweep, const char *text, size_t len,
                     char out[MODEL_NAME_BYTES], struct err *err)
{
    char name[MODEL_NAME_BYTES] = "";
    if (len < sizeof name)
        memcpy(name, text, len);
    if (!model_name_ok(name))
        return err_set(err, ERR_USAGE,
                       "expected NAME=LIBRARY, NAME of up to %d letters, digits and `_-.`,"
                       " not `%.80s`",
                       MODEL_NAME_BYTES - 1, text);
    if (is_reserved(name))
        return err_set(err, ERR_USAGE,
                       "`%s` is no name for an arm: samples.json has its own use"
                       " for it",
                       name);
    for (size_t i = 0; i < sweep->count; i++)
        if (strcmp(sweep->arms[i].name, name) == 0)
            return err_set(err, ERR_USAGE, "two arms with the name `%s`", name);
    memcpy(out, name, sizeof name);
    return 0;
}

/* What a library exports is read from its file, before anything of it runs. */
static int read_library(const char *path, const struct limits *limits, struct sweep_arm *arm,
                        struct err *err)
{
    struct stat st;
    if (realpath(path, arm->library) == NULL || stat(arm->library, &st) != 0)
        return err_errno(err, ERR_USAGE, errno, "`%s`", path);
    if (!S_ISREG(st.st_mode) || (unsigned long long)st.st_size > limits->kernel_bytes)
        return err_set(err, ERR_INPUT, "`%s`: expected a file of at most %llu bytes", path,
                       limits->kernel_bytes);
    arm->info.present = true;
    return code_check_exports(arm->library, WIRE_KERNEL_SYMBOL, err) != 0 ||
                   code_hash(arm->library, arm->info.code, err) != 0
               ? -1
               : 0;
}

static int read_arm(struct sweep *sweep, const char *text, struct err *err)
{
    struct sweep_arm *arm = &sweep->arms[sweep->count];
    size_t len = strcspn(text, "=");
    if (text[len] == '\0')
        len = 0;
    if (read_name(sweep, text, len, arm->name, err) != 0)
        return -1;
    if (read_library(text + len + 1, &sweep->host.limits, arm, err) != 0)
        return err_wrap(err, "%s", arm->name);
    if (sweep->count > 0)
        memcpy(sweep->others[sweep->count - 1], arm->name, sizeof arm->name);
    sweep->count++;
    return 0;
}

static int read_exposed(const struct sweep_options *given, struct sweep *sweep,
                        struct err *err)
{
    for (size_t i = 0; i < SANDBOX_EXPOSED_MAX && given->expose[i] != NULL; i++) {
        if (sandbox_expose(given->expose[i], sweep->exposed[i], &sweep->expose[i], err) != 0)
            return err_wrap(err, "--expose");
        const char *state = sweep->host.state;
        size_t len = strlen(sweep->exposed[i]);
        if (strncmp(state, sweep->exposed[i], len) == 0 &&
            (state[len] == '/' || state[len] == '\0'))
            return err_set(err, ERR_INPUT, "--expose: `%s` holds this host's state",
                           given->expose[i]);
        sweep->expose_count++;
    }
    return 0;
}

/* ---- what is measured ---- */

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

static void set_configs(struct sweep *sweep)
{
    for (size_t c = 0; c < sweep->config.config_count; c++) {
        struct bench_config *bench = &sweep->configs[c];
        bench->config = sweep->config.configs[c];
        for (size_t i = 0; i < sweep->count; i++) {
            bench->library[arm_of(i)] = sweep->arms[i].library;
            bench->info[arm_of(i)] = sweep->arms[i].info;
        }
    }
}

static int open_sweep(const struct sweep_options *given, struct sweep *sweep, struct err *err)
{
    struct measurement *measurement = &sweep->measurement;
    struct ratchet_config *config = &sweep->config;
    if (cli_check_device(given->device, err) != 0)
        return -1;
    measurement_init(measurement, &sweep->host, progress_show, &sweep->progress);
    if (measurement_set_device(measurement, given->device, NULL, err) != 0 ||
        read_rules(given, measurement, config, err) != 0 ||
        shapes_apply(&given->shapes, REPLICATES, config->bench.samples, config, err) != 0 ||
        cli_scratch(&sweep->host, &sweep->folders, err) != 0)
        return -1;
    measurement_set_config(measurement, config);
    set_configs(sweep);
    return 0;
}

/* ---- what is said ---- */

static int print(const struct sweep *sweep, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 22);
    if (sweep_table(&sweep->measurement.samples, &sweep->measurement.comparison,
                    &sweep->measurement.config.rule, sweep->arms[0].name, &text, err) != 0)
        return -1;
    return cli_print(&text, err);
}

/* Exit 3 where the first arm, which the others are set against, could not be measured. */
static int run(const struct sweep_options *given, struct sweep *sweep, struct err *err)
{
    struct measurement *measurement = &sweep->measurement;
    const struct measurement_libraries libraries = {
        .configs = sweep->configs,
        .others = (const char(*)[MODEL_NAME_BYTES])sweep->others,
        .expose = sweep->expose,
        .expose_count = sweep->expose_count,
    };
    sweep->progress.all = measurement->config.config_count * measurement->config.rule.looks[0];
    int measured = measurement_sweep(measurement, &libraries, sweep->folders.scratch, err);
    progress_end(&sweep->progress);
    if (measured != 0)
        return -1;
    if (environment_set(&measurement->samples.environment, "arm_head", sweep->arms[0].name) !=
        0)
        return err_set(err, ERR_HOST, "out of memory for the environment");
    if (print(sweep, err) != 0 ||
        cli_write_samples(&measurement->samples, given->output, &sweep->host.limits, err) != 0)
        return -1;
    for (size_t i = 0; i < measurement->samples.count; i++)
        if (measurement->samples.configs[i].fault != FAULT_NONE)
            return EXIT_UNMEASURED;
    return EXIT_HELD;
}

static int read_options(int argc, char **argv, struct sweep_options *given,
                        const char *operands[SWEEP_ARMS_MAX], size_t *count, struct err *err)
{
    struct cli_option options[SANDBOX_EXPOSED_MAX + 20] = {
        {"repo", &given->repo, NULL},     {"head", &given->head, NULL},
        {"device", &given->device, NULL}, {"config", &given->config, NULL},
        {"output", &given->output, NULL}, {"quiet", NULL, &given->quiet},
        SHAPES_OPTIONS(given->shapes)};
    size_t used = 0;
    while (options[used].name != NULL)
        used++;
    for (size_t i = 0; i < SANDBOX_EXPOSED_MAX; i++)
        options[used++] = (struct cli_option){"expose", &given->expose[i], NULL};
    options[used] = (struct cli_option){NULL, NULL, NULL};
    if (cli_options(argc, argv, options, operands, SWEEP_ARMS_MAX, count, err) != 0)
        return -1;
    return *count > 0 ? 0
                      : err_set(err, ERR_USAGE, "expected NAME=LIBRARY, once for each arm");
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
    if (cli_host(given.config, &sweep->host, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (read_arm(sweep, operands[i], err) != 0)
            return -1;
    if (read_exposed(&given, sweep, err) != 0 || open_sweep(&given, sweep, err) != 0)
        return -1;
    return run(&given, sweep, err);
}
