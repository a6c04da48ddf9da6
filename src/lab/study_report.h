/* SPDX-License-Identifier: Apache-2.0 */
/* A study for people: COMBINED_REPORT.md and report.html, and OPTIMIZATION_RESULTS.md. No number stands there
 * without its interval. */
#ifndef RATCHET_LAB_STUDY_REPORT_H
#define RATCHET_LAB_STUDY_REPORT_H

#include "lab/document.h"
#include "lab/study_figures.h"
#include "lab/study_paper.h"
#include "lab/study_result.h"

struct study_page {
    struct document document;
    const struct study_result *result;
    const struct study_figures *figures;
    const struct study_paper *paper;
};
MUST_CHECK int study_report(const struct study_page *page, struct err *err);
MUST_CHECK int study_optimisation(const struct study_page *page, struct err *err);

/* Its sections, in their order; private to study_report*.c. */
void study_put_summary(const struct study_page *page);
void study_put_times(const struct study_page *page);
int study_put_sweeps(const struct study_page *page, struct err *err);
void study_put_proposals(const struct study_page *page); /* without a heading */
void study_put_environment(const struct study_page *page);
void study_put_steps(const struct study_page *page);
void study_put_files(const struct study_page *page);
void study_put_figures(const struct study_page *page, enum study_phase phase);

#endif
