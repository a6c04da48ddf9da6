/* SPDX-License-Identifier: Apache-2.0 */
/* Words that end with a NUL each, one behind the other, as they go from a process of ours to another. */
#ifndef RATCHET_BASE_WORDS_H
#define RATCHET_BASE_WORDS_H

#include "base/buf.h"

#include <stdbool.h>

void words_put(struct buf *out, const char *word);
void words_put_number(struct buf *out, unsigned long long number);

/* Whoever wrote them is not believed. Begun as {.at, .end}; what is taken borrows the bytes. Once `failed`,
 * all that is taken is "" and 0. */
struct words {
    const char *at, *end;
    bool failed;
};
const char *words_take(struct words *words);
unsigned long long words_take_number(struct words *words, unsigned long long most);

#endif
