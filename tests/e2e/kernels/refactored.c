/* SPDX-License-Identifier: Apache-2.0 */
/* Right, other machine code, the same work: the loop counts down from a pointer. */
#include "attention.h"

static float dot(const float *a, const float *b, int n)
{
    float sum = 0.0f;
    const float *end = a + n;
    while (a != end)
        sum = *b++ * *a++ + sum;
    return sum;
}

#define SIMPLE_NAME "refactored"
#include "simple.h"
