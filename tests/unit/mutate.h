/* SPDX-License-Identifier: Apache-2.0 */
/* Random edits of a text, the same on every run: flipped bytes, cut, doubled and swapped
 * pieces, and words that parsers trip over. For "whatever comes in, it does not crash". */
#ifndef RATCHET_TESTS_MUTATE_H
#define RATCHET_TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint64_t mutate_state = 42;

static inline size_t mutate_below(size_t bound)
{
    mutate_state = mutate_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return bound == 0 ? 0 : (size_t)(mutate_state >> 33) % bound;
}

/* Replace `cut` bytes at `at` by `with`. Returns the new length. */
static inline size_t mutate_splice(char *text, size_t len, size_t max, size_t at, size_t cut,
                                   const char *with, size_t with_len)
{
    if (at > len)
        at = len;
    if (cut > len - at)
        cut = len - at;
    if (len - cut + with_len > max)
        return len;
    memmove(text + at + with_len, text + at + cut, len - at - cut);
    memcpy(text + at, with, with_len);
    return len - cut + with_len;
}

/* A few edits of text[len] within text[max]. Returns the new length. */
static inline size_t mutate(char *text, size_t len, size_t max)
{
    static const char *const words[] = {"\"", "[", "]", "{", "}", "null", "-1", "1e999", "\\u0000",
                                        "\\", "\n", "%", "[x \"y\"]\n", "=", ";", "\xff", "\xc3",
                                        "18446744073709551616", "..", "true", ",", "include"};
    for (size_t edits = 1 + mutate_below(4); edits > 0; edits--) {
        size_t at = mutate_below(len + 1);
        const char *word = words[mutate_below(sizeof words / sizeof words[0])];
        char piece[64];
        size_t from = mutate_below(len + 1);
        size_t size = mutate_below(sizeof piece);
        if (size > len - from)
            size = len - from;
        memcpy(piece, text + from, size);
        switch (mutate_below(5)) {
        case 0: /* another byte */
            piece[0] = (char)mutate_below(256);
            len = mutate_splice(text, len, max, at, 1, piece, 1);
            break;
        case 1: /* a piece less */
            len = mutate_splice(text, len, max, at, mutate_below(40), "", 0);
            break;
        case 2: /* a piece of it once more, elsewhere */
            len = mutate_splice(text, len, max, at, 0, piece, size);
            break;
        case 3: /* a nasty word over something */
            len = mutate_splice(text, len, max, at, mutate_below(12), word, strlen(word));
            break;
        default: /* cut short */
            if (mutate_below(8) == 0)
                len = at;
        }
    }
    return len;
}

#endif
