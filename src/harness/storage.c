/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bits of fp16 and bf16, in integer arithmetic: the same on every processor. */
#include "harness/storage.h"

#include "attention.h"

#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Drop the low `count` bits, to nearest, ties to even. */
static uint32_t drop(uint32_t bits, unsigned count)
{
    uint32_t half = 1u << (count - 1);
    return (bits + half - 1 + (bits >> count & 1)) >> count;
}

static uint16_t to_bf16(float value)
{
    return (uint16_t)drop(bits_of(value), 16);
}

/* Exponents are biased by 127 in fp32 and by 15 in fp16, mantissas have 23 and 10 bits. */
static uint16_t to_fp16(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t exponent = bits >> 23 & 0xff;
    uint32_t magnitude = bits & 0x7fffffff;
    if (exponent >= 127 + 16) /* 2^16 and above */
        return sign | 0x7c00;
    if (exponent >= 127 - 14) /* normal; a carry may reach infinity, as it should */
        return (uint16_t)(sign | drop(magnitude - (112u << 23), 13));
    if (exponent < 127 - 25) /* below half of the smallest subnormal */
        return sign;
    uint32_t mantissa = (bits & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | drop(mantissa, 13 + (127 - 14) - exponent));
}

static float from_fp16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = bits >> 10 & 0x1f;
    uint32_t mantissa = bits & 0x3ff;
    if (exponent == 0) { /* subnormal: mantissa * 2^-24 */
        float value = (float)mantissa / 16777216.0F;
        return sign != 0 ? -value : value;
    }
    if (exponent == 0x1f)
        return float_of(sign | 0x7f800000u | mantissa << 13);
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

static uint16_t to_16(int dtype, float value)
{
    return dtype == ATTENTION_FP16 ? to_fp16(value) : to_bf16(value);
}

static float from_16(int dtype, uint16_t bits)
{
    if (bits == STORAGE_POISON >> 16)
        return float_of(STORAGE_POISON);
    return dtype == ATTENTION_FP16 ? from_fp16(bits) : float_of((uint32_t)bits << 16);
}

size_t storage_bytes(int dtype)
{
    return dtype == ATTENTION_FP32 ? 4 : 2;
}

float storage_round(int dtype, float value)
{
    return dtype == ATTENTION_FP32 ? value : from_16(dtype, to_16(dtype, value));
}

void storage_put(int dtype, const float *from, size_t count, void *to)
{
    uint16_t *halves = to;
    if (dtype == ATTENTION_FP32)
        memcpy(to, from, count * sizeof *from);
    else
        for (size_t i = 0; i < count; i++)
            halves[i] = to_16(dtype, from[i]);
}

void storage_get(int dtype, const void *from, size_t count, float *to)
{
    const uint16_t *halves = from;
    if (dtype == ATTENTION_FP32)
        memcpy(to, from, count * sizeof *to);
    else
        for (size_t i = 0; i < count; i++)
            to[i] = from_16(dtype, halves[i]);
}

void storage_poison(int dtype, void *to, size_t count)
{
    const uint32_t word = STORAGE_POISON;
    const uint16_t half = STORAGE_POISON >> 16;
    for (size_t i = 0; i < count; i++) {
        if (dtype == ATTENTION_FP32)
            memcpy((char *)to + 4 * i, &word, sizeof word);
        else
            memcpy((char *)to + 2 * i, &half, sizeof half);
    }
}

bool storage_is_poison(float element)
{
    return bits_of(element) == STORAGE_POISON;
}
