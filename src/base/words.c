/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how words are written down and read again. */
#include "base/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void words_put(struct buf *out, const char *word)
{
    buf_add(out, word, strlen(word) + 1);
}

void words_put_number(struct buf *out, unsigned long long number)
{
    buf_addf(out, "%llu", number);
    buf_addc(out, '\0');
}

const char *words_take(struct words *words)
{
    const char *word = words->at;
    const char *end = words->failed ? NULL : memchr(word, '\0', (size_t)(words->end - word));
    words->failed = end == NULL;
    if (words->failed)
        return "";
    words->at = end + 1;
    return word;
}

unsigned long long words_take_number(struct words *words, unsigned long long most)
{
    const char *word = words_take(words);
    errno = 0;
    unsigned long long number = strtoull(word, NULL, 10);
    if (word[0] != '\0' && word[strspn(word, "0123456789")] == '\0' && errno == 0 &&
        number <= most)
        return number;
    words->failed = true;
    return 0;
}
