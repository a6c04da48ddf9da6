/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which library lies in which slot. */
#include "measure/slots.h"

#include <string.h>

const enum arm slots_order[ARM_COUNT] = {
    ARM_ANCHOR,    ARM_CONTROL,   ARM_BASE,      ARM_HEAD,      ARM_OTHER,     ARM_OTHER + 1,
    ARM_OTHER + 2, ARM_OTHER + 3, ARM_OTHER + 4, ARM_OTHER + 5, ARM_OTHER + 6, ARM_OTHER + 7};
_Static_assert(ARM_OTHERS_MAX == 8, "slots_order names every arm");

static const char *library_of(const struct bench_config *config, enum arm arm)
{
    return config->library[arm == ARM_CONTROL ? ARM_ANCHOR : arm];
}

int slots_find(const struct slots *slots, const struct bench_config *config, enum arm arm)
{
    const char *path = library_of(config, arm);
    for (size_t i = 0; path != NULL && i < slots->count; i++)
        if (slots->slots[i].arm == arm && strcmp(slots->slots[i].path, path) == 0)
            return (int)i;
    return -1;
}

bool slots_take(struct slots *slots, const struct bench_config *config,
                const bool arms[ARM_COUNT])
{
    size_t before = slots->count;
    for (int i = 0; i < ARM_COUNT; i++) {
        enum arm arm = slots_order[i];
        if (!arms[arm] || slots_find(slots, config, arm) >= 0)
            continue;
        if (slots->count == WIRE_SLOTS_MAX) {
            slots->count = before;
            return false;
        }
        slots->slots[slots->count++] = (struct slot){library_of(config, arm), arm};
    }
    return true;
}
