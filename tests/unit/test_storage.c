/* SPDX-License-Identifier: Apache-2.0 */
/* How numbers are stored: every 16-bit number there is, and what lies halfway between two. */
#include "harness/storage.h"

#include "attention.h"
#include "tap.h"

#include <math.h>
#include <string.h>

static const int narrow[] = {ATTENTION_FP16, ATTENTION_BF16};

static float read_bits(int dtype, unsigned bits)
{
    uint16_t half = (uint16_t)bits;
    float value;
    storage_get(dtype, &half, 1, &value);
    return value;
}

static unsigned write_bits(int dtype, float value)
{
    uint16_t half;
    storage_put(dtype, &value, 1, &half);
    return half;
}

/* Bits of the positive infinity of a type: all finite magnitudes are below. */
static unsigned infinity_of(int dtype)
{
    return dtype == ATTENTION_FP16 ? 0x7c00 : 0x7f80;
}

static void test_every_number(void)
{
    for (size_t t = 0; t < 2; t++) {
        int dtype = narrow[t];
        unsigned wrong = 0, order = 0;
        tap_case("every finite number comes back");
        for (unsigned bits = 0; bits < infinity_of(dtype); bits++) {
            wrong += write_bits(dtype, read_bits(dtype, bits)) != bits;
            wrong += write_bits(dtype, read_bits(dtype, bits | 0x8000)) != (bits | 0x8000);
            order += !(read_bits(dtype, bits) < read_bits(dtype, bits + 1));
        }
        EQ_INT(wrong, 0);
        EQ_INT(order, 0);
    }
    tap_case("known numbers");
    EQ_INT(write_bits(ATTENTION_FP16, 1.0F), 0x3c00);
    EQ_INT(write_bits(ATTENTION_FP16, 65504.0F), 0x7bff);
    EQ_INT(write_bits(ATTENTION_FP16, 65520.0F), 0x7c00);
    EQ_INT(write_bits(ATTENTION_FP16, 1e30F), 0x7c00);
    EQ_INT(write_bits(ATTENTION_FP16, 1e-30F), 0);
    EQ_INT(write_bits(ATTENTION_FP16, -0.333251953125F), 0xb555);
    EQ_INT(write_bits(ATTENTION_BF16, 1.0F), 0x3f80);
    EQ_INT(write_bits(ATTENTION_BF16, 3.140625F), 0x4049);
    OK(read_bits(ATTENTION_FP16, 0xfc00) == -INFINITY);
    OK(isnan(read_bits(ATTENTION_FP16, 0x7e00)) && isnan(read_bits(ATTENTION_BF16, 0x7fc0)));
}

static void test_halfway(void)
{
    for (size_t t = 0; t < 2; t++) {
        int dtype = narrow[t];
        unsigned ties = 0, above = 0, below = 0;
        tap_case("halfway goes to the even one, the rest to the nearer one");
        for (unsigned bits = 0; bits + 1 < infinity_of(dtype); bits++) {
            float low = read_bits(dtype, bits);
            float high = read_bits(dtype, bits + 1);
            float middle = low / 2 + high / 2;
            if (middle == low || middle == high || middle - low != high - middle)
                continue; /* no float lies halfway: fp32's own subnormals */
            ties += write_bits(dtype, middle) != (bits + 1) / 2 * 2;
            above += write_bits(dtype, nextafterf(middle, high)) != bits + 1;
            below += write_bits(dtype, nextafterf(middle, low)) != bits;
        }
        EQ_INT(ties, 0);
        EQ_INT(above, 0);
        EQ_INT(below, 0);
    }
}

static void test_poison(void)
{
    static const int all[] = {ATTENTION_FP16, ATTENTION_BF16, ATTENTION_FP32};
    for (size_t t = 0; t < 3; t++) {
        char stored[16];
        float values[4];
        tap_case("poison is not a number, and known again");
        storage_poison(all[t], stored, 4);
        storage_get(all[t], stored, 4, values);
        for (size_t i = 0; i < 4; i++)
            OK(isnan(values[i]) && storage_is_poison(values[i]));
        storage_put(all[t], (const float[]){0.0F, 1.0F, -1.5F, 256.0F}, 4, stored);
        storage_get(all[t], stored, 4, values);
        OK(values[0] == 0.0F && values[1] == 1.0F && values[2] == -1.5F && values[3] == 256.0F);
        OK(!storage_is_poison(values[1]));
        EQ_INT(storage_bytes(all[t]), t == 2 ? 4 : 2);
    }
    OK(storage_round(ATTENTION_FP32, 0.1F) == 0.1F);
    OK(storage_round(ATTENTION_BF16, 0.1F) == 0.10009765625F);
}

int main(void)
{
    test_every_number();
    test_halfway();
    test_poison();
    return tap_done();
}
