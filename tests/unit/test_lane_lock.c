/* SPDX-License-Identifier: Apache-2.0 */
/* Real locks: a descriptor opened anew is another holder, in one process too. */
#include "tests/tap.h"

#include "base/file.h"
#include "measure/machine.h"
#include "pipeline/lane_lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct host host;
static struct err err;

static void set_lane(size_t i, unsigned first, size_t count)
{
    struct host_device *device = &host.devices[0];
    device->lanes[i] = (struct host_lane){.cpu_count = count};
    for (size_t c = 0; c < count; c++)
        device->lanes[i].cpus[c] = first + (unsigned)c;
    snprintf(device->lanes[i].name, sizeof device->lanes[i].name, "%u", first);
}

/* Processors that no machine has: each is a physical core of its own. */
static void make_host(const char *folder)
{
    snprintf(host.lock_dir, sizeof host.lock_dir, "%s", folder);
    host.device_count = 1;
    host.devices[0] = (struct host_device){.slug = "cpu", .lane_count = 2};
    set_lane(0, 900, 2);
    set_lane(1, 910, 2);
}

static int try_lane(const struct host_lane *lane, struct lane_lock *lock)
{
    err = (struct err){0};
    return lane_lock_try(&host, &host.devices[0], lane, NULL, lock, &err);
}

static void pinned(void)
{
    const struct host_lane *lanes = host.devices[0].lanes;
    struct lane_lock one = LANE_LOCK_NONE, other = LANE_LOCK_NONE, again = LANE_LOCK_NONE;
    tap_case("lanes of other cores are held beside one another");
    OK(lane_lock_free(&host, &host.devices[0]) == &lanes[0]);
    OK(try_lane(&lanes[0], &one) == 0);
    EQ_INT(one.core_count, 2);
    OK(try_lane(&lanes[0], &again) == -1 && err.class == ERR_CONFLICT);
    HAS(err.text, "ratchet-cpu-900.lock` is held by process");
    OK(lane_lock_free(&host, &host.devices[0]) == &lanes[1]);
    OK(try_lane(&lanes[1], &other) == 0);
    OK(lane_lock_free(&host, &host.devices[0]) == &lanes[0]); /* none is */

    tap_case("a list that shares a core with a lane waits for it, and holds nothing");
    struct host_lane across = {.cpus = {899, 911}, .cpu_count = 2};
    OK(try_lane(&across, &again) == -1 && err.class == ERR_CONFLICT);
    HAS(err.text, "ratchet-cpu-911.lock");
    struct host_lane beside = {.cpus = {899}, .cpu_count = 1};
    OK(try_lane(&beside, &again) == 0);
    lane_lock_drop(&again);
    lane_lock_drop(&one);
    lane_lock_drop(&other);
}

static void unpinned(void)
{
    const struct host_lane *lanes = host.devices[0].lanes;
    const struct host_lane any = {.cpu_count = 0};
    struct lane_lock one = LANE_LOCK_NONE, alone = LANE_LOCK_NONE, next = LANE_LOCK_NONE;
    tap_case("who is not pinned has the CPU alone, and gets its turn");
    OK(try_lane(&lanes[0], &one) == 0);
    OK(try_lane(&any, &alone) == -1 && err.class == ERR_CONFLICT);
    HAS(err.text, "ratchet-cpu.lock` is held by process"); /* it is only shared: named all the same */
    OK(try_lane(&lanes[1], &next) == -1 && err.class == ERR_CONFLICT); /* waits behind it */
    HAS(err.text, "ratchet-cpu-turn.lock");
    lane_lock_drop(&one);
    OK(try_lane(&any, &alone) == 0);
    OK(try_lane(&lanes[1], &next) == -1);
    HAS(err.text, "ratchet-cpu.lock");
    lane_lock_drop(&alone);
    OK(try_lane(&lanes[1], &next) == 0);
    lane_lock_drop(&next);
    OK(try_lane(&any, &alone) == 0);
    lane_lock_drop(&alone);

    tap_case("who gives up waiting gives its turn back");
    OK(try_lane(&lanes[0], &one) == 0);
    OK(try_lane(&any, &alone) == -1);
    lane_lock_drop(&alone);
    OK(try_lane(&lanes[1], &next) == 0);
    lane_lock_drop(&next);
    lane_lock_drop(&one);
}

static void gpus(void)
{
    const struct host_device device = {.slug = "nvidia-h200", .lane_count = 1};
    struct gpu first = {.id = "0123456789abcdef"}, second = {.id = "fedcba9876543210"};
    struct lane_lock one = LANE_LOCK_NONE, other = LANE_LOCK_NONE, again = LANE_LOCK_NONE;
    tap_case("a GPU is held by its own name");
    OK(lane_lock_try(&host, &device, &device.lanes[0], &first, &one, &err) == 0);
    OK(lane_lock_try(&host, &device, &device.lanes[0], &second, &other, &err) == 0);
    OK(lane_lock_try(&host, &device, &device.lanes[0], &first, &again, &err) == -1);
    HAS(err.text, "ratchet-gpu-0123456789abcdef.lock");
    lane_lock_drop(&one);
    lane_lock_drop(&other);
}

/* Two processors a core: 0 and 1, 2 and 3. */
static unsigned in_pairs(unsigned cpu)
{
    return cpu / 2 * 2;
}

static void siblings(void)
{
    tap_case("a processor that is not there, and two lanes that share a physical core");
    OK(lanes_check(&host, machine_core_of, &err) == -1);
    EQ_STR(err.text, "device.cpu.cpus: processor 900 is not there, or not for us");
    set_lane(0, 0, 1);
    set_lane(1, 1, 1);
    OK(lanes_check(&host, in_pairs, &err) == -1 && err.class == ERR_INPUT);
    EQ_STR(err.text, "device.cpu.cpus: processor 1 is of the same physical core as 0, which is "
                     "another lane's");
    set_lane(0, 900, 2);
    EQ_INT(lane_cores(&host.devices[0].lanes[0]), 2);
    EQ_INT(machine_core_of(900), 900);
    EQ_INT(machine_core_of(0), 0);
}

int main(void)
{
    char folder[] = "/tmp/ratchet-lanes-XXXXXX";
    if (mkdtemp(folder) == NULL)
        return 1;
    make_host(folder);
    pinned();
    unpinned();
    gpus();
    siblings();
    OK(file_remove_tree(folder, &err) == 0);
    return tap_done();
}
