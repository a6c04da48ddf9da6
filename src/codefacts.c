/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words of facts of machine code. */
#include "codefacts.h"

#include <stdlib.h>

static const struct {
    const char *key, *words;
} rows[CODE_FACTS] = {
#define CODE_FACT_ROW(name, key, words) [CODE_##name] = {key, words},
    CODE_FACT_TABLE(CODE_FACT_ROW)
#undef CODE_FACT_ROW
};

const char *code_fact_key(enum code_fact fact)
{
    return rows[fact].key;
}

const char *code_fact_words(enum code_fact fact)
{
    return rows[fact].words;
}

struct machine_code machine_code_none(void)
{
    struct machine_code none = {.name = ""};
    for (int fact = 0; fact < CODE_FACTS; fact++)
        none.facts[fact] = -1;
    return none;
}

void code_listing_free(struct code_listing *listing)
{
    free(listing->kernels);
    *listing = (struct code_listing){0};
}
