/* SPDX-License-Identifier: Apache-2.0 */
/* The part of NVML, the driver's management library, that is used: looked up in
 * libnvidia-ml.so.1 at run time. Names, numbers and layouts are its binary interface. */
#ifndef RATCHET_MEASURE_NVML_H
#define RATCHET_MEASURE_NVML_H

#include "base/err.h"

typedef int nvml_result;
struct nvml_opaque;
typedef struct nvml_opaque *nvml_device;

enum nvml_number {
    NVML_OK = 0,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_CLOCK_SM = 1,
    NVML_CLOCK_MEMORY = 2,
    NVML_TEMPERATURE_GPU = 0,
    /* why clocks are not higher, ored */
    NVML_SW_POWER_CAP = 0x4,
    NVML_HW_SLOWDOWN = 0x8,
    NVML_SW_THERMAL = 0x20,
    NVML_HW_THERMAL = 0x40,
    NVML_HW_POWER_BRAKE = 0x80
};

struct nvml_memory {
    unsigned long long total, free, used;
};

struct nvml_process {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

#define NVML_TABLE(X)                                                                        \
    X(nvmlInit_v2, (void))                                                                   \
    X(nvmlSystemGetDriverVersion, (char *out, unsigned size))                                \
    X(nvmlSystemGetCudaDriverVersion_v2, (int *out))                                         \
    X(nvmlDeviceGetCount_v2, (unsigned *out))                                                \
    X(nvmlDeviceGetHandleByIndex_v2, (unsigned index, nvml_device *out))                     \
    X(nvmlDeviceGetName, (nvml_device device, char *out, unsigned size))                     \
    X(nvmlDeviceGetUUID, (nvml_device device, char *out, unsigned size))                     \
    X(nvmlDeviceGetMinorNumber, (nvml_device device, unsigned *out))                         \
    X(nvmlDeviceGetCudaComputeCapability, (nvml_device device, int *major, int *minor))      \
    X(nvmlDeviceGetMemoryInfo, (nvml_device device, struct nvml_memory *out))                \
    X(nvmlDeviceGetClockInfo, (nvml_device device, int clock, unsigned *mhz))                \
    X(nvmlDeviceGetTemperature, (nvml_device device, int sensor, unsigned *celsius))         \
    X(nvmlDeviceGetPowerUsage, (nvml_device device, unsigned *milliwatts))                   \
    X(nvmlDeviceGetEnforcedPowerLimit, (nvml_device device, unsigned *milliwatts))           \
    X(nvmlDeviceGetCurrentClocksThrottleReasons,                                             \
      (nvml_device device, unsigned long long *reasons))                                     \
    X(nvmlDeviceGetComputeRunningProcesses_v3,                                               \
      (nvml_device device, unsigned *count, struct nvml_process *out))                       \
    X(nvmlDeviceGetPersistenceMode, (nvml_device device, int *out))                          \
    X(nvmlDeviceGetEccMode, (nvml_device device, int *current, int *pending))                \
    X(nvmlDeviceGetMigMode, (nvml_device device, unsigned *current, unsigned *pending))

struct nvml {
#define NVML_FIELD(name, parameters) nvml_result(*name) parameters;
    NVML_TABLE(NVML_FIELD)
#undef NVML_FIELD
    const char *(*nvmlErrorString)(nvml_result result);
};

/* The one NVML of this process, opened at the first call; ERR_HOST: there is none. */
MUST_CHECK int nvml_get(const struct nvml **out, struct err *err);

#endif
