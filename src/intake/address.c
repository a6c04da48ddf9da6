/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the check of addresses and absolute paths. Looks nothing up. */
#include "intake/address.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool has_part(const char *path, const char *part)
{
    size_t len = strlen(part);
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, part, len) == 0 && (at[len] == '/' || at[len] == '\0'))
            return true;
    }
    return false;
}

bool address_path_ok(const char *path)
{
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return path[0] == '/' && path[1] != '\0' && !has_part(path, "..");
}

/* `host` or `host:port` up to the slash or the end. Plain http would show the token to the
 * network, so it is for this machine alone. */
static bool authority_ok(const char *authority, size_t len, bool plain)
{
    static const char *const loopback[] = {"127.0.0.1", "localhost", "[::1]"};
    size_t host = len > 0 && authority[0] == '['
                      ? strspn(authority + 1, "0123456789abcdefABCDEF:") + 2
                      : strspn(authority,
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789.-");
    if (host == 0 || host > len || (authority[0] == '[' && authority[host - 1] != ']'))
        return false;
    if (host < len) {
        size_t digits = strspn(authority + host + 1, "0123456789");
        long port = strtol(authority + host + 1, NULL, 10);
        if (authority[host] != ':' || digits == 0 || host + 1 + digits != len || port < 1 ||
            port > 65535)
            return false;
    }
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        if (strlen(loopback[i]) == host && strncmp(loopback[i], authority, host) == 0)
            return true;
    return !plain;
}

const char *address_web_problem(const char *url)
{
    bool plain = strncmp(url, "http://", 7) == 0;
    if (!plain && strncmp(url, "https://", 8) != 0)
        return "expected an address that starts with https://";
    const char *authority = url + (plain ? 7 : 8);
    size_t len = strcspn(authority, "/");
    if (memchr(authority, '@', len) != NULL)
        return "expected an address without a user or password in it";
    if (strpbrk(url, "?# \\\"<>") != NULL || has_part(authority + len, ".."))
        return "expected a plain address without spaces, `?`, `#` or `..`";
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "expected an address without control characters";
    if (url[strlen(url) - 1] == '/')
        return "expected an address without a slash at its end";
    if (!authority_ok(authority, len, plain))
        return plain ? "http is for 127.0.0.1, localhost and [::1] only; expected https://"
                     : "expected a host name, perhaps with a port";
    return NULL;
}

const char *address_git_problem(const char *value)
{
    const char *path = strncmp(value, "file://", 7) == 0 ? value + 7 : value;
    if (path != value || path[0] == '/')
        return address_path_ok(path) ? NULL : "expected an absolute path without `..`";
    if (strstr(value, "://") == NULL)
        return "expected https://…, file:///… or an absolute path";
    return address_web_problem(value);
}
