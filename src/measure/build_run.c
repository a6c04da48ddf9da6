/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one run of a recipe: sources in, read-only or as a parcel; a worktree that lives in bounded memory and
 * dies with the sandbox; one file out, through a pipe. A script of ours inside does the rest,
 * and says on descriptor 3 how far it came. Until it has said `copied` nothing of the
 * untrusted has run, so what goes wrong before is the host's; afterwards a recipe could say
 * anything in our name (its user is the script's), and speaks of its own library only. */
#include "measure/build_internal.h"

#include "base/file.h"
#include "base/proc.h"
#include "base/sanitized.h"
#include "measure/device/device.h"
#include "measure/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUILD_OPEN_FILES = 1024, EXIT_FILE_SIZE = 128 + SIGXFSZ };

/* $1: the recipe, $2: its output. Built-ins alone once the recipe has run: what it left may
 * have used up the processes, and is killed first (pid -1: all but us and the namespace's
 * init), so nothing changes the output while it is taken. Every part of the output's path is
 * looked at, and none may be a link. What a parcel comes in is let go of before the recipe runs: it has the
 * commit's name and words, and names of files that are not under the paths. */
const char build_script[] =
    "say() { printf '%s\\n' \"$1\" >&3; }\n"
    "stop() { say \"$1\"; exit 1; }\n"
    "full() { printf '%65536s' '' 2>/dev/null >/build/.room || say full; }\n"
    "umask 022\n"
    "say started\n"
    "if [ -d /run/source ]; then (umask 0; exec cp -RP /run/source/. /build/src/) 3>&-\n"
    "else " BUILD_CHECKOUT " /build/src 3>&-; fi\n"
    "code=$?\n"
    "[ $code -ne 3 ] || say tree\n"
    "[ $code -ne 4 ] || say full\n"
    "[ $code -eq 0 ] || { full; exit $code; }\n"
    "exec </dev/null\n"
    "say copied\n"
    "printf '$ %s\\n' \"$1\"\n"
    "/bin/sh -c \"$1\" 3>&-\n"
    "code=$?\n"
    "kill -KILL -1 2>/dev/null\n"
    "[ $code -eq 0 ] || { full; exit $code; }\n"
    "at=/build rest=src/$2\n"
    "while :; do\n"
    "  at=$at/${rest%%/*}\n"
    "  [ ! -L \"$at\" ] || stop irregular\n"
    "  [ -e \"$at\" ] || stop missing\n"
    "  case $rest in */*) rest=${rest#*/} ;; *) break ;; esac\n"
    "  [ -d \"$at\" ] || stop irregular\n"
    "  [ -x \"$at\" ] || stop unreadable\n"
    "done\n"
    "[ -f \"$at\" ] || stop irregular\n"
    "[ -r \"$at\" ] || stop unreadable\n"
    "say output\n"
    "exec cat \"$at\" >&3\n";

/* ---- what the script says ---- */

enum word { STARTED, TREE, COPIED, FULL, MISSING, IRREGULAR, UNREADABLE, OUTPUT, WORD_COUNT };
static const char *const words[WORD_COUNT] = {"started", "tree",      "copied",     "full",
                                              "missing", "irregular", "unreadable", "output"};

/* Lines of one word; after `output` the bytes of the library. */
struct delivery {
    bool said[WORD_COUNT];
    char line[16];
    size_t length;
    int fd; /* where the library goes */
    unsigned long long bytes, max;
    bool too_large;
    int problem; /* errno of our own writing, or 0 */
};

static void take_letter(struct delivery *delivery, char letter)
{
    if (letter != '\n') {
        if (delivery->length < sizeof delivery->line)
            delivery->line[delivery->length++] = letter;
        return;
    }
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (strlen(words[i]) == delivery->length &&
            memcmp(words[i], delivery->line, delivery->length) == 0)
            delivery->said[i] = true;
    delivery->length = 0;
}

static int take_library(struct delivery *delivery, const char *bytes, size_t len)
{
    delivery->bytes += len;
    delivery->too_large = delivery->bytes > delivery->max;
    if (delivery->too_large)
        return -1;
    while (len > 0) {
        ssize_t put = write(delivery->fd, bytes, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            delivery->problem = errno;
            return -1;
        }
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

static int take(void *context, const char *bytes, size_t len)
{
    struct delivery *delivery = context;
    for (; len > 0 && !delivery->said[OUTPUT]; len--)
        take_letter(delivery, *bytes++);
    return take_library(delivery, bytes, len);
}

/* ---- the run ---- */

struct run {
    const struct build_request *request;
    struct delivery delivery;
    struct buf said;
    struct proc_result end;
    enum cgroup_memory memory; /* of all its processes, where they have a cgroup */
};

static void run_free(struct run *run)
{
    file_close(&run->delivery.fd);
    buf_free(&run->said);
}

static unsigned at_most_unsigned(unsigned long long value)
{
    return value > UINT32_MAX ? UINT32_MAX : (unsigned)value;
}

/* ratchet-checkout, sanitised, has no room under a limit of address space. */
static struct proc_limits limits_of(const struct limits *limits, bool parcel)
{
    return (struct proc_limits){.wall_ms = at_most_unsigned(limits->build_ms),
                                .memory_bytes = SANITIZED && parcel ? 0 : limits->build_memory,
                                .file_bytes = limits->build_file,
                                .processes = at_most_unsigned(limits->build_processes),
                                .open_files = BUILD_OPEN_FILES};
}

static int run_recipe(struct run *run, const struct build_source *source, struct err *err)
{
    const bool parcel = source->parcel >= 0;
    const struct build_request *request = run->request;
    const struct limits *limits = request->limits;
    char device[MODEL_NAME_BYTES + 32], arch[64];
    snprintf(device, sizeof device, "RATCHET_DEVICE=%s", request->device);
    const char *known = device_arch(request->device);
    snprintf(arch, sizeof arch, "RATCHET_ARCH=%s", known == NULL ? "" : known);
    const char *const env[] = {device, known == NULL ? NULL : arch, NULL};
    const char *const argv[] = {"/bin/sh",       "-c", build_script, "build", request->command,
                                request->output, NULL};
    struct sandbox_bind bind = {.from = source->folder, .to = "/run/source"};
    struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                              .binds = &bind,
                              .bind_count = parcel ? 0 : 1,
                              .input = parcel ? source->parcel : 0,
                              .argv = argv,
                              .env = env,
                              .cwd = "/src",
                              .uid = request->uid,
                              .gid = request->gid,
                              .disk_bytes = limits->build_disk,
                              .total_bytes = limits->build_memory,
                              .cpus = request->cpus,
                              .cpu_count = request->cpu_count,
                              .limits = limits_of(limits, parcel)};
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    if (sandbox_command(&sandbox, &command, &spec, err) != 0)
        return -1;
    const struct proc_side side = {take, &run->delivery};
    spec.side = &side;
    int rc = proc_run(&spec, &run->said, &run->end, err);
    run->memory = sandbox_memory(command);
    if (rc == 0)
        rc = sandbox_check(command, run->said.data, err);
    struct err problem = {0};
    if (sandbox_end(&command, &problem) != 0 && rc == 0)
        rc = err_set(err, problem.class, "%s", problem.text);
    return rc;
}

/* ---- what came of it ---- */

int build_fail(struct build_result *result, const char *format, ...)
{
    struct err line;
    va_list args;
    va_start(args, format);
    char text[sizeof result->failure];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(&line, ERR_INPUT, "%s", text); /* control characters out */
    snprintf(result->failure, sizeof result->failure, "%.*s", (int)sizeof result->failure - 1,
             line.text);
    return 0;
}

static int out_of_memory(const struct run *run, struct build_result *result)
{
    return build_fail(result, "out of memory: the build's limit is %llu bytes",
                      run->request->limits->build_memory);
}

/* The recipe has not run yet. */
static int judge_start(const struct run *run, struct build_result *result, struct err *err)
{
    const struct limits *limits = run->request->limits;
    const bool *said = run->delivery.said;
    if (!said[STARTED])
        return sandbox_refused(run->said.data, err);
    if (run->memory == CGROUP_RAN_OUT)
        return out_of_memory(run, result);
    if (said[TREE])
        return build_fail(result, "%.*s", (int)strcspn(run->said.data, "\n"), run->said.data);
    if (said[FULL] || (run->end.end == PROC_EXITED && run->end.code == EXIT_FILE_SIZE))
        return build_fail(result,
                          "the sources do not fit: a build may hold %llu bytes in files, and "
                          "%llu in one",
                          limits->build_disk, limits->build_file);
    char how[128];
    proc_describe(&run->end, how, sizeof how);
    return err_set(err, ERR_HOST, "the sources cannot be copied into the sandbox: %s: %.200s",
                   how, run->said.data);
}

static int judge_end(const struct run *run, struct build_result *result)
{
    const struct limits *limits = run->request->limits;
    const bool *said = run->delivery.said;
    const char *output = run->request->output;
    char how[128];
    if (run->memory == CGROUP_RAN_OUT)
        return out_of_memory(run, result);
    if (run->end.end == PROC_TIMED_OUT)
        return build_fail(result, "build timed out after %g s",
                          (double)limits->build_ms / 1000.0);
    if (said[OUTPUT])
        return build_fail(result, "`%s` cannot be read", output);
    if (said[IRREGULAR])
        return build_fail(result, "`%s` is not a regular file", output);
    if (said[UNREADABLE])
        return build_fail(result, "`%s` cannot be read: permission denied", output);
    if (said[MISSING])
        return build_fail(result, "build made no `%s`, its output by [build]", output);
    proc_describe(&run->end, how, sizeof how);
    if (said[FULL])
        return build_fail(result,
                          "build failed: %s; no space left: a build may hold %llu "
                          "bytes in files",
                          how, limits->build_disk);
    enum { NOT_FOUND = 127 }; /* as the shell has it */
    bool missing = run->end.end == PROC_EXITED && run->end.code == NOT_FOUND;
    return build_fail(result, "build failed: %s%s", how,
                      missing ? ": a command was not found" : "");
}

int build_run(const struct build_request *request, const struct build_source *source,
              const char *library, bool *made, struct build_result *result, struct buf *log,
              struct err *err)
{
    struct run run __attribute__((cleanup(run_free))) = {.request = request};
    struct delivery *delivery = &run.delivery;
    delivery->max = request->limits->kernel_bytes;
    buf_init(&run.said, request->limits->log_bytes);
    delivery->fd = open(library, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (delivery->fd < 0)
        return err_errno(err, ERR_HOST, errno, "create `%s`", library);
    if (run_recipe(&run, source, err) != 0)
        return -1;
    if (!delivery->said[COPIED])
        return judge_start(&run, result, err);
    buf_add(log, run.said.data, run.said.len);
    result->seconds = run.end.seconds;
    if (delivery->problem == 0 && fchmod(delivery->fd, 0755) < 0)
        delivery->problem = errno;
    if (delivery->problem != 0)
        return err_errno(err, ERR_HOST, delivery->problem, "copy the built library to `%s`",
                         library);
    if (delivery->too_large)
        return build_fail(result, "`%s` is larger than %llu bytes", request->output,
                          delivery->max);
    *made = delivery->said[OUTPUT] && run.end.end == PROC_EXITED && run.end.code == 0;
    if (!*made && run.memory == CGROUP_HOST_RAN_OUT)
        return err_set(err, ERR_HOST, "the host ran out of memory during a build");
    return *made ? 0 : judge_end(&run, result);
}
