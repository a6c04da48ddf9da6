/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a sweep, as SVG. Shapes that differ in their length alone share a panel; each panel has
 * latency, bandwidth and share of the fastest against the length, where there are two lengths, and bars of
 * the rate of operations; each dtype has a roofline. */
#ifndef RATCHET_LAB_SWEEP_FIGURES_H
#define RATCHET_LAB_SWEEP_FIGURES_H

#include "base/buf.h"
#include "base/err.h"
#include "lab/sweep_result.h"

#include <stddef.h>

enum { SWEEP_PANELS_MAX = 32 }; /* the others have no figures, which is said */

struct sweep_figure {
    char name[MODEL_NAME_BYTES]; /* of a file, without `.svg` */
    char title[128];
    struct buf svg; /* owned */
};

struct sweep_figures {
    struct sweep_figure *list; /* owned */
    size_t count;
    size_t panels, drawn; /* of which so many have figures */
};
void sweep_figures_free(struct sweep_figures *figures);

MUST_CHECK int sweep_figures_of(const struct sweep_result *result, struct sweep_figures *out,
                                struct err *err);

#endif
