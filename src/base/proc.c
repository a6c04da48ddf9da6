/* SPDX-License-Identifier: Apache-2.0 */
/* Owns fork, exec, kill and the pipes between; knows nothing of sandboxes or kernels. */
#include "base/proc.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const uint64_t ns_per_ms = 1000000;

uint64_t proc_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void close_pair(int pair[2])
{
    file_close(&pair[0]);
    file_close(&pair[1]);
}
#define PAIR_AUTO __attribute__((cleanup(close_pair_of))) struct pair
struct pair {
    int fd[2];
};
static void close_pair_of(struct pair *pair)
{
    close_pair(pair->fd);
}

static int make_pipe(struct pair *pair, struct err *err)
{
    if (pipe2(pair->fd, O_CLOEXEC) != 0) {
        pair->fd[0] = pair->fd[1] = -1;
        return err_errno(err, ERR_HOST, errno, "create a pipe");
    }
    return 0;
}

/* ---- the child's side, between fork and exec: async-signal-safe calls only ---- */

static int limit(int resource, unsigned long long value)
{
    if (value == 0)
        return 0;
    struct rlimit rlimit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit((__rlimit_resource_t)resource, &rlimit);
}

static int set_limits(const struct proc_limits *limits)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || limit(RLIMIT_AS, limits->memory_bytes) != 0 ||
        limit(RLIMIT_FSIZE, limits->file_bytes) != 0 ||
        limit(RLIMIT_NPROC, limits->processes) != 0 ||
        limit(RLIMIT_NOFILE, limits->open_files) != 0)
        return -1;
    return 0;
}

static int become(uid_t uid, gid_t gid)
{
    if (uid == (uid_t)-1)
        return 0;
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return -1;
    return 0;
}

/* A fresh signal state: a service blocks and ignores some, a child must not inherit that. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* "0" is whoever writes it. Before the user changes: the folder is ours. */
static int join(const char *procs)
{
    if (procs[0] == '\0')
        return 0;
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t put = write(fd, "0", 1);
    close(fd);
    return put == 1 ? 0 : -1;
}

/* Descriptor 3 is the side's, where there is one; what lies there moves up first. */
static int place_side(int side, int *report)
{
    if (side < 0)
        return 0;
    *report = fcntl(*report, F_DUPFD_CLOEXEC, 4);
    if (*report < 0)
        return -1;
    return side == 3 ? fcntl(side, F_SETFD, 0) : dup2(side, 3) == 3 ? 0 : -1;
}

struct streams {
    int in, out, error, side; /* side: -1 for none */
};

static _Noreturn void child_exec(const struct proc_spec *spec, char *program,
                                 const struct streams *streams, const char *procs, int report,
                                 pid_t parent)
{
    static char *no_environment[] = {NULL};
    reset_signals();
    setpgid(0, 0);
    bool ok = dup2(streams->in, 0) == 0 && dup2(streams->out, 1) == 1 &&
              dup2(streams->error, 2) == 2 && place_side(streams->side, &report) == 0 &&
              chdir(spec->cwd == NULL ? "/" : spec->cwd) == 0 && join(procs) == 0 &&
              set_limits(&spec->limits) == 0 && become(spec->uid, spec->gid) == 0;
    /* After setresuid, which clears it; and the parent may have died before it was set. */
    ok = ok && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
    /* Libraries open descriptors too; none of them is the child's business. */
    ok = ok && close_range(streams->side < 0 ? 3 : 4, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
    if (ok) {
        /* exec's arguments are not const for historical reasons; exec does not write them. */
        union {
            const char *const *in;
            char *const *out;
        } argv = {.in = spec->argv}, envp = {.in = spec->envp};
        execve(program, argv.out, spec->envp == NULL ? no_environment : envp.out);
    }
    int problem = errno;
    ssize_t ignored = write(report, &problem, sizeof problem);
    (void)ignored;
    _exit(127);
}

/* ---- the parent's side ---- */

/* The file that argv[0] names, looked up on our own PATH. */
static int find_program(const char *name, char out[FILE_PATH_BYTES], struct err *err)
{
    if (strchr(name, '/') != NULL)
        return file_path(out, err, "%s", name);
    const char *path = getenv("PATH");
    if (path == NULL)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path != '\0') {
        size_t len = strcspn(path, ":");
        char candidate[FILE_PATH_BYTES];
        if (len > 0 && len + strlen(name) + 2 < sizeof candidate) {
            snprintf(candidate, sizeof candidate, "%.*s/%s", (int)len, path, name);
            if (access(candidate, X_OK) == 0)
                return file_path(out, err, "%s", candidate);
        }
        path += len + (path[len] == ':');
    }
    return err_set(err, ERR_HOST, "program `%s` is not installed", name);
}

/* Fork and exec. The exec's own failure comes back through a close-on-exec pipe, so a
 * program that cannot be started is told from one that exits 127. */
static int start(const struct proc_spec *spec, const struct streams *streams, pid_t *pid,
                 struct err *err)
{
    char program[FILE_PATH_BYTES], procs[FILE_PATH_BYTES] = "";
    if (find_program(spec->argv[0], program, err) != 0 ||
        (spec->cgroup != NULL && file_path(procs, err, "%s/cgroup.procs", spec->cgroup) != 0))
        return -1;
    PAIR_AUTO report = {{-1, -1}};
    if (make_pipe(&report, err) != 0)
        return -1;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0)
        return err_errno(err, ERR_HOST, errno, "fork for `%s`", spec->argv[0]);
    if (child == 0)
        child_exec(spec, program, streams, procs, report.fd[1], parent);
    setpgid(child, child); /* both sides set it: whichever runs first */
    file_close(&report.fd[1]);
    int problem = 0;
    ssize_t got;
    do {
        got = read(report.fd[0], &problem, sizeof problem);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        waitpid(child, NULL, 0);
        return err_errno(err, ERR_HOST, problem, "start `%s`", spec->argv[0]);
    }
    *pid = child;
    return 0;
}

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

/* Milliseconds for poll() until `deadline_ns`, rounded up; -1 for none (0). */
static int poll_ms(uint64_t deadline_ns)
{
    if (deadline_ns == 0)
        return -1;
    uint64_t now = proc_now_ns();
    if (now >= deadline_ns)
        return 0;
    uint64_t ms = (deadline_ns - now + ns_per_ms - 1) / ns_per_ms;
    return ms > 1000000 ? 1000000 : (int)ms;
}

static uint64_t deadline_in(unsigned ms)
{
    return ms == 0 ? 0 : proc_now_ns() + ms * ns_per_ms;
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
static bool drain(struct feed feeds[2], uint64_t deadline_ns)
{
    while (*feeds[0].fd >= 0 || *feeds[1].fd >= 0) {
        struct pollfd fds[2] = {{.fd = *feeds[0].fd, .events = POLLIN},
                                {.fd = *feeds[1].fd, .events = POLLIN}};
        int wait = poll_ms(deadline_ns);
        int ready = poll(fds, 2, wait);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || wait == 0)
            return false;
        for (size_t i = 0; i < 2; i++)
            if (fds[i].revents != 0)
                take_from(&feeds[i]);
    }
    return true;
}

/* Wait for the child until the deadline, then kill its group; always reaps it. waitid leaves
 * a zombie that holds the pid until the group is signalled, so no other process is hit. */
static void reap(pid_t pid, uint64_t deadline_ns, bool timed_out, struct proc_result *result)
{
    siginfo_t info = {0};
    while (!timed_out) {
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0 ||
            info.si_pid == pid)
            break;
        if (poll_ms(deadline_ns) == 0)
            timed_out = true;
        else
            poll(NULL, 0, 2);
    }
    kill(-pid, SIGKILL); /* the leader, or what it left behind in its group */
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (timed_out)
        *result = (struct proc_result){.end = PROC_TIMED_OUT};
    else if (WIFSIGNALED(status))
        *result = (struct proc_result){.end = PROC_SIGNALLED, .code = WTERMSIG(status)};
    else
        *result = (struct proc_result){.end = PROC_EXITED, .code = WEXITSTATUS(status)};
}

int proc_run(const struct proc_spec *spec, struct buf *out, struct proc_result *result,
             struct err *err)
{
    PAIR_AUTO pipe_out = {{-1, -1}};
    PAIR_AUTO pipe_side = {{-1, -1}};
    FD_AUTO null = -1;
    int in = stdin_of(spec, &null, err);
    if (in < 0 || make_pipe(&pipe_out, err) != 0 ||
        (spec->side != NULL && make_pipe(&pipe_side, err) != 0))
        return -1;
    struct keeper keeper;
    if (keeper_init(&keeper, out == NULL ? 0 : out->max - out->len) != 0)
        return err_set(err, ERR_HOST, "out of memory for the output of `%s`", spec->argv[0]);
    uint64_t begin = proc_now_ns();
    uint64_t deadline = deadline_in(spec->limits.wall_ms);
    const struct streams streams = {in, pipe_out.fd[1], pipe_out.fd[1], pipe_side.fd[1]};
    pid_t pid;
    if (start(spec, &streams, &pid, err) != 0) {
        buf_free(&keeper.head);
        free(keeper.tail);
        return -1;
    }
    file_close(&pipe_out.fd[1]);
    file_close(&pipe_side.fd[1]);
    /* A pipe's end is not the child's: a left-over process can hold it open, and a child
     * can close it and run on. So the deadline holds for both. */
    struct feed feeds[2] = {
        {&pipe_out.fd[0], {out == NULL ? throw_away : keeper_take, &keeper}},
        {&pipe_side.fd[0],
         spec->side == NULL ? (struct proc_side){throw_away, NULL} : *spec->side}};
    bool ended = drain(feeds, deadline);
    reap(pid, deadline, !ended, result);
    result->seconds = (double)(proc_now_ns() - begin) / 1e9;
    if (out != NULL) {
        result->truncated = keeper_finish(&keeper, out);
    } else {
        buf_free(&keeper.head);
        free(keeper.tail);
    }
    return 0;
}

int proc_call(int (*function)(void *context, struct err *err), void *context, unsigned wall_ms,
              struct err *err)
{
    PAIR_AUTO answer = {{-1, -1}};
    if (make_pipe(&answer, err) != 0)
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
    uint64_t deadline = deadline_in(wall_ms);
    struct err inner;
    size_t have = 0;
    bool ended = false;
    while (!ended && have < sizeof inner) {
        struct pollfd poll_fd = {.fd = answer.fd[0], .events = POLLIN};
        int ready = poll(&poll_fd, 1, poll_ms(deadline));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            break;
        ssize_t got = read(answer.fd[0], (char *)&inner + have, sizeof inner - have);
        ended = got == 0 || (got < 0 && errno != EINTR);
        have += got > 0 ? (size_t)got : 0;
    }
    struct proc_result result;
    reap(pid, deadline, have < sizeof inner && !ended, &result);
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

/* ---- a child that is talked to ---- */

struct proc_child {
    pid_t pid;
    int in;  /* its stdin */
    int out; /* its stdout, non-blocking */
    int error;
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
    if (make_pipe(&in, err) != 0 || make_pipe(&lines, err) != 0 || make_pipe(&error, err) != 0)
        return -1;
    struct proc_child *child = calloc(1, sizeof *child);
    if (child == NULL)
        return err_set(err, ERR_HOST, "out of memory for a child process");
    const struct streams streams = {in.fd[0], lines.fd[1], error.fd[1], -1};
    if (start(spec, &streams, &child->pid, err) != 0) {
        free(child);
        return -1;
    }
    child->in = in.fd[1];
    child->out = lines.fd[0];
    child->error = error.fd[0];
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
    uint64_t deadline = deadline_in(SEND_MS);
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
            if (poll(&poll_fd, 1, poll_ms(deadline)) == 0)
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
    if (out->failed)
        return err_set(err, ERR_LIMIT, "a line of the child process is longer than %zu bytes",
                       out->max);
    return end != NULL;
}

int proc_read_line(struct proc_child *child, uint64_t deadline_ns, struct buf *out,
                   struct err *err)
{
    for (;;) {
        int whole = take_line(child, out, err);
        if (whole != 0)
            return whole < 0 ? -1 : 0;
        struct pollfd fds[2] = {{.fd = child->out, .events = POLLIN},
                                {.fd = child->error, .events = POLLIN}};
        int ready = poll(fds, 2, poll_ms(deadline_ns));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return err_set(err, ERR_TIMEOUT, "the child process said nothing in time");
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
    reap(child->pid, deadline_in(grace_ms), grace_ms == 0, result == NULL ? &ignored : result);
    file_close(&child->out);
    file_close(&child->error);
    buf_free(&child->stderr_text);
    free(child);
}

void proc_describe(const struct proc_result *result, char *text, size_t size)
{
    switch (result->end) {
    case PROC_EXITED:
        snprintf(text, size, "exit code %d", result->code);
        break;
    case PROC_SIGNALLED:
        snprintf(text, size, "signal %d (%s)", result->code, strsignal(result->code));
        break;
    case PROC_TIMED_OUT:
        snprintf(text, size, "killed after %.0f s", result->seconds);
        break;
    }
}
