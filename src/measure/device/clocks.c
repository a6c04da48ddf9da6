/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lock of a GPU's clock: the file that tells of it, the guardian that outlives us, and
 * undoing it in every case. */
#include "measure/device/nvidia.h"

#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct gpu_clock_lock {
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

static int unlock_clocks(const struct gpu *gpu, const char *file, struct err *err)
{
    const struct nvml *nvml;
    nvml_device device;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    nvml_result result = nvml->nvmlDeviceGetHandleByIndex_v2(gpu->index, &device);
    if (result == NVML_OK && nvml->nvmlDeviceResetGpuLockedClocks == NULL)
        return err_set(err, ERR_HOST, "NVML: this driver cannot unlock clocks");
    if (result == NVML_OK)
        result = nvml->nvmlDeviceResetGpuLockedClocks(device);
    if (result != NVML_OK)
        return gpu_failed(nvml, result, "unlock the clocks that this program had locked", err);
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

int gpu_clocks_undo(const struct gpu *gpu, const char *folder, bool *undone, struct err *err)
{
    char file[FILE_PATH_BYTES];
    if (clocks_file(gpu, folder, file, err) != 0)
        return -1;
    bool left = is_left(file);
    if (left && unlock_clocks(gpu, file, err) != 0)
        return -1;
    *undone = left;
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
static _Noreturn void guard(const struct gpu_clock_lock *lock, int parent, int device_lock)
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
    _exit(is_left(lock->file) && unlock_clocks(&lock->gpu, lock->file, NULL) != 0);
}

static int start_guardian(struct gpu_clock_lock *lock, int device_lock, struct err *err)
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

static void end_guardian(struct gpu_clock_lock *lock)
{
    file_close(&lock->parent);
    while (lock->guardian > 0 && waitpid(lock->guardian, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int lock_clocks(const struct gpu *gpu, unsigned mhz, struct err *err)
{
    const struct nvml *nvml;
    nvml_device device;
    if (nvml_get(&nvml, err) != 0)
        return -1;
    nvml_result result = nvml->nvmlDeviceGetHandleByIndex_v2(gpu->index, &device);
    if (result == NVML_OK && nvml->nvmlDeviceSetGpuLockedClocks == NULL)
        return err_set(err, ERR_HOST, "NVML: this driver cannot lock clocks");
    if (result == NVML_OK)
        result = nvml->nvmlDeviceSetGpuLockedClocks(device, mhz, mhz);
    return result == NVML_OK ? 0 : gpu_failed(nvml, result, "lock the clocks", err);
}

int gpu_clocks_lock(const struct gpu *gpu, unsigned mhz, const char *folder, int device_lock,
                    struct gpu_clock_lock **out, struct err *err)
{
    char text[256];
    struct gpu_clock_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL)
        return err_set(err, ERR_HOST, "out of memory for a lock of clocks");
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
        result = lock_clocks(gpu, mhz, err);
    if (result != 0) {
        unlink(lock->file); /* nothing is locked, and the guardian finds nothing to do */
        end_guardian(lock);
        free(lock);
        return -1;
    }
    *out = lock;
    return 0;
}

int gpu_clocks_unlock(struct gpu_clock_lock **lock, struct err *err)
{
    if (*lock == NULL)
        return 0;
    int result = unlock_clocks(&(*lock)->gpu, (*lock)->file, err);
    end_guardian(*lock); /* tries once more where we could not */
    free(*lock);
    *lock = NULL;
    return result;
}
