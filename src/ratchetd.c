/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's main: options, configuration, socket, signals. What it serves is
 * daemon/server.c; it logs to stderr, which systemd keeps. */
#include "base/file.h"
#include "base/inherited.h"
#include "base/line.h"
#include "base/program.h"
#include "cli/cli.h"
#include "daemon/idle.h"
#include "daemon/message.h"
#include "daemon/server.h"
#include "daemon/watcher.h"
#include "daemon/work.h"
#include "intake/values.h"
#include "measure/away.h"
#include "measure/device/clocks.h"
#include "measure/cgroup.h"
#include "measure/machine.h"
#include "pipeline/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 64 };

/* What a daemon that died has left at the socket's path goes. One that answers is alive, whatever state
 * folder it has, and a file of another kind is nobody's to remove. */
static int clear_path(const char *path, const struct sockaddr_un *address, struct err *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "look at `%s`", path);
    if (!S_ISSOCK(info.st_mode))
        return err_set(err, ERR_INPUT, "daemon.socket: `%s` is there, and is no socket", path);
    FD_AUTO fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "open a socket");
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
        (errno != ECONNREFUSED && errno != ENOENT)) /* EAGAIN: alive, and busy */
        return err_set(err, ERR_CONFLICT, "another ratchetd listens on `%s`", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_errno(err, ERR_HOST, errno, "remove `%s`", path);
    return 0;
}

/* The lock beside the socket is held as long as we live, so that two that start at once do not take
 * each other's. */
static int make_socket(const struct host *host, int *lock, int *out, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char beside[FILE_PATH_BYTES];
    if (strlen(host->socket) >= sizeof address.sun_path)
        return err_set(err, ERR_INPUT, "daemon.socket: `%s` is longer than %zu bytes",
                       host->socket, sizeof address.sun_path - 1);
    memcpy(address.sun_path, host->socket, strlen(host->socket));
    FD_AUTO fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "open a socket");
    if (file_path(beside, err, "%s.lock", host->socket) != 0)
        return -1;
    if (file_lock(beside, lock, err) != 0)
        return err_wrap(err,
                        err->class == ERR_CONFLICT ? "another ratchetd listens on `%s`"
                                                   : "daemon.socket: `%s`",
                        host->socket);
    if (clear_path(host->socket, &address, err) != 0)
        return -1;
    /* Anybody may connect; who may ask is decided by the peer's user (daemon.allow-user). */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(host->socket, 0666) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
        return err_errno(err, ERR_HOST, errno, "listen on `%s`", host->socket);
    *out = fd;
    fd = -1;
    return 0;
}

static int open_state(const struct host *host, int *lock, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_mkdirs(host->state, 0711, err) != 0)
        return err_wrap(err, "daemon.state");
    if (file_path(path, err, "%s/ratchetd.lock", host->state) != 0)
        return -1;
    if (file_lock(path, lock, err) == 0)
        return 0;
    return err_wrap(err, "is another ratchetd running on this state folder?");
}

/* Asked before there is a second process: only who is alone in its cgroup can divide it. */
static void tell_sandbox_limits(const struct host *host)
{
    char folder[FILE_PATH_BYTES];
    struct err why;
    const char *elsewhere = host_run_socket(host, HOST_RUN_SOCKET);
    if (elsewhere[0] != '\0')
        line_err("ratchetd: sandbox limits: those of ratchet-run, at %s", elsewhere);
    else if (cgroup_find(folder, &why) == 0)
        line_err("ratchetd: sandbox limits: cgroup v2 (memory, pids)");
    else
        line_err("ratchetd: sandbox limits: per process; %s", why.text);
}

/* Before anything is opened: who has no file of settings is told what goes on without one. */
static void tell_settings(const struct host *host)
{
    if (host->file[0] == '\0')
        line_err("ratchetd: no " CLI_HOST_CONFIG " and no --config: state in %s, socket "
                 "%s, device cpu",
                 host->state, host->socket);
    if (host->repository_count == 0)
        line_err("ratchetd: %s%s no [repository]: every job will be refused",
                 host->file[0] == '\0' ? "there is" : host->file,
                 host->file[0] == '\0' ? "" : " names");
}

static int run(const char *config, struct err *err)
{
    static struct host host;
    FD_AUTO lock = -1;
    FD_AUTO socket_lock = -1;
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGCHLD);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    prctl(PR_SET_DUMPABLE, 0); /* tokens are in our memory: no core, no ptrace */
    umask(022);
    if (cli_host(config, &host, err) != 0 || lanes_check(&host, machine_core_of, err) != 0)
        return -1;
    tell_settings(&host);
    if (open_state(&host, &lock, err) != 0)
        return -1;
    struct err problem;
    if (hold_undo_clocks(&host, &problem) != 0)
        line_err("ratchetd: clocks that a killed run left locked: %s", problem.text);
    tell_sandbox_limits(&host);
    int fd = inherited_socket();
    if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        fd = -1;
    if (fd < 0 && make_socket(&host, &socket_lock, &fd, err) != 0)
        return -1;
    line_err("ratchetd: %zu devices, %zu repositories, listening on %s", host.device_count,
             host.repository_count, host.socket);
    return server_run(&host, config, fd, err);
}

/* `--step JOB --lane LANE`, as the daemon starts it: the token on stdin, progress on stdout. */
static int step(const char *config, const char *job, const char *lane, struct err *err)
{
    static struct host host;
    long long id;
    BUF_AUTO token;
    buf_init(&token, MODEL_TOKEN_BYTES);
    prctl(PR_SET_DUMPABLE, 0);
    umask(022);
    if (value_int(job, 1, LLONG_MAX, "--step", &id, err) != 0 ||
        cli_host(config, &host, err) != 0 || file_read_fd(0, "the token", &token, err) != 0)
        return -1;
    away_use(host_run_socket(&host, HOST_RUN_SOCKET));
    clocks_use(host_clocks_socket(&host, HOST_CLOCKS_SOCKET));
    return (int)work_step(&host, id, lane, token.data, 1);
}

/* `--idle`, as the daemon starts it: who is on a device is said on descriptor 3. */
static int idle(const char *config, struct err *err)
{
    static struct host host;
    umask(022);
    return cli_host(config, &host, err) == 0 ? idle_become(&host, 3) : -1;
}

/* `--watch OWNER/NAME`, as the daemon starts it: asked on stdin, answers on stdout. */
static int watch(const char *config, const char *repository, struct err *err)
{
    static struct host host;
    signal(SIGTERM,
           SIG_IGN); /* it ends with the daemon's pipe, and not before its token does */
    prctl(PR_SET_DUMPABLE, 0);
    umask(022);
    return cli_host(config, &host, err) == 0 ? watcher_run(&host, repository, 0, 1, err) : -1;
}

int main(int argc, char **argv)
{
    static const char usage[] =
        "usage: ratchetd [OPTION]...\n\nmeasures pull requests, one lane per device\n\n";
    const char *config = NULL, *job = NULL, *lane = "", *watched = NULL;
    bool version = false, is_idle = false;
    const struct cli_option options[] = {
        CLI_CONFIG(config),
        {"version", NULL, &version, NULL, "print it, and end"},
        {"step", &job, NULL, "JOB", NULL},
        {"lane", &lane, NULL, "LANE", NULL},
        {"idle", NULL, &is_idle, NULL, NULL},
        {"watch", &watched, NULL, "OWNER/NAME", NULL},
        CLI_OPTIONS_END};
    struct err err = {0};
    int guarded = cli_guard(argc, argv);
    if (guarded >= 0)
        return guarded;
    setlocale(LC_ALL, "C");
    program_begin();
    if (cli_wants_help(argc, argv)) {
        line_text(stdout, usage, strlen(usage));
        cli_print_options(options);
        return program_end("ratchetd", EXIT_HELD);
    }
    if (cli_options(argc, argv, options, NULL, 0, NULL, &err) == 0 && version)
        return program_answer("ratchetd", PROGRAM_VERSION, "");
    int end = err.class != ERR_NONE ? -1
              : job != NULL         ? step(config, job, lane, &err)
              : is_idle             ? idle(config, &err)
              : watched != NULL     ? watch(config, watched, &err)
                                    : run(config, &err);
    if (end >= 0)
        return end;
    line_err("ratchetd: %s", err.text);
    return (int)err_exit_code(err.class);
}
