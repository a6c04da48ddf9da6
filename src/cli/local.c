/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the opening of a local pipeline, and the one try of posting without a daemon. */
#include "cli/local.h"

#include "base/line.h"
#include "cli/terminal.h"
#include "pipeline/rules.h"
#include "result_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int resolve(const struct local_options *given, const char *path, struct job *job,
                   struct err *err)
{
    if (cli_resolve(path, given->head, job->head, err) != 0)
        return -1;
    memcpy(job->merge, job->head, sizeof job->merge);
    memcpy(job->base, job->head, sizeof job->base);
    if (given->compare != NULL && cli_resolve(path, given->compare, job->base, err) != 0)
        return -1;
    snprintf(job->device, sizeof job->device, "%s", given->device);
    return 0;
}

int local_open(const struct local_options *given, struct local *out, struct err *err)
{
    struct job job = {.kind = JOB_CHECK};
    progress_begin(&out->progress, given->quiet);
    if (cli_check_device(given->device, err) != 0 ||
        cli_host(given->config, &out->host, err) != 0 ||
        cli_real_path(given->repo, out->repo, err) != 0 ||
        resolve(given, out->repo, &job, err) != 0 ||
        cli_scratch(&out->host, &out->folders, err) != 0)
        return -1;
    cli_note_uncommitted(out->repo, given->head, given->device, &out->host.limits);
    const struct pipeline_request request = {.host = &out->host,
                                             .job = &job,
                                             .local = out->repo,
                                             .folder = out->folders.scratch,
                                             .work = out->folders.scratch,
                                             .progress = progress_show,
                                             .context = &out->progress};
    if (pipeline_open(&out->pipeline, &request, err) != 0 ||
        pipeline_pin(&out->pipeline, err) != 0)
        return -1;
    return rules_read(&out->pipeline.measurement, out->pipeline.measurement.job.head, err);
}

void local_free(struct local **local)
{
    if (*local == NULL)
        return;
    progress_end(&(*local)->progress);
    pipeline_close(&(*local)->pipeline);
    free(*local);
    *local = NULL;
}

int local_print_notes(const struct measurement *measurement, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < measurement->note_count; i++) {
        buf_adds(&text, measurement->notes[i]);
        buf_addc(&text, '\n');
    }
    return terminal_print(&text, err);
}

/* The end of the log of a build that failed: what a compiler says stands there. */
int local_print_log(const struct measurement *measurement, struct err *err)
{
    enum { LINES = 20 };
    const struct buf *log = &measurement->build_log;
    size_t from = log->len, lines = 0;
    while (from > 0 && lines <= LINES)
        lines += log->data[--from] == '\n' && from + 1 < log->len;
    from += from > 0 && log->data[from] == '\n';
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    for (const char *line = log->len == 0 ? "" : log->data + from; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char one[512];
        snprintf(one, sizeof one, "%.*s", (int)(len < sizeof one ? len : sizeof one - 1),
                 line);
        buf_adds(&text, "    ");
        buf_adds(&text, one);
        buf_addc(&text, '\n');
        line += len + (line[len] == '\n');
    }
    return cli_print(&text, err);
}

void local_print_folder(const struct measurement *measurement)
{
    char here[FILE_PATH_BYTES];
    const char *folder = measurement->folder;
    size_t len = getcwd(here, sizeof here) == NULL ? 0 : strlen(here);
    if (len > 1 && strncmp(folder, here, len) == 0 && folder[len] == '/')
        folder += len + 1;
    line_out("report: %s/" RESULT_REPORT "%s", folder,
             measurement->build_log.len > 0 ? ", with the build's log" : "");
}

static int owe(struct pipeline *pipeline, struct db *outbox, struct err *err)
{
    if (db_begin(outbox, err) != 0)
        return -1;
    return db_end(outbox, pipeline_owe(pipeline, outbox, err), err);
}

int local_publish(struct pipeline *pipeline, const char *command, struct err *err)
{
    static const char *const steps[] = {outbox_schema, outbox_schema_2, outbox_schema_3,
                                        outbox_schema_4, NULL};
    char path[FILE_PATH_BYTES];
    struct db *outbox = NULL;
    struct outbox_result result = {0};
    if (file_path(path, err, "%s/outbox.db", pipeline->measurement.folder) != 0 ||
        db_open(path, steps, &outbox, err) != 0)
        return -1;
    int sent = owe(pipeline, outbox, err) == 0 ? pipeline_send(pipeline, outbox, &result, err)
                                               : -1;
    db_close(&outbox);
    if (sent == 0 && result.refusal[0] != '\0')
        line_err("ratchet %s: not posted: %s", command, result.refusal);
    return sent;
}
