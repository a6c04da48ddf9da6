/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the syntax of single configuration values. Does not know what they are for. Numbers
 * are read digit by digit: strtod would follow the locale, accept `0x1p-3`, `inf` and leading
 * spaces, and strtoull would accept `-1`. */
#include "intake/values.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* So much of a foreign value stands in a message. */
#define SHOWN "`%.60s%s`"
#define SHOW(text) (text), strlen(text) > 60 ? "…" : ""

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits from *text on into *out; false where there is none, or more than 64 bits hold. */
static bool read_digits(const char **text, uint64_t *out)
{
    const char *at = *text;
    uint64_t value = 0;
    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *text = at;
    *out = value;
    return true;
}

/* A decimal such as `12` or `0.05` from *text on. At most 15 digits, so that the digits and
 * the power of ten are exact doubles and one division gives the nearest double: `3%` and
 * `0.03` are then the very same number, with `more_places` 2 and 0. */
static bool read_decimal(const char **text, unsigned more_places, double *out)
{
    const char *at = *text;
    uint64_t digits = 0;
    unsigned count = 0, places = 0;
    if (!is_digit(*at))
        return false;
    for (bool point = false;; at++) {
        if (*at == '.' && !point && is_digit(at[1])) {
            point = true;
            continue;
        }
        if (!is_digit(*at))
            break;
        digits = digits * 10 + (unsigned)(*at - '0');
        if (++count > 15)
            return false;
        places += point;
    }
    double power = 1;
    for (unsigned i = 0; i < places + more_places; i++)
        power *= 10;
    *text = at;
    *out = (double)digits / power;
    return true;
}

int value_int(const char *text, long long min, long long max, const char *where,
              long long *out, struct err *err)
{
    const char *at = text;
    bool negative = *at == '-';
    if (negative)
        at++;
    uint64_t digits = 0;
    bool ok = read_digits(&at, &digits) && *at == '\0' && digits <= (uint64_t)INT64_MAX;
    long long value = negative ? -(long long)digits : (long long)digits;
    if (!ok || value < min || value > max)
        return err_set(err, ERR_INPUT,
                       "%s: expected a whole number from %lld to %lld, not " SHOWN, where, min,
                       max, SHOW(text));
    *out = value;
    return 0;
}

int value_size(const char *text, unsigned long long *out, const char *where, struct err *err)
{
    static const char suffixes[] = "kmg";
    const char *at = text;
    uint64_t value = 0;
    bool ok = read_digits(&at, &value);
    const char *suffix = *at == '\0' ? NULL : strchr(suffixes, *at | 0x20);
    if (ok && suffix != NULL) {
        unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
        ok = value <= (UINT64_MAX >> shift);
        value = ok ? value << shift : 0;
        at++;
    }
    if (!ok || *at != '\0')
        return err_set(err, ERR_INPUT,
                       "%s: expected a whole number, perhaps with k, m or g, not " SHOWN,
                       where, SHOW(text));
    *out = value;
    return 0;
}

int value_ratio(const char *text, double min, double max, const char *where, double *out,
                struct err *err)
{
    size_t len = strlen(text);
    bool percent = len > 0 && text[len - 1] == '%';
    const char *at = text;
    double value = 0;
    bool ok = read_decimal(&at, percent ? 2 : 0, &value) && at == text + len - percent;
    if (!ok || value < min || value > max)
        return err_set(err, ERR_INPUT,
                       "%s: expected a percentage between %g%% and %g%%, not " SHOWN, where,
                       100 * min, 100 * max, SHOW(text));
    *out = value;
    return 0;
}

static const struct unit {
    const char *name;
    double ns;
} units[] = {{"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};

enum { UNIT_COUNT = sizeof units / sizeof units[0] };

void value_duration_text(double ns, char *out, size_t size)
{
    size_t i = 0;
    while (i + 1 < UNIT_COUNT && (ns < units[i].ns || fmod(ns, units[i].ns) != 0))
        i++;
    snprintf(out, size, "%g%s", ns / units[i].ns, ns > 0 ? units[i].name : "s");
}

int value_duration_ns(const char *text, double min, double max, const char *where, double *out,
                      struct err *err)
{
    const char *at = text;
    double value = -1;
    if (read_decimal(&at, 0, &value)) {
        double number = value;
        value = -1;
        for (size_t i = 0; i < UNIT_COUNT; i++)
            if (strcmp(at, units[i].name) == 0)
                value = number * units[i].ns;
        if (number == 0 && *at == '\0')
            value = 0; /* nought needs no unit */
    }
    if (!(value >= min && value <= max)) {
        char low[40], high[40];
        value_duration_text(min, low, sizeof low);
        value_duration_text(max, high, sizeof high);
        return err_set(err, ERR_INPUT,
                       "%s: expected a time with its unit (ns, us, ms, s, m, h) between %s "
                       "and %s, not " SHOWN,
                       where, low, high, SHOW(text));
    }
    *out = value;
    return 0;
}

int value_bool(const char *text, const char *where, bool *out, struct err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},   {"1", true},
                 {"false", false}, {"no", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "%s: expected true or false, not " SHOWN, where,
                   SHOW(text));
}

bool value_is_tree_path(const char *path)
{
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\')
            return false;
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        if (len == 0 || (len == 1 && at[0] == '.') ||
            (len == 2 && strncmp(at, "..", 2) == 0) ||
            (len == 4 && strncasecmp(at, ".git", 4) == 0))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
}
