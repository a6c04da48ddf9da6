/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is read of a job's folder, and the messages that are made of it. */
#include "daemon/results.h"

#include "base/file.h"
#include "daemon/message.h"
#include "daemon/state.h"
#include "judge/verdict.h"
#include "publish/report.h"
#include "result_files.h"

#include <stdio.h>
#include <string.h>

static int read_job_file(const struct host *host, long long job, const char *name,
                         struct buf *out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return state_job_file(host, job, name, path, err) == 0 ? file_read(path, out, err) : -1;
}

int results_keep_line(const struct host *host, long long job, const char *line,
                      struct err *err)
{
    char path[FILE_PATH_BYTES], text[MODEL_TEXT_BYTES * 2];
    snprintf(text, sizeof text, "%s\n", line);
    if (state_job_file(host, job, RESULT_LOG, path, err) != 0)
        return -1;
    return file_append(path, text, strlen(text), err);
}

int results_add_line(struct buf *out, const char *line, size_t len, struct err *err)
{
    json_t *text = message_string(line, len);
    return message_add(out, json_pack("{s:s, s:o}", "type", "log", "text", text), err);
}

int results_add_log(const struct host *host, long long job, struct buf *out, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, host->limits.samples_bytes);
    struct err ignored;
    if (read_job_file(host, job, RESULT_LOG, &text, &ignored) != 0)
        return 0;
    for (const char *line = text.data; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (results_add_line(out, line, len, err) != 0)
            return -1;
        line += len + (line[len] == '\n');
    }
    return 0;
}

static int add_file(const struct host *host, long long job, const char *name, struct buf *out,
                    struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, host->limits.samples_bytes);
    struct err problem = {0};
    if (read_job_file(host, job, name, &text, &problem) != 0)
        return problem.class == ERR_NOT_FOUND ? 0 : (*err = problem, -1);
    return message_add_file(out, name, text.data, text.len, err);
}

static int add_annotations(const struct host *host, long long job, struct buf *out,
                           struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, host->limits.samples_bytes);
    struct err ignored;
    if (read_job_file(host, job, RESULT_ANNOTATIONS, &text, &ignored) != 0)
        return 0;
    for (const char *line = text.data; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (message_add(out,
                        json_pack("{s:s, s:o}", "type", "annotation", "text",
                                  message_string(line, len)),
                        err) != 0)
            return -1;
        line += len + (line[len] == '\n');
    }
    return 0;
}

/* The verdict in one line, as the report has it; *partial: of a part of the check. */
static int read_reason(const struct host *host, long long job, char *out, size_t size,
                       bool *partial, struct err *err)
{
    BUF_AUTO verdict;
    buf_init(&verdict, host->limits.samples_bytes);
    struct comparison comparison __attribute__((cleanup(comparison_free))) = {0};
    if (read_job_file(host, job, RESULT_VERDICT, &verdict, err) != 0 ||
        verdict_parse_json(verdict.data, verdict.len, RESULT_VERDICT, &comparison, err) != 0)
        return -1;
    report_line(&comparison, out, size);
    *partial = comparison.partial[0] != '\0';
    return 0;
}

int results_add(const struct host *host, const struct queue_entry *entry, struct buf *out,
                struct err *err)
{
    long long job = entry->job.id;
    for (size_t i = 0; i < RESULT_FILE_COUNT; i++)
        if (add_file(host, job, result_files[i], out, err) != 0)
            return -1;
    if (add_annotations(host, job, out, err) != 0)
        return -1;
    BUF_AUTO comment;
    buf_init(&comment, JOB_URL_BYTES);
    char reason[256];
    bool partial;
    struct err ignored;
    if (read_reason(host, job, reason, sizeof reason, &partial, err) != 0)
        return -1;
    if (read_job_file(host, job, STATE_COMMENT, &comment, &ignored) != 0)
        buf_clear(&comment); /* nothing was posted */
    return message_add(out,
                       json_pack("{s:s, s:i, s:s, s:o, s:s, s:s}", "type", "result", "exit",
                                 entry->exit_code, "verdict", entry->verdict, "reason",
                                 message_string(reason, strlen(reason)), "comment",
                                 comment.data, "partial", partial ? "true" : "false"),
                       err);
}
