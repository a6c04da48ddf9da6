/* SPDX-License-Identifier: Apache-2.0 */
/* Never comes back. */
#include "attention.h"

static volatile int forever = 1;

static float dot(const float *a, const float *b, int n)
{
    while (forever)
        ;
    return a[0] * b[0] * (float)n;
}

#include "simple.h"
