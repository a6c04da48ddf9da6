/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what file_write leaves behind where it is killed. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

bool file_is_half(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *ending = strrchr(name, '.');
    return ending != NULL && strlen(ending) == 7 && strspn(ending + 1, letters) == 6;
}

static bool is_half_of(const char *entry, const char *name)
{
    size_t len = strlen(name);
    return strncmp(entry, name, len) == 0 && entry[len] == '.' &&
           strchr(entry + len + 1, '.') == NULL && file_is_half(entry);
}

int file_drop_half(const char *path, struct err *err)
{
    char folder[FILE_PATH_BYTES];
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    int result = 0;
    if (file_path(folder, err, "%.*s", (int)(name - path), path) != 0)
        return -1;
    DIR *dir = opendir(folder[0] == '\0' ? "." : folder);
    if (dir == NULL)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "open `%s`", folder);
    for (struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;)
        if (is_half_of(entry->d_name, name) && unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            result = err_errno(err, ERR_HOST, errno, "remove `%s%s`", folder, entry->d_name);
    closedir(dir);
    return result;
}
