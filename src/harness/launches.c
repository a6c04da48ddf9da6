/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the answer to which kernels an arm launches. Nothing is timed. */
#include "harness/state.h"
#include "harness/voice.h"

/* Printable ASCII without blanks: a name is a library's own text. */
static void clean(char *name)
{
    for (; *name != '\0'; name++)
        if (*name <= 0x20 || *name >= 0x7f)
            *name = '?';
}

int command_launches(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    struct device_launches launches;
    if (harness->ops->launches == NULL)
        return err_set(err, ERR_INPUT, "this device launches no kernels");
    if (words->count != 1 || harness->sets.q_count == 0 ||
        !words_arm(harness, words, 0, &arm) || !harness->prepared[arm])
        return bad_command(err);
    int result = launch_look(harness, arm, &launches, err);
    if (result != 0)
        return result < 0 ? -1 : 0;
    voice_say("launches %s %zu", arm_name(arm), launches.count);
    for (size_t i = 0; i < launches.count; i++) {
        struct device_launch *launch = &launches.launches[i];
        clean(launch->name);
        voice_say("launched %s %llu %llu %llu %llu %s", arm_name(arm), launch->threads,
                  launch->blocks, launch->shared, launch->warps, launch->name);
    }
    return 0;
}
