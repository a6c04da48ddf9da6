/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the start and the end of a child: what it inherits, and that it is killed and reaped.
 * Knows nothing of sandboxes or kernels. */
#include "base/proc_internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const uint64_t ns_per_ms = 1000000;
enum { POLL_MAX_MS = 1000000 }; /* fits in an int, and in any kernel's timers */

uint64_t proc_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool proc_is_over(uint64_t deadline_ns)
{
    return deadline_ns != 0 && proc_now_ns() >= deadline_ns;
}

/* Milliseconds until the deadline, rounded up and at most what one poll() can wait; -1 for none. */
static int poll_ms(uint64_t deadline_ns)
{
    if (deadline_ns == 0)
        return -1;
    uint64_t now = proc_now_ns();
    if (now >= deadline_ns)
        return 0;
    uint64_t ms = (deadline_ns - now + ns_per_ms - 1) / ns_per_ms;
    return ms > POLL_MAX_MS ? POLL_MAX_MS : (int)ms;
}

/* A poll() that ends before the deadline with nothing ready is no end: it is begun again. */
int proc_poll(struct pollfd *fds, nfds_t count, uint64_t deadline_ns)
{
    for (;;) {
        int ready = poll(fds, count, poll_ms(deadline_ns));
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return 0;
        if (proc_is_over(deadline_ns))
            return 0;
    }
}

uint64_t proc_deadline_in(unsigned ms)
{
    return ms == 0 ? 0 : proc_now_ns() + ms * ns_per_ms;
}

void proc_close_pair(struct pair *pair)
{
    file_close(&pair->fd[0]);
    file_close(&pair->fd[1]);
}

int proc_pipe(struct pair *pair, struct err *err)
{
    if (pipe2(pair->fd, O_CLOEXEC) != 0) {
        pair->fd[0] = pair->fd[1] = -1;
        return err_errno(err, ERR_HOST, errno, "create a pipe");
    }
    return 0;
}

/* ---- lifelines ---- */

int proc_lifeline(const struct proc_spec *spec, struct lifeline *out, struct err *err)
{
    return spec->lifeline ? proc_pipe(&out->pipe, err) : 0;
}

void proc_lifeline_watch(struct lifeline *lifeline, pid_t child)
{
    if (lifeline->pipe.fd[1] >= 0)
        lifeline->child = (int)syscall(SYS_pidfd_open, child, 0);
}

void proc_lifeline_end(struct lifeline *lifeline)
{
    proc_close_pair(&lifeline->pipe);
    file_close(&lifeline->child);
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

/* Each to its number. What lies at one of these numbers moves up first. */
static int place(const struct streams *streams, int *report)
{
    int high[PROC_DESCRIPTORS];
    *report = fcntl(*report, F_DUPFD_CLOEXEC, PROC_DESCRIPTORS);
    if (*report < 0)
        return -1;
    for (int i = 0; i < PROC_DESCRIPTORS; i++) {
        high[i] = streams->fd[i];
        if (high[i] >= 0 && (high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, PROC_DESCRIPTORS)) < 0)
            return -1;
    }
    for (int i = 0; i < PROC_DESCRIPTORS; i++)
        if (high[i] < 0)
            close(i);
        else if (dup2(high[i], i) != i)
            return -1;
    /* Libraries open descriptors too; none of them is the child's business. */
    return close_range(PROC_DESCRIPTORS, ~0u, CLOSE_RANGE_CLOEXEC);
}

static int confine(const unsigned *cpus, size_t count)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < count; i++)
        if (cpus[i] < CPU_SETSIZE)
            CPU_SET(cpus[i], &set);
    return count == 0 ? 0 : sched_setaffinity(0, sizeof set, &set);
}

static _Noreturn void child_exec(const struct proc_spec *spec, char *program,
                                 const struct streams *streams, const char *procs, int report,
                                 pid_t parent)
{
    static char *no_environment[] = {NULL};
    reset_signals();
    setpgid(0, 0);
    bool ok = place(streams, &report) == 0 &&
              chdir(spec->cwd == NULL ? "/" : spec->cwd) == 0 && join(procs) == 0 &&
              confine(spec->cpus, spec->cpu_count) == 0 && set_limits(&spec->limits) == 0 &&
              become(spec->uid, spec->gid) == 0;
    /* After setresuid, which clears it; and the parent may have died before it was set. */
    ok = ok &&
         (spec->lifeline || (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent));
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

int proc_find(const char *name, char out[FILE_PATH_BYTES], struct err *err)
{
    if (strchr(name, '/') != NULL)
        return file_path(out, err, "%s", name);
    const char *path = getenv("PATH");
    if (path == NULL)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path != '\0') {
        size_t len = strcspn(path, ":");
        if (path[0] == '/' && file_path(out, NULL, "%.*s/%s", (int)len, path, name) == 0 &&
            access(out, X_OK) == 0)
            return 0;
        path += len + (path[len] == ':');
    }
    return err_set(err, ERR_HOST, "program `%s` is not installed", name);
}

/* The exec's own failure comes back through a close-on-exec pipe. */
int proc_launch(const struct proc_spec *spec, const struct streams *streams, pid_t *pid,
                struct err *err)
{
    char program[FILE_PATH_BYTES], procs[FILE_PATH_BYTES] = "";
    if (proc_find(spec->argv[0], program, err) != 0 ||
        (spec->cgroup != NULL && file_path(procs, err, "%s/cgroup.procs", spec->cgroup) != 0))
        return -1;
    PAIR_AUTO report = {{-1, -1}};
    if (proc_pipe(&report, err) != 0)
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

/* waitid leaves a zombie that holds the pid until the group is signalled, so no other process is
 * hit. */
void proc_reap(pid_t pid, uint64_t deadline_ns, bool timed_out, struct proc_result *result)
{
    siginfo_t info = {0};
    while (!timed_out) {
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0 ||
            info.si_pid == pid)
            break;
        if (proc_is_over(deadline_ns))
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
