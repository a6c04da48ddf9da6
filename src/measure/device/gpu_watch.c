/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what readings of a GPU come to: ranges, the arms' mean clocks, marks, facts. What could
 * not be read marks nothing. */
#include "measure/device/gpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GPU_CLOCK_READINGS = 8 }; /* fresh ones of an arm, before their mean says anything */

static const double clocks_apart = 0.01; /* of each other: arms that did not run alike */
static const double clocks_errors = 3.0; /* standard errors of the difference */

unsigned gpu_reading_marks(const struct gpu_reading *reading)
{
    const unsigned slow = GPU_HARDWARE_SLOWDOWN | GPU_THERMAL | GPU_HARDWARE_THERMAL |
                          GPU_POWER_BRAKE;
    return (reading->reasons & slow) != 0 ? MARK_THROTTLED : 0;
}

static void keep_range(struct gpu_range *range, unsigned value)
{
    if (value == 0)
        return;
    if (range->most == 0 || value < range->least)
        range->least = value;
    if (value > range->most)
        range->most = value;
}

/* The power, in milliwatts, hardly ever reads the same twice. */
static bool is_fresh(const struct gpu_reading *reading, const struct gpu_reading *last)
{
    return reading->sm_mhz != last->sm_mhz || reading->milliwatts != last->milliwatts;
}

void gpu_watch_keep(struct gpu_watch *watch, enum arm arm, const struct gpu_reading *reading)
{
    keep_range(&watch->sm_mhz, reading->sm_mhz);
    keep_range(&watch->memory_mhz, reading->memory_mhz);
    keep_range(&watch->celsius, reading->celsius);
    keep_range(&watch->watts, (reading->milliwatts + 500) / 1000);
    watch->reasons |= reading->reasons;
    if (arm < ARM_COUNT && reading->sm_mhz > 0 && is_fresh(reading, &watch->last)) {
        struct gpu_clocks *clocks = &watch->arms[arm];
        clocks->sum_mhz += reading->sm_mhz;
        clocks->sum_squares += (double)reading->sm_mhz * reading->sm_mhz;
        clocks->count++;
    }
    watch->last = *reading;
}

/* Mean, and the square of its standard error. False: too few. */
static bool mean_clock(const struct gpu_clocks *clocks, double *mean, double *square)
{
    double n = clocks->count;
    if (clocks->count < GPU_CLOCK_READINGS)
        return false;
    *mean = clocks->sum_mhz / n;
    *square = fmax(0.0, clocks->sum_squares / n - *mean * *mean) / (n - 1.0);
    return true;
}

/* Did these two run at other clocks? Where too little is known of one, no. */
static bool are_apart(const struct gpu_watch *watch, int i, int j)
{
    double means[2], squares[2];
    if (!mean_clock(&watch->arms[i], &means[0], &squares[0]) ||
        !mean_clock(&watch->arms[j], &means[1], &squares[1]))
        return false;
    double apart = fabs(means[0] - means[1]);
    return apart > clocks_apart * fmin(means[0], means[1]) &&
           apart > clocks_errors * sqrt(squares[0] + squares[1]);
}

unsigned gpu_watch_marks(const struct gpu_watch *watch)
{
    for (int i = 0; i < ARM_COUNT; i++)
        for (int j = 0; j < i; j++)
            if (are_apart(watch, i, j))
                return MARK_CLOCKS;
    return 0;
}

enum arm gpu_watch_odd(const struct gpu_watch *watch)
{
    unsigned pairs = 0, pairs_of[ARM_COUNT] = {0};
    for (int i = 0; i < ARM_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            bool apart = are_apart(watch, i, j);
            pairs += apart;
            pairs_of[i] += apart;
            pairs_of[j] += apart;
        }
    }
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (pairs >= 2 && pairs_of[arm] == pairs)
            return (enum arm)arm;
    return ARM_COUNT;
}

static void add_range(struct gpu_range *to, const struct gpu_range *from)
{
    keep_range(to, from->least);
    keep_range(to, from->most);
}

void gpu_watch_add(struct gpu_watch *to, const struct gpu_watch *from)
{
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        to->arms[arm].sum_mhz += from->arms[arm].sum_mhz;
        to->arms[arm].sum_squares += from->arms[arm].sum_squares;
        to->arms[arm].count += from->arms[arm].count;
    }
    add_range(&to->sm_mhz, &from->sm_mhz);
    add_range(&to->memory_mhz, &from->memory_mhz);
    add_range(&to->celsius, &from->celsius);
    add_range(&to->watts, &from->watts);
    to->reasons |= from->reasons;
}

static int range_fact(struct environment *environment, const char *name,
                      const struct gpu_range *range, const char *unit)
{
    char text[64];
    if (range->least == range->most)
        snprintf(text, sizeof text, "%u %s", range->most, unit);
    else
        snprintf(text, sizeof text, "%u to %u %s", range->least, range->most, unit);
    return range->most == 0 ? 0 : environment_set(environment, name, text);
}

/* "head 1470, anchor 1472 MHz" */
static int arms_fact(struct environment *environment, const struct gpu_watch *watch)
{
    char text[160] = "";
    double mean, square;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        size_t used = strlen(text);
        if (mean_clock(&watch->arms[arm], &mean, &square))
            snprintf(text + used, sizeof text - used, "%s%s %.0f", used > 0 ? ", " : "",
                     arm_name((enum arm)arm), mean);
    }
    if (text[0] == '\0')
        return 0;
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, " MHz");
    return environment_set(environment, "seen_mean_clocks", text);
}

static int reasons_fact(struct environment *environment, unsigned seen)
{
    static const struct {
        unsigned bit;
        const char *name;
    } reasons[] = {{GPU_POWER_CAP, "power cap"},
                   {GPU_HARDWARE_SLOWDOWN, "hardware slowdown"},
                   {GPU_THERMAL, "thermal"},
                   {GPU_HARDWARE_THERMAL, "hardware thermal"},
                   {GPU_POWER_BRAKE, "power brake"}};
    char text[128] = "";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        size_t used = strlen(text);
        if ((seen & reasons[i].bit) != 0)
            snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ", " : "",
                     reasons[i].name);
    }
    return environment_set(environment, "seen_throttling", text[0] == '\0' ? "none" : text);
}

int gpu_watch_facts(const struct gpu_watch *watch, struct environment *environment,
                    struct err *err)
{
    int bad = range_fact(environment, "seen_sm_clock", &watch->sm_mhz, "MHz");
    bad |= range_fact(environment, "seen_memory_clock", &watch->memory_mhz, "MHz");
    bad |= arms_fact(environment, watch);
    bad |= range_fact(environment, "seen_temperature", &watch->celsius, "C");
    bad |= range_fact(environment, "seen_power", &watch->watts, "W");
    bad |= reasons_fact(environment, watch->reasons);
    return bad == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}
