/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is done to files and folders; knows nothing of what is in them. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

void file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool file_is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return len == 0 ||
           (strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

int file_path(char out[FILE_PATH_BYTES], struct err *err, const char *format, ...)
{
    char path[FILE_PATH_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(path, sizeof path, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof path)
        return err_set(err, ERR_LIMIT, "path `%.60s…` is longer than %d bytes", path,
                       FILE_PATH_BYTES - 1);
    memcpy(out, path, (size_t)length + 1);
    return 0;
}

int file_read_fd(int fd, const char *name, struct buf *out, struct err *err)
{
    char chunk[1 << 16];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, ERR_INPUT, errno, "read `%s`", name);
        if (got == 0)
            return 0;
        buf_add(out, chunk, (size_t)got);
        if (out->no_memory)
            return err_set(err, ERR_HOST, "out of memory for `%s`", name);
        if (out->failed)
            return err_set(err, ERR_LIMIT, "`%s` is longer than %zu bytes", name, out->max);
    }
}

int file_read(const char *path, struct buf *out, struct err *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer that never comes. */
    FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_INPUT,
                         errno, "open `%s`", path);
    struct stat info;
    if (fstat(fd, &info) != 0)
        return err_errno(err, ERR_INPUT, errno, "stat `%s`", path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_INPUT, "`%s` is not a regular file", path);
    return file_read_fd(fd, path, out, err);
}

static int write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        len -= (size_t)put;
    }
    return 0;
}

/* The rename is only safe against a power cut once the folder is on disk too. */
static void sync_folder_of(const char *path)
{
    char folder[FILE_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder] = '\0';
    FD_AUTO fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        fsync(fd);
}

/* The rename would put a file in the place of /dev/null. */
static bool is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

int file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
    char temporary[FILE_PATH_BYTES];
    if (is_special(path))
        return err_set(err, ERR_INPUT, "write `%s`: not a regular file", path);
    if (file_path(temporary, err, "%s.XXXXXX", path) != 0)
        return -1;
    FD_AUTO fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "create `%s`", path);
    if (write_all(fd, bytes, len) != 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0 ||
        rename(temporary, path) != 0) {
        int problem = errno;
        unlink(temporary);
        return err_errno(err, ERR_HOST, problem, "write `%s`", path);
    }
    sync_folder_of(path);
    return 0;
}

int file_append(const char *path, const void *bytes, size_t len, struct err *err)
{
    FD_AUTO fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "open `%s`", path);
    if (write_all(fd, bytes, len) != 0)
        return err_errno(err, ERR_HOST, errno, "append to `%s`", path);
    return 0;
}

/* Copies by read and write: copy_file_range could share blocks, and an arm's library has to
 * be an inode and pages of its own. */
int file_copy(const char *from, const char *to, mode_t mode, struct err *err)
{
    FD_AUTO in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_errno(err, ERR_HOST, errno, "open `%s`", from);
    FD_AUTO out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return err_errno(err, ERR_HOST, errno, "create `%s`", to);
    char chunk[1 << 16];
    ssize_t got = 0;
    bool ok = true;
    while (ok && (got = read(in, chunk, sizeof chunk)) > 0)
        ok = write_all(out, chunk, (size_t)got) == 0;
    if (!ok || got < 0 || fchmod(out, mode) != 0) {
        int problem = errno;
        unlink(to);
        return err_errno(err, ERR_HOST, problem, "copy `%s` to `%s`", from, to);
    }
    return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
    char partial[FILE_PATH_BYTES];
    if (file_path(partial, err, "%s", path) != 0)
        return -1;
    for (char *slash = partial + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char kept = *slash;
        *slash = '\0';
        if (mkdir(partial, mode) != 0 && errno != EEXIST)
            return err_errno(err, ERR_HOST, errno, "create folder `%s`", partial);
        *slash = kept;
        if (kept == '\0')
            break;
    }
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return err_set(err, ERR_HOST, "`%s` is not a folder", path);
    return 0;
}

/* Call `visit` on everything below `fd` (taken over), children first, never through a link. */
static int walk(int fd, unsigned depth,
                int (*visit)(void *context, int parent, const char *name,
                             const struct stat *info),
                void *context)
{
    enum { WALK_DEPTH_MAX = 512 };
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        close(fd);
        return -1;
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        struct stat info;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (fstatat(dirfd(folder), name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            result = errno == ENOENT ? 0 : -1;
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            int child = openat(dirfd(folder), name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (child < 0 || depth >= WALK_DEPTH_MAX) {
                if (child >= 0)
                    close(child);
                result = -1;
                continue;
            }
            result = walk(child, depth + 1, visit, context);
        }
        if (result == 0)
            result = visit(context, dirfd(folder), name, &info);
    }
    int problem = errno;
    closedir(folder);
    errno = problem;
    return result;
}

static int walk_path(const char *path,
                     int (*visit)(void *context, int parent, const char *name,
                                  const struct stat *info),
                     void *context)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -1 : walk(fd, 0, visit, context);
}

/* A folder without permissions is still ours to remove. Through a descriptor: fchmodat would
 * follow a link that a dying build puts in the folder's place. */
static void unlock(int parent, const char *name)
{
    char self[64];
    FD_AUTO fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (fd >= 0 && chmod(self, 0700) != 0)
        return; /* the removal itself will say what is wrong */
}

/* Unlink what is in root/name and move its subfolders up to `root`, so that no depth of
 * nesting, made by a stranger's build, can outgrow our stack or descriptors. */
static int flatten(int root, const char *name, unsigned long *moved)
{
    unlock(root, name);
    int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL)
        return -1;
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        unlock(fd, entry->d_name); /* `..` changes: moving a folder writes to it */
        char up[64];
        do {
            snprintf(up, sizeof up, ".removed-%lu", (*moved)++);
            result = renameat2(fd, entry->d_name, root, up, RENAME_NOREPLACE);
        } while (result != 0 && errno == EEXIST);
    }
    int problem = errno;
    closedir(folder);
    errno = problem;
    return result != 0 ? -1 : unlinkat(root, name, AT_REMOVEDIR);
}

static int empty_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *root = fd < 0 ? NULL : fdopendir(fd);
    if (root == NULL)
        return -1;
    unsigned long moved = 0;
    int result = 0;
    bool found = true;
    while (result == 0 && found) { /* until a whole pass finds nothing */
        found = false;
        rewinddir(root);
        struct dirent *entry;
        while (result == 0 && (entry = readdir(root)) != NULL) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            found = true;
            if (unlinkat(fd, entry->d_name, 0) != 0 && errno != ENOENT)
                result = flatten(fd, entry->d_name, &moved);
        }
    }
    int problem = errno;
    closedir(root);
    errno = problem;
    return result;
}

int file_remove_tree(const char *path, struct err *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "stat `%s`", path);
    if (!S_ISDIR(info.st_mode)) {
        if (unlink(path) != 0)
            return err_errno(err, ERR_HOST, errno, "remove `%s`", path);
        return 0;
    }
    if (empty_folder(path) != 0 || rmdir(path) != 0)
        return err_errno(err, ERR_HOST, errno, "remove `%s`", path);
    return 0;
}

static int visit_add_bytes(void *context, int parent, const char *name,
                           const struct stat *info)
{
    (void)parent;
    (void)name;
    unsigned long long *bytes = context;
    if (S_ISREG(info->st_mode))
        *bytes += (unsigned long long)info->st_size;
    return 0;
}

int file_tree_bytes(const char *path, unsigned long long *bytes, struct err *err)
{
    unsigned long long sum = 0;
    if (walk_path(path, visit_add_bytes, &sum) != 0)
        return err_errno(err, ERR_HOST, errno, "walk `%s`", path);
    *bytes = sum;
    return 0;
}

static int create_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0 && fchmod(fd, 0644) != 0)
        file_close(&fd);
    return fd;
}

/* A lock folder may be shared by all users of the host, and sticky: there the kernel lets nobody
 * open another's file with O_CREAT (fs.protected_regular), so it is asked for only where no file is.
 * A file of another user's that may only be read can be locked all the same, and ours is readable whatever
 * our umask is. Links are not followed. */
static int open_lock(const char *path)
{
    for (int tries = 0;; tries++) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && (errno == EACCES || errno == EPERM))
            fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
            fd = create_lock(path);
        if (fd >= 0 || errno != EEXIST || tries == 100)
            return fd;
    }
}

/* "process 17 (ratchet, user 1000)": who holds the lock, as /proc/locks has it; "another process"
 * where that cannot be seen. */
static void name_holder(int fd, char *out, size_t size)
{
    struct stat st, owner;
    BUF_AUTO locks;
    BUF_AUTO comm;
    char key[64], path[64];
    unsigned pid = 0;
    buf_init(&locks, 1 << 20);
    buf_init(&comm, 64);
    snprintf(out, size, "another process");
    if (fstat(fd, &st) != 0 || file_read("/proc/locks", &locks, NULL) != 0)
        return;
    snprintf(key, sizeof key, "%02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
             (unsigned long long)st.st_ino);
    const char *at = strstr(locks.data, key);
    while (at != NULL && at > locks.data && at[-1] != '\n')
        at--;
    /* "1: FLOCK  ADVISORY  WRITE 17 08:01:4711 0 EOF", or READ */
    if (at == NULL || sscanf(at, "%*s FLOCK ADVISORY %*s %u", &pid) != 1 || pid == 0)
        return;
    snprintf(path, sizeof path, "/proc/%u", pid);
    bool seen = stat(path, &owner) == 0;
    snprintf(path, sizeof path, "/proc/%u/comm", pid);
    if (!seen || file_read(path, &comm, NULL) != 0)
        return;
    snprintf(out, size, "process %u (%.*s, user %u)", pid, (int)strcspn(comm.data, "\n"),
             comm.data, (unsigned)owner.st_uid);
}

/* Whoever shares a lock with others may only have to read it. */
static int no_lock(const char *path, int errnum, struct err *err)
{
    struct stat info;
    return (errnum == EACCES || errnum == EPERM) && lstat(path, &info) == 0
               ? err_errno(err, ERR_HOST, errnum,
                           "open lock `%s` of user %u (`chmod a+r` on it lets others take "
                           "turns)",
                           path, (unsigned)info.st_uid)
               : err_errno(err, ERR_HOST, errnum, "open lock `%s`", path);
}

static int take_lock(const char *path, int how, int *fd, struct err *err)
{
    FD_AUTO lock = open_lock(path);
    if (lock < 0)
        return no_lock(path, errno, err);
    int got;
    do {
        got = flock(lock, how | LOCK_NB);
    } while (got != 0 && errno == EINTR);
    if (got != 0 && errno == EWOULDBLOCK) {
        char holder[128];
        name_holder(lock, holder, sizeof holder);
        return err_set(err, ERR_CONFLICT, "lock `%s` is held by %s", path, holder);
    }
    if (got != 0)
        return err_errno(err, ERR_HOST, errno, "lock `%s`", path);
    struct stat now;
    if (fstat(lock, &now) == 0 && now.st_nlink == 0) /* who held it has removed it meanwhile */
        return err_set(err, ERR_CONFLICT, "lock `%s` was removed by who held it", path);
    *fd = lock;
    lock = -1;
    return 0;
}

int file_lock(const char *path, int *fd, struct err *err)
{
    return take_lock(path, LOCK_EX, fd, err);
}

int file_lock_shared(const char *path, int *fd, struct err *err)
{
    return take_lock(path, LOCK_SH, fd, err);
}

int file_lock_within(const char *path, unsigned ms, int *fd, struct err *err)
{
    enum { TRY_MS = 20 };
    for (unsigned waited_ms = 0;; waited_ms += TRY_MS) {
        if (file_lock(path, fd, err) == 0)
            return 0;
        if (err->class != ERR_CONFLICT || waited_ms >= ms)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000}, NULL);
    }
}

void file_sha256(const void *bytes, size_t len, char out[FILE_SHA256_BYTES])
{
    unsigned char digest[32] = {0};
    unsigned int size = sizeof digest;
    EVP_Digest(bytes, len, digest, &size, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void file_key(const char *name, char out[FILE_KEY_BYTES])
{
    char hex[FILE_SHA256_BYTES];
    file_sha256(name, strlen(name), hex);
    memcpy(out, hex, FILE_KEY_BYTES - 1);
    out[FILE_KEY_BYTES - 1] = '\0';
}

int file_sha256_path(const char *path, char out[FILE_SHA256_BYTES], struct err *err)
{
    enum { SHA256_FILE_MAX = 1 << 30 };
    BUF_AUTO bytes;
    buf_init(&bytes, SHA256_FILE_MAX);
    if (file_read(path, &bytes, err) != 0)
        return -1;
    file_sha256(bytes.data, bytes.len, out);
    return 0;
}
