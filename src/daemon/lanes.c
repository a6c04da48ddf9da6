/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the worker processes; which job is next is the schedule's business. */
#include "daemon/lanes.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void lanes_init(struct lanes *lanes, const struct host *host, const char *config)
{
    *lanes = (struct lanes){.config = config, .count = LANES_CLERKS};
    for (size_t d = 0; d < host->device_count; d++)
        for (size_t i = 0; i < host->devices[d].lane_count; i++)
            lanes->lane[lanes->count++] = (struct lane){
                .device = &host->devices[d], .name = host->devices[d].lanes[i].name};
    for (size_t i = 0; i < lanes->count; i++) {
        lanes->lane[i].fd = -1;
        buf_init(&lanes->lane[i].bytes, sizeof(struct work_event));
    }
}

/* The child's side, up to its exec: it keeps the two pipes and nothing else of the daemon's.
 * A new program and not only a new process, because SQLite must not be carried over a fork. */
static _Noreturn void become_step(const char *config, const char *job, const char *lane,
                                  int token, int progress, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || dup2(token, 0) != 0 ||
        dup2(progress, 1) != 1 || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(WORK_FAILED);
    if (config == NULL)
        execl("/proc/self/exe", "ratchetd", "--step", job, "--lane", lane, (char *)NULL);
    else
        execl("/proc/self/exe", "ratchetd", "--config", config, "--step", job, "--lane", lane,
              (char *)NULL);
    _exit(WORK_FAILED);
}

int lanes_pipes(int to[2], int from[2], struct err *err)
{
    if (pipe2(to, O_CLOEXEC) != 0)
        return err_errno(err, ERR_HOST, errno, "create a pipe");
    if (pipe2(from, O_CLOEXEC) == 0)
        return 0;
    int problem = errno;
    close(to[0]);
    close(to[1]);
    return err_errno(err, ERR_HOST, problem, "create a pipe");
}

int lanes_start(struct lanes *lanes, struct lane *lane, long long job, const char *token,
                struct err *err)
{
    int tokens[2], lines[2];
    char name[32];
    snprintf(name, sizeof name, "%lld", job);
    if (lanes_pipes(tokens, lines, err) != 0)
        return -1;
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    int problem = errno;
    if (pid == 0)
        become_step(lanes->config, name, lane->name == NULL ? "" : lane->name, tokens[0],
                    lines[1], parent);
    /* Into the pipe's buffer: no reader is needed yet, and SIGPIPE is ignored. */
    ssize_t put = token == NULL ? 0 : write(tokens[1], token, strlen(token));
    (void)put; /* a step that is gone already says so by its end */
    close(tokens[0]);
    close(tokens[1]);
    close(lines[1]);
    if (pid < 0) {
        close(lines[0]);
        return err_errno(err, ERR_HOST, problem, "fork for job %lld", job);
    }
    setpgid(pid, pid);
    fcntl(lines[0], F_SETFL, O_NONBLOCK);
    lane->pid = pid;
    lane->killed = false;
    lane->job = job;
    lane->fd = lines[0];
    lane->last[0] = '\0';
    lane->now = (struct progress_figures){.stage = STAGE_NONE};
    buf_clear(&lane->bytes);
    return 0;
}

/* A step writes whole events only. Where none begins, the next byte may. */
static void take_event(struct lane *lane,
                       void (*each)(void *context, struct lane *lane,
                                    const struct work_event *event),
                       void *context)
{
    struct work_event event;
    memcpy(&event, lane->bytes.data, sizeof event);
    if (event.magic != WORK_MAGIC) {
        memmove(lane->bytes.data, lane->bytes.data + 1, --lane->bytes.len);
        return;
    }
    buf_clear(&lane->bytes);
    event.text[sizeof event.text - 1] = '\0';
    if (event.kind == WORK_LINE)
        memcpy(lane->last, event.text, sizeof lane->last);
    each(context, lane, &event);
}

bool lanes_read(struct lane *lane,
                void (*each)(void *context, struct lane *lane, const struct work_event *event),
                void *context)
{
    char chunk[4096];
    ssize_t got = 0;
    size_t want;
    do {
        want = sizeof(struct work_event) - lane->bytes.len;
        got = read(lane->fd, chunk, want < sizeof chunk ? want : sizeof chunk);
        if (got > 0)
            buf_add(&lane->bytes, chunk, (size_t)got);
        if (lane->bytes.len == sizeof(struct work_event))
            take_event(lane, each, context);
    } while (got > 0);
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

bool lanes_busy_with(const struct lanes *lanes, long long job)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->lane[i].pid != 0 && lanes->lane[i].job == job)
            return true;
    return false;
}

void lanes_kill(struct lanes *lanes, long long job)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        if (lane->pid == 0 || lane->job != job)
            continue;
        kill(-lane->pid, SIGKILL);
        lane->killed = true;
    }
}

void lanes_kill_all(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].pid != 0) {
            kill(-lanes->lane[i].pid, SIGKILL);
            lanes_reap(&lanes->lane[i]);
        }
        buf_free(&lanes->lane[i].bytes);
    }
}
