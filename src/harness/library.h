/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel libraries in numbered slots, each its own copy of a file. */
#ifndef RATCHET_HARNESS_LIBRARY_H
#define RATCHET_HARNESS_LIBRARY_H

#include "base/err.h"
#include "wire.h"

#include "attention.h"

#include <stdbool.h>

struct worker;

struct library {
    void *handle;                   /* in this process… */
    struct attention_kernel kernel; /* a copy: what it says later does not count */
    struct worker *worker;          /* …or in its own. Both NULL: the slot is empty */
    char name[WIRE_NAME_BYTES];
};

/* Load `path` into this process. ERR_INPUT says what is wrong with the library: it does not load,
 * exports no kernel, or one for another ABI or device. Libraries are never unloaded. */
MUST_CHECK int library_open(const char *path, enum attention_device device,
                            struct library *out, struct err *err);

/* One that a worker has loaded and calls `name`; ERR_INPUT: that is no name. The worker is borrowed. */
MUST_CHECK int library_of_worker(struct worker *worker, const char *name, struct library *out,
                                 struct err *err);

bool library_is_loaded(const struct library *library);

/* What its table answers of a problem: bytes of workspace only where it is supported. */
MUST_CHECK int library_prepare(const struct library *library,
                               const struct attention_problem *problem, bool *supported,
                               size_t *workspace, struct err *err);

#endif
