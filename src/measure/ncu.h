/* SPDX-License-Identifier: Apache-2.0 */
/* What Nsight Compute is asked for, and what it prints (`--csv --page raw`): bytes that a stranger's
 * kernel may have written itself. Pure. */
#ifndef RATCHET_MEASURE_NCU_H
#define RATCHET_MEASURE_NCU_H

#include "base/buf.h"
#include "base/err.h"
#include "metrics.h"

#include <stdbool.h>
#include <stddef.h>

/* Kernels of one call that are profiled; those behind are left out. */
enum { NCU_KERNELS_MAX = 4 };
/* Kernels of the harness's own have names that begin so. */
#define NCU_OWN_KERNELS "ratchet_"

/* Names of all metrics but those that are `unknown`, with commas. */
void ncu_put_names(const bool unknown[METRICS], struct buf *out);

/* The last table in `text`, as the readings of one call of forward. ERR_INPUT: no table, or no kernel
 * in it. What a column does not say as a number of its unit is NaN, as what has no column. */
MUST_CHECK int ncu_parse(const char *text, size_t len, struct metric_readings *out,
                         struct err *err);

/* Adds the metrics that it says it does not know; false: there were none that we asked for. */
bool ncu_mark_unknown(const char *text, bool unknown[METRICS]);

/* The line that says best why there is no table, cut and printable. */
enum { NCU_LINE_BYTES = 300 };
void ncu_problem(const char *text, char out[NCU_LINE_BYTES]);

#endif
