/* SPDX-License-Identifier: Apache-2.0 */
/* bubblewrap command lines: where untrusted code may run, and with what. No network, a
 * read-only /usr, a private /tmp and /proc, a user that owns nothing, all namespaces new, no
 * capabilities, killed with its parent. No sandbox, no run. */
#ifndef RATCHET_MEASURE_SANDBOX_H
#define RATCHET_MEASURE_SANDBOX_H

#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "measure/cgroup.h"
#include "measure/device/device.h"

#include <stdbool.h>
#include <sys/types.h>

enum sandbox_kind {
    SANDBOX_BUILD, /* compilers, no device; an empty folder /src, bounded with /tmp and HOME */
    SANDBOX_BENCH  /* a device, no compiler: shared libraries and the job's own files */
};

struct sandbox_bind {
    const char *from; /* on the host */
    const char *to;   /* inside */
    int writable;
    /* Where it is known which one it is, the sandbox's process 1 looks whether it is that one which is
     * seen: `from` may lead elsewhere by then. */
    bool known;
    dev_t device;
    ino_t inode;
};

struct sandbox {
    enum sandbox_kind kind;
    const struct device_kind *device; /* SANDBOX_BENCH: what is measured on; NULL: nothing */
    const struct gpu *gpu;            /* the one GPU that is there; NULL: every one */
    const struct sandbox_bind *binds;
    size_t bind_count;
    const char *const *argv; /* inside, NULL-terminated */
    const char *const *env;  /* NAME=value, NULL-terminated; PATH is set here */
    const char *cwd;         /* inside */
    int input;               /* a descriptor that becomes its stdin; 0: none */
    uid_t uid;               /* run bwrap as this user; (uid_t)-1: ours. Root
                                          should give one: Linux bounds no fork bomb of
                                          the real root, whatever namespace it is in */
    gid_t gid;
    unsigned long long disk_bytes;  /* SANDBOX_BUILD: bytes of /src, /tmp and HOME
                                          together, in memory; 0: half a GiB */
    unsigned long long total_bytes; /* of memory that all its processes may hold together,
                                          files in memory included, where there is a cgroup
                                          for them (measure/cgroup.h); 0: no limit */
    const unsigned *cpus;           /* the processors it may use… */
    size_t cpu_count;               /* …0: any */
    struct proc_limits limits;
};

/* Paths of the host that a build sees, each at its own place; a link is seen as a link. What a
 * library is made with lies below them: NULL-terminated, at most SANDBOX_ROOTS_MAX with it. */
enum { SANDBOX_ROOTS_MAX = 16 };
struct sandbox_roots {
    const char *paths[SANDBOX_ROOTS_MAX];
    char cuda[FILE_PATH_BYTES]; /* where /usr/local/cuda leads, if out of /usr */
};
void sandbox_build_roots(struct sandbox_roots *out);

/* Does the bubblewrap here bound a tmpfs (--size)? Without it each may hold half the memory. */
bool sandbox_bounds_disk(void);

/* A folder of the host with shared libraries, to be seen at its own place by a bench, read-only.
 * Refused with ERR_INPUT: what is no absolute path of a folder; what the sandbox makes itself or
 * keeps out, compilers and the host's /etc among it; and what one of these lies in. `dir` and
 * real[FILE_PATH_BYTES], which is filled in, have to live as long as the bind. */
enum { SANDBOX_EXPOSED_MAX = 16 };
MUST_CHECK int sandbox_expose(const char *dir, char *real, struct sandbox_bind *out,
                              struct err *err);

/* The process to start, once, for a sandbox: what `spec` needs is owned by the caller through
 * sandbox_free. Where cgroups are to be had, it gets one of its own. */
struct sandbox_command;
MUST_CHECK int sandbox_command(const struct sandbox *sandbox, struct sandbox_command **out,
                               struct proc_spec *spec, struct err *err);
/* When it has ended. Was something of it killed for want of memory? */
enum cgroup_memory sandbox_memory(const struct sandbox_command *command);
/* Was it to be started elsewhere (measure/away.h), and could not be, or was not seen to its end?
 * Then ERR_HOST with what was `said` of it. */
bool sandbox_is_lost(const struct sandbox_command *command);
MUST_CHECK int sandbox_check(const struct sandbox_command *command, const char *said,
                             struct err *err);
/* Kills what is left of it, and frees the command; ERR_HOST if something does not go. */
MUST_CHECK int sandbox_end(struct sandbox_command **command, struct err *err);
/* The same, whatever comes of it. */
void sandbox_free(struct sandbox_command **command);

/* Both in one: start it, and take what it says until it ends. */
MUST_CHECK int sandbox_run(const struct sandbox *sandbox, struct buf *said,
                           struct proc_result *result, struct err *err);

/* The sandbox did not start, `said` is what came out of it: ERR_HOST with what to do.
 * Returns -1. (A job can end with any exit code: only a line that it prints first of all
 * tells a caller that there was a sandbox.) */
int sandbox_refused(const char *said, struct err *err);

/* Is there a sandbox that works here? Runs `true` in one. ERR_HOST says why not. */
MUST_CHECK int sandbox_probe(uid_t uid, gid_t gid, struct err *err);

#endif
