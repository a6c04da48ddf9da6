/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the choice of round numbers. */
#include "lab/chart_scale.h"

#include <math.h>

bool scale_takes(const struct chart_axis *axis, double value)
{
    return isfinite(value) && (!axis->log || value > 0) &&
           (axis->most == 0 || value <= axis->most);
}

void extent_add(struct extent *extent, const struct chart_axis *axis, double value)
{
    if (!scale_takes(axis, value))
        return;
    extent->low = extent->any ? fmin(extent->low, value) : value;
    extent->high = extent->any ? fmax(extent->high, value) : value;
    extent->any = true;
}

/* The round number, 1, 2 or 5 times a power of ten, next to `step` from below. */
static double round_step(double step)
{
    double power = pow(10, floor(log10(step)));
    double times = step / power;
    return power * (times < 1.99 ? 1 : times < 4.99 ? 2 : 5);
}

static void add_tick(struct scale *scale, double value)
{
    double slack = 1e-9 * (scale->high - scale->low);
    if (scale->tick_count < CHART_TICKS_MAX && value >= scale->low - slack &&
        value <= scale->high + slack)
        scale->ticks[scale->tick_count++] = value;
}

static void add_even_ticks(struct scale *scale, double step)
{
    double first = ceil(scale->low / step - 1e-9);
    for (int i = 0; i < CHART_TICKS_MAX; i++)
        add_tick(scale, (first + i) * step);
}

/* Times 1, 2 and 5 of powers of ten, or the powers alone where these are many. */
static void add_log_ticks(struct scale *scale, size_t wanted)
{
    static const double times[] = {1, 2, 5};
    double decades = log10(scale->high / scale->low);
    size_t each = 3 * decades <= 1.5 * (double)wanted ? 3 : 1;
    int skip = decades < 1.8 * (double)wanted ? 1 : (int)ceil(decades / (double)wanted);
    int first = (int)floor(log10(scale->low));
    for (int power = first; power <= first + (int)decades + 2; power += skip)
        for (size_t i = 0; i < each; i++)
            add_tick(scale, times[i] * pow(10, power));
    if (scale->tick_count >= 3 || each == 1)
        return;
    scale->tick_count = 0;
    add_even_ticks(scale, round_step((scale->high - scale->low) / 4));
}

static void widen(struct scale *scale)
{
    if (scale->axis.log) {
        double factor = fmax(pow(scale->high / scale->low, 0.06), 1.12);
        scale->low /= factor;
        scale->high *= factor;
    } else if (scale->axis.from_zero) {
        scale->low = fmin(scale->low, 0);
        scale->high = scale->high > scale->low ? scale->high : scale->low + 1;
    } else {
        double room = 0.04 * (scale->high - scale->low);
        if (!(room > 0))
            room = scale->axis.unit == CHART_DATE ? 86400
                                                  : fmax(fabs(scale->high) * 0.1, 1e-9);
        scale->low -= room;
        scale->high += room;
    }
}

void scale_set(struct scale *scale, const struct chart_axis *axis, const struct extent *extent,
               size_t wanted)
{
    *scale = (struct scale){.axis = *axis, .low = extent->low, .high = extent->high};
    if (!extent->any) {
        scale->low = axis->log ? 1 : 0;
        scale->high = axis->log ? 10 : 1;
    }
    widen(scale);
    if (axis->ticks != NULL) {
        for (size_t i = 0; i < axis->tick_count; i++)
            add_tick(scale, axis->ticks[i]);
    } else if (axis->log) {
        add_log_ticks(scale, wanted);
    } else {
        double unit = axis->unit == CHART_DATE ? 86400 : 1;
        double step = round_step((scale->high - scale->low) / unit / (double)wanted * 1.3);
        step = unit * (axis->unit == CHART_DATE ? fmax(step, 1) : step);
        add_even_ticks(scale, step);
    }
}

double scale_at(const struct scale *scale, double value)
{
    double share = scale->axis.log ? log(value / scale->low) / log(scale->high / scale->low)
                                   : (value - scale->low) / (scale->high - scale->low);
    return scale->from + share * (scale->to - scale->from);
}
