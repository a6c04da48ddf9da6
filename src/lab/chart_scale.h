/* SPDX-License-Identifier: Apache-2.0 */
/* From values to places on an axis, and which ticks it has. Private to the charts. */
#ifndef RATCHET_LAB_CHART_SCALE_H
#define RATCHET_LAB_CHART_SCALE_H

#include "lab/chart.h"

#include <stdbool.h>
#include <stddef.h>

struct scale {
    struct chart_axis axis;
    double low, high; /* values at the ends; low < high */
    double from, to;  /* places of these */
    double ticks[CHART_TICKS_MAX];
    size_t tick_count;
};

/* Can this value be shown on such an axis? */
bool scale_takes(const struct chart_axis *axis, double value);

/* The least and the greatest of values; `any` false: of none yet. */
struct extent {
    bool any;
    double low, high;
};
void extent_add(struct extent *extent, const struct chart_axis *axis, double value);

/* An axis that shows all of `extent`, with about `wanted` ticks where it has none of its own. */
void scale_set(struct scale *scale, const struct chart_axis *axis, const struct extent *extent,
               size_t wanted);
/* Where a value that the axis takes stands. */
double scale_at(const struct scale *scale, double value);

#endif
