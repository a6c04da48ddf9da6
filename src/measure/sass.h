/* SPDX-License-Identifier: Apache-2.0 */
/* What cuobjdump prints of a library's kernels (`-res-usage -sass`, CUDA 12 and 13), read as bytes
 * from outside: the library may be a stranger's. Pure. */
#ifndef RATCHET_MEASURE_SASS_H
#define RATCHET_MEASURE_SASS_H

#include "base/err.h"
#include "codefacts.h"

#include <stddef.h>

enum { SASS_KERNELS_MAX = 1024 };

/* The kernels that run on a GPU of this compute capability ("9.0"; "": of any), of each the newest
 * code. What is no such text has none; more than SASS_KERNELS_MAX are ERR_LIMIT. The caller owns
 * *out.
 *
 * Spills are bytes that code stores to, or reads from, fixed places of its stack frame. Where code
 * computes an address within its frame it has arrays there, which look alike: then spills are not
 * known. */
MUST_CHECK int sass_parse(const char *text, size_t len, const char *capability,
                          struct code_listing *out, struct err *err);

/* The key of a kernel's mangled name, see struct machine_code. */
uint64_t sass_key(const char *name, size_t len);

#endif
