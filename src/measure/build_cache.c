/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the folder of the build cache: <key>/kernel.so and <key>/sha256, entered by one
 * rename, checked at every use, dropped from the least recently used end. Any number of
 * processes may use one cache: all that can happen is that a library is built twice. */
#include "measure/build_cache.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/name.h"
#include "measure/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE_LIBRARY "kernel.so"
#define CACHE_SHA256 "sha256"
#define CACHE_TEMPORARY "tmp-"

enum { CACHE_STALE_SECONDS = 24 * 3600 }; /* a temporary folder this old: from a crash */

/* Does the copy have the SHA-256 that was written down when it was stored? */
static bool entry_matches(const char *entry, const char *library)
{
    char path[FILE_PATH_BYTES], actual[FILE_SHA256_BYTES];
    BUF_AUTO stored;
    buf_init(&stored, FILE_SHA256_BYTES);
    return file_path(path, NULL, "%s/" CACHE_SHA256, entry) == 0 &&
           file_read(path, &stored, NULL) == 0 &&
           file_sha256_path(library, actual, NULL) == 0 &&
           stored.len == FILE_SHA256_BYTES - 1 && strcmp(stored.data, actual) == 0;
}

int build_cache_take(const char *cache, const char *key, const char *library, bool *found,
                     bool *dropped, struct err *err)
{
    char entry[FILE_PATH_BYTES], from[FILE_PATH_BYTES];
    struct stat st;
    if (file_path(entry, err, "%s/%s", cache, key) < 0 ||
        file_path(from, err, "%s/" CACHE_LIBRARY, entry) < 0)
        return -1;
    if (lstat(entry, &st) < 0) {
        *found = *dropped = false;
        return 0;
    }
    bool sound = false;
    if (lstat(from, &st) == 0 && S_ISREG(st.st_mode)) {
        bool copied = file_copy(from, library, 0755, err) == 0;
        sound = copied && entry_matches(entry, library);
        if (!sound)
            unlink(library);
        if (!sound && lstat(entry, &st) != 0) {
            *found = *dropped = false; /* collected while it was read */
            return 0;
        }
        if (!copied)
            return -1;
    }
    if (!sound && file_remove_tree(entry, err) != 0)
        return -1;
    if (sound)
        utimensat(AT_FDCWD, entry, NULL, 0); /* the time of last use, for collecting */
    *found = sound;
    *dropped = !sound;
    return 0;
}

static int fill_entry(const char *folder, const char *library, struct err *err)
{
    char path[FILE_PATH_BYTES], sha256[FILE_SHA256_BYTES];
    if (file_path(path, err, "%s/" CACHE_LIBRARY, folder) < 0 ||
        file_copy(library, path, 0644, err) != 0 ||
        file_sha256_path(library, sha256, err) != 0 ||
        file_path(path, err, "%s/" CACHE_SHA256, folder) < 0)
        return -1;
    return file_write(path, sha256, strlen(sha256), 0644, err);
}

/* The entry appears whole by a rename. Somebody else's, there already, is as good. */
int build_cache_store(const char *cache, const char *key, const char *library, struct err *err)
{
    char folder[FILE_PATH_BYTES], entry[FILE_PATH_BYTES];
    if (file_mkdirs(cache, 0700, err) != 0 ||
        file_path(folder, err, "%s/" CACHE_TEMPORARY "XXXXXX", cache) < 0 ||
        file_path(entry, err, "%s/%s", cache, key) < 0)
        return -1;
    if (mkdtemp(folder) == NULL)
        return err_errno(err, ERR_HOST, errno, "create a folder in `%s`", cache);
    int rc = fill_entry(folder, library, err);
    if (rc == 0 && rename(folder, entry) == 0)
        return 0;
    if (rc == 0 && errno != EEXIST && errno != ENOTEMPTY)
        rc = err_errno(err, ERR_HOST, errno, "store `%s`", entry);
    /* The first error is the one to tell; what stays behind is collected some day. */
    return file_remove_tree(folder, rc == 0 ? err : NULL) < 0 ? -1 : rc;
}

/* ---- collecting ---- */

struct cache_entry {
    char name[FILE_SHA256_BYTES];
    struct timespec used;
    unsigned long long bytes;
};

static int older_first(const void *left, const void *right)
{
    const struct cache_entry *a = left, *b = right;
    if (a->used.tv_sec != b->used.tv_sec)
        return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    if (a->used.tv_nsec != b->used.tv_nsec)
        return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
    return strcmp(a->name, b->name);
}

struct cache_list {
    struct cache_entry *entries; /* owned */
    size_t count, cap;
};

static void cache_list_free(struct cache_list *list)
{
    free(list->entries);
}

static int cache_list_add(struct cache_list *list, const struct cache_entry *entry)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 64 : list->cap * 2;
        struct cache_entry *entries = realloc(list->entries, cap * sizeof *entries);
        if (entries == NULL)
            return -1;
        list->entries = entries;
        list->cap = cap;
    }
    list->entries[list->count++] = *entry;
    return 0;
}

/* Look at one name of the cache folder: list an entry, remove what an old crash left. */
static int cache_visit(const char *cache, const char *name, struct cache_list *list,
                       struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct stat st;
    if (file_path(path, err, "%s/%s", cache, name) < 0)
        return -1;
    if (lstat(path, &st) < 0)
        return 0;
    if (strncmp(name, CACHE_TEMPORARY, strlen(CACHE_TEMPORARY)) == 0)
        return time(NULL) - st.st_mtim.tv_sec > CACHE_STALE_SECONDS
                   ? file_remove_tree(path, err)
                   : 0;
    if (!name_is_hex(name, FILE_SHA256_BYTES - 1))
        return 0;
    struct cache_entry entry = {.used = st.st_mtim};
    memcpy(entry.name, name, sizeof entry.name);
    if (file_tree_bytes(path, &entry.bytes, NULL) < 0)
        entry.bytes = 0; /* removed meanwhile */
    if (cache_list_add(list, &entry) < 0)
        return err_set(err, ERR_HOST, "out of memory for the build cache's entries");
    return 0;
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

int build_cache_collect(const char *cache, unsigned long long bytes, struct err *err)
{
    DIR *folder __attribute__((cleanup(close_folder))) = opendir(cache);
    if (folder == NULL && errno == ENOENT)
        return 0;
    if (folder == NULL)
        return err_errno(err, ERR_HOST, errno, "open build cache `%s`", cache);
    struct cache_list list __attribute__((cleanup(cache_list_free))) = {0};
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && cache_visit(cache, entry->d_name, &list, err) != 0)
            return -1;
    unsigned long long total = 0;
    for (size_t i = 0; i < list.count; i++)
        total += list.entries[i].bytes;
    if (list.count > 0)
        qsort(list.entries, list.count, sizeof *list.entries, older_first);
    for (size_t i = 0; i < list.count && total > bytes; i++) {
        char path[FILE_PATH_BYTES];
        if (file_path(path, err, "%s/%s", cache, list.entries[i].name) < 0 ||
            file_remove_tree(path, err) != 0)
            return -1;
        total -= list.entries[i].bytes;
    }
    return 0;
}
