/* SPDX-License-Identifier: Apache-2.0 */
/* Who accepts a loss of main, by label. A label is about what its own pull request did: where others were merged
 * beside it, each that may have made the loss needs one. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_ACCEPT_H
#define RATCHET_PIPELINE_ACCEPT_H

#include "pipeline/forgotten.h"
#include "pipeline/pipeline.h"

/* A step of the schema, for db_open. */
extern const char accept_schema[];

/* What main lost, all configs that are slower than their anchor by more than the threshold and what the baseline has
 * forgotten, if all pull requests that touched kernel or ci/ratchet.conf since main was last measured without it
 * carry the label. Losses that were accepted by name come before that. Notes say what does not count. */
void accept_find(struct pipeline *pipeline, const struct forgotten *forgotten,
                 struct promotion_accept *accept);

/* After a promotion: which configs main has not lost at this commit. */
void accept_note_good(struct measurement *measurement);

#endif
