/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the processes that watch repositories, and when each looks. */
#include "daemon/watchers.h"

#include "base/file.h"
#include "base/line.h"
#include "base/proc.h"
#include "daemon/lanes.h"
#include "daemon/watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server that is slow holds up the end of a daemon no longer. */
enum { WATCHERS_END_MS = 5000 };

static uint64_t later_ns(uint64_t ms)
{
    return proc_now_ns() + 1000000u * ms;
}

struct one {
    const struct host_repository *repository;
    pid_t pid;       /* 0: none */
    int ask, tell;   /* pipes to it and from it; -1 */
    bool looks;      /* it was asked, and has not answered */
    uint64_t due_ns; /* when it is to look, or to be started, again */
};

struct watchers {
    const struct host *host;
    const char *config;
    struct schedule *schedule;
    struct one all[HOST_REPOSITORIES_MAX];
    size_t count;
};

int watchers_open(const struct host *host, const char *config, struct schedule *schedule,
                  struct watchers **out, struct err *err)
{
    struct watchers *watchers = calloc(1, sizeof *watchers);
    if (watchers == NULL)
        return err_set(err, ERR_HOST, "out of memory for watching");
    *watchers = (struct watchers){.host = host, .config = config, .schedule = schedule};
    for (size_t i = 0; i < host->repository_count; i++)
        if (host->repositories[i].watch)
            watchers->all[watchers->count++] = (struct one){
                .repository = &host->repositories[i], .ask = -1, .tell = -1};
    if (watchers->count > 0)
        line_err("ratchetd: watching %zu repositories, a look each %llu ms", watchers->count,
                 host->limits.watch_ms);
    *out = watchers;
    return 0;
}

/* Without its pipe each ends by itself, and where it has an App's token, revokes that first: these are waited
 * for, all of them together. Who has not ended by then ends with us. */
void watchers_close(struct watchers **watchers)
{
    struct pollfd end = {.events = 0};
    uint64_t until_ns = later_ns(WATCHERS_END_MS);
    for (size_t i = 0; *watchers != NULL && i < (*watchers)->count; i++)
        file_close(&(*watchers)->all[i].ask);
    for (size_t i = 0; *watchers != NULL && i < (*watchers)->count; i++) {
        uint64_t now_ns = proc_now_ns();
        end.fd = (*watchers)->all[i].tell;
        if ((*watchers)->all[i].repository->credential == CREDENTIAL_APP && end.fd >= 0 &&
            now_ns < until_ns)
            (void)poll(&end, 1, (int)((until_ns - now_ns) / 1000000u));
        file_close(&(*watchers)->all[i].tell);
    }
    free(*watchers);
    *watchers = NULL;
}

/* ---- the process ---- */

/* The child's side, up to its exec: it keeps the two pipes and nothing else of the daemon's. */
static _Noreturn void become_watcher(const char *config, const char *repository, int ask,
                                     int tell, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || dup2(ask, 0) != 0 ||
        dup2(tell, 1) != 1 || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(EXIT_INTERNAL);
    if (config == NULL)
        execl("/proc/self/exe", "ratchetd", "--watch", repository, (char *)NULL);
    else
        execl("/proc/self/exe", "ratchetd", "--config", config, "--watch", repository,
              (char *)NULL);
    _exit(EXIT_INTERNAL);
}

static int start(const struct watchers *watchers, struct one *one, struct err *err)
{
    int ask[2], tell[2];
    if (lanes_pipes(ask, tell, err) != 0)
        return -1;
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    int problem = errno;
    if (pid == 0)
        become_watcher(watchers->config, one->repository->name, ask[0], tell[1], parent);
    close(ask[0]);
    close(tell[1]);
    if (pid < 0) {
        close(ask[1]);
        close(tell[0]);
        return err_errno(err, ERR_HOST, problem, "fork to watch `%s`", one->repository->name);
    }
    fcntl(ask[1], F_SETFL, O_NONBLOCK);
    fcntl(tell[0], F_SETFL, O_NONBLOCK);
    one->pid = pid;
    one->ask = ask[1];
    one->tell = tell[0];
    one->looks = false;
    return 0;
}

/* Whoever reaps strays may have been quicker. */
static void end(struct one *one, const struct limits *limits)
{
    line_err("ratchetd: watch %s: its process has ended, and is started again",
             one->repository->name);
    while (waitpid(one->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    file_close(&one->ask);
    file_close(&one->tell);
    one->pid = 0;
    one->looks = false;
    one->due_ns = later_ns(limits->retry_ms);
}

/* ---- when ---- */

/* From one look to the next, however long it takes. */
static void ask(struct watchers *watchers, struct one *one)
{
    const struct limits *limits = &watchers->host->limits;
    struct err err;
    if (one->pid == 0 && start(watchers, one, &err) != 0) {
        line_err("ratchetd: %s", err.text);
        one->due_ns = later_ns(limits->retry_ms);
        return;
    }
    one->due_ns = later_ns(limits->watch_ms);
    one->looks = write(one->ask, "", 1) == 1;
    if (!one->looks)
        end(one, limits);
}

uint64_t watchers_start(struct watchers *watchers)
{
    uint64_t due_ns = UINT64_MAX;
    for (size_t i = 0; i < watchers->count; i++) {
        struct one *one = &watchers->all[i];
        uint64_t quiet_ns = schedule_quiet_until_ns(watchers->schedule, one->repository);
        uint64_t at_ns = one->due_ns > quiet_ns ? one->due_ns : quiet_ns;
        if (!one->looks && at_ns <= proc_now_ns()) {
            ask(watchers, one);
            at_ns = one->due_ns;
        }
        if (!one->looks && at_ns < due_ns)
            due_ns = at_ns;
    }
    return due_ns;
}

size_t watchers_poll(const struct watchers *watchers, struct pollfd *fds)
{
    for (size_t i = 0; i < watchers->count; i++)
        fds[i] = (struct pollfd){.fd = watchers->all[i].tell, .events = POLLIN};
    return watchers->count;
}

/* An answer is one write, of less than a pipe takes at once. */
void watchers_handle(struct watchers *watchers, const struct pollfd *fds)
{
    for (size_t i = 0; i < watchers->count; i++) {
        struct one *one = &watchers->all[i];
        struct watcher_look look;
        if (fds[i].revents == 0 || one->tell < 0 || fds[i].fd != one->tell)
            continue;
        ssize_t got = read(one->tell, &look, sizeof look);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got != (ssize_t)sizeof look) {
            end(one, &watchers->host->limits);
            continue;
        }
        one->looks = false;
        if (look.end == WATCHER_LIMITED)
            schedule_be_quiet(watchers->schedule, one->repository, look.seconds);
    }
}
