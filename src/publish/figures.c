/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the formatting of numbers. */
#include "publish/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *not_available(char out[FIGURE_BYTES])
{
    memcpy(out, "n/a", 4);
    return out;
}

enum { PERCENT_BYTES = 32 };

/* A finite percentage, without "%". Rounded first: no "-0.00". */
static void put_percent(char out[PERCENT_BYTES], double percent, bool sign)
{
    static const double most = 1e6;
    if (fabs(percent) < 0.005)
        snprintf(out, PERCENT_BYTES, "0.00");
    else if (percent < -100.005)
        snprintf(out, PERCENT_BYTES, "under -100");
    else if (percent > most)
        snprintf(out, PERCENT_BYTES, sign ? "over +%.0f" : "over %.0f", most);
    else
        snprintf(out, PERCENT_BYTES, sign ? "%+.*f" : "%.*f", percent < 999.995 ? 2 : 0,
                 percent);
}

const char *figure_percent(char out[FIGURE_BYTES], double ratio)
{
    char percent[PERCENT_BYTES];
    if (!isfinite(ratio))
        return not_available(out);
    put_percent(percent, 100 * ratio, true);
    snprintf(out, FIGURE_BYTES, "%s%%", percent);
    return out;
}

const char *figure_share(char out[FIGURE_BYTES], double share)
{
    char percent[PERCENT_BYTES];
    if (!isfinite(share))
        return not_available(out);
    put_percent(percent, 100 * share, false);
    snprintf(out, FIGURE_BYTES, "%s%%", percent);
    return out;
}

int figure_sign(double ratio)
{
    if (!isfinite(ratio) || fabs(100 * ratio) < 0.005)
        return 0;
    return ratio > 0 ? 1 : -1;
}

const char *figure_interval(char out[FIGURE_BYTES], struct interval interval)
{
    char low[PERCENT_BYTES], high[PERCENT_BYTES];
    if (isfinite(interval.low) && isfinite(interval.high)) {
        put_percent(low, 100 * interval.low, true);
        put_percent(high, 100 * interval.high, true);
        snprintf(out, FIGURE_BYTES, "[%s, %s]", low, high);
    } else {
        memcpy(out, "[n/a]", 6);
    }
    return out;
}

const char *figure_change(char out[FIGURE_BYTES], const struct change *change)
{
    if (!change->known || !isfinite(change->change))
        return not_available(out);
    char interval[FIGURE_BYTES], percent[PERCENT_BYTES];
    put_percent(percent, 100 * change->change, true);
    figure_interval(interval, change->ci);
    snprintf(out, FIGURE_BYTES, "%s%% %.60s", percent, interval);
    return out;
}

/* `value` in the largest of `count` units, each `step` times the one before, in which it is
 * at least 1; four significant digits. */
static const char *scaled(char out[FIGURE_BYTES], double value, double step,
                          const char *const *units, size_t count, const char *suffix)
{
    size_t unit = 0;
    /* 999.95 would be printed as 1000 */
    while (unit + 1 < count && value >= step * 0.99995) {
        value /= step;
        unit++;
    }
    int decimals = value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0;
    if (value >= 1e7 || value < 0.00995)
        snprintf(out, FIGURE_BYTES, "%.3g %s%s", value, units[unit], suffix);
    else
        snprintf(out, FIGURE_BYTES, "%.*f %s%s", decimals, value, units[unit], suffix);
    return out;
}

const char *figure_time(char out[FIGURE_BYTES], double ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    if (!isfinite(ns) || ns <= 0)
        return not_available(out);
    return scaled(out, ns, 1000, units, 4, "");
}

const char *figure_rate(char out[FIGURE_BYTES], double per_ns, const char *unit)
{
    static const char *const units[] = {"k", "M", "G", "T", "P"};
    if (!isfinite(per_ns) || per_ns <= 0)
        return not_available(out);
    return scaled(out, per_ns * 1e6, 1000, units, 5, unit); /* 1 per ns is 1e6 k per s */
}

const char *figure_bytes(char out[FIGURE_BYTES], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    if (!isfinite(bytes) || bytes <= 0)
        return not_available(out);
    return scaled(out, bytes, 1024, units, 5, "");
}
