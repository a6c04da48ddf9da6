/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which GPU a lane has, the facts about it, and who else is on it. What cannot be read is
 * left out of the facts, and counts as no other process. */
#include "measure/device/nvidia.h"

#include "base/file.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NVIDIA_PROCESSES_MAX = 256, NVIDIA_ANCESTORS_MAX = 64 };

int nvidia_failed(const struct nvml *nvml, nvml_result result, const char *what,
                  struct err *err)
{
    return err_set(err, ERR_HOST, "NVML: %s: %s", what, nvml->nvmlErrorString(result));
}

const struct nvml *nvidia_device(const struct gpu *gpu, nvml_device *device)
{
    const struct nvml *nvml;
    if (nvml_get(&nvml, NULL) != 0 ||
        nvml->nvmlDeviceGetHandleByIndex_v2(gpu->index, device) != NVML_OK)
        return NULL;
    return nvml;
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

/* The UUID itself is kept private; its hash tells one card from another. */
static void hash_uuid(struct gpu *gpu)
{
    char whole[FILE_SHA256_BYTES];
    file_sha256(gpu->uuid, strlen(gpu->uuid), whole);
    snprintf(gpu->id, sizeof gpu->id, "%.16s", whole);
}

static int read_gpu(const struct nvml *nvml, unsigned index, struct gpu *gpu, struct err *err)
{
    nvml_device device;
    int major = 0, minor = 0, cuda = 0;
    struct nvml_memory memory = {.version = NVML_MEMORY_VERSION};
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
        result = nvml->nvmlSystemGetDriverVersion(gpu->driver, sizeof gpu->driver);
    if (result == NVML_OK)
        result = nvml->nvmlSystemGetCudaDriverVersion_v2(&cuda);
    if (result != NVML_OK)
        return nvidia_failed(nvml, result, "read a GPU", err);
    hash_uuid(gpu);
    if (nvml->nvmlDeviceGetMemoryInfo_v2(device, &memory) == NVML_OK)
        gpu->memory_bytes = memory.total; /* 0 where it is the host's own */
    snprintf(gpu->capability, sizeof gpu->capability, "%d.%d", major % 100, minor % 100);
    snprintf(gpu->cuda, sizeof gpu->cuda, "%d.%d", cuda / 1000, cuda % 1000 / 10);
    return 0;
}

/* Clocks, processes and device nodes of a divided GPU are another matter. */
static bool is_divided(const struct nvml *nvml, unsigned index)
{
    nvml_device device;
    unsigned current = 0, pending = 0;
    return nvml->nvmlDeviceGetMigMode != NULL &&
           nvml->nvmlDeviceGetHandleByIndex_v2(index, &device) == NVML_OK &&
           nvml->nvmlDeviceGetMigMode(device, &current, &pending) == NVML_OK && current != 0;
}

static bool is_choice(const struct gpu *gpu, const char *choice)
{
    char index[16];
    snprintf(index, sizeof index, "%u", gpu->index);
    return strcmp(choice, index) == 0 || strcmp(choice, gpu->uuid) == 0;
}

int nvidia_find(const char *slug, const char *choice, struct gpu *out, struct err *err)
{
    const struct nvml *nvml;
    unsigned count = 0;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    nvml_result result = nvml->nvmlDeviceGetCount_v2(&count);
    if (result != NVML_OK)
        return nvidia_failed(nvml, result, "count the GPUs", err);
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
        if (is_divided(nvml, i))
            return err_set(err, ERR_HOST,
                           "GPU %u is in MIG mode, and a lane measures on a"
                           " whole GPU; see ratchet(1), MIG",
                           i);
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

static int fact_of_mode(struct environment *environment, bool known, const char *name, bool on)
{
    return fact(environment, known, name, on ? "on" : "off");
}

/* A number with its unit, divided by `scale`. */
static int fact_of_number(struct environment *environment, bool known, const char *name,
                          unsigned number, unsigned scale, const char *unit)
{
    char text[32];
    snprintf(text, sizeof text, "%u %s", number / scale, unit);
    return fact(environment, known, name, text);
}

/* Modes, which an older driver or a smaller card may not know. */
static int add_modes(const struct nvml *nvml, nvml_device device,
                     struct environment *environment)
{
    int on = 0, pending = 0;
    unsigned divided = 0, later = 0;
    bool known = nvml->nvmlDeviceGetPersistenceMode != NULL &&
                 nvml->nvmlDeviceGetPersistenceMode(device, &on) == NVML_OK;
    int bad = fact_of_mode(environment, known, "persistence", on != 0);
    known = nvml->nvmlDeviceGetEccMode != NULL &&
            nvml->nvmlDeviceGetEccMode(device, &on, &pending) == NVML_OK;
    bad |= fact_of_mode(environment, known, "ecc", on != 0);
    known = nvml->nvmlDeviceGetMigMode != NULL &&
            nvml->nvmlDeviceGetMigMode(device, &divided, &later) == NVML_OK;
    return bad | fact_of_mode(environment, known, "mig", divided != 0);
}

typedef nvml_result read_clock(nvml_device device, int clock, unsigned *mhz);

static int add_clock(read_clock *read, nvml_device device, int clock, const char *name,
                     struct environment *environment)
{
    unsigned mhz = 0;
    bool known = read != NULL && read(device, clock, &mhz) == NVML_OK;
    return fact_of_number(environment, known, name, mhz, 1, "MHz");
}

/* Limits, likewise. */
static int add_limits(const struct nvml *nvml, nvml_device device,
                      struct environment *environment)
{
    unsigned milliwatts = 0;
    bool known = nvml->nvmlDeviceGetEnforcedPowerLimit != NULL &&
                 nvml->nvmlDeviceGetEnforcedPowerLimit(device, &milliwatts) == NVML_OK;
    int bad = fact_of_number(environment, known, "power_limit", milliwatts, 1000, "W");
    known = nvml->nvmlDeviceGetPowerManagementDefaultLimit != NULL &&
            nvml->nvmlDeviceGetPowerManagementDefaultLimit(device, &milliwatts) == NVML_OK;
    bad |= fact_of_number(environment, known, "default_power_limit", milliwatts, 1000, "W");
    bad |= add_clock(nvml->nvmlDeviceGetMaxClockInfo, device, NVML_CLOCK_SM, "max_sm_clock",
                     environment);
    bad |= add_clock(nvml->nvmlDeviceGetMaxClockInfo, device, NVML_CLOCK_MEMORY,
                     "max_memory_clock", environment);
    bad |= add_clock(nvml->nvmlDeviceGetApplicationsClock, device, NVML_CLOCK_SM,
                     "application_sm_clock", environment);
    return bad | add_clock(nvml->nvmlDeviceGetApplicationsClock, device, NVML_CLOCK_MEMORY,
                           "application_memory_clock", environment);
}

int nvidia_facts(const struct gpu *gpu, struct environment *environment, struct err *err)
{
    char text[32];
    nvml_device device;
    const struct nvml *nvml = nvidia_device(gpu, &device);
    if (nvml == NULL)
        return err_set(err, ERR_HOST, "NVML: GPU %u is gone", gpu->index);
    int bad = environment_set(environment, "gpu", gpu->name);
    bad |= environment_set(environment, "gpu_id", gpu->id);
    bad |= environment_set(environment, "compute_capability", gpu->capability);
    bad |= environment_set(environment, "driver", gpu->driver);
    bad |= environment_set(environment, "cuda", gpu->cuda);
    snprintf(text, sizeof text, "%.2f GiB", (double)gpu->memory_bytes / (1 << 30));
    bad |= fact(environment, gpu->memory_bytes > 0, "gpu_memory", text);
    bad |= add_modes(nvml, device, environment);
    bad |= add_limits(nvml, device, environment);
    bad |= environment_set(environment, "clock_policy", "as found");
    return bad == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}

/* ---- who else is there ---- */

enum relation { OTHER, OURS, NAMELESS /* /proc has nobody of that number */ };

static pid_t parent_of(pid_t pid)
{
    char path[64];
    BUF_AUTO text;
    buf_init(&text, 4096);
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (file_read(path, &text, NULL) != 0)
        return -1;
    /* "PID (NAME) STATE PARENT …", and a name may hold anything. */
    const char *end = strrchr(text.data, ')');
    long parent = -1;
    if (end == NULL || sscanf(end, ") %*c %9ld", &parent) != 1)
        return -1;
    return (pid_t)parent;
}

/* The harness is our child's child, or further down, in a pid namespace of its own; NVML and
 * /proc both tell its number in ours. */
static enum relation relation_of(pid_t pid)
{
    for (int i = 0; i < NVIDIA_ANCESTORS_MAX; i++) {
        if (pid == getpid())
            return OURS;
        pid_t parent = pid > 0 ? parent_of(pid) : -1;
        if (parent < 0)
            return i == 0 ? NAMELESS : OTHER;
        pid = parent;
    }
    return OTHER;
}

typedef nvml_result list_processes(nvml_device device, unsigned *count,
                                   struct nvml_process *out);

/* Append those of one list; one that stands in both is there once. False: they are more. */
static bool add_list(list_processes *list, nvml_device device, pid_t *pids, size_t *count)
{
    struct nvml_process processes[NVIDIA_PROCESSES_MAX];
    unsigned found = NVIDIA_PROCESSES_MAX;
    if (list == NULL)
        return true;
    nvml_result result = list(device, &found, processes);
    if (result != NVML_OK || found > NVIDIA_PROCESSES_MAX)
        return result != NVML_INSUFFICIENT_SIZE && result != NVML_OK;
    for (unsigned i = 0; i < found; i++) {
        size_t known = 0;
        while (known < *count && pids[known] != (pid_t)processes[i].pid)
            known++;
        if (known == *count)
            pids[(*count)++] = (pid_t)processes[i].pid;
    }
    return true;
}

unsigned nvidia_other_processes(const struct gpu *gpu, bool at_work)
{
    pid_t pids[2 * NVIDIA_PROCESSES_MAX];
    size_t count = 0;
    unsigned seen[3] = {0};
    nvml_device device;
    const struct nvml *nvml = nvidia_device(gpu, &device);
    if (nvml == NULL)
        return 0;
    if (!add_list(nvml->nvmlDeviceGetComputeRunningProcesses_v3, device, pids, &count) ||
        !add_list(nvml->nvmlDeviceGetGraphicsRunningProcesses_v3, device, pids, &count))
        return NVIDIA_PROCESSES_MAX;
    for (size_t i = 0; i < count; i++)
        seen[relation_of(pids[i])]++;
    if (at_work && seen[OURS] == 0 && seen[NAMELESS] > 0)
        seen[NAMELESS]--;
    return seen[OTHER] + seen[NAMELESS];
}

bool nvidia_used_bytes(const struct gpu *gpu, unsigned long long *bytes)
{
    struct nvml_memory memory = {.version = NVML_MEMORY_VERSION};
    nvml_device device;
    const struct nvml *nvml = nvidia_device(gpu, &device);
    if (nvml == NULL || nvml->nvmlDeviceGetMemoryInfo_v2(device, &memory) != NVML_OK)
        return false;
    *bytes = memory.used;
    return true;
}

bool nvidia_is_in_use(const struct gpu *gpu, char *text, size_t size)
{
    unsigned long long used;
    unsigned others = nvidia_other_processes(gpu, false);
    if (others > 0) {
        snprintf(text, size, "%u other process%s on the GPU", others,
                 others == 1 ? " is" : "es are");
        return true;
    }
    if (!nvidia_used_bytes(gpu, &used) || used < NVIDIA_CONTEXT_BYTES)
        return false;
    snprintf(text, size, "%llu MiB of the GPU's memory are in use, by nobody seen from here",
             used >> 20);
    return true;
}
