/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one run of the profiler: the folder of copies, the commands that the harness finds on its stdin,
 * the sandbox, and more tries where metrics are not known. What it prints is ncu.c's. */
#include "measure/profile.h"

#include "base/proc.h"
#include "measure/bench_request.h"
#include "measure/draw.h"
#include "measure/ncu.h"
#include "measure/sandbox.h"
#include "measure/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* Of what the profiler and its target print; of its files; of their processes and threads together. */
enum { SAID_BYTES = 1 << 20, FILE_BYTES = 512 << 20, PROCESSES = 512, TRIES = 3 };
/* Kernels that `fill` launches for its one set of inputs: q, k and v. */
#define FILL_KERNELS "3"
#define LIBRARY "lib-00.so"
#define COMMANDS "commands"

static const char harness[] = "/bench/" SESSION_PROGRAM; /* inside */

struct run {
    const struct profile_request *request;
    const struct device_kind *kind;
    char folder[FILE_PATH_BYTES];
    bool unknown[METRICS];
    uint64_t begin_ns;
};

/* ---- the folder ---- */

/* Warm inputs: one set, so that what `fill` launches is known. `launches` calls forward once outside any
 * graph; what it captures behind that is never run. */
static int write_commands(const struct run *run, struct err *err)
{
    const struct bench_request *bench = run->request->bench;
    char path[FILE_PATH_BYTES], problem[BENCH_PROBLEM_BYTES];
    uint64_t seed;
    if (draw_bits(&seed, err) != 0 || file_path(path, err, "%s/" COMMANDS, run->folder) != 0)
        return -1;
    BUF_AUTO text;
    buf_init(&text, 4096);
    buf_addf(&text,
             "open %u %u\nload 0 " LIBRARY "\nconfig %s 0 - - -\nprepare head\nallocate 0 0\n"
             "fill %" PRIu64 "\nlaunches head\nquit\n",
             bench->threads > 0 ? bench->threads : 1, run->request->wall_ms,
             bench_problem(&bench->configs[run->request->config].config.problem, problem),
             seed);
    return buf_check(&text, "commands", err) != 0
               ? -1
               : file_write(path, text.data, text.len, 0644, err);
}

static int make_folder(const struct run *run, struct err *err)
{
    const struct bench_request *bench = run->request->bench;
    char path[FILE_PATH_BYTES];
    if (file_mkdirs(run->folder, 0755, err) != 0)
        return -1;
    /* Whatever our umask is: the sandbox's user must read it. */
    if (chmod(run->folder, 0755) != 0)
        return err_errno(err, ERR_HOST, errno, "chmod `%s`", run->folder);
    if (file_path(path, err, "%s/" SESSION_PROGRAM, run->folder) != 0 ||
        file_copy(bench->harness, path, 0755, err) != 0 ||
        file_path(path, err, "%s/" LIBRARY, run->folder) != 0 ||
        file_copy(bench->configs[run->request->config].library[run->request->arm], path, 0755,
                  err) != 0)
        return -1;
    return write_commands(run, err);
}

/* ---- the sandbox ---- */

/* What is run inside. */
struct words {
    struct buf metrics;
    const char *list[PROFILE_WORDS_MAX];
};

void profile_words(const char *program, const char *metrics, const struct device_kind *kind,
                   const char *words[PROFILE_WORDS_MAX])
{
    const char *const list[] = {program,
                                "--csv",
                                "--page",
                                "raw",
                                "--print-units",
                                "base",
                                "--clock-control",
                                "none",
                                "--target-processes",
                                "all",
                                "--launch-skip",
                                FILL_KERNELS,
                                "--launch-count",
                                "4",
                                "--metrics",
                                metrics,
                                harness,
                                kind->harness,
                                NULL};
    _Static_assert(NCU_KERNELS_MAX == 4, "--launch-count");
    _Static_assert(sizeof list <= PROFILE_WORDS_MAX * sizeof *list, "room for the words");
    memcpy(words, list, sizeof list);
}

size_t profile_binds(const char *folder, const struct profiler *profiler,
                     struct sandbox_bind binds[PROFILE_BINDS_MAX])
{
    const struct sandbox_bind list[] = {{.from = folder, .to = "/bench"},
                                        {.from = profiler->root, .to = profiler->root},
                                        {.from = "/usr/bin", .to = "/usr/bin"},
                                        {.from = "/bin", .to = "/bin"}};
    _Static_assert(sizeof list == PROFILE_BINDS_MAX * sizeof *list, "all of them");
    memcpy(binds, list, sizeof list);
    return profiler->script ? 4 : 2;
}

static void set_words(const struct run *run, struct words *words)
{
    buf_init(&words->metrics, 8192);
    ncu_put_names(run->unknown, &words->metrics);
    profile_words(run->request->profiler->program, words->metrics.data, run->kind,
                  words->list);
}

static int run_inside(const struct run *run, unsigned wall_ms, const char *const *argv,
                      struct buf *said, struct proc_result *result, struct err *err)
{
    const struct bench_request *bench = run->request->bench;
    const struct profiler *profiler = run->request->profiler;
    struct sandbox_bind binds[PROFILE_BINDS_MAX];
    size_t bind_count = profile_binds(run->folder, profiler, binds);
    struct device_variables variables;
    const char *env[2 + DEVICE_VARIABLES_MAX] = {PROFILE_VARIABLES};
    run->kind->set_variables(bench->gpu, &variables);
    memcpy(env + 2, variables.list, sizeof variables.list);
    struct proc_limits limits = bench_limits(bench, run->kind);
    limits.wall_ms = wall_ms;
    limits.file_bytes = FILE_BYTES;
    limits.processes = PROCESSES;
    const struct sandbox sandbox = {.kind = SANDBOX_BENCH,
                                    .device = run->kind,
                                    .gpu = bench->gpu,
                                    .binds = binds,
                                    .bind_count = bind_count,
                                    .argv = argv,
                                    .env = env,
                                    .cwd = "/bench",
                                    .uid = bench->uid,
                                    .gid = bench->gid,
                                    .limits = limits};
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/" COMMANDS, run->folder) != 0 ||
        sandbox_command(&sandbox, &command, &spec, err) != 0)
        return -1;
    FD_AUTO commands = open(path, O_RDONLY | O_CLOEXEC);
    if (commands < 0)
        return err_errno(err, ERR_HOST, errno, "open `%s`", path);
    spec.stdin_fd = commands;
    return proc_run(&spec, said, result, err) != 0 ? -1
                                                   : sandbox_check(command, said->data, err);
}

/* ---- what came of it ---- */

static int explain(const char *said, const struct proc_result *result, struct err *err)
{
    char how[96], line[NCU_LINE_BYTES];
    if (result->end == PROC_TIMED_OUT)
        return err_set(err, ERR_TIMEOUT, "it took longer than %.1f s", result->seconds);
    if (strncmp(said, "bwrap: ", strlen("bwrap: ")) == 0)
        return sandbox_refused(said, err);
    if (strstr(said, "ERR_NVGPUCTRPERM") != NULL)
        return err_set(
            err, ERR_HOST,
            "the driver permits its counters to root only (ERR_NVGPUCTRPERM): load the "
            "module nvidia with NVreg_RestrictProfilingToAdminUsers=0");
    ncu_problem(said, line);
    proc_describe(result, how, sizeof how);
    return err_set(err, ERR_INPUT, "%s: %s", how, line[0] == '\0' ? "it said nothing" : line);
}

static void note_run(struct buf *all, const struct words *words, const struct buf *said,
                     const struct proc_result *result)
{
    char how[96];
    if (all == NULL)
        return;
    proc_describe(result, how, sizeof how);
    for (size_t i = 0; words->list[i] != NULL; i++)
        buf_addf(all, "%s%s", i == 0 ? "$ " : " ", words->list[i]);
    buf_addf(all, "\n%s\n[%s after %.1f s]\n", said->data, how, result->seconds);
}

/* What comes behind a NUL is looked at, too. */
static void clean(struct buf *said)
{
    for (size_t i = 0; i < said->len; i++)
        if (said->data[i] == '\0')
            said->data[i] = '?';
}

/* 1: once more, without what it does not know. */
static int try_once(struct run *run, struct buf *all, struct metric_readings *out,
                    struct err *err)
{
    uint64_t gone_ms = (proc_now_ns() - run->begin_ns) / 1000000;
    struct words words;
    struct proc_result result;
    if (gone_ms >= run->request->wall_ms)
        return err_set(err, ERR_TIMEOUT, "no time was left");
    set_words(run, &words);
    BUF_AUTO said;
    buf_init(&said, SAID_BYTES);
    int rc = buf_check(&words.metrics, "the names of metrics", err);
    if (rc == 0)
        rc = run_inside(run, run->request->wall_ms - (unsigned)gone_ms, words.list, &said,
                        &result, err);
    if (rc == 0) {
        clean(&said);
        note_run(all, &words, &said, &result);
        if (result.end == PROC_TIMED_OUT || ncu_parse(said.data, said.len, out, NULL) != 0)
            rc = result.end != PROC_TIMED_OUT && ncu_mark_unknown(said.data, run->unknown)
                     ? 1
                     : explain(said.data, &result, err);
    }
    buf_free(&words.metrics);
    return rc;
}

int profile_run(const struct profile_request *request, struct buf *said,
                struct metric_readings *out, struct err *err)
{
    struct run run = {.request = request, .begin_ns = proc_now_ns()};
    struct err ignored;
    uint64_t name;
    if (device_kind_get(request->bench->device, request->bench->gpu, &run.kind, err) != 0 ||
        draw_bits(&name, err) != 0 ||
        file_path(run.folder, err, "%s/profile-%016" PRIx64, request->bench->work, name) != 0)
        return -1;
    int rc = make_folder(&run, err);
    if (rc == 0)
        rc = 1;
    for (int i = 0; rc == 1 && i < TRIES; i++)
        rc = try_once(&run, said, out, err);
    if (rc == 1)
        rc = err_set(err, ERR_INPUT, "it knows too few of the metrics");
    if (file_remove_tree(run.folder, rc == 0 ? err : &ignored) != 0)
        rc = -1;
    return rc;
}
