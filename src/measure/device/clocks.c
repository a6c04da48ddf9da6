/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lock of a GPU's clock: the file that tells of it, the guardian that outlives us, and
 * undoing it in every case. */
#include "measure/device/clocks.h"

#include "base/file.h"
#include "measure/device/device.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct clocks_lock {
    const struct device_kind *kind;
    struct gpu gpu;
    char file[FILE_PATH_BYTES]; /* is there as long as the clock may be locked */
    int parent;                 /* closed by our death, if not before: the guardian waits */
    pid_t guardian;
};

static int clocks_file(const struct gpu *gpu, const char *folder, char out[FILE_PATH_BYTES],
                       struct err *err)
{
    return file_path(out, err, "%s/ratchet-gpu-%s.clocks", folder, gpu->id);
}

static int kind_with_clocks(const char *device, const struct device_kind **out,
                            struct err *err)
{
    *out = device_kind_of(device);
    return *out != NULL && (*out)->lock_clock != NULL
               ? 0
               : err_set(err, ERR_HOST, "the clocks of device `%s` cannot be locked", device);
}

static int unlock(const struct device_kind *kind, const struct gpu *gpu, const char *file,
                  struct err *err)
{
    if (kind->unlock_clock(gpu, err) != 0)
        return -1;
    if (unlink(file) != 0 && errno != ENOENT)
        return err_errno(err, ERR_HOST, errno, "remove `%s`", file);
    return 0;
}

/* A folder of locks may be open to all users: only what we or root left there counts. */
static bool is_left(const char *file)
{
    struct stat info;
    return lstat(file, &info) == 0 && S_ISREG(info.st_mode) &&
           (info.st_uid == 0 || info.st_uid == geteuid());
}

int clocks_undo(const char *device, const struct gpu *gpu, const char *folder, bool *undone,
                struct err *err)
{
    const struct device_kind *kind;
    char file[FILE_PATH_BYTES];
    if (clocks_file(gpu, folder, file, err) != 0)
        return -1;
    bool left = is_left(file);
    if (left &&
        (kind_with_clocks(device, &kind, err) != 0 || unlock(kind, gpu, file, err) != 0))
        return -1;
    *undone = left;
    return 0;
}

int clocks_any(const char *folder, bool *any, struct err *err)
{
    char pattern[FILE_PATH_BYTES];
    glob_t found;
    if (file_path(pattern, err, "%s/ratchet-gpu-*.clocks", folder) != 0)
        return -1;
    *any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
    if (*any)
        globfree(&found);
    return 0;
}

/* All but the two that a guardian needs: a pipe of ours that it kept open would keep others
 * waiting for our end. */
static void close_others(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (low > 0)
        close_range(0, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0u, 0);
}

/* Of its own session, so that whoever kills our group leaves it alone; says when it is. */
static _Noreturn void guard(const struct clocks_lock *lock, int parent, int device_lock)
{
    char byte = 0;
    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, "ratchet-clocks");
    close_others(parent, device_lock);
    if (write(parent, &byte, 1) != 1)
        _exit(1); /* our parent is gone already, and had locked nothing */
    while (read(parent, &byte, 1) < 0 && errno == EINTR)
        ;
    _exit(is_left(lock->file) && unlock(lock->kind, &lock->gpu, lock->file, NULL) != 0);
}

static int start_guardian(struct clocks_lock *lock, int device_lock, struct err *err)
{
    int ends[2];
    char byte;
    ssize_t got;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(err, ERR_HOST, errno, "make a pair of sockets");
    lock->guardian = fork();
    if (lock->guardian == 0)
        guard(lock, ends[0], device_lock);
    close(ends[0]);
    lock->parent = ends[1];
    if (lock->guardian < 0)
        return err_errno(err, ERR_HOST, errno, "fork");
    do {
        got = read(lock->parent, &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1 ? 0 : err_set(err, ERR_HOST, "the guardian of the clocks does not start");
}

static void end_guardian(struct clocks_lock *lock)
{
    file_close(&lock->parent);
    while (lock->guardian > 0 && waitpid(lock->guardian, NULL, 0) < 0 && errno == EINTR)
        ;
}

int clocks_try(const char *device, unsigned mhz, struct err *err)
{
    const struct device_kind *kind;
    if (kind_with_clocks(device, &kind, err) != 0)
        return -1;
    return geteuid() == 0 ? 0
                          : err_set(err, ERR_HOST, "only root can lock clocks at %u MHz", mhz);
}

int clocks_lock(const char *device, const struct gpu *gpu, unsigned mhz, const char *folder,
                int device_lock, struct clocks_lock **out, struct err *err)
{
    char text[256];
    const struct device_kind *kind;
    if (kind_with_clocks(device, &kind, err) != 0)
        return -1;
    struct clocks_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL)
        return err_set(err, ERR_HOST, "out of memory for a lock of clocks");
    lock->kind = kind;
    lock->gpu = *gpu;
    lock->parent = -1;
    snprintf(text, sizeof text, "ratchet.clocks/1\nlocked at %u MHz by process %ld\n", mhz,
             (long)getpid());
    int result = clocks_file(gpu, folder, lock->file, err);
    if (result == 0) /* before, so that there is no moment in which a crash goes unseen */
        result = file_write(lock->file, text, strlen(text), 0600, err);
    if (result == 0)
        result = start_guardian(lock, device_lock, err);
    if (result == 0)
        result = kind->lock_clock(gpu, mhz, err);
    if (result != 0) {
        unlink(lock->file); /* nothing is locked, and the guardian finds nothing to do */
        end_guardian(lock);
        free(lock);
        return -1;
    }
    *out = lock;
    return 0;
}

int clocks_unlock(struct clocks_lock **lock, struct err *err)
{
    if (*lock == NULL)
        return 0;
    int result = unlock((*lock)->kind, &(*lock)->gpu, (*lock)->file, err);
    end_guardian(*lock); /* tries once more where we could not */
    free(*lock);
    *lock = NULL;
    return result;
}
