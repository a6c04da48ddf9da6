/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the letters of names. */
#include "base/name.h"

#include <string.h>

size_t name_span(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
}

bool name_ok(const char *text, size_t size)
{
    size_t len = name_span(text);
    return len > 0 && len < size && text[len] == '\0' && text[0] != '.' && text[0] != '-';
}

static bool part_ok(const char *part, size_t len)
{
    return len > 0 && !(len == 1 && part[0] == '.') &&
           !(len == 2 && part[0] == '.' && part[1] == '.');
}

bool name_is_repository(const char *text, size_t size)
{
    size_t owner = name_span(text);
    if (text[owner] != '/')
        return false;
    const char *name = text + owner + 1;
    size_t rest = name_span(name);
    return name[rest] == '\0' && owner + 1 + rest < size && part_ok(text, owner) &&
           part_ok(name, rest);
}

bool name_is_branch(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && strncmp(text, "refs/", 5) != 0 && strpbrk(text, " ~^:?*[\\") == NULL &&
           strstr(text, "..") == NULL && strstr(text, "//") == NULL && text[0] != '/' &&
           text[0] != '-' && text[len - 1] != '/';
}

bool name_is_hex(const char *text, size_t digits)
{
    return strspn(text, "0123456789abcdef") == digits && text[digits] == '\0';
}

bool name_is_sha(const char *text)
{
    return text != NULL && name_is_hex(text, 40);
}

void name_fold(const char *text, char *out, size_t size)
{
    size_t at = 0;
    for (; at + 1 < size && text[at] != '\0'; at++)
        out[at] = (char)(text[at] >= 'A' && text[at] <= 'Z' ? text[at] - 'A' + 'a' : text[at]);
    out[at] = '\0';
}
