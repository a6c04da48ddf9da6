/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of peaks: datasheet figures, dense (never the doubled ones "with sparsity"), for
 * fp16 products added up in fp32. */
#include "peaks.h"

#include <stddef.h>
#include <string.h>

static const struct peaks table[] = {
    /* name, capability, DRAM GB/s, fp16 TFLOP/s dense, L2 MiB */
    {"Tesla T4", "7.5", 320.0, 65.0, 4.0},              /* T4 datasheet (2019) */
    {"NVIDIA A10", "8.6", 600.0, 125.0, 6.0},           /* A10 datasheet (2021) */
    {"NVIDIA A10G", "8.6", 600.0, 125.0, 6.0},          /* as A10: the cloud's variant */
    {"NVIDIA A30", "8.0", 933.0, 165.0, 24.0},          /* A30 datasheet (2021) */
    {"NVIDIA A40", "8.6", 696.0, 149.7, 6.0},           /* A40 datasheet (2020) */
    {"NVIDIA A100-SXM4-40GB", "8.0", 1555.0, 312.0, 40.0}, /* A100 datasheet (2021) */
    {"NVIDIA A100-SXM4-80GB", "8.0", 2039.0, 312.0, 40.0}, /* the same */
    {"NVIDIA A100-PCIE-40GB", "8.0", 1555.0, 312.0, 40.0}, /* the same */
    {"NVIDIA A100 80GB PCIe", "8.0", 1935.0, 312.0, 40.0}, /* the same */
    {"NVIDIA RTX A6000", "8.6", 768.0, 154.8, 6.0},     /* RTX A6000 datasheet (2020) */
    {"NVIDIA L4", "8.9", 300.0, 121.0, 48.0},           /* L4 datasheet (2023) */
    {"NVIDIA L40", "8.9", 864.0, 181.0, 96.0},          /* L40 datasheet (2022) */
    {"NVIDIA L40S", "8.9", 864.0, 362.0, 96.0},         /* L40S datasheet (2023) */
    {"NVIDIA H100 PCIe", "9.0", 2039.0, 756.0, 50.0},   /* H100 datasheet (2022) */
    {"NVIDIA H100 80GB HBM3", "9.0", 3352.0, 989.4, 50.0}, /* H100 SXM, the same */
    {"NVIDIA H200", "9.0", 4800.0, 989.4, 60.0}, /* H200 datasheet (2023); L2 as reported */
    {"NVIDIA B200", "10.0", 8000.0, 2250.0, 126.0},     /* DGX B200 datasheet (2024), by 8 */
};

const struct peaks *peaks_find(const char *name, const char *capability)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0 && strcmp(table[i].capability, capability) == 0)
            return &table[i];
    return NULL;
}
