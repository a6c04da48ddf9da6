/* SPDX-License-Identifier: Apache-2.0 */
/* Owns when the idle command runs, and its process. Whether there is something to do is the
 * schedule's to say. */
#include "daemon/idle.h"

#include "base/file.h"
#include "base/line.h"
#include "base/proc.h"
#include "measure/device/device.h"
#include "pipeline/lane_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_FAILED = 1, IDLE_FD = 3 };
#define SECOND_NS 1000000000u

/* ---- when ---- */

bool idle_watch_turn(struct idle_watch *watch, uint64_t now_ns, uint64_t slept_ns, bool busy)
{
    bool woke = slept_ns >
                watch->slept_ns + SECOND_NS; /* two clocks, read one after the other */
    if (busy || woke) {
        watch->since_ns = now_ns;
        watch->slept_ns = slept_ns;
        watch->ran = false;
    }
    return !busy && !watch->ran && now_ns - watch->since_ns >= watch->after_ns;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static uint64_t slept_ns(void)
{
    uint64_t awake = clock_ns(CLOCK_MONOTONIC);
    uint64_t all = clock_ns(CLOCK_BOOTTIME);
    return all > awake ? all - awake : 0;
}

void idle_open(struct idle *idle, const struct host *host, const char *config)
{
    *idle = (struct idle){.host = host, .config = config, .fd = -1};
    idle->watch = (struct idle_watch){.after_ns = (uint64_t)host->idle_after_s * SECOND_NS,
                                      .since_ns = proc_now_ns(),
                                      .slept_ns = slept_ns()};
}

bool idle_is_wanted(const struct idle *idle)
{
    return idle->host->idle_command[0] != '\0';
}

static uint64_t killed_at_ns(const struct idle *idle)
{
    return idle->started_ns + idle->host->limits.idle_ms * 1000000u;
}

uint64_t idle_due_ns(const struct idle *idle)
{
    if (idle->pid != 0 && !idle->stopped)
        return killed_at_ns(idle);
    return !idle_is_wanted(idle) || idle->watch.ran || idle->pid != 0
               ? UINT64_MAX
               : idle->watch.since_ns + idle->watch.after_ns;
}

/* ---- the process ---- */

/* The child's side, up to its exec: it keeps the pipe, and the log for all it says. */
static _Noreturn void become_idle(const char *config, int fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || dup2(null, 0) != 0 ||
        dup2(2, 1) != 1 || dup2(fd, IDLE_FD) != IDLE_FD || fcntl(IDLE_FD, F_SETFD, 0) != 0 ||
        close_range(IDLE_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(IDLE_FAILED);
    if (config == NULL)
        execl("/proc/self/exe", "ratchetd", "--idle", (char *)NULL);
    else
        execl("/proc/self/exe", "ratchetd", "--config", config, "--idle", (char *)NULL);
    _exit(IDLE_FAILED);
}

static int start(struct idle *idle, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_errno(err, ERR_HOST, errno, "create a pipe");
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    int problem = errno;
    if (pid == 0)
        become_idle(idle->config, fds[1], parent);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return err_errno(err, ERR_HOST, problem, "fork for idle-command");
    }
    setpgid(pid, pid);
    idle->pid = pid;
    idle->fd = fds[0];
    idle->stopped = false;
    idle->started_ns = proc_now_ns();
    return 0;
}

/* Who was on a device; false: nobody, so the command ran. Told again only when it is another. */
static bool was_in_use(struct idle *idle)
{
    char text[MODEL_TEXT_BYTES] = "";
    ssize_t got = read(idle->fd, text, sizeof text - 1);
    if (got <= 0) {
        idle->last[0] = '\0';
        return false;
    }
    if (strcmp(text, idle->last) != 0)
        line_err("ratchetd: idle-command waits: %s", text);
    memcpy(idle->last, text, sizeof text);
    return true;
}

/* False: it still runs. What it left in its group is killed while the zombie still holds the group's
 * id. */
static bool reap(struct idle *idle, struct proc_result *result)
{
    siginfo_t info = {0};
    int status = 0;
    if (waitid(P_PID, (id_t)idle->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != idle->pid)
        return false;
    kill(-idle->pid, SIGKILL);
    while (waitpid(idle->pid, &status, 0) < 0 && errno == EINTR)
        ;
    idle->pid = 0;
    *result = (struct proc_result){.end = WIFEXITED(status) ? PROC_EXITED : PROC_SIGNALLED,
                                   .code = WIFEXITED(status) ? WEXITSTATUS(status)
                                                             : WTERMSIG(status)};
    return true;
}

static void conclude(struct idle *idle, const struct proc_result *result)
{
    char how[128];
    bool in_use = was_in_use(idle);
    file_close(&idle->fd);
    idle->watch.ran = !in_use && result->end == PROC_EXITED && result->code == 0;
    if (!idle->watch.ran) /* not again before it is as long from now */
        idle->watch.since_ns = proc_now_ns();
    proc_describe(result, how, sizeof how);
    if (idle->watch.ran)
        line_err("ratchetd: idle-command ended");
    else if (!in_use)
        line_err("ratchetd: idle-command: %s; tried again when idle for %u s", how,
                 idle->host->idle_after_s);
}

/* Its end is not waited for: one that has other rights than ours cannot be killed. */
static void stop(struct idle *idle, const char *why)
{
    if (idle->stopped)
        return;
    idle->stopped = true;
    line_err("ratchetd: idle-command is killed: %s", why);
    kill(-idle->pid, SIGKILL);
}

void idle_turn(struct idle *idle, bool busy)
{
    uint64_t now_ns = proc_now_ns();
    struct proc_result result;
    struct err err;
    bool due = idle_watch_turn(&idle->watch, now_ns, slept_ns(), busy);
    if (idle->pid != 0) {
        if (reap(idle, &result))
            conclude(idle, &result);
        else if (busy)
            stop(idle, "a job has come");
        else if (now_ns >= killed_at_ns(idle))
            stop(idle, "it takes longer than idle-timeout-ms");
    } else if (due && start(idle, &err) != 0) {
        line_err("ratchetd: %s", err.text);
        idle->watch.since_ns = now_ns;
    }
}

void idle_close(struct idle *idle)
{
    if (idle->pid != 0)
        kill(-idle->pid, SIGKILL);
    idle->pid = 0;
    file_close(&idle->fd);
}

/* ---- in the child ---- */

/* 1: somebody is on this lane, by `text`; 0: nobody, or its GPU is not to be found; -1: error. */
static int look_at(const struct host *host, const struct host_device *device,
                   const struct host_lane *lane, char text[MODEL_TEXT_BYTES], struct err *err)
{
    struct lane_lock lock = LANE_LOCK_NONE;
    const struct device_kind *kind = device_kind_of(device->slug);
    bool is_gpu = device_is_gpu(device->slug);
    struct gpu gpu;
    struct err why = {0};
    char who[MODEL_TEXT_BYTES] = "";
    if (is_gpu && device_find_gpu(device->slug, lane->gpu, &gpu, &why) != 0)
        return 0;
    int taken = lane_lock_try(host, device, lane, is_gpu ? &gpu : NULL, &lock, &why);
    lane_lock_drop(&lock);
    if (taken != 0 && why.class != ERR_CONFLICT)
        return *err = why, -1;
    bool in_use = taken == 0 && is_gpu && kind != NULL && kind->is_in_use != NULL &&
                  kind->is_in_use(&gpu, who, sizeof who);
    if (taken == 0 && !in_use)
        return 0;
    snprintf(text, MODEL_TEXT_BYTES, "%s: %.400s", device->slug, in_use ? who : why.text);
    return 1;
}

static int look(const struct host *host, char text[MODEL_TEXT_BYTES], struct err *err)
{
    int found = 0;
    for (size_t d = 0; found == 0 && d < host->device_count; d++)
        for (size_t l = 0; found == 0 && l < host->devices[d].lane_count; l++)
            found = look_at(host, &host->devices[d], &host->devices[d].lanes[l], text, err);
    return found;
}

int idle_become(const struct host *host, int fd)
{
    static const char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    char text[MODEL_TEXT_BYTES] = "";
    struct err err = {0};
    int found = look(host, text, &err);
    if (found > 0) {
        ssize_t put = write(fd, text, strlen(text));
        (void)put; /* into the pipe's buffer; if it is closed, nobody listens */
        return IDLE_FAILED;
    }
    if (found < 0) {
        line_err("ratchetd: idle-command: %s", err.text);
        return IDLE_FAILED;
    }
    line_err("ratchetd: idle for %u s: idle-command runs", host->idle_after_s);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    signal(SIGPIPE, SIG_DFL); /* ignored here (base/program.h) */
    signal(SIGXFSZ, SIG_DFL);
    execle("/bin/sh", "sh", "-c", host->idle_command, (char *)NULL, environment);
    line_err("ratchetd: run /bin/sh: %s", strerror(errno));
    return IDLE_FAILED;
}
