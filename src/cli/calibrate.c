/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet calibrate`: how often the rule errs on this device, by experiment: a pool of processes
 * is recorded, or read again, and checks are drawn from it. */
#include "cli/cli.h"
#include "cli/progress.h"

#include "intake/values.h"
#include "lab/calibrate.h"
#include "lab/simulate.h"
#include "lab/tables.h"
#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 4 << 20 };

struct calibrate_options {
    const char *repo, *head, *device, *config, *pool, *from, *rules, *output;
    const char *processes, *samples, *checks;
    bool quiet;
    long long process_count, check_count;
};

static int read_numbers(struct calibrate_options *given, struct err *err)
{
    given->process_count = 200;
    given->check_count = 10000;
    if ((given->processes != NULL && value_int(given->processes, 1, POOL_PROCESSES_MAX,
                                               "--processes", &given->process_count, err) != 0) ||
        (given->checks != NULL &&
         value_int(given->checks, 10, 10000000, "--checks", &given->check_count, err) != 0))
        return -1;
    if (given->from != NULL && (given->pool != NULL || given->processes != NULL))
        return err_set(err, ERR_USAGE, "--from reads a pool: --pool and --processes record one");
    if (given->from == NULL && given->rules != NULL)
        return err_set(err, ERR_USAGE, "--rules goes with --from: else the commit's are taken");
    return 0;
}

/* Draw the checks, write calibration.json, print the tables. */
static int conclude(const struct calibrate_options *given, const struct pool *pool,
                    const struct rule *rule, struct err *err)
{
    struct figures figures __attribute__((cleanup(figures_free))) = {0};
    BUF_AUTO json;
    BUF_AUTO markdown;
    char path[FILE_PATH_BYTES];
    buf_init(&json, OUTPUT_MAX);
    buf_init(&markdown, OUTPUT_MAX);
    if (simulate(pool, rule, (size_t)given->check_count, rule->seed, &figures, err) != 0 ||
        tables_json(pool, rule, &figures, &json, err) != 0)
        return -1;
    if (given->output != NULL) {
        if (file_path(path, err, "%s", given->output) != 0)
            return -1;
    } else {
        if (file_path(path, err, "%s/baselines/%s", given->repo, pool->device.slug) != 0 ||
            file_mkdirs(path, 0755, err) != 0 ||
            file_path(path, err, "%s/baselines/%s/calibration.json", given->repo,
                      pool->device.slug) != 0)
            return -1;
    }
    if (file_write(path, json.data, json.len, 0644, err) != 0)
        return -1;
    tables_markdown(pool, rule, &figures, &markdown);
    fwrite(markdown.data, 1, markdown.len, stdout);
    if (!given->quiet)
        fprintf(stderr, "ratchet: wrote %s\n", path);
    return EXIT_HELD;
}

static int from_file(const struct calibrate_options *given, struct err *err)
{
    struct pool pool __attribute__((cleanup(pool_free))) = {0};
    struct limits limits = limits_default();
    struct rule rule;
    if (calibrate_read(given->from, &limits, &pool, NULL, err) != 0 ||
        cli_read_rule(given->rules, pool.device.slug, &rule, err) != 0)
        return -1;
    return conclude(given, &pool, &rule, err);
}

static int record(const struct calibrate_options *given, struct pipeline *pipeline,
                  struct progress *progress, struct err *err)
{
    struct pool pool __attribute__((cleanup(pool_free))) = {0};
    char path[FILE_PATH_BYTES];
    long long samples;
    if (pipeline_pin(pipeline, err) != 0 ||
        pipeline_read_rules(pipeline, pipeline->job.head, err) != 0)
        return -1;
    if (given->samples != NULL) {
        if (value_int(given->samples, 1, 4096, "--samples", &samples, err) != 0)
            return -1;
        pipeline->config.bench.samples = (unsigned)samples;
    }
    const struct rule *rule = &pipeline->config.rule;
    if ((unsigned long long)given->process_count < rule->looks[rule->look_count - 1])
        return err_set(err, ERR_USAGE, "--processes: expected at least %u, the rule's last look",
                       rule->looks[rule->look_count - 1]);
    if (given->pool != NULL ? file_path(path, err, "%s", given->pool) != 0
                            : file_path(path, err, "ratchet-pool-%s.jsonl", given->device) != 0)
        return -1;
    progress->all = (size_t)given->process_count;
    int rc = calibrate_record(pipeline, pipeline->job.head, path, (size_t)given->process_count,
                              &pool, err);
    progress_end(progress);
    return rc == 0 ? conclude(given, &pool, rule, err) : -1;
}

static int run(const struct calibrate_options *given, struct err *err)
{
    struct host host;
    struct job job = {.kind = JOB_CHECK};
    struct cli_folders folders = {0};
    struct pipeline pipeline = {0};
    struct progress progress;
    char local[FILE_PATH_BYTES];
    progress_begin(&progress, given->quiet);
    if (!model_name_ok(given->device))
        return err_set(err, ERR_USAGE, "--device: `%s` is not a slug", given->device);
    if (cli_host(given->config, &host, err) != 0 ||
        cli_real_path(given->repo, local, err) != 0 ||
        cli_resolve(local, given->head, job.head, err) != 0 ||
        cli_folders(&host, NULL, &folders, err) != 0)
        return -1;
    memcpy(job.merge, job.head, sizeof job.merge);
    memcpy(job.base, job.head, sizeof job.base);
    snprintf(job.device, sizeof job.device, "%s", given->device);
    struct pipeline_request request = {.host = &host,
                                       .job = &job,
                                       .local = local,
                                       .folder = folders.results,
                                       .work = folders.scratch,
                                       .progress = progress_line,
                                       .context = &progress};
    int code = pipeline_open(&pipeline, &request, err) == 0
                   ? record(given, &pipeline, &progress, err)
                   : -1;
    progress_end(&progress);
    pipeline_close(&pipeline);
    cli_drop_scratch(&folders);
    return code;
}

int cli_calibrate(int argc, char **argv, struct err *err)
{
    struct calibrate_options given = {.repo = ".", .head = "HEAD", .device = "cpu"};
    const struct cli_option options[] = {{"repo", &given.repo, NULL},
                                         {"head", &given.head, NULL},
                                         {"device", &given.device, NULL},
                                         {"config", &given.config, NULL},
                                         {"processes", &given.processes, NULL},
                                         {"samples", &given.samples, NULL},
                                         {"checks", &given.checks, NULL},
                                         {"pool", &given.pool, NULL},
                                         {"from", &given.from, NULL},
                                         {"rules", &given.rules, NULL},
                                         {"output", &given.output, NULL},
                                         {"quiet", NULL, &given.quiet},
                                         {NULL, NULL, NULL}};
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        read_numbers(&given, err) != 0)
        return -1;
    return given.from != NULL ? from_file(&given, err) : run(&given, err);
}
