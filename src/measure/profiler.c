/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question where Nsight Compute is. What stands on PATH, and at the top of its folder, are
 * scripts that look for the program; the sandbox of a bench has no shell, so the program itself is
 * looked for here. */
#include "measure/profiler.h"

#include "base/proc.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the program lies in its installation. */
#if defined(__aarch64__)
#define TARGET "target/linux-desktop-t210-a64/ncu"
#else
#define TARGET "target/linux-desktop-glibc_2_11_3-x64/ncu"
#endif

static int parent_of(const char *path, char out[FILE_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    return file_path(out, NULL, "%.*s", (int)len, path);
}

/* The last of what a pattern names, versions compared as versions. */
static bool find_last(const char *pattern, char out[FILE_PATH_BYTES])
{
    glob_t found;
    const char *last = NULL;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (last == NULL || strverscmp(found.gl_pathv[i], last) > 0)
            last = found.gl_pathv[i];
    bool any = last != NULL && realpath(last, out) != NULL && access(out, X_OK) == 0;
    globfree(&found);
    return any;
}

static bool is_script(const char *path)
{
    char front[2] = "";
    FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, front, sizeof front) == sizeof front &&
           memcmp(front, "#!", sizeof front) == 0;
}

/* The program that the script in `folder` would start. */
static bool find_behind(const char *folder, char out[FILE_PATH_BYTES])
{
    char pattern[FILE_PATH_BYTES];
    if (file_path(pattern, NULL, "%s/" TARGET, folder) == 0 && find_last(pattern, out))
        return true;
    if (file_path(pattern, NULL, "%s/../nsight-compute*/" TARGET, folder) == 0 &&
        find_last(pattern, out))
        return true;
    return find_last("/opt/nvidia/nsight-compute/*/" TARGET, out);
}

/* `program` is there, without links. */
static int settle(struct profiler *profiler, struct err *err)
{
    char folder[FILE_PATH_BYTES], real[PATH_MAX];
    if (parent_of(profiler->program, folder) != 0)
        return err_set(err, ERR_LIMIT, "`%s` is too long", profiler->program);
    profiler->script = is_script(profiler->program);
    if (profiler->script && find_behind(folder, real)) {
        memcpy(profiler->program, real, strlen(real) + 1);
        profiler->script = false;
    }
    size_t len = strlen(profiler->program), tail = strlen("/" TARGET);
    if (len > tail && strcmp(profiler->program + len - tail, "/" TARGET) == 0)
        return file_path(profiler->root, err, "%.*s", (int)(len - tail), profiler->program);
    return parent_of(profiler->program, profiler->root);
}

static bool try_path(const char *path, struct profiler *out)
{
    char real[PATH_MAX];
    if (realpath(path, real) == NULL || access(real, X_OK) != 0)
        return false;
    memcpy(out->program, real, strlen(real) + 1);
    return true;
}

int profiler_find(const char *path, const struct device_kind *kind, struct profiler *out,
                  struct err *err)
{
    char found[FILE_PATH_BYTES];
    struct profiler profiler = {.script = false};
    bool any = path[0] != '\0' && try_path(path, &profiler);
    for (size_t i = 0; path[0] == '\0' && kind->profilers != NULL && !any; i++) {
        if (kind->profilers[i] == NULL)
            break;
        any = proc_find(kind->profilers[i], found, NULL) == 0 && try_path(found, &profiler);
    }
    if (!any)
        return err_set(err, ERR_NOT_FOUND, "no profiler%s%s%s", path[0] == '\0' ? "" : ": `",
                       path, path[0] == '\0' ? "" : "` is no program");
    if (settle(&profiler, err) != 0)
        return -1;
    *out = profiler;
    return 0;
}
