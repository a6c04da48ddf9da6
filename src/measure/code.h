/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel library really is, once what varies between two builds of one source is set
 * aside. Two libraries with the same hash run the same machine code on the same constants. */
#ifndef RATCHET_MEASURE_CODE_H
#define RATCHET_MEASURE_CODE_H

#include "base/err.h"
#include "model.h"

/* "sha256:…" over what the loader maps: code, constants, data, relocations and dynamic
 * symbols. Build ids, comments, debug sections and symbol tables are left out, and so is
 * every place of the file that only they decide. ELF64 little-endian shared objects only; a
 * malformed file is ERR_INPUT. */
MUST_CHECK int code_hash(const char *path, char out[MODEL_CODE_BYTES], struct err *err);

/* Does the library export exactly `attention_kernel` and no unique symbol? ERR_INPUT names
 * the first other symbol. Read from the file, nothing is loaded. */
MUST_CHECK int code_check_exports(const char *path, const char *allowed, struct err *err);

#endif
