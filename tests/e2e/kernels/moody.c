/* SPDX-License-Identifier: Apache-2.0 */
/* Right, but does each product so many times over as the clock says when the process begins: of `slow`'s three a
 * third to three times as much, so that no look can say whether it is slower. */
#include "attention.h"

#include <time.h>

static float dot(const float *a, const float *b, int n)
{
    static const int much[] = {1, 2, 3, 5, 9};
    static int times;
    struct timespec now;
    if (times == 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0)
        times = much[now.tv_nsec / 1000 % 5];
    float sum = 0.0f;
    for (int time = 0; time < times; time++) {
        volatile float again = 0.0f;
        for (int i = 0; i < n; i++)
            again = again + a[i] * b[i];
        sum = again;
    }
    return sum;
}

#define SIMPLE_NAME "moody"
#include "simple.h"
