/* SPDX-License-Identifier: Apache-2.0 */
/* What objdump prints of a library for a processor (`-h -d --no-show-raw-insn -j .text`; x86-64 and
 * aarch64), read as bytes from outside. Pure. */
#ifndef RATCHET_MEASURE_OBJDUMP_H
#define RATCHET_MEASURE_OBJDUMP_H

#include "base/err.h"
#include "codefacts.h"

#include <stddef.h>

/* All code of the library as one kernel without a name; none where no instruction was seen.
 * `capability` means nothing here. The caller owns *out. */
MUST_CHECK int objdump_parse(const char *text, size_t len, const char *capability,
                             struct code_listing *out, struct err *err);

#endif
