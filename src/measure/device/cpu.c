/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own processor as a device. */
#include "measure/device/device.h"

#include "base/buf.h"
#include "cost.h"
#include "measure/device/witness.h"
#include "measure/objdump.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/* Beyond this a rotation costs more in setting up than it says: hosts with 100 MB of shared
 * cache would spend longer on making inputs than on measuring. */
static const unsigned long long rotation_max_bytes = 64ull << 20;

enum { PROC_STAT_BYTES = 4 << 20, ROTATION_TEXT_BYTES = 256 };

static const struct device_arch archs[] = {
#if defined(__x86_64__)
    {"cpu", "x86-64-v3"},
#elif defined(__aarch64__)
    {"cpu", "armv8.2-a"},
#endif
    {NULL, NULL}};

static const char *name(const struct device_use *use)
{
    return use->machine->cpu;
}

static void set_variables(const struct gpu *gpu, struct device_variables *out)
{
    (void)gpu;
    *out = (struct device_variables){.list = {NULL}};
}

/* Bytes to rotate over, and why in one line. */
static unsigned long long plan_rotation(const struct device_use *use,
                                        char text[ROTATION_TEXT_BYTES])
{
    if (use->warm_inputs) {
        snprintf(text, ROTATION_TEXT_BYTES, "warm: one set of keys and values");
        return 0;
    }
    unsigned long long llc = 2 * use->machine->llc_bytes;
    unsigned long long l2 = 2 * use->machine->l2_bytes * use->threads;
    if (llc > 0 && llc <= rotation_max_bytes) {
        snprintf(text, ROTATION_TEXT_BYTES,
                 "rotating over %.1f MiB, twice the last-level cache",
                 (double)llc / (1 << 20));
        return llc;
    }
    unsigned long long bytes = l2 > 0 && l2 < rotation_max_bytes ? l2 : rotation_max_bytes;
    snprintf(text, ROTATION_TEXT_BYTES,
             "rotating over %.1f MiB, twice the L2 of %u core%s; they may stay in the"
             " last-level cache (%.1f MiB)",
             (double)bytes / (1 << 20), use->threads, use->threads == 1 ? "" : "s",
             (double)use->machine->llc_bytes / (1 << 20));
    return bytes;
}

static unsigned long long rotation(const struct device_use *use)
{
    char ignored[ROTATION_TEXT_BYTES];
    return plan_rotation(use, ignored);
}

static int facts(const struct device_use *use, struct environment *environment,
                 struct err *err)
{
    char threads[64], inputs[ROTATION_TEXT_BYTES];
    snprintf(threads, sizeof threads, "%u%s", use->threads,
             use->pinned ? ", pinned" : ", not pinned");
    plan_rotation(use, inputs);
    return environment_set(environment, "threads", threads) == 0 &&
                   environment_set(environment, "inputs", inputs) == 0
               ? 0
               : err_set(err, ERR_HOST, "out of memory for the environment");
}

/* 64 operations a cycle (two AVX-512 fused multiply-adds) at 6 GHz on every thread: more than
 * any processor of today does. */
static double floor_ns(const struct device_use *use, const struct problem *problem)
{
    return cost_operations(problem) / (64.0 * 6.0 * use->threads);
}

static double tick_ns(const struct device_use *use)
{
    return use->machine->tick_ns;
}

/* ---- the witness ---- */

struct cpu_witness {
    struct witness witness;
    unsigned long long stolen_ticks; /* when the turn began */
};

/* Time the hypervisor took from all processors together, in ticks of 10 ms. */
static unsigned long long stolen_ticks(void)
{
    BUF_AUTO text;
    buf_init(&text, PROC_STAT_BYTES);
    unsigned long long stolen = 0;
    if (file_read("/proc/stat", &text, NULL) != 0 ||
        sscanf(text.data, "cpu %*u %*u %*u %*u %*u %*u %*u %19llu", &stolen) != 1)
        return 0;
    return stolen;
}

static void watch_begin(struct witness *witness, enum arm at_work)
{
    (void)at_work; /* what is stolen is stolen from all */
    ((struct cpu_witness *)witness)->stolen_ticks = stolen_ticks();
}

static unsigned watch_end(struct witness *witness, unsigned long long tolerated,
                          unsigned of[ARM_COUNT])
{
    (void)of;
    const struct cpu_witness *cpu = (const struct cpu_witness *)witness;
    return stolen_ticks() > cpu->stolen_ticks + tolerated ? MARK_PREEMPTED : 0;
}

static void watch_close(struct witness *witness, struct gpu_watch *seen)
{
    (void)seen;
    free(witness);
}

static int watch_open(const struct gpu *gpu, struct witness **out, struct err *err);

static const struct witness_ops watch = {
    .open = watch_open, .begin = watch_begin, .end = watch_end, .close = watch_close};

static int watch_open(const struct gpu *gpu, struct witness **out, struct err *err)
{
    (void)gpu;
    struct cpu_witness *cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL)
        return err_set(err, ERR_HOST, "out of memory for a witness");
    cpu->witness.ops = &watch;
    *out = &cpu->witness;
    return 0;
}

static const struct disassembler disassembler = {
    "objdump", "-h -d --no-show-raw-insn -j .text", objdump_parse};

const struct device_kind device_kind_cpu = {
    .prefix = "cpu",
    .harness = "cpu",
    .protocol = WIRE_PROTOCOL_CPU,
    .archs = archs,
    .disturbed_mark = MARK_PREEMPTED, /* it waited for a processor */
    .disturbed_by_time = true,
    .set_variables = set_variables,
    .name = name,
    .facts = facts,
    .rotation = rotation,
    .floor_ns = floor_ns,
    .tick_ns = tick_ns,
    .witness = &watch,
    .disassembler = &disassembler,
};
