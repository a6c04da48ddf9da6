/* SPDX-License-Identifier: Apache-2.0 */
/* Owns connections, subscriptions, tokens and the choice of the next step. A job's own
 * progress is work.c's; nothing here blocks but SQLite. */
#include "daemon/server.h"

#include "base/file.h"
#include "daemon/lanes.h"
#include "daemon/message.h"
#include "daemon/request.h"
#include "daemon/work.h"
#include "intake/queue.h"
#include "judge/verdict.h"
#include "measure/build.h"
#include "publish/report.h"
#include "result_files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 256,
    NOTES_MAX = 1024, /* jobs with a token, a delay or a failure */
    FAILURES_MAX = 3, /* steps that ended badly, in a row, before a job is dropped */
    FAILURE_PAUSE_S = 5,
    CLIENT_OUT_MAX = 96 << 20,
    COLLECT_EVERY_S = 3600,
    STATUS_JOBS = 50,
    DAY_S = 86400
};

struct client {
    int fd;
    struct buf in, out;
    size_t sent;   /* of out */
    long long job; /* subscribed to; 0: none */
    bool ending;   /* close once out is sent */
};

/* What the daemon knows of a job beyond the queue; lost with the process, and rightly so. */
struct note {
    long long job; /* 0: free */
    char token[MESSAGE_TOKEN_BYTES];
    time_t since; /* when it was first seen here, for token_wait_ms */
    time_t not_before;
    unsigned failures;
    enum { CANCEL_NONE, CANCEL_WANTED, CANCEL_TOLD } cancel; /* is GitHub to be told? */
};

struct server {
    const struct host *host;
    struct queue *queue;
    struct lanes lanes;
    int listen_fd, signal_fd;
    struct client clients[CLIENTS_MAX];
    struct note notes[NOTES_MAX];
    time_t collected;
    bool stopping;
};

/* ---- notes ---- */

static struct note *note_of(struct server *server, long long job)
{
    struct note *free_note = NULL;
    for (size_t i = 0; i < NOTES_MAX; i++) {
        if (server->notes[i].job == job)
            return &server->notes[i];
        if (server->notes[i].job == 0 && free_note == NULL)
            free_note = &server->notes[i];
    }
    if (free_note != NULL)
        *free_note = (struct note){.job = job, .since = time(NULL)};
    return free_note;
}

static void forget(struct server *server, long long job)
{
    for (size_t i = 0; i < NOTES_MAX; i++)
        if (server->notes[i].job == job)
            explicit_bzero(&server->notes[i], sizeof server->notes[i]);
}

/* ---- clients ---- */

static void drop_client(struct client *client)
{
    file_close(&client->fd);
    explicit_bzero(client->in.data, client->in.len);
    buf_free(&client->in);
    buf_free(&client->out);
    *client = (struct client){.fd = -1};
}

static void refuse(struct client *client, const struct err *problem)
{
    message_add_error(&client->out, problem);
    client->ending = true;
}

static void add_or_drop(struct client *client, int added, const struct err *err)
{
    if (added != 0) {
        fprintf(stderr, "ratchetd: a client is dropped: %s\n", err->text);
        drop_client(client);
    }
}

static void accept_client(struct server *server)
{
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct err problem;
    size_t used = 0;
    struct client *free_client = NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        used += server->clients[i].fd >= 0;
        if (server->clients[i].fd < 0 && free_client == NULL)
            free_client = &server->clients[i];
    }
    if (free_client == NULL || used >= server->host->limits.clients) {
        close(fd);
        return;
    }
    *free_client = (struct client){.fd = fd};
    buf_init(&free_client->in, server->host->limits.message_bytes);
    buf_init(&free_client->out, CLIENT_OUT_MAX);
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        !request_user_ok(server->host, peer.uid)) {
        err_set(&problem, ERR_AUTH, "user %u may not talk to this daemon (daemon.allow-user)",
                (unsigned)peer.uid);
        refuse(free_client, &problem);
    }
}

/* ---- what a job has to show ---- */

static int job_file(const struct server *server, long long job, const char *name,
                    struct buf *out, struct err *err)
{
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    if (work_folder(server->host, job, folder, err) != 0 ||
        file_path(path, err, "%s/%s", folder, name) != 0)
        return -1;
    return file_read(path, out, err);
}

static int send_file(const struct server *server, struct client *client, const char *name,
                     struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, server->host->limits.samples_bytes);
    struct err problem = {0};
    if (job_file(server, client->job, name, &text, &problem) != 0)
        return problem.class == ERR_NOT_FOUND ? 0 : (*err = problem, -1);
    return message_add_file(&client->out, name, text.data, text.len, err);
}

static int send_result(const struct server *server, struct client *client,
                       const struct queue_entry *entry, struct err *err)
{
    for (size_t i = 0; i < RESULT_FILE_COUNT; i++)
        if (send_file(server, client, result_files[i], err) != 0)
            return -1;
    BUF_AUTO verdict;
    BUF_AUTO comment;
    buf_init(&verdict, server->host->limits.samples_bytes);
    buf_init(&comment, JOB_URL_BYTES);
    struct err ignored;
    struct comparison comparison __attribute__((cleanup(comparison_free))) = {0};
    char line[256];
    if (job_file(server, client->job, RESULT_VERDICT, &verdict, err) != 0 ||
        verdict_parse_json(verdict.data, verdict.len, RESULT_VERDICT, &comparison, err) != 0)
        return -1;
    report_line(&comparison, line, sizeof line);
    if (job_file(server, client->job, "comment", &comment, &ignored) != 0)
        buf_clear(&comment);
    client->ending = true;
    return message_add(&client->out,
                       json_pack("{s:s, s:i, s:s, s:s, s:s}", "type", "result", "exit",
                                 entry->exit_code, "verdict", entry->verdict, "reason", line,
                                 "comment", comment.data),
                       err);
}

static void tell_result(struct server *server, const struct queue_entry *entry)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        struct err err;
        if (client->fd >= 0 && client->job == entry->job.id && !client->ending)
            add_or_drop(client, send_result(server, client, entry, &err), &err);
    }
}

static void tell_error(struct server *server, long long job, const struct err *problem)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (server->clients[i].fd >= 0 && server->clients[i].job == job)
            refuse(&server->clients[i], problem);
}

static int add_log(struct client *client, const char *line, size_t len, struct err *err)
{
    json_t *text = json_stringn(line, len);
    return message_add(&client->out, json_pack("{s:s, s:o}", "type", "log", "text", text),
                       err);
}

/* A line of a job's progress: into its log, and to whoever waits for it. */
static void on_line(void *context, long long job, const char *line)
{
    struct server *server = context;
    struct err err;
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES], text[MODEL_TEXT_BYTES * 2];
    snprintf(text, sizeof text, "%s\n", line);
    if (work_folder(server->host, job, folder, &err) != 0 ||
        file_path(path, &err, "%s/log", folder) != 0 ||
        file_append(path, text, strlen(text), &err) != 0)
        fprintf(stderr, "ratchetd: job %lld: %s\n", job, err.text);
    fprintf(stderr, "ratchetd: job %lld: %s\n", job, line);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        if (client->fd >= 0 && client->job == job && !client->ending)
            add_or_drop(client, add_log(client, line, strlen(line), &err), &err);
    }
}

static int send_log_so_far(const struct server *server, struct client *client, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, server->host->limits.samples_bytes);
    struct err ignored;
    if (job_file(server, client->job, RESULT_LOG, &text, &ignored) != 0)
        return 0;
    for (const char *line = text.data; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (add_log(client, line, len, err) != 0)
            return -1;
        line += len + (line[len] == '\n');
    }
    return 0;
}

/* ---- messages ---- */

/* What was asked for is nothing to do here; the client is told why, and the connection ends. */
static int send_ignored(struct client *client, const char *why, struct err *err)
{
    fprintf(stderr, "ratchetd: ignored: %s\n", why);
    client->ending = true;
    return message_add(&client->out, json_pack("{s:s, s:s}", "type", "ignored", "text", why),
                       err);
}

static int start_job(struct server *server, struct client *client, struct request *request,
                     struct err *err)
{
    struct job *job = &request->job;
    bool known;
    struct queue_entry entry;
    if (queue_accept(server->queue, job, &server->host->limits, &known, err) != 0 ||
        queue_get(server->queue, job->id, &entry, err) != 0)
        return -1;
    client->job = job->id;
    struct note *note = note_of(server, job->id);
    if (note == NULL)
        return err_set(err, ERR_LIMIT, "too many jobs are known to this daemon");
    memcpy(note->token, request->token, sizeof note->token);
    fprintf(stderr, "ratchetd: job %lld: %s %s #%d on %s\n", job->id,
            known ? "again" : "accepted", job->repository, job->pr, job->device);
    if (message_add(&client->out,
                    json_pack("{s:s, s:I, s:s, s:b}", "type", "accepted", "job",
                              (json_int_t)job->id, "state", job_state_name(entry.state),
                              "known", known),
                    err) != 0 ||
        send_log_so_far(server, client, err) != 0)
        return -1;
    if (entry.state == JOB_CANCELLED)
        return err_set(err, ERR_HOST, "job %lld was cancelled", job->id);
    if (entry.state != JOB_DONE)
        return 0;
    forget(server, job->id);
    return send_result(server, client, &entry, err);
}

static int on_submit(struct server *server, struct client *client, const json_t *message,
                     struct err *err)
{
    struct request request;
    if (request_parse(server->host, message, &request, err) != 0)
        return -1;
    int result = request.ignored ? send_ignored(client, request.why, err)
                                 : start_job(server, client, &request, err);
    explicit_bzero(request.token, sizeof request.token);
    return result;
}

static int on_cancel(struct server *server, struct client *client, struct err *err)
{
    if (client->job == 0)
        return err_set(err, ERR_INPUT, "cancel: no job was submitted on this connection");
    long long job = client->job;
    lanes_kill(&server->lanes, job);
    if (queue_finish(server->queue, job, JOB_CANCELLED, err) != 0)
        return -1;
    struct note *note = note_of(server, job);
    if (note != NULL)
        note->cancel = CANCEL_WANTED;
    struct err cancelled;
    err_set(&cancelled, ERR_HOST, "job %lld was cancelled", job);
    tell_error(server, job, &cancelled);
    return 0;
}

static int on_status(struct server *server, struct client *client, struct err *err)
{
    static struct queue_entry entries[STATUS_JOBS];
    size_t count;
    if (queue_list(server->queue, STATUS_JOBS, entries, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct queue_entry *entry = &entries[i];
        if (message_add(&client->out,
                        json_pack("{s:s, s:I, s:s, s:s, s:s, s:i, s:s, s:s, s:I, s:I}", "type",
                                  "job", "id", (json_int_t)entry->job.id, "kind",
                                  entry->job.kind == JOB_PROMOTE ? "promote" : "check",
                                  "repository", entry->job.repository, "device",
                                  entry->job.device, "pr", entry->job.pr, "state",
                                  job_state_name(entry->state), "verdict", entry->verdict,
                                  "accepted", (json_int_t)entry->accepted_s, "finished",
                                  (json_int_t)entry->finished_s),
                        err) != 0)
            return -1;
    }
    client->ending = true;
    return message_add(&client->out, json_pack("{s:s}", "type", "end"), err);
}

static int on_message(struct server *server, struct client *client, const json_t *message,
                      struct err *err)
{
    char type[16];
    struct json_at at = {.key = "message"};
    if (json_get_string(message, "type", &at, type, sizeof type, err) != 0)
        return -1;
    if (strcmp(type, "submit") == 0 && client->job == 0)
        return on_submit(server, client, message, err);
    if (strcmp(type, "cancel") == 0)
        return on_cancel(server, client, err);
    if (strcmp(type, "status") == 0)
        return on_status(server, client, err);
    return err_set(err, ERR_INPUT, "message.type: `%s` is not expected here", type);
}

static void read_client(struct server *server, struct client *client)
{
    char chunk[1 << 14];
    struct err err = {0};
    ssize_t got = read(client->fd, chunk, sizeof chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop_client(client); /* the job goes on: it was accepted */
        return;
    }
    size_t room = client->in.max - client->in.len;
    buf_add(&client->in, chunk, (size_t)got < room ? (size_t)got : room);
    explicit_bzero(chunk, (size_t)got);
    while (client->fd >= 0 && !client->ending) {
        json_t *message = NULL;
        int taken = message_take(&client->in, "a client", &message, &err);
        int done = taken > 0 ? on_message(server, client, message, &err) : taken;
        json_decref(message);
        if (done < 0)
            refuse(client, &err);
        if (taken <= 0)
            break;
    }
}

static void write_client(struct client *client)
{
    while (client->sent < client->out.len) {
        ssize_t put = send(client->fd, client->out.data + client->sent,
                           client->out.len - client->sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return;
        if (put < 0) {
            drop_client(client);
            return;
        }
        client->sent += (size_t)put;
    }
    client->sent = 0;
    buf_clear(&client->out);
    if (client->ending)
        drop_client(client);
}

/* ---- lanes ---- */

/* May this job take its next step now? */
static bool ready(struct server *server, const struct queue_entry *entry)
{
    const struct host_repository *repository = host_find_repository(server->host,
                                                                    entry->job.repository);
    const struct note *note = note_of(server, entry->job.id);
    if (repository == NULL || note == NULL || note->not_before > time(NULL))
        return false;
    for (size_t i = 0; i < server->lanes.count; i++)
        if (server->lanes.lane[i].pid != 0 && server->lanes.lane[i].job == entry->job.id)
            return false;
    return repository->host_token || note->token[0] != '\0';
}

/* A job whose token never came back cannot be finished. */
static bool waited_enough(struct server *server, const struct queue_entry *entry)
{
    const struct note *note = note_of(server, entry->job.id);
    const struct host_repository *repository = host_find_repository(server->host,
                                                                    entry->job.repository);
    return repository == NULL ||
           (note != NULL && note->token[0] == '\0' && !repository->host_token &&
            difftime(time(NULL), note->since) * 1000 >
                (double)server->host->limits.token_wait_ms);
}

static void give_up(struct server *server, long long job, const char *why)
{
    struct err problem, err;
    err_set(&problem, ERR_INTERNAL, "job %lld was given up: %s", job, why);
    fprintf(stderr, "ratchetd: %s\n", problem.text);
    if (queue_finish(server->queue, job, JOB_CANCELLED, &err) != 0)
        fprintf(stderr, "ratchetd: %s\n", err.text);
    tell_error(server, job, &problem);
    forget(server, job);
}

/* The oldest job in `state` that may step now. */
static bool next_job(struct server *server, const char *device, enum job_state state,
                     long long *job)
{
    struct queue_entry entry;
    struct err err;
    for (long long after = 0;; after = entry.job.id) {
        if (queue_next(server->queue, device, state, after, &entry, &err) != 0) {
            if (err.class != ERR_NOT_FOUND)
                fprintf(stderr, "ratchetd: %s\n", err.text);
            return false;
        }
        if (waited_enough(server, &entry)) {
            give_up(server, entry.job.id, "no token came back for it");
        } else if (ready(server, &entry)) {
            *job = entry.job.id;
            return true;
        }
    }
}

/* A cancelled job whose own step has ended, so that the clerk may tell GitHub. */
static bool next_cancelled(struct server *server, long long *job)
{
    for (size_t i = 0; i < NOTES_MAX; i++) {
        struct note *note = &server->notes[i];
        bool busy = note->cancel != CANCEL_WANTED;
        for (size_t l = 0; !busy && l < server->lanes.count; l++)
            busy = server->lanes.lane[l].pid != 0 && server->lanes.lane[l].job == note->job;
        if (busy)
            continue;
        note->cancel = CANCEL_TOLD;
        *job = note->job;
        return true;
    }
    return false;
}

static bool choose(struct server *server, const struct lane *lane, long long *job)
{
    static const enum job_state clerk_states[] = {JOB_JUDGED, JOB_ACCEPTED};
    if (lane->device != NULL)
        return next_job(server, lane->device, JOB_PINNED, job);
    if (next_cancelled(server, job))
        return true;
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < server->host->device_count; i++)
            if (next_job(server, server->host->devices[i].slug, clerk_states[s], job))
                return true;
    return false;
}

static void fill_lanes(struct server *server)
{
    for (size_t i = 0; i < server->lanes.count; i++) {
        struct lane *lane = &server->lanes.lane[i];
        long long job;
        struct err err;
        if (lane->pid != 0 || !choose(server, lane, &job))
            continue;
        const struct note *note = note_of(server, job);
        if (lanes_start(&server->lanes, lane, job, note == NULL ? NULL : note->token, &err) !=
            0)
            fprintf(stderr, "ratchetd: %s\n", err.text);
    }
}

static void step_ended(struct server *server, struct lane *lane)
{
    long long job = lane->job;
    enum work_end end = lanes_reap(lane);
    struct note *note = note_of(server, job);
    struct queue_entry entry;
    struct err err;
    if (queue_get(server->queue, job, &entry, &err) != 0 || note == NULL) {
        fprintf(stderr, "ratchetd: job %lld: %s\n", job, err.text);
        return;
    }
    if (entry.state == JOB_CANCELLED) {
        if (note->cancel == CANCEL_TOLD)
            forget(server, job);
        return;
    }
    note->failures = end == WORK_FAILED ? note->failures + 1 : 0;
    if (end == WORK_FAILED && note->failures >= FAILURES_MAX) {
        give_up(server, job, "its steps kept failing; see the daemon's log");
        return;
    }
    if (entry.state == JOB_RUNNING && queue_rest(server->queue, job, false, &err) != 0)
        fprintf(stderr, "ratchetd: %s\n", err.text);
    if (end != WORK_DONE)
        note->not_before = time(NULL) + (end == WORK_LATER ? lane->later_s : FAILURE_PAUSE_S);
    if (entry.state == JOB_DONE || (entry.state == JOB_JUDGED && end == WORK_LATER))
        tell_result(server, &entry); /* GitHub may be away: the verdict is not */
    if (entry.state == JOB_DONE)
        forget(server, job);
}

/* ---- housekeeping ---- */

static int remove_job(void *context, long long job)
{
    const struct server *server = context;
    char folder[FILE_PATH_BYTES];
    struct err err;
    if (work_folder(server->host, job, folder, &err) == 0 &&
        file_remove_tree(folder, &err) == 0)
        return 0;
    fprintf(stderr, "ratchetd: %s\n", err.text);
    return -1;
}

static void collect(struct server *server)
{
    time_t now = time(NULL);
    if (now - server->collected < COLLECT_EVERY_S)
        return;
    server->collected = now;
    struct err err;
    char cache[FILE_PATH_BYTES];
    long long before = (long long)now - (long long)server->host->limits.keep_days * DAY_S;
    if (queue_collect(server->queue, before, remove_job, server, &err) != 0 ||
        file_path(cache, &err, "%s/cache", server->host->state) != 0 ||
        file_mkdirs(cache, 0700, &err) != 0 ||
        build_cache_collect(cache, server->host->limits.cache_bytes, &err) != 0)
        fprintf(stderr, "ratchetd: collect: %s\n", err.text);
}

/* ---- the loop ---- */

enum { POLL_FIXED = 2 };

static size_t fill_poll(struct server *server, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = server->signal_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
    size_t count = POLL_FIXED;
    for (size_t i = 0; i < server->lanes.count; i++)
        fds[count++] = (struct pollfd){.fd = server->lanes.lane[i].fd, .events = POLLIN};
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &server->clients[i];
        short events = client->out.len > client->sent ? POLLOUT : 0;
        if (!client->ending)
            events |= POLLIN;
        fds[count++] = (struct pollfd){.fd = client->fd, .events = events};
    }
    return count;
}

static void handle_signals(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            server->stopping = true;
}

static void handle(struct server *server, const struct pollfd *fds)
{
    if (fds[0].revents != 0)
        handle_signals(server);
    if (fds[1].revents != 0)
        accept_client(server);
    const struct pollfd *lane_fds = fds + POLL_FIXED;
    for (size_t i = 0; i < server->lanes.count; i++) {
        struct lane *lane = &server->lanes.lane[i];
        if (lane_fds[i].revents != 0 && lane->fd >= 0 && !lanes_read(lane, on_line, server))
            step_ended(server, lane);
    }
    const struct pollfd *client_fds = lane_fds + server->lanes.count;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        if (client->fd != client_fds[i].fd || client->fd < 0)
            continue; /* connected or dropped since the poll */
        if (client_fds[i].revents & (POLLIN | POLLHUP | POLLERR)) {
            if (client->ending && (client_fds[i].revents & (POLLHUP | POLLERR)))
                drop_client(client);
            else if (!client->ending)
                read_client(server, client);
        }
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (server->clients[i].fd >= 0 &&
            (server->clients[i].out.len > 0 || server->clients[i].ending))
            write_client(&server->clients[i]);
}

static int open_server(struct server *server, struct err *err)
{
    char path[FILE_PATH_BYTES], scratch[FILE_PATH_BYTES];
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signal_fd < 0)
        return err_errno(err, ERR_HOST, errno, "open a signal descriptor");
    if (file_path(scratch, err, "%s/work", server->host->state) != 0 ||
        file_remove_tree(scratch, err) != 0 || file_mkdirs(scratch, 0711, err) != 0 ||
        work_queue_path(server->host, path, err) != 0 ||
        queue_open(path, &server->queue, err) != 0 || queue_recover(server->queue, err) != 0)
        return -1;
    return 0;
}

static int serve(struct server *server, struct err *err)
{
    enum { TICK_MS = 1000 }; /* delays have whole seconds */
    struct pollfd fds[POLL_FIXED + LANES_MAX + CLIENTS_MAX];
    while (!server->stopping) {
        fill_lanes(server);
        collect(server);
        size_t count = fill_poll(server, fds);
        if (poll(fds, (nfds_t)count, TICK_MS) < 0) {
            if (errno == EINTR)
                continue;
            return err_errno(err, ERR_HOST, errno, "poll");
        }
        handle(server, fds);
    }
    return 0;
}

int server_run(const struct host *host, const char *config, int listen_fd, struct err *err)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        close(listen_fd);
        return err_set(err, ERR_HOST, "out of memory for the server");
    }
    server->host = host;
    server->listen_fd = listen_fd;
    server->signal_fd = -1;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        server->clients[i].fd = -1;
    lanes_init(&server->lanes, host, config);
    int result = open_server(server, err) == 0 ? serve(server, err) : -1;
    lanes_kill_all(&server->lanes);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (server->clients[i].fd >= 0)
            drop_client(&server->clients[i]);
    file_close(&server->signal_fd);
    file_close(&server->listen_fd);
    queue_close(&server->queue);
    explicit_bzero(server, sizeof *server);
    free(server);
    return result;
}
