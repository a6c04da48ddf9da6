/* SPDX-License-Identifier: Apache-2.0 */
/* How well a share that was counted is known. */
#ifndef RATCHET_LAB_SHARE_H
#define RATCHET_LAB_SHARE_H

#include "model.h"

#include <stddef.h>

/* Clopper and Pearson's interval (The use of confidence or fiducial limits, Biometrika 26,
 * 1934) of hits / trials, 95%, for trials that are independent of each other. */
struct interval share_bounds(size_t hits, size_t trials);

#endif
