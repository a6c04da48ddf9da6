/* SPDX-License-Identifier: Apache-2.0 */
/* What else changed on main since its last promotion: rule, recipe, paths. A threshold that was raised
 * explains a promotion as well as a faster kernel does. */
#ifndef RATCHET_PIPELINE_PROMOTE_CHANGES_H
#define RATCHET_PIPELINE_PROMOTE_CHANGES_H

#include "pipeline/pipeline.h"

/* A note for the summary, with the commits and pull requests that changed it; none where nothing did.
 * What cannot be read is left out. */
void promote_note_changes(struct pipeline *pipeline);

#endif
