/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU as a lane, without one: NVML played back from records (tests/data/nvml), found through
 * LD_LIBRARY_PATH as the driver's would be; the witness; the lock of its clocks, and what
 * becomes of it when processes are killed. */
#include "measure/device/clocks.h"
#include "measure/device/nvidia.h"

#include "base/file.h"
#include "base/local_socket.h"
#include "base/proc.h"
#include "measure/device/witness.h"
#include "tests/tap.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

static const char LANE[] = "nvidia-h200";
static char folder[FILE_PATH_BYTES];
static char sound[8192]; /* tests/data/nvml/h200.txt */
static struct err err;

static void write_text(const char *name, const char *text)
{
    char path[FILE_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_write(path, text, strlen(text), 0644, &err) != 0)
        printf("# %s\n", err.text);
}

static const char *read_text(const char *name)
{
    static char text[8192];
    char path[FILE_PATH_BYTES + 32];
    BUF_AUTO bytes;
    buf_init(&bytes, sizeof text - 1);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    text[0] = '\0';
    if (file_read(path, &bytes, NULL) == 0)
        memcpy(text, bytes.data, bytes.len + 1);
    return text;
}

/* What the fake plays from now on: these lines, and the sound record's for the rest. */
static void play(const char *lines)
{
    char text[sizeof sound + 4096];
    snprintf(text, sizeof text, "%s%s", lines, sound);
    write_text("record", text);
}

static void playf(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void playf(const char *format, ...)
{
    char lines[512];
    va_list args;
    va_start(args, format);
    vsnprintf(lines, sizeof lines, format, args);
    va_end(args);
    play(lines);
}

static struct gpu find(void)
{
    struct gpu gpu = {0};
    OK(nvidia_find("nvidia-h200", NULL, &gpu, &err) == 0);
    return gpu;
}

/* ---- which GPU, and facts ---- */

static void refused(const char *slug, const char *choice, const char *message)
{
    struct gpu gpu = {.index = 77};
    err = (struct err){0};
    OK(nvidia_find(slug, choice, &gpu, &err) == -1);
    EQ_STR(err.text, message);
    EQ_INT(err.class, ERR_HOST);
    EQ_INT(gpu.index, 77);
}

static void test_find(void)
{
    struct gpu gpu;
    tap_case("which GPU");
    play("");
    OK(nvidia_find("nvidia-h200", NULL, &gpu, &err) == 0);
    EQ_INT(gpu.index, 0);
    EQ_INT(gpu.minor, 3);
    EQ_STR(gpu.name, "NVIDIA H200");
    EQ_STR(gpu.capability, "9.0");
    EQ_STR(gpu.driver, "580.159.04");
    EQ_STR(gpu.cuda, "13.0");
    EQ_INT(gpu.memory_bytes, 150754820096);
    EQ_INT(strlen(gpu.id), 16);
    OK(strstr(gpu.uuid, gpu.id) == NULL);
    struct gpu same;
    OK(nvidia_find("nvidia-h200", gpu.uuid, &same, &err) == 0 && strcmp(gpu.id, same.id) == 0);
    OK(nvidia_find("nvidia-t4", NULL, &gpu, &err) == 0 && gpu.index == 1 && gpu.minor == 1);
    OK(strcmp(gpu.id, same.id) != 0);
    OK(nvidia_find("nvidia-t4", "1", &gpu, &err) == 0 && gpu.index == 1);
    play("name 0 NVIDIA H100 80GB HBM3\n");
    OK(nvidia_find("nvidia-h100", NULL, &gpu, &err) == 0);
    OK(nvidia_find("nvidia-h100-80gb-hbm3", "0", &gpu, &err) == 0);

    tap_case("which GPU not");
    refused("nvidia-h10", NULL, "none of the 2 GPUs here is a nvidia-h10");
    refused("nvidia-h200", NULL, "none of the 2 GPUs here is a nvidia-h200");
    refused("nvidia-t4", "0", "GPU 0 is an `NVIDIA H100 80GB HBM3`, which is no nvidia-t4");
    refused("nvidia-t4", "7", "none of the 2 GPUs here is GPU 7, the one chosen");
    play("mig 0 1\n");
    refused("nvidia-h200", NULL, "GPU 0 is in MIG mode, and a lane measures on a whole GPU; see ratchet(1), MIG");
    play("minor 0\n");
    write_text("record", "name 0 NVIDIA H200\ngpus 0 1\n");
    refused("nvidia-h200", NULL, "NVML: read a GPU: Not Supported");
    OK(device_is_gpu("nvidia-l4") && !device_is_gpu("cpu") && !device_is_gpu("nvidia"));
}

static const char *fact(const struct environment *environment, const char *name)
{
    const char *value = environment_get(environment, name);
    return value == NULL ? "(none)" : value;
}

static void test_facts(void)
{
    tap_case("facts");
    play("");
    struct gpu gpu = find();
    struct environment environment = {0};
    OK(nvidia_facts(&gpu, &environment, &err) == 0);
    EQ_STR(fact(&environment, "gpu"), "NVIDIA H200");
    EQ_STR(fact(&environment, "gpu_id"), gpu.id);
    EQ_STR(fact(&environment, "compute_capability"), "9.0");
    EQ_STR(fact(&environment, "driver"), "580.159.04");
    EQ_STR(fact(&environment, "cuda"), "13.0");
    EQ_STR(fact(&environment, "gpu_memory"), "140.40 GiB");
    EQ_STR(fact(&environment, "persistence"), "on");
    EQ_STR(fact(&environment, "ecc"), "on");
    EQ_STR(fact(&environment, "mig"), "off");
    EQ_STR(fact(&environment, "power_limit"), "700 W");
    EQ_STR(fact(&environment, "default_power_limit"), "700 W");
    EQ_STR(fact(&environment, "max_sm_clock"), "1980 MHz");
    EQ_STR(fact(&environment, "max_memory_clock"), "3201 MHz");
    EQ_STR(fact(&environment, "application_sm_clock"), "1980 MHz");
    EQ_STR(fact(&environment, "application_memory_clock"), "3201 MHz");
    EQ_STR(fact(&environment, "clock_policy"), "as found");
    for (size_t i = 0; i < environment.count; i++)
        OK(strstr(environment.facts[i].value, "GPU-") == NULL); /* no UUID */
    environment_free(&environment);

    tap_case("what a card does not tell is left out");
    OK(nvidia_find("nvidia-t4", NULL, &gpu, &err) == 0);
    OK(nvidia_facts(&gpu, &environment, &err) == 0);
    EQ_STR(fact(&environment, "ecc"), "(none)");
    EQ_STR(fact(&environment, "power_limit"), "(none)");
    EQ_STR(fact(&environment, "mig"), "(none)");
    EQ_STR(fact(&environment, "max_sm_clock"), "(none)");
    EQ_STR(fact(&environment, "application_sm_clock"), "(none)");
    environment_free(&environment);
}

/* ---- who else ---- */

/* A process of ours that waits until it is killed. */
static pid_t idle_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_strangers(void)
{
    tap_case("who else is on it");
    play("");
    struct gpu gpu = find();
    pid_t child = idle_child();
    EQ_INT(nvidia_other_processes(&gpu, true), 0);
    playf("compute 0 %d %d\n", getpid(), child);
    EQ_INT(nvidia_other_processes(&gpu, true), 0);
    playf("compute 0 %d 1\n", child);
    EQ_INT(nvidia_other_processes(&gpu, true), 1);
    playf("compute 0 %d 1\ngraphics 0 1\n", child);
    EQ_INT(nvidia_other_processes(&gpu, true), 1); /* once, whichever lists it is in */
    playf("graphics 0 1 %d\n", getppid());
    EQ_INT(nvidia_other_processes(&gpu, true), getppid() == 1 ? 1 : 2);
    end_child(child);

    tap_case("names of another pid namespace");
    play("compute 0 4194999\n"); /* above what Linux gives by default */
    EQ_INT(nvidia_other_processes(&gpu, true), 0); /* that is our harness */
    EQ_INT(nvidia_other_processes(&gpu, false), 1);
    play("compute 0 4194999 4194998\n");
    EQ_INT(nvidia_other_processes(&gpu, true), 1);
    play("compute 0 0 0\n"); /* nobody's names at all: one entry, ours */
    EQ_INT(nvidia_other_processes(&gpu, true), 0);
    playf("compute 0 4194999 %d\n", getpid());
    EQ_INT(nvidia_other_processes(&gpu, true), 1); /* ours is there under its name */

    tap_case("more than fit");
    char many[4096] = "compute 0";
    for (int i = 0; i < 300; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), " %d", 5000000 + i);
    snprintf(many + strlen(many), sizeof many - strlen(many), "\n");
    play(many);
    OK(nvidia_other_processes(&gpu, true) > 0);
}

static void test_taken(void)
{
    char text[256] = "";
    tap_case("taken before we come");
    play("");
    struct gpu gpu = find();
    OK(!nvidia_is_in_use(&gpu, text, sizeof text));
    play("compute 0 1\n");
    OK(nvidia_is_in_use(&gpu, text, sizeof text));
    EQ_STR(text, "1 other process is on the GPU");
    play("used 0 22675456\n"); /* what a context that nobody made yet leaves behind */
    OK(!nvidia_is_in_use(&gpu, text, sizeof text));
    play("used 0 1059913728\n");
    OK(nvidia_is_in_use(&gpu, text, sizeof text));
    EQ_STR(text, "1010 MiB of the GPU's memory are in use, by nobody seen from here");
}

/* ---- readings ---- */

static void test_throttled(void)
{
    static const struct {
        unsigned long long reasons;
        unsigned marks;
    } cases[] = {
        {0, 0},           {0x1, 0},              /* idle */
        {0x2, 0},                                /* application clocks */
        {0x4, 0},                                /* software power cap */
        {0x8, MARK_THROTTLED},                   /* hardware slowdown */
        {0x10, 0},                               /* sync boost */
        {0x20, MARK_THROTTLED},                  /* software thermal */
        {0x40, MARK_THROTTLED},                  /* hardware thermal */
        {0x80, MARK_THROTTLED},                  /* power brake */
        {0x100, 0},                              /* display clocks */
        {0x4 | 0x20, MARK_THROTTLED},
    };
    tap_case("which reasons throttle");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gpu_reading reading = {.reasons = nvidia_reasons(cases[i].reasons)};
        EQ_INT(gpu_reading_marks(&reading), cases[i].marks);
    }
}

struct trace {
    unsigned sm_mhz, milliwatts;
};

/* Readings of an H200 at its power limit, one each 100 ms. */
static size_t read_trace(struct trace *out, size_t max)
{
    char path[FILE_PATH_BYTES];
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/nvml/power_cap.txt", top == NULL ? "." : top);
    FILE *file = fopen(path, "r");
    size_t count = 0;
    while (file != NULL && count < max &&
           fscanf(file, "%9u %9u", &out[count].sm_mhz, &out[count].milliwatts) == 2)
        count++;
    if (file != NULL)
        fclose(file);
    return count;
}

/* Two arms that take turns with every reading, `slower` MHz between them; each reading is seen
 * `repeats` times, as by somebody who looks more often than the driver does. */
static struct gpu_watch watch_trace(size_t rounds, unsigned slower, unsigned repeats)
{
    struct trace trace[64];
    struct gpu_watch watch = {0};
    size_t count = read_trace(trace, 64);
    for (size_t i = 0; i < rounds * count; i++) {
        enum arm arm = (i + i / count) % 2 == 0 ? ARM_HEAD : ARM_ANCHOR;
        struct gpu_reading reading = {
            .sm_mhz = trace[i % count].sm_mhz - (arm == ARM_HEAD ? slower : 0),
            .milliwatts = trace[i % count].milliwatts + (unsigned)(i / count),
            .reasons = GPU_POWER_CAP};
        for (unsigned j = 0; j < repeats; j++)
            gpu_watch_keep(&watch, arm, &reading);
    }
    return watch;
}

static void test_clocks(void)
{
    tap_case("arms at a power limit, clocks that scatter by 5%: means 1.6% apart by chance");
    struct gpu_watch watch = watch_trace(1, 0, 1);
    EQ_INT(watch.arms[ARM_HEAD].count, 12);
    EQ_INT(gpu_watch_marks(&watch), 0);
    watch = watch_trace(1, 0, 20);
    EQ_INT(watch.arms[ARM_HEAD].count, 12); /* what is repeated is no further reading */
    EQ_INT(gpu_watch_marks(&watch), 0);
    watch = watch_trace(8, 0, 20);
    EQ_INT(gpu_watch_marks(&watch), 0);

    tap_case("one arm at lower clocks");
    watch = watch_trace(8, 45, 20);
    EQ_INT(gpu_watch_marks(&watch), MARK_CLOCKS); /* 3% */
    watch = watch_trace(1, 200, 1);
    EQ_INT(gpu_watch_marks(&watch), MARK_CLOCKS);
    watch = watch_trace(8, 7, 20);
    EQ_INT(gpu_watch_marks(&watch), 0); /* half a percent */

    tap_case("whose clock is the odd one: of three, not of two");
    for (int which = 0; which < 3; which++) {
        struct gpu_watch three = {0};
        for (unsigned i = 0; i < 3 * 8; i++) {
            int arm = (int)(i % 3);
            struct gpu_reading reading = {.sm_mhz = arm == which ? 1380 : 1410, .milliwatts = i};
            gpu_watch_keep(&three, (enum arm)arm, &reading);
        }
        EQ_INT(gpu_watch_marks(&three), MARK_CLOCKS);
        EQ_INT(gpu_watch_odd(&three), which);
        three.arms[(which + 1) % 3] = (struct gpu_clocks){0};
        EQ_INT(gpu_watch_marks(&three), MARK_CLOCKS);
        EQ_INT(gpu_watch_odd(&three), ARM_COUNT);
    }

    tap_case("clocks that hold still");
    watch = (struct gpu_watch){0};
    for (unsigned i = 0; i < 2 * 8; i++) {
        struct gpu_reading reading = {.sm_mhz = i % 2 == 0 ? 1410 : 1380, .milliwatts = i};
        EQ_INT(gpu_watch_marks(&watch), 0); /* too few so far */
        gpu_watch_keep(&watch, i % 2 == 0 ? ARM_HEAD : ARM_BASE, &reading);
    }
    EQ_INT(gpu_watch_marks(&watch), MARK_CLOCKS);
    struct gpu_watch near = {0};
    for (unsigned i = 0; i < 2 * 8; i++) {
        struct gpu_reading reading = {.sm_mhz = i % 2 == 0 ? 1410 : 1400, .milliwatts = i};
        gpu_watch_keep(&near, i % 2 == 0 ? ARM_HEAD : ARM_BASE, &reading);
    }
    EQ_INT(gpu_watch_marks(&near), 0);
    struct gpu_reading of_none = {.sm_mhz = 300, .milliwatts = 99};
    gpu_watch_keep(&watch, ARM_COUNT, &of_none);
    EQ_INT(watch.arms[ARM_HEAD].count + watch.arms[ARM_BASE].count, 16);
    EQ_INT(watch.sm_mhz.least, 300);
}

static void test_watch_facts(void)
{
    tap_case("what was seen");
    struct gpu_watch watch = watch_trace(1, 0, 1), other = {0}, job = {0};
    struct gpu_reading hot = {.sm_mhz = 1200, .memory_mhz = 3201, .celsius = 88,
                              .milliwatts = 400400, .reasons = GPU_THERMAL};
    struct environment environment = {0};
    OK(gpu_watch_facts(&job, &environment, &err) == 0);
    EQ_STR(fact(&environment, "seen_throttling"), "none");
    EQ_INT(environment.count, 1);
    gpu_watch_keep(&other, ARM_COUNT, &hot);
    gpu_watch_add(&job, &watch);
    gpu_watch_add(&job, &other);
    gpu_watch_add(&job, &(struct gpu_watch){0});
    OK(gpu_watch_facts(&job, &environment, &err) == 0);
    EQ_STR(fact(&environment, "seen_sm_clock"), "1200 to 1530 MHz");
    EQ_STR(fact(&environment, "seen_memory_clock"), "3201 MHz");
    EQ_STR(fact(&environment, "seen_temperature"), "88 C");
    EQ_STR(fact(&environment, "seen_power"), "400 to 700 W");
    EQ_STR(fact(&environment, "seen_throttling"), "power cap, thermal");
    EQ_STR(fact(&environment, "seen_mean_clocks"), "head 1449, anchor 1472 MHz");
    for (size_t i = 0; i < environment.count; i++)
        OK(strncmp(environment.facts[i].name, "seen_", 5) == 0);
    environment_free(&environment);
}

/* ---- the witness ---- */

static unsigned readings_so_far(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_NOLOAD);
    unsigned (*readings)(void) = NULL;
    void *symbol = library == NULL ? NULL : dlsym(library, "fake_nvml_readings");
    memcpy(&readings, &symbol, sizeof symbol);
    unsigned result = readings == NULL ? 0 : readings();
    if (library != NULL)
        dlclose(library);
    return result;
}

/* Until that many readings were begun. False: they are not, not even in a minute. */
static bool await_reading(unsigned number)
{
    for (int i = 0; i < 60000 && readings_so_far() < number; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return readings_so_far() >= number;
}

static bool await_readings(unsigned more)
{
    return await_reading(readings_so_far() + more);
}

static unsigned marks_of[ARM_COUNT]; /* of the last turn */

/* A turn of head and anchor; `meanwhile` is played while it is open, and read. */
static unsigned turn(struct witness *witness, const char *meanwhile)
{
    witness_begin(witness, ARM_HEAD);
    if (meanwhile != NULL) {
        play(meanwhile);
        OK(await_readings(3)); /* the first may have begun before, the last may span two samples */
        play("");
    }
    witness_sample(witness, ARM_ANCHOR);
    witness_sample(witness, ARM_COUNT);
    memset(marks_of, 0, sizeof marks_of);
    return witness_end(witness, 0, marks_of);
}

static void test_witness(void)
{
    tap_case("turns are watched");
    play("");
    struct gpu gpu = find();
    struct witness *witness = NULL;
    struct gpu_watch seen = {0};
    OK(witness_open("nvidia-h200", &gpu, &witness, &err) == 0);
    EQ_INT(turn(witness, NULL), 0);
    EQ_INT(turn(witness, "reasons 0 0x20\ncelsius 0 91\n"), MARK_THROTTLED); /* in its midst */
    EQ_INT(marks_of[ARM_HEAD], MARK_THROTTLED);
    EQ_INT(marks_of[ARM_ANCHOR], 0);
    EQ_INT(turn(witness, NULL), 0); /* the mark is that turn's alone */
    EQ_INT(marks_of[ARM_HEAD], 0);
    EQ_INT(turn(witness, "reasons 0 0x4\n"), 0);
    play("compute 0 1\n");
    EQ_INT(turn(witness, NULL), MARK_SHARED);
    EQ_INT(marks_of[ARM_HEAD] | marks_of[ARM_ANCHOR], 0); /* no arm's doing */
    play("used 0 3000000000\n"); /* nobody is shown, and its memory grew */
    EQ_INT(turn(witness, NULL), MARK_SHARED);
    play("used 0 30000000\n");
    EQ_INT(turn(witness, NULL), 0);
    EQ_INT(witness_marks(witness, marks_of), 0);
    witness_close(&witness, &seen);
    OK(witness == NULL);
    EQ_INT(seen.celsius.most, 91);
    EQ_INT(seen.reasons, GPU_POWER_CAP | GPU_THERMAL);
    EQ_INT(seen.watts.most, 690);

    tap_case("each arm's clock");
    OK(witness_open("nvidia-h200", &gpu, &witness, &err) == 0);
    for (int i = 0; i < 20; i++) {
        bool head = i % 2 == 0;
        playf("sm 0 %d\nmilliwatts 0 %d\n", head ? 1500 : 1400, 650000 + i);
        witness_begin(witness, head ? ARM_HEAD : ARM_ANCHOR);
        OK(await_readings(2));
        witness_end(witness, 0, marks_of);
        if (i == 11)
            EQ_INT(witness_marks(witness, marks_of), 0); /* six each are too few */
    }
    EQ_INT(witness_marks(witness, marks_of), MARK_CLOCKS);
    witness_close(&witness, NULL);

    tap_case("a reading that spans two samples is of neither");
    play("hold-sm 0 1\n");
    OK(witness_open("nvidia-h200", &gpu, &witness, &err) == 0);
    unsigned held = readings_so_far() + 1;
    witness_begin(witness, ARM_HEAD);
    OK(await_reading(held));
    witness_sample(witness, ARM_COUNT);
    play("");
    OK(await_readings(1)); /* so that one is over */
    witness_end(witness, 0, marks_of);
    seen = (struct gpu_watch){0};
    witness_close(&witness, &seen);
    EQ_INT(seen.arms[ARM_HEAD].count, 0);
    EQ_INT(seen.sm_mhz.most, 1980);

    tap_case("a turn that never ends");
    OK(witness_open("nvidia-h200", &gpu, &witness, &err) == 0);
    witness_begin(witness, ARM_HEAD);
    witness_close(&witness, NULL);
    witness_close(&witness, NULL);

    tap_case("nobody watches, or only the CPU");
    OK(witness_open("nvidia-h200", NULL, &witness, &err) == 0);
    EQ_INT(turn(witness, NULL), 0);
    witness_close(&witness, NULL);
    OK(witness_open("cpu", NULL, &witness, &err) == 0);
    OK((turn(witness, NULL) & ~(unsigned)MARK_PREEMPTED) == 0);
    witness_close(&witness, &seen);
    EQ_INT(seen.celsius.most, 50); /* untouched */
}

/* ---- the lock of clocks ---- */

static char clocks[FILE_PATH_BYTES + 64]; /* the file that says so */

static bool clocks_file_is_there(void)
{
    return access(clocks, F_OK) == 0;
}

static struct gpu begin_clocks(const char *name)
{
    tap_case(name);
    play("");
    struct gpu gpu = find();
    snprintf(clocks, sizeof clocks, "%s/ratchet-gpu-%s.clocks", folder, gpu.id);
    unlink(clocks);
    write_text("record.log", "");
    return gpu;
}

static int take_lock(bool wait)
{
    int fd = -1;
    char path[FILE_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/device.lock", folder);
    return file_lock_within(path, wait ? UINT_MAX : 0, &fd, &err) == 0 ? fd : -1;
}

/* A child of ours by the name it has given itself, or 0. */
static pid_t child_named(const char *name)
{
    pid_t found = 0;
    DIR *all = opendir("/proc");
    struct dirent *entry;
    while (all != NULL && found == 0 && (entry = readdir(all)) != NULL) {
        char path[512], comm[64];
        int pid, parent;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL &&
            fscanf(file, "%d (%63[^)]) %*c %d", &pid, comm, &parent) == 3 &&
            parent == getpid() && strcmp(comm, name) == 0)
            found = pid;
        if (file != NULL)
            fclose(file);
    }
    if (all != NULL)
        closedir(all);
    return found;
}

static const char *link_of(pid_t pid, const char *name)
{
    static char text[FILE_PATH_BYTES];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%.32s", pid, name);
    ssize_t len = readlink(path, text, sizeof text - 1);
    text[len < 0 ? 0 : len] = '\0';
    return text;
}

static void test_guardian(void)
{
    struct gpu gpu = begin_clocks("what a guardian is given");
    struct clocks_lock *lock = NULL;
    char path[FILE_PATH_BYTES + 64], text[FILE_PATH_BYTES + 64];
    int loose[2];
    FD_AUTO device = take_lock(false);
    OK(pipe(loose) == 0); /* survives an exec */
    setenv("GITHUB_TOKEN", "secret", 1);
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == 0);
    pid_t pid = child_named("ratchet-clocks");
    OK(pid > 0);
    EQ_INT(getsid(pid), pid);
    EQ_STR(link_of(pid, "cwd"), "/");
    EQ_STR(link_of(pid, "fd/1"), "/dev/null");
    EQ_STR(link_of(pid, "fd/2"), "/dev/null");
    snprintf(path, sizeof path, "%s/device.lock", folder);
    EQ_STR(link_of(pid, "fd/3"), path);
    for (int fd = 4; fd < 64; fd++) {
        char name[32];
        snprintf(name, sizeof name, "fd/%d", fd);
        const char *file = link_of(pid, name);
        if (*file != '\0') /* what its own NVML opened */
            HAS(file, "memfd:fake-nvidiactl");
    }
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    snprintf(text, sizeof text, "LD_LIBRARY_PATH=%s", folder);
    BUF_AUTO bytes;
    buf_init(&bytes, sizeof text);
    OK(file_read(path, &bytes, &err) == 0);
    EQ_INT(bytes.len, strlen(text) + 1);
    EQ_STR(bytes.data, text);
    kill(pid, SIGTERM); /* a service that ends has everybody told so */
    OK(clocks_file_is_there());
    OK(clocks_unlock(&lock, &err) == 0);
    unsetenv("GITHUB_TOKEN");
    close(loose[0]);
    close(loose[1]);

    gpu = begin_clocks("where a guardian could not unlock, nothing is locked");
    play("mig 0 1\n");
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == -1);
    EQ_STR(err.text, "nobody would unlock the clocks: the guardian: GPU 0 is in MIG mode, and a "
                     "lane measures on a whole GPU; see ratchet(1), MIG");
    play("uuid 0 GPU-another\n");
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == -1);
    EQ_STR(err.text, "nobody would unlock the clocks: the guardian: GPU 0 is another than the one "
                     "to be locked");
    EQ_STR(read_text("record.log"), "");
    OK(lock == NULL && !clocks_file_is_there());
    EQ_INT(waitpid(-1, NULL, WNOHANG), -1);

    tap_case("NVML is of one process");
    play("");
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(nvidia_find(LANE, NULL, &gpu, &err) == -1 && err.class == ERR_INTERNAL ? 0 : 1);
    int status = -1;
    OK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_lock(void)
{
    struct gpu gpu = begin_clocks("clocks are locked and unlocked");
    struct clocks_lock *lock = NULL;
    bool undone = true;
    FD_AUTO device = take_lock(false);
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == 0);
    OK(clocks_file_is_there());
    EQ_STR(read_text("record.log"), "lock 1410 1410\n");
    OK(clocks_unlock(&lock, &err) == 0);
    OK(lock == NULL && !clocks_file_is_there());
    EQ_STR(read_text("record.log"), "lock 1410 1410\nunlock 0 0\n");
    OK(clocks_unlock(&lock, &err) == 0);
    OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == 0 && !undone);
    EQ_INT(waitpid(-1, NULL, WNOHANG), -1); /* no guardian is left */

    gpu = begin_clocks("only who may can lock clocks");
    play("lock 0 1\n");
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == -1);
    EQ_STR(err.text, "NVML: lock the clocks: Insufficient Permissions");
    OK(lock == NULL && !clocks_file_is_there());
    EQ_STR(read_text("record.log"), "");
    EQ_INT(waitpid(-1, NULL, WNOHANG), -1);
    OK(clocks_lock(LANE, &gpu, 1410, "/nowhere", device, &lock, &err) == -1);
    EQ_STR(read_text("record.log"), "");
}

/* `test_gpu hold`: takes the device lock, locks the clocks, says so and waits to be killed. */
static int hold_locked(void)
{
    struct clocks_lock *lock = NULL;
    struct gpu gpu;
    int device = take_lock(false);
    bool fine = device >= 0 && nvidia_find(LANE, NULL, &gpu, &err) == 0 &&
                clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == 0;
    if (write(1, fine ? "y" : "n", 1) != 1)
        return 1;
    for (;;)
        pause();
}

/* A process of another program takes the device lock and locks the clocks; then its group is
 * killed. */
static void kill_locked(void)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(ready[1], 1);
        execl("/proc/self/exe", "test_gpu", "hold", (char *)NULL);
        _exit(1);
    }
    close(ready[1]);
    OK(read(ready[0], &byte, 1) == 1 && byte == 'y');
    close(ready[0]);
    OK(clocks_file_is_there());
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_killed(void)
{
    struct gpu gpu = begin_clocks("killed with its group, its guardian unlocks");
    bool undone = true;
    play("hold-unlock 0 1\n");
    kill_locked();
    OK(take_lock(false) == -1); /* the guardian keeps it until it is done */
    EQ_INT(err.class, ERR_CONFLICT);
    play("");
    FD_AUTO device = take_lock(true);
    OK(device >= 0);
    EQ_STR(read_text("record.log"), "lock 1410 1410\nunlock 0 0\n");
    OK(!clocks_file_is_there());
    OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == 0 && !undone);
    file_close(&device);

    gpu = begin_clocks("a guardian that cannot leaves it to the next");
    play("unlock 0 1\n");
    kill_locked();
    device = take_lock(true);
    EQ_STR(read_text("record.log"), "lock 1410 1410\n");
    OK(clocks_file_is_there());
    OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == -1);
    EQ_STR(err.text,
           "NVML: unlock the clocks that this program had locked: Insufficient Permissions");
    OK(clocks_file_is_there());
    play("");
    OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == 0 && undone);
    OK(!clocks_file_is_there());
    EQ_STR(read_text("record.log"), "lock 1410 1410\nunlock 0 0\n");

    gpu = begin_clocks("a file of somebody else, a link, a folder");
    char other[FILE_PATH_BYTES + 32];
    snprintf(other, sizeof other, "%s/other", folder);
    write_text("other", "");
    OK(symlink(other, clocks) == 0);
    OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == 0 && !undone);
    unlink(clocks);
    OK(mkdir(clocks, 0700) == 0);
    OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == 0 && !undone);
    rmdir(clocks);
    if (geteuid() == 0) {
        OK(rename(other, clocks) == 0 && chown(clocks, 65534, 65534) == 0);
        OK(clocks_undo(LANE, &gpu, folder, &undone, &err) == 0 && !undone);
        unlink(clocks);
    } else {
        tap_skip("only root can give a file to somebody else");
    }
    EQ_STR(read_text("record.log"), "");
}

/* ---- no driver ---- */

/* `test_gpu absent`: says what nvidia_find does. */
static int tell_absent(void)
{
    struct gpu gpu;
    struct environment environment = {0};
    int found = nvidia_find("nvidia-l4", NULL, &gpu, &err);
    printf("%d %d %s\n", found, err.class == ERR_HOST, err.text);
    gpu = (struct gpu){.index = 0};
    found = nvidia_facts(&gpu, &environment, &err);
    printf("%d %s\n", found, err.text);
    return 0;
}

static void test_absent(void)
{
    tap_case("no driver");
    const char *const argv[] = {"/proc/self/exe", "absent", NULL};
    const char *const envp[] = {NULL};
    struct proc_spec spec = {.argv = argv, .envp = envp, .stdin_fd = -1,
                             .uid = (uid_t)-1, .gid = (gid_t)-1, .limits = {.wall_ms = 60000}};
    struct proc_result result;
    BUF_AUTO said;
    buf_init(&said, 4096);
    if (access("/dev/nvidiactl", F_OK) == 0) {
        tap_skip("this host has one");
        return;
    }
    OK(proc_run(&spec, &said, &result, &err) == 0 && result.code == 0);
    EQ_STR(said.data, "-1 1 no NVIDIA driver: libnvidia-ml.so.1: cannot open shared object file: "
                      "No such file or directory\n-1 NVML: GPU 0 is gone\n");
}

/* ---- the stage ---- */

static bool build_fake(const char *top)
{
    char command[2 * FILE_PATH_BYTES + 256];
    const char *cc = getenv("CC");
    snprintf(command, sizeof command,
             "%s -std=gnu17 -D_GNU_SOURCE -shared -fPIC -o '%s/libnvidia-ml.so.1' "
             "'%s/tests/data/nvml/fake_nvml.c' -lpthread",
             cc == NULL || *cc == '\0' ? "cc" : cc, folder, top);
    return system(command) == 0;
}

/* ---- ratchet-clocks ---- */

static void path_of(const char *name, char out[FILE_PATH_BYTES + 32])
{
    snprintf(out, FILE_PATH_BYTES + 32, "%s/%s", folder, name);
}

/* The program that lies beside the harness, serving us; 0: it does not start. */
static pid_t start_asked(const char *conf)
{
    static char program[FILE_PATH_BYTES], socket[FILE_PATH_BYTES + 32],
        config[FILE_PATH_BYTES + 32], own[FILE_PATH_BYTES + 32];
    const char *bench = getenv("RATCHET_BENCH");
    const struct passwd *me = getpwuid(geteuid());
    const struct timespec pause = {.tv_nsec = 1000000};
    path_of("clocks.sock", socket);
    path_of("ratchetd.conf", config);
    path_of("own", own);
    write_text("ratchetd.conf", conf);
    unlink(socket);
    if (bench == NULL || me == NULL)
        return 0;
    snprintf(program, sizeof program, "%.*s/ratchet-clocks",
             (int)(strrchr(bench, '/') - bench), bench);
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, "--for", me->pw_name, "--config", config, "--folder", own,
              "--socket", socket, (char *)NULL);
        _exit(1);
    }
    int connected = -1;
    while ((connected = local_connect(socket)) < 0 && waitpid(pid, NULL, WNOHANG) == 0)
        nanosleep(&pause, NULL);
    if (connected < 0)
        return 0;
    close(connected);
    clocks_use(socket);
    return pid;
}

static void test_asked(void)
{
    struct gpu gpu = begin_clocks("ratchet-clocks locks them for us");
    struct clocks_lock *lock = NULL;
    FD_AUTO device = take_lock(false);
    if (getenv("RATCHET_BENCH") == NULL) {
        tap_skip("NOT TESTED: RATCHET-CLOCKS AS IT IS ASKED: no RATCHET_BENCH");
        return;
    }
    pid_t pid = start_asked("[device \"nvidia-h200\"]\ngpu = 0\nclock-lock = 1410MHz\n");
    if (!OK(pid > 0))
        return;
    OK(clocks_try(LANE, &gpu, 1410, &err) == 0);
    EQ_STR(read_text("record.log"), "");
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == 0);
    OK(!clocks_file_is_there()); /* it has one of its own */
    EQ_STR(read_text("record.log"), "lock 1410 1410\n");
    OK(clocks_unlock(&lock, &err) == 0 && lock == NULL);
    EQ_STR(read_text("record.log"), "lock 1410 1410\nunlock 0 0\n");

    tap_case("what it refuses is not locked");
    write_text("record.log", "");
    OK(clocks_lock(LANE, &gpu, 1411, folder, device, &lock, &err) == -1 && lock == NULL);
    HAS(err.text, "no `clock-lock = 1411MHz` for device `nvidia-h200`");
    EQ_INT(err.class, ERR_HOST);
    play("unlock 0 1\n");
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == 0);
    OK(clocks_unlock(&lock, &err) == -1 && lock == NULL);
    EQ_STR(err.text, "NVML: unlock the clocks that this program had locked: Insufficient Permissions");
    EQ_STR(read_text("record.log"), "lock 1410 1410\n");

    tap_case("where it is gone, nothing is locked, and it is said");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    OK(clocks_lock(LANE, &gpu, 1410, folder, device, &lock, &err) == -1 && lock == NULL);
    HAS(err.text, "ratchet-clocks at `");
    EQ_STR(read_text("record.log"), "lock 1410 1410\n");
    clocks_use("");
}

/* The loader reads LD_LIBRARY_PATH once, when a program starts. */
static int set_stage(char **argv)
{
    const char *top = getenv("top_srcdir");
    snprintf(folder, sizeof folder, "/tmp/ratchet-gpu-XXXXXX");
    if (mkdtemp(folder) == NULL || !build_fake(top == NULL ? "." : top)) {
        tap_skip("no compiler for a fake NVML");
        return tap_done();
    }
    setenv("LD_LIBRARY_PATH", folder, 1);
    setenv("RATCHET_TEST_FOLDER", folder, 1);
    execv("/proc/self/exe", argv);
    return 1;
}

static bool read_sound(void)
{
    char path[FILE_PATH_BYTES];
    const char *top = getenv("top_srcdir");
    BUF_AUTO text;
    buf_init(&text, sizeof sound - 1);
    snprintf(path, sizeof path, "%s/tests/data/nvml/h200.txt", top == NULL ? "." : top);
    if (file_read(path, &text, &err) != 0)
        return false;
    memcpy(sound, text.data, text.len + 1);
    return true;
}

int main(int argc, char **argv)
{
    const char *ready = getenv("RATCHET_TEST_FOLDER");
    int guarded = clocks_guard(argc, argv);
    if (guarded >= 0)
        return guarded;
    if (argc > 1 && strcmp(argv[1], "absent") == 0)
        return tell_absent();
    if (ready == NULL)
        return set_stage(argv);
    snprintf(folder, sizeof folder, "%s", ready);
    if (argc > 1 && strcmp(argv[1], "hold") == 0)
        return hold_locked();
    tap_case("the sound record");
    if (!OK(read_sound()))
        return tap_done();
    test_find();
    test_facts();
    test_strangers();
    test_taken();
    test_throttled();
    test_clocks();
    test_watch_facts();
    test_witness();
    test_lock();
    test_guardian();
    test_killed();
    test_asked();
    test_absent();
    if (file_remove_tree(folder, &err) != 0)
        printf("# %s\n", err.text);
    return tap_done();
}
