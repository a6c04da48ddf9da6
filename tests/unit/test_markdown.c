/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text in Markdown: nothing of it may become a cell, a tag, a link or a mention. */
#include "publish/markdown.h"

#include "base/scan.h"
#include "tests/tap.h"
#include "tests/unit/mutate.h"
#include "tests/unit/render.h"

#include <ctype.h>

static const char *const hostile[] = {
    "plain",
    "a|b", "|", "||a||", "a\\|b", "\\", "\\\\|", "a\\",
    "`a|b`", "`", "``", "``` a", "a ` b `` c", " a ", "`|`",
    "<script>alert(1)</script>", "<b>x</b>", "<!-- x", "-->", "<img src=x onerror=y>",
    "&lt;b&gt;", "&amp;", "&#60;", "&copy;", "a & b",
    "@octocat", "cc @org/team!", "a@b.example", "mailto:a@b.example", "xmpp:a@b.example",
    "#12", "owner/repo#34", "GH-56", "gh-7", "owner/repo@1a2b3c4d5e6f",
    "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678", "see 1a2b3c4 there", "deadbeef",
    "https://evil.example/x", "http://a", "ftp://x.example", "www.evil.example", "WWW.evil.example",
    "_www.evil.example", "(www.evil.example)", "*www.evil.example*", "~www.evil.example",
    "_http://evil.example", "x_1a2b3c4d5e", "(#12)", "_GH-12",
    "[x](https://evil.example)", "![x](https://evil.example/x.png)", "[x]: https://evil.example",
    "[x][y]", "[^1]", "- [ ] task",
    "*bold*", "**bold**", "_em_", "__em__", "a_b_c", "~~gone~~", "~x~",
    "# heading", "#hash", "- item", "+ item", "* item", "1. item", "12) item", "> quote", "    code",
    "---", "===", "***", "___", "-", "| --- | --- |", ":-- | --:",
    "$x^2$", "$$x$$", "$`x`$", ":smile:", ":+1:", "a:100:b", "file.cu:12:5: error: x",
    "line\none", "line\r\ntwo", "line\rthree", "a\n\n# b", "a\n| b | c |\n", "tab\there", "x  \ny",
    "bidi \xe2\x80\xae!", "\xe2\x81\xa6x\xe2\x81\xa9", "zero\xe2\x80\x8bwidth",
    "bad \xff utf8", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "ok \xe2\x82\xac",
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07x", "bell\x07", "\x7f", "\x01\x02",
    "::error::x", "##[error]x", "${{ github.token }}", "<details><summary>x", "</td></tr></table>",
    "\"quoted\" 'single'", "emoji \xf0\x9f\x98\x80", "a <https://evil.example> b", "<a@b.example>",
};
enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

/* What a reader is to see: the characters, white space folded, as HTML has them. */
static void expected_html(const char *text, struct buf *out)
{
    BUF_AUTO line;
    buf_init(&line, 1 << 20);
    bool space = false;
    const char *at = text, *end = text + strlen(text);
    for (uint32_t c; (c = scan_next(&at, end)) != SCAN_END;) {
        if (scan_is_space(c)) {
            space = line.len > 0;
            continue;
        }
        if (space)
            buf_addc(&line, ' ');
        space = false;
        scan_put(&line, c);
    }
    for (size_t i = 0; i < line.len; i++) {
        char c = line.data[i];
        const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;"
                             : c == '"' ? "&quot;" : NULL;
        if (entity != NULL)
            buf_adds(out, entity);
        else
            buf_addc(out, c);
    }
}

/* Copy without U+200B. */
static void strip_nothing(const char *html, struct buf *out)
{
    for (; *html != '\0'; html++) {
        if (strncmp(html, "\xe2\x80\x8b", 3) == 0)
            html += 2;
        else
            buf_addc(out, *html);
    }
}

static void strip_tag(struct buf *text, const char *tag)
{
    BUF_AUTO kept;
    buf_init(&kept, 1 << 20);
    for (const char *at = text->data; *at != '\0';) {
        if (strncmp(at, tag, strlen(tag)) == 0)
            at += strlen(tag);
        else
            buf_addc(&kept, *at++);
    }
    buf_clear(text);
    buf_add(text, kept.data, kept.len);
}

/* A table of three columns with `cell` in the middle gives exactly that cell. */
static bool in_table(const char *text, bool code)
{
    BUF_AUTO markdown, html, seen, want;
    buf_init(&markdown, 1 << 20);
    buf_init(&html, 1 << 20);
    buf_init(&seen, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_adds(&markdown, "| a | b | c |\n| --- | --- | --- |\n| x | ");
    if (code)
        markdown_code(&markdown, text);
    else
        markdown_text(&markdown, text);
    buf_adds(&markdown, " | y |\n\nafter\n");
    if (!render(markdown.data, markdown.len, &html))
        return false;
    strip_nothing(html.data, &seen);
    strip_tag(&seen, "<code>");
    strip_tag(&seen, "</code>");
    buf_adds(&want, "<td>x</td>\n<td>");
    expected_html(text, &want);
    buf_adds(&want, "</td>\n<td>y</td>\n");
    bool ok = strstr(seen.data, want.data) != NULL && render_count(seen.data, "<td>") == 3 &&
              render_count(seen.data, "<tr>") == 2 && strstr(seen.data, "<p>after</p>") != NULL;
    if (!ok)
        printf("# text %s\n# markdown %s\n# html %s\n# want %s\n", text, markdown.data, seen.data,
               want.data);
    return ok;
}

static bool in_paragraph(const char *text, bool code)
{
    BUF_AUTO markdown, html, seen, want;
    buf_init(&markdown, 1 << 20);
    buf_init(&html, 1 << 20);
    buf_init(&seen, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_adds(&markdown, "before\n\n");
    if (code)
        markdown_code(&markdown, text);
    else
        markdown_text(&markdown, text);
    buf_adds(&markdown, "\n\nafter\n");
    if (!render(markdown.data, markdown.len, &html))
        return false;
    strip_nothing(html.data, &seen);
    strip_tag(&seen, "<code>");
    strip_tag(&seen, "</code>");
    BUF_AUTO inner;
    buf_init(&inner, 1 << 20);
    expected_html(text, &inner);
    buf_addf(&want, "<p>before</p>\n%s%s%s<p>after</p>\n", inner.len > 0 ? "<p>" : "",
             inner.data, inner.len > 0 ? "</p>\n" : "");
    bool ok = strcmp(seen.data, want.data) == 0;
    if (!ok)
        printf("# text %s\n# markdown %s\n# html %s\n# want %s\n", text, markdown.data, seen.data,
               want.data);
    return ok;
}

static bool in_fence(const char *text, size_t len, size_t max)
{
    BUF_AUTO markdown, html;
    buf_init(&markdown, 1 << 20);
    buf_init(&html, 1 << 22);
    buf_adds(&markdown, "before");
    markdown_fenced(&markdown, text, len, max);
    buf_adds(&markdown, "\nafter\n");
    if (!render(markdown.data, markdown.len, &html))
        return false;
    const char *body = strstr(html.data, "<pre><code class=\"language-text\">");
    const char *tail = strstr(html.data, "</code></pre>\n<p>after</p>\n");
    bool ok = strncmp(html.data, "<p>before</p>\n<pre>", 19) == 0 && body != NULL &&
              tail != NULL && strlen(tail) == strlen("</code></pre>\n<p>after</p>\n") &&
              render_count(html.data, "<pre>") == 1 && render_count(html.data, "<a ") == 0;
    if (!ok)
        printf("# text %.300s\n# markdown %.600s\n# html %.600s\n", text, markdown.data, html.data);
    return ok;
}

/* GitHub's own filters run on the text of the rendered page: none may find anything. */
static bool looks_like_reference(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool start = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        size_t hex = strspn(at, "0123456789abcdef");
        if (start && *at == '@' && isalnum((unsigned char)at[1]))
            return true;
        if (*at == '#' && isdigit((unsigned char)at[1]))
            return true;
        if (start && hex >= 7 && !isalnum((unsigned char)at[hex]) && at[hex] != '_')
            return true;
        if (strncmp(at, "://", 3) == 0 || (start && strncmp(at, "www.", 4) == 0))
            return true;
        if (start && (*at == 'G' || *at == 'g') && (at[1] == 'H' || at[1] == 'h') &&
            at[2] == '-' && isdigit((unsigned char)at[3]))
            return true;
    }
    return false;
}

static void test_bytes(void)
{
    BUF_AUTO out;
    buf_init(&out, 4096);
    tap_case("bytes");
    markdown_text(&out, "b1_h4 | @me #12 <b>");
    EQ_STR(out.data, "b1\\_h4 \\| @\xe2\x80\x8bme \\#\xe2\x80\x8b" "12 &lt;b&gt;");
    buf_clear(&out);
    markdown_code(&out, "a`b|c");
    EQ_STR(out.data, "``a`b``&#124;`c`");
    buf_clear(&out);
    markdown_code(&out, "");
    EQ_STR(out.data, "");
    markdown_fenced(&out, "one\ntwo\nthree\n", 14, 11);
    EQ_STR(out.data, "```text\n[… the first 4 bytes are left out]\ntwo\nthree\n```\n");
    buf_clear(&out);
    markdown_fenced(&out, "a\n````\n", 7, 100);
    EQ_STR(out.data, "`````text\na\n````\n`````\n");
    buf_clear(&out);
    markdown_fenced(&out, "", 0, 100);
    EQ_STR(out.data, "```text\n```\n");

    tap_case("a buffer that is full");
    BUF_AUTO tiny;
    buf_init(&tiny, 5);
    markdown_text(&tiny, "more than five bytes");
    OK(tiny.failed);
}

/* What stands as code is no reference, and of foreign text only hashes do. */
static void strip_hashes(struct buf *text)
{
    BUF_AUTO kept;
    buf_init(&kept, 1 << 20);
    for (const char *at = text->data; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            buf_addc(&kept, *at++);
        } else if (*at == '`') {
            size_t hex = strspn(at + 1, "0123456789abcdefABCDEF");
            if (OK(hex >= 7 && hex <= 64 && at[hex + 1] == '`'))
                at += hex + 1;
            continue;
        }
        buf_addc(&kept, *at);
    }
    buf_clear(text);
    buf_add(text, kept.data, kept.len);
}

static void test_copied(void)
{
    static const char *const own[] = {
        "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678", "1a2b3c4d5e", "ci/ratchet.conf",
        "kernels/attention_sm90.cu:12", "baselines/nvidia-h200/baseline.json", "+4.12%",
        "[+3.92, +4.32]", "712.3 us", "1234567890", "a-b_c.d/e", "b1_h4_s256_d64",
    };
    tap_case("hashes, paths and numbers are copied as they are");
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        BUF_AUTO out;
        buf_init(&out, 1 << 16);
        markdown_text(&out, own[i]);
        if (!OK(strstr(out.data, "\xe2\x80\x8b") == NULL))
            printf("# %s\n", out.data);
    }
}

static void test_references(void)
{
    tap_case("nothing that GitHub links");
    for (size_t i = 0; i < HOSTILE; i++) {
        BUF_AUTO out;
        buf_init(&out, 1 << 16);
        markdown_text(&out, hostile[i]);
        strip_tag(&out, "&#36;"); /* a dollar sign, no number */
        strip_hashes(&out);
        if (!OK(!looks_like_reference(out.data)))
            printf("# %s\n", out.data);
        OK(strstr(out.data, "-->") == NULL && strchr(out.data, '\n') == NULL);
    }
}

static void test_rendered(void)
{
    tap_case("rendered by cmark-gfm");
    if (!render_available()) {
        tap_skip("cmark-gfm is not installed: NOTHING WAS RENDERED");
        return;
    }
    for (size_t i = 0; i < HOSTILE; i++) {
        OK(in_table(hostile[i], false));
        OK(in_table(hostile[i], true));
        OK(in_paragraph(hostile[i], false));
        OK(in_paragraph(hostile[i], true));
        OK(in_fence(hostile[i], strlen(hostile[i]), 1000));
    }
    tap_case("very long");
    static char text[100001];
    memset(text, '`', 100000);
    OK(in_fence(text, 100000, 5000));
    memset(text, '\xff', 100000);
    OK(in_fence(text, 100000, 5000));
    for (size_t i = 0; i < 100000; i++)
        text[i] = "a|`<@#\n\\ "[i % 9];
    OK(in_fence(text, 100000, 5000));
    text[20000] = '\0';
    OK(in_table(text, false));

    tap_case("random texts");
    unsigned wrong = 0;
    for (int i = 0; i < 200; i++) {
        size_t len = (size_t)snprintf(text, 4000, "%s %s %s", hostile[mutate_below(HOSTILE)],
                                      hostile[mutate_below(HOSTILE)],
                                      hostile[mutate_below(HOSTILE)]);
        len = mutate(text, len, 4000);
        text[len] = '\0';
        wrong += !in_table(text, i % 2 == 0) || !in_fence(text, strlen(text), 50);
    }
    EQ_INT(wrong, 0);
}

static void test_fence_size(void)
{
    tap_case("a fence keeps its promise");
    static char text[200000];
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = kind == 0 ? '\xff' : kind == 1 ? '`' : "x\n\xe2\x82\xac"[i % 5];
        BUF_AUTO out;
        buf_init(&out, 1 << 20);
        markdown_fenced(&out, text, sizeof text, 6000);
        OK(!out.failed && out.len <= 6000 + 200 && out.len > 5000);
    }
}

int main(void)
{
    test_bytes();
    test_references();
    test_copied();
    test_fence_size();
    test_rendered();
    return tap_done();
}
