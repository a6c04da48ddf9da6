/* SPDX-License-Identifier: Apache-2.0 */
/* The table of peaks: who is found, under which name, and that no figure is a slip of
 * sparse for dense, or of one unit for another. */
#include "peaks.h"

#include "tap.h"

static const struct {
    const char *name, *capability;
    double dram_gb_s, fp16_tflop_s;
} known[] = {
    {"Tesla T4", "7.5", 320, 65},
    {"NVIDIA A100-SXM4-80GB", "8.0", 2039, 312},
    {"NVIDIA L4", "8.9", 300, 121},
    {"NVIDIA L40S", "8.9", 864, 362.05},
    {"NVIDIA H100 80GB HBM3", "9.0", 3352, 989.5},
    {"NVIDIA H200", "9.0", 4800, 989.5},
    {"NVIDIA B200", "10.0", 8000, 2250},
};

/* A MIG slice, a virtual share or a GeForce has not the whole board's peaks. */
static const struct {
    const char *name, *capability;
} unknown[] = {
    {"NVIDIA H200", "8.9"},
    {"NVIDIA H200", ""},
    {"nvidia h200", "9.0"},
    {"NVIDIA H200 MIG 1g.18gb", "9.0"},
    {"NVIDIA A10-24Q", "8.6"},
    {"NVIDIA GeForce RTX 4090", "8.9"},
    {"NVIDIA A10G", "8.6"}, /* nor have boards that add up in fp16 at twice the rate */
    {"NVIDIA L40", "8.9"},
    {"NVIDIA", "9.0"},
    {"", ""},
};

int main(void)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        tap_case(known[i].name);
        const struct peaks *peaks = peaks_find(known[i].name, known[i].capability);
        if (!OK(peaks != NULL))
            continue;
        EQ_STR(peaks->name, known[i].name);
        EQ_STR(peaks->capability, known[i].capability);
        NEAR(peaks->dram_gb_s, known[i].dram_gb_s, 0);
        NEAR(peaks->fp16_tflop_s, known[i].fp16_tflop_s, 0);
        /* operations a byte: twice as many where a sparse figure slipped in */
        double ridge = 1000 * peaks->fp16_tflop_s / peaks->dram_gb_s;
        OK(ridge > 100 && ridge < 450);
    }
    tap_case("the first user's L4 keeps 48 MiB in its cache, an H200 60");
    NEAR(peaks_find("NVIDIA L4", "8.9")->l2_mib, 48, 0);
    NEAR(peaks_find("NVIDIA H200", "9.0")->l2_mib, 60, 0);
    tap_case("what is not in the table is not guessed");
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (!OK(peaks_find(unknown[i].name, unknown[i].capability) == NULL))
            printf("# `%s`, `%s`\n", unknown[i].name, unknown[i].capability);
    return tap_done();
}
