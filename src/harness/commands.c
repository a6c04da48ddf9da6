/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of commands: finds the one a line names, runs it under the watchdog, and says
 * what went wrong. The commands themselves stand by stage in setup.c, forward.c and timing.c. */
#include "harness/commands.h"

#include "harness/state.h"
#include "harness/voice.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
    const char *word;
    int (*run)(struct harness *harness, const struct words *words, struct err *err);
} commands[] = {
    {"open", command_open},         {"load", command_load},
    {"config", command_config},     {"prepare", command_prepare},
    {"allocate", command_allocate}, {"forward", command_forward},
    {"rows", command_rows},         {"bits", command_bits},
    {"fill", command_fill},         {"calibrate", command_calibrate},
    {"stage", command_stage},       {"turn", command_turn},
    {"compare", command_compare},   {"trace", command_trace},
    {"launches", command_launches}, {"release", command_release},
};

int harness_open(const struct device_ops *ops, struct harness **out, struct err *err)
{
    struct harness *harness = calloc(1, sizeof *harness);
    if (harness == NULL)
        return err_set(err, ERR_HOST, "no memory for the harness");
    harness->ops = ops;
    harness->ran = ARM_COUNT;
    if (getcwd(harness->folder, sizeof harness->folder) == NULL) {
        free(harness);
        return err_set(err, ERR_HOST, "cannot tell the working folder");
    }
    *out = harness;
    return 0;
}

void harness_close(struct harness *harness)
{
    forget_config(harness);
    if (harness->device != NULL)
        harness->ops->close(harness->device);
    free(harness);
}

static void run(struct harness *harness, const char *word, const struct words *words)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].word) != 0)
            continue;
        struct err err = {0};
        voice_watchdog(harness->watchdog_ms);
        if (commands[i].run(harness, words, &err) != 0)
            voice_say("failed %s: %.*s", word, WIRE_TEXT_BYTES - 32, err.text);
        voice_watchdog(0);
        voice_flush();
        return;
    }
    voice_say("failed unknown command");
    voice_flush();
}

bool harness_obey(struct harness *harness, char line[WIRE_LINE_BYTES])
{
    char *at[WIRE_WORDS_MAX];
    size_t count = 0;
    char *save;
    for (char *word = strtok_r(line, " ", &save); word != NULL && count < WIRE_WORDS_MAX;
         word = strtok_r(NULL, " ", &save))
        at[count++] = word;
    if (count == 1 && strcmp(at[0], "quit") == 0)
        return false;
    const struct words words = {at + 1, count > 0 ? count - 1 : 0};
    run(harness, count > 0 ? at[0] : "", &words);
    return true;
}
