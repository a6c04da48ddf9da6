/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what of a comment is a word to us. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

bool command_is_run(const char *body, char sha[MODEL_SHA_BYTES])
{
    enum { WORDS = sizeof COMMAND_RUN - 1, DIGITS = MODEL_SHA_BYTES - 1 };
    sha[0] = '\0';
    if (strncmp(body, COMMAND_RUN, WORDS) != 0 ||
        (body[WORDS] != '\0' && strchr(" \t\r\n", body[WORDS]) == NULL))
        return false;
    const char *commit = body + WORDS + strspn(body + WORDS, " \t");
    size_t digits = strspn(commit, "0123456789abcdef");
    const char *rest = commit + digits + strspn(commit + digits, " \t\r");
    if (digits == DIGITS && (*rest == '\0' || *rest == '\n')) {
        memcpy(sha, commit, DIGITS);
        sha[DIGITS] = '\0';
    }
    return true;
}

bool command_names_pull(const char *name, int *pr, char sha[MODEL_SHA_BYTES])
{
    enum { WORDS = sizeof COMMAND_RUN - 1, NUMBER_DIGITS = 9, DIGITS = MODEL_SHA_BYTES - 1 };
    sha[0] = '\0';
    if (strncmp(name, COMMAND_RUN " ", WORDS + 1) != 0)
        return false;
    const char *number = name + WORDS + 1 + (name[WORDS + 1] == '#');
    size_t len = strspn(number, "0123456789");
    const char *rest = number + len;
    if (len == 0 || len > NUMBER_DIGITS || number[0] == '0')
        return false;
    *pr = (int)strtol(number, NULL, 10);
    if (*rest == '\0')
        return true;
    if (*rest != ' ' || strspn(rest + 1, "0123456789abcdef") != DIGITS ||
        rest[1 + DIGITS] != '\0')
        return false;
    memcpy(sha, rest + 1, DIGITS + 1);
    return true;
}
