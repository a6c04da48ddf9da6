/* SPDX-License-Identifier: Apache-2.0 */
/* What a study says: every document of its folder, as bytes, made from what was measured and from nothing else, so
 * that the same files give the same documents, byte for byte. No clock, no host, no environment.
 *
 *     OPTIMIZATION_RESULTS.md    what was proposed, what was kept, what it gave
 *     COMBINED_REPORT.md         the whole, for people; report.html: the same as one page with its figures
 *     numbers.json               each number of the paragraph for a paper: as written, file, key (schema ratchet.numbers/1)
 *     summary.json               the numbers that the report works out of the samples (schema ratchet.summary/1)
 *     comparison.json            see lab/study.h
 *     figures/NAME.svg, badges/NAME.svg, badges/NAME.json (shields.io's endpoint schema)
 *     inventory.json             every other file of the folder: path, bytes, SHA-256 (schema ratchet.inventory/1) */
#ifndef RATCHET_LAB_STUDY_DOCUMENTS_H
#define RATCHET_LAB_STUDY_DOCUMENTS_H

#include "lab/study.h"

/* Make them, and write each whole; then inventory.json. */
MUST_CHECK int study_documents_write(const char *path, const struct limits *limits,
                                     struct err *err);

/* The same of a study that another version wrote: first the reports of its sweeps, as far as they are there, and
 * whatever else verify makes again. */
MUST_CHECK int study_documents_renew(const char *path, const struct limits *limits,
                                     struct err *err);

/* Make them again and compare: each document byte for byte, and with them baseline.json and the reports of sweeps, which
 * are made of the samples as well; each file with the inventory. Appends a line for each thing that differs, is missing
 * or is not listed; *differ counts those. */
MUST_CHECK int study_documents_verify(const char *path, const struct limits *limits,
                                      struct buf *out, size_t *differ, struct err *err);

#endif
