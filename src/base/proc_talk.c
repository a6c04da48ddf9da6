/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a child that is talked to, line by line. */
#include "base/proc_internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct proc_child {
    pid_t pid;
    int in;  /* its stdin */
    int out; /* its stdout, non-blocking */
    int error;
    struct lifeline lifeline;
    struct buf stderr_text;
    char chunk[1 << 14]; /* read from `out`, not yet given out as lines */
    size_t chunk_at, chunk_len;
};

int proc_start(const struct proc_spec *spec, size_t stderr_max, struct proc_child **out,
               struct err *err)
{
    PAIR_AUTO in = {{-1, -1}};
    PAIR_AUTO lines = {{-1, -1}};
    PAIR_AUTO error = {{-1, -1}};
    LIFELINE_AUTO lifeline = LIFELINE_NONE;
    if (proc_pipe(&in, err) != 0 || proc_pipe(&lines, err) != 0 ||
        proc_pipe(&error, err) != 0 || proc_lifeline(spec, &lifeline, err) != 0)
        return -1;
    struct proc_child *child = calloc(1, sizeof *child);
    if (child == NULL)
        return err_set(err, ERR_HOST, "out of memory for a child process");
    const struct streams streams = {{in.fd[0], lines.fd[1], error.fd[1], -1,
                                     lifeline.pipe.fd[0], proc_given(spec->data),
                                     proc_given(spec->paper)}};
    if (proc_launch(spec, &streams, &child->pid, err) != 0) {
        free(child);
        return -1;
    }
    child->in = in.fd[1];
    child->out = lines.fd[0];
    child->error = error.fd[0];
    proc_lifeline_watch(&lifeline, child->pid);
    child->lifeline = lifeline;
    lifeline = (struct lifeline)LIFELINE_NONE;
    in.fd[1] = lines.fd[0] = error.fd[0] = -1;
    fcntl(child->in, F_SETFL, O_NONBLOCK);
    fcntl(child->out, F_SETFL, O_NONBLOCK);
    fcntl(child->error, F_SETFL, O_NONBLOCK);
    buf_init(&child->stderr_text, stderr_max);
    *out = child;
    return 0;
}

/* Take what is on stderr now; beyond the ceiling it is read and thrown away, so that the
 * child never blocks on it. */
static void take_stderr(struct proc_child *child)
{
    char chunk[4096];
    ssize_t got;
    while ((got = read(child->error, chunk, sizeof chunk)) > 0) {
        struct buf *text = &child->stderr_text;
        size_t room = text->max - text->len;
        buf_add(text, chunk, (size_t)got < room ? (size_t)got : room);
    }
    if (got == 0)
        file_close(&child->error);
}

int proc_send(struct proc_child *child, const char *line, size_t len, struct err *err)
{
    enum { SEND_MS = 10000 }; /* a child that does not read its commands is stuck */
    uint64_t deadline = proc_deadline_in(SEND_MS);
    /* SIGPIPE would end us for the child's death; blocked for this write only. */
    sigset_t pipe_set, old;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe_set, &old);
    int problem = 0;
    while (len > 0 && problem == 0) {
        ssize_t put = write(child->in, line, len);
        if (put > 0) {
            line += put;
            len -= (size_t)put;
        } else if (errno == EAGAIN) {
            struct pollfd poll_fd = {.fd = child->in, .events = POLLOUT};
            take_stderr(child);
            if (proc_poll(&poll_fd, 1, deadline) == 0)
                problem = ETIMEDOUT;
        } else if (errno != EINTR) {
            problem = errno;
        }
    }
    struct timespec now = {0, 0};
    while (problem == EPIPE && sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR)
        ;
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (problem == EPIPE)
        return err_set(err, ERR_NOT_FOUND, "the child process is gone");
    if (problem != 0)
        return err_errno(err, ERR_TIMEOUT, problem, "write to the child process");
    return 0;
}

/* Give out the rest of a line from the chunk. 1: a whole line, 0: more is needed, -1. */
static int take_line(struct proc_child *child, struct buf *out, struct err *err)
{
    char *begin = child->chunk + child->chunk_at;
    size_t have = child->chunk_len - child->chunk_at;
    char *end = memchr(begin, '\n', have);
    size_t len = end == NULL ? have : (size_t)(end - begin);
    buf_add(out, begin, len);
    child->chunk_at += end == NULL ? len : len + 1;
    return buf_check(out, "a line of the child process", err) != 0 ? -1 : end != NULL;
}

int proc_read_line(struct proc_child *child, uint64_t deadline_ns, struct buf *out,
                   struct err *err)
{
    for (;;) {
        int whole = take_line(child, out, err);
        if (whole != 0)
            return whole < 0 ? -1 : 0;
        struct pollfd fds[3] = {{.fd = child->out, .events = POLLIN},
                                {.fd = child->error, .events = POLLIN},
                                {.fd = child->lifeline.child, .events = POLLIN}};
        if (proc_poll(fds, 3, deadline_ns) == 0)
            return err_set(err, ERR_TIMEOUT, "the child process said nothing in time");
        if (fds[2].revents != 0)
            proc_lifeline_end(&child->lifeline);
        if (fds[1].revents != 0)
            take_stderr(child);
        if (fds[0].revents == 0)
            continue;
        ssize_t got = read(child->out, child->chunk, sizeof child->chunk);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return err_set(err, ERR_NOT_FOUND, "the child process closed its output");
        child->chunk_at = 0;
        child->chunk_len = (size_t)got;
    }
}

const struct buf *proc_stderr(struct proc_child *child)
{
    if (child->error >= 0)
        take_stderr(child);
    return &child->stderr_text;
}

pid_t proc_pid(const struct proc_child *child)
{
    return child->pid;
}

void proc_finish(struct proc_child *child, unsigned grace_ms, struct proc_result *result)
{
    if (child == NULL)
        return;
    file_close(&child->in);
    struct proc_result ignored;
    proc_reap(child->pid, proc_deadline_in(grace_ms), grace_ms == 0,
              result == NULL ? &ignored : result);
    file_close(&child->out);
    file_close(&child->error);
    proc_lifeline_end(&child->lifeline);
    buf_free(&child->stderr_text);
    free(child);
}
