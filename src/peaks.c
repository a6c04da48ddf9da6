/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of peaks. Figures of the vendor's own papers, dense (half of those "with
 * sparsity"), for fp16 products added up in fp32; what no paper gives is not here.
 *
 * Left out are boards that add up in fp16 at twice that rate: GeForce, A10G, L40. There
 * honest attention can pass what their papers give for fp32 (FlashInfer's does the 165.2
 * TFLOP/s of an RTX 4090), and a time that beats the peak is taken for a lie (measure/). */
#include "peaks.h"

#include <stddef.h>
#include <string.h>

/* By compute capability. Beside each line, or above a group, the paper; bandwidths
 * that it rounds are the product brief's. */
static const struct peaks table[] = {
    /* name, capability, DRAM GB/s, fp16 TFLOP/s, L2 MiB */
    {"Tesla T4", "7.5", 320, 65, 4}, /* T4 datasheet 2019; Turing whitepaper */

    /* A100 datasheet 2021; Ampere (GA100) whitepaper */
    {"NVIDIA A100-PCIE-40GB", "8.0", 1555, 312, 40},
    {"NVIDIA A100-SXM4-40GB", "8.0", 1555, 312, 40},
    {"NVIDIA A100 80GB PCIe", "8.0", 1935, 312, 40},
    {"NVIDIA A100-SXM4-80GB", "8.0", 2039, 312, 40},
    {"NVIDIA A30", "8.0", 933, 165, 24}, /* A30 datasheet 2022 */

    /* L2 of these: Ampere (GA102) whitepaper */
    {"NVIDIA A10", "8.6", 600, 125, 6},         /* A10 datasheet 2021 */
    {"NVIDIA A40", "8.6", 696, 149.7, 6},       /* A40 datasheet 2021 */
    {"NVIDIA RTX A6000", "8.6", 768, 154.8, 6}, /* datasheet 2020, 309.7 sparse */
    {"NVIDIA RTX A5000", "8.6", 768, 111.1, 6}, /* datasheet 2021, 222.2 sparse */

    /* L2 of these: Ada whitepaper 2.01 */
    {"NVIDIA L4", "8.9", 300, 121, 48},      /* L4 datasheet 2023, 242 sparse */
    {"NVIDIA L40S", "8.9", 864, 362.05, 96}, /* L40S datasheet 2023 */
    {"NVIDIA RTX 6000 Ada Generation", "8.9", 960, 364.2, 96}, /* Ada whitepaper 2.01 */

    /* H100 datasheet 2023, 1513, 1979 and 1671 sparse; L2: Hopper whitepaper 1.04 */
    {"NVIDIA H100 PCIe", "9.0", 2039, 756.5, 50},
    {"NVIDIA H100 80GB HBM3", "9.0", 3352, 989.5, 50},
    {"NVIDIA H100 NVL", "9.0", 3938, 835.5, 0},
    /* H800 datasheet 2023: the H100's, but for links and double precision */
    {"NVIDIA H800 PCIe", "9.0", 2039, 756.5, 50},
    {"NVIDIA H800", "9.0", 3352, 989.5, 50},
    /* H200 datasheet 2023, 1979 and 1671 sparse. L2 as the driver reports it; in
     * papers on the same die it is 50. */
    {"NVIDIA H200", "9.0", 4800, 989.5, 60},
    {"NVIDIA H200 NVL", "9.0", 4800, 835.5, 0},
    {"NVIDIA GH200 480GB", "9.0", 4000, 989.5, 0}, /* datasheet 2023, 96 GB of HBM3 */

    {"NVIDIA B200", "10.0", 8000, 2250, 0}, /* DGX B200 datasheet 2024, eight of them */
};

const struct peaks *peaks_find(const char *name, const char *capability)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0 && strcmp(table[i].capability, capability) == 0)
            return &table[i];
    return NULL;
}
