/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below some folders, without reading it: every name with its kind, mode, size and
 * times, and where links lead. Two equal fingerprints: nothing was replaced, added or removed. */
#ifndef RATCHET_MEASURE_FINGERPRINT_H
#define RATCHET_MEASURE_FINGERPRINT_H

#include "base/err.h"
#include "base/file.h"

struct fingerprint {
    char same[FILE_SHA256_BYTES];  /* equal for two unpackings of one archive: no ctimes */
    char exact[FILE_SHA256_BYTES]; /* with ctimes: no write to a file can hide */
    unsigned long long entries;
};

/* `roots`: NULL-terminated paths; links among them are taken as links, what is not there is
 * taken as not there. A folder that may not be listed counts by itself alone. ERR_LIMIT: more
 * than `entries` of them, or more than `ms` milliseconds. */
MUST_CHECK int fingerprint(const char *const *roots, unsigned long long entries, unsigned ms,
                           struct fingerprint *out, struct err *err);

#endif
