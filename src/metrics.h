/* SPDX-License-Identifier: Apache-2.0 */
/* What a profiler counts while a kernel runs: what measure reads, judge compares and publish shows.
 * Plain data. No verdict depends on it. */
#ifndef RATCHET_METRICS_H
#define RATCHET_METRICS_H

#include <stdbool.h>
#include <stddef.h>

enum metric_unit {
    METRIC_BYTES,
    METRIC_COUNT,
    METRIC_PERCENT,
    METRIC_CYCLES /* that a warp waits, per instruction that it issues */
};

/* name, key in verdict.json, name that Nsight Compute has for it, unit, what people read. Bytes and
 * counts are of one call of forward; shares and waits are of that of its kernels which executes most
 * instructions. Times are not among them: a profiled launch is slowed down. */
#define METRIC_TABLE(X)                                                                      \
    X(LOCAL_STORES, "local_stores", "l1tex__t_sectors_pipe_lsu_mem_local_op_st.sum", COUNT,  \
      "sectors of 32 bytes stored to local memory")                                          \
    X(LOCAL_LOADS, "local_loads", "l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum", COUNT,    \
      "sectors of 32 bytes loaded from local memory")                                        \
    X(INSTRUCTIONS, "instructions", "sm__inst_executed.sum", COUNT, "instructions of warps") \
    X(TENSOR, "tensor", "sm__inst_executed_pipe_tensor.sum", COUNT,                          \
      "instructions of tensor cores")                                                        \
    X(DRAM_BYTES, "dram_bytes", "dram__bytes.sum", BYTES, "moved to and from device memory") \
    X(L2_BYTES, "l2_bytes", "lts__t_bytes.sum", BYTES, "moved through the L2 cache")         \
    X(L1_BYTES, "l1_bytes", "l1tex__t_bytes.sum", BYTES, "moved through the L1 caches")      \
    X(BANK_CONFLICTS, "bank_conflicts", "l1tex__data_bank_conflicts_pipe_lsu.sum", COUNT,    \
      "bank conflicts of shared memory and L1")                                              \
    X(L2_HITS, "l2_hits", "lts__t_sector_hit_rate.pct", PERCENT, "hits in the L2 cache")     \
    X(WARPS, "warps", "sm__warps_active.avg.pct_of_peak_sustained_active", PERCENT,          \
      "achieved occupancy")                                                                  \
    X(SM_SHARE, "sm_share", "sm__throughput.avg.pct_of_peak_sustained_elapsed", PERCENT,     \
      "of what multiprocessors can do")                                                      \
    X(DRAM_SHARE, "dram_share", "dram__throughput.avg.pct_of_peak_sustained_elapsed",        \
      PERCENT, "of what device memory can do")                                               \
    X(WAIT_MEMORY, "wait_memory",                                                            \
      "smsp__average_warps_issue_stalled_long_scoreboard_per_issue_active.ratio", CYCLES,    \
      "waiting for global or local memory")                                                  \
    X(WAIT_SHARED, "wait_shared",                                                            \
      "smsp__average_warps_issue_stalled_short_scoreboard_per_issue_active.ratio", CYCLES,   \
      "waiting for shared memory or special functions")                                      \
    X(WAIT_BARRIER, "wait_barrier",                                                          \
      "smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio", CYCLES,            \
      "waiting at barriers")                                                                 \
    X(WAIT_PIPE, "wait_pipe",                                                                \
      "smsp__average_warps_issue_stalled_math_pipe_throttle_per_issue_active.ratio", CYCLES, \
      "waiting for a busy arithmetic unit")                                                  \
    X(WAIT_QUEUE, "wait_queue",                                                              \
      "smsp__average_warps_issue_stalled_mio_throttle_per_issue_active.ratio", CYCLES,       \
      "waiting for a full memory queue")

enum metric {
#define METRIC_NAME(name, ...) METRIC_##name,
    METRIC_TABLE(METRIC_NAME)
#undef METRIC_NAME
        METRICS
};
const char *metric_key(enum metric metric);
const char *metric_tool_name(enum metric metric);
enum metric_unit metric_unit(enum metric metric);
const char *metric_words(enum metric metric);
/* Does it add up over the kernels of a call? */
bool metric_adds_up(enum metric metric);

#define METRIC_MAX 1e18 /* of any */

/* As people read it: "1.25 GB", "810 M", "43.1%", "5.12 cycles an instruction". Returns `out`. */
enum { METRIC_AMOUNT_BYTES = 48 };
const char *metric_amount(char out[METRIC_AMOUNT_BYTES], enum metric metric, double value);

/* Of one arm: NaN where the profiler does not know it, else 0 to METRIC_MAX. */
struct metric_readings {
    double values[METRICS];
};

/* How the readings of two arms differ. */
enum { METRIC_LINE_BYTES = 300 };
struct metric_change {
    char line[METRIC_LINE_BYTES]; /* in plain words; "": nobody looked */
    struct metric_pair {
        enum metric metric;
        double head, against;
    } moved[METRICS]; /* those that moved most first */
    size_t count;
    size_t alike; /* known of both, and moved less */
};

#endif
