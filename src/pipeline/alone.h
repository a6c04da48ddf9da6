/* SPDX-License-Identifier: Apache-2.0 */
/* Head by itself, where base cannot be measured. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_ALONE_H
#define RATCHET_PIPELINE_ALONE_H

#include "pipeline/arms.h"

/* Where base cannot be measured nothing is judged. If it is this change that mends base, somebody
 * must override the check: verify head on those configs, and note what came
 * of it. The verdict stays as it is. Does nothing where base can be measured, or head is not
 * built. */
void alone_look(struct measurement *measurement, const struct arms *arms);

#endif
