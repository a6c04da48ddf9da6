/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the trying of places that a command line names. */
#include "cli/outputs.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* As file_write does it: a file beside it, which is renamed in the end. */
static int try_beside(const char *option, const char *path, struct err *err)
{
    char temporary[FILE_PATH_BYTES];
    if (file_path(temporary, err, "%s.XXXXXX", path) != 0)
        return -1;
    FD_AUTO fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_USAGE, errno, "%s: write `%.512s`", option, path);
    ssize_t put = write(fd, "", 1);
    int problem = errno;
    unlink(temporary);
    return put == 1 ? 0
                    : err_errno(err, ERR_HOST, problem, "%s: write `%.512s`", option, path);
}

int outputs_try(const char *option, const char *path, struct err *err)
{
    struct stat info;
    if (path == NULL)
        return 0;
    if (path[0] == '\0')
        return err_set(err, ERR_USAGE, "%s: expected the name of a file", option);
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return err_set(err, ERR_USAGE, "%s: `%.512s` is %s", option, path,
                       S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
    return try_beside(option, path, err);
}

int outputs_try_append(const char *option, const char *path, struct err *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return outputs_try(option, path, err);
    FD_AUTO fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return fd >= 0 ? 0 : err_errno(err, ERR_USAGE, errno, "%s: `%.512s`", option, path);
}

int outputs_try_in(const char *option, const char *folder, const char *const *names,
                   size_t count, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_mkdirs(folder, 0755, err) != 0) {
        err->class = err->errnum == ENOSPC ? ERR_HOST : ERR_USAGE; /* a name that was given */
        return err_wrap(err, "%s", option);
    }
    for (size_t i = 0; i < count; i++)
        if (file_path(path, err, "%s/%s", folder, names[i]) != 0 ||
            outputs_try(option, path, err) != 0)
            return -1;
    return 0;
}
