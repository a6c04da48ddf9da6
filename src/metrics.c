/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names and units of what a profiler counts. */
#include "metrics.h"

#include <stdio.h>

static const struct {
    const char *key, *tool_name;
    enum metric_unit unit;
    const char *words;
} rows[METRICS] = {
#define METRIC_ROW(name, key, tool_name, unit, words) \
    [METRIC_##name] = {key, tool_name, METRIC_##unit, words},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

const char *metric_key(enum metric metric)
{
    return rows[metric].key;
}

const char *metric_tool_name(enum metric metric)
{
    return rows[metric].tool_name;
}

enum metric_unit metric_unit(enum metric metric)
{
    return rows[metric].unit;
}

const char *metric_words(enum metric metric)
{
    return rows[metric].words;
}

bool metric_adds_up(enum metric metric)
{
    return rows[metric].unit == METRIC_BYTES || rows[metric].unit == METRIC_COUNT;
}

const char *metric_amount(char out[METRIC_AMOUNT_BYTES], enum metric metric, double value)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    enum { PREFIXES = sizeof prefixes / sizeof prefixes[0] };
    static const char *const behind[] = {[METRIC_BYTES] = "B",
                                         [METRIC_COUNT] = "",
                                         [METRIC_PERCENT] = "%",
                                         [METRIC_CYCLES] = " cycles an instruction"};
    size_t prefix = 0;
    for (; metric_adds_up(metric) && value >= 1000 && prefix + 1 < PREFIXES; prefix++)
        value /= 1000;
    bool blank = metric_unit(metric) == METRIC_BYTES || prefix > 0;
    snprintf(out, METRIC_AMOUNT_BYTES, value < 100 ? "%.3g%s%s%s" : "%.0f%s%s%s", value,
             blank ? " " : "", prefixes[prefix], behind[metric_unit(metric)]);
    return out;
}
