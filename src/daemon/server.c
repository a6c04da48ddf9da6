/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the loop, and who hears of what: the schedule of clients, clients of jobs. */
#include "daemon/server.h"

#include "base/file.h"
#include "base/line.h"
#include "base/proc.h"
#include "daemon/clients.h"
#include "daemon/collector.h"
#include "daemon/idle.h"
#include "daemon/results.h"
#include "daemon/schedule.h"
#include "daemon/store.h"
#include "daemon/strays.h"
#include "daemon/watchers.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct server {
    const struct host *host;
    int signal_fd;
    bool stopping;
    struct db *db;
    struct schedule *schedule;
    struct watchers *watchers;
    struct clients *clients;
    struct collector collector;
    struct strays strays;
    struct idle idle;
};

/* ---- what the schedule tells ---- */

static void on_line(void *context, long long job, const char *line)
{
    struct server *server = context;
    struct err err;
    if (results_keep_line(server->host, job, line, &err) != 0)
        line_err("ratchetd: job %lld: %s", job, err.text);
    line_err("ratchetd: job %lld: %s", job, line);
    clients_tell_line(server->clients, job, line);
}

static void on_judged(void *context, const struct queue_entry *entry)
{
    const struct server *server = context;
    clients_tell_result(server->clients, entry);
}

/* ---- start and stop ---- */

static int open_signals(int *out, struct err *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD); /* wakes the loop */
    *out = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return *out >= 0 ? 0 : err_errno(err, ERR_HOST, errno, "open a signal descriptor");
}

static int open_server(struct server *server, const char *config, int listen_fd,
                       struct err *err)
{
    const struct schedule_watch watch = {
        .context = server, .line = on_line, .judged = on_judged};
    if (open_signals(&server->signal_fd, err) != 0 ||
        strays_adopt(&server->strays, err) != 0 ||
        collector_empty_scratch(server->host, err) != 0 ||
        store_open_first(server->host, &server->db, err) != 0 ||
        schedule_open(server->host, config, server->db, &watch, &server->schedule, err) != 0 ||
        watchers_open(server->host, config, server->schedule, &server->watchers, err) != 0)
        return -1;
    idle_open(&server->idle, server->host, config);
    server->collector = (struct collector){.host = server->host, .db = server->db};
    return clients_open(server->host, server->db, server->schedule, listen_fd,
                        &server->clients, err);
}

static void close_server(struct server *server)
{
    idle_close(&server->idle);
    watchers_close(&server->watchers);
    schedule_close(&server->schedule);
    strays_end_all(&server->strays);
    clients_close(&server->clients);
    db_close(&server->db);
    file_close(&server->signal_fd);
}

/* ---- the loop ---- */

static void handle_signals(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            server->stopping = true;
        else
            strays_end(&server->strays, schedule_lanes(server->schedule), server->idle.pid);
}

/* What poll() is to wait for at most: until then, where nothing happens; -1: for ever. */
static int milliseconds_until(uint64_t due_ns)
{
    uint64_t now_ns = proc_now_ns();
    if (due_ns == UINT64_MAX)
        return -1;
    uint64_t ms = due_ns <= now_ns ? 0 : (due_ns - now_ns) / 1000000u + 1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* What time alone brings about, and when it does so again. */
static uint64_t do_what_is_due(struct server *server)
{
    if (idle_is_wanted(&server->idle))
        idle_turn(&server->idle, !schedule_is_idle(server->schedule));
    uint64_t idle_ns = idle_due_ns(&server->idle);
    uint64_t due_ns = schedule_start(server->schedule);
    due_ns = due_ns < idle_ns ? due_ns : idle_ns;
    uint64_t watchers_ns = watchers_start(server->watchers);
    due_ns = due_ns < watchers_ns ? due_ns : watchers_ns;
    collector_collect(&server->collector);
    clients_tell_waits(server->clients);
    uint64_t clients_ns = clients_due_ns(server->clients);
    due_ns = due_ns < clients_ns ? due_ns : clients_ns;
    return due_ns < server->collector.due_ns ? due_ns : server->collector.due_ns;
}

static int serve(struct server *server, struct err *err)
{
    struct pollfd fds[1 + LANES_MAX + WATCHERS_FDS_MAX + CLIENTS_FDS_MAX];
    while (!server->stopping) {
        uint64_t due_ns = do_what_is_due(server);
        fds[0] = (struct pollfd){.fd = server->signal_fd, .events = POLLIN};
        struct pollfd *steps = fds + 1;
        struct pollfd *watchers = steps + schedule_poll(server->schedule, steps);
        struct pollfd *clients = watchers + watchers_poll(server->watchers, watchers);
        struct pollfd *end = clients + clients_poll(server->clients, clients);
        if (poll(fds, (nfds_t)(end - fds), milliseconds_until(due_ns)) < 0) {
            if (errno == EINTR)
                continue;
            return err_errno(err, ERR_HOST, errno, "poll");
        }
        if (fds[0].revents != 0)
            handle_signals(server);
        schedule_handle(server->schedule, steps);
        watchers_handle(server->watchers, watchers);
        clients_handle(server->clients, clients);
    }
    return 0;
}

int server_run(const struct host *host, const char *config, int listen_fd, struct err *err)
{
    struct server server = {.host = host, .signal_fd = -1, .idle.fd = -1};
    int result = open_server(&server, config, listen_fd, err) == 0 ? serve(&server, err) : -1;
    close_server(&server);
    close(listen_fd);
    return result;
}
