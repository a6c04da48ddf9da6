/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the walk over folders of the host whose contents decide what a compiler makes. Does not
 * know which folders, nor what for. */
#include "measure/fingerprint.h"

#include "base/buf.h"
#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 200, FOLDER_BYTES_MAX = 256 << 20 };

struct walk {
    unsigned long long entries, entries_max;
    uint64_t deadline_ns;
};

/* What is known of the entries of one folder, in both senses of struct fingerprint. */
struct page {
    struct buf same, exact;
};

static void page_init(struct page *page)
{
    buf_init(&page->same, FOLDER_BYTES_MAX);
    buf_init(&page->exact, FOLDER_BYTES_MAX);
}

static void page_free(struct page *page)
{
    buf_free(&page->same);
    buf_free(&page->exact);
}

/* One thing of its own: its length, then its bytes. */
static void add(struct page *page, const void *bytes, size_t len)
{
    uint64_t length = len;
    buf_add(&page->same, &length, sizeof length);
    buf_add(&page->same, bytes, len);
    buf_add(&page->exact, &length, sizeof length);
    buf_add(&page->exact, bytes, len);
}

/* A folder's own size and times say nothing that its entries do not, and are not the same in
 * two unpackings; its ctime is that of its mode, and of names that came and went. */
static void add_stat(struct page *page, const struct stat *st)
{
    bool folder = S_ISDIR(st->st_mode);
    const int64_t shown[] = {(int64_t)st->st_mode, folder ? 0 : (int64_t)st->st_size,
                             folder ? 0 : (int64_t)st->st_mtim.tv_sec,
                             folder ? 0 : (int64_t)st->st_mtim.tv_nsec};
    const int64_t changed[] = {(int64_t)st->st_ctim.tv_sec, (int64_t)st->st_ctim.tv_nsec};
    add(page, shown, sizeof shown);
    buf_add(&page->exact, changed, sizeof changed);
}

static int page_finish(const struct page *page, struct fingerprint *out, struct err *err)
{
    if (page->same.failed || page->exact.failed)
        return err_set(err, ERR_HOST, "out of memory for a folder's entries");
    file_sha256(page->same.data, page->same.len, out->same);
    file_sha256(page->exact.data, page->exact.len, out->exact);
    return 0;
}

static int look_at_folder(struct walk *walk, int fd, unsigned depth, struct fingerprint *out,
                          struct err *err);

static int add_folder(struct walk *walk, struct page *page, int at, const char *name,
                      unsigned depth, struct err *err)
{
    struct fingerprint inner;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return err_errno(err, ERR_HOST, errno, "open folder `%s`", name);
    if (fd < 0)
        return 0;
    if (look_at_folder(walk, fd, depth + 1, &inner, err) != 0)
        return -1;
    buf_add(&page->same, inner.same, sizeof inner.same);
    buf_add(&page->exact, inner.exact, sizeof inner.exact);
    return 0;
}

/* `name` in the open folder `at`. */
static int add_entry(struct walk *walk, struct page *page, int at, const char *name,
                     unsigned depth, struct err *err)
{
    struct stat st;
    char target[FILE_PATH_BYTES];
    add(page, name, strlen(name));
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return 0; /* a root that is not there; or removed this moment: the next walk differs */
    if (++walk->entries > walk->entries_max)
        return err_set(err, ERR_LIMIT, "more than %llu files and folders", walk->entries_max);
    if (proc_now_ns() > walk->deadline_ns)
        return err_set(err, ERR_LIMIT, "no end after %llu files and folders", walk->entries);
    add_stat(page, &st);
    if (S_ISLNK(st.st_mode)) {
        ssize_t len = readlinkat(at, name, target, sizeof target);
        add(page, target, len > 0 ? (size_t)len : 0);
    }
    return S_ISDIR(st.st_mode) ? add_folder(walk, page, at, name, depth, err) : 0;
}

/* ---- names in one order, whatever the file system's ---- */

struct names {
    char **items; /* owned, each too */
    size_t count, cap;
};

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static int names_add(struct names *names, const char *name)
{
    if (names->count == names->cap) {
        size_t cap = names->cap == 0 ? 64 : names->cap * 2;
        char **items = realloc(names->items, cap * sizeof *items);
        if (items == NULL)
            return -1;
        names->items = items;
        names->cap = cap;
    }
    names->items[names->count] = strdup(name);
    return names->items[names->count] == NULL ? -1 : (names->count++, 0);
}

static int by_bytes(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

static int read_names(DIR *folder, struct names *names)
{
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            names_add(names, entry->d_name) != 0)
            return -1;
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, by_bytes);
    return 0;
}

/* Takes the descriptor over. */
static int look_at_folder(struct walk *walk, int fd, unsigned depth, struct fingerprint *out,
                          struct err *err)
{
    DIR *folder __attribute__((cleanup(close_folder))) = fdopendir(fd);
    struct names names __attribute__((cleanup(names_free))) = {0};
    struct page page __attribute__((cleanup(page_free)));
    page_init(&page);
    if (folder == NULL)
        close(fd);
    if (folder == NULL || read_names(folder, &names) != 0)
        return err_set(err, ERR_HOST, "out of memory for a folder's names");
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "more than %d folders deep", (int)DEPTH_MAX);
    for (size_t i = 0; i < names.count; i++)
        if (add_entry(walk, &page, fd, names.items[i], depth, err) != 0)
            return -1;
    return page_finish(&page, out, err);
}

int fingerprint(const char *const *roots, unsigned long long entries, unsigned ms,
                struct fingerprint *out, struct err *err)
{
    struct walk walk = {.entries_max = entries,
                        .deadline_ns = proc_now_ns() + ms * UINT64_C(1000000)};
    struct page page __attribute__((cleanup(page_free)));
    page_init(&page);
    for (; *roots != NULL; roots++)
        if (add_entry(&walk, &page, AT_FDCWD, *roots, 0, err) != 0)
            return err_wrap(err, "the files below `%s`", *roots);
    struct fingerprint found = {.entries = walk.entries};
    if (page_finish(&page, &found, err) != 0)
        return -1;
    *out = found;
    return 0;
}
