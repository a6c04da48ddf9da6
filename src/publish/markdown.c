/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the escaping of foreign text for GitHub's Markdown. GitHub makes mentions, references,
 * commit links and emoji of the *rendered* text, where a backslash is gone: only a character
 * of no width inside them stops that. Code is left alone by it, so a commit's hash, which people
 * copy, is written as code. */
#include "publish/markdown.h"

#include "base/scan.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ZERO_WIDTH_SPACE "\xe2\x80\x8b"

enum { BACKTICKS_MAX = 32 }; /* in a row, inside a fence: longer rows are broken up */

/* One line: white space of any length is one space, none at either end. */
static void one_line(struct buf *out, const char *text)
{
    const char *at = text, *end = text + strlen(text);
    bool space = false;
    for (uint32_t c; (c = scan_next(&at, end)) != SCAN_END;) {
        if (scan_is_space(c)) {
            space = out->len > 0;
            continue;
        }
        if (space)
            buf_addc(out, ' ');
        space = false;
        scan_put(out, c);
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Length of a commit's hash, full or short, at the start of a word, or 0. */
static size_t hash_length(const char *word)
{
    size_t hex = strspn(word, "0123456789abcdefABCDEF");
    return hex >= 7 && hex <= 64 && !is_word(word[hex]) ? hex : 0;
}

/* `www.` or `GH-12` at the start of a word? */
static bool is_linked_word(const char *word)
{
    return strncasecmp(word, "www.", 4) == 0 ||
           (strncasecmp(word, "gh-", 3) == 0 && isdigit((unsigned char)word[3]));
}

/* `:name:` from the first colon on? */
static bool is_emoji(const char *colon)
{
    const char *at = colon + 1;
    while (is_word(*at) || *at == '+' || *at == '-')
        at++;
    return at > colon + 1 && *at == ':';
}

/* Must the character be followed by something of no width? */
static bool needs_break(const char *at)
{
    switch (at[0]) {
    case '@':
        return is_word(at[1]) || at[1] == '-';
    case '#':
        return isdigit((unsigned char)at[1]);
    case ':':
        return strncmp(at, "://", 3) == 0 || is_emoji(at);
    default:
        return false;
    }
}

static void escape_character(struct buf *out, const char *at, bool first)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'$', "&#36;"}};
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        if (*at == entities[i].character) {
            buf_adds(out, entities[i].entity); /* `$`: GitHub sets mathematics */
            return;
        }
    }
    if (strchr("\\`*_[]#~|", *at) != NULL || (first && strchr("+-=", *at) != NULL))
        buf_addc(out, '\\');
    buf_addc(out, *at);
    if (needs_break(at))
        buf_adds(out, ZERO_WIDTH_SPACE);
}

void markdown_text(struct buf *out, const char *text)
{
    BUF_AUTO line;
    buf_init(&line, out->max);
    one_line(&line, text);
    out->failed = out->failed || line.failed;
    buf_note_loss(out, &line);
    const char *start = line.data;
    size_t number = strspn(start, "0123456789"); /* `1.` at the start makes a list */
    size_t word = 0;
    for (size_t i = 0; i < line.len; i++) {
        const char *at = start + i;
        if (is_word(*at) && (i == 0 || !isalnum((unsigned char)at[-1]))) {
            size_t hash = hash_length(at);
            word = i;
            if (hash > 0) {
                buf_addf(out, "`%.*s`", (int)hash, at);
                i += hash - 1;
                continue;
            }
        }
        if (i == word + 2 && is_linked_word(start + word))
            buf_adds(out, ZERO_WIDTH_SPACE);
        if (number > 0 && i == number && (*at == '.' || *at == ')'))
            buf_addc(out, '\\');
        escape_character(out, at, i == 0);
    }
}

static size_t longest_run(const char *text, size_t len, char c)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < len; i++) {
        run = text[i] == c ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void add_run(struct buf *out, char c, size_t count)
{
    for (; count > 0; count--)
        buf_addc(out, c);
}

static void code_span(struct buf *out, const char *text, size_t len)
{
    if (len == 0)
        return;
    size_t fence = 1;
    while (true) { /* the shortest row of backticks that does not occur inside */
        bool used = false;
        for (size_t i = 0; i < len && !used;) {
            size_t run = 0;
            while (i + run < len && text[i + run] == '`')
                run++;
            used = run == fence;
            i += run > 0 ? run : 1;
        }
        if (!used)
            break;
        fence++;
    }
    bool pad = text[0] == '`' || text[len - 1] == '`' ||
               (len > 1 && text[0] == ' ' && text[len - 1] == ' '); /* one space alone stays */
    add_run(out, '`', fence);
    buf_adds(out, pad ? " " : "");
    buf_add(out, text, len);
    buf_adds(out, pad ? " " : "");
    add_run(out, '`', fence);
}

void markdown_code(struct buf *out, const char *text)
{
    BUF_AUTO line;
    buf_init(&line, out->max);
    one_line(&line, text);
    out->failed = out->failed || line.failed;
    buf_note_loss(out, &line);
    /* A table is split at `|` before code is looked for, and a backslash before it is shown
     * where there is no table: so a bar stands between two spans, as an entity. */
    for (const char *at = line.data;;) {
        size_t len = strcspn(at, "|");
        code_span(out, at, len);
        at += len;
        if (*at == '\0')
            return;
        buf_adds(out, "&#124;");
        at++;
    }
}

/* `text` cleaned; rows of backticks are broken up so that the fence stays short. */
static void clean_lines(struct buf *out, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    size_t run = 0;
    for (uint32_t c; (c = scan_next(&at, end)) != SCAN_END;) {
        run = c == '`' ? run + 1 : 0;
        if (run > BACKTICKS_MAX) {
            buf_adds(out, ZERO_WIDTH_SPACE);
            run = 1;
        }
        scan_put(out, c);
    }
}

/* Where the last `max` bytes begin: at the start of a line, or at least of a character. */
static size_t tail_start(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return 0;
    size_t start = len - max;
    const char *newline = memchr(text + start - 1, '\n', max);
    if (newline != NULL && newline + 1 < text + len)
        return (size_t)(newline + 1 - text);
    while (start < len && ((unsigned char)text[start] & 0xc0) == 0x80)
        start++;
    return start;
}

void markdown_fenced(struct buf *out, const char *text, size_t len, size_t max_bytes)
{
    /* Cleaning can only make three bytes of one, so the tail of the text is enough. */
    size_t from = tail_start(text, len, max_bytes);
    BUF_AUTO clean;
    buf_init(&clean, 3 * max_bytes + 64);
    clean_lines(&clean, text + from, len - from);
    size_t cut = tail_start(clean.data, clean.len, max_bytes);
    const char *shown = clean.data + cut;
    size_t shown_len = clean.len - cut;

    buf_note_loss(out, &clean);
    size_t fence = longest_run(shown, shown_len, '`') + 1;
    if (fence < 3)
        fence = 3;
    if (out->len > 0 && out->data[out->len - 1] != '\n')
        buf_addc(out, '\n');
    add_run(out, '`', fence);
    buf_adds(out, "text\n");
    if (from + cut > 0)
        buf_addf(out, "[… the first %zu bytes are left out]\n", from + cut);
    buf_add(out, shown, shown_len);
    if (shown_len > 0 && shown[shown_len - 1] != '\n')
        buf_addc(out, '\n');
    add_run(out, '`', fence);
    buf_addc(out, '\n');
}
