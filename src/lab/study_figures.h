/* SPDX-License-Identifier: Apache-2.0 */
/* Which figures a study shows, each a file in figures/. */
#ifndef RATCHET_LAB_STUDY_FIGURES_H
#define RATCHET_LAB_STUDY_FIGURES_H

#include "lab/study_result.h"

struct study_figure {
    char file[MODEL_NAME_BYTES + 32]; /* "figures/speedup.svg" */
    char title[128];
    enum study_phase phase; /* whose section it stands in */
    struct buf svg;         /* owned */
};
struct study_figures {
    struct study_figure *list; /* owned */
    size_t count;
};
MUST_CHECK int study_figures_of(const struct study_result *result, struct study_figures *out,
                                struct err *err);
void study_figures_free(struct study_figures *figures);

#endif
