/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet promote`: promotion in this process, for those who run no daemon, and the place
 * where a person accepts a loss by name. */
#include "cli/cli.h"

#include "cli/folders.h"
#include "cli/local.h"
#include "cli/terminal.h"
#include "daemon/store.h"
#include "judge/verdict.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int parse_accept(const char *names, const char *by, struct promotion_accept *accept,
                        struct err *err)
{
    if (names == NULL)
        return 0;
    if (by[0] == '\0' || strlen(by) >= sizeof accept->who)
        return err_set(err, ERR_USAGE, "--by: expected 1 to %zu bytes",
                       sizeof accept->who - 1);
    snprintf(accept->who, sizeof accept->who, "%s", by);
    for (const char *name = names; *name != '\0';) {
        size_t len = strcspn(name, ",");
        if (len == 0 || len >= MODEL_NAME_BYTES || accept->count == MODEL_CONFIGS_MAX)
            return err_set(err, ERR_USAGE, "--accept: expected config names with commas");
        memcpy(accept->configs[accept->count], name, len);
        accept->configs[accept->count++][len] = '\0';
        name += len + (name[len] == ',');
    }
    return 0;
}

static int print_result(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    if (results_write(measurement, err) != 0 || local_publish(pipeline, "promote", err) != 0)
        return -1;
    if (terminal_print_verdicts(&measurement->comparison, err) != 0 ||
        local_print_notes(measurement, err) != 0 || local_print_log(measurement, err) != 0)
        return -1;
    local_print_folder(measurement);
    return comparison_exit(&measurement->comparison);
}

/* One walk; *wait_s says when the second run is due. */
static int walk(const struct pipeline_request *request, const struct promotion_accept *accept,
                unsigned *wait_s, struct err *err)
{
    struct pipeline pipeline __attribute__((cleanup(pipeline_close))) = {0};
    struct err problem = {0};
    if (pipeline_open(&pipeline, request, err) != 0)
        return -1;
    if (pipeline_pin(&pipeline, &problem) != 0)
        pipeline_unpinned(&pipeline, &problem);
    else if (pipeline_promote(&pipeline, accept, wait_s, err) != 0)
        return -1;
    return *wait_s > 0 ? 0 : print_result(&pipeline, err);
}

int cli_promote(int argc, char **argv, struct err *err)
{
    const char *config = NULL, *repository = NULL, *device = "cpu", *names = NULL, *by = NULL,
               *output = NULL;
    const struct cli_option options[] = {
        CLI_CONFIG(config),
        {"repository", &repository, NULL, "OWNER/NAME", "a configured one; needed"},
        CLI_DEVICE(device),
        {"accept", &names, NULL, "CONFIG,CONFIG", "whose loss is accepted; needs --by"},
        {"by", &by, NULL, "NAME", "who accepts it"},
        {"output", &output, NULL, "DIR", "folder of the results (else one below state)"},
        CLI_OPTIONS_END};
    struct host host;
    static struct promotion_accept accept;
    struct cli_folders folders = {0};
    struct job job = {.kind = JOB_PROMOTE};
    static const struct cli_tie ties[] = {
        {"accept", "by", NULL}, {"by", "accept", NULL}, CLI_TIES_END};
    if (cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err) != 0 ||
        parse_accept(names, by, &accept, err) != 0 || cli_check_device(device, err) != 0 ||
        cli_host(config, &host, err) != 0)
        return -1;
    if (repository == NULL)
        return err_set(err, ERR_USAGE, "expected --repository OWNER/NAME");
    const struct host_repository *known = cli_repository(&host, repository, err);
    if (known == NULL)
        return -1;
    memcpy(job.repository, known->name, sizeof job.repository);
    memcpy(job.base_ref, known->branch, sizeof job.base_ref);
    snprintf(job.device, sizeof job.device, "%s", device);
    if (cli_folders(&host, output, &folders, err) != 0)
        return -1;
    struct db *store __attribute__((cleanup(db_close))) = NULL;
    if (store_open(&host, &store, err) != 0)
        return -1;
    struct pipeline_request request = {.host = &host,
                                       .job = &job,
                                       .store = store,
                                       .token = getenv("GITHUB_TOKEN"),
                                       .folder = folders.results,
                                       .work = folders.scratch,
                                       .progress = cli_say};
    unsigned wait_s = 0;
    int code = walk(&request, accept.count > 0 ? &accept : NULL, &wait_s, err);
    while (code == 0 && wait_s > 0) {
        sleep(wait_s);
        wait_s = 0;
        code = walk(&request, accept.count > 0 ? &accept : NULL, &wait_s, err);
    }
    return code;
}
