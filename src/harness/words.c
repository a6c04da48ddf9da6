/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how the words of a command are read. */
#include "harness/state.h"

#include <string.h>

bool words_number(const struct words *words, size_t i, uint64_t max, uint64_t *out)
{
    if (i >= words->count)
        return false;
    const char *word = words->at[i];
    size_t len = strlen(word);
    if (len == 0 || len > 20 || strspn(word, "0123456789") != len)
        return false;
    uint64_t value = 0;
    for (; *word != '\0'; word++) {
        uint64_t digit = (uint64_t)(*word - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = 10 * value + digit;
    }
    *out = value;
    return value <= max;
}

bool words_arm(const struct harness *harness, const struct words *words, size_t i,
               enum arm *out)
{
    for (int arm = 0; i < words->count && arm < ARM_COUNT; arm++) {
        if (strcmp(words->at[i], arm_name((enum arm)arm)) != 0)
            continue;
        *out = (enum arm)arm;
        return harness->configured && harness->slots[arm] >= 0;
    }
    return false;
}

int bad_command(struct err *err)
{
    return err_set(err, ERR_INPUT, "malformed, or out of place");
}
