/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text on its way into a comment: as a reader of GitHub sees it, it is the same text, and
 * nothing in it is a tag, a cell, a link, a mention or a reference. tests/unit/test_markdown.c asks
 * cmark-gfm; this knows the syntax that the escapers may write, and no other passes. */
#include "tests/fuzz/fuzz.h"

#include "publish/markdown.h"
#include "base/scan.h"

#include <ctype.h>
#include <strings.h>

#define NOTHING "\xe2\x80\x8b" /* U+200B, of no width */

enum { TEXT_BYTES = 8 << 20 };

/* What a reader is to see: white space of any length is one space, none at either end. */
static void to_be_seen(const char *text, struct buf *out)
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

/* Does GitHub make a link of what begins at `at`? It looks at the text of the rendered page. */
static bool is_live(const char *text, const char *at)
{
    bool start = at == text || !isalnum((unsigned char)at[-1]);
    size_t hex = strspn(at, "0123456789abcdef");
    if (*at == '@' || *at == '#')
        return *at == '@' ? isalnum((unsigned char)at[1]) : isdigit((unsigned char)at[1]);
    if (strncmp(at, "://", 3) == 0)
        return true;
    return start &&
           ((hex >= 7 && hex <= 40 && !isalnum((unsigned char)at[hex]) && at[hex] != '_') ||
            strncasecmp(at, "www.", 4) == 0 ||
            (strncasecmp(at, "gh-", 3) == 0 && isdigit((unsigned char)at[3])));
}

/* A hash as code, which GitHub leaves alone, as if it had something of no width every three letters. */
static const char *render_hash(const char *at, struct buf *out)
{
    size_t hex = strspn(at + 1, "0123456789abcdefABCDEF");
    HOLDS(hex >= 7 && hex <= 64 && at[hex + 1] == '`');
    for (size_t i = 0; i < hex; i++)
        buf_addf(out, "%s%c", i % 3 == 1 ? NOTHING : "", at[1 + i]);
    return at + hex + 2;
}

/* Undoes the escapes of a paragraph's text; whatever else has a meaning there does not hold. */
static void render_text(const struct buf *markdown, struct buf *out)
{
    static const struct {
        const char *entity;
        char character;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&#36;", '$'}};
    for (const char *at = markdown->data; *at != '\0';) {
        size_t i = 0, count = sizeof entities / sizeof entities[0];
        while (i < count && strncmp(at, entities[i].entity, strlen(entities[i].entity)) != 0)
            i++;
        if (i < count) {
            buf_addc(out, entities[i].character);
            at += strlen(entities[i].entity);
            continue;
        }
        if (*at == '`') {
            at = render_hash(at, out);
            continue;
        }
        bool escaped = *at == '\\';
        at += escaped;
        HOLDS(escaped ? ispunct((unsigned char)*at) != 0
                      : strchr("\\`*_[]<>&$|~#\n", *at) == NULL);
        buf_addc(out, *at++);
    }
}

static void without_nothing(const struct buf *text, struct buf *out)
{
    for (const char *at = text->data; *at != '\0';) {
        bool nothing = strncmp(at, NOTHING, 3) == 0;
        if (!nothing)
            buf_addc(out, *at);
        at += nothing ? 3 : 1;
    }
}

static void text(const char *foreign, const struct buf *want)
{
    BUF_AUTO markdown, rendered, seen;
    buf_init(&markdown, TEXT_BYTES);
    buf_init(&rendered, TEXT_BYTES);
    buf_init(&seen, TEXT_BYTES);
    markdown_text(&markdown, foreign);
    HOLDS(!markdown.failed);
    const char *first = markdown.data;
    size_t digits = strspn(first, "0123456789");
    HOLDS(*first == '\0' || strchr("+-=", *first) == NULL);
    HOLDS(digits == 0 || (first[digits] != '.' && first[digits] != ')'));
    render_text(&markdown, &rendered);
    for (const char *at = rendered.data; *at != '\0'; at++)
        HOLDS(!is_live(rendered.data, at));
    without_nothing(&rendered, &seen);
    HOLDS(fuzz_same(&seen, want));
}

static size_t run_of(const char *at, char c)
{
    size_t run = 0;
    while (at[run] == c)
        run++;
    return run;
}

/* One code span; returns what is behind it. */
static const char *render_span(const char *at, struct buf *out)
{
    size_t fence = run_of(at, '`'), len = 0;
    HOLDS(fence > 0);
    at += fence;
    while (at[len] != '\0') {
        size_t run = run_of(at + len, '`');
        if (run == fence)
            break;
        len += run > 0 ? run : 1;
    }
    HOLDS(len > 0 && at[len] == '`');
    bool padded = len > 2 && at[0] == ' ' && at[len - 1] == ' ' && strspn(at, " ") < len;
    buf_add(out, at + padded, len - (padded ? 2 : 0));
    return at + len + fence;
}

static void code(const char *foreign, const struct buf *want)
{
    static const char bar[] = "&#124;";
    BUF_AUTO markdown, seen;
    buf_init(&markdown, TEXT_BYTES);
    buf_init(&seen, TEXT_BYTES);
    markdown_code(&markdown, foreign);
    HOLDS(!markdown.failed && strpbrk(markdown.data, "|\n") == NULL);
    for (const char *at = markdown.data; *at != '\0';) {
        if (strncmp(at, bar, sizeof bar - 1) == 0) {
            buf_addc(&seen, '|');
            at += sizeof bar - 1;
        } else {
            at = render_span(at, &seen);
        }
    }
    HOLDS(fuzz_same(&seen, want));
}

static bool is_fence(const char *line, size_t len, size_t fence)
{
    size_t indent = strspn(line, " ");
    size_t run = run_of(line + indent, '`');
    return indent < 4 && run >= fence &&
           indent + run + strspn(line + indent + run, " \t") >= len;
}

/* One block from the first line to the last, of a size that was asked for. */
static void fenced(const char *foreign, size_t size, size_t max)
{
    BUF_AUTO markdown;
    buf_init(&markdown, TEXT_BYTES);
    markdown_fenced(&markdown, foreign, size, max);
    size_t fence = run_of(markdown.data, '`');
    HOLDS(!markdown.failed && markdown.len <= max + 200);
    HOLDS(fence >= 3 && strncmp(markdown.data + fence, "text\n", 5) == 0);
    const char *end = markdown.data + markdown.len;
    HOLDS(strlen(markdown.data) == markdown.len && end[-1] == '\n');
    for (const char *line = markdown.data + fence + 5; line < end;) {
        size_t len = strcspn(line, "\n");
        HOLDS(is_fence(line, len, fence) == (line + len + 1 == end));
        line += len + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *foreign = fuzz_text(data, size);
    BUF_AUTO want;
    buf_init(&want, TEXT_BYTES);
    to_be_seen(foreign, &want);
    text(foreign, &want);
    code(foreign, &want);
    fenced(foreign, size, 1 << 20);
    fenced(foreign, size, 50);
    free(foreign);
    return 0;
}
