/* SPDX-License-Identifier: Apache-2.0 */
/* Charts in plain characters: which column a value is in, what lies on what. */
#include "base/plot.h"
#include "tests/tap.h"

#include <math.h>

static const double three[] = {-0.03, 0, 0.03};
static const struct plot wide = {-0.1, 0.1, 41, three, 3};

static void rows_are(const struct plot *plot, double low, double middle, double high,
                     const char *want)
{
    char row[PLOT_COLUMNS_MAX + 1];
    plot_begin(plot, row);
    plot_interval(plot, low, middle, high, 'h', row);
    EQ_STR(row, want);
}

int main(void)
{
    tap_case("an interval on a scale");
    rows_are(&wide, 0.05, 0.06, 0.07, "              :     :     :   |-h-|      ");
    rows_are(&wide, -0.01, 0, 0.01, "              :   |-h-|   :              ");
    tap_case("one that passes a line");
    rows_are(&wide, 0.02, 0.04, 0.06, "              :     :   |-+-h---|        ");
    tap_case("a column is wider than the distance: beyond is drawn beyond");
    rows_are(&wide, 0.0301, 0.0302, 0.0303, "              :     :     :h             ");
    rows_are(&wide, 0.0297, 0.0298, 0.0299, "              :     :    h:              ");
    rows_are(&wide, -0.0303, -0.0302, -0.0301, "             h:     :     :              ");
    tap_case("beyond the edges");
    rows_are(&wide, 0.05, 3, 4, "              :     :     :   |--------->");
    rows_are(&wide, -0.9, -0.5, -0.4, "<             :     :     :              ");
    rows_are(&wide, -HUGE_VAL, 0.06, HUGE_VAL, "              :     :     :     h        ");
    rows_are(&wide, NAN, NAN, NAN, "              :     :     :              ");
    rows_are(&wide, -1e300, 0, 1e300, "<-------------+-----h-----+------------->");
    tap_case("all values alike");
    rows_are(&(struct plot){5, 5, 9, NULL, 0}, 5, 5, 5, "    h    ");
    return tap_done();
}
