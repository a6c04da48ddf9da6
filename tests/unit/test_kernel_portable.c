/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of test_kernel.c on the path that processors without AVX2 take. */
#define ATTENTION_CPU_PORTABLE
#include "test_kernel.c"
