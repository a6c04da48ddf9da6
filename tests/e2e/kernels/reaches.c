/* SPDX-License-Identifier: Apache-2.0 */
/* A right kernel that tries, at its first call, whatever reaches past its own stop: the harness, the other libraries'
 * processes, its inputs, processors that it was not given. What succeeds it returns, by the number of its line. */
#define _GNU_SOURCE
#include "attention.h"

#include <asm/ioctls.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRY(works)       \
    do                   \
        if (works)       \
            return __LINE__; \
    while (0)

static int opens(pid_t pid, const char *file, int how)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, how);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int begets(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0;
}

static int begets_by_clone(void)
{
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return child > 0;
}

/* To one that is not us. */
static int reach(pid_t pid)
{
    static char bytes[8];
    struct iovec here = {bytes, sizeof bytes}, there = {bytes, sizeof bytes};
    struct sched_param plain = {0};
    struct rlimit limit = {1000, 1000};
    cpu_set_t cpus;
    memset(&cpus, 0xff, sizeof cpus);
    TRY(kill(pid, SIGCONT) == 0);
    TRY(syscall(SYS_tgkill, pid, pid, SIGCONT) == 0);
    TRY(syscall(SYS_tkill, pid, SIGCONT) == 0);
    TRY(syscall(SYS_pidfd_open, pid, 0) >= 0);
    TRY(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0);
    TRY(process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0);
    TRY(process_vm_writev(pid, &here, 1, &there, 1, 0) >= 0);
    TRY(setpriority(PRIO_PROCESS, (id_t)pid, 5) == 0);
    TRY(sched_setscheduler(pid, SCHED_BATCH, &plain) == 0);
    TRY(sched_setaffinity(pid, sizeof cpus, &cpus) == 0);
    TRY(prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == 0);
    TRY(opens(pid, "mem", O_RDWR));
    TRY(opens(pid, "fd/0", O_RDONLY));
    return 0;
}

static int reach_all(void)
{
    DIR *processes = opendir("/proc");
    int found = 0, others = 0;
    struct dirent *entry;
    while (processes != NULL && found == 0 && (entry = readdir(processes)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 1 && pid != getpid()) {
            found = reach(pid);
            others++;
        }
    }
    if (processes != NULL)
        closedir(processes);
    TRY(found == 0 && others == 0); /* then nothing was tried */
    return found;
}

/* The memory that all share: by its descriptor, wherever one still is, and by its pages. */
static int reach_inputs(const void *k)
{
    void *page = (void *)((size_t)k & ~(size_t)4095);
    TRY(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
    TRY(madvise(page, 4096, MADV_REMOVE) == 0);
    for (int fd = 3; fd < 64; fd++) {
        TRY(fcntl(fd, F_GETFD) >= 0 && fd > 3); /* 3 is the one that it is asked by */
        TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    }
    return 0;
}

static int reach_out(const void *k, void *out)
{
    int pair[2], one = 1, found = reach_all();
    const struct itimerval soon = {.it_value = {1000, 0}};
    timer_t timer;
    cpu_set_t cpus;
    memset(&cpus, 0xff, sizeof cpus);
    if (found == 0)
        found = reach_inputs(k);
    if (found != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return found;
    TRY(begets());
    TRY(begets_by_clone());
    TRY(sched_setaffinity(0, sizeof cpus, &cpus) == 0);
    TRY(madvise((void *)((size_t)out & ~(size_t)4095), 4096, MADV_REMOVE) == 0);
    TRY(fcntl(pair[0], F_SETOWN, 1) == 0);
    TRY(fcntl(pair[0], F_SETSIG, SIGCONT) == 0);
    TRY(ioctl(pair[0], FIOSETOWN, &one) == 0);
    TRY(unshare(CLONE_NEWUSER) == 0);
    TRY(prctl(PR_SET_PDEATHSIG, 0) == 0);
    TRY(execl("/proc/self/exe", "again", NULL) == 0);
    TRY(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
    TRY(timerfd_create(CLOCK_MONOTONIC, 0) >= 0);
    TRY(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    TRY(alarm(1000) == 0 && alarm(0) != 0);
    TRY(socket(AF_INET, SOCK_STREAM, 0) >= 0);
    TRY(setpgid(0, 0) == 0);
    TRY(setsid() >= 0);
    TRY(syscall(SYS_userfaultfd, 0) >= 0);
    TRY(syscall(SYS_io_uring_setup, 8, &cpus) >= 0 || errno == EFAULT);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int forward(const struct attention_problem *p, const void *q_at, const void *k_at, const void *v_at,
                   void *out_at, float *lse, void *workspace, void *stream)
{
    static int calls;
    const float *q = q_at, *k = k_at, *v = v_at;
    float *out = out_at, *w = workspace, scale = 1.0f / sqrtf((float)p->head_dim);
    int dim = p->head_dim, found = calls++ == 0 ? reach_out(k_at, out_at) : 0;
    (void)stream;
    for (int i = 0; i < p->seq_q; i++) {
        float most = -INFINITY, sum = 0.0f;
        for (int j = 0; j < p->seq_k; j++) {
            w[j] = 0.0f;
            for (int e = 0; e < dim; e++)
                w[j] += scale * q[i * dim + e] * k[j * dim + e];
            most = fmaxf(most, w[j]);
        }
        memset(&out[i * dim], 0, (size_t)dim * sizeof *out);
        for (int j = 0; j < p->seq_k; j++) {
            float weight = expf(w[j] - most);
            sum += weight;
            for (int e = 0; e < dim; e++)
                out[i * dim + e] += weight * v[j * dim + e];
        }
        for (int e = 0; e < dim; e++)
            out[i * dim + e] /= sum;
        lse[i] = most + logf(sum);
    }
    return found;
}

static int supports(const struct attention_problem *p)
{
    return p->dtype == ATTENTION_FP32 && p->batch == 1 && p->heads == 1 && !p->causal;
}

static size_t workspace_bytes(const struct attention_problem *p)
{
    return (size_t)p->seq_k * sizeof(float);
}

ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {.abi = ATTENTION_ABI,
                                                   .device = ATTENTION_CPU,
                                                   .name = "reaches",
                                                   .supports = supports,
                                                   .workspace_bytes = workspace_bytes,
                                                   .forward = forward};
    return &kernel;
}
