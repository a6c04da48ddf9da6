/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of fresh processes, recorded once, from which checks are drawn (schema ratchet.pool/1).
 * Each process measured every config: the anchor, its control and arms slowed on the device by
 * known shares, all of them the same binary, in the same turns. Kept of each arm is its median
 * in that process, which is all that the rule reads. Bytes and memory only: lab/calibrate fills
 * the file, lab/simulate reads what it holds.
 *
 * The file is lines of JSON, so that a recording can be cut off anywhere and go on. The first:
 *     {"schema": "ratchet.pool/1", "device": {…}, "commit": "…", "code": "sha256:…",
 *      "protocol": "2", "samples": 60, "entries": [["anchor", 0], …, ["head", 0.04], …],
 *      "configs": [{"name": …, "unit": "ns", "clock_resolution_ns": …, "problem": {…}}, …]}
 * and one for each process:
 *     {"ended": "2026-11-21T01:10:20Z", "seconds": 5.8,
 *      "configs": [{"seconds": 0.9, "ns": [7950.4, …], "clock": [[1.002, 0.01, 45], …],
 *                   "marks": ["shared"]}, …]}
 * seconds: of the whole process; of the turns of one config. ns: per launch, by entry. clock: of
 * each entry, as in samples.json. A pool without a protocol is of the first one (wire.h), and has
 * no clocks. */
#ifndef RATCHET_LAB_POOL_H
#define RATCHET_LAB_POOL_H

#include "base/buf.h"
#include "base/err.h"
#include "limit.h"
#include "measure/experiment.h"
#include "model.h"

enum { POOL_PROCESSES_MAX = 100000 };

/* What every pool of this schema holds, in this order. 3/97 and 4/96 are there for what is had
 * by exchanging the roles: head exactly 3% and 4% faster than its anchor. */
extern const struct experiment pool_entries;
enum {
    POOL_ANCHOR,
    POOL_CONTROL,
    POOL_BASE_5,
    POOL_0,
    POOL_0_2,
    POOL_0_5,
    POOL_1,
    POOL_2,
    POOL_3,
    POOL_3_97,
    POOL_4,
    POOL_4_96,
    POOL_5,
    POOL_10,
    POOL_ENTRIES
};

struct pool_config {
    struct config config;
    double tick_ns;
};

struct pool_row {
    double ns[POOL_ENTRIES];
    struct clock_slope clock[POOL_ENTRIES];
    double seconds; /* of all turns of this config */
    unsigned marks;
};

struct pool_process {
    char ended[32]; /* UTC */
    double seconds;
    struct pool_row *rows; /* owned; one for each config */
};

struct pool {
    struct device device;
    char commit[MODEL_SHA_BYTES];
    char code[MODEL_CODE_BYTES];
    char protocol[MODEL_PROTOCOL_BYTES];
    unsigned samples;            /* of each entry */
    struct pool_config *configs; /* owned */
    size_t config_count;
    struct pool_process *processes; /* owned */
    size_t process_count;
};
void pool_free(struct pool *pool);

/* Append a process with rows for every config; NULL when memory ran out. */
struct pool_process *pool_add(struct pool *pool);

/* The first line, and the line of one process, newline included. */
MUST_CHECK int pool_format_head(const struct pool *pool, struct buf *out, struct err *err);
MUST_CHECK int pool_format_process(const struct pool *pool, const struct pool_process *process,
                                   struct buf *out, struct err *err);

/* `used` is how many bytes were whole lines: what follows them is a line that was cut off.
 * Entries other than pool_entries are ERR_INPUT. */
MUST_CHECK int pool_parse(const char *bytes, size_t len, const char *name,
                          const struct limits *limits, struct pool *out, size_t *used,
                          struct err *err);

/* Could `b` go on where `a` was cut off? Same device, kernel, samples and configs. Else
 * ERR_INPUT, which says what differs. */
MUST_CHECK int pool_same(const struct pool *a, const struct pool *b, const char *name,
                         struct err *err);

#endif
