/* SPDX-License-Identifier: Apache-2.0 */
/* How long replicates took here, and so how long those to come will. */
#ifndef RATCHET_PIPELINE_PACE_H
#define RATCHET_PIPELINE_PACE_H

#include "model.h"

#include <stdbool.h>

struct pace {
    double config_s[MODEL_CONFIGS_MAX];       /* of all its replicates, marked ones included */
    size_t before[MODEL_CONFIGS_MAX];         /* replicates that an earlier run took */
    size_t started_before[MODEL_CONFIGS_MAX]; /* likewise, by earlier checks */
    double rest_s;                            /* of all rounds: what was no config's own */
    size_t rounds;
};

/* A replicate of a config; then the round that it was in, all of it. */
void pace_add(struct pace *pace, size_t config, double seconds);
void pace_end_round(struct pace *pace, double seconds);

/* Of one replicate of a config; 0: not known. And of a round of those that are wanted, as far as
 * that is known. */
double pace_replicate(const struct pace *pace, const struct samples *samples, size_t config);
double pace_round(const struct pace *pace, const struct samples *samples, const bool *want);

/* Seconds until each config that is `open` has `target` replicates that count, as many marked ones
 * as before among them. Negative: an open config has none yet, so nobody knows. */
double pace_left(const struct pace *pace, const struct samples *samples, const bool *open,
                 size_t target);

#endif
