/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of /proc and /sys. What cannot be read is left out or 0, never an error: a host
 * without a governor file is measured all the same. */
#include "measure/machine.h"

#include "base/buf.h"
#include "base/file.h"
#include "wire.h"

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

unsigned machine_core_of(unsigned cpu)
{
    char siblings[64];
    unsigned first;
    read_line(siblings, sizeof siblings, cpu, "topology/", "thread_siblings_list");
    return sscanf(siblings, "%9u", &first) == 1 ? first : cpu;
}

unsigned machine_threads(const struct machine *machine, unsigned wanted)
{
    unsigned threads = wanted != 0 ? wanted : machine->cores;
    return threads < WIRE_THREADS_MAX ? threads : WIRE_THREADS_MAX;
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
