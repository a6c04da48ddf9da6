/* SPDX-License-Identifier: Apache-2.0 */
/* Owns children that run to their end: a program whose output is kept, a function in a process
 * of its own. */
#include "base/proc_internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static int stdin_of(const struct proc_spec *spec, int *owned, struct err *err)
{
    if (spec->stdin_fd >= 0)
        return spec->stdin_fd;
    *owned = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (*owned < 0)
        return err_errno(err, ERR_HOST, errno, "open `/dev/null`");
    return *owned;
}

/* Keeps the head and the tail of a stream that may be longer than there is room for: the
 * first quarter, then a ring of the last three. */
struct keeper {
    size_t head_max, tail_max;
    unsigned long long total;
    struct buf head;
    char *tail;
    size_t tail_at; /* where the next byte goes */
};

static int keeper_init(struct keeper *keeper, size_t max)
{
    *keeper = (struct keeper){.head_max = max / 4, .tail_max = max - max / 4};
    buf_init(&keeper->head, keeper->head_max);
    keeper->tail = malloc(keeper->tail_max + 1);
    return keeper->tail == NULL ? -1 : 0;
}

static void keeper_add(struct keeper *keeper, const char *bytes, size_t len)
{
    keeper->total += len;
    size_t room = keeper->head_max - keeper->head.len;
    size_t first = len < room ? len : room;
    buf_add(&keeper->head, bytes, first);
    for (size_t i = first; i < len && keeper->tail_max > 0; i++) {
        keeper->tail[keeper->tail_at] = bytes[i];
        keeper->tail_at = (keeper->tail_at + 1) % keeper->tail_max;
    }
}

/* Move what was kept to `out`; says whether something was left out. */
static bool keeper_finish(struct keeper *keeper, struct buf *out)
{
    size_t max = out->max;
    out->max += 128; /* for the line that says what is missing */
    buf_note_loss(out, &keeper->head);
    buf_add(out, keeper->head.data, keeper->head.len);
    unsigned long long rest = keeper->total - keeper->head.len;
    bool truncated = rest > keeper->tail_max;
    if (truncated) {
        buf_addf(out, "\n[… %llu bytes left out …]\n", rest - keeper->tail_max);
        buf_add(out, keeper->tail + keeper->tail_at, keeper->tail_max - keeper->tail_at);
        buf_add(out, keeper->tail, keeper->tail_at);
    } else {
        buf_add(out, keeper->tail, (size_t)rest);
    }
    out->max = out->len > max ? out->len : max;
    buf_free(&keeper->head);
    free(keeper->tail);
    return truncated;
}

static int keeper_take(void *keeper, const char *bytes, size_t len)
{
    keeper_add(keeper, bytes, len);
    return 0;
}

static int throw_away(void *context, const char *bytes, size_t len)
{
    (void)context;
    (void)bytes;
    (void)len;
    return 0;
}

/* A pipe that is read, and who takes what comes out of it. */
struct feed {
    int *fd; /* closed, and -1, at its end */
    struct proc_side to;
};

static void take_from(struct feed *feed)
{
    char chunk[1 << 14];
    ssize_t got = read(*feed->fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0 || feed->to.take(feed->to.context, chunk, (size_t)got) != 0)
        file_close(feed->fd);
}

/* Read both to their ends or to the deadline. True if the ends came. The clock is asked each
 * time: a child that never stops talking would have something ready for ever. */
static bool drain(struct feed feeds[2], struct lifeline *lifeline, uint64_t deadline_ns)
{
    while (*feeds[0].fd >= 0 || *feeds[1].fd >= 0) {
        struct pollfd fds[3] = {{.fd = *feeds[0].fd, .events = POLLIN},
                                {.fd = *feeds[1].fd, .events = POLLIN},
                                {.fd = lifeline->child, .events = POLLIN}};
        if (proc_is_over(deadline_ns) || proc_poll(fds, 3, deadline_ns) == 0)
            return false;
        if (fds[2].revents != 0)
            proc_lifeline_end(lifeline);
        for (size_t i = 0; i < 2; i++)
            if (fds[i].revents != 0)
                take_from(&feeds[i]);
    }
    return true;
}

int proc_run(const struct proc_spec *spec, struct buf *out, struct proc_result *result,
             struct err *err)
{
    PAIR_AUTO pipe_out = {{-1, -1}};
    PAIR_AUTO pipe_side = {{-1, -1}};
    LIFELINE_AUTO lifeline = LIFELINE_NONE;
    FD_AUTO null = -1;
    int in = stdin_of(spec, &null, err);
    if (in < 0 || proc_pipe(&pipe_out, err) != 0 ||
        (spec->side != NULL && proc_pipe(&pipe_side, err) != 0) ||
        proc_lifeline(spec, &lifeline, err) != 0)
        return -1;
    struct keeper keeper;
    if (keeper_init(&keeper, out == NULL ? 0 : out->max - out->len) != 0)
        return err_set(err, ERR_HOST, "out of memory for the output of `%s`", spec->argv[0]);
    uint64_t begin = proc_now_ns();
    uint64_t deadline = proc_deadline_in(spec->limits.wall_ms);
    const struct streams streams = {{in, pipe_out.fd[1], pipe_out.fd[1], pipe_side.fd[1],
                                     lifeline.pipe.fd[0], proc_given(spec->data),
                                     proc_given(spec->paper)}};
    pid_t pid;
    if (proc_launch(spec, &streams, &pid, err) != 0) {
        buf_free(&keeper.head);
        free(keeper.tail);
        return -1;
    }
    proc_lifeline_watch(&lifeline, pid);
    file_close(&pipe_out.fd[1]);
    file_close(&pipe_side.fd[1]);
    /* A pipe's end is not the child's: a left-over process can hold it open, and a child
     * can close it and run on. So the deadline holds for both. */
    static const struct proc_side nobody = {throw_away, NULL};
    struct feed feeds[2] = {{&pipe_out.fd[0], spec->heard == NULL ? nobody : *spec->heard},
                            {&pipe_side.fd[0], spec->side == NULL ? nobody : *spec->side}};
    if (out != NULL)
        feeds[0].to = (struct proc_side){keeper_take, &keeper};
    bool ended = drain(feeds, &lifeline, deadline);
    proc_reap(pid, deadline, !ended, result);
    result->seconds = (double)(proc_now_ns() - begin) / 1e9;
    if (out != NULL) {
        result->truncated = keeper_finish(&keeper, out);
        if (out->no_memory)
            return err_set(err, ERR_HOST, "out of memory for the output of `%s`",
                           spec->argv[0]);
    } else {
        buf_free(&keeper.head);
        free(keeper.tail);
    }
    return 0;
}

int proc_lend(const struct proc_spec *spec, int *fd, int until, struct proc_result *result,
              struct err *err)
{
    struct streams streams;
    pid_t pid;
    memcpy(streams.fd, fd, sizeof streams.fd);
    uint64_t begin = proc_now_ns();
    if (proc_launch(spec, &streams, &pid, err) != 0)
        return -1;
    for (int i = 0; i < PROC_DESCRIPTORS; i++)
        file_close(&fd[i]);
    FD_AUTO end = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd fds[] = {{.fd = end, .events = POLLIN}, {.fd = until, .events = POLLIN}};
    bool ended = end >= 0 && proc_poll(fds, 2, 0) != 0 && fds[1].revents == 0;
    proc_reap(pid, 0, !ended, result);
    result->seconds = (double)(proc_now_ns() - begin) / 1e9;
    return 0;
}

int proc_call(int (*function)(void *context, struct err *err), void *context, unsigned wall_ms,
              struct err *err)
{
    PAIR_AUTO answer = {{-1, -1}};
    if (proc_pipe(&answer, err) != 0)
        return -1;
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, ERR_HOST, errno, "fork");
    if (pid == 0) {
        setpgid(0, 0);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(1);
        struct err inner = {0};
        int failed = function(context, &inner);
        inner.class = failed == 0 ? ERR_NONE : inner.class;
        ssize_t put = write(answer.fd[1], &inner, sizeof inner);
        _exit(put == (ssize_t)sizeof inner ? 0 : 1);
    }
    setpgid(pid, pid);
    file_close(&answer.fd[1]);
    uint64_t deadline = proc_deadline_in(wall_ms);
    struct err inner;
    size_t have = 0;
    bool ended = false;
    while (!ended && have < sizeof inner) {
        struct pollfd poll_fd = {.fd = answer.fd[0], .events = POLLIN};
        if (proc_poll(&poll_fd, 1, deadline) == 0)
            break;
        ssize_t got = read(answer.fd[0], (char *)&inner + have, sizeof inner - have);
        ended = got == 0 || (got < 0 && errno != EINTR);
        have += got > 0 ? (size_t)got : 0;
    }
    struct proc_result result;
    proc_reap(pid, deadline, have < sizeof inner && !ended, &result);
    if (result.end == PROC_TIMED_OUT)
        return err_set(err, ERR_TIMEOUT, "no end within %u ms", wall_ms);
    if (have < sizeof inner)
        return err_set(err, ERR_INTERNAL, "the helper process died (%s %d)",
                       result.end == PROC_SIGNALLED ? "signal" : "exit code", result.code);
    if (inner.class == ERR_NONE)
        return 0;
    if (err != NULL)
        *err = inner;
    return -1;
}
