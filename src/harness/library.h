/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel libraries in numbered slots, each its own copy of a file. */
#ifndef RATCHET_HARNESS_LIBRARY_H
#define RATCHET_HARNESS_LIBRARY_H

#include "base/err.h"
#include "wire.h"

#include "attention.h"

struct library {
    void *handle;                   /* NULL: the slot is empty */
    struct attention_kernel kernel; /* a copy: what it says later does not count */
    char name[WIRE_NAME_BYTES];
};

/* Load `path` into `libraries[slot]`. ERR_INPUT says what is wrong with the library: it does
 * not load, is the same object as another slot, exports no kernel, or one for another ABI
 * or device. Libraries are never unloaded. */
MUST_CHECK int library_load(struct library libraries[WIRE_SLOTS_MAX], size_t slot,
                            const char *path, enum attention_device device, struct err *err);

#endif
