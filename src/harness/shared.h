/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that the harness and its workers (worker.h) have at one address. */
#ifndef RATCHET_HARNESS_SHARED_H
#define RATCHET_HARNESS_SHARED_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct shared {
    void *at; /* NULL: none */
    size_t bytes;
    int fd;
    bool inputs; /* the harness alone may write */
};

/* Every page is there and zero. ERR_HOST. */
MUST_CHECK int shared_open(size_t bytes, bool inputs, struct shared *out, struct err *err);
void shared_close(struct shared *shared);

/* In a worker, where `fd` is what it was sent: the same memory at the same address. */
MUST_CHECK int shared_map(const struct shared *shared, int fd, struct err *err);

#endif
