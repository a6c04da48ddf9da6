/* SPDX-License-Identifier: Apache-2.0 */
/* Writes where nothing is. */
#include "attention.h"

static float *volatile nowhere;

static float dot(const float *a, const float *b, int n)
{
    *nowhere = a[0] * b[0] * (float)n;
    return 0.0f;
}

#include "simple.h"
