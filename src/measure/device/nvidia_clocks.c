/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what NVML says of a GPU's clocks and of what slows them down, and their lock. */
#include "measure/device/nvidia.h"

void nvidia_read(const struct gpu *gpu, struct gpu_reading *out)
{
    unsigned long long reasons;
    nvml_device device;
    const struct nvml *nvml = nvidia_device(gpu, &device);
    *out = (struct gpu_reading){0};
    if (nvml == NULL)
        return;
    if (nvml->nvmlDeviceGetClockInfo(device, NVML_CLOCK_SM, &out->sm_mhz) != NVML_OK)
        out->sm_mhz = 0;
    if (nvml->nvmlDeviceGetClockInfo(device, NVML_CLOCK_MEMORY, &out->memory_mhz) != NVML_OK)
        out->memory_mhz = 0;
    if (nvml->nvmlDeviceGetTemperature(device, NVML_TEMPERATURE_GPU, &out->celsius) != NVML_OK)
        out->celsius = 0;
    if (nvml->nvmlDeviceGetPowerUsage(device, &out->milliwatts) != NVML_OK)
        out->milliwatts = 0;
    if (nvml->nvmlDeviceGetCurrentClocksThrottleReasons(device, &reasons) == NVML_OK)
        out->reasons = nvidia_reasons(reasons);
}

unsigned nvidia_reasons(unsigned long long reasons)
{
    static const struct {
        unsigned long long nvml;
        unsigned ours;
    } table[] = {{NVML_SW_POWER_CAP, GPU_POWER_CAP},
                 {NVML_HW_SLOWDOWN, GPU_HARDWARE_SLOWDOWN},
                 {NVML_SW_THERMAL, GPU_THERMAL},
                 {NVML_HW_THERMAL, GPU_HARDWARE_THERMAL},
                 {NVML_HW_POWER_BRAKE, GPU_POWER_BRAKE}};
    unsigned found = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((reasons & table[i].nvml) != 0)
            found |= table[i].ours;
    return found;
}

int nvidia_lock_clock(const struct gpu *gpu, unsigned mhz, struct err *err)
{
    const struct nvml *nvml;
    nvml_device device;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    nvml_result result = nvml->nvmlDeviceGetHandleByIndex_v2(gpu->index, &device);
    if (result == NVML_OK && nvml->nvmlDeviceSetGpuLockedClocks == NULL)
        return err_set(err, ERR_HOST, "NVML: this driver cannot lock clocks");
    if (result == NVML_OK)
        result = nvml->nvmlDeviceSetGpuLockedClocks(device, mhz, mhz);
    return result == NVML_OK ? 0 : nvidia_failed(nvml, result, "lock the clocks", err);
}

int nvidia_unlock_clock(const struct gpu *gpu, struct err *err)
{
    const struct nvml *nvml;
    nvml_device device;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    nvml_result result = nvml->nvmlDeviceGetHandleByIndex_v2(gpu->index, &device);
    if (result == NVML_OK && nvml->nvmlDeviceResetGpuLockedClocks == NULL)
        return err_set(err, ERR_HOST, "NVML: this driver cannot unlock clocks");
    if (result == NVML_OK)
        result = nvml->nvmlDeviceResetGpuLockedClocks(device);
    return result == NVML_OK
               ? 0
               : nvidia_failed(nvml, result, "unlock the clocks that this program had locked",
                               err);
}
