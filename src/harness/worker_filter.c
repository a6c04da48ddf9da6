/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the filter of system calls (seccomp) of a worker. It keeps a library from what would reach past
 * its own stop: other processes of its own, and the other workers, which run as the same user. What it
 * takes away no kernel needs: attention.h allows threads. */
#include "harness/worker.h"

#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which calls make a process on this processor is not known: see worker_filter.c"
#endif

enum { SCHED_CORE = 62 };  /* PR_SCHED_CORE: who may run on the other half of a processor */
enum { X32 = 0x40000000 }; /* on x86-64: the same calls, by other numbers */

/* Refused, whatever their arguments. Timers interrupt the processor also while their owner is stopped. */
static const int never[] = {
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
    SYS_alarm,
#endif
    SYS_execve,
    SYS_execveat,
    SYS_unshare,
    SYS_setns,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_tkill,
    SYS_fallocate,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_setitimer,
    SYS_socket,
    SYS_setpgid,
    SYS_setsid,
    SYS_userfaultfd,
    SYS_perf_event_open,
    SYS_bpf,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_kcmp,
    SYS_io_uring_setup,
#ifdef SYS_process_madvise
    SYS_process_madvise,
    SYS_pidfd_getfd,
#endif
};

/* Allowed with one of two values of the first argument, or else refused. `own` stands for this process. */
enum { OWN = -1 };
static const struct {
    int call, value, other;
} only[] = {
    {SYS_kill, OWN, OWN},
    {SYS_tgkill, OWN, OWN},
    {SYS_rt_sigqueueinfo, OWN, OWN},
    {SYS_rt_tgsigqueueinfo, OWN, OWN},
    {SYS_prlimit64, OWN, 0},
    /* 0: the calling thread */
    {SYS_sched_setscheduler, 0, 0},
    {SYS_sched_setparam, 0, 0},
    {SYS_sched_setattr, 0, 0},
};

/* Refused with this value of that argument: to outlive the harness, signals to others when a file is ready,
 * and the pages of shared memory taken away. */
static const struct {
    int call, argument;
    unsigned value;
} but[] = {
    {SYS_prctl, 0, PR_SET_PDEATHSIG}, {SYS_prctl, 0, SCHED_CORE},    {SYS_fcntl, 1, F_SETOWN},
    {SYS_fcntl, 1, F_SETOWN_EX},      {SYS_fcntl, 1, F_SETSIG},      {SYS_ioctl, 1, FIOSETOWN},
    {SYS_ioctl, 1, SIOCSPGRP},        {SYS_madvise, 2, MADV_REMOVE},
};

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

struct program {
    struct sock_filter at[256];
    unsigned short count;
};

static void add(struct program *program, unsigned code, uint32_t k, unsigned char if_true,
                unsigned char if_false)
{
    program->at[program->count++] = (struct sock_filter){(unsigned short)code, if_true,
                                                         if_false, k};
}

static void load(struct program *program, size_t offset)
{
    add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *program, uint32_t what)
{
    add(program, BPF_RET | BPF_K, what, 0, 0);
}

static uint32_t refusal(int number)
{
    return SECCOMP_RET_ERRNO | ((uint32_t)number & SECCOMP_RET_DATA);
}

/* The low half of an argument: every one that is asked for is an int, or flags below 2^32. */
static void load_argument(struct program *program, int i)
{
    load(program, offsetof(struct seccomp_data, args) + (size_t)i * sizeof(uint64_t));
}

static void add_only(struct program *program, int call, uint32_t value, uint32_t other)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 5);
    load_argument(program, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 2, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, other, 1, 0);
    answer(program, refusal(EPERM));
    answer(program, SECCOMP_RET_ALLOW);
}

static void add_but(struct program *program, int call, int argument, uint32_t value)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4);
    load_argument(program, argument);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(program, refusal(EPERM));
    load(program, offsetof(struct seccomp_data, nr));
}

static void write_program(struct program *program, bool pins)
{
    uint32_t own = (uint32_t)getpid();
    load(program, offsetof(struct seccomp_data, arch));
    add(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    add(program, BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
    answer(program, SECCOMP_RET_KILL_PROCESS);
#endif
    for (size_t i = 0; i < LENGTH(never); i++) {
        add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)never[i], 0, 1);
        answer(program, refusal(EPERM));
    }
    if (!pins) {
        add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 0, 1);
        answer(program, refusal(EPERM));
    }
    /* A filter cannot read clone3's arguments; without it the C library takes clone. */
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    answer(program, refusal(ENOSYS));
    for (size_t i = 0; i < LENGTH(but); i++)
        add_but(program, but[i].call, but[i].argument, but[i].value);
    for (size_t i = 0; i < LENGTH(only); i++)
        add_only(program, only[i].call, only[i].value == OWN ? own : (uint32_t)only[i].value,
                 only[i].other == OWN ? own : (uint32_t)only[i].other);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
    load_argument(program, 0);
    add(program, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0);
    answer(program, refusal(EPERM));
    answer(program, SECCOMP_RET_ALLOW);
}

int worker_confine(bool pins, struct err *err)
{
    struct program program = {0};
    write_program(&program, pins);
    const struct sock_fprog filter = {program.count, program.at};
    /* Without that flag, which prctl cannot pass, older kernels take a filter for a wish to be slower, against
     * what processors guess. Where we may not call it ourselves, under a filter of systemd's, it is prctl. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                 &filter) != 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0))
        return err_errno(err, ERR_HOST, errno, "filter the calls of a library's process");
    return 0;
}
