/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where a comment begins in a value of git's syntax. */
#include "intake/cut.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct scan {
    const char *at, *end;
    size_t line;
};

static char now(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static void skip_blanks(struct scan *scan)
{
    while (now(scan) == ' ' || now(scan) == '\t')
        scan->at++;
}

static void skip_line(struct scan *scan)
{
    while (scan->at < scan->end && *scan->at != '\n')
        scan->at++;
    scan->line += now(scan) == '\n';
    scan->at += scan->at < scan->end;
}

/* A header, whose subsection may hold anything within quotes; a key may follow on its line. */
static void skip_header(struct scan *scan)
{
    bool quoted = false;
    for (; scan->at < scan->end && *scan->at != '\n'; scan->at++) {
        if (*scan->at == '\\' && scan->at + 1 < scan->end)
            scan->at++;
        else if (*scan->at == '"')
            quoted = !quoted;
        else if (*scan->at == ']' && !quoted)
            break;
    }
    scan->at += now(scan) == ']';
}

/* Up to where the value ends: the comment that ends it, or '\0' where none does. */
static char skip_value(struct scan *scan)
{
    bool quoted = false;
    char before = ' ', comment = '\0';
    for (; scan->at < scan->end && *scan->at != '\n'; scan->at++) {
        char c = *scan->at;
        if (c == '\\' && scan->at + 1 < scan->end) {
            scan->at++;
            bool carriage = *scan->at == '\r' && scan->at + 1 < scan->end;
            scan->at += carriage && scan->at[1] == '\n';
            scan->line += *scan->at == '\n';
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ';' || (c == '#' && !isspace((unsigned char)before)))) {
            comment = c;
            break;
        } else if (!quoted && c == '#') {
            break;
        }
        before = c;
    }
    return comment;
}

static bool is_shell(const struct keys_table *table, const char *name, size_t len)
{
    for (size_t i = 0; i < table->key_count; i++)
        if (table->keys[i].type == &key_shell && strlen(table->keys[i].name) == len &&
            strncasecmp(table->keys[i].name, name, len) == 0)
            return true;
    return false;
}

int cut_refuse(const struct keys_table *table, const char *text, size_t len, const char *name,
               struct err *err)
{
    struct scan scan = {text, text + len, 1};
    while (scan.at < scan.end) {
        skip_blanks(&scan);
        if (now(&scan) == '[') {
            skip_header(&scan);
            continue;
        }
        const char *key = scan.at;
        while (isalnum((unsigned char)now(&scan)) || now(&scan) == '-')
            scan.at++;
        size_t key_len = (size_t)(scan.at - key), line = scan.line;
        skip_blanks(&scan);
        char comment = now(&scan) == '=' ? skip_value(&scan) : '\0';
        if (comment != '\0' && is_shell(table, key, key_len))
            return err_set(err, ERR_INPUT,
                           "%s:%zu: %.*s: what follows `%c` is a comment: put the value in "
                           "double quotes",
                           name, line, (int)key_len, key, comment);
        skip_line(&scan);
    }
    return 0;
}
