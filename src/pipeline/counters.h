/* SPDX-License-Identifier: Apache-2.0 */
/* Of configs that moved: what a profiler counts of head and of the arm it was judged against. After the
 * verdict, and never part of it. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_COUNTERS_H
#define RATCHET_PIPELINE_COUNTERS_H

#include "pipeline/arms.h"

/* Fills in `metrics` of the comparison's rows: of a few, those that moved most. No profiler: nothing is
 * said. One that the host names and that is not there, or one that fails, is a note. */
void counters_look(struct measurement *measurement, const struct arms *arms);

#endif
