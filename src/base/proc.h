/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes: run to the end with limits, or talk to one line by line. Every child is
 * the leader of its own process group, dies with its parent (PR_SET_PDEATHSIG, or a lifeline),
 * starts with the environment given and nothing else, and with no descriptor of ours but those
 * named. */
#ifndef RATCHET_BASE_PROC_H
#define RATCHET_BASE_PROC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_limits {
    unsigned wall_ms;                /* then the whole group is killed; 0: no limit */
    unsigned long long memory_bytes; /* RLIMIT_AS; 0: none */
    unsigned long long file_bytes;   /* RLIMIT_FSIZE; 0: none */
    unsigned processes;              /* RLIMIT_NPROC; 0: none */
    unsigned open_files;             /* RLIMIT_NOFILE; 0: as ours */
};

/* What a child of proc_run writes, in pieces as they come. `take` gives 0, or -1 when it wants no
 * more: the child then writes to a closed pipe. Never NULL. */
struct proc_side {
    int (*take)(void *context, const char *bytes, size_t len);
    void *context;
};

/* Descriptors of a child above its stdin, stdout and stderr. */
enum { PROC_SIDE = 3, PROC_LIFELINE = 4, PROC_DATA = 5, PROC_PAPER = 6, PROC_DESCRIPTORS = 7 };

struct proc_spec {
    const char *const *argv; /* argv[0] is looked up on PATH of *our* environment */
    const char *const *envp; /* NULL-terminated; NULL means an empty environment */
    const char *cwd;         /* NULL: `/` */
    int stdin_fd;            /* -1: /dev/null */
    uid_t uid;               /* run as this user and no other groups; */
    gid_t gid;               /*   (uid_t)-1 keeps ours */
    struct proc_limits limits;
    const char *cgroup;   /* folder of the cgroup it runs in; NULL: ours */
    const unsigned *cpus; /* the processors it may use… */
    size_t cpu_count;     /* …0: as we may */
    /* PROC_LIFELINE is the far end of a pipe that ends with us, or when we have done with the
     * child. The kernel does not kill it with us then: who has the lifeline sees to it. */
    bool lifeline;
    int data;  /* becomes PROC_DATA; 0: none */
    int paper; /* becomes PROC_PAPER; 0: none */
    /* Not for proc_start; NULL: nobody listens. */
    const struct proc_side *side;  /* to PROC_SIDE, which is there for it alone */
    const struct proc_side *heard; /* to stdout and stderr, where `out` is NULL */
};

enum proc_end { PROC_EXITED, PROC_SIGNALLED, PROC_TIMED_OUT };

struct proc_result {
    enum proc_end end;
    int code;       /* exit status, or the signal */
    bool truncated; /* output passed out->max; its head and tail were kept */
    double seconds; /* wall time */
};

/* Run to the end; stdout and stderr together go to `out` (may be NULL: thrown away). When
 * more comes than out->max, the first quarter and the last three quarters are kept with a
 * line between that says how many bytes were left out. A child that fails, is killed or
 * times out is *not* an error of this call: look at `result`. */
MUST_CHECK int proc_run(const struct proc_spec *spec, struct buf *out,
                        struct proc_result *result, struct err *err);

/* Run with these as its descriptors, PROC_DESCRIPTORS of them (-1: none), to its end, or until
 * `until` is readable or at its end: then its group is killed, and it has timed out. Once it runs
 * they are closed here. */
MUST_CHECK int proc_lend(const struct proc_spec *spec, int *fd, int until,
                         struct proc_result *result, struct err *err);

/* Run `function` in a forked child with a kill timer, for work that cannot be interrupted
 * (libgit2 has no network timeout). The child's error comes back through a pipe. The parent
 * must be single-threaded. */
MUST_CHECK int proc_call(int (*function)(void *context, struct err *err), void *context,
                         unsigned wall_ms, struct err *err);

/* A child that is talked to through its stdin and stdout. stderr is kept, capped. */
struct proc_child;

MUST_CHECK int proc_start(const struct proc_spec *spec, size_t stderr_max,
                          struct proc_child **child, struct err *err);
MUST_CHECK int proc_send(struct proc_child *child, const char *line, size_t len,
                         struct err *err);
/* One line without its newline. A line longer than out->max is ERR_LIMIT, silence until
 * `deadline_ns` (monotonic) ERR_TIMEOUT, end of file ERR_NOT_FOUND. */
MUST_CHECK int proc_read_line(struct proc_child *child, uint64_t deadline_ns, struct buf *out,
                              struct err *err);
const struct buf *proc_stderr(struct proc_child *child);
pid_t proc_pid(const struct proc_child *child);
/* Close its stdin, wait `grace_ms`, then kill the group; frees the child. NULL is fine. */
void proc_finish(struct proc_child *child, unsigned grace_ms, struct proc_result *result);

uint64_t proc_now_ns(void); /* CLOCK_MONOTONIC_RAW */

/* A program by its path, or looked up on our own PATH (its absolute folders). */
MUST_CHECK int proc_find(const char *name, char out[FILE_PATH_BYTES], struct err *err);

/* "exit code 2", "signal 11 (SIGSEGV)", "killed after 30 s" into `text`. */
void proc_describe(const struct proc_result *result, char *text, size_t size);

#endif
