/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one measurement, which the commands of the protocol (wire.h) build up, and what
 * each stage of it offers to the others. Of the files that obey commands alone. Commands come
 * from the parent, which is trusted; they are checked all the same, since a defect there must
 * not become a wrong number here. */
#ifndef RATCHET_HARNESS_STATE_H
#define RATCHET_HARNESS_STATE_H

#include "base/err.h"
#include "harness/device.h"
#include "harness/library.h"
#include "model.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GUARD_BYTES =
        256, /* poisoned, behind every output and workspace, and looked at afterwards */
    GUARD_BYTE = 0x5a /* of a workspace's */
};

/* Device memory, owned by the harness; `at` is NULL for none. */
struct memory {
    void *at;
    size_t bytes;
};

struct harness {
    const struct device_ops *ops;
    struct device *device; /* NULL before `open` */
    unsigned long watchdog_ms;
    char folder[1024]; /* where the libraries are; a library may change directory */
    struct library libraries[WIRE_SLOTS_MAX];

    /* of the current config; made and freed by setup.c */
    bool configured;
    struct attention_problem problem;
    int slots[ARM_COUNT]; /* -1: no such arm */
    bool prepared[ARM_COUNT];
    size_t workspace_of[ARM_COUNT]; /* bytes that an arm wants… */
    size_t workspace_bytes;         /* …and the most of them */
    struct verifier *verifier;
    struct memory queries, keys_values; /* of all sets */
    struct memory out, lse, workspace;
    size_t out_stride, lse_stride; /* of struct device_outputs */
    struct device_sets sets;
    size_t most_bytes; /* that queries may take, with outputs where each launch has its own */
    char *stored_row;  /* one row of out as the device stores it */
    float *row;        /* the same as floats, followed by its lse */
    double largest_value; /* the largest |v| of the inputs made last */
    enum arm ran;         /* `rows` may come for this arm; ARM_COUNT: for none */
    uint64_t verify_seed;
    uint64_t q_seed; /* the queries of set i are drawn from q_seed + i */
    uint64_t kv_seed[WIRE_SETS_MAX];
    bool filled;       /* with inputs for timing */
    struct turn *turn; /* timing.c's */
};

/* The words of one command after its name. */
struct words {
    char **at;
    size_t count;
};

/* ---- words.c ---- */

/* Word `i` as a decimal number of at most `max`. */
bool words_number(const struct words *words, size_t i, uint64_t max, uint64_t *out);
/* Word `i` as an arm that the current config has. */
bool words_arm(const struct harness *harness, const struct words *words, size_t i,
               enum arm *out);
/* What every command answers to words that it cannot obey: -1. */
int bad_command(struct err *err);

/* ---- launch.c ---- */

/* Set 0 with inputs for verification, all from one seed. */
MUST_CHECK int write_set(struct harness *harness, uint64_t seed, struct err *err);
/* Inputs for timing: the queries of the `count` sets that end with set `last` anew, and of keys and
 * values all, or one set that `seed` draws where they are for timing already. */
MUST_CHECK int write_sets(struct harness *harness, uint64_t seed, size_t last, size_t count,
                          struct err *err);
/* Outputs and guards become poison, everywhere. */
MUST_CHECK int poison_outputs(struct harness *harness, struct err *err);
struct device_outputs outputs_of(const struct harness *harness);
/* Somebody else's kernel keeps its output to itself while it is timed: attention.h. */
bool is_peer(const struct harness *harness, enum arm arm);
/* Say that an arm gave a wrong result or refused; the process goes on. */
void say_wrong(enum arm arm, const char *text);
/* Launch and time: 0; 1 where the kernel went wrong, which has been said; -1. A kernel that ends
 * the device ends this process. */
MUST_CHECK int launch(struct harness *harness, enum arm arm, struct device_plan *plan,
                      struct device_sample *sample, struct err *err);
/* Make ready what `launch` of this plan would wait for, likewise; and forget it. */
MUST_CHECK int launch_stage(struct harness *harness, enum arm arm, struct device_plan *plan,
                            struct err *err);
void launch_unstage(struct harness *harness, struct device_plan *plan);
/* The same under the vendor's tracer, with the kernels' own time. */
MUST_CHECK int launch_traced(struct harness *harness, enum arm arm, struct device_plan *plan,
                             struct device_sample *sample, unsigned long long *kernel_ns,
                             struct err *err);
/* Which kernels it launches, likewise. */
MUST_CHECK int launch_look(struct harness *harness, enum arm arm, struct device_launches *out,
                           struct err *err);
/* One row of the outputs into harness->row. */
MUST_CHECK int read_row(struct harness *harness, size_t row, struct err *err);

/* ---- the commands, by stage; each says its own answer ---- */

#define COMMAND(name)                                                                 \
    MUST_CHECK int command_##name(struct harness *harness, const struct words *words, \
                                  struct err *err)

/* setup.c: the device, the libraries, a problem and its memory */
COMMAND(open);
COMMAND(load);
COMMAND(config);
COMMAND(prepare);
COMMAND(allocate);
COMMAND(release);
/* What `release` does; also of a config that was never complete. */
void forget_config(struct harness *harness);
/* More queries (and outputs), as many as the sets of a sample of so many launches and as most_bytes
 * allows. What was filled is gone. */
MUST_CHECK int widen(struct harness *harness, size_t launches, struct err *err);
/* timing.c's memory for a turn, and what was staged of one. */
MUST_CHECK int turn_open(struct harness *harness, struct err *err);
void turn_close(struct harness *harness);
/* forward.c: is an arm right? */
COMMAND(forward);
COMMAND(rows);
COMMAND(bits);
/* timing.c: how long does it take? */
COMMAND(fill);
COMMAND(calibrate);
COMMAND(stage);
COMMAND(turn);
COMMAND(compare);
COMMAND(trace);
/* launches.c: which kernels does it launch? */
COMMAND(launches);

#endif
