/* SPDX-License-Identifier: Apache-2.0 */
/* What ratchet-run makes for another program: each of its forms, and none with one word more, less or
 * other than it has. Every word of every request is spoilt in turn, so that a part which nobody looks at
 * is found here. */
#include "measure/away_forms.h"
#include "measure/away_internal.h"

#include "base/file.h"
#include "measure/build_internal.h"
#include "measure/disassemble.h"
#include "measure/profile.h"
#include "measure/sandbox_internal.h"
#include "measure/session.h"
#include "tests/tap.h"
#include "tests/unit/jobs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char temp[] = "/tmp/ratchet-away-XXXXXX";
static char state[64], folder[128], library[160], profiler[128];

/* ---- honest requests ---- */

static const char *const none[] = {NULL};
static const char *const probe[] = {"/bin/sh", "-c", sandbox_probe_script, NULL};
static const char *const toolchain[] = {"/bin/sh",   "-c", toolchain_script,
                                        "toolchain", "",   NULL};
static const char *const build[] = {"/bin/sh", "-c",        build_script, "build",
                                    "make it", "kernel.so", NULL};
static const char *const build_env[] = {"RATCHET_DEVICE=nvidia-l4", "RATCHET_ARCH=sm_89",
                                        NULL};
static const char *const look[] = {"/bin/sh",
                                   "-c",
                                   disassemble_script,
                                   "disassemble",
                                   "objdump",
                                   "-h -d --no-show-raw-insn -j .text",
                                   NULL};
static const char *const bench[] = {"/bench/" SESSION_PROGRAM, "cpu", NULL};
static const char *const bench_cuda[] = {"/bench/" SESSION_PROGRAM, "cuda", NULL};
static const char *const cuda_env[] = {"CUDA_VISIBLE_DEVICES=GPU-1", "CUDA_CACHE_DISABLE=1",
                                       NULL};
static const unsigned cpus[] = {0, 1};
static const struct gpu gpu = {.minor = 3, .uuid = "GPU-1"};
static const struct sandbox_bind one_library = {.from = library, .to = DISASSEMBLE_LIBRARY},
                                 harness = {.from = folder, .to = "/bench"};

/* Filled in when the profiler is there. */
static const char *profile[PROFILE_WORDS_MAX];
static struct sandbox_bind profile_places[PROFILE_BINDS_MAX];
static const char *const profile_env[] = {PROFILE_VARIABLES, "CUDA_VISIBLE_DEVICES=GPU-1", NULL};

static const struct honest {
    const char *name;
    struct sandbox sandbox;
    /* Words that nobody compares: a recipe and its output, values of variables, a GPU's number, which
     * processors. `free` says how many of them take any text. */
    size_t free;
} honest[] = {
    {"probe", {.argv = probe, .env = none, .cwd = "/"}, 0},
    {"toolchain", {.argv = toolchain, .env = none}, 0},
    {"build",
     {.argv = build,
      .env = build_env,
      .cwd = "/src",
      .cpus = cpus,
      .cpu_count = 2,
      .disk_bytes = 5,
      .total_bytes = 6,
      .limits = {.memory_bytes = 7, .file_bytes = 8, .processes = 9, .open_files = 10}},
     2},
    {"disassemble",
     {.argv = look, .env = none, .binds = &one_library, .bind_count = 1},
     0},
    {"bench",
     {.kind = SANDBOX_BENCH,
      .device = &device_kind_cpu,
      .argv = bench,
      .env = none,
      .cwd = "/bench",
      .binds = &harness,
      .bind_count = 1},
     0},
    {"bench on a GPU",
     {.kind = SANDBOX_BENCH,
      .device = &device_kind_nvidia,
      .gpu = &gpu,
      .argv = bench_cuda,
      .env = cuda_env,
      .cwd = "/bench",
      .binds = &harness,
      .bind_count = 1},
     0},
    {"profile",
     {.kind = SANDBOX_BENCH,
      .device = &device_kind_nvidia,
      .gpu = &gpu,
      .argv = profile,
      .env = profile_env,
      .cwd = "/bench",
      .binds = profile_places,
      .bind_count = 2},
     0},
};

/* As ratchet-run does. */
static const char checkout[] = "/libexec/ratchet-checkout";

static int ask(const char *words, size_t len, struct away_request *out, struct err *err)
{
    const struct away_bounds bounds = {
        .state = state, .checkout = checkout, .profiler = profiler};
    size_t count;
    if (away_take(words, len, out, err) != 0 ||
        away_check(&out->sandbox, &bounds, out->binds, &count, err) != 0)
        return -1;
    /* What a form has of its own. */
    if (out->sandbox.bind_count == count)
        return 0;
    const struct sandbox_bind *own = &out->binds[count - 1];
    OK(count == 1 && own->from == checkout && !own->writable);
    EQ_STR(own->to, BUILD_CHECKOUT);
    EQ_STR(out->argv[2], build_script);
    return 0;
}

static int ask_for(const struct sandbox *sandbox, struct err *err)
{
    static struct away_request request;
    BUF_AUTO words;
    buf_init(&words, AWAY_BYTES_MAX);
    return away_put(sandbox, &words, err) != 0 ? -1 : ask(words.data, words.len, &request, err);
}

static void test_honest(void)
{
    for (size_t i = 0; i < sizeof honest / sizeof *honest; i++) {
        const struct sandbox *was = &honest[i].sandbox;
        static struct away_request is;
        struct err err = {0};
        BUF_AUTO words, again;
        buf_init(&words, AWAY_BYTES_MAX);
        buf_init(&again, AWAY_BYTES_MAX);
        tap_case(honest[i].name);
        OK(away_put(was, &words, &err) == 0);
        if (!OK(ask(words.data, words.len, &is, &err) == 0))
            printf("# %s\n", err.text);
        OK(away_put(&is.sandbox, &again, &err) == 0 && again.len == words.len &&
           memcmp(again.data, words.data, words.len) == 0);
        EQ_INT(is.binds[0].known, was->bind_count > 0);
    }
}

/* ---- spoilt ones ---- */

/* `words` with its n-th one replaced by `count` others. */
static void spoil(const struct buf *words, size_t n, const char *const *others, size_t count,
                  struct buf *out)
{
    size_t i = 0;
    buf_clear(out);
    for (const char *at = words->data; at < words->data + words->len; at += strlen(at) + 1, i++)
        for (size_t j = 0; j < (i == n ? count : 1); j++) {
            const char *word = i != n || others[j] == NULL ? at : others[j];
            buf_add(out, word, strlen(word) + 1);
        }
}

/* A text in the place of any word is refused, but in that of a recipe. NULL stands for the word itself. */
static void test_spoilt(void)
{
    static const struct {
        const char *words[2];
        size_t count;
        bool text;
    } ways[] = {{{"/usr/bin/evil"}, 1, true}, {{"LD_PRELOAD=/evil"}, 1, true},
                {{""}, 1, true},              {{"-1"}, 1, true},
                {{NULL}, 0, false},           {{NULL, NULL}, 2, false},
                {{NULL, "/etc"}, 2, false}};
    for (size_t i = 0; i < sizeof honest / sizeof *honest; i++) {
        static struct away_request request;
        struct err err;
        BUF_AUTO words, bad;
        buf_init(&words, AWAY_BYTES_MAX);
        buf_init(&bad, AWAY_BYTES_MAX);
        tap_case(honest[i].name);
        OK(away_put(&honest[i].sandbox, &words, &err) == 0);
        size_t count = 0;
        for (size_t at = 0; at < words.len; at += strlen(words.data + at) + 1)
            count++;
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            size_t taken = 0;
            for (size_t n = 0; n < count; n++) {
                spoil(&words, n, ways[w].words, ways[w].count, &bad);
                bool same = bad.len == words.len && memcmp(bad.data, words.data, bad.len) == 0;
                bool fine = !same && ask(bad.data, bad.len, &request, &err) == 0;
                taken += fine;
            }
            if (!OK(taken == (ways[w].text ? honest[i].free : 0)))
                printf("# way %zu: %zu of %zu words\n", w, taken, count);
        }
        tap_case("cut short");
        bool any = false;
        size_t last = words.len - 1; /* a recipe's output, cut, is another one */
        while (words.data[last - 1] != '\0')
            last--;
        for (size_t len = 0; len < last; len++) {
            BUF_AUTO part;
            buf_init(&part, AWAY_BYTES_MAX);
            buf_add(&part, words.data, len);
            buf_addc(&part, '\0');
            any |= ask(part.data, part.len, &request, &err) == 0;
        }
        OK(!any);
    }
}

/* One word, variable or folder more than the form has, or a word less. */
static void test_more_or_less(void)
{
    for (size_t i = 0; i < sizeof honest / sizeof *honest; i++) {
        const struct sandbox *was = &honest[i].sandbox;
        const char *argv[32], *env[8];
        struct sandbox_bind binds[4];
        struct err err;
        size_t words = 0, variables = 0;
        while (was->argv[words] != NULL)
            argv[words] = was->argv[words], words++;
        while (was->env[variables] != NULL)
            env[variables] = was->env[variables], variables++;
        struct sandbox bad = *was;
        bad.argv = argv;
        tap_case(honest[i].name);
        argv[words] = "more";
        argv[words + 1] = NULL;
        OK(ask_for(&bad, &err) < 0);
        argv[words - 1] = NULL;
        OK(ask_for(&bad, &err) < 0);
        bad = *was;
        bad.env = env;
        env[variables + 1] = NULL;
        env[variables] = "LD_PRELOAD=lib.so";
        OK(ask_for(&bad, &err) < 0);
        env[variables] = "RATCHET_DEVICE=/etc $(x)";
        OK(ask_for(&bad, &err) < 0);
        bad = *was;
        bad.binds = binds;
        if (was->bind_count > 0)
            memcpy(binds, was->binds, was->bind_count * sizeof *binds);
        binds[bad.bind_count++] = (struct sandbox_bind){.from = folder, .to = "/more"};
        OK(ask_for(&bad, &err) < 0);
        bad.bind_count = was->bind_count == 0 ? 1 : was->bind_count - 1;
        OK(ask_for(&bad, &err) < 0);
    }
}

/* ---- places ---- */

static void test_places(void)
{
    static const char *const bad[] = {
        "/",         "/etc",           "%s",           "%s/work",          "%s/work/",
        "%s/repos",  "%s/work/../repos", "%s/work/1/../..", "%s/work/1/..", "%s/work/.", "%s/work//1", "%s/work/1/", "%s/work/link", "%s/work/link/1",
        "%sx/work/1", "%s/work/none",  "%s/work/fifo", "%s/work/1/lib.so", "work/1", ""};
    struct sandbox sandbox = honest[4].sandbox;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[256];
        const char *place = strstr(bad[i], "%s");
        snprintf(path, sizeof path, "%s%s", place == NULL ? bad[i] : state,
                 place == NULL ? "" : place + 2);
        const struct sandbox_bind bind = {.from = path, .to = "/bench"};
        struct err err;
        sandbox.binds = &bind;
        tap_case(path);
        OK(ask_for(&sandbox, &err) < 0);
        EQ_INT(err.class, ERR_INPUT);
    }
    tap_case("a build takes no folder of sources");
    const struct sandbox_bind source = {.from = folder, .to = "/run/source"};
    sandbox = honest[2].sandbox;
    sandbox.binds = &source;
    sandbox.bind_count = 1;
    struct err none_such;
    OK(ask_for(&sandbox, &none_such) < 0);
    HAS(none_such.text, "none of our forms");
    tap_case("a folder is no library");
    const struct sandbox_bind bind = {.from = folder, .to = DISASSEMBLE_LIBRARY};
    struct err err;
    sandbox = honest[3].sandbox;
    sandbox.binds = &bind;
    OK(ask_for(&sandbox, &err) < 0);
    tap_case("nothing is writable");
    struct sandbox_bind writable = harness;
    writable.writable = 1;
    sandbox = honest[4].sandbox;
    sandbox.binds = &writable;
    OK(ask_for(&sandbox, &err) < 0);
    EQ_INT(err.class, ERR_INTERNAL);
}

/* Between our look and bubblewrap's, a name may come to lead elsewhere. */
static void test_exchanged(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "echo ran", NULL};
    const struct sandbox_bind plain = {.from = folder, .to = "/run/source"};
    struct stat info;
    OK(stat(folder, &info) == 0);
    for (int other = 0; other < 2; other++) {
        struct sandbox_bind bind = plain;
        bind.known = true;
        bind.device = info.st_dev;
        bind.inode = info.st_ino + (ino_t)other;
        const struct sandbox sandbox = {.argv = argv,
                                        .env = none,
                                        .binds = &bind,
                                        .bind_count = 1,
                                        .uid = geteuid() == 0 ? JOBS_NOBODY : (uid_t)-1,
                                        .gid = geteuid() == 0 ? JOBS_NOBODY : (gid_t)-1};
        struct proc_result result = {0};
        struct err err = {0};
        BUF_AUTO said;
        buf_init(&said, 1 << 16);
        tap_case(other ? "a folder that was exchanged is seen by nobody" : "the same folder is seen");
        if (!OK(sandbox_run(&sandbox, &said, &result, &err) == 0))
            printf("# %s\n", err.text);
        EQ_STR(said.data,
               other ? "ratchet-init: `/run/source` is another than the one that was asked for\n"
                     : "ran\n");
        EQ_INT(result.code, other ? 127 : 0);
    }
}

/* It only has to lie there. */
static bool make_profiler(void)
{
    static struct profiler found;
    snprintf(profiler, sizeof profiler, "%s/bin/ncu", temp);
    char bin[128];
    snprintf(bin, sizeof bin, "%s/bin", temp);
    if (file_mkdirs(bin, 0755, NULL) != 0 || file_write(profiler, "x", 1, 0755, NULL) != 0 ||
        profiler_find(profiler, &device_kind_nvidia, &found, NULL) != 0)
        return false;
    profile_words(found.program, "gpu__time_duration.sum", &device_kind_nvidia, profile);
    return profile_binds(folder, &found, profile_places) == 2;
}

static bool set_up(void)
{
    char path[128];
    if (mkdtemp(temp) == NULL || chmod(temp, 0755) != 0)
        return false;
    snprintf(state, sizeof state, "%s/state", temp);
    snprintf(folder, sizeof folder, "%s/work/1", state);
    snprintf(library, sizeof library, "%s/lib.so", folder);
    snprintf(path, sizeof path, "%sx/work/1", state);
    if (file_mkdirs(folder, 0755, NULL) != 0 || file_mkdirs(path, 0755, NULL) != 0 ||
        file_write(library, "x", 1, 0644, NULL) != 0)
        return false;
    snprintf(path, sizeof path, "%s/repos", state);
    if (file_mkdirs(path, 0755, NULL) != 0)
        return false;
    snprintf(path, sizeof path, "%s/work/link", state);
    if (symlink("..", path) != 0)
        return false;
    snprintf(path, sizeof path, "%s/work/fifo", state);
    return mkfifo(path, 0644) == 0 && make_profiler();
}

int main(void)
{
    tap_case("folders");
    if (!OK(set_up()))
        return tap_done();
    test_honest();
    test_spoilt();
    test_more_or_less();
    test_places();
    tap_case("sandboxes");
    if (access("/usr/bin/bwrap", X_OK) == 0)
        test_exchanged();
    else
        tap_skip("WHAT IS EXCHANGED IS NOT TESTED: bubblewrap is not installed");
    OK(file_remove_tree(temp, NULL) == 0);
    return tap_done();
}
