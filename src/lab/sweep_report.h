/* SPDX-License-Identifier: Apache-2.0 */
/* A sweep for people: Markdown, or one HTML page with its figures in it. */
#ifndef RATCHET_LAB_SWEEP_REPORT_H
#define RATCHET_LAB_SWEEP_REPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "lab/document.h"
#include "lab/sweep_figures.h"
#include "lab/sweep_result.h"

MUST_CHECK int sweep_report(const struct sweep_result *result,
                            const struct sweep_figures *figures, enum document_kind kind,
                            struct buf *out, struct err *err);

/* "of 24 shapes: sm90 is the fastest at 18, flash at 2; 4 are ties" */
void sweep_summary(const struct sweep_result *result, struct buf *out);

#endif
