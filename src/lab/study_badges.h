/* SPDX-License-Identifier: Apache-2.0 */
/* Badges of a study: a label and a word or two, as a picture that needs nothing, and as JSON for shields.io's endpoint
 * (schemaVersion 1). Bytes only. */
#ifndef RATCHET_LAB_STUDY_BADGES_H
#define RATCHET_LAB_STUDY_BADGES_H

#include "lab/study_result.h"

struct study_badge {
    const char *name; /* of its files in badges/, without an ending */
    const char *label;
    char message[MODEL_NAME_BYTES];
    const char *color; /* "brightgreen", "yellow", "red", "lightgrey" */
};
enum { STUDY_BADGES = 3 };
void study_badges_of(const struct study_result *result,
                     struct study_badge badges[STUDY_BADGES]);

void study_badge_svg(const struct study_badge *badge, struct buf *out);
void study_badge_json(const struct study_badge *badge, struct buf *out);

#endif
