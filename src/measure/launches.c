/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the list that the lines of one arm become. */
#include "measure/launches.h"

#include "measure/sass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void launches_add(struct code_listing *launches, const struct line *line)
{
    static const enum code_fact facts[] = {CODE_THREADS, CODE_BLOCKS, CODE_DYNAMIC_SHARED,
                                           CODE_WARPS};
    uint64_t key = sass_key(line->text, strlen(line->text));
    for (size_t i = 0; i < launches->count; i++)
        if (launches->kernels[i].key == key) {
            launches->kernels[i].facts[CODE_LAUNCHES]++;
            return;
        }
    if (launches->kernels == NULL)
        launches->kernels = calloc(WIRE_LAUNCHED_MAX, sizeof *launches->kernels);
    if (launches->kernels == NULL || launches->count == WIRE_LAUNCHED_MAX)
        return;
    struct machine_code *code = &launches->kernels[launches->count++];
    *code = machine_code_none();
    code->key = key;
    snprintf(code->name, sizeof code->name, "%.*s", CODE_NAME_BYTES - 1, line->text);
    code->facts[CODE_LAUNCHES] = 1;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        code->facts[facts[i]] = line->numbers[i] < CODE_FACT_MAX ? (long long)line->numbers[i]
                                                                 : CODE_FACT_MAX;
}
