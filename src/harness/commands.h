/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the protocol (wire.h), and the state they build up. */
#ifndef RATCHET_HARNESS_COMMANDS_H
#define RATCHET_HARNESS_COMMANDS_H

#include "base/err.h"
#include "harness/device.h"
#include "wire.h"

#include <stdbool.h>

struct harness;

MUST_CHECK int harness_open(const struct device_ops *ops, struct harness **out,
                            struct err *err);
void harness_close(struct harness *harness);

/* Do one command (its line is cut up in place) and say its answer. False: it was `quit`. */
bool harness_obey(struct harness *harness, char line[WIRE_LINE_BYTES]);

#endif
