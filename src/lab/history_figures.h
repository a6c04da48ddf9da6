/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a history, as SVG. Of history_page.c. */
#ifndef RATCHET_LAB_HISTORY_FIGURES_H
#define RATCHET_LAB_HISTORY_FIGURES_H

#include "lab/history.h"

/* A config's medians over time: as recorded, and as checks read their heads, by verdict. */
MUST_CHECK int history_figure_config(const struct history *history,
                                     const struct history_series *series, struct buf *out,
                                     struct err *err);
/* How long checks held the device, month by month; the last HISTORY_MONTHS_DRAWN. */
enum { HISTORY_MONTHS_DRAWN = 24 };
MUST_CHECK int history_figure_months(const struct history *history, struct buf *out,
                                     struct err *err);

#endif
