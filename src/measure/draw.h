/* SPDX-License-Identifier: Apache-2.0 */
/* What must not be foreseen is drawn here: seeds of inputs and of rows, orders, names. */
#ifndef RATCHET_MEASURE_DRAW_H
#define RATCHET_MEASURE_DRAW_H

#include "base/err.h"

#include <stdint.h>

/* 64 random bits from the kernel; each seed is fresh, so that no seed tells another. */
MUST_CHECK int draw_bits(uint64_t *out, struct err *err);

#endif
