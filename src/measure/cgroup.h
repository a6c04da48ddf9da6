/* SPDX-License-Identifier: Apache-2.0 */
/* A cgroup (v2) of its own for one sandbox: what all its processes hold together is bounded, and
 * one word ends them. Only below a cgroup that was delegated to this process, with the
 * controllers `memory` and `pids`: of a systemd unit that is Delegate=memory pids. */
#ifndef RATCHET_MEASURE_CGROUP_H
#define RATCHET_MEASURE_CGROUP_H

#include "base/err.h"
#include "base/file.h"

#include <sys/types.h>

struct cgroup_limits {               /* 0: none */
    unsigned long long memory_bytes; /* of all processes, files in memory included; no swap */
    unsigned long long processes;
};

struct cgroup {
    char folder[FILE_PATH_BYTES];
};

/* The folder in which this process may make cgroups. ERR_NOT_FOUND says why there is none.
 * A cgroup that hands controllers on may hold no processes, so where this process is alone in
 * its own it moves into a leaf below; where others are there too, they are left alone. */
MUST_CHECK int cgroup_find(char folder[FILE_PATH_BYTES], struct err *err);

/* The same of another tree, for tests: `mount` holds the cgroups, `self` is what
 * /proc/self/cgroup is to a process `pid`. */
MUST_CHECK int cgroup_find_in(const char *mount, const char *self, pid_t pid,
                              char folder[FILE_PATH_BYTES], struct err *err);

/* Make one for what is about to start in it (proc_spec.cgroup), and end it: kills what
 * is left and removes the folder. */
MUST_CHECK int cgroup_make(const char *folder, const struct cgroup_limits *limits,
                           struct cgroup *out, struct err *err);
MUST_CHECK int cgroup_end(const struct cgroup *cgroup, struct err *err);

/* End those in `folder` whose makers are dead: they were killed before they could. Waits for
 * nothing: what is not gone yet is left for the next time. */
void cgroup_sweep(const char *folder);

/* Write the limits into a cgroup that is there. */
MUST_CHECK int cgroup_limit(const struct cgroup *cgroup, const struct cgroup_limits *limits,
                            struct err *err);

/* Was a process of it killed for want of memory, and whose limit was it: the cgroup's own, or
 * one further up, which the host's other work shares? */
enum cgroup_memory { CGROUP_FITS, CGROUP_RAN_OUT, CGROUP_HOST_RAN_OUT };
enum cgroup_memory cgroup_memory(const struct cgroup *cgroup);

#endif
