/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of doubles, freed where their block ends: NUMBERS_AUTO *values = numbers_new(count); */
#ifndef RATCHET_JUDGE_NUMBERS_H
#define RATCHET_JUDGE_NUMBERS_H

#include <stddef.h>
#include <stdlib.h>

static inline void numbers_free(double **numbers)
{
    free(*numbers);
}
#define NUMBERS_AUTO __attribute__((cleanup(numbers_free))) double

/* So many zeroes, and one more that nobody uses: none is no error. NULL when memory ran out. */
static inline double *numbers_new(size_t count)
{
    return (double *)calloc(count + 1, sizeof(double));
}

#endif
