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

/* `used` leaves out what the driver keeps for itself. */
struct nvml_memory {
    unsigned version;
    unsigned long long total, reserved, free, used;
};
#define NVML_MEMORY_VERSION ((unsigned)sizeof(struct nvml_memory) | 2u << 24)

/* The same in the second and the third version of the functions that fill it in. */
struct nvml_process {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

/* NEED: what every driver has that CUDA 12 works with. MAY: NULL where it is missing. The
 * second name is an older or newer one of the same function, or "". */
#define NVML_TABLE(NEED, MAY)                                                                 \
    NEED(nvmlInit_v2, "", (void))                                                             \
    NEED(nvmlSystemGetDriverVersion, "", (char *out, unsigned size))                          \
    NEED(nvmlSystemGetCudaDriverVersion_v2, "", (int *out))                                   \
    NEED(nvmlDeviceGetCount_v2, "", (unsigned *out))                                          \
    NEED(nvmlDeviceGetHandleByIndex_v2, "", (unsigned index, nvml_device *out))               \
    NEED(nvmlDeviceGetName, "", (nvml_device device, char *out, unsigned size))               \
    NEED(nvmlDeviceGetUUID, "", (nvml_device device, char *out, unsigned size))               \
    NEED(nvmlDeviceGetMinorNumber, "", (nvml_device device, unsigned *out))                   \
    NEED(nvmlDeviceGetCudaComputeCapability, "",                                              \
         (nvml_device device, int *major, int *minor))                                        \
    NEED(nvmlDeviceGetMemoryInfo_v2, "", (nvml_device device, struct nvml_memory * out))      \
    NEED(nvmlDeviceGetClockInfo, "", (nvml_device device, int clock, unsigned *mhz))          \
    NEED(nvmlDeviceGetTemperature, "", (nvml_device device, int sensor, unsigned *celsius))   \
    NEED(nvmlDeviceGetPowerUsage, "", (nvml_device device, unsigned *milliwatts))             \
    MAY(nvmlDeviceGetEnforcedPowerLimit, "", (nvml_device device, unsigned *milliwatts))      \
    MAY(nvmlDeviceGetPowerManagementDefaultLimit, "",                                         \
        (nvml_device device, unsigned *milliwatts))                                           \
    MAY(nvmlDeviceGetMaxClockInfo, "", (nvml_device device, int clock, unsigned *mhz))        \
    MAY(nvmlDeviceGetApplicationsClock, "", (nvml_device device, int clock, unsigned *mhz))   \
    NEED(nvmlDeviceGetCurrentClocksThrottleReasons, "nvmlDeviceGetCurrentClocksEventReasons", \
         (nvml_device device, unsigned long long *reasons))                                   \
    MAY(nvmlDeviceGetComputeRunningProcesses_v3, "nvmlDeviceGetComputeRunningProcesses_v2",   \
        (nvml_device device, unsigned *count, struct nvml_process *out))                      \
    MAY(nvmlDeviceGetGraphicsRunningProcesses_v3, "nvmlDeviceGetGraphicsRunningProcesses_v2", \
        (nvml_device device, unsigned *count, struct nvml_process *out))                      \
    MAY(nvmlDeviceGetPersistenceMode, "", (nvml_device device, int *out))                     \
    MAY(nvmlDeviceGetEccMode, "", (nvml_device device, int *current, int *pending))           \
    MAY(nvmlDeviceGetMigMode, "", (nvml_device device, unsigned *current, unsigned *pending)) \
    MAY(nvmlDeviceSetGpuLockedClocks, "",                                                     \
        (nvml_device device, unsigned least_mhz, unsigned most_mhz))                          \
    MAY(nvmlDeviceResetGpuLockedClocks, "", (nvml_device device))

struct nvml {
/* A declaration: neither its name nor its parameters take parentheses. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define NVML_FIELD(name, other, parameters) nvml_result(*name) parameters;
    NVML_TABLE(NVML_FIELD, NVML_FIELD)
#undef NVML_FIELD
    const char *(*nvmlErrorString)(nvml_result result);
};

/* The one NVML of this process, opened at the first call. ERR_HOST: there is none. NVML answers only
 * the process that started it, and never starts again in a child that has closed what it opened: a
 * child that was forked since is refused (ERR_INTERNAL), and has to execute a program first. */
MUST_CHECK int nvml_get(const struct nvml **out, struct err *err);

#endif
