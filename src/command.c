/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what of a comment is a word to us. */
#include "command.h"

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
