/* SPDX-License-Identifier: Apache-2.0 */
/* Which baseline.json of main this host has pushed itself. A commit says of itself what it likes, words,
 * trailer and rows, and a rebase puts a stranger's onto main as it is; these bytes alone were measured here.
 * Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_PROMOTED_H
#define RATCHET_PIPELINE_PROMOTED_H

#include "pipeline/measurement.h"

#include <stdbool.h>

/* A step of the schema, for db_open. */
extern const char promoted_schema[];

/* Before they are pushed. Where nothing is remembered (no store) that is all. */
MUST_CHECK int promoted_remember(const struct measurement *measurement, const char *bytes,
                                 size_t len, struct err *err);
/* Is the baseline.json of that commit one of them? What cannot be read is none. */
bool promoted_knows(const struct measurement *measurement, const char *commit);
/* Is any remembered, of this repository and device? */
bool promoted_any(const struct measurement *measurement);

#endif
