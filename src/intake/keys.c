/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the walk over a configuration file by a table, and the table's print. Does not know what a
 * key means. */
#include "intake/keys.h"

#include "base/buf.h"
#include "base/git.h"
#include "base/near.h"
#include "intake/cut.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WHERE_BYTES = 512, LIST_BYTES = 900, SUBSECTION_BYTES = 256 };

struct reading {
    const struct keys_table *table;
    const char *name;
    int (*open)(void *context, unsigned section, const char *subsection,
                struct keys_target *out, struct err *err);
    void *context;
};

/* "a, b, c" of what is allowed, for a message. */
static void list_sections(const struct keys_table *table, struct buf *out)
{
    for (size_t i = 0; i < table->section_count; i++)
        buf_addf(out, "%s%s", i == 0 ? "" : ", ", table->sections[i].name);
}

static void list_keys(const struct keys_table *table, unsigned section, struct buf *out)
{
    for (size_t i = 0; i < table->key_count; i++)
        if (table->keys[i].section == section)
            buf_addf(out, "%s%s", out->len == 0 ? "" : ", ", table->keys[i].name);
}

static int open_section(const struct reading *reading, const char *section,
                        const char *subsection, unsigned *index, struct keys_target *out,
                        struct err *err)
{
    const struct keys_table *table = reading->table;
    char meant[NEAR_TEXT_BYTES];
    unsigned i = 0;
    while (i < table->section_count && strcmp(table->sections[i].name, section) != 0)
        i++;
    if (i == table->section_count) {
        BUF_AUTO list;
        buf_init(&list, LIST_BYTES);
        list_sections(table, &list);
        struct near near = {.word = section, .len = strlen(section)};
        for (size_t s = 0; s < table->section_count; s++)
            near_offer(&near, table->sections[s].name);
        return err_set(err, ERR_INPUT, "%s: unknown section `%.60s`; allowed: %s%s",
                       reading->name, section, list.data, near_text(&near, "", meant));
    }
    const char *of = table->sections[i].of;
    if (of == NULL && subsection[0] != '\0')
        return err_set(err, ERR_INPUT, "%s: [%s \"%.60s\"]: expected [%s] alone",
                       reading->name, section, subsection, section);
    if (of != NULL && subsection[0] == '\0')
        return err_set(err, ERR_INPUT, "%s: [%s]: expected a %s, as in [%s \"%s\"]",
                       reading->name, section, of, section, of);
    *index = i;
    return reading->open(reading->context, i, subsection, out, err);
}

int keys_read_one(const struct keys_table *table, unsigned section, const char *subsection,
                  const char *name, const char *value, struct keys_target *target,
                  const char *file, struct err *err)
{
    const char *section_name = table->sections[section].name;
    char where[WHERE_BYTES], meant[NEAR_TEXT_BYTES];
    struct near near = {.word = name, .len = strlen(name)};
    snprintf(where, sizeof where, "%.200s: %s%s%.63s.%.63s", file, section_name,
             subsection[0] == '\0' ? "" : ".", subsection, name);
    for (size_t i = 0; i < table->key_count; i++) {
        const struct key *key = &table->keys[i];
        if (key->section == section)
            near_offer(&near, key->name);
        if (key->section != section || strcmp(key->name, name) != 0)
            continue;
        keys_seen bit = (keys_seen)1 << i;
        if (!key->repeat && (*target->seen & bit) != 0)
            return err_set(err, ERR_INPUT, "%s: stands twice, expected once", where);
        *target->seen |= bit;
        return key->type->read(target->target, key, value, where, err);
    }
    BUF_AUTO list;
    buf_init(&list, LIST_BYTES);
    list_keys(table, section, &list);
    return err_set(err, ERR_INPUT, "%s: unknown key; allowed in [%s]: %s%s", where,
                   section_name, list.data, near_text(&near, "", meant));
}

static int read_entry(void *context, const char *section, const char *subsection,
                      const char *name, const char *value, struct err *err)
{
    const struct reading *reading = context;
    struct keys_target target = {0};
    unsigned index = 0;
    if (open_section(reading, section, subsection, &index, &target, err) != 0)
        return -1;
    return keys_read_one(reading->table, index, subsection, name, value, &target,
                         reading->name, err);
}

/* ---- section headers ----
 * libgit2 tells of keys only: a section without any, such as a bare [device "cpu"], would be
 * lost in silence. The text is known to parse by now, so this can be simple. */

/* `section "sub"` behind a `[`; false where it is neither. */
static bool read_header(const char *at, const char *end, char section[64],
                        char subsection[SUBSECTION_BYTES])
{
    size_t len = 0;
    section[0] = subsection[0] = '\0';
    for (; at < end && (isalnum((unsigned char)*at) || *at == '-' || *at == '.'); at++) {
        if (len + 1 >= 64)
            return false;
        section[len++] = (char)tolower((unsigned char)*at);
    }
    section[len] = '\0';
    char *dot = strchr(section, '.'); /* the old way of writing [section "sub"] */
    if (dot != NULL) {
        *dot = '\0';
        memcpy(subsection, dot + 1, strlen(dot + 1) + 1);
    }
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end || *at != '"')
        return len > 0;
    len = 0;
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        if (len + 1 >= SUBSECTION_BYTES)
            return false;
        subsection[len++] = *at;
    }
    subsection[len] = '\0';
    return true;
}

static int open_headers(const struct reading *reading, const char *text, size_t len,
                        struct err *err)
{
    const char *end = text + len;
    bool continued = false; /* the line before ended in a backslash */
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        const char *at = line;
        while (at < stop && isspace((unsigned char)*at))
            at++;
        char section[64], subsection[SUBSECTION_BYTES];
        struct keys_target target = {0};
        unsigned index = 0;
        if (!continued && at < stop && *at == '[' &&
            read_header(at + 1, stop, section, subsection) &&
            open_section(reading, section, subsection, &index, &target, err) != 0)
            return -1;
        const char *last = stop > line && stop[-1] == '\r' ? stop - 1 : stop;
        continued = last > line && last[-1] == '\\';
        line = stop < end ? stop + 1 : end;
    }
    return 0;
}

int keys_read(const struct keys_table *table, const char *text, size_t len, const char *name,
              int (*open)(void *context, unsigned section, const char *subsection,
                          struct keys_target *out, struct err *err),
              void *context, struct err *err)
{
    struct reading reading = {table, name, open, context};
    if (git_read_config(text, len, name, read_entry, &reading, err) != 0 ||
        cut_refuse(table, text, len, name, err) != 0)
        return -1;
    return open_headers(&reading, text, len, err);
}

int keys_require(const struct keys_table *table, unsigned section, const char *subsection,
                 keys_seen seen, const char *name, struct err *err)
{
    for (size_t i = 0; i < table->key_count; i++) {
        const struct key *key = &table->keys[i];
        if (key->section == section && key->required && (seen & ((keys_seen)1 << i)) == 0)
            return err_set(err, ERR_INPUT, "%s: %s%s%.63s.%s: missing", name,
                           table->sections[section].name, subsection[0] == '\0' ? "" : ".",
                           subsection, key->name);
    }
    return 0;
}

int keys_initial(const struct keys_table *table, unsigned section, void *target,
                 keys_seen seen, struct err *err)
{
    for (size_t i = 0; i < table->key_count; i++) {
        const struct key *key = &table->keys[i];
        if (key->section != section || key->initial == NULL ||
            (seen & ((keys_seen)1 << i)) != 0)
            continue;
        if (key->type->read(target, key, key->initial, key->name, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the table for people ---- */

static void add_default(const struct key *key, struct buf *out)
{
    if (key->required)
        buf_adds(out, "required");
    else if (key->initial != NULL)
        buf_adds(out, key->initial);
    else if (key->otherwise != NULL)
        buf_addf(out, "(%s)", key->otherwise);
    else
        key->type->show(key, out);
}

static void add_key(const struct key *key, struct buf *out)
{
    BUF_AUTO text;
    buf_init(&text, LIST_BYTES);
    add_default(key, &text);
    buf_addf(out, "    %-20s  %-30s  %s", key->name, text.data, key->type->name);
    buf_clear(&text);
    if (key->type->range != NULL)
        key->type->range(key, &text);
    buf_addf(out, "%s%s%s\n        %s\n", text.len > 0 ? ", " : "", text.data,
             key->repeat ? "; repeatable" : "", key->help);
}

void keys_help(const struct keys_table *table, struct buf *out)
{
    for (unsigned section = 0; section < table->section_count; section++) {
        const struct keys_section *of = &table->sections[section];
        if (of->of == NULL)
            buf_addf(out, "[%s]\n", of->name);
        else
            buf_addf(out, "[%s \"%s\"]\n", of->name, of->of);
        for (size_t i = 0; i < table->key_count; i++)
            if (table->keys[i].section == section)
                add_key(&table->keys[i], out);
    }
}
