/* SPDX-License-Identifier: Apache-2.0 */
/* The build cache: kernel libraries by key, each whole or not there at all. What a key is
 * made of and who may store is build.c's affair. build_cache_collect is in build.h. */
#ifndef RATCHET_MEASURE_BUILD_CACHE_H
#define RATCHET_MEASURE_BUILD_CACHE_H

#include "base/err.h"

#include <stdbool.h>

/* Copy the entry's library to `library`, a path where nothing is yet. *found is false
 * where there is no entry; *dropped is true where there was one that its own SHA-256 did
 * not match: it is removed. */
MUST_CHECK int build_cache_take(const char *cache, const char *key, const char *library,
                                bool *found, bool *dropped, struct err *err);

/* Enter a library. The folder is made where absent; an entry that is there stays. */
MUST_CHECK int build_cache_store(const char *cache, const char *key, const char *library,
                                 struct err *err);

#endif
