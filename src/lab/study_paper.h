/* SPDX-License-Identifier: Apache-2.0 */
/* A paragraph fit for a paper, and where each number in it stands (numbers.json, schema ratchet.numbers/1): `text`, as it
 * is written; `file` of the study's folder and `key` in it ("configs[2].speedup.value"); `value`, as it stands there: of a
 * time in ns, of a percentage as a share. */
#ifndef RATCHET_LAB_STUDY_PAPER_H
#define RATCHET_LAB_STUDY_PAPER_H

#include "lab/study_result.h"

#define STUDY_NUMBERS_SCHEMA "ratchet.numbers/1"

enum { STUDY_PAPER_BYTES = 2000 };
struct study_paper {
    struct buf text;    /* owned, as the next; empty: nothing was measured */
    struct buf numbers; /* numbers.json */
};
MUST_CHECK int study_paper_of(const struct study_result *result, struct study_paper *out,
                              struct err *err);
void study_paper_free(struct study_paper *paper);

#endif
