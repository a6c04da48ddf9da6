/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the leftovers of git look like. */
#include "base/leftover.h"

#include <stdbool.h>
#include <string.h>

enum { MARKER_BYTES = 7 };

static const char pointer[] = "version https://git-lfs.github.com/spec/";
static const char *const markers[] = {"conflict marker `<<<<<<<`", "conflict marker `=======`",
                                      "conflict marker `|||||||`",
                                      "conflict marker `>>>>>>>`"};
static const char letters[] = "<=|>";

/* Exactly seven of one letter, then a space or the end of the line. */
static bool is_marker(const char *bytes, size_t len, size_t at)
{
    for (size_t i = 1; i < MARKER_BYTES; i++)
        if (at + i >= len || bytes[at + i] != bytes[at])
            return false;
    size_t end = at + MARKER_BYTES;
    return (at == 0 || bytes[at - 1] != bytes[at]) &&
           (end == len || bytes[end] == ' ' || bytes[end] == '\n' || bytes[end] == '\r');
}

const char *leftover_find(const char *bytes, size_t len, size_t *line)
{
    *line = 1;
    if (len >= sizeof pointer - 1 && memcmp(bytes, pointer, sizeof pointer - 1) == 0)
        return "pointer of Git LFS";
    for (size_t i = 0; i < len; i++) {
        const char *letter = bytes[i] == '\0' ? NULL : strchr(letters, bytes[i]);
        bool starts = i == 0 || bytes[i - 1] == '\n';
        if (letter != NULL && (starts || bytes[i] == '<' || bytes[i] == '>') &&
            is_marker(bytes, len, i))
            return markers[letter - letters];
        *line += bytes[i] == '\n';
    }
    return NULL;
}
