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

int code_listing_launched(const struct code_listing *all, const struct code_listing *launched,
                          struct code_listing *out)
{
    static const enum code_fact of_launch[] = {CODE_DYNAMIC_SHARED, CODE_THREADS, CODE_BLOCKS,
                                               CODE_LAUNCHES, CODE_WARPS};
    struct code_listing made = {calloc(launched->count + 1, sizeof *made.kernels),
                                launched->count};
    if (made.kernels == NULL)
        return -1;
    for (size_t i = 0; i < launched->count; i++) {
        struct machine_code *code = &made.kernels[i];
        *code = launched->kernels[i];
        for (size_t j = 0; j < all->count; j++)
            if (all->kernels[j].key == launched->kernels[i].key)
                *code = all->kernels[j];
        for (size_t f = 0; f < sizeof of_launch / sizeof of_launch[0]; f++)
            code->facts[of_launch[f]] = launched->kernels[i].facts[of_launch[f]];
    }
    *out = made;
    return 0;
}
