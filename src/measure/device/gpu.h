/* SPDX-License-Identifier: Apache-2.0 */
/* The NVIDIA GPUs of this host as NVML, the driver's own library, tells of them from outside
 * any sandbox. NVML is opened at run time: a host without a driver has no GPUs. */
#ifndef RATCHET_MEASURE_GPU_H
#define RATCHET_MEASURE_GPU_H

#include "base/err.h"
#include "model.h"

#include <stdbool.h>

struct gpu {
    unsigned index;     /* NVML's */
    unsigned minor;     /* of /dev/nvidiaN */
    char uuid[96];      /* "GPU-…": never shown… */
    char id[17];        /* …this hash of it is: in reports, names of locks */
    char name[96];      /* "NVIDIA H200" */
    char capability[8]; /* compute capability, "9.0" */
    char driver[64];    /* "580.159.04" */
    char cuda[16];      /* newest CUDA the driver speaks, "13.0" */
    unsigned long long memory_bytes;
};

/* The GPU that lane `slug` measures on. `choice` is the host's: an index, a UUID, or NULL for
 * the first whose name makes that slug ("NVIDIA H200" makes nvidia-h200). A choice of another
 * kind of GPU than the slug says, one in MIG mode, no such GPU, or no driver is ERR_HOST. */
MUST_CHECK int gpu_find(const char *slug, const char *choice, struct gpu *out,
                        struct err *err);

/* Facts under fixed names: gpu, gpu_id (a hash), compute_capability, driver, cuda, gpu_memory,
 * persistence, ecc, power_limit, clock_policy. What cannot be read is left out. */
MUST_CHECK int gpu_facts(const struct gpu *gpu, struct environment *environment,
                         struct err *err);

/* ---- who else is there ---- */

/* Processes on the GPU, for compute or graphics, that are neither ours nor started by us.
 * `at_work`: a harness of ours is on it now, and where the driver tells nothing of it under a
 * name that /proc knows (another pid namespace), one nameless process is taken to be it. */
unsigned gpu_other_processes(const struct gpu *gpu, bool at_work);

/* A CUDA context takes more of a GPU's memory than this, and a console's picture less. */
#define GPU_CONTEXT_BYTES (100ull << 20)

/* Bytes of its memory that are in use, by whomever, without what the driver keeps for itself.
 * False: not known. */
bool gpu_used_bytes(const struct gpu *gpu, unsigned long long *bytes);

/* While no harness of ours runs: does another process use it? A container is told nothing of
 * processes outside, but their memory shows. `text`, one line, says what was seen. */
bool gpu_is_in_use(const struct gpu *gpu, char *text, size_t size);

/* ---- what it does meanwhile ---- */

struct gpu_reading {
    unsigned sm_mhz, memory_mhz, celsius, milliwatts; /* 0: could not be read */
    unsigned long long reasons; /* NVML's, why clocks were not higher, ored */
};
void gpu_read(const struct gpu *gpu, struct gpu_reading *out);

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
    unsigned long long reasons;
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

/* ---- its clocks, where ratchetd.conf says so ---- */

/* While the SM clock is locked, `folder` (that of the device locks: all users of the host share
 * it, and a restart, which unlocks clocks as well, empties it) has a file that says so. A
 * guardian process, which outlives a killed parent and keeps the lock `device_lock` as long as
 * it needs, unlocks the clock when the parent dies. Where both are killed, whoever takes the
 * device lock next calls gpu_clocks_undo. Only root may; ERR_HOST says what the driver said. */
struct gpu_clock_lock;
MUST_CHECK int gpu_clocks_lock(const struct gpu *gpu, unsigned mhz, const char *folder,
                               int device_lock, struct gpu_clock_lock **out, struct err *err);
/* Unlock, and free. NULL is fine. On an error the file stays for gpu_clocks_undo. */
MUST_CHECK int gpu_clocks_unlock(struct gpu_clock_lock **lock, struct err *err);

/* With the device lock held: unlock what a killed run left locked. *undone: it had. */
MUST_CHECK int gpu_clocks_undo(const struct gpu *gpu, const char *folder, bool *undone,
                               struct err *err);

#endif
