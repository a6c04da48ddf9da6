/* SPDX-License-Identifier: Apache-2.0 */
/* A time as our files, and GitHub, have it: "2026-11-21T01:10:20Z". */
#ifndef RATCHET_BASE_UTC_H
#define RATCHET_BASE_UTC_H

enum { UTC_BYTES = 24 };

/* Of seconds since the epoch, those before it or beyond the year 9999 at that end. Returns `out`. */
const char *utc_text(char out[UTC_BYTES], long long seconds);
const char *utc_now(char out[UTC_BYTES]);

/* Seconds since the epoch of such a text; -1 where it is none. */
long long utc_seconds(const char *text);

#endif
