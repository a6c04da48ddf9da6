/* SPDX-License-Identifier: Apache-2.0 */
/* Right, but does each product three times over: real work that no compiler may leave out. */
#include "attention.h"

static float dot(const float *a, const float *b, int n)
{
    float sum = 0.0f;
    for (int time = 0; time < 3; time++) {
        volatile float again = 0.0f;
        for (int i = 0; i < n; i++)
            again = again + a[i] * b[i];
        sum = again;
    }
    return sum;
}

#define SIMPLE_NAME "slow"
#include "simple.h"
