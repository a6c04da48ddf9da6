/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet calibrate`: how often the rule errs on this device, by experiment: a pool of processes
 * is recorded, or read again, and checks are drawn from it. */
#include "cli/cli.h"
#include "base/line.h"
#include "cli/local.h"
#include "cli/outputs.h"

#include "intake/values.h"
#include "lab/calibrate.h"
#include "lab/simulate.h"
#include "lab/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4 << 20 };

struct calibrate_options {
    struct local_options local;
    const char *pool, *from, *rules, *output, *processes, *samples, *checks;
    long long process_count, check_count;
};

static int read_numbers(struct calibrate_options *given, struct err *err)
{
    given->process_count = 200;
    if ((given->processes != NULL &&
         value_int(given->processes, 1, POOL_PROCESSES_MAX, "--processes",
                   &given->process_count, err) != 0) ||
        value_int(given->checks, 10, 10000000, "--checks", &given->check_count, err) != 0)
        return -1;
    return 0;
}

/* baselines/<device>/calibration.json of the work tree that the folder `repo` is in. */
static int path_in_tree(const char *repo, const char *slug, char out[FILE_PATH_BYTES],
                        struct err *err)
{
    char tree[FILE_PATH_BYTES], git[FILE_PATH_BYTES], folder[FILE_PATH_BYTES];
    if (cli_real_path(repo, tree, err) != 0 || file_path(git, err, "%s/.git", tree) != 0)
        return -1;
    if (access(git, F_OK) != 0)
        return err_set(err, ERR_USAGE, "`%s` has no work tree to write to: give --output",
                       tree);
    return file_path(folder, err, "%s/baselines/%s", tree, slug) != 0 ||
                   file_mkdirs(folder, 0755, err) != 0
               ? -1
               : file_path(out, err, "%s/calibration.json", folder);
}

/* Where calibration.json goes; tried. */
static int find_output(const struct calibrate_options *given, const char *slug,
                       char out[FILE_PATH_BYTES], struct err *err)
{
    if (given->output != NULL ? file_path(out, err, "%s", given->output) != 0
                              : path_in_tree(given->local.repo, slug, out, err) != 0)
        return -1;
    return outputs_try("--output", out, err);
}

/* Draw the checks, write calibration.json, print the tables. */
static int conclude(const struct calibrate_options *given, const struct pool *pool,
                    const struct rule *rule, const char *path, struct err *err)
{
    struct figures figures __attribute__((cleanup(figures_free))) = {0};
    BUF_AUTO json;
    BUF_AUTO markdown;
    buf_init(&json, OUTPUT_MAX);
    buf_init(&markdown, OUTPUT_MAX);
    if (simulate(pool, rule, (size_t)given->check_count, rule->seed, &figures, err) != 0 ||
        tables_json(pool, rule, &figures, &json, err) != 0)
        return -1;
    if (file_write(path, json.data, json.len, 0644, err) != 0)
        return -1;
    tables_markdown(pool, rule, &figures, &markdown);
    if (cli_print_document(&markdown, err) != 0)
        return -1;
    if (!given->local.quiet)
        line_err("ratchet: wrote %s", path);
    return EXIT_HELD;
}

static int from_file(const struct calibrate_options *given, struct err *err)
{
    struct pool pool __attribute__((cleanup(pool_free))) = {0};
    struct limits limits;
    struct rule rule;
    char path[FILE_PATH_BYTES];
    if (cli_limits(given->local.config, &limits, err) != 0)
        return -1;
    if (calibrate_read(given->from, &limits, &pool, NULL, err) != 0) {
        err->class = err->class == ERR_NOT_FOUND ? ERR_USAGE : err->class;
        return err_wrap(err, "--from");
    }
    if (cli_read_rule(given->rules, pool.device.slug, &limits, &rule, err) != 0 ||
        find_output(given, pool.device.slug, path, err) != 0)
        return -1;
    return conclude(given, &pool, &rule, path, err);
}

static int record(const struct calibrate_options *given, struct local *local, struct err *err)
{
    struct pool pool __attribute__((cleanup(pool_free))) = {0};
    struct measurement *measurement = &local->pipeline.measurement;
    struct ratchet_config config = measurement->config;
    const struct rule *rule = &config.rule;
    char path[FILE_PATH_BYTES], output[FILE_PATH_BYTES];
    long long samples = config.bench.samples;
    if (given->samples != NULL &&
        value_int(given->samples, 1, 4096, "--samples", &samples, err) != 0)
        return -1;
    config.bench.samples = (unsigned)samples;
    measurement_set_config(measurement, &config);
    if ((unsigned long long)given->process_count < rule->looks[rule->look_count - 1])
        return err_set(err, ERR_USAGE,
                       "--processes: expected at least %u, the rule's last look",
                       rule->looks[rule->look_count - 1]);
    if (given->pool != NULL
            ? file_path(path, err, "%s", given->pool) != 0
            : file_path(path, err, "ratchet-pool-%s.jsonl", given->local.device) != 0)
        return -1;
    if (outputs_try_append("--pool", path, err) != 0 ||
        find_output(given, given->local.device, output, err) != 0)
        return -1;
    local->progress.all = (size_t)given->process_count;
    local->progress.price = measurement->device->price;
    int rc = calibrate_record(measurement, measurement->job.head, path,
                              (size_t)given->process_count, &pool, err);
    progress_end(&local->progress);
    return rc == 0 ? conclude(given, &pool, rule, output, err) : -1;
}

static int run(const struct calibrate_options *given, struct err *err)
{
    struct local *local __attribute__((cleanup(local_free))) = calloc(1, sizeof *local);
    if (local == NULL)
        return err_set(err, ERR_HOST, "out of memory for a pipeline");
    return local_open(&given->local, local, err) == 0 ? record(given, local, err) : -1;
}

int cli_calibrate(int argc, char **argv, struct err *err)
{
    struct calibrate_options given = {.local = {.repo = ".", .head = "HEAD", .device = "cpu"},
                                      .checks = "10000"};
    const struct cli_option options[] = {
        CLI_REPO(given.local.repo),
        CLI_HEAD(given.local.head),
        CLI_DEVICE(given.local.device),
        CLI_CONFIG(given.local.config),
        {"processes", &given.processes, NULL, "N", "fresh processes to record (else 200)"},
        {"samples", &given.samples, NULL, "N", "samples of an arm in each"},
        {"checks", &given.checks, NULL, "N", "checks to draw where nothing changed"},
        {"pool", &given.pool, NULL, "FILE", "of the recording (else ratchet-pool-SLUG.jsonl)"},
        {"from", &given.from, NULL, "POOL", "draw from this recording; no device is needed"},
        {"rules", &given.rules, NULL, "FILE", "with --from: a ci/ratchet.conf"},
        {"output", &given.output, NULL, "FILE", "(else baselines/SLUG/calibration.json)"},
        CLI_QUIET(given.local.quiet),
        CLI_OPTIONS_END};
    /* A pool that is read was recorded: of a commit, on a device, in so many processes. */
    static const struct cli_tie ties[] = {{"rules", "from", NULL},
                                          {"pool", NULL, "from"},
                                          {"processes", NULL, "from"},
                                          {"samples", NULL, "from"},
                                          {"head", NULL, "from"},
                                          {"device", NULL, "from"},
                                          CLI_TIES_END};
    if (cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err) != 0 ||
        read_numbers(&given, err) != 0)
        return -1;
    return given.from != NULL ? from_file(&given, err) : run(&given, err);
}
