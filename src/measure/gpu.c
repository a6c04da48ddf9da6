/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what NVML is asked: which GPU a lane has, the facts about it, and what it is doing while a
 * replicate is taken. What cannot be read is left out of the facts and marks nothing. */
#include "measure/gpu.h"

#include "base/file.h"
#include "measure/nvml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GPU_PROCESSES_MAX = 64, GPU_CLOCK_READINGS = 8 };

static const double clocks_apart = 0.01; /* of each other: arms that did not run alike */

bool gpu_is_slug(const char *slug)
{
    return strncmp(slug, "nvidia-", 7) == 0;
}

/* "NVIDIA H100 80GB HBM3" makes nvidia-h100-80gb-hbm3, "Tesla T4" nvidia-t4. */
static void slug_of(const char *name, char out[MODEL_NAME_BYTES])
{
    size_t used = (size_t)snprintf(out, MODEL_NAME_BYTES, "nvidia");
    if (strncmp(name, "NVIDIA ", 7) == 0)
        name += 7;
    else if (strncmp(name, "Tesla ", 6) == 0)
        name += 6;
    bool gap = true;
    for (; *name != '\0' && used + 2 < MODEL_NAME_BYTES; name++) {
        if (!isalnum((unsigned char)*name)) {
            gap = true;
            continue;
        }
        if (gap)
            out[used++] = '-';
        gap = false;
        out[used++] = (char)tolower((unsigned char)*name);
    }
    out[used] = '\0';
}

/* The slug may leave the end of the name out: nvidia-h100 for "NVIDIA H100 80GB HBM3". */
static bool slug_fits(const char *slug, const char *name)
{
    char whole[MODEL_NAME_BYTES];
    slug_of(name, whole);
    size_t len = strlen(slug);
    return strncmp(whole, slug, len) == 0 && (whole[len] == '\0' || whole[len] == '-');
}

static int failed(const struct nvml *nvml, nvml_result result, const char *what,
                  struct err *err)
{
    return err_set(err, ERR_HOST, "NVML: %s: %s", what, nvml->nvmlErrorString(result));
}

static int read_gpu(const struct nvml *nvml, unsigned index, struct gpu *gpu, struct err *err)
{
    nvml_device device;
    int major = 0, minor = 0, cuda = 0;
    struct nvml_memory memory = {0};
    *gpu = (struct gpu){.index = index};
    nvml_result result = nvml->nvmlDeviceGetHandleByIndex_v2(index, &device);
    if (result == NVML_OK)
        result = nvml->nvmlDeviceGetName(device, gpu->name, sizeof gpu->name);
    if (result == NVML_OK)
        result = nvml->nvmlDeviceGetUUID(device, gpu->uuid, sizeof gpu->uuid);
    if (result == NVML_OK)
        result = nvml->nvmlDeviceGetMinorNumber(device, &gpu->minor);
    if (result == NVML_OK)
        result = nvml->nvmlDeviceGetCudaComputeCapability(device, &major, &minor);
    if (result == NVML_OK)
        result = nvml->nvmlDeviceGetMemoryInfo(device, &memory);
    if (result == NVML_OK)
        result = nvml->nvmlSystemGetDriverVersion(gpu->driver, sizeof gpu->driver);
    if (result == NVML_OK)
        result = nvml->nvmlSystemGetCudaDriverVersion_v2(&cuda);
    if (result != NVML_OK)
        return failed(nvml, result, "read a GPU", err);
    gpu->memory_bytes = memory.total;
    snprintf(gpu->capability, sizeof gpu->capability, "%d.%d", major % 100, minor % 100);
    snprintf(gpu->cuda, sizeof gpu->cuda, "%d.%d", cuda / 1000, cuda % 1000 / 10);
    return 0;
}

static bool is_choice(const struct gpu *gpu, const char *choice)
{
    char index[16];
    snprintf(index, sizeof index, "%u", gpu->index);
    return strcmp(choice, index) == 0 || strcmp(choice, gpu->uuid) == 0;
}

int gpu_find(const char *slug, const char *choice, struct gpu *out, struct err *err)
{
    const struct nvml *nvml;
    unsigned count = 0;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    nvml_result result = nvml->nvmlDeviceGetCount_v2(&count);
    if (result != NVML_OK)
        return failed(nvml, result, "count the GPUs", err);
    for (unsigned i = 0; i < count; i++) {
        struct gpu gpu;
        if (read_gpu(nvml, i, &gpu, err) != 0)
            return -1;
        bool fits = slug_fits(slug, gpu.name);
        if (choice == NULL ? !fits : !is_choice(&gpu, choice))
            continue;
        if (!fits)
            return err_set(err, ERR_HOST, "GPU %s is an `%s`, which is no %s", choice,
                           gpu.name, slug);
        *out = gpu;
        return 0;
    }
    return err_set(err, ERR_HOST, "none of the %u GPUs here is %s%s%s", count,
                   choice == NULL ? "a " : "GPU ", choice == NULL ? slug : choice,
                   choice == NULL ? "" : ", the one chosen");
}

/* ---- facts ---- */

static int fact(struct environment *environment, bool known, const char *name,
                const char *value)
{
    return known ? environment_set(environment, name, value) : 0;
}

/* The UUID itself is nobody's business; its hash tells one card from another. */
static void hash_of(const struct gpu *gpu, char out[17])
{
    char whole[FILE_SHA256_BYTES];
    file_sha256(gpu->uuid, strlen(gpu->uuid), whole);
    snprintf(out, 17, "%.16s", whole);
}

int gpu_facts(const struct gpu *gpu, struct environment *environment, struct err *err)
{
    const struct nvml *nvml;
    nvml_device device;
    char text[64], hash[17];
    int on = 0, pending = 0;
    unsigned number = 0, next = 0;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    if (nvml->nvmlDeviceGetHandleByIndex_v2(gpu->index, &device) != NVML_OK)
        return err_set(err, ERR_HOST, "NVML: GPU %u is gone", gpu->index);
    hash_of(gpu, hash);
    int bad = environment_set(environment, "gpu", gpu->name);
    bad |= environment_set(environment, "gpu_id", hash);
    bad |= environment_set(environment, "compute_capability", gpu->capability);
    bad |= environment_set(environment, "driver", gpu->driver);
    bad |= environment_set(environment, "cuda", gpu->cuda);
    snprintf(text, sizeof text, "%.2f GiB", (double)gpu->memory_bytes / (1 << 30));
    bad |= environment_set(environment, "gpu_memory", text);
    bool known = nvml->nvmlDeviceGetPersistenceMode(device, &on) == NVML_OK;
    bad |= fact(environment, known, "persistence", on != 0 ? "on" : "off");
    known = nvml->nvmlDeviceGetEccMode(device, &on, &pending) == NVML_OK;
    bad |= fact(environment, known, "ecc", on != 0 ? "on" : "off");
    bool mig = nvml->nvmlDeviceGetMigMode(device, &number, &next) == NVML_OK;
    bad |= fact(environment, mig, "mig", number != 0 ? "on" : "off");
    bool limited = nvml->nvmlDeviceGetEnforcedPowerLimit(device, &number) == NVML_OK;
    snprintf(text, sizeof text, "%u W", number / 1000);
    bad |= fact(environment, limited, "power_limit", text);
    bad |= environment_set(environment, "clock_policy", "as found");
    return bad == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}

/* ---- what it does meanwhile ---- */

static void keep_range(unsigned value, unsigned *least, unsigned *most)
{
    if (*most == 0 || value < *least)
        *least = value;
    if (value > *most)
        *most = value;
}

static bool device_of(const struct gpu *gpu, const struct nvml **nvml, nvml_device *device)
{
    return nvml_get(nvml, NULL) == 0 &&
           (*nvml)->nvmlDeviceGetHandleByIndex_v2(gpu->index, device) == NVML_OK;
}

void gpu_watch_sample(const struct gpu *gpu, enum arm arm, struct gpu_watch *watch)
{
    const struct nvml *nvml;
    nvml_device device;
    unsigned mhz = 0;
    if (!device_of(gpu, &nvml, &device) ||
        nvml->nvmlDeviceGetClockInfo(device, NVML_CLOCK_SM, &mhz) != NVML_OK)
        return;
    watch->sm_mhz[arm] += mhz;
    watch->sm_readings[arm]++;
    keep_range(mhz, &watch->sm_least, &watch->sm_most);
}

/* Ours is one of them where the driver tells of processes at all; on some virtual machines it
 * tells of none. */
static bool is_shared(const struct nvml *nvml, nvml_device device)
{
    struct nvml_process processes[GPU_PROCESSES_MAX];
    unsigned count = GPU_PROCESSES_MAX;
    nvml_result result =
        nvml->nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes);
    return result == NVML_INSUFFICIENT_SIZE || (result == NVML_OK && count > 1);
}

unsigned gpu_watch_turn(const struct gpu *gpu, struct gpu_watch *watch)
{
    const unsigned long long slow = NVML_HW_SLOWDOWN | NVML_SW_THERMAL | NVML_HW_THERMAL |
                                    NVML_HW_POWER_BRAKE;
    const struct nvml *nvml;
    nvml_device device;
    unsigned long long reasons = 0;
    unsigned value = 0;
    unsigned marks = 0;
    if (!device_of(gpu, &nvml, &device))
        return 0;
    if (nvml->nvmlDeviceGetCurrentClocksThrottleReasons(device, &reasons) == NVML_OK &&
        (reasons & slow) != 0)
        marks |= MARK_THROTTLED;
    watch->reasons |= reasons;
    if (is_shared(nvml, device))
        marks |= MARK_SHARED;
    if (nvml->nvmlDeviceGetTemperature(device, NVML_TEMPERATURE_GPU, &value) == NVML_OK)
        keep_range(value, &watch->celsius_least, &watch->celsius_most);
    if (nvml->nvmlDeviceGetPowerUsage(device, &value) == NVML_OK)
        keep_range(value / 1000, &watch->watts_least, &watch->watts_most);
    return marks;
}

unsigned gpu_watch_end(const struct gpu_watch *watch)
{
    double least = 0.0, most = 0.0;
    if ((watch->reasons & NVML_SW_POWER_CAP) == 0)
        return 0;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        if (watch->sm_readings[arm] < GPU_CLOCK_READINGS)
            continue;
        double mean = watch->sm_mhz[arm] / watch->sm_readings[arm];
        least = least == 0.0 || mean < least ? mean : least;
        most = mean > most ? mean : most;
    }
    return most > (1.0 + clocks_apart) * least ? MARK_CLOCKS : 0;
}

void gpu_watch_add(struct gpu_watch *to, const struct gpu_watch *from)
{
    to->reasons |= from->reasons;
    if (from->sm_most > 0) {
        keep_range(from->sm_least, &to->sm_least, &to->sm_most);
        keep_range(from->sm_most, &to->sm_least, &to->sm_most);
    }
    if (from->celsius_most > 0) {
        keep_range(from->celsius_least, &to->celsius_least, &to->celsius_most);
        keep_range(from->celsius_most, &to->celsius_least, &to->celsius_most);
    }
    if (from->watts_most > 0) {
        keep_range(from->watts_least, &to->watts_least, &to->watts_most);
        keep_range(from->watts_most, &to->watts_least, &to->watts_most);
    }
}

static int range_fact(struct environment *environment, const char *name, unsigned least,
                      unsigned most, const char *unit)
{
    char text[64];
    if (most == 0)
        return 0;
    if (least == most)
        snprintf(text, sizeof text, "%u %s", most, unit);
    else
        snprintf(text, sizeof text, "%u to %u %s", least, most, unit);
    return environment_set(environment, name, text);
}

int gpu_watch_facts(const struct gpu_watch *watch, struct environment *environment,
                    struct err *err)
{
    static const struct {
        unsigned long long bit;
        const char *name;
    } reasons[] = {{NVML_SW_POWER_CAP, "power cap"},   {NVML_HW_SLOWDOWN, "hardware slowdown"},
                   {NVML_SW_THERMAL, "thermal"},       {NVML_HW_THERMAL, "hardware thermal"},
                   {NVML_HW_POWER_BRAKE, "power brake"}};
    char text[128] = "";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        size_t used = strlen(text);
        if ((watch->reasons & reasons[i].bit) != 0)
            snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ", " : "",
                     reasons[i].name);
    }
    int bad = range_fact(environment, "seen_sm_clock", watch->sm_least, watch->sm_most, "MHz");
    bad |= range_fact(environment, "seen_temperature", watch->celsius_least,
                      watch->celsius_most, "C");
    bad |= range_fact(environment, "seen_power", watch->watts_least, watch->watts_most, "W");
    bad |= environment_set(environment, "seen_throttling", text[0] == '\0' ? "none" : text);
    return bad == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}
