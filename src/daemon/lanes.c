/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the worker processes; which job is next is the server's business. */
#include "daemon/lanes.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

void lanes_init(struct lanes *lanes, const struct host *host)
{
    *lanes = (struct lanes){.host = host, .count = host->device_count + 1};
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        lane->device = i == 0 ? NULL : host->devices[i - 1].slug;
        lane->fd = -1;
        buf_init(&lane->line, LINE_MAX_BYTES);
    }
}

/* The child keeps the pipe and nothing else of the daemon's: a client's socket left open
 * here would hide from the client that the daemon closed it. */
static _Noreturn void work(const struct host *host, long long job, const char *token, int fd,
                           pid_t parent)
{
    enum { PROGRESS_FD = 3 };
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        dup2(fd, PROGRESS_FD) != PROGRESS_FD || close_range(PROGRESS_FD + 1, ~0u, 0) != 0 ||
        fcntl(PROGRESS_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(WORK_FAILED);
    signal(SIGPIPE, SIG_IGN);
    exit(work_step(host, job, token, PROGRESS_FD));
}

int lanes_start(struct lanes *lanes, struct lane *lane, long long job, const char *token,
                struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, ERR_HOST, errno, "create a pipe");
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int problem = errno;
        close(fds[0]);
        close(fds[1]);
        return err_errno(err, ERR_HOST, problem, "fork for job %lld", job);
    }
    if (pid == 0)
        work(lanes->host, job, token, fds[1], parent);
    setpgid(pid, pid);
    close(fds[1]);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    lane->pid = pid;
    lane->job = job;
    lane->fd = fds[0];
    lane->later_s = 0;
    buf_clear(&lane->line);
    return 0;
}

static void end_line(struct lane *lane,
                     void (*each)(void *context, long long job, const char *line),
                     void *context)
{
    unsigned seconds;
    if (sscanf(lane->line.data, "later %9u", &seconds) == 1)
        lane->later_s = seconds;
    else if (lane->line.len > 0)
        each(context, lane->job, lane->line.data);
    buf_clear(&lane->line);
}

bool lanes_read(struct lane *lane, void (*each)(void *context, long long job, const char *line),
                void *context)
{
    char chunk[4096];
    ssize_t got;
    while ((got = read(lane->fd, chunk, sizeof chunk)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (chunk[i] == '\n' || lane->line.len == lane->line.max)
                end_line(lane, each, context);
            if (chunk[i] != '\n')
                buf_addc(&lane->line, chunk[i]);
        }
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

enum work_end lanes_reap(struct lane *lane)
{
    /* The pipe is at its end, so the process is in exit(): its status is worth a wait. What
     * it left in its group is killed while the zombie still holds the group's id. */
    siginfo_t info;
    while (waitid(P_PID, (id_t)lane->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    kill(-lane->pid, SIGKILL);
    int status = 0;
    while (waitpid(lane->pid, &status, 0) < 0 && errno == EINTR)
        ;
    file_close(&lane->fd);
    lane->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORK_DONE)
        return WORK_DONE;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORK_LATER)
        return WORK_LATER;
    return WORK_FAILED;
}

void lanes_kill(struct lanes *lanes, long long job)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->lane[i].pid != 0 && lanes->lane[i].job == job)
            kill(-lanes->lane[i].pid, SIGKILL);
}

void lanes_kill_all(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].pid != 0) {
            kill(-lanes->lane[i].pid, SIGKILL);
            lanes_reap(&lanes->lane[i]);
        }
        buf_free(&lanes->lane[i].line);
    }
}
