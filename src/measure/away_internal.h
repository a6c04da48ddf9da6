/* SPDX-License-Identifier: Apache-2.0 */
/* What goes between a proxy and ratchet-run: one message each way. */
#ifndef RATCHET_MEASURE_AWAY_INTERNAL_H
#define RATCHET_MEASURE_AWAY_INTERNAL_H

#include "measure/away.h"

enum {
    AWAY_MAGIC = 0x52617772,
    AWAY_CPUS_MAX = 256,
    AWAY_BYTES_MAX = 128 << 10,
    /* A proxy's stdin to PROC_DATA go along; not its paper. */
    AWAY_DESCRIPTORS = PROC_PAPER
};

/* Followed by `words` words, each with its NUL. The first is bubblewrap's place: ratchet-run has its
 * own idea of it. */
struct away_head {
    unsigned magic, words;
    unsigned present; /* a bit for each descriptor that comes along */
    unsigned cpu_count, cpus[AWAY_CPUS_MAX];
    unsigned open_files;
    unsigned long long memory_bytes;
    bool total_alone;
    struct cgroup_limits total;
};

struct away_reply {
    unsigned magic;
    bool failed; /* it did not start: why was said on its stderr */
    enum proc_end end;
    int code;
    enum cgroup_memory memory;
};

#endif
