/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lock of a GPU's clock: the file that tells of it, what its guardian does, and undoing it
 * in every case. */
#include "measure/device/clocks.h"

#include "base/file.h"
#include "measure/device/clocks_ask.h"
#include "measure/device/device.h"
#include "measure/device/guardian.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct clocks_lock {
    const struct device_kind *kind;
    struct gpu gpu;
    char file[FILE_PATH_BYTES]; /* is there as long as the clock may be locked */
    struct guardian guardian;
    int asked; /* ratchet-clocks, which has locked it; -1: we have */
};

static char in_use[sizeof(struct sockaddr_un)];

void clocks_use(const char *socket)
{
    snprintf(in_use, sizeof in_use, "%s", socket);
}

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

/* The same GPU, by the number that its driver gives it and by our name for it. */
static int find_again(const char *device, const char *index, const char *id, struct gpu *out,
                      struct err *err)
{
    if (device_find_gpu(device, index, out, err) != 0)
        return -1;
    return strcmp(out->id, id) == 0
               ? 0
               : err_set(err, ERR_HOST, "GPU %s is another than the one to be locked", index);
}

/* The driver is asked before anything is locked: where a guardian could not unlock, nothing is. */
int clocks_guard(int argc, char **argv)
{
    enum { WORD = 1, DEVICE, INDEX, ID, FOLDER, COUNT };
    struct err err;
    struct gpu gpu;
    bool undone;
    if (argc != COUNT || strcmp(argv[WORD], CLOCKS_GUARDIAN) != 0)
        return -1;
    int found = find_again(argv[DEVICE], argv[INDEX], argv[ID], &gpu, &err);
    if (guardian_watch("ratchet-clocks", found == 0 ? NULL : &err) != 0)
        return 1;
    return clocks_undo(argv[DEVICE], &gpu, argv[FOLDER], &undone, &err) != 0;
}

static int start_guardian(const char *device, const struct gpu *gpu, const char *folder,
                          int device_lock, struct guardian *out, struct err *err)
{
    char index[16];
    const char *const argv[] = {"ratchet", CLOCKS_GUARDIAN, device, index,
                                gpu->id,   folder,          NULL};
    snprintf(index, sizeof index, "%u", gpu->index);
    return guardian_start(argv, device_lock, out, err) == 0
               ? 0
               : err_wrap(err, "nobody would unlock the clocks");
}

static int ask(bool lock, const char *device, const struct gpu *gpu, unsigned mhz,
               int device_lock, int *connection, struct err *err)
{
    struct clocks_wish wish = {.lock = lock, .mhz = mhz};
    snprintf(wish.device, sizeof wish.device, "%s", device);
    memcpy(wish.gpu, gpu->id, sizeof wish.gpu);
    return clocks_ask(in_use, &wish, device_lock, connection, err);
}

int clocks_try(const char *device, const struct gpu *gpu, unsigned mhz, struct err *err)
{
    const struct device_kind *kind;
    FD_AUTO connection = -1;
    if (kind_with_clocks(device, &kind, err) != 0)
        return -1;
    if (in_use[0] != '\0')
        return ask(false, device, gpu, mhz, -1, &connection, err);
    return geteuid() == 0 ? 0
                          : err_set(err, ERR_HOST,
                                    "only root can lock clocks at %u MHz, or ratchet-clocks, "
                                    "whose socket is not there",
                                    mhz);
}

static int lock_here(struct clocks_lock *lock, const char *device, unsigned mhz,
                     const char *folder, int device_lock, struct err *err)
{
    char text[256];
    const struct gpu *gpu = &lock->gpu;
    snprintf(text, sizeof text, "ratchet.clocks/1\nlocked at %u MHz by process %ld\n", mhz,
             (long)getpid());
    int result = clocks_file(gpu, folder, lock->file, err);
    if (result == 0) /* before, so that there is no moment in which a crash goes unseen */
        result = file_write(lock->file, text, strlen(text), 0600, err);
    if (result == 0)
        result = start_guardian(device, gpu, folder, device_lock, &lock->guardian, err);
    if (result == 0)
        result = lock->kind->lock_clock(gpu, mhz, err);
    if (result != 0) {
        unlink(lock->file); /* nothing is locked, and the guardian finds nothing to do */
        guardian_end(&lock->guardian);
    }
    return result;
}

int clocks_lock(const char *device, const struct gpu *gpu, unsigned mhz, const char *folder,
                int device_lock, struct clocks_lock **out, struct err *err)
{
    const struct device_kind *kind;
    if (kind_with_clocks(device, &kind, err) != 0)
        return -1;
    struct clocks_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL)
        return err_set(err, ERR_HOST, "out of memory for a lock of clocks");
    lock->kind = kind;
    lock->gpu = *gpu;
    lock->asked = -1;
    if ((in_use[0] != '\0' ? ask(true, device, gpu, mhz, device_lock, &lock->asked, err)
                           : lock_here(lock, device, mhz, folder, device_lock, err)) != 0) {
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
    int result = (*lock)->asked >= 0
                     ? clocks_ask_end(&(*lock)->asked, err)
                     : unlock((*lock)->kind, &(*lock)->gpu, (*lock)->file, err);
    guardian_end(&(*lock)->guardian); /* tries once more where we could not */
    free(*lock);
    *lock = NULL;
    return result;
}
