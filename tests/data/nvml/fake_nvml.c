/* SPDX-License-Identifier: Apache-2.0 */
/* A libnvidia-ml.so.1 for hosts without a driver: it plays back what a record says, and keeps
 * to the rules of the real one that matter here: a forked child has to start it again, and cannot
 * where the descriptors that were opened at the first start are closed (seen with driver 580: 17);
 * lists that are too short are refused, only who may can lock clocks.
 *
 * The record is the file `record` beside this library, read anew by every call. A line is
 * `KEY GPU VALUE...`; where a key has several values, each call takes the next, and the last
 * stays. What a record leaves out is not supported; `hold-sm`, `hold-lock` and `hold-unlock`
 * let a call wait as long as they are 1. Locking is written to `record.log`. Its own declarations, not those of
 * src/measure/device/nvml.h: a mistake there must not be made here as well. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
       NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, OPERATING_SYSTEM = 17 };
enum { LINE_BYTES = 4096, CALLS_MAX = 64, PROCESSES_MAX = 1024 };

struct process {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

struct memory {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

static pid_t started_by; /* 0: nobody yet */
static int device_fd = -1;
static struct stat device_file; /* that it was opened on */
static char called[CALLS_MAX][64];
static unsigned calls[CALLS_MAX];

static int has_device(void)
{
    struct stat now;
    return fstat(device_fd, &now) == 0 && now.st_dev == device_file.st_dev &&
           now.st_ino == device_file.st_ino;
}

static int is_up(void)
{
    return started_by == getpid() && has_device();
}

/* A file beside this library. */
static void beside(const char *name, char out[LINE_BYTES])
{
    Dl_info self;
    int folder = 0;
    if (dladdr(&started_by, &self) != 0 && strrchr(self.dli_fname, '/') != NULL)
        folder = (int)(strrchr(self.dli_fname, '/') - self.dli_fname);
    snprintf(out, LINE_BYTES, "%.*s/%s", folder, folder == 0 ? "" : self.dli_fname, name);
}

/* How often `key` of a GPU was asked for; counts this time, too. */
static unsigned count(const char *key)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t i = 0;
    pthread_mutex_lock(&lock);
    while (i + 1 < CALLS_MAX && called[i][0] != '\0' && strcmp(called[i], key) != 0)
        i++;
    snprintf(called[i], sizeof called[i], "%s", key);
    unsigned result = ++calls[i];
    pthread_mutex_unlock(&lock);
    return result;
}

/* For tests: how often the SM clock was read. */
static unsigned readings;

unsigned fake_nvml_readings(void)
{
    return __atomic_load_n(&readings, __ATOMIC_SEQ_CST);
}

/* The rest of the line `KEY GPU `, or false. */
static int find(const char *key, unsigned gpu, char out[LINE_BYTES])
{
    char front[64], path[LINE_BYTES];
    snprintf(front, sizeof front, "%s %u ", key, gpu);
    beside("record", path);
    FILE *file = fopen(path, "r");
    int found = 0;
    while (file != NULL && !found && fgets(out, LINE_BYTES, file) != NULL)
        found = strncmp(out, front, strlen(front)) == 0;
    if (file != NULL)
        fclose(file);
    if (found) {
        memmove(out, out + strlen(front), strlen(out + strlen(front)) + 1);
        out[strcspn(out, "\n")] = '\0';
    }
    return found;
}

static int text(const char *key, unsigned gpu, char *out, unsigned size)
{
    char line[LINE_BYTES];
    if (!is_up())
        return UNINITIALIZED;
    if (!find(key, gpu, line))
        return NOT_SUPPORTED;
    if (strlen(line) >= size)
        return INSUFFICIENT_SIZE;
    memcpy(out, line, strlen(line) + 1);
    return OK;
}

static int number(const char *key, unsigned gpu, unsigned long long *out)
{
    char line[LINE_BYTES], name[64];
    if (!is_up())
        return UNINITIALIZED;
    if (!find(key, gpu, line))
        return NOT_SUPPORTED;
    snprintf(name, sizeof name, "%s %u ", key, gpu);
    unsigned turn = count(name);
    for (char *rest = line, *word; (word = strsep(&rest, " ")) != NULL && turn > 0;) {
        if (*word == '\0')
            continue;
        *out = strtoull(word, NULL, 0);
        turn--;
    }
    return OK;
}

static void hold(const char *key, void *device)
{
    unsigned long long value = 0;
    while (number(key, (unsigned)(size_t)device - 1, &value) == OK && value == 1)
        usleep(1000);
}

static int small(const char *key, void *device, unsigned *out)
{
    unsigned long long value = 0;
    int result = number(key, (unsigned)(size_t)device - 1, &value);
    if (result == OK)
        *out = (unsigned)value;
    return result;
}

static int written(const char *what, void *device, unsigned least, unsigned most)
{
    unsigned refused = 0;
    char path[LINE_BYTES];
    if (!is_up())
        return UNINITIALIZED;
    if (small(what, device, &refused) == OK && refused != 0)
        return NO_PERMISSION;
    beside("record.log", path);
    FILE *file = fopen(path, "a");
    if (file == NULL)
        return INVALID;
    fprintf(file, "%s %u %u\n", what, least, most);
    fclose(file);
    return OK;
}

static int list(const char *key, void *device, unsigned *size, struct process *out)
{
    char line[LINE_BYTES];
    unsigned found = 0;
    struct process all[PROCESSES_MAX];
    if (!is_up())
        return UNINITIALIZED;
    if (!find(key, (unsigned)(size_t)device - 1, line)) {
        *size = 0;
        return OK;
    }
    for (char *rest = line, *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0' && found < PROCESSES_MAX)
            all[found++] = (struct process){.pid = (unsigned)strtoul(word, NULL, 10),
                                            .used = 1 << 20,
                                            .gpu_instance = ~0u,
                                            .compute_instance = ~0u};
    unsigned room = *size;
    *size = found;
    if (found > room)
        return INSUFFICIENT_SIZE;
    memcpy(out, all, found * sizeof *all);
    return OK;
}

/* ---- what is exported ---- */

const char *nvmlErrorString(int result)
{
    static const char *const words[] = {"Success",       "Uninitialized",
                                        "Invalid Argument", "Not Supported",
                                        "Insufficient Permissions", "?", "Not Found",
                                        "Insufficient Size"};
    return result >= 0 && result <= INSUFFICIENT_SIZE ? words[result] : "Unknown Error";
}

int nvmlInit_v2(void)
{
    if (started_by == 0)
        device_fd = memfd_create("fake-nvidiactl", MFD_CLOEXEC);
    if (started_by == 0 && fstat(device_fd, &device_file) != 0)
        return OPERATING_SYSTEM;
    if (!has_device())
        return OPERATING_SYSTEM;
    started_by = getpid();
    return OK;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    return text("driver", 0, out, size);
}

int nvmlSystemGetCudaDriverVersion_v2(int *out)
{
    return small("cuda", (void *)1, (unsigned *)out);
}

int nvmlDeviceGetCount_v2(unsigned *out)
{
    return small("gpus", (void *)1, out);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out)
{
    char line[LINE_BYTES];
    if (!is_up())
        return UNINITIALIZED;
    if (!find("name", index, line))
        return NOT_FOUND;
    *out = (void *)(size_t)(index + 1);
    return OK;
}

#define TEXT(function, key)                                                                  \
    int function(void *device, char *out, unsigned size)                                     \
    {                                                                                        \
        return text(key, (unsigned)(size_t)device - 1, out, size);                           \
    }
TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetUUID, "uuid")

#define SMALL(function, key)                                                                 \
    int function(void *device, unsigned *out)                                                \
    {                                                                                        \
        return small(key, device, out);                                                      \
    }
SMALL(nvmlDeviceGetMinorNumber, "minor")
SMALL(nvmlDeviceGetPowerUsage, "milliwatts")
SMALL(nvmlDeviceGetEnforcedPowerLimit, "limit")
SMALL(nvmlDeviceGetPersistenceMode, "persistence")

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor)
{
    unsigned both = 0;
    int result = small("capability", device, &both);
    *major = (int)(both / 10);
    *minor = (int)(both % 10);
    return result;
}

int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory *out)
{
    unsigned gpu = (unsigned)(size_t)device - 1;
    unsigned long long total = 0, used = 0;
    if (out->version != (sizeof *out | 2u << 24))
        return INVALID;
    int result = number("total", gpu, &total);
    if (result == OK)
        result = number("used", gpu, &used);
    if (result == OK)
        *out = (struct memory){out->version, total, 0, total - used, used};
    return result;
}

int nvmlDeviceGetClockInfo(void *device, int clock, unsigned *out)
{
    if (clock == 1)
        __atomic_add_fetch(&readings, 1, __ATOMIC_SEQ_CST);
    hold("hold-sm", device);
    return small(clock == 1 ? "sm" : clock == 2 ? "memory-clock" : "?", device, out);
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *out)
{
    return sensor == 0 ? small("celsius", device, out) : INVALID;
}

/* Only the newer name: the older is to be done without some day. */
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *out)
{
    return number("reasons", (unsigned)(size_t)device - 1, out);
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *size, struct process *out)
{
    return list("compute", device, size, out);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *size, struct process *out)
{
    return list("graphics", device, size, out);
}

int nvmlDeviceGetEccMode(void *device, int *current, int *pending)
{
    *pending = 0;
    return small("ecc", device, (unsigned *)current);
}

int nvmlDeviceGetPowerManagementDefaultLimit(void *device, unsigned *milliwatts)
{
    return small("default-limit", device, milliwatts);
}

int nvmlDeviceGetMaxClockInfo(void *device, int clock, unsigned *mhz)
{
    return small(clock == 1 ? "max-sm" : clock == 2 ? "max-memory" : "?", device, mhz);
}

int nvmlDeviceGetApplicationsClock(void *device, int clock, unsigned *mhz)
{
    return small(clock == 1 ? "application-sm" : clock == 2 ? "application-memory" : "?", device,
                 mhz);
}

int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending)
{
    *pending = 0;
    return small("mig", device, current);
}

int nvmlDeviceSetGpuLockedClocks(void *device, unsigned least, unsigned most)
{
    int result = written("lock", device, least, most);
    hold("hold-lock", device);
    return result;
}

int nvmlDeviceResetGpuLockedClocks(void *device)
{
    hold("hold-unlock", device);
    return written("unlock", device, 0, 0);
}
