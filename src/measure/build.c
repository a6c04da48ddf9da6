/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from a commit to a kernel library of our own: cache key, sources, and the
 * last look at what a build gave. The build itself is build_run.c's, what a library may export
 * code_exports.c's, the cache build_cache.c's. */
#include "measure/build.h"

#include "base/file.h"
#include "base/name.h"
#include "measure/away.h"
#include "measure/build_cache.h"
#include "measure/build_hint.h"
#include "measure/build_internal.h"
#include "measure/checkout.h"
#include "measure/code.h"
#include "measure/device/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Part of every cache key: count it up when the sandbox changes what is built. */
#define BUILD_VERSION "ratchet.build/3"
#define BUILD_EXPORT "attention_kernel"

/* One build's folder below the job's: ours, and not listable (0711). */
struct place {
    char folder[FILE_PATH_BYTES];
    char source[FILE_PATH_BYTES];  /* the sources, which a build can read; removed after */
    char library[FILE_PATH_BYTES]; /* our copy of the output */
};

/* ---- what decides the bytes of a library ---- */

/* "" where there is none: the toolchain cannot be told from another. */
static int cache_key(const struct build_request *request, char key[FILE_SHA256_BYTES],
                     struct err *err)
{
    char tree[GIT_KEY_BYTES];
    struct toolchain toolchain;
    if (git_paths_key(request->repo, request->commit, request->paths, request->path_count,
                      tree, err) != 0 ||
        toolchain_now(request->device, &toolchain, err) != 0)
        return -1;
    key[0] = '\0';
    if (toolchain.key[0] == '\0')
        return 0;
    const char *arch = device_arch(request->device);
    const char *const parts[] = {BUILD_VERSION,    tree,
                                 request->command, request->output,
                                 request->device,  arch == NULL ? "" : arch,
                                 toolchain.key};
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buf_addf(&text, "%zu:%s,", strlen(parts[i]), parts[i]);
    if (buf_check(&text, "the build recipe", err) != 0)
        return -1;
    file_sha256(text.data, text.len, key);
    return 0;
}

/* ---- the output ---- */

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
    return err_set(err, ERR_INPUT, "build output `%s` is not a path inside the tree", output);
}

/* Text of an error about our copy, with the path that the recipe's author knows. */
static int fail_about(struct build_result *result, const struct build_request *request,
                      const char *library, const char *text)
{
    const char *at = strstr(text, library);
    if (at == NULL)
        return build_fail(result, "%s", text);
    return build_fail(result, "%.*s%s%s", (int)(at - text), text, request->output,
                      at + strlen(library));
}

/* The last checks, on our own copy: nobody can change that any more. */
static int accept_library(const struct build_request *request, const char *library,
                          struct build_result *result, struct err *err)
{
    struct err problem = {0};
    char code[MODEL_CODE_BYTES];
    if (code_check_exports(library, BUILD_EXPORT, &problem) != 0 ||
        code_hash(library, code, &problem) != 0) {
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

/* ---- building ---- */

/* The sources: what the build may see, and nothing else. In a folder; ratchet-run takes none, and gets them as
 * a parcel. */
static int check_out(const struct build_request *request, const char *folder, int *parcel,
                     struct err *err)
{
    struct checkout_submodules none = {.count = 0};
    struct checkout_submodules *submodules = request->submodules != NULL ? request->submodules
                                                                         : &none;
    if (checkout_submodules(submodules, request->repo, request->commit, request->paths,
                            request->path_count, request->limits, err) != 0)
        return -1;
    struct git_part part = {.paths = request->paths,
                            .path_count = request->path_count,
                            .submodules = submodules->list,
                            .submodule_count = submodules->count};
    if (away_socket()[0] != '\0')
        return checkout_parcel(request->repo, request->commit, &part, request->limits, parcel,
                               err);
    if (checkout_tree(request->repo, request->commit, &part, folder, request->limits, err) !=
        0)
        return -1;
    if (chmod(folder, 0755) != 0) /* the sandbox's user reads it, whatever our umask */
        return err_errno(err, ERR_HOST, errno, "change the mode of `%s`", folder);
    return 0;
}

/* Say more of a failure where the tree tells it. */
static void add_hint(const struct build_request *request, const struct buf *log,
                     struct build_result *result)
{
    char hint[BUILD_HINT_BYTES], failure[sizeof result->failure];
    build_hint_failure(request, log->len > 0 ? log->data : "", hint);
    memcpy(failure, result->failure, sizeof failure);
    if (hint[0] != '\0')
        build_fail(result, "%s; %s", failure, hint);
}

static int build_in(const struct build_request *request, const struct place *place,
                    struct build_result *result, struct buf *log, struct err *err)
{
    struct err problem = {0};
    FD_AUTO parcel = -1;
    char hint[BUILD_HINT_BYTES] = "";
    if (build_hint_command(request, hint, err) != 0)
        return -1;
    if (hint[0] != '\0')
        return build_fail(result, "%s", hint);
    if (check_out(request, place->source, &parcel, &problem) != 0) {
        /* the tree's own size or names, or a submodule that nobody allowed */
        if (problem.class == ERR_LIMIT || problem.class == ERR_INPUT)
            return build_fail(result, "%s", problem.text);
        if (err != NULL)
            *err = problem;
        return -1;
    }
    const struct build_source source = {place->source, parcel};
    bool made = false;
    if (build_run(request, &source, place->library, &made, result, log, err) != 0)
        return -1;
    int rc = made ? accept_library(request, place->library, result, err) : 0;
    if (rc == 0 && !result->built)
        add_hint(request, log, result);
    return rc;
}

static int make_place(const struct build_request *request, struct place *place,
                      struct err *err)
{
    /* What it is called is seen in the sandbox, as where /run/source comes from: no word of the commit. */
    if (file_path(place->folder, err, "%s/build-XXXXXX", request->work) != 0)
        return -1;
    if (mkdtemp(place->folder) == NULL)
        return err_errno(err, ERR_HOST, errno, "create a folder in `%s`", request->work);
    if (chmod(place->folder, 0711) != 0)
        return err_errno(err, ERR_HOST, errno, "change the mode of `%s`", place->folder);
    if (file_path(place->source, err, "%s/src", place->folder) != 0)
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
    if (build_cache_take(request->cache, key, place->library, &found, &dropped, err) != 0)
        return -1;
    if (dropped)
        buf_addf(log, "build cache: entry %.12s was damaged and is dropped\n", key);
    if (!found)
        return 0;
    if (accept_library(request, place->library, result, err) != 0)
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

/* Storing is a favour to the next job: where it fails, this one goes on. A compiler that was
 * replaced while it built has made nothing that a key could name. */
static void offer_to_cache(const struct build_request *request, const char *key,
                           const struct build_result *result, struct buf *log)
{
    struct err problem = {0};
    char now[FILE_SHA256_BYTES];
    if (!request->may_store || !result->built)
        return;
    if (cache_key(request, now, &problem) == 0 && strcmp(now, key) != 0)
        buf_adds(log, "build cache: not stored: the toolchain changed during the build\n");
    else if (build_cache_store(request->cache, key, result->library, &problem) != 0)
        buf_addf(log, "build cache: not stored: %s\n", problem.text);
}

static int build_or_take(const struct build_request *request, const struct place *place,
                         struct build_result *result, struct buf *log, struct err *err)
{
    char key[FILE_SHA256_BYTES] = "";
    if (request->cache != NULL && cache_key(request, key, err) != 0)
        return -1;
    if (key[0] != '\0' && try_cache(request, place, key, result, log, err) != 0)
        return -1;
    if (result->cached)
        return 0;
    int rc = build_in(request, place, result, log, err);
    struct err problem = {0};
    if (file_remove_tree(place->source, &problem) != 0 && rc == 0)
        rc = err_set(err, problem.class, "%s", problem.text);
    if (rc == 0 && key[0] != '\0')
        offer_to_cache(request, key, result, log);
    return rc;
}

int build_kernel(const struct build_request *request, struct build_result *result,
                 struct buf *log, struct err *err)
{
    struct place place;
    if (!name_is_sha(request->commit))
        return err_set(err, ERR_INTERNAL, "build of `%s`: not a commit", request->commit);
    if (request->path_count == 0)
        return err_set(err, ERR_INTERNAL, "build of %.12s: no paths", request->commit);
    if (check_output(request->output, err) != 0 || make_place(request, &place, err) != 0)
        return -1;
    /* Our own lines come on top of the capped log: they never make it fail. */
    BUF_AUTO text;
    buf_init(&text, request->limits->log_bytes + (16 << 10));
    struct build_result built = {0};
    int rc = build_or_take(request, &place, &built, &text, err);
    if (rc != 0)
        err_wrap(err, "build of %.12s", request->commit);
    if (log != NULL)
        buf_add(log, text.data, text.len);
    struct err problem = {0};
    if (!built.built && file_remove_tree(place.folder, &problem) != 0 && rc == 0)
        rc = err_set(err, problem.class, "%s", problem.text);
    if (rc == 0)
        *result = built;
    return rc;
}

static int try_parcel(const struct build_request *request, const char *library,
                      struct err *err)
{
    FD_AUTO fd = memfd_create("commit", MFD_CLOEXEC);
    const struct build_source source = {.parcel = fd};
    struct build_result result;
    bool made = false;
    BUF_AUTO log;
    buf_init(&log, request->limits->log_bytes);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "cannot write down a commit");
    if (git_parcel_write_empty(fd, err) != 0 ||
        build_run(request, &source, library, &made, &result, &log, err) != 0)
        return -1;
    return made ? 0 : err_set(err, ERR_HOST, "a build does not work: %s", result.failure);
}

int build_probe(const char *state, const struct limits *limits, struct err *err)
{
    char work[FILE_PATH_BYTES];
    struct place place;
    struct build_request request = {.command = ": >out",
                                    .output = "out",
                                    .device = "cpu",
                                    .work = work,
                                    .uid = (uid_t)-1,
                                    .gid = (gid_t)-1,
                                    .limits = limits};
    if (away_socket()[0] == '\0')
        return 0;
    if (file_path(work, err, "%s/work", state) != 0 || make_place(&request, &place, err) != 0)
        return -1;
    int rc = try_parcel(&request, place.library, err);
    struct err problem = {0};
    if (file_remove_tree(place.folder, &problem) != 0 && rc == 0)
        rc = err_set(err, problem.class, "%s", problem.text);
    return rc;
}
