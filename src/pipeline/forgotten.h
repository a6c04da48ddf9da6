/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of main that its baseline remembers no more: the config was dropped from ci/ratchet.conf,
 * its row taken out, or its name given to another problem. Taking away what remembers a loss is
 * not accepting it. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_FORGOTTEN_H
#define RATCHET_PIPELINE_FORGOTTEN_H

#include "pipeline/pipeline.h"

struct forgotten {
    char configs[MODEL_CONFIGS_MAX][MODEL_NAME_BYTES];
    char since[MODEL_CONFIGS_MAX]
              [MODEL_SHA_BYTES]; /* the first commit of main that had the loss */
    size_t count;
};

/* By main's kept verdict and the rules that were read last. */
void forgotten_find(const struct measurement *measurement, struct forgotten *out);

/* Rows of dropped configs whose loss nobody accepted are not retired; each is noted. */
void forgotten_keep_rows(struct measurement *measurement, const struct forgotten *forgotten,
                         const struct promotion_accept *accept);

#endif
