/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what GitHub is told: the comment and the status of a job. */
#include "pipeline/pipeline.h"

#include "base/file.h"
#include "base/name.h"
#include "pipeline/credential.h"
#include "pipeline/rules.h"
#include "publish/report.h"
#include "result_files.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_CONTEXT_BYTES = 255, BRANCH_SHOWN_BYTES = 140, BRANCH_DIGITS = 8 };

/* GitHub takes contexts that differ by case alone for one, and keeps 255 bytes. A branch whose name is not told
 * apart by that has some digits of its hash with it; no branch's name has a `~`. */
static void write_branch(const char *branch, char out[BRANCH_SHOWN_BYTES + 32])
{
    size_t len = strlen(branch), shown = len;
    bool plain = len <= BRANCH_SHOWN_BYTES;
    for (size_t i = 0; i < len; i++)
        plain = plain && (unsigned char)branch[i] < 0x80 &&
                (branch[i] < 'A' || branch[i] > 'Z');
    if (shown > BRANCH_SHOWN_BYTES)
        shown = BRANCH_SHOWN_BYTES;
    while (shown > 0 && shown < len && ((unsigned char)branch[shown] & 0xc0) == 0x80)
        shown--; /* whole characters */
    char key[FILE_KEY_BYTES];
    file_key(branch, key);
    snprintf(out, BRANCH_SHOWN_BYTES + 32, "%.*s%s%.*s", (int)shown, branch, plain ? "" : " ~",
             plain ? 0 : BRANCH_DIGITS, key);
}

/* One context for each promise. `ratchet/<device>` is earned by pull requests into the promoted
 * branch alone: whoever writes another branch writes its rules and its kernel, too. A fast-forward
 * shares the pull request's SHA, so main's own verdict has a context as well. */
static void status_context(const struct pipeline *pipeline, char out[STATUS_CONTEXT_BYTES])
{
    const struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    char branch[BRANCH_SHOWN_BYTES + 32];
    write_branch(job->base_ref, branch);
    if (job->kind == JOB_PROMOTE)
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s (promotion)", job->device);
    else if (measurement->repository != NULL && job->base_ref[0] != '\0' &&
             strcmp(job->base_ref, measurement->repository->branch) != 0)
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s (%s%s)", job->device,
                 strcmp(job->base_ref, "promotion") == 0 ? "branch " : "", branch);
    else
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s", job->device);
}

int pipeline_was_green(const struct pipeline *pipeline, const char *sha, bool *green,
                       struct err *err)
{
    const struct measurement *measurement = &pipeline->measurement;
    char context[STATUS_CONTEXT_BYTES];
    *green = false;
    if (measurement->store == NULL)
        return 0;
    status_context(pipeline, context);
    return outbox_is_green(measurement->store, measurement->job.repository, sha, context,
                           green, err);
}

static int set_pending(struct pipeline *pipeline, const char *context, const char *text,
                       struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    pipeline->origin.trouble = (struct github_trouble){0};
    return github_set_status(&pipeline->origin.github, job->head, context, "pending", text,
                             job->run_url, err);
}

int pipeline_announce(struct pipeline *pipeline, struct db *outbox, const char *text,
                      struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    char context[STATUS_CONTEXT_BYTES];
    if (choices_partial(&job->choices))
        return 0; /* it has no status */
    status_context(pipeline, context);
    if (outbox == NULL)
        return credential_take(pipeline, NULL, err) != 0
                   ? -1
                   : set_pending(pipeline, context, text, err);
    /* This job's final status would not be sent, either: pending for ever. */
    int outdated = outbox_announce(outbox, job->id, job->repository, job->head, context, err);
    if (outdated != 0)
        return outdated < 0 ? -1 : 0;
    if (credential_take(pipeline, NULL, err) != 0 ||
        outbox_begin_post(outbox, job->id, job->repository, job->head, context, err) != 0)
        return -1;
    struct err ignored;
    int set = set_pending(pipeline, context, text, err);
    if (pipeline->origin.trouble.lost)
        return set;
    return outbox_end_post(outbox, job->id, job->repository, job->head, context,
                           set == 0 ? err : &ignored) == 0
               ? set
               : -1;
}

/* ---- what is owed ---- */

/* As base says. A job that ended before that was read, or in another process, reads it here. */
static enum comment_when comment_when(struct measurement *measurement)
{
    struct err ignored;
    if (!measurement->has_config &&
        (measurement->repo == NULL || measurement->job.base[0] == '\0' ||
         rules_read(measurement, measurement->job.base, &ignored) != 0))
        return COMMENT_ALWAYS;
    return measurement->config.comment;
}

/* It says nothing of the commit, which may be other pull requests', too: anybody can open one with it. */
static bool did_not_run(const struct comparison *comparison)
{
    return comparison->clause == CLAUSE_NOT_PINNED ||
           comparison->clause == CLAUSE_NOT_APPROVED || comparison->clause == CLAUSE_CANCELLED;
}

/* `context`: of its status, "" where it has none. */
static int owe_comment(struct pipeline *pipeline, struct db *outbox, const char *context,
                       struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    enum comment_when when = comment_when(measurement);
    bool only_update = when == COMMENT_NEVER ||
                       (when == COMMENT_CHANGE &&
                        measurement->comparison.verdict == VERDICT_HELD);
    char marker[128], path[FILE_PATH_BYTES];
    report_marker(job->device, choices_partial(&job->choices), marker);
    BUF_AUTO body;
    buf_init(&body, REPORT_MAX_BYTES);
    if (file_path(path, err, "%s/" RESULT_REPORT, measurement->folder) != 0 ||
        file_read(path, &body, err) != 0)
        return -1;
    const struct outbox_comment comment = {.pr = job->pr,
                                           .marker = marker,
                                           .body = body.data,
                                           .len = body.len,
                                           .only_update = only_update,
                                           .weak = context[0] != '\0' &&
                                                   did_not_run(&measurement->comparison),
                                           .sha = job->head,
                                           .context = context};
    return outbox_put_comment(outbox, job->id, job->repository, &comment, err);
}

int pipeline_owe(struct pipeline *pipeline, struct db *outbox, struct err *err)
{
    const struct comparison *comparison = &pipeline->measurement.comparison;
    const struct job *job = &pipeline->measurement.job;
    char context[STATUS_CONTEXT_BYTES], line[256];
    /* The status is the whole check's: whatever it says, a part leaves it alone. Of one that ended before
     * it knew its head there is nothing to tell. */
    if (choices_partial(&job->choices))
        return job->head[0] == '\0' ? 0 : owe_comment(pipeline, outbox, "", err);
    status_context(pipeline, context);
    report_line(comparison, line, sizeof line);
    const char *state = comparison_exit(comparison) == EXIT_HELD   ? "success"
                        : comparison->verdict == VERDICT_REGRESSED ? "failure"
                                                                   : "error";
    if (outbox_put_status(outbox, job->id, job->repository, job->head, context, state, line,
                          job->run_url, did_not_run(comparison), err) != 0)
        return -1;
    return job->pr > 0 ? owe_comment(pipeline, outbox, context, err) : 0;
}

/* ---- sending ---- */

/* The commit that the status goes to; *moved_on where there is a newer head. */
static int ask_head(struct pipeline *pipeline, bool *moved_on, struct err *err)
{
    struct job *job = &pipeline->measurement.job;
    const struct github *github = &pipeline->origin.github;
    struct github_pull pull;
    struct err problem = {0};
    if (job->kind == JOB_PROMOTE)
        return github_branch_tip(github, job->base_ref, job->head, err);
    if (job->group[0] != '\0') {
        bool ignored;
        memcpy(job->head, job->event_head, sizeof job->head);
        return github_find_group(github, job->base_ref, job->group, job->event_head,
                                 job->event_base, &ignored, err);
    }
    bool told = github_get_pull(github, job->pr, &pull, err) == 0;
    if (told) {
        memcpy(job->head, pull.head, sizeof job->head);
        memcpy(job->base_ref, pull.base_ref, sizeof job->base_ref);
    }
    if ((told && strcmp(pull.head, job->event_head) == 0) || !name_is_sha(job->event_head) ||
        pipeline->origin.trouble.limited ||
        github_confirm_head(github, job->pr, job->event_head, &problem) != 0)
        return told ? 0 : -1;
    /* What the job was made for; today's head may be another job's. */
    memcpy(job->head, job->event_head, sizeof job->head);
    *moved_on = told;
    return 0;
}

/* A status without a commit gets one, or what is owed of this job waits. */
static int find_head(struct pipeline *pipeline, struct db *outbox,
                     struct outbox_result *result, struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    struct origin *origin = &pipeline->origin;
    struct err problem = {0};
    char context[STATUS_CONTEXT_BYTES];
    origin->trouble = (struct github_trouble){0};
    bool moved_on = false;
    if (ask_head(pipeline, &moved_on, &problem) == 0) {
        status_context(pipeline, context);
        if (moved_on && outbox_drop_comment(outbox, job->id, err) != 0)
            return -1;
        return outbox_name_head(outbox, job->id, job->repository, job->head, context, err);
    }
    return outbox_put_off(outbox, job->id, &origin->github, &problem, result, err);
}

/* Has the pull request moved on to `tip`? Its status still counts, on the commit that was measured.
 * Asked of git: that is not counted by GitHub's limits. */
static bool superseded(struct pipeline *pipeline, char tip[GIT_SHA_BYTES])
{
    struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    char ref[64];
    struct err ignored;
    if (job->head[0] == '\0')
        return false; /* nothing was measured, on no commit */
    /* Once: what is owed waits for no server of git's. */
    const struct limits *limits = &measurement->host->limits;
    struct git_remote_spec remote = pipeline->origin.remote;
    remote.retry_ms = 0;
    if (remote.timeout_ms > limits->http_ms)
        remote.timeout_ms = (unsigned)limits->http_ms;
    snprintf(ref, sizeof ref, "refs/pull/%d/head", job->pr);
    return measurement->repo != NULL &&
           git_fetch(measurement->repo, &remote, ref, tip, &ignored) == 0 &&
           strcmp(tip, job->head) != 0;
}

/* A comment says first that it is about a head of before. */
static int mark_superseded(struct pipeline *pipeline, struct db *outbox, const char *tip,
                           struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    char path[FILE_PATH_BYTES], marker[128];
    BUF_AUTO report, body;
    buf_init(&report, REPORT_MAX_BYTES);
    buf_init(&body, REPORT_MAX_BYTES + 400); /* below what GitHub takes */
    measurement_say(measurement, "the pull request has moved on: %.*s is superseded by %.*s",
                    SHORT_SHA, job->head, SHORT_SHA, tip);
    if (file_path(path, err, "%s/" RESULT_REPORT, measurement->folder) != 0 ||
        file_read(path, &report, err) != 0)
        return -1;
    report_marker(job->device, choices_partial(&job->choices), marker);
    const char *rest = strchr(report.data, '\n'); /* behind the marker */
    buf_addf(
        &body,
        "%s\n> **Superseded by `%.*s`.** What follows is about `%.*s`, which was the head "
        "before.\n\n%s",
        marker, SHORT_SHA, tip, SHORT_SHA, job->head, rest == NULL ? "" : rest + 1);
    if (buf_check(&body, "the comment", err) != 0)
        return -1;
    /* Where somebody wants quiet, what is superseded is no reason for a first comment. */
    bool only_update = comment_when(measurement) != COMMENT_ALWAYS;
    return outbox_change_comment(outbox, job->id, body.data, only_update, err);
}

int pipeline_send(struct pipeline *pipeline, struct db *outbox, struct outbox_result *result,
                  struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    struct outbox_owed owed;
    struct err problem = {0};
    *result = (struct outbox_result){0};
    if (outbox_owed(outbox, job->id, &owed, err) != 0)
        return -1;
    if (credential_take(pipeline, NULL, &problem) != 0)
        return outbox_put_off(outbox, job->id, &pipeline->origin.github, &problem, result,
                              err);
    if (owed.no_head && find_head(pipeline, outbox, result, err) != 0)
        return -1;
    if (result->waiting > 0 || result->refused > 0)
        return 0;
    char tip[GIT_SHA_BYTES];
    if (owed.comment && !owed.no_head && superseded(pipeline, tip) &&
        mark_superseded(pipeline, outbox, tip, err) != 0)
        return -1;
    return outbox_send(outbox, job->id, &pipeline->origin.github, result, err);
}
