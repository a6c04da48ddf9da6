/* SPDX-License-Identifier: Apache-2.0 */
/* Right, and written simply. */
#include "attention.h"

static float dot(const float *a, const float *b, int n)
{
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

#include "simple.h"
