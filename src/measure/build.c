/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from a commit to a kernel library of our own: cache key, worktree,
 * sandboxed build, and taking the output out of a folder that a stranger could write.
 * What the sandbox is made of is sandbox.c's, what a library may export code.c's, the
 * cache build_cache.c's. */
#include "measure/build.h"

#include "base/file.h"
#include "base/proc.h"
#include "measure/build_cache.h"
#include "measure/build_hint.h"
#include "measure/checkout.h"
#include "measure/code.h"
#include "measure/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* Part of every cache key: count it up when the sandbox changes what is built. */
#define BUILD_VERSION "ratchet.build/1"
#define BUILD_EXPORT "attention_kernel"

enum { BUILD_OPEN_FILES = 1024, REMOVE_TRIES = 100, REMOVE_WAIT_MS = 20 };

/* One build's folder below the job's: ours, and not listable (0711). */
struct place {
    char folder[FILE_PATH_BYTES];
    char source[FILE_PATH_BYTES];  /* the worktree, the sandbox user's; removed after */
    char library[FILE_PATH_BYTES]; /* our copy of the output */
};

/* ---- what decides the bytes of a library ---- */

/* The architecture a recipe compiles for, by the slug's front up to a `-` or its end; the
 * longest name wins by coming first. A hint in RATCHET_ARCH: the recipe may ignore it. */
static const struct arch {
    const char *slug;
    const char *arch;
} archs[] = {
#if defined(__x86_64__)
    {"cpu", "x86-64-v3"},
#elif defined(__aarch64__)
    {"cpu", "armv8.2-a"},
#endif
    {"nvidia-t4", "sm_75"},        {"nvidia-a100", "sm_80"},  {"nvidia-a30", "sm_80"},
    {"nvidia-a10", "sm_86"},       {"nvidia-a10g", "sm_86"},  {"nvidia-a40", "sm_86"},
    {"nvidia-rtx-a6000", "sm_86"}, {"nvidia-l4", "sm_89"},    {"nvidia-l40", "sm_89"},
    {"nvidia-l40s", "sm_89"},      {"nvidia-h100", "sm_90"},  {"nvidia-h200", "sm_90"},
    {"nvidia-h800", "sm_90"},      {"nvidia-gh200", "sm_90"}, {"nvidia-b200", "sm_100"},
    {"nvidia-gb200", "sm_100"},
};

static const char *arch_of(const char *device)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        size_t len = strlen(archs[i].slug);
        if (strncmp(device, archs[i].slug, len) == 0 &&
            (device[len] == '\0' || device[len] == '-'))
            return archs[i].arch;
    }
    return NULL;
}

static int cache_key(const struct build_request *request, char key[FILE_SHA256_BYTES],
                     struct err *err)
{
    char tree[GIT_KEY_BYTES];
    char toolchain[1024];
    if (git_paths_key(request->repo, request->commit, request->paths, request->path_count,
                      tree, err) < 0 ||
        build_toolchain(request->device, toolchain, sizeof toolchain, err) < 0)
        return -1;
    const char *arch = arch_of(request->device);
    const char *const parts[] = {BUILD_VERSION,    tree,
                                 request->command, request->output,
                                 request->device,  arch == NULL ? "" : arch,
                                 toolchain};
    struct buf text __attribute__((cleanup(buf_free)));
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buf_addf(&text, "%zu:%s,", strlen(parts[i]), parts[i]);
    if (text.failed)
        return err_set(err, ERR_LIMIT, "the build recipe is longer than a MiB");
    file_sha256(text.data, text.len, key);
    return 0;
}

/* ---- taking the output ---- */

static int check_output(const char *output, struct err *err)
{
    bool ok = output[0] != '\0' && output[0] != '/';
    for (const char *part = output; ok; part++) {
        size_t len = strcspn(part, "/");
        ok = len > 0 && len < 256 && !(len == 1 && part[0] == '.') &&
             !(len == 2 && part[0] == '.' && part[1] == '.');
        part += len;
        if (*part == '\0')
            break;
    }
    if (ok)
        return 0;
    return err_set(err, ERR_INPUT, "build output `%s` is not a path inside the tree",
                   output);
}

/* Open a path below `root` without ever following a link: what lies there was made by a
 * stranger, and we may be root. O_NONBLOCK: a FIFO must not make us wait. -1: errno. */
static int open_beneath(const char *root, const char *path)
{
    FD_AUTO folder = open(root, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (folder >= 0) {
        char part[256];
        size_t len = strcspn(path, "/");
        snprintf(part, sizeof part, "%.*s", (int)len, path);
        if (path[len] == '\0')
            return openat(folder, part,
                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        int inner = openat(folder, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int problem = errno;
        file_close(&folder);
        errno = problem;
        folder = inner;
        path += len + 1;
    }
    return -1;
}

static int fail(struct build_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The build's own failure: one line, not an error of ours. Returns 0. */
static int fail(struct build_result *result, const char *format, ...)
{
    struct err line;
    va_list args;
    va_start(args, format);
    char text[sizeof result->failure];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(&line, ERR_INPUT, "%s", text); /* control characters out */
    snprintf(result->failure, sizeof result->failure, "%.*s",
             (int)sizeof result->failure - 1, line.text);
    return 0;
}

/* Text of an error about our copy, with the path that the recipe's author knows. */
static int fail_about(struct build_result *result, const struct build_request *request,
                      const char *library, const char *text)
{
    const char *at = strstr(text, library);
    if (at == NULL)
        return fail(result, "%s", text);
    return fail(result, "%.*s%s%s", (int)(at - text), text, request->output,
                at + strlen(library));
}

static int copy_bytes(int in, int out, unsigned long long max, bool *too_large)
{
    char chunk[1 << 16];
    unsigned long long total = 0;
    *too_large = false;
    for (;;) {
        ssize_t got = read(in, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -1 : 0;
        total += (unsigned long long)got;
        if (total > max) {
            *too_large = true;
            return 0;
        }
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(out, chunk + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR)
                return -1;
            done += put > 0 ? put : 0;
        }
    }
}

/* Copy an open file to `library`. 0: done; 1: larger than the ceiling; -1: the host. */
static int copy_library(int in, const char *library, unsigned long long max,
                        struct err *err)
{
    FD_AUTO out = open(library, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return err_errno(err, ERR_HOST, errno, "create `%s`", library);
    bool too_large;
    if (copy_bytes(in, out, max, &too_large) < 0 || fchmod(out, 0755) < 0)
        return err_errno(err, ERR_HOST, errno, "copy the built library to `%s`", library);
    return too_large ? 1 : 0;
}

/* The last checks, on our own copy: nobody can change that any more. */
static int accept_library(const struct build_request *request, const char *library,
                          struct build_result *result, struct err *err)
{
    struct err problem = {0};
    char code[MODEL_CODE_BYTES];
    if (code_check_exports(library, BUILD_EXPORT, &problem) < 0 ||
        code_hash(library, code, &problem) < 0) {
        if (problem.class == ERR_INPUT || problem.class == ERR_LIMIT)
            return fail_about(result, request, library, problem.text);
        if (err != NULL)
            *err = problem;
        return -1;
    }
    memcpy(result->code, code, sizeof code);
    snprintf(result->library, sizeof result->library, "%s", library);
    result->built = true;
    return 0;
}

static int take_output(const struct build_request *request, const struct place *place,
                       struct build_result *result, struct err *err)
{
    const char *output = request->output;
    unsigned long long max = request->limits->kernel_bytes;
    FD_AUTO in = open_beneath(place->source, output);
    if (in < 0 && errno == ENOENT)
        return fail(result, "build made no `%s`", output);
    if (in < 0 && errno == EACCES)
        return fail(result, "`%s` cannot be read: permission denied", output);
    if (in < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO))
        return err_errno(err, ERR_HOST, errno, "open the built `%s`", output);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(result, "`%s` is not a regular file", output);
    int copied = (unsigned long long)st.st_size > max
                     ? 1
                     : copy_library(in, place->library, max, err);
    if (copied < 0)
        return -1;
    if (copied > 0)
        return fail(result, "`%s` is larger than %llu bytes", output, max);
    return accept_library(request, place->library, result, err);
}

/* ---- building ---- */

/* The command is the log's first line, printed from inside: where it is missing, nothing
 * of the stranger's has run and what went wrong is the host's. */
static const char build_script[] = "printf '$ %s\\n' \"$1\" && exec /bin/sh -c \"$1\"";

static unsigned at_most_unsigned(unsigned long long value)
{
    return value > UINT32_MAX ? UINT32_MAX : (unsigned)value;
}

static int run_recipe(const struct build_request *request, const char *source,
                      struct buf *log, struct proc_result *end, struct err *err)
{
    const struct limits *limits = request->limits;
    char device[MODEL_NAME_BYTES + 32], arch[64];
    snprintf(device, sizeof device, "RATCHET_DEVICE=%s", request->device);
    const char *known = arch_of(request->device);
    snprintf(arch, sizeof arch, "RATCHET_ARCH=%s", known == NULL ? "" : known);
    const char *const env[] = {device, known == NULL ? NULL : arch, NULL};
    const char *const argv[] = {"/bin/sh",        "-c", build_script, "build",
                                request->command, NULL};
    struct sandbox_bind bind = {.from = source, .to = "/src", .writable = 1};
    struct sandbox sandbox = {.kind = SANDBOX_BUILD, .device = request->device,
                              .binds = &bind, .bind_count = 1, .argv = argv, .env = env,
                              .cwd = "/src", .uid = request->uid, .gid = request->gid};
    sandbox.limits =
        (struct proc_limits){.wall_ms = at_most_unsigned(limits->build_ms),
                             .memory_bytes = limits->build_memory,
                             .file_bytes = limits->build_file,
                             .processes = at_most_unsigned(limits->build_processes),
                             .open_files = BUILD_OPEN_FILES};
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    if (sandbox_command(&sandbox, &command, &spec, err) < 0)
        return -1;
    struct buf said __attribute__((cleanup(buf_free)));
    buf_init(&said, limits->log_bytes);
    if (proc_run(&spec, &said, end, err) < 0)
        return -1;
    if (end->end != PROC_TIMED_OUT && strncmp(said.data, "$ ", 2) != 0 &&
        strstr(said.data, "\n$ ") == NULL)
        return sandbox_refused(said.data, err);
    buf_add(log, said.data, said.len);
    return 0;
}

/* A compiler removes what it could not finish, so a full disk has some room again by now:
 * less than one file of a build is taken for full. */
static bool disk_was_full(const struct build_request *request, const struct buf *log)
{
    struct statvfs fs;
    return strstr(log->data, strerror(ENOSPC)) != NULL &&
           statvfs(request->work, &fs) == 0 &&
           (unsigned long long)fs.f_bavail * fs.f_frsize < request->limits->build_file;
}

static int judge_end(const struct build_request *request, const struct proc_result *end,
                     struct build_result *result, const struct buf *log, struct err *err)
{
    if (disk_was_full(request, log))
        return err_set(err, ERR_HOST, "no space left below `%s` during a build",
                       request->work);
    if (end->end == PROC_TIMED_OUT)
        return fail(result, "build timed out after %g s",
                    (double)request->limits->build_ms / 1000.0);
    char how[128];
    proc_describe(end, how, sizeof how);
    return fail(result, "build failed: %s", how);
}

/* The worktree: what the build may see, and nothing else. */
static int check_out(const struct build_request *request, const char *folder, struct err *err)
{
    struct checkout_submodules none = {.count = 0};
    struct checkout_submodules *submodules =
        request->submodules != NULL ? request->submodules : &none;
    if (checkout_submodules(submodules, request->repo, request->commit, request->paths,
                            request->path_count, request->limits, err) < 0)
        return -1;
    struct git_part part = {.paths = request->paths,
                            .path_count = request->path_count,
                            .submodules = submodules->list,
                            .submodule_count = submodules->count};
    return checkout_tree(request->repo, request->commit, &part, folder, request->limits, err);
}

/* Say more of a failure where the tree tells it. */
static void add_hint(const struct build_request *request, const struct buf *log,
                     struct build_result *result)
{
    char hint[BUILD_HINT_BYTES], failure[sizeof result->failure];
    build_hint_failure(request, log->len > 0 ? log->data : "", hint);
    memcpy(failure, result->failure, sizeof failure);
    if (hint[0] != '\0')
        fail(result, "%s; %s", failure, hint);
}

static int build_in(const struct build_request *request, const struct place *place,
                    struct build_result *result, struct buf *log, struct err *err)
{
    struct err problem = {0};
    char hint[BUILD_HINT_BYTES] = "";
    if (build_hint_command(request, hint, err) < 0)
        return -1;
    if (hint[0] != '\0')
        return fail(result, "%s", hint);
    if (check_out(request, place->source, &problem) < 0) {
        /* the tree's own size or names, or a submodule that nobody allowed */
        if (problem.class == ERR_LIMIT || problem.class == ERR_INPUT)
            return fail(result, "%s", problem.text);
        if (err != NULL)
            *err = problem;
        return -1;
    }
    if (request->uid != (uid_t)-1 && request->uid != geteuid() &&
        file_chown_tree(place->source, request->uid, request->gid, err) < 0)
        return -1;
    struct proc_result end;
    if (run_recipe(request, place->source, log, &end, err) < 0)
        return -1;
    result->seconds = end.seconds;
    int rc = end.end != PROC_EXITED || end.code != 0
                 ? judge_end(request, &end, result, log, err)
                 : take_output(request, place, result, err);
    if (rc == 0 && !result->built)
        add_hint(request, log, result);
    return rc;
}

/* The namespace of a killed build dies a moment after bwrap itself: until then something
 * may still add files, so try again. A build may have taken the write permission away; it
 * cannot have replaced the folder itself, which lies in one of ours. */
static int remove_worktree(const char *folder, struct err *err)
{
    int rc = -1;
    if (chmod(folder, 0700) < 0 && errno == ENOENT)
        return 0;
    for (int i = 0; i < REMOVE_TRIES && rc < 0; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = REMOVE_WAIT_MS * 1000000L}, NULL);
        rc = file_remove_tree(folder, err);
    }
    return rc;
}

static int make_place(const struct build_request *request, struct place *place,
                      struct err *err)
{
    if (file_path(place->folder, err, "%s/%.12s-build-XXXXXX", request->work,
                  request->commit) < 0)
        return -1;
    if (mkdtemp(place->folder) == NULL)
        return err_errno(err, ERR_HOST, errno, "create a folder in `%s`", request->work);
    if (chmod(place->folder, 0711) < 0)
        return err_errno(err, ERR_HOST, errno, "change the mode of `%s`", place->folder);
    if (file_path(place->source, err, "%s/src", place->folder) < 0)
        return -1;
    return file_path(place->library, err, "%s/kernel.so", place->folder);
}

/* ---- the whole ---- */

/* Look into the cache. An entry that is whole but no longer acceptable is no entry. */
static int try_cache(const struct build_request *request, const struct place *place,
                     const char *key, struct build_result *result, struct buf *log,
                     struct err *err)
{
    bool found = false, dropped = false;
    if (build_cache_take(request->cache, key, place->library, &found, &dropped, err) < 0)
        return -1;
    if (dropped)
        buf_addf(log, "build cache: entry %.12s was damaged and is dropped\n", key);
    if (!found)
        return 0;
    if (accept_library(request, place->library, result, err) < 0)
        return -1;
    if (result->built) {
        buf_addf(log, "build cache: entry %.12s is used\n", key);
        result->cached = true;
        return 0;
    }
    unlink(place->library);
    *result = (struct build_result){0};
    return 0;
}

/* Storing is a favour to the next job: where it fails, this one goes on. */
static void offer_to_cache(const struct build_request *request, const char *key,
                           const struct build_result *result, struct buf *log)
{
    struct err problem = {0};
    if (request->may_store && result->built &&
        build_cache_store(request->cache, key, result->library, &problem) < 0)
        buf_addf(log, "build cache: not stored: %s\n", problem.text);
}

static int build_or_take(const struct build_request *request, const struct place *place,
                         struct build_result *result, struct buf *log, struct err *err)
{
    char key[FILE_SHA256_BYTES] = "";
    if (request->cache != NULL) {
        if (cache_key(request, key, err) < 0 ||
            try_cache(request, place, key, result, log, err) < 0)
            return -1;
        if (result->cached)
            return 0;
    }
    int rc = build_in(request, place, result, log, err);
    struct err problem = {0};
    if (remove_worktree(place->source, &problem) < 0 && rc == 0)
        rc = err_set(err, problem.class, "%s", problem.text);
    if (rc == 0 && request->cache != NULL)
        offer_to_cache(request, key, result, log);
    return rc;
}

int build_kernel(const struct build_request *request, struct build_result *result,
                 struct buf *log, struct err *err)
{
    struct place place;
    if (!git_is_sha(request->commit))
        return err_set(err, ERR_INTERNAL, "build of `%s`: not a commit", request->commit);
    if (request->path_count == 0)
        return err_set(err, ERR_INTERNAL, "build of %.12s: no paths", request->commit);
    if (check_output(request->output, err) < 0 || make_place(request, &place, err) < 0)
        return -1;
    /* Our own lines come on top of the capped log: they never make it fail. */
    struct buf text __attribute__((cleanup(buf_free)));
    buf_init(&text, request->limits->log_bytes + (16 << 10));
    struct build_result built = {0};
    int rc = build_or_take(request, &place, &built, &text, err);
    if (rc < 0)
        err_wrap(err, "build of %.12s", request->commit);
    if (log != NULL)
        buf_add(log, text.data, text.len);
    struct err problem = {0};
    if (!built.built && file_remove_tree(place.folder, &problem) < 0 && rc == 0)
        rc = err_set(err, problem.class, "%s", problem.text);
    if (rc == 0)
        *result = built;
    return rc;
}
