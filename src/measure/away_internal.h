/* SPDX-License-Identifier: Apache-2.0 */
/* What goes between a proxy and ratchet-run: one message each way. */
#ifndef RATCHET_MEASURE_AWAY_INTERNAL_H
#define RATCHET_MEASURE_AWAY_INTERNAL_H

#include "base/buf.h"
#include "measure/away.h"
#include "measure/sandbox.h"

enum {
    AWAY_MAGIC = 0x52617772,
    AWAY_CPUS_MAX = 256,
    AWAY_WORDS_MAX = 32,
    AWAY_BINDS_MAX = 4,
    AWAY_VARIABLES_MAX = 8,
    AWAY_BYTES_MAX = 128 << 10,
    /* A proxy's stdin to PROC_LIFELINE go along. */
    AWAY_DESCRIPTORS = PROC_DATA
};

/* A request: a word that has a 1 for each descriptor that comes along and a 0 for each that does not,
 * then the sandbox, as words that end with a NUL each. */
#define AWAY_VERSION "ratchet.sandbox/3"
/* ERR_LIMIT or ERR_INTERNAL: more than these ceilings let through. */
MUST_CHECK int away_put(const struct sandbox *sandbox, struct buf *out, struct err *err);

/* What is read borrows the words. */
struct away_request {
    struct sandbox sandbox;
    struct gpu gpu;
    unsigned cpus[AWAY_CPUS_MAX];
    struct sandbox_bind binds[AWAY_BINDS_MAX + 1]; /* with what the form has */
    const char *env[AWAY_VARIABLES_MAX + 1], *argv[AWAY_WORDS_MAX + 1];
};
/* `words` ends with a NUL. ERR_INPUT: it is none. Nothing is said about what it asks for. */
MUST_CHECK int away_take(const char *words, size_t len, struct away_request *out,
                         struct err *err);

struct away_reply {
    unsigned magic;
    bool failed; /* it did not start: why was said on its stderr */
    enum proc_end end;
    int code;
    enum cgroup_memory memory;
};

#endif
