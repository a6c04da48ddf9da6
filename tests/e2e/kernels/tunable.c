/* SPDX-License-Identifier: Apache-2.0 */
/* With parameters for autotune: each product is done TIMES over. Some values of STEP make the result
 * wrong, some do not compile, and one changes nothing that runs. */
#include "attention.h"

#define TIMES 3 /* today's */
  # define STEP 1

#if STEP > 8
#error "no step of more than 8"
#endif

static float dot(const float *a, const float *b, int n)
{
    float sum = 0.0f;
    for (int time = 0; time < TIMES; time++) {
        volatile float again = 0.0f;
        for (int i = 0; i < n; i++)
            again = again + a[i] * b[i];
        sum = again;
    }
    return STEP == 7 ? 2 * sum + 1 : sum;
}

#define SIMPLE_NAME "tunable"
#include "simple.h"
