/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which step a state of the queue asks for. What is done in it is the pipeline's, how a
 * job ends ending.c's. */
#include "daemon/work.h"

#include "base/db.h"
#include "base/file.h"
#include "base/proc.h"
#include "daemon/ending.h"
#include "daemon/state.h"
#include "daemon/store.h"
#include "intake/queue.h"
#include "measure/away.h"
#include "pipeline/credential.h"
#include "pipeline/pipeline.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct work_event) <= PIPE_BUF, "one write is one event");

enum { LANE_GONE_S = 10, RUN_GONE_S = 5 };

struct step {
    const struct host *host;
    const char *lane;
    struct db *db;
    struct queue_entry entry;
    struct pipeline pipeline;
    uint64_t ask_ns; /* when to ask whether it is still wanted; 0: never */
    int fd;          /* of events */
};

static void send_event(const struct step *step, struct work_event *event)
{
    event->magic = WORK_MAGIC;
    ssize_t ignored = write(step->fd, event, sizeof *event);
    (void)ignored; /* a daemon that is gone hears nothing */
}

static void tell(const struct step *step, enum work_event_kind kind, long long seconds,
                 const char *text)
{
    struct work_event event = {.kind = kind, .seconds = seconds};
    size_t len = strnlen(text, sizeof event.text - 1);
    memcpy(event.text, text, len);
    send_event(step, &event);
}

static void say(const struct step *step, const char *line)
{
    tell(step, WORK_LINE, 0, line);
}

/* GitHub refused to be told. What a job's own token may is its workflow's word, and a fork's or Dependabot's
 * may only read, whatever that says: no fault of whoever reads this. */
static void say_refused(const struct step *step, bool token_refused, const char *problem)
{
    say(step,
        token_refused && step->pipeline.origin.github.borrowed
            ? "this job's token may not tell GitHub (its workflow lists no `statuses: write` "
              "and `pull-requests: write`, or it is a fork's or Dependabot's, which may only "
              "read): exit code and summary do, and the next token that may"
            : problem);
}

static uint64_t next_ask_ns(const struct step *step)
{
    return proc_now_ns() + 1000000u * step->host->limits.ask_again_ms;
}

/* A merge group that GitHub has dropped is measured for nobody, while its queue waits for the lane.
 * The step ends here as if it were killed: what it started dies with it, and the next step tells. */
static void end_if_dropped(struct step *step)
{
    struct err why, err;
    if (step->ask_ns == 0 || proc_now_ns() < step->ask_ns)
        return;
    step->ask_ns = next_ask_ns(step);
    if (pipeline_is_wanted(&step->pipeline, &why))
        return;
    say(step, why.text);
    if (queue_end(step->db, step->entry.job.id, CLAUSE_CANCELLED, why.text, &err) == 0) {
        credential_drop(&step->pipeline);
        _exit(WORK_DONE);
    }
    say(step, err.text);
}

static void show(void *context, const struct progress_event *event)
{
    struct work_event figures = {.kind = WORK_FIGURES, .now = event->now};
    send_event(context, &figures);
    /* When nothing of the job's is at work. */
    if (event->kind == PROGRESS_STAGE || event->kind == PROGRESS_ROUND ||
        event->kind == PROGRESS_WAITING)
        end_if_dropped(context);
    if (event->text[0] != '\0' && event->kind != PROGRESS_BUSY) /* the figures tell that */
        say(context, event->text);
}

static enum work_end fail(const struct step *step, const struct err *err)
{
    say(step, err->text);
    return WORK_FAILED;
}

static enum work_end later(const struct step *step, long long seconds)
{
    tell(step, WORK_WAIT, seconds, "");
    return WORK_LATER;
}

/* Empty, or none for a job that is only to be told of. It is for strangers' code: the sandbox's user
 * passes through, no more. */
static int open_scratch(const struct step *step, char scratch[FILE_PATH_BYTES],
                        struct err *err)
{
    enum job_state state = step->entry.state;
    if (state_job_scratch(step->host, step->entry.job.id, scratch, err) != 0 ||
        file_remove_tree(scratch, err) != 0)
        return -1;
    return state == JOB_ACCEPTED || state == JOB_PINNED ? file_mkdirs(scratch, 0711, err) : 0;
}

static int open_pipeline(struct step *step, const char *token, struct err *err)
{
    const struct host *host = step->host;
    long long id = step->entry.job.id;
    char folder[FILE_PATH_BYTES], scratch[FILE_PATH_BYTES];
    if (state_job(host, id, folder, err) != 0 || file_mkdirs(folder, 0700, err) != 0 ||
        open_scratch(step, scratch, err) != 0)
        return -1;
    struct pipeline_request request = {.host = host,
                                       .job = &step->entry.job,
                                       .lane = step->lane,
                                       .token = token,
                                       .no_wait = step->entry.state != JOB_PINNED,
                                       .folder = folder,
                                       .store = step->db,
                                       .work = scratch,
                                       .only_tell = step->entry.state == JOB_ENDING ||
                                                    step->entry.state == JOB_JUDGED,
                                       .progress = show,
                                       .context = step};
    return pipeline_open(&step->pipeline, &request, err);
}

/* Keeps only what sending needs; a checkout and its libraries are of no use any more. */
static void drop_scratch(const struct step *step)
{
    struct err err;
    char scratch[FILE_PATH_BYTES];
    if (state_job_scratch(step->host, step->entry.job.id, scratch, &err) != 0 ||
        file_remove_tree(scratch, &err) != 0)
        say(step, err.text);
}

static enum work_end judged(struct step *step)
{
    struct err err = {0};
    drop_scratch(step);
    return ending_judged(step->db, &step->pipeline, &err) == 0 ? WORK_DONE : fail(step, &err);
}

/* ---- pin ---- */

/* The schedule waits, not a clerk: it has few of them. */
static bool is_limited(const struct step *step)
{
    const struct github_trouble *trouble = &step->pipeline.origin.trouble;
    if (trouble->limited)
        tell(step, WORK_LIMITED, trouble->wait_s, "");
    return trouble->limited;
}

/* Waiting for GitHub is no failure of a job: a limit passes, a server comes back, a host's token is
 * renewed. The schedule knows how long that may take. */
static bool waits_for_github(const struct step *step, const struct err *problem)
{
    const struct origin *origin = &step->pipeline.origin;
    if (is_limited(step))
        return true;
    if (origin->trouble.status == 401)
        tell(step, origin->github.borrowed ? WORK_TOKEN_DEAD : WORK_AWAY, 0, "");
    else if (problem->class == ERR_HOST || problem->class == ERR_TIMEOUT)
        tell(step, WORK_AWAY, origin->trouble.wait_s, "");
    else
        return false;
    return true;
}

static enum work_end not_pinned(struct step *step, const struct err *problem)
{
    say(step, problem->text);
    if (step->entry.state == JOB_ACCEPTED && waits_for_github(step, problem))
        return WORK_LATER;
    pipeline_unpinned(&step->pipeline, problem);
    return judged(step);
}

static enum work_end pin(struct step *step)
{
    struct err err = {0}, problem = {0};
    struct pipeline *pipeline = &step->pipeline;
    struct measurement *measurement = &pipeline->measurement;
    bool settled = false;
    if (pipeline_pin(pipeline, &problem) != 0)
        return not_pinned(step, &problem);
    if (measurement->job.kind == JOB_CHECK && pipeline_look(measurement, &settled, &err) != 0)
        return fail(step, &err);
    if (settled)
        return judged(step); /* nobody needs to read `pending` before that */
    if (queue_pin(step->db, &measurement->job, &err) != 0 ||
        queue_supersede(step->db, &measurement->job, &err) != 0)
        return fail(step, &err);
    /* A status that cannot be set is no reason not to measure. */
    if (measurement->job.kind == JOB_CHECK &&
        pipeline_announce(pipeline, step->db, "waiting for its turn on the device",
                          &problem) != 0) {
        const struct github_trouble *trouble = &pipeline->origin.trouble;
        say_refused(step,
                    !trouble->limited && (trouble->status == 403 || trouble->status == 404),
                    problem.text);
        (void)is_limited(step); /* nor is it measured later for that */
    }
    return WORK_DONE;
}

/* ---- run ---- */

static enum work_end started_too_often(struct step *step)
{
    struct err problem;
    err_set(&problem, ERR_INTERNAL, "started %u times and never ended; see the daemon's log",
            step->entry.attempts);
    measurement_unmeasured(&step->pipeline.measurement, FAULT_US, CLAUSE_INTERNAL, &problem);
    return judged(step);
}

static bool has_waited(const struct step *step)
{
    long long s = (long long)time(NULL) - step->entry.accepted_s;
    return s > 0 && (unsigned long long)s * 1000 >= step->host->limits.ask_again_ms;
}

static enum work_end not_wanted(struct step *step, const struct err *why)
{
    say(step, why->text);
    measurement_unmeasured(&step->pipeline.measurement, FAULT_NONE, CLAUSE_CANCELLED, why);
    return judged(step);
}

/* What was measured without it is no verdict. Where it was not there at all, no code of the job has
 * harmed it, and that is no start of the job. */
static enum work_end sandbox_lost(struct step *step)
{
    struct err err = {0};
    drop_scratch(step);
    if (away_worst() == AWAY_DIED) {
        say(step, "ratchet-run died while it ran code of this job: it is taken again");
        return WORK_FAILED;
    }
    say(step, "waits: ratchet-run does not answer");
    return queue_rest(step->db, step->entry.job.id, true, &err) == 0 ? later(step, RUN_GONE_S)
                                                                     : fail(step, &err);
}

/* A fork's code runs on a word that counts now, not when it was pinned. A GitHub that cannot be asked
 * has not said yes: the job waits, and the lane for no job. */
static bool has_word(struct step *step, enum work_end *end)
{
    struct err problem = {0};
    const struct github_trouble *trouble = &step->pipeline.origin.trouble;
    if (step->entry.job.approved_by[0] == '\0' ||
        pipeline_ask_word(&step->pipeline, &problem) == 0)
        return true;
    say(step, problem.text);
    if (trouble->limited) {
        (void)is_limited(step);
        *end = later(step, trouble->wait_s > 0 ? trouble->wait_s : 1);
    } else if (problem.class == ERR_HOST || problem.class == ERR_TIMEOUT) {
        tell(step, WORK_AWAY, trouble->wait_s, "");
        *end = WORK_LATER;
    } else {
        pipeline_unpinned(&step->pipeline, &problem);
        *end = judged(step);
    }
    return false;
}

static enum work_end run(struct step *step)
{
    struct err err = {0}, problem = {0};
    struct pipeline *pipeline = &step->pipeline;
    long long id = step->entry.job.id;
    if (step->entry.attempts >= step->host->limits.job_attempts)
        return started_too_often(step);
    bool fork = step->entry.job.approved_by[0] != '\0';
    if ((fork || has_waited(step)) && !pipeline_is_wanted(pipeline, &problem))
        return not_wanted(step, &problem);
    enum work_end end;
    if (!has_word(step, &end))
        return end;
    if (queue_start(step->db, id, step->lane, &err) != 0)
        return fail(step, &err);
    unsigned wait_s = 0;
    if (pipeline_pin(pipeline, &problem) != 0)
        return not_pinned(step, &problem);
    if (step->entry.job.group[0] != '\0')
        step->ask_ns = next_ask_ns(step);
    if (pipeline->measurement.job.kind == JOB_PROMOTE
            ? pipeline_promote(pipeline, NULL, &wait_s, &err) != 0
            : pipeline_check(&pipeline->measurement, &err) != 0)
        return fail(step, &err);
    if (away_worst() != AWAY_SEEN)
        return sandbox_lost(step);
    if (wait_s == 0)
        return judged(step);
    drop_scratch(step);
    return queue_rest(step->db, id, true, &err) == 0 ? later(step, wait_s) : fail(step, &err);
}

/* ---- the end ---- */

static enum work_end end(struct step *step)
{
    struct err err = {0};
    return ending_unmeasured(step->db, &step->pipeline, &step->entry, &err) == 0
               ? WORK_DONE
               : fail(step, &err);
}

static enum work_end send(struct step *step)
{
    struct err err = {0};
    struct outbox_result result = {0};
    int sent = ending_send(step->db, &step->pipeline, &result, &err);
    if (result.refusal[0] != '\0')
        say_refused(step, result.token_refused, result.refusal);
    if (result.seen[0] != '\0')
        say(step, result.seen);
    if (sent != 0)
        return fail(step, &err);
    if (result.sent > 0)
        tell(step, WORK_TOKEN_TAKEN, 0, "");
    if (result.waiting == 0)
        return WORK_DONE;
    if ((result.token_refused || result.token_dead) && step->pipeline.origin.github.borrowed) {
        tell(step, result.token_dead ? WORK_TOKEN_DEAD : WORK_TOKEN_REFUSED, 0, "");
        return WORK_LATER; /* as soon as there is another */
    }
    if (result.limited) {
        tell(step, WORK_LIMITED, result.wait_s, "");
        return later(step, result.wait_s); /* in its turn again: what is older goes first */
    }
    if (result.put_off == result.waiting)
        return later(step, result.again_s);
    tell(step, WORK_AWAY, result.wait_s, "");
    return WORK_LATER;
}

/* ---- the step ---- */

/* The daemon has read another ratchetd.conf than this step: its jobs wait for its restart. */
static bool lane_is_gone(const struct step *step)
{
    const struct host_device *device = host_find_device(step->host, step->entry.job.device);
    return step->entry.state == JOB_PINNED && device != NULL &&
           host_find_lane(device, step->lane) == NULL;
}

enum work_end work_step(const struct host *host, long long job, const char *lane,
                        const char *token, int fd)
{
    struct err err = {0};
    struct step step = {.host = host, .lane = lane, .fd = fd};
    if (store_open(host, &step.db, &err) != 0 ||
        queue_get(step.db, job, &step.entry, &err) != 0) {
        db_close(&step.db);
        return fail(&step, &err);
    }
    if (lane_is_gone(&step)) {
        say(&step, "waits: the lanes in ratchetd.conf have changed, restart ratchetd");
        db_close(&step.db);
        return later(&step, LANE_GONE_S);
    }
    if (open_pipeline(&step, token, &err) != 0) {
        db_close(&step.db);
        return fail(&step, &err);
    }
    enum work_end result = WORK_FAILED;
    switch (step.entry.state) {
    case JOB_ACCEPTED:
        result = pin(&step);
        break;
    case JOB_PINNED:
        result = run(&step);
        break;
    case JOB_ENDING:
        result = end(&step);
        break;
    case JOB_JUDGED:
        result = send(&step);
        break;
    case JOB_RUNNING:
    case JOB_DONE:
        err_set(&err, ERR_INTERNAL, "job %lld is %s: no step to take", job,
                job_state_name(step.entry.state));
        result = fail(&step, &err);
        break;
    }
    pipeline_close(&step.pipeline);
    db_close(&step.db);
    return result;
}
