/* SPDX-License-Identifier: Apache-2.0 */
/* One config of a study in numbers. */
#ifndef RATCHET_LAB_STUDY_ROWS_H
#define RATCHET_LAB_STUDY_ROWS_H

#include "lab/study_result.h"

/* The arm that is the first kernel: a check leaves base out where it is the anchor's machine code. */
enum arm study_first_arm(const struct config_samples *config);

MUST_CHECK int study_row_of(const struct study_files *files,
                            const struct config_samples *samples,
                            const struct config_verdict *verdict, bool compared,
                            struct study_row *out, struct err *err);

#endif
