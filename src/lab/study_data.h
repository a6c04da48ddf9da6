/* SPDX-License-Identifier: Apache-2.0 */
/* What a study works out of its samples, for programs: summary.json (schema ratchet.summary/1). Bytes only.
 *
 * It has `device`; `first` and `best`, commits; `rule`: `confidence`, `threshold`, `looks`; `compared`: whether `configs`
 * are the best kernel beside the first, or the first alone; `speedup`: `value`, `ci`, `ci_decision`, or null, and
 * `speedup_configs`, how many it is of; `target`: `asked` and `told`, one of "none", "met", "missed", "not shown";
 * `measured_configs`, and `processes`, the fewest of one of these; `seconds`, `estimate_seconds`, and `cost`: `amount`,
 * `estimate`, `currency`, or null; `proposals`: `listed`, `measured`, `kept`, `corrected_for` and `list`, each with `name`,
 * `kept`, `state`, `why` and, where it was measured, `change`, `ci`, `ci_decision`, `processes`; and of each of `configs`
 * what struct study_row has, null for what is not known, or `missing`: why there is nothing. */
#ifndef RATCHET_LAB_STUDY_DATA_H
#define RATCHET_LAB_STUDY_DATA_H

#include "lab/study_result.h"

#define STUDY_SUMMARY_SCHEMA "ratchet.summary/1"

MUST_CHECK int study_summary_json(const struct study_result *result, struct buf *out,
                                  struct err *err);

#endif
