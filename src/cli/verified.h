/* SPDX-License-Identifier: Apache-2.0 */
/* What `ratchet verify` found: is a kernel right, and does it give the same bits again? */
#ifndef RATCHET_CLI_VERIFIED_H
#define RATCHET_CLI_VERIFIED_H

#include "base/buf.h"
#include "measure/bits.h"
#include "pipeline/measurement.h"

/* A line for each config; `bits` has one for each. */
void verified_text(const struct samples *samples, const struct bits *bits, struct buf *out);
/* The same, schema ratchet.verified/1:
 *     device, commit
 *     configs[]    name, problem, right; of one that is not right fault and why; bits: same (true, false; null:
 *                  not known, with why), launches (in each process), processes, varies (a part of "launch", "process",
 *                  "threads"), threads (that were tried, where they can be varied) */
void verified_json(const struct measurement *measurement, const struct bits *bits,
                   struct buf *out);

#endif
