/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a time is written, and read. */
#include "base/utc.h"

#include <time.h>

const char *utc_text(char out[UTC_BYTES], long long seconds)
{
    static const long long most = 253402300799; /* the last second of the year 9999 */
    time_t when = (time_t)(seconds < 0 ? 0 : seconds > most ? most : seconds);
    struct tm utc;
    gmtime_r(&when, &utc);
    strftime(out, UTC_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return out;
}

long long utc_seconds(const char *text)
{
    struct tm utc = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return end == NULL || *end != '\0' ? -1 : (long long)timegm(&utc);
}

const char *utc_now(char out[UTC_BYTES])
{
    return utc_text(out, time(NULL));
}
