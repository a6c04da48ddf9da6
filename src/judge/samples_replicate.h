/* SPDX-License-Identifier: Apache-2.0 */
/* One replicate of samples.json. For samples_read.c alone. */
#ifndef RATCHET_JUDGE_SAMPLES_REPLICATE_H
#define RATCHET_JUDGE_SAMPLES_REPLICATE_H

#include "base/err.h"
#include "base/json.h"
#include "limit.h"
#include "model.h"

/* How much of a file is read, and under which names its arms stand. */
struct reading {
    const struct limits *limits;
    const char *keys[ARM_COUNT]; /* NULL: not read */
    bool chosen;                 /* the anchor is an arm that somebody chose */
};

/* The arm that is read under this name; ARM_COUNT: none. */
int reading_arm(const struct reading *reading, const char *name);

/* `arms` learns of arms that are named. On failure `out` may hold part of it. */
MUST_CHECK int samples_get_replicate(const json_t *object, const struct json_at *at,
                                     const struct reading *reading, struct replicate *out,
                                     struct arm_info arms[ARM_COUNT], struct err *err);

#endif
