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

enum { GUARD_BYTES = 256 /* poisoned, behind every output, and looked at afterwards */ };

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
    size_t workspace_bytes; /* the most that any arm wants */
    struct verifier *verifier;
    struct memory inputs; /* all sets */
    struct memory out, lse, workspace;
    struct device_inputs sets[WIRE_SETS_MAX];
    size_t set_count;     /* 0 before `allocate` */
    char *stored_row;     /* one row of out as the device stores it */
    float *turn_rows;     /* WIRE_TURN_ARMS_MAX rows of out, each followed by its lse */
    double largest_value; /* the largest |v| of the inputs made last */
    enum arm ran;         /* `rows` may come for this arm; ARM_COUNT: for none */
    uint64_t verify_seed;
    uint64_t fill_seed;
    bool filled;
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

/* Make the first `sets` input sets, set i from seed + i. */
MUST_CHECK int write_sets(struct harness *harness, enum inputs_kind kind, uint64_t seed,
                          size_t sets, struct err *err);
struct device_outputs outputs_of(const struct harness *harness);
/* Somebody else's kernel keeps its output to itself while it is timed: attention.h. */
bool is_peer(const struct harness *harness, enum arm arm);
/* Say that an arm gave a wrong result or refused; the process goes on. */
void say_wrong(enum arm arm, const char *text);
/* Launch and time: 0; 1 where the kernel went wrong, which has been said; -1. A kernel that ends
 * the device ends this process. */
MUST_CHECK int launch(struct harness *harness, enum arm arm, const struct device_plan *plan,
                      struct device_sample *sample, struct err *err);
/* The same under the vendor's tracer, with the kernels' own time. */
MUST_CHECK int launch_traced(struct harness *harness, enum arm arm,
                             const struct device_plan *plan, struct device_sample *sample,
                             unsigned long long *kernel_ns, struct err *err);
/* Which kernels it launches, likewise. */
MUST_CHECK int launch_look(struct harness *harness, enum arm arm, struct device_launches *out,
                           struct err *err);
/* One row of the outputs as floats, and its lse behind it: head_dim + 1 numbers. */
MUST_CHECK int read_row(struct harness *harness, size_t row, float *to, struct err *err);

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
/* forward.c: is an arm right? */
COMMAND(forward);
COMMAND(rows);
COMMAND(bits);
/* timing.c: how long does it take? */
COMMAND(fill);
COMMAND(calibrate);
COMMAND(turn);
COMMAND(trace);
/* launches.c: which kernels does it launch? */
COMMAND(launches);

#endif
