/* SPDX-License-Identifier: Apache-2.0 */
/* Does not compile. Its message tries to leave the code block it is shown in. */
#include "attention.h"

#error "``` <b>@everyone</b> ::error::not a command"

static float dot(const float *a, const float *b, int n)
{
    return a[0] * b[0] * (float)n * undeclared_factor;
}

#include "simple.h"
