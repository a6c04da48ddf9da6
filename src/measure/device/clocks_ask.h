/* SPDX-License-Identifier: Apache-2.0 */
/* ratchet-clocks, which has the right to lock a GPU's clock, asked by who has not. A request is one message,
 * `VERB DEVICE GPU MHZ`: `lock`, or `try`, which locks nothing; the slug of a lane, our name of its GPU,
 * and the clock that the host's ratchetd.conf has for it. The answer is CLOCKS_DONE, or a line that says why
 * not. A lock lasts as long as the connection, and its end is answered, too. */
#ifndef RATCHET_MEASURE_CLOCKS_ASK_H
#define RATCHET_MEASURE_CLOCKS_ASK_H

#include "base/err.h"
#include "measure/device/gpu.h"
#include "model.h"

#include <stdbool.h>

enum { CLOCKS_LINE_BYTES = 512 };
#define CLOCKS_DONE "done"

struct clocks_wish {
    bool lock; /* else to try */
    char device[MODEL_NAME_BYTES];
    char gpu[sizeof((struct gpu *)0)->id];
    unsigned mhz;
};
MUST_CHECK int clocks_wish_read(const char *line, size_t len, struct clocks_wish *out,
                                struct err *err);

/* Ask at `socket`. `device_lock`, -1 for none, stays taken over there until the clock is free again. */
MUST_CHECK int clocks_ask(const char *socket, const struct clocks_wish *wish, int device_lock,
                          int *connection, struct err *err);
/* Have it unlocked, and close. */
MUST_CHECK int clocks_ask_end(int *connection, struct err *err);

#endif
