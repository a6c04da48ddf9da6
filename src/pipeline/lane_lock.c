/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which locks stand for a lane. Waits for nobody. */
#include "pipeline/lane_lock.h"

#include "base/file.h"
#include "measure/device/device.h"
#include "measure/machine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static int take_one(const struct host *host, const char *name, int *fd, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/ratchet-%s.lock", host->lock_dir, name) == 0
               ? file_lock(path, fd, err)
               : -1;
}

static int take_core(const struct host *host, unsigned core, struct lane_lock *lock,
                     struct err *err)
{
    char name[32];
    snprintf(name, sizeof name, "cpu-%u", core);
    if (take_one(host, name, &lock->cores[lock->core_count], err) != 0)
        return -1;
    lock->core_count++;
    return 0;
}

/* The distinct physical cores of a lane's processors: each is asked for once, as it is read from /sys. */
static size_t list_cores(const struct host_lane *lane, unsigned cores[HOST_CPUS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < lane->cpu_count; i++) {
        unsigned core = machine_core_of(lane->cpus[i]);
        size_t known = 0;
        while (known < count && cores[known] != core)
            known++;
        if (known == count)
            cores[count++] = core;
    }
    return count;
}

/* Others that are pinned may be at work on other cores. */
static int take_pinned(const struct host *host, const struct host_lane *lane, const char *path,
                       struct lane_lock *lock, struct err *err)
{
    if (take_one(host, "cpu-turn", &lock->turn, err) != 0)
        return -1;
    file_close(&lock->turn);
    if (file_lock_shared(path, &lock->device, err) != 0)
        return -1;
    unsigned cores[HOST_CPUS_MAX];
    size_t count = list_cores(lane, cores);
    for (size_t i = 0; i < count; i++)
        if (take_core(host, cores[i], lock, err) != 0)
            return -1;
    return 0;
}

/* It keeps its turn from one try to the next, or lanes that come and go would leave it none. */
static int take_alone(const struct host *host, const char *path, struct lane_lock *lock,
                      struct err *err)
{
    if (lock->turn < 0 && take_one(host, "cpu-turn", &lock->turn, err) != 0)
        return -1;
    if (file_lock(path, &lock->device, err) != 0)
        return -1;
    file_close(&lock->turn);
    return 0;
}

static void drop_all_but_turn(struct lane_lock *lock)
{
    while (lock->core_count > 0)
        file_close(&lock->cores[--lock->core_count]);
    file_close(&lock->device);
}

int lane_lock_try(const struct host *host, const struct host_device *device,
                  const struct host_lane *lane, const struct gpu *gpu, struct lane_lock *lock,
                  struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (device_lock_path(host->lock_dir, device->slug, gpu, path, err) != 0)
        return -1;
    int result = gpu != NULL            ? file_lock(path, &lock->device, err)
                 : lane->cpu_count == 0 ? take_alone(host, path, lock, err)
                                        : take_pinned(host, lane, path, lock, err);
    if (result != 0)
        drop_all_but_turn(lock);
    return result;
}

void lane_lock_drop(struct lane_lock *lock)
{
    drop_all_but_turn(lock);
    file_close(&lock->turn);
}

static bool is_free(const struct host *host, const struct host_device *device,
                    const struct host_lane *lane)
{
    struct lane_lock lock = LANE_LOCK_NONE;
    bool is_gpu = device_is_gpu(device->slug);
    struct gpu gpu;
    struct err err;
    bool taken = (!is_gpu || device_find_gpu(device->slug, lane->gpu, &gpu, &err) == 0) &&
                 lane_lock_try(host, device, lane, is_gpu ? &gpu : NULL, &lock, &err) == 0;
    lane_lock_drop(&lock);
    return taken;
}

const struct host_lane *lane_lock_free(const struct host *host,
                                       const struct host_device *device)
{
    for (size_t i = 0; device->lane_count > 1 && i < device->lane_count; i++)
        if (is_free(host, device, &device->lanes[i]))
            return &device->lanes[i];
    return &device->lanes[0];
}

unsigned lane_cores(const struct host_lane *lane)
{
    unsigned cores[HOST_CPUS_MAX];
    return (unsigned)list_cores(lane, cores);
}

/* ---- the host's lanes beside one another ---- */

struct piece {
    const struct host_device *device;
    const struct host_lane *lane;
};

static int check_cores(const struct piece *a, const struct piece *b,
                       unsigned (*core_of)(unsigned cpu), struct err *err)
{
    unsigned cores[HOST_CPUS_MAX];
    for (size_t j = 0; j < b->lane->cpu_count; j++)
        cores[j] = core_of(b->lane->cpus[j]);
    for (size_t i = 0; i < a->lane->cpu_count; i++) {
        unsigned core = core_of(a->lane->cpus[i]);
        for (size_t j = 0; j < b->lane->cpu_count; j++)
            if (core == cores[j])
                return err_set(err, ERR_INPUT,
                               "device.%s.cpus: processor %u is of the same physical core as "
                               "%u, which is another lane's",
                               b->device->slug, b->lane->cpus[j], a->lane->cpus[i]);
    }
    return 0;
}

static int check_gpus(const struct piece *a, const struct piece *b, struct err *err)
{
    struct gpu one, other;
    struct err ignored;
    if (!device_is_gpu(a->device->slug) || a->device != b->device ||
        device_find_gpu(a->device->slug, a->lane->gpu, &one, &ignored) != 0 ||
        device_find_gpu(b->device->slug, b->lane->gpu, &other, &ignored) != 0 ||
        strcmp(one.uuid, other.uuid) != 0)
        return 0;
    return err_set(err, ERR_INPUT, "device.%s.gpu: `%s` and `%s` are the same GPU",
                   a->device->slug, a->lane->gpu, b->lane->gpu);
}

/* One that we may not use would fail every job that its lane is given, at once and in a row. */
static int check_there(const struct piece *piece, struct err *err)
{
    cpu_set_t ours;
    CPU_ZERO(&ours);
    if (sched_getaffinity(0, sizeof ours, &ours) != 0)
        return err_errno(err, ERR_HOST, errno, "ask for our processors");
    for (size_t i = 0; i < piece->lane->cpu_count; i++)
        if (!CPU_ISSET(piece->lane->cpus[i], &ours))
            return err_set(err, ERR_INPUT,
                           "device.%s.cpus: processor %u is not there, or not for us",
                           piece->device->slug, piece->lane->cpus[i]);
    return 0;
}

int lanes_check(const struct host *host, unsigned (*core_of)(unsigned cpu), struct err *err)
{
    struct piece pieces[HOST_DEVICES_MAX * HOST_LANES_MAX];
    size_t count = 0;
    for (size_t d = 0; d < host->device_count; d++)
        for (size_t l = 0; l < host->devices[d].lane_count; l++)
            pieces[count++] = (struct piece){&host->devices[d], &host->devices[d].lanes[l]};
    for (size_t i = 0; i < count; i++)
        if (check_there(&pieces[i], err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (check_cores(&pieces[i], &pieces[j], core_of, err) != 0 ||
                check_gpus(&pieces[i], &pieces[j], err) != 0)
                return -1;
    return 0;
}
