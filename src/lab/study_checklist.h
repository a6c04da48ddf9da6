/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a study one that others can repeat, as facts of its files. */
#ifndef RATCHET_LAB_STUDY_CHECKLIST_H
#define RATCHET_LAB_STUDY_CHECKLIST_H

#include "lab/study_result.h"

enum { STUDY_ITEMS = 14 };
struct study_item {
    const char *what;
    bool done;
    char why[MODEL_TEXT_BYTES]; /* how it is known, or why not; no full stop */
};
/* Returns how many are done. */
size_t study_checklist(const struct study_result *result,
                       struct study_item items[STUDY_ITEMS]);

#endif
