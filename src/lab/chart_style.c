/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the colours. Each of the nine has a contrast of at least 3 to its ground; under simulated protanopia,
 * deuteranopia no two of the first four come closer than 0.11 in Oklab, and no two at all closer than 0.08;
 * three quarters of that under tritanopia. tests/e2e/test_charts.py computes it (Machado, Oliveira and
 * Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009). */
#include "lab/chart_frame.h"

#define COLOUR(slot, hex) \
    ".chart .c" slot "{fill:" hex "}.chart .l" slot "{stroke:" hex ";fill:none}"

static const char style[] =
    ".chart text{font:11px system-ui,-apple-system,\"Segoe UI\",Helvetica,Arial,sans-serif;"
    "fill:#52514e}"
    ".chart .title{font-size:14px;font-weight:600;fill:#161615}"
    ".chart .name{fill:#161615}.chart .value{font-size:9.5px;fill:#161615}"
    ".chart .ground{fill:#ffffff}.chart .grid{stroke:#e6e5e0;fill:none}"
    ".chart .axis{stroke:#8c8b86;fill:none}"
    ".chart .ceiling{stroke:#52514e;fill:none;stroke-width:1.4;stroke-dasharray:6 3}"
    ".chart .line{stroke-width:1.8;stroke-linejoin:round}.chart .whisker{stroke-width:1.2}"
    ".chart .mark{stroke:#ffffff;stroke-width:1}" COLOUR("0", "#1b4dd1") COLOUR(
        "1", "#f84f33") COLOUR("2", "#20a07b") COLOUR("3", "#c075eb") COLOUR("4", "#851b55")
        COLOUR("5", "#785715") COLOUR("6", "#184c8d") COLOUR("7", "#2f4505") COLOUR(
            "8",
            "#6f6f6f") "@media(prefers-color-scheme:dark){"
                       ".chart text{fill:#b9b8b2}.chart .title,.chart .name,.chart "
                       ".value{fill:#f4f3ef}"
                       ".chart .ground{fill:#1a1a19}.chart .grid{stroke:#353431}.chart "
                       ".axis{stroke:#85847f}"
                       ".chart .ceiling{stroke:#b9b8b2}.chart .mark{stroke:#1a1a19}" COLOUR(
                           "0", "#5ea3fd") COLOUR("1", "#b85207") COLOUR("2", "#18f0dc")
                           COLOUR("3", "#6461da") COLOUR("4", "#a66683") COLOUR("5", "#faca4b")
                               COLOUR("6", "#63cbfe") COLOUR("7", "#ae9733")
                                   COLOUR("8", "#ababab") "}";

const char *chart_style(void)
{
    return style;
}
