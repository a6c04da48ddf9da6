/* SPDX-License-Identifier: Apache-2.0 */
/* How numbers lie in a tensor: fp16, bf16 or fp32, from and to float. */
#ifndef RATCHET_HARNESS_STORAGE_H
#define RATCHET_HARNESS_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What outputs hold before a launch: as fp32, and each half of a word as fp16 and bf16 alike,
 * a NaN that no arithmetic makes. */
#define STORAGE_POISON 0x7fc5a5a5u

size_t storage_bytes(int dtype); /* of one element; dtype is enum attention_dtype */

/* What storing makes of a value: rounded to nearest, ties to even. Finite values only. */
float storage_round(int dtype, float value);

void storage_put(int dtype, const float *from, size_t count, void *to);
/* An element that still is poison reads as poison: storage_is_poison tells. */
void storage_get(int dtype, const void *from, size_t count, float *to);

/* `count` elements of poison. */
void storage_poison(int dtype, void *to, size_t count);
bool storage_is_poison(float element);

#endif
