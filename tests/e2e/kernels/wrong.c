/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong: never looks at the last key, and is a little faster for it. */
#include "attention.h"

static float dot(const float *a, const float *b, int n)
{
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

#define KEYS_LEFT_OUT 1
#include "simple.h"
