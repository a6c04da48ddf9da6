/* SPDX-License-Identifier: Apache-2.0 */
/* Is head the code of an anchor again that stood before today's? A commit that takes back what made a
 * kernel faster makes it slower than its anchor, and is no regression that somebody smuggles in: it is the
 * very machine code that was the baseline once. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_ANCHOR_AGAIN_H
#define RATCHET_PIPELINE_ANCHOR_AGAIN_H

#include "pipeline/measurement.h"

struct anchors_again {
    struct baseline_earlier configs[MODEL_CONFIGS_MAX];
    size_t count;
};

/* Of the configs that are slower than their anchor: those for which a baseline.json that this host pushed, in the
 * history of main from `tip` back, named an anchor of the machine code that head has now. What cannot be read ends
 * the search. */
void anchors_again_find(struct measurement *measurement, const char *tip,
                        struct anchors_again *out);

#endif
