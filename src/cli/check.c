/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet check`: a whole check in this process, for two commits of a local repository or for
 * one pull request of a configured one. */
#include "cli/cli.h"

#include "base/line.h"
#include "base/name.h"
#include "cli/folders.h"
#include "cli/local.h"
#include "cli/terminal.h"
#include "daemon/store.h"
#include "intake/event.h"
#include "intake/values.h"
#include "judge/verdict.h"
#include "pipeline/pipeline.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check_options {
    const char *repo, *base, *head, *device, *config, *repository, *pr, *output, *budget;
    bool json, quiet, no_baseline;
};

static int local_job(const struct check_options *options, char path[FILE_PATH_BYTES],
                     struct job *job, struct err *err)
{
    if (cli_real_path(options->repo, path, err) != 0)
        return -1;
    if (cli_resolve(path, options->base, job->base, err) != 0)
        return err_wrap(err, "--base");
    return cli_resolve(path, options->head, job->head, err) != 0 ? err_wrap(err, "--head") : 0;
}

/* Whoever stands on the branch itself means the last commit, or one of before. */
static void note_same(const struct check_options *given, const struct job *job)
{
    if (strcmp(job->base, job->head) == 0)
        line_err("ratchet: nothing to compare: `%.128s` and `%.128s` are one commit; `--base` "
                 "names another (`--base HEAD~1`: the one before)",
                 given->base, given->head);
}

static int github_job(const struct check_options *options, struct job *job, struct err *err)
{
    long long number;
    if (!name_is_repository(options->repository, JOB_REPOSITORY_BYTES))
        return err_set(err, ERR_USAGE, "--repository: expected owner/name, not `%s`",
                       options->repository);
    snprintf(job->repository, sizeof job->repository, "%s", options->repository);
    if (value_int(options->pr, 1, INT_MAX, "--pr", &number, err) != 0)
        return -1;
    job->pr = (int)number;
    return 0;
}

static int print_result(const struct measurement *measurement,
                        const struct check_options *options, struct err *err)
{
    if (options->json) {
        BUF_AUTO text;
        buf_init(&text, 64 << 20);
        return verdict_format_json(&measurement->comparison, &text, err) == 0
                   ? cli_print_document(&text, err)
                   : -1;
    }
    if (terminal_print_verdicts(&measurement->comparison, err) != 0 ||
        local_print_notes(measurement, err) != 0 || local_print_log(measurement, err) != 0)
        return -1;
    local_print_folder(measurement);
    return 0;
}

static int walk(struct pipeline *pipeline, const struct check_options *options,
                struct progress *progress, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct err problem = {0};
    bool github = measurement->repository != NULL;
    if (pipeline_pin(pipeline, &problem) != 0) {
        measurement_say(measurement, "%s", problem.text);
        pipeline_unpinned(pipeline, &problem);
    } else {
        if (github && pipeline_announce(pipeline, NULL, "measuring", &problem) != 0)
            measurement_say(measurement, "%s", problem.text);
        if (pipeline_check(measurement, err) != 0)
            return -1;
    }
    progress_end(progress);
    if (results_write(measurement, err) != 0 ||
        (github && local_publish(pipeline, "check", err) != 0) ||
        print_result(measurement, options, err) != 0)
        return -1;
    return comparison_exit(&measurement->comparison);
}

static int read_options(int argc, char **argv, struct check_options *given, struct err *err)
{
    const struct cli_option options[] = {
        CLI_REPO(given->repo),
        {"base", &given->base, NULL, "REV", "the commit it is to be merged into"},
        CLI_HEAD(given->head),
        CLI_DEVICE(given->device),
        CLI_CONFIG(given->config),
        {"repository", &given->repository, NULL, "OWNER/NAME",
         "a configured one, in place of --repo"},
        {"pr", &given->pr, NULL, "N", "pull request of --repository; the verdict is posted"},
        {"output", &given->output, NULL, "DIR",
         "folder of the results (else one below state)"},
        CLI_BUDGET(given->budget),
        {"json", NULL, &given->json, NULL, "print verdict.json"},
        CLI_QUIET(given->quiet),
        {"no-baseline", NULL, &given->no_baseline, NULL, "judge against base alone"},
        CLI_OPTIONS_END};
    /* A pull request has its own commits, and is judged against what main has recorded. */
    static const struct cli_tie ties[] = {{"pr", "repository", NULL},
                                          {"repository", "pr", NULL},
                                          {"repo", NULL, "repository"},
                                          {"base", NULL, "repository"},
                                          {"head", NULL, "repository"},
                                          {"no-baseline", NULL, "repository"},
                                          CLI_TIES_END};
    return cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err);
}

int cli_check(int argc, char **argv, struct err *err)
{
    struct check_options given = {
        .repo = ".", .base = "main", .head = "HEAD", .device = "cpu"};
    struct host host;
    struct job job = {.kind = JOB_CHECK};
    struct cli_folders folders = {0};
    struct pipeline pipeline = {0};
    char local[FILE_PATH_BYTES];
    double budget_ns = 0;
    if (read_options(argc, argv, &given, err) != 0 ||
        cli_budget(given.budget, &budget_ns, err) != 0 ||
        cli_host(given.config, &host, err) != 0 ||
        (given.repository == NULL ? local_job(&given, local, &job, err)
                                  : github_job(&given, &job, err)) != 0)
        return -1;
    if (cli_check_device(given.device, err) != 0)
        return -1;
    snprintf(job.device, sizeof job.device, "%s", given.device);
    if (cli_folders(&host, given.output, &folders, err) != 0)
        return -1;
    if (given.repository == NULL) {
        note_same(&given, &job);
        cli_note_uncommitted(local, given.head, given.device, &host.limits);
    }
    /* Two commits of a local repository are measured as often as somebody likes. */
    struct db *store __attribute__((cleanup(db_close))) = NULL;
    if (given.repository != NULL && store_open(&host, &store, err) != 0)
        return -1;
    struct progress progress;
    progress_begin(&progress, given.quiet);
    struct pipeline_request request = {.host = &host,
                                       .job = &job,
                                       .local = given.repository == NULL ? local : NULL,
                                       .token = getenv("GITHUB_TOKEN"),
                                       .budget_ns = budget_ns,
                                       .store = store,
                                       .no_baseline = given.no_baseline,
                                       .folder = folders.results,
                                       .work = folders.scratch,
                                       .progress = progress_show,
                                       .context = &progress};
    int code = pipeline_open(&pipeline, &request, err) == 0
                   ? walk(&pipeline, &given, &progress, err)
                   : -1;
    if (code < 0)
        progress_end(&progress);
    pipeline_close(&pipeline);
    return code;
}
