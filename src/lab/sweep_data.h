/* SPDX-License-Identifier: Apache-2.0 */
/* A sweep for programs: JSON (schema ratchet.sweep/1) and CSV. Bytes only.
 *
 * The JSON has `device`; `confidence`, `comparisons` (that ties are corrected for) and `tie_margin`;
 * `implementations`, each with `name`, `code` and `version`, or with `absent`: why it is not there;
 * `ceilings`, or null: `copy_gb_s` and `matrix_tflop_s`, each [value, low, high] or null, and `matrix_dtype`;
 * `environment`; and for each of `configs` `name`, `problem`, `processes`, `marked`, `fastest` (a name, or null
 * where nobody is told apart), `told` (the same in words), and `arms`. An arm has `name` and either `missing`,
 * why, or `median_ns`, `tflop_s`, `gb_s`, `time_over_first` and `share_of_fastest`, each [value, low, high] with
 * null for what is not known, `processes` that the last is over, and `tied` (with the fastest).
 *
 * The CSV has a line for each arm of each config, under a line of names. */
#ifndef RATCHET_LAB_SWEEP_DATA_H
#define RATCHET_LAB_SWEEP_DATA_H

#include "base/buf.h"
#include "base/err.h"
#include "lab/sweep_result.h"

#define SWEEP_SCHEMA "ratchet.sweep/1"

MUST_CHECK int sweep_json(const struct sweep_result *result, struct buf *out, struct err *err);
MUST_CHECK int sweep_csv(const struct sweep_result *result, struct buf *out, struct err *err);

#endif
