/* SPDX-License-Identifier: Apache-2.0 */
/* samples.json (schema ratchet.samples/1), both ways, bytes only. The text is the contract of
 * design section 9; a reader needs schema, device, and of each config name, unit ("ns"),
 * problem and replicates with `head`. Unknown keys are ignored; a value of the wrong type, a
 * sample that is not a finite number > 0, a duplicate name, another schema or more than the
 * caps are ERR_INPUT with the path of the key. Where all configs have the same arms they
 * stand once at the top, else in each config as well. */
#ifndef RATCHET_JUDGE_SAMPLES_H
#define RATCHET_JUDGE_SAMPLES_H

#include "base/buf.h"
#include "base/err.h"
#include "limits.h"
#include "model.h"

MUST_CHECK int samples_parse(const char *bytes, size_t len, const char *name,
                             const struct limits *limits, struct samples *out,
                             struct err *err);
MUST_CHECK int samples_format(const struct samples *samples, struct buf *out, struct err *err);

#endif
