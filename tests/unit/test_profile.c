/* SPDX-License-Identifier: Apache-2.0 */
/* What a profiler counts: its text is read, it is found where it lies, and whatever it does in the
 * sandbox comes to readings or to one line of error. tests/data/ncu/README.md says what was recorded. */
#include "base/file.h"
#include "measure/ncu.h"
#include "measure/profile.h"
#include "measure/sandbox.h"
#include "tests/tap.h"
#include "tests/unit/jobs.h"
#include "wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

static void read_text(const char *name, struct buf *out)
{
    char path[FILE_PATH_BYTES];
    const char *top = getenv("top_srcdir");
    buf_init(out, TEXT_MAX);
    snprintf(path, sizeof path, "%s/tests/data/ncu/%s.txt", top == NULL ? "." : top, name);
    OK(file_read(path, out, NULL) == 0);
}

/* ---- the text ---- */

static void test_recorded(void)
{
    static const struct {
        const char *name;
        enum metric metric;
        double value;
    } readings[] = {{"plain", METRIC_INSTRUCTIONS, 77332480}, {"plain", METRIC_LOCAL_STORES, 0},
                    {"plain", METRIC_L2_HITS, 98.41},         {"plain", METRIC_WAIT_MEMORY, 2.18},
                    {"plain", METRIC_DRAM_BYTES, 16908288},   {"spills", METRIC_LOCAL_STORES, 18612224},
                    {"spills", METRIC_L1_BYTES, 5628755968},  {"spills", METRIC_SM_SHARE, 58.93},
                    {"h200", METRIC_LOCAL_STORES, 135118848}, {"h200", METRIC_L2_HITS, 99.81},
                    {"h200", METRIC_DRAM_BYTES, 27852800},    {"h200", METRIC_WAIT_MEMORY, 3.01},
                    {"h200", METRIC_TENSOR, 61440},           {"h200", METRIC_WARPS, 40.83}};
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        struct metric_readings out;
        BUF_AUTO text;
        tap_case(metric_words(readings[i].metric));
        read_text(readings[i].name, &text);
        OK(ncu_parse(text.data, text.len, &out, NULL) == 0);
        NEAR(out.values[readings[i].metric], readings[i].value, 1e-9);
        for (int metric = 0; metric < METRICS; metric++)
            OK(!isnan(out.values[metric]));
    }
}

/* Of a table with the kernel's name, instructions, bytes to device memory and hits in L2. */
#define HEAD                                                                           \
    "\"ID\",\"Process ID\",\"Kernel Name\",\"sm__inst_executed.sum\",\"dram__bytes.sum\"," \
    "\"lts__t_sector_hit_rate.pct\"\n"
#define UNITS "\"\",\"\",\"\",\"inst\",\"byte\",\"%\"\n"

static const struct {
    const char *what, *text;
    bool good;
    double instructions, bytes, hits; /* -1: not known */
} tables[] = {
    {"nothing", "", false, 0, 0, 0},
    {"no table", "==PROF== Connected\nopened 0 0 0\n", false, 0, 0, 0},
    {"no kernel", HEAD UNITS, false, 0, 0, 0},
    {"no line's end", HEAD UNITS "\"0\",\"7\",\"k\",\"1,000\",\"5\",\"9.5\"", true, 1000, 5, 9.5},
    {"a name with commas and quotes", HEAD UNITS "\"0\",\"7\",\"k(a, \"\"b\"\")\",\"7\",\"5\",\"0\"\n", true, 7, 5, 0},
    {"other units of bytes", HEAD "\"\",\"\",\"\",\"inst\",\"Mbyte\",\"%\"\n\"0\",\"7\",\"k\",\"1\",\"2.5\",\"3\"\n", true,
     1, 2.5e6, 3},
    {"a unit that nobody knows", HEAD "\"\",\"\",\"\",\"inst\",\"furlong\",\"%\"\n\"0\",\"7\",\"k\",\"1\",\"2\",\"3\"\n", true,
     1, -1, 3},
    {"no units", HEAD "\"0\",\"7\",\"k\",\"1\",\"2\",\"3\"\n", true, 1, 2, 3},
    {"what is not known", HEAD UNITS "\"0\",\"7\",\"k\",\"n/a\",\"nan\",\"(!) nan\"\n", true, -1, -1, -1},
    {"numbers that are none", HEAD UNITS "\"0\",\"7\",\"k\",\"-5\",\"1e999\",\"0x10\"\n", true, -1, -1, -1},
    {"cells that are missing", HEAD UNITS "\"0\",\"7\",\"k\",\"3\"\n", true, 3, -1, -1},
    {"two kernels: counts add up, shares are of the larger one",
     HEAD UNITS "\"0\",\"7\",\"a\",\"10\",\"1\",\"20\"\n\"1\",\"7\",\"b\",\"30\",\"2\",\"40\"\n\"2\",\"7\",\"c\",\"5\",\"4\",\"60\"\n",
     true, 45, 7, 40},
    {"a sum of which one part is not known",
     HEAD UNITS "\"0\",\"7\",\"a\",\"10\",\"n/a\",\"20\"\n\"1\",\"7\",\"b\",\"30\",\"2\",\"40\"\n", true, 40, -1, 40},
    {"the harness's own kernels", HEAD UNITS "\"0\",\"7\",\"ratchet_fill\",\"1\",\"2\",\"3\"\n", false, 0, 0, 0},
    {"more kernels than are profiled",
     HEAD UNITS "\"0\",\"7\",\"a\",\"1\",\"1\",\"1\"\n\"1\",\"7\",\"a\",\"1\",\"1\",\"1\"\n\"2\",\"7\",\"a\",\"1\",\"1\",\"1\"\n"
                "\"3\",\"7\",\"a\",\"1\",\"1\",\"1\"\n\"4\",\"7\",\"a\",\"1\",\"1\",\"1\"\n",
     true, 4, 4, 1},
    {"lines of others between", HEAD "==PROF== x\n" UNITS "done\n\n\"0\",\"7\",\"k\",\"1\",\"2\",\"3\"\nbye\n", true, 1, 2, 3},
    {"a stranger's table first", HEAD UNITS "\"0\",\"7\",\"k\",\"9\",\"9\",\"9\"\n" HEAD UNITS "\"0\",\"7\",\"k\",\"1\",\"2\",\"3\"\n",
     true, 1, 2, 3},
};

static void check_reading(double got, double want)
{
    if (want < 0)
        OK(isnan(got));
    else
        NEAR(got, want, 1e-9);
}

static void test_tables(void)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct metric_readings out;
        struct err err = {0};
        tap_case(tables[i].what);
        int rc = ncu_parse(tables[i].text, strlen(tables[i].text), &out, &err);
        EQ_INT(rc == 0, tables[i].good);
        if (rc != 0) {
            EQ_INT(err.class, ERR_INPUT);
            continue;
        }
        check_reading(out.values[METRIC_INSTRUCTIONS], tables[i].instructions);
        check_reading(out.values[METRIC_DRAM_BYTES], tables[i].bytes);
        check_reading(out.values[METRIC_L2_HITS], tables[i].hits);
        OK(isnan(out.values[METRIC_TENSOR]));
    }
}

static void test_unknown(void)
{
    bool unknown[METRICS] = {false};
    BUF_AUTO names;
    tap_case("metrics that are not known are named");
    OK(!ncu_mark_unknown("==ERROR== Failed to find metric of_another\n", unknown));
    OK(ncu_mark_unknown("==PROF== x\n==ERROR== Failed to find metric lts__t_bytes.sum\n", unknown));
    OK(ncu_mark_unknown("==ERROR== Failed to find metric regex:^sm__inst_executed\\.(sum|avg)$\n", unknown));
    for (int metric = 0; metric < METRICS; metric++)
        EQ_INT(unknown[metric], metric == METRIC_L2_BYTES || metric == METRIC_INSTRUCTIONS);
    OK(!ncu_mark_unknown("==ERROR== Failed to find metric lts__t_bytes.sum\n", unknown));
    tap_case("and are not asked for");
    buf_init(&names, 8192);
    ncu_put_names(unknown, &names);
    HAS(names.data, ",dram__bytes.sum,");
    HAS(names.data, ",sm__inst_executed_pipe_tensor.sum,");
    OK(strstr(names.data, "lts__t_bytes") == NULL);
    OK(strstr(names.data, "sm__inst_executed.sum") == NULL);
    OK(strspn(names.data, "abcdefghijklmnopqrstuvwxyz0123456789_.,") == names.len);
}

static void test_problem(void)
{
    static const struct {
        const char *text, *line;
    } texts[] = {{"", ""},
                 {"one\ntwo\n", "two"},
                 {"==ERROR== first\nx\n==ERROR== second\n", "first"},
                 {"==WARNING== No kernels were profiled.\nbye\n", "No kernels were profiled."},
                 {"a\x1b[31m\xff", "a?[31m?"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char line[NCU_LINE_BYTES];
        tap_case(texts[i].line);
        ncu_problem(texts[i].text, line);
        EQ_STR(line, texts[i].line);
    }
}

/* ---- where it is ---- */

#if defined(__aarch64__)
#define TARGET "target/linux-desktop-t210-a64"
#else
#define TARGET "target/linux-desktop-glibc_2_11_3-x64"
#endif

static char temp[64];

static void put(const char *name, const char *text)
{
    char path[FILE_PATH_BYTES], folder[FILE_PATH_BYTES];
    OK(file_path(path, NULL, "%s/%s", temp, name) == 0);
    memcpy(folder, path, sizeof folder);
    *strrchr(folder, '/') = '\0';
    OK(file_mkdirs(folder, 0755, NULL) == 0 &&
       file_write(path, text, strlen(text), 0755, NULL) == 0);
}

static void test_found(void)
{
    static const struct {
        const char *path, *program, *root;
        bool script;
    } places[] = {
        {"cuda/bin/ncu", "cuda/nsight-compute-2025.10.1/" TARGET "/ncu", "cuda/nsight-compute-2025.10.1", false},
        {"cuda/nsight-compute-2025.3.1/ncu", "cuda/nsight-compute-2025.3.1/" TARGET "/ncu",
         "cuda/nsight-compute-2025.3.1", false},
        {"link", "cuda/nsight-compute-2025.3.1/" TARGET "/ncu", "cuda/nsight-compute-2025.3.1", false},
        {"alone/ncu", "alone/ncu", "alone", false},
        {"script/ncu", "script/ncu", "script", true},
    };
    char path[FILE_PATH_BYTES], want[FILE_PATH_BYTES];
    const struct device_kind *cpu = device_kind_of("cpu");
    struct profiler found;
    struct err err = {0};
    put("cuda/bin/ncu", "#!/bin/sh\n");
    put("cuda/nsight-compute-2025.3.1/" TARGET "/ncu", "\177ELF");
    put("cuda/nsight-compute-2025.3.1/ncu", "#!/bin/sh\n");
    put("cuda/nsight-compute-2025.10.1/" TARGET "/ncu", "\177ELF");
    put("alone/ncu", "\177ELF");
    put("script/ncu", "#!/bin/sh\n");
    snprintf(path, sizeof path, "%s/link", temp);
    OK(symlink("cuda/nsight-compute-2025.3.1/ncu", path) == 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        tap_case(places[i].path);
        OK(file_path(path, NULL, "%s/%s", temp, places[i].path) == 0);
        OK(profiler_find(path, cpu, &found, &err) == 0);
        if (places[i].script && strncmp(found.program, temp, strlen(temp)) != 0)
            continue; /* this host has one in /opt */
        snprintf(want, sizeof want, "%s/%s", temp, places[i].program);
        EQ_STR(found.program, want);
        snprintf(want, sizeof want, "%s/%s", temp, places[i].root);
        EQ_STR(found.root, want);
        EQ_INT(found.script, places[i].script);
    }
    tap_case("none");
    snprintf(path, sizeof path, "%s/nowhere", temp);
    OK(profiler_find(path, cpu, &found, &err) != 0 && err.class == ERR_NOT_FOUND);
    HAS(err.text, "nowhere` is no program");
    OK(profiler_find("", cpu, &found, &err) != 0 && err.class == ERR_NOT_FOUND);
}

/* ---- what it does ---- */

/* Runs a shell script in the profiler's place; it finds the recorded texts beside it. */
static int profile(const char *script, unsigned wall_ms, struct buf *said,
                   struct metric_readings *out, struct err *err)
{
    char program[FILE_PATH_BYTES], library[FILE_PATH_BYTES];
    struct limits limits = limits_default();
    struct profiler profiler;
    BUF_AUTO text;
    buf_init(&text, 8192);
    buf_addf(&text, "#!/bin/sh\n%s\n", script);
    put("fake/ncu", text.data);
    put("fake/library", "no library\n");
    OK(file_path(program, NULL, "%s/fake/ncu", temp) == 0 &&
       file_path(library, NULL, "%s/fake/library", temp) == 0 &&
       profiler_find(program, device_kind_of("cpu"), &profiler, err) == 0);
    memcpy(profiler.program, program, sizeof program); /* also on a host that has a real one */
    snprintf(profiler.root, sizeof profiler.root, "%s/fake", temp);
    profiler.script = true;
    const struct bench_config bench = {
        .config = {.name = "a", .problem = {1, 2, 2, 8, 8, 16, DTYPE_FP16, true}},
        .library = {[ARM_HEAD] = library}};
    const struct bench_request request = {
        .device = "cpu",
        .threads = 3,
        .configs = &bench,
        .config_count = 1,
        .harness = getenv("RATCHET_BENCH"),
        .work = temp,
        .sandboxed = true,
        .uid = geteuid() == 0 ? JOBS_NOBODY : (uid_t)-1,
        .gid = geteuid() == 0 ? JOBS_NOBODY : (gid_t)-1,
        .limits = &limits};
    const struct profile_request asked = {&request, 0, ARM_HEAD, &profiler, wall_ms};
    return profile_run(&asked, said, out, err);
}

#define PLAIN "\"${0%/*}\"/plain.txt"

static void test_good(void)
{
    struct metric_readings out;
    struct err err = {0};
    BUF_AUTO said;
    tap_case("a profiler that works");
    buf_init(&said, TEXT_MAX);
    EQ_INT(profile("cat; echo \"$TMPDIR $HOME $*\"; cat " PLAIN, 60000, &said, &out, &err), 0);
    EQ_STR(err.text, "");
    NEAR(out.values[METRIC_INSTRUCTIONS], 77332480, 0);
    HAS(said.data, "\nopen 3 60000\nload 0 lib-00.so\nconfig 1 2 2 8 8 16 fp16 1 0 - - -\nprepare head\n"
                   "allocate 0 0\nfill ");
    HAS(said.data, "\nlaunches head\nquit\n");
    HAS(said.data, "/tmp /home --csv --page raw --print-units base --clock-control none "
                   "--target-processes all --launch-skip 3 --launch-count 4 --metrics l1tex__");
    HAS(said.data, ".ratio /bench/ratchet-bench cpu\n");
    tap_case("the program that it starts hears its commands");
    buf_clear(&said);
    EQ_INT(profile("/bench/ratchet-bench cpu; cat " PLAIN, 60000, &said, &out, &err), 0);
    char hello[64];
    snprintf(hello, sizeof hello, "\nratchet-bench %d cpu\nopened ", WIRE_VERSION);
    HAS(said.data, hello);
    HAS(said.data, "\nrefused 0 ");
    tap_case("a metric that it does not know is left out");
    buf_clear(&said);
    EQ_INT(profile("case $* in *,dram__bytes.sum,*) echo '==ERROR== Failed to find metric dram__bytes.sum'; "
                   "exit 1;; esac; sed 's/dram__bytes.sum/gone/' " PLAIN, 60000, &said, &out, &err), 0);
    OK(isnan(out.values[METRIC_DRAM_BYTES]));
    NEAR(out.values[METRIC_INSTRUCTIONS], 77332480, 0);
}

static void test_bad(void)
{
    static const struct {
        const char *what, *script;
        unsigned wall_ms;
        enum err_class class;
        const char *says;
    } cases[] = {
        {"hangs", "sleep 600", 700, ERR_TIMEOUT, "it took longer than 0."},
        {"hangs and does not want to end", "trap '' TERM INT HUP; while :; do sleep 600; done", 700, ERR_TIMEOUT,
         "it took longer than 0."},
        {"leaves a child behind", "sleep 600 & exit 3", 700, ERR_INPUT, "it said nothing"},
        {"prints garbage", "head -c 100000 /dev/urandom", 60000, ERR_INPUT, "exit code 0: "},
        {"prints without end", "yes '\"ID\",\"x\"'", 1500, ERR_TIMEOUT, "it took longer than 1."},
        {"prints a GB", "head -c 1000000000 /dev/zero; echo; echo gone", 60000, ERR_INPUT, "exit code 0: gone"},
        {"may not count", "echo '==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU "
                          "Performance Counters on the target device 0.'; exit 1", 60000, ERR_HOST,
         "NVreg_RestrictProfilingToAdminUsers=0"},
        {"knows no metric", "for n in $(echo \"$*\" | tr , ' '); do echo \"==ERROR== Failed to find metric $n\"; done", 60000,
         ERR_INPUT, "exit code 0: "},
        {"fills the disk", "head -c 200000000 /dev/zero >/tmp/x; exit 0", 60000, ERR_INPUT, ""},
        {"dies", "kill -9 $$", 60000, ERR_INPUT, ""},
        {"writes where it should not", "echo x >/bench/x || echo no-such-luck; exit 4", 60000, ERR_INPUT,
         "exit code 4: no-such-luck"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct metric_readings out;
        struct err err = {0};
        tap_case(cases[i].what);
        OK(profile(cases[i].script, cases[i].wall_ms, NULL, &out, &err) != 0);
        EQ_INT(err.class, cases[i].class);
        HAS(err.text, cases[i].says);
    }
    tap_case("nothing is left behind");
    OK(!jobs_running("sleep 600"));
    char pattern[FILE_PATH_BYTES];
    snprintf(pattern, sizeof pattern, "ls -d %s/profile-* 2>/dev/null | grep -c .", temp);
    const char *const argv[] = {"/bin/sh", "-c", pattern, NULL};
    BUF_AUTO left;
    buf_init(&left, 64);
    OK(!jobs_run_host(argv, "/", &left));
    EQ_STR(left.data, "0\n");
}

int main(void)
{
    test_recorded();
    test_tables();
    test_unknown();
    test_problem();
    snprintf(temp, sizeof temp, "/tmp/ratchet-profile-XXXXXX");
    OK(mkdtemp(temp) != NULL && chmod(temp, 0755) == 0);
    test_found();
    struct err err = {0};
    if (getenv("RATCHET_BENCH") == NULL || sandbox_probe((uid_t)-1, (gid_t)-1, &err) != 0) {
        tap_skip(err.text[0] == '\0' ? "RATCHET_BENCH is not set" : err.text);
    } else {
        BUF_AUTO plain;
        read_text("plain", &plain);
        put("fake/plain.txt", plain.data);
        test_good();
        test_bad();
    }
    OK(file_remove_tree(temp, NULL) == 0);
    return tap_done();
}
