/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet autotune`: other values for the parameters of a commit's kernel, measured against today's. */
#include "cli/cli.h"
#include "cli/local.h"
#include "cli/outputs.h"
#include "cli/shapes.h"

#include "intake/values.h"
#include "lab/autotune.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPORT_BYTES = 16 << 20, JOBS_MAX = 64 };

struct autotune_given {
    struct local_options local;
    struct shapes shapes;
    const char *budget, *jobs, *output;
};

static int read_options(int argc, char **argv, struct autotune_given *given,
                        struct autotune_options *out, struct err *err)
{
    const struct cli_option options[] = {
        CLI_REPO(given->local.repo),
        CLI_HEAD(given->local.head),
        CLI_DEVICE(given->local.device),
        CLI_CONFIG(given->local.config),
        SHAPES_CONFIGS(given->shapes),
        {"time-budget", &given->budget, NULL, "TIME",
         "after it nothing further is begun, 1s to 168h"},
        {"jobs", &given->jobs, NULL, "N", "builds at once (else as many as processors)"},
        {"output", &given->output, NULL, "DIR", "folder of what was found"},
        CLI_QUIET(given->local.quiet),
        CLI_OPTIONS_END};
    double budget_ns;
    long long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        value_duration_ns(given->budget, 1e9, 7 * 86400e9, "--time-budget", &budget_ns, err) !=
            0 ||
        (given->jobs != NULL &&
         value_int(given->jobs, 1, JOBS_MAX, "--jobs", &jobs, err) != 0)) {
        err->class = err->class == ERR_INPUT ? ERR_USAGE : err->class;
        return -1;
    }
    *out = (struct autotune_options){
        .budget_s = budget_ns / 1e9, .jobs = (size_t)jobs, .folder = given->output};
    return 0;
}

#define REPORT_FILE "suggestions.md"
#define PATCH_FILE "suggestions.patch"

/* Written beside the file that it will be. */
static int stage(const char *folder, const char *name, const struct buf *text, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/%s.new", folder, name) != 0 ||
                   file_drop_half(path, err) != 0
               ? -1
               : file_write(path, text->data, text->len, 0644, err);
}

static int drop(const char *folder, const char *name, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/%s", folder, name) != 0 ? -1 : file_remove_tree(path, err);
}

static int take(const char *folder, const char *name, struct err *err)
{
    char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    if (file_path(from, err, "%s/%s.new", folder, name) != 0 ||
        file_path(to, err, "%s/%s", folder, name) != 0)
        return -1;
    return rename(from, to) == 0 ? 0 : err_errno(err, ERR_HOST, errno, "rename `%s`", from);
}

/* Both belong together: where the disk is full those of before stay, and where this is killed in between there is
 * no report, until the next call has made it. */
static int write_both(const char *folder, const struct buf *report, const struct buf *patch,
                      struct err *err)
{
    bool patched = patch->len > 0;
    struct err ignored;
    if (stage(folder, REPORT_FILE, report, err) != 0 ||
        (patched && stage(folder, PATCH_FILE, patch, err) != 0)) {
        int dropped = drop(folder, REPORT_FILE ".new", &ignored);
        (void)dropped; /* why it could not be written is what is told */
        return -1;
    }
    return drop(folder, REPORT_FILE, err) != 0 ||
                   (patched ? take(folder, PATCH_FILE, err) : drop(folder, PATCH_FILE, err)) !=
                       0
               ? -1
               : take(folder, REPORT_FILE, err);
}

static int conclude(const struct autotune *tune, const char *folder, struct err *err)
{
    const struct finalist *best = autotune_best(tune);
    BUF_AUTO report;
    BUF_AUTO patch;
    buf_init(&report, REPORT_BYTES);
    buf_init(&patch, REPORT_BYTES);
    if (autotune_report(tune, &report, err) != 0 ||
        (best != NULL && tune_patch(&tune->sources, &tune->config.tune,
                                    &tune->trials[best->trial].candidate, &patch, err) != 0))
        return -1;
    return write_both(folder, &report, &patch, err) != 0 ||
                   cli_print_document(&report, err) != 0
               ? -1
               : EXIT_HELD;
}

static int run(const struct autotune_given *given, const struct autotune_options *options,
               struct local *local, struct err *err)
{
    struct measurement *measurement = &local->pipeline.measurement;
    struct autotune tune __attribute__((cleanup(autotune_free))) = {0};
    struct ratchet_config config;
    if (local_open(&given->local, local, err) != 0)
        return -1;
    static const char *const names[] = {REPORT_FILE, PATCH_FILE, AUTOTUNE_LOG};
    config = measurement->config;
    const struct rule *rule = &config.rule;
    if (shapes_apply(&given->shapes, measurement->job.device,
                     rule->looks[rule->look_count - 1], config.bench.samples, &config,
                     err) != 0 ||
        outputs_try_in("--output", options->folder, names, sizeof names / sizeof *names,
                       err) != 0)
        return -1;
    measurement_set_config(measurement, &config);
    FD_AUTO lock = -1; /* two at once would write into one another's log */
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/.lock", options->folder) != 0 ||
        file_lock(path, &lock, err) != 0)
        return -1;
    if (autotune_run(measurement, options, &tune, err) != 0)
        return -1;
    progress_end(&local->progress);
    int code = conclude(&tune, options->folder, err);
    unlink(path); /* nobody else writes here while it is held */
    return code;
}

int cli_autotune(int argc, char **argv, struct err *err)
{
    struct autotune_given given = {.local = {.repo = ".", .head = "HEAD", .device = "cpu"},
                                   .budget = "20m",
                                   .output = "ratchet-autotune"};
    struct autotune_options options;
    if (read_options(argc, argv, &given, &options, err) != 0)
        return -1;
    struct local *local __attribute__((cleanup(local_free))) = calloc(1, sizeof *local);
    if (local == NULL)
        return err_set(err, ERR_HOST, "out of memory for a pipeline");
    return run(&given, &options, local, err);
}
