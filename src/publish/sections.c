/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where a section of a shared comment begins and ends, and what goes where it gets too long. */
#include "publish/sections.h"

#include <string.h>

static const char cut_note[] = "\nThe folded parts are left out here: the run has them.\n";

/* What a section keeps of its text. */
enum keep { KEEP_ALL, KEEP_UNFOLDED, KEEP_HEADING };

struct text {
    const char *at;
    size_t len;
};

/* The next line without its end; 0 at the end of the text. */
static bool next_line(struct text *rest, struct text *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->at, '\n', rest->len);
    size_t whole = end == NULL ? rest->len : (size_t)(end - rest->at) + 1;
    *line = (struct text){rest->at, whole - (end != NULL)};
    if (line->len > 0 && line->at[line->len - 1] == '\r')
        line->len--;
    rest->at += whole;
    rest->len -= whole;
    return true;
}

static bool is_line(struct text line, const char *text)
{
    return line.len == strlen(text) && memcmp(line.at, text, line.len) == 0;
}

/* A line that is the same up to the `=`, and then a slug. */
static bool is_marker(struct text line, const char *marker)
{
    static const char tail[] = " -->";
    static const char slug[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t family = strcspn(marker, "="), end = sizeof tail - 1;
    if (marker[family] == '\0')
        return is_line(line, marker);
    family++;
    if (line.len <= family + end || memcmp(line.at, marker, family) != 0 ||
        memcmp(line.at + line.len - end, tail, end) != 0)
        return false;
    for (size_t i = family; i < line.len - end; i++)
        if (memchr(slug, line.at[i], sizeof slug - 1) == NULL)
            return false;
    return true;
}

bool sections_are(const char *text, size_t len, const char *marker)
{
    struct text rest = {text, len}, line;
    return next_line(&rest, &line) && is_marker(line, marker);
}

static bool any_line(const char *text, size_t len, const char *marker, bool own)
{
    struct text rest = {text, len}, line;
    while (next_line(&rest, &line))
        if (is_marker(line, marker) && is_line(line, marker) == own)
            return true;
    return false;
}

bool sections_have(const char *text, size_t len, const char *marker)
{
    return any_line(text, len, marker, true);
}

bool sections_have_others(const char *text, size_t len, const char *marker)
{
    return any_line(text, len, marker, false);
}

/* The next section, its marker included: *own where it is `marker`'s. */
static bool next_section(struct text *rest, const char *marker, struct text *section,
                         bool *own)
{
    struct text line, after = *rest;
    if (!next_line(&after, &line))
        return false;
    *own = is_line(line, marker);
    for (struct text at = after; next_line(&at, &line); after = at)
        if (is_marker(line, marker))
            break;
    *section = (struct text){rest->at, rest->len - after.len};
    *rest = after;
    return true;
}

/* Backticks that the line begins with. */
static size_t fence(struct text line)
{
    size_t count = 0;
    while (count < line.len && line.at[count] == '`')
        count++;
    return count;
}

/* A folded part begins here, and not within a fence, where it would be somebody's output. */
static bool is_folded(struct text line, size_t *open)
{
    size_t ticks = fence(line);
    if (*open > 0) {
        if (ticks >= *open && ticks == line.len)
            *open = 0;
        return false;
    }
    if (ticks >= 3)
        *open = ticks;
    return line.len >= 8 && memcmp(line.at, "<details", 8) == 0;
}

static void add_section(struct text section, enum keep keep, struct buf *out)
{
    static const char heading[] = "### ";
    struct text rest = section, line;
    size_t open = 0, kept = section.len;
    while (keep != KEEP_ALL && kept == section.len && next_line(&rest, &line)) {
        if (is_folded(line, &open))
            kept = (size_t)(line.at - section.at);
        else if (keep == KEEP_HEADING && line.len > 4 && memcmp(line.at, heading, 4) == 0)
            kept = section.len - rest.len;
    }
    buf_add(out, section.at, kept);
    if (kept < section.len)
        buf_adds(out, cut_note);
}

/* The body as a section: no line of it but the first is a marker. */
static void quote_markers(struct text body, const char *marker, struct buf *out)
{
    struct text rest = body, line;
    for (bool first = true; next_line(&rest, &line); first = false) {
        if (!first && is_marker(line, marker))
            buf_addc(out, ' ');
        buf_add(out, line.at, (size_t)(rest.at - line.at));
    }
}

static void add_gap(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    if (out->len > 0)
        buf_adds(out, "\n\n");
}

static void put_all(struct text old, const char *marker, struct text body, enum keep others,
                    enum keep mine, struct buf *out)
{
    struct text section;
    bool own, placed = false;
    while (next_section(&old, marker, &section, &own)) {
        if (own && placed)
            continue;
        add_gap(out);
        add_section(own ? body : section, own ? mine : others, out);
        placed = placed || own;
    }
    if (placed)
        return;
    add_gap(out);
    add_section(body, mine, out);
}

int sections_put(const char *old, size_t old_len, const char *marker, const char *body,
                 size_t len, struct buf *out, struct err *err)
{
    static const struct {
        enum keep others, mine;
    } ways[] = {{KEEP_ALL, KEEP_ALL},
                {KEEP_UNFOLDED, KEEP_ALL},
                {KEEP_UNFOLDED, KEEP_UNFOLDED},
                {KEEP_HEADING, KEEP_UNFOLDED}};
    BUF_AUTO quoted;
    buf_init(&quoted, len + out->max);
    quote_markers((struct text){body, len}, marker, &quoted);
    if (buf_check(&quoted, "a comment's section", err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        BUF_AUTO whole;
        buf_init(&whole, out->max);
        put_all((struct text){old, old_len}, marker, (struct text){quoted.data, quoted.len},
                ways[i].others, ways[i].mine, &whole);
        if (!whole.failed || whole.no_memory) {
            buf_note_loss(out, &whole);
            buf_add(out, whole.data, whole.len);
            return buf_check(out, "the comment", err);
        }
    }
    return err_set(err, ERR_LIMIT, "the comment is longer than %zu bytes", out->max);
}
