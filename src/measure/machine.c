/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of /proc and /sys, and the witness. What cannot be read is left out or 0,
 * never an error: a host without a governor file is measured all the same. */
#include "measure/machine.h"

#include "base/buf.h"
#include "base/file.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

enum { PROC_FILE_BYTES = 4 << 20 };

/* The first line of a small file of a processor's, "" where there is none. */
static void read_line(char *out, size_t size, unsigned cpu, const char *folder,
                      const char *name)
{
    char path[256];
    BUF_AUTO text;
    buf_init(&text, 4096);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/%s%s", cpu, folder, name);
    out[0] = '\0';
    if (file_read(path, &text, NULL) == 0)
        snprintf(out, size, "%.*s", (int)strcspn(text.data, "\n"), text.data);
}

/* The value after `key` at the start of a line of `text`, without quotes. */
static void find_value(const char *text, const char *key, char *out, size_t size)
{
    size_t len = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (strncmp(line, key, len) == 0) {
            const char *value = line + len + strspn(line + len, "\t :=\"");
            snprintf(out, size, "%.*s", (int)strcspn(value, "\"\n"), value);
            return;
        }
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
}

/* Physical cores among the processors we may use: distinct pairs of package and core. */
static void count_cores(struct machine *machine)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    machine->processors = 1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        machine->processors = (unsigned)CPU_COUNT(&allowed);
    char(*seen)[32] = calloc(machine->processors, sizeof *seen);
    for (unsigned cpu = 0; seen != NULL && cpu < CPU_SETSIZE; cpu++) {
        char package[12];
        char core[12];
        char pair[32];
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        read_line(package, sizeof package, cpu, "topology/", "physical_package_id");
        read_line(core, sizeof core, cpu, "topology/", "core_id");
        snprintf(pair, sizeof pair, "%s/%s", package, core);
        if (core[0] == '\0')
            snprintf(pair, sizeof pair, "cpu%u", cpu);
        unsigned i = 0;
        while (i < machine->cores && strcmp(seen[i], pair) != 0)
            i++;
        if (i == machine->cores && i < machine->processors)
            memcpy(seen[machine->cores++], pair, sizeof pair);
    }
    free(seen);
    if (machine->cores == 0)
        machine->cores = machine->processors;
}

/* "2048K" */
static unsigned long long cache_size(unsigned index)
{
    char text[32];
    char folder[32];
    snprintf(folder, sizeof folder, "cache/index%u/", index);
    read_line(text, sizeof text, 0, folder, "size");
    unsigned long long value = 0;
    char unit = ' ';
    if (sscanf(text, "%9llu%c", &value, &unit) < 1)
        return 0;
    return unit == 'K' ? value << 10 : unit == 'M' ? value << 20 : value;
}

static void read_caches(struct machine *machine)
{
    for (unsigned index = 0; index < 8; index++) {
        char level[8];
        char type[16];
        char folder[32];
        snprintf(folder, sizeof folder, "cache/index%u/", index);
        read_line(level, sizeof level, 0, folder, "level");
        read_line(type, sizeof type, 0, folder, "type");
        if (level[0] == '\0' || strcmp(type, "Instruction") == 0)
            continue;
        unsigned long long bytes = cache_size(index);
        if (level[0] == '2')
            machine->l2_bytes = bytes;
        if (bytes > machine->llc_bytes)
            machine->llc_bytes = bytes;
    }
}

void machine_read(struct machine *machine)
{
    *machine = (struct machine){.cpu = "unknown processor"};
    BUF_AUTO text;
    buf_init(&text, PROC_FILE_BYTES);
    if (file_read("/proc/cpuinfo", &text, NULL) == 0)
        find_value(text.data, "model name", machine->cpu, sizeof machine->cpu);
    count_cores(machine);
    read_caches(machine);
    read_line(machine->governor, sizeof machine->governor, 0, "cpufreq/", "scaling_governor");
    struct timespec tick = {0, 1};
    clock_getres(CLOCK_MONOTONIC_RAW, &tick);
    machine->tick_ns = (double)tick.tv_sec * 1e9 + (double)tick.tv_nsec;
}

unsigned long long machine_rotation(const struct machine *machine, unsigned threads, bool warm,
                                    char *text, size_t size)
{
    /* Beyond this a rotation costs more in setting up than it says: hosts with 100 MB of
     * shared cache would spend longer on making inputs than on measuring. */
    const unsigned long long ceiling = 64ull << 20;
    if (warm) {
        snprintf(text, size, "warm: one set");
        return 0;
    }
    unsigned long long llc = 2 * machine->llc_bytes;
    unsigned long long l2 = 2 * machine->l2_bytes * threads;
    if (llc > 0 && llc <= ceiling) {
        snprintf(text, size, "rotating over %.1f MiB, twice the last-level cache",
                 (double)llc / (1 << 20));
        return llc;
    }
    unsigned long long bytes = l2 > 0 ? l2 : ceiling;
    if (bytes > ceiling)
        bytes = ceiling;
    snprintf(text, size,
             "rotating over %.1f MiB, twice the L2 of %u core%s; they may stay in the"
             " last-level cache (%.1f MiB)",
             (double)bytes / (1 << 20), threads, threads == 1 ? "" : "s",
             (double)machine->llc_bytes / (1 << 20));
    return bytes;
}

double machine_peak_ops_per_ns(unsigned threads)
{
    return 64.0 * 6.0 * threads;
}

int machine_facts(const struct machine *machine, struct environment *environment,
                  struct err *err)
{
    char os[128] = "unknown";
    char kernel[128] = "unknown";
    char cores[64];
    BUF_AUTO text;
    buf_init(&text, 64 << 10);
    if (file_read("/etc/os-release", &text, NULL) == 0)
        find_value(text.data, "PRETTY_NAME", os, sizeof os);
    struct utsname name;
    if (uname(&name) == 0)
        snprintf(kernel, sizeof kernel, "%.60s %.60s", name.release, name.machine);
    snprintf(cores, sizeof cores, "%u physical, %u logical", machine->cores,
             machine->processors);
    if (environment_set(environment, "os", os) != 0 ||
        environment_set(environment, "kernel", kernel) != 0 ||
        environment_set(environment, "cpu", machine->cpu) != 0 ||
        environment_set(environment, "cores", cores) != 0 ||
        (machine->governor[0] != '\0' &&
         environment_set(environment, "governor", machine->governor) != 0))
        return err_set(err, ERR_HOST, "out of memory for the environment");
    return 0;
}

/* ---- the witness ---- */

static const long poll_ns =
    5000000; /* between two readings of a GPU; one takes microseconds */

struct watcher {
    const char *device; /* front of the slug */
    void (*begin)(struct witness *witness);
    unsigned (*end)(struct witness *witness, unsigned long long borne);
};

struct witness {
    const struct watcher *watcher;   /* NULL: nobody watches that device */
    unsigned long long stolen_ticks; /* when the turn began */
    const struct gpu *gpu;           /* NULL: not a GPU */
    bool used_known;
    unsigned long long used_bytes; /* of the GPU's memory, when the first turn began */
    pthread_t thread;
    pthread_mutex_t lock;   /* of what follows, which the thread and its owner share */
    pthread_cond_t changed; /* open or stop */
    bool open, stop;
    enum arm at_work;             /* ARM_COUNT: none alone */
    unsigned samples;             /* so far: a reading that spans two is of neither */
    unsigned marks;               /* of the open turn */
    unsigned marks_of[ARM_COUNT]; /* … seen while this arm was at work alone */
    struct gpu_watch watch;
};

/* Time the hypervisor took from all processors together, in ticks of 10 ms. */
static unsigned long long stolen_ticks(void)
{
    BUF_AUTO text;
    buf_init(&text, PROC_FILE_BYTES);
    unsigned long long stolen = 0;
    if (file_read("/proc/stat", &text, NULL) != 0 ||
        sscanf(text.data, "cpu %*u %*u %*u %*u %*u %*u %*u %19llu", &stolen) != 1)
        return 0;
    return stolen;
}

static void cpu_begin(struct witness *witness)
{
    witness->stolen_ticks = stolen_ticks();
}

static unsigned cpu_end(struct witness *witness, unsigned long long borne)
{
    return stolen_ticks() > witness->stolen_ticks + borne ? MARK_PREEMPTED : 0;
}

/* One reading. The lock is held on entry and on return, and not while NVML is asked. */
static void look(struct witness *witness)
{
    struct gpu_reading reading;
    unsigned samples = witness->samples;
    enum arm arm = witness->at_work;
    pthread_mutex_unlock(&witness->lock);
    gpu_read(witness->gpu, &reading);
    pthread_mutex_lock(&witness->lock);
    if (samples != witness->samples)
        arm = ARM_COUNT;
    gpu_watch_keep(&witness->watch, arm, &reading);
    unsigned marks = gpu_reading_marks(&reading);
    witness->marks |= marks;
    if (arm < ARM_COUNT)
        witness->marks_of[arm] |= marks;
}

static void *watch_gpu(void *context)
{
    struct witness *witness = context;
    pthread_mutex_lock(&witness->lock);
    while (!witness->stop) {
        if (!witness->open) {
            pthread_cond_wait(&witness->changed, &witness->lock);
            continue;
        }
        look(witness);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += poll_ns;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!witness->stop)
            pthread_cond_timedwait(&witness->changed, &witness->lock, &until);
    }
    pthread_mutex_unlock(&witness->lock);
    return NULL;
}

static void gpu_begin(struct witness *witness)
{
    if (!witness->used_known)
        witness->used_known = gpu_used_bytes(witness->gpu, &witness->used_bytes);
    witness->marks = 0;
    memset(witness->marks_of, 0, sizeof witness->marks_of);
    witness->open = true;
    pthread_cond_signal(&witness->changed);
}

/* Everything that a harness needs was allocated before its first turn. */
static bool memory_moved(const struct witness *witness)
{
    unsigned long long used;
    if (!witness->used_known || !gpu_used_bytes(witness->gpu, &used))
        return false;
    return used > witness->used_bytes + GPU_CONTEXT_BYTES ||
           witness->used_bytes > used + GPU_CONTEXT_BYTES;
}

static unsigned gpu_end(struct witness *witness, unsigned long long borne)
{
    (void)borne;   /* of another's time */
    look(witness); /* each turn has one reading at least */
    witness->open = false;
    if (gpu_strangers(witness->gpu, true) > 0 || memory_moved(witness))
        witness->marks |= MARK_SHARED;
    return witness->marks;
}

static const struct watcher watchers[] = {{"cpu", cpu_begin, cpu_end},
                                          {"nvidia-", gpu_begin, gpu_end}};

static const struct watcher *watcher_of(const char *device, const struct gpu *gpu)
{
    for (size_t i = 0; i < sizeof watchers / sizeof watchers[0]; i++)
        if (strncmp(device, watchers[i].device, strlen(watchers[i].device)) == 0)
            return watchers[i].begin == gpu_begin && gpu == NULL ? NULL : &watchers[i];
    return NULL;
}

static int start_watching(struct witness *witness, struct err *err)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&witness->lock, NULL);
    pthread_cond_init(&witness->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int rc = witness->gpu == NULL ? 0
                                  : pthread_create(&witness->thread, NULL, watch_gpu, witness);
    return rc == 0 ? 0 : err_errno(err, ERR_HOST, rc, "start a thread that watches the GPU");
}

int witness_open(const char *device, const struct gpu *gpu, struct witness **out,
                 struct err *err)
{
    struct witness *witness = calloc(1, sizeof *witness);
    if (witness == NULL)
        return err_set(err, ERR_HOST, "out of memory for a witness");
    witness->watcher = watcher_of(device, gpu);
    witness->gpu = gpu;
    witness->at_work = ARM_COUNT;
    if (start_watching(witness, err) != 0) {
        free(witness);
        return -1;
    }
    *out = witness;
    return 0;
}

void witness_begin(struct witness *witness, enum arm at_work)
{
    pthread_mutex_lock(&witness->lock);
    witness->at_work = at_work;
    witness->samples++;
    if (witness->watcher != NULL)
        witness->watcher->begin(witness);
    pthread_mutex_unlock(&witness->lock);
}

void witness_sample(struct witness *witness, enum arm at_work)
{
    pthread_mutex_lock(&witness->lock);
    witness->at_work = at_work;
    witness->samples++;
    pthread_mutex_unlock(&witness->lock);
}

unsigned witness_end(struct witness *witness, unsigned long long borne, unsigned of[ARM_COUNT])
{
    pthread_mutex_lock(&witness->lock);
    unsigned marks = witness->watcher == NULL ? 0 : witness->watcher->end(witness, borne);
    for (int arm = 0; arm < ARM_COUNT; arm++)
        of[arm] |= witness->marks_of[arm];
    pthread_mutex_unlock(&witness->lock);
    return marks;
}

unsigned witness_marks(struct witness *witness, unsigned of[ARM_COUNT])
{
    pthread_mutex_lock(&witness->lock);
    unsigned marks = gpu_watch_marks(&witness->watch);
    enum arm odd = gpu_watch_odd(&witness->watch);
    if (odd < ARM_COUNT)
        of[odd] |= marks;
    pthread_mutex_unlock(&witness->lock);
    return marks;
}

void witness_close(struct witness **witness, struct gpu_watch *seen)
{
    if (*witness == NULL)
        return;
    pthread_mutex_lock(&(*witness)->lock);
    (*witness)->stop = true;
    pthread_cond_signal(&(*witness)->changed);
    pthread_mutex_unlock(&(*witness)->lock);
    if ((*witness)->gpu != NULL)
        pthread_join((*witness)->thread, NULL);
    if (seen != NULL)
        gpu_watch_add(seen, &(*witness)->watch);
    pthread_cond_destroy(&(*witness)->changed);
    pthread_mutex_destroy(&(*witness)->lock);
    free(*witness);
    *witness = NULL;
}
