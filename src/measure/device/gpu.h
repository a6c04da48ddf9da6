/* SPDX-License-Identifier: Apache-2.0 */
/* What all GPUs share, whoever made them: which one a lane has, and what readings of it come to. */
#ifndef RATCHET_MEASURE_GPU_H
#define RATCHET_MEASURE_GPU_H

#include "base/err.h"
#include "model.h"

#include <stdbool.h>

struct gpu {
    unsigned index;     /* its driver's */
    unsigned minor;     /* of its device node */
    char uuid[96];      /* "GPU-…": never shown… */
    char id[17];        /* …this hash of it is: in reports, names of locks */
    char name[96];      /* "NVIDIA H200" */
    char capability[8]; /* compute capability, "9.0" */
    char driver[64];    /* "580.159.04" */
    char cuda[16];      /* newest CUDA the driver speaks, "13.0" */
    unsigned long long memory_bytes;
};

/* ---- what it does meanwhile ---- */

/* Why clocks are not higher. */
enum gpu_reason {
    GPU_POWER_CAP = 1 << 0,
    GPU_HARDWARE_SLOWDOWN = 1 << 1,
    GPU_THERMAL = 1 << 2,
    GPU_HARDWARE_THERMAL = 1 << 3,
    GPU_POWER_BRAKE = 1 << 4
};

struct gpu_reading {
    unsigned sm_mhz, memory_mhz, celsius, milliwatts; /* 0: could not be read */
    unsigned reasons;                                 /* enum gpu_reason, ored */
};

/* MARK_THROTTLED for thermal and hardware slowdowns and a power brake. A software power cap,
 * where a 72 W card lives, is none by itself. */
unsigned gpu_reading_marks(const struct gpu_reading *reading);

/* What readings come to: of a replicate, or of all of a job. Zeroed: none yet. */
struct gpu_watch {
    struct gpu_reading last;
    /* Drivers make a new reading ten times a second or so, and repeat it until the next: only
     * those that are fresh count for the arm at work. */
    struct gpu_clocks {
        double sum_mhz, sum_squares;
        unsigned count;
    } arms[ARM_COUNT];
    struct gpu_range {
        unsigned least, most; /* 0 where nothing could be read */
    } sm_mhz, memory_mhz, celsius, watts;
    unsigned reasons;
};
/* ARM_COUNT: no arm was at work alone. */
void gpu_watch_keep(struct gpu_watch *watch, enum arm arm, const struct gpu_reading *reading);
/* MARK_CLOCKS where the arms' mean SM clocks lie more than 1% apart, beyond what so few
 * readings scatter by themselves. */
unsigned gpu_watch_marks(const struct gpu_watch *watch);
/* The one arm that lies apart from others while those, two at least, agree; else ARM_COUNT. */
enum arm gpu_watch_odd(const struct gpu_watch *watch);
void gpu_watch_add(struct gpu_watch *to, const struct gpu_watch *from);
/* Facts whose names begin with `seen_`: they differ every time. */
MUST_CHECK int gpu_watch_facts(const struct gpu_watch *watch, struct environment *environment,
                               struct err *err);

#endif
