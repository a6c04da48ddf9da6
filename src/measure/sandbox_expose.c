/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which folders of the host the command line may show to a bench. */
#include "measure/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Within these nothing can be exposed, nor a folder that one of them lies in… */
static const char *const kept_out[] = {
    "/proc",     "/sys",           "/dev",         "/run",         "/etc",
    "/bench",    "/boot",          "/bin",         "/sbin",        "/usr/bin",
    "/usr/sbin", "/usr/local/bin", "/usr/lib/gcc", "/usr/libexec", "/usr/include"};
/* …and these are more than a folder of libraries. */
static const char *const too_much[] = {"/",    "/home",    "/root", "/tmp",
                                       "/var", "/var/lib", "/opt",  "/mnt"};

static bool may_expose(const char *path)
{
    for (size_t i = 0; i < sizeof kept_out / sizeof *kept_out; i++)
        if (file_is_at_or_below(path, kept_out[i]) || file_is_at_or_below(kept_out[i], path))
            return false;
    for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++)
        if (strcmp(path, too_much[i]) == 0)
            return false;
    return true;
}

/* A path that is not as short as can be could pass for another one. */
static bool is_plain(const char *path)
{
    size_t len = strlen(path);
    return path[0] == '/' && strstr(path, "//") == NULL && strstr(path, "/./") == NULL &&
           strstr(path, "/../") == NULL && len > 1 && path[len - 1] != '/' &&
           path[len - 1] != '.' && len < FILE_PATH_BYTES;
}

int sandbox_expose(const char *dir, char *real, struct sandbox_bind *out, struct err *err)
{
    char found[PATH_MAX];
    struct stat st;
    if (!is_plain(dir))
        return err_set(
            err, ERR_INPUT,
            "expected the absolute path of a folder, without `..`, `.` and a slash at"
            " its end, not `%s`",
            dir);
    if (realpath(dir, found) == NULL || stat(found, &st) != 0)
        return err_errno(err, ERR_INPUT, errno, "`%s`", dir);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INPUT, "`%s` is not a folder", dir);
    if (!may_expose(dir) || !may_expose(found))
        return err_set(err, ERR_INPUT, "`%s` may not be seen from inside the sandbox", dir);
    snprintf(real, FILE_PATH_BYTES, "%s", found);
    *out = (struct sandbox_bind){.from = real, .to = dir, .writable = 0};
    return 0;
}
