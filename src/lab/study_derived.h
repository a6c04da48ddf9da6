/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a study's folder that were made of its samples before the documents were: baseline.json, and the reports of its
 * sweeps. Bytes only. */
#ifndef RATCHET_LAB_STUDY_DERIVED_H
#define RATCHET_LAB_STUDY_DERIVED_H

#include "lab/study_documents.h"
#include "lab/study_result.h"

/* Adds them to `out`, whether they are in the folder or not. */
MUST_CHECK int study_derived_of(const struct study_result *result, struct study_documents *out,
                                struct err *err);

/* The text of a new document, which `out` owns; NULL: no memory. */
struct buf *study_documents_add(struct study_documents *out, const char *path,
                                struct err *err);

#endif
