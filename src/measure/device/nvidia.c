/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU of NVIDIA's as a device: what CUDA needs to run, and what it can do at most. */
#include "measure/device/device.h"

#include "cost.h"
#include "measure/device/nvidia.h"
#include "measure/sass.h"
#include "peaks.h"
#include "wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct device_arch archs[] = {{"nvidia-t4", "sm_75"},
                                           {"nvidia-a100", "sm_80"},
                                           {"nvidia-a30", "sm_80"},
                                           {"nvidia-a10", "sm_86"},
                                           {"nvidia-a10g", "sm_86"},
                                           {"nvidia-a40", "sm_86"},
                                           {"nvidia-rtx-a6000", "sm_86"},
                                           {"nvidia-l4", "sm_89"},
                                           {"nvidia-l40", "sm_89"},
                                           {"nvidia-l40s", "sm_89"},
                                           {"nvidia-h100", "sm_90"},
                                           {"nvidia-h200", "sm_90"},
                                           {"nvidia-h800", "sm_90"},
                                           {"nvidia-gh200", "sm_90"},
                                           {"nvidia-b200", "sm_100"},
                                           {"nvidia-gb200", "sm_100"},
                                           {NULL, NULL}};

static const struct device_compiler compiler = {
    .name = "nvcc",
    .version = "nvcc --version | sed -n 's/^.*release \\(.*\\)$/nvcc \\1/p'",
    .advice = "install CUDA in /usr/local/cuda"};

/* The driver's libraries are where a distribution puts them, or in a folder of their own, which
 * a container's linker cache may not know. CUPTI is for the harness's
 * `trace` (tests/gpu/record_traces.py). */
static const struct device_needs needs = {
    .nodes = {"/dev/nvidiactl", "/dev/nvidia-uvm", NULL},
    .numbered = "/dev/nvidia",
    .folders = {"/usr/local/cuda/lib64", "/usr/local/cuda/extras/CUPTI/lib64",
                "/usr/local/nvidia/lib64", "/usr/lib64/nvidia", NULL},
    .library = "libcuda.so.1",
    .sys = true};

/* The GPU of this lane and no other; and no cache of compiled kernels from earlier runs. */
static void set_variables(const struct gpu *gpu, struct device_variables *out)
{
    *out = (struct device_variables){.list = {NULL}};
    if (gpu == NULL)
        return;
    snprintf(out->visible, sizeof out->visible, "CUDA_VISIBLE_DEVICES=%s", gpu->uuid);
    out->list[0] = out->visible;
    out->list[1] = "CUDA_CACHE_DISABLE=1";
}

static const char *name(const struct device_use *use)
{
    return use->gpu->name;
}

static unsigned long long rotation(const struct device_use *use)
{
    unsigned long long l2 = use->l2_bytes > 0 ? use->l2_bytes : 64ull << 20;
    return use->warm_inputs ? 0 : 2 * l2;
}

static int facts(const struct device_use *use, struct environment *environment,
                 struct err *err)
{
    if (nvidia_facts(use->gpu, environment, err) != 0)
        return -1;
    const char *inputs = use->warm_inputs ? "warm: one set of keys and values"
                                          : "rotating over twice the L2, at least two sets";
    return environment_set(environment, "inputs", inputs) == 0
               ? 0
               : err_set(err, ERR_HOST, "out of memory for the environment");
}

/* max(operations / peak, (bytes - L2) / bandwidth). A GPU that is not in the table of peaks has
 * the largest in it. */
static double floor_ns(const struct device_use *use, const struct problem *problem)
{
    static const struct peaks above_all = {.dram_gb_s = 8000.0, .fp16_tflop_s = 2500.0};
    const struct peaks *peaks = peaks_find(use->gpu->name, use->gpu->capability);
    if (peaks == NULL)
        peaks = &above_all;
    double bytes = cost_input_bytes(problem) + cost_output_bytes(problem) -
                   (double)use->l2_bytes;
    return fmax(cost_operations(problem) / (1000.0 * peaks->fp16_tflop_s),
                fmax(bytes, 0.0) / peaks->dram_gb_s);
}

/* Events tick every 32 ns, and a sample of a short kernel is 20 launches. */
static double tick_ns(const struct device_use *use)
{
    (void)use;
    return 32.0 / 20.0;
}

/* ---- what `ratchet doctor` tries ---- */

static void describe(const struct gpu *gpu, char *text, size_t size)
{
    snprintf(text, size, "%s, driver %s, CUDA %s, %.1f GiB", gpu->name, gpu->driver, gpu->cuda,
             (double)gpu->memory_bytes / (1 << 30));
}

/* The nodes are made by the driver's own tools, when something uses it for the first time. */
static int try_nodes(const struct gpu *gpu, struct err *err)
{
    char own[32];
    snprintf(own, sizeof own, "%s%u", needs.numbered, gpu->minor);
    const char *missing = access(own, F_OK) != 0 ? own : NULL;
    for (size_t i = 0; needs.nodes[i] != NULL; i++)
        if (access(needs.nodes[i], F_OK) != 0)
            missing = needs.nodes[i];
    if (missing == NULL)
        return 0;
    return err_set(err, ERR_HOST,
                   "no `%s`: run `nvidia-modprobe -c %u -u` when the host starts", missing,
                   gpu->minor);
}

static int try_persistence(const struct gpu *gpu, struct err *err)
{
    struct environment environment = {0};
    int result = nvidia_facts(gpu, &environment, err);
    const char *mode = environment_get(&environment, "persistence");
    if (result == 0 && mode != NULL && strcmp(mode, "off") == 0)
        result = err_set(err, ERR_HOST,
                         "off: the driver starts anew for every process; run "
                         "nvidia-persistenced, or `nvidia-smi -pm 1` as root");
    environment_free(&environment);
    return result;
}

static const struct device_checks checks = {
    .driver = "NVML",
    .runtime = "CUDA",
    .describe = describe,
    .list = {{"device nodes", "all there", true, try_nodes},
             {"persistence", "on, or not known", false, try_persistence}}};

static const struct disassembler disassembler = {"cuobjdump", "-res-usage -sass", sass_parse};
static const char *const profilers[] = {"/usr/local/cuda/bin/ncu", "ncu", NULL};

const struct device_kind device_kind_nvidia = {
    .prefix = "nvidia-",
    .harness = "cuda",
    .protocol = WIRE_PROTOCOL_CUDA,
    .archs = archs,
    .compiler = &compiler,
    .needs = &needs,
    .reserves_memory = true,
    .disturbed_mark = MARK_STARVED, /* the host did not keep the queue full */
    .find = nvidia_find,
    .is_in_use = nvidia_is_in_use,
    .set_variables = set_variables,
    .name = name,
    .facts = facts,
    .rotation = rotation,
    .floor_ns = floor_ns,
    .tick_ns = tick_ns,
    .witness = &nvidia_witness,
    .lock_clock = nvidia_lock_clock,
    .unlock_clock = nvidia_unlock_clock,
    .checks = &checks,
    .disassembler = &disassembler,
    .profilers = profilers,
};
