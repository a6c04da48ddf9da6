/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of a kernel in commits. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_PATHS_H
#define RATCHET_PIPELINE_PATHS_H

#include "pipeline/measurement.h"

/* Is each path of a source a file or folder of one of these commits, and in none a link, or a
 * path in a submodule that leads nowhere or may not be fetched? Else ERR_INPUT, by name: a path
 * that is nothing would guard nothing. *at is the index of the commit that is wrong by itself,
 * or `count`. */
MUST_CHECK int paths_check(struct measurement *measurement, const struct kernel_source *source,
                           const char *const *commits, size_t count, size_t *at,
                           struct err *err);

/* The paths of a source as an array of pointers into it; returns how many. */
size_t paths_of(const struct kernel_source *source, const char *out[MODEL_PATHS_MAX]);

/* Have two commits the same under the paths of `source`, submodules' pins included? `first`
 * names something that differs, or is "". */
MUST_CHECK int paths_same(struct measurement *measurement, const struct kernel_source *source,
                          const char *old_commit, const char *new_commit, bool *same,
                          char first[256], struct err *err);

#endif
