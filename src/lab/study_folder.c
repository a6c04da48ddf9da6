/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way into a folder that may be hostile. */
#include "lab/study_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void study_listing_free(struct study_listing *listing)
{
    free(listing->files);
    *listing = (struct study_listing){.files = NULL};
}

static int open_top(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd
                   : err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, errno,
                               "open the study `%s`", path);
}

static int cannot_open(const char *name, struct err *err)
{
    int problem = errno;
    if (problem == ENOENT || problem == ENOTDIR)
        return err_set(err, ERR_NOT_FOUND, "%s: not in the study's folder", name);
    if (problem == ELOOP)
        return err_set(err, ERR_INPUT, "%s: a link, which is not followed", name);
    return err_errno(err, ERR_INPUT, problem, "%s: open", name);
}

/* O_NONBLOCK: a FIFO must not wait for a writer that never comes. */
static int open_regular(int folder, const char *last, const char *name, struct stat *info,
                        struct err *err)
{
    int fd = openat(folder, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return cannot_open(name, err);
    if (fstat(fd, info) == 0 && S_ISREG(info->st_mode))
        return fd;
    close(fd);
    return err_set(err, ERR_INPUT, "%s: not a regular file", name);
}

int study_folder_read(const char *path, const char *name, struct buf *out, struct err *err)
{
    char parts[STUDY_FILE_PATH_BYTES];
    struct stat info;
    size_t len = strlen(name);
    if (len >= sizeof parts)
        return err_set(err, ERR_LIMIT, "%.60s…: a path of more than %zu bytes", name,
                       sizeof parts - 1);
    memcpy(parts, name, len + 1);
    FD_AUTO folder = open_top(path, err);
    if (folder < 0)
        return -1;
    char *at = parts;
    for (char *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        *slash = '\0';
        int next = openat(folder, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return cannot_open(name, err);
        close(folder);
        folder = next;
    }
    FD_AUTO fd = open_regular(folder, at, name, &info, err);
    if (fd < 0)
        return -1;
    return file_read_fd(fd, name, out, err);
}

bool study_is_document(const char *name)
{
    static const char *const documents[] = {
        "COMBINED_REPORT.md", "OPTIMIZATION_RESULTS.md", "report.html",   "numbers.json",
        "summary.json",       "comparison.json",         "inventory.json"};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (strcmp(name, documents[i]) == 0)
            return true;
    return strncmp(name, "figures/", 8) == 0 || strncmp(name, "badges/", 7) == 0;
}

int study_folder_empty(const char *path, const char *name, struct err *err)
{
    char full[FILE_PATH_BYTES];
    return file_path(full, err, "%s/%s", path, name) != 0 || file_remove_tree(full, err) != 0
               ? -1
               : file_mkdirs(full, 0755, err);
}

/* ---- listing ---- */

struct walk {
    struct study_listing *listing;
    size_t room;
    unsigned long long bytes;
    struct err *err;
};

static struct study_file *add(struct walk *walk)
{
    struct study_listing *listing = walk->listing;
    if (listing->count == STUDY_FILES_MAX) {
        err_set(walk->err, ERR_LIMIT, "more than %d files in a study", STUDY_FILES_MAX);
        return NULL;
    }
    if (listing->count == walk->room) {
        size_t room = walk->room == 0 ? 64 : 2 * walk->room;
        struct study_file *files = realloc(listing->files, room * sizeof *files);
        if (files == NULL) {
            err_set(walk->err, ERR_HOST, "out of memory for a list of files");
            return NULL;
        }
        listing->files = files;
        walk->room = room;
    }
    return &listing->files[listing->count++];
}

/* Names as we give them; what else there is has not come from a study. */
static bool name_is_plain(const char *name)
{
    for (; *name != '\0'; name++)
        if ((unsigned char)*name < 0x20 || (unsigned char)*name > 0x7e)
            return false;
    return true;
}

static bool is_lock(const char *name)
{
    return strcmp(name, "lock") == 0 || strcmp(name, ".lock") == 0;
}

static int add_file(struct walk *walk, int folder, const char *name, const char *path)
{
    struct stat info;
    BUF_AUTO bytes;
    FD_AUTO fd = open_regular(folder, name, path, &info, walk->err);
    buf_init(&bytes, (size_t)STUDY_FOLDER_BYTES);
    if (fd < 0)
        return -1;
    walk->bytes += (unsigned long long)info.st_size;
    if (walk->bytes > STUDY_FOLDER_BYTES)
        return err_set(walk->err, ERR_LIMIT, "%s: more than %llu bytes in a study", path,
                       STUDY_FOLDER_BYTES);
    struct study_file *file = add(walk);
    if (file == NULL || file_read_fd(fd, path, &bytes, walk->err) != 0)
        return -1;
    snprintf(file->path, sizeof file->path, "%s", path);
    file->bytes = bytes.len;
    file_sha256(bytes.data, bytes.len, file->sha256);
    return 0;
}

static int add_folder(struct walk *walk, int fd, const char *before, unsigned depth);

static int add_entry(struct walk *walk, int folder, const char *before, const char *name,
                     unsigned depth)
{
    char path[STUDY_FILE_PATH_BYTES];
    struct stat info;
    int len = snprintf(path, sizeof path, "%s%s", before, name);
    if (len < 0 || (size_t)len + 1 >= sizeof path || !name_is_plain(name))
        return err_set(walk->err, ERR_INPUT, "%.200s: no name of a study's file", path);
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(walk->err, ERR_INPUT, errno, "%s: stat", path);
    if (!S_ISDIR(info.st_mode))
        return is_lock(name) ? 0 : add_file(walk, folder, name, path);
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return cannot_open(path, walk->err);
    snprintf(path, sizeof path, "%s%s/", before, name);
    return add_folder(walk, inner, path, depth + 1);
}

/* Closes `fd`. */
static int add_folder(struct walk *walk, int fd, const char *before, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    int result = 0;
    if (dir == NULL) {
        close(fd);
        return err_errno(walk->err, ERR_HOST, errno, "%s: list", before);
    }
    if (depth > STUDY_DEPTH_MAX)
        result = err_set(walk->err, ERR_LIMIT, "%s: more than %d folders deep", before,
                         STUDY_DEPTH_MAX);
    for (struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = add_entry(walk, dirfd(dir), before, entry->d_name, depth);
    closedir(dir);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct study_file *)a)->path, ((const struct study_file *)b)->path);
}

int study_folder_list(const char *path, struct study_listing *out, struct err *err)
{
    struct study_listing listing = {.files = NULL};
    struct walk walk = {.listing = &listing, .err = err};
    int fd = open_top(path, err);
    if (fd < 0)
        return -1;
    if (add_folder(&walk, fd, "", 0) != 0) {
        study_listing_free(&listing);
        return -1;
    }
    if (listing.count > 0)
        qsort(listing.files, listing.count, sizeof *listing.files, by_path);
    *out = listing;
    return 0;
}
