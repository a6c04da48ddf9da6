/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text on its way to the Actions runner, read as the runner reads it: a log line gives no
 * command, a command gives exactly its title and text, an output exactly its value. */
#include "tests/fuzz/fuzz.h"

#include "base/file.h"
#include "publish/actions.h"
#include "publish/annotations.h"
#include "base/scan.h"

enum { TEXT_BYTES = 1 << 20 };

static void log_line(const char *text, size_t size)
{
    BUF_AUTO out;
    buf_init(&out, 8 * size + 64);
    actions_log_line(&out, text, size);
    HOLDS(!out.failed && out.len > 0);
    HOLDS(memchr(out.data, '\n', out.len) == out.data + out.len - 1);
    HOLDS(strlen(out.data) == out.len && strstr(out.data, "##[") == NULL);
    const char *at = out.data, *end = out.data + out.len, *start;
    uint32_t character;
    do { /* the runner trims the line before it looks */
        start = at;
        character = scan_next(&at, end);
    } while (character != SCAN_END && scan_is_space(character));
    HOLDS(strncmp(start, "::", 2) != 0);
    /* Nothing is left that would be left out: but for what breaks `::` and `##[`. */
    for (const char *c = out.data; c < end - 1; c++)
        HOLDS((unsigned char)*c >= 0x20 || *c == '\t');
    HOLDS(strchr(out.data, 0x7f) == NULL);
}

/* Takes GitHub's escapes off `len` bytes. */
static void unescape(const char *text, size_t len, struct buf *out)
{
    static const struct {
        const char *escape;
        char character;
    } escapes[] = {{"%0D", '\r'}, {"%0A", '\n'}, {"%3A", ':'}, {"%2C", ','}, {"%25", '%'}};
    for (const char *at = text; at < text + len;) {
        size_t i = 0, count = sizeof escapes / sizeof escapes[0];
        while (i < count && strncmp(at, escapes[i].escape, 3) != 0)
            i++;
        buf_addc(out, i < count ? escapes[i].character : *at);
        at += i < count ? 3 : 1;
    }
}

/* The characters of `text` that a command may hold: those worth showing, and '\r'. */
static void allowed(const char *text, struct buf *out)
{
    const char *end = text + strlen(text);
    while (text < end) {
        uint32_t character = *text == '\r' ? (unsigned char)*text++ : scan_next(&text, end);
        if (character != SCAN_END)
            scan_put(out, character);
    }
}

static void command(const char *title, const char *text)
{
    BUF_AUTO out, seen, want;
    buf_init(&out, TEXT_BYTES);
    buf_init(&seen, TEXT_BYTES);
    buf_init(&want, TEXT_BYTES);
    actions_command(&out, "warning", title, text);
    HOLDS(!out.failed && memchr(out.data, '\n', out.len) == out.data + out.len - 1);
    HOLDS(strchr(out.data, '\r') == NULL);
    static const char titled[] = "::warning title=", plain[] = "::warning::";
    const char *end = out.data + out.len - 1, *body;
    if (strncmp(out.data, titled, sizeof titled - 1) == 0) {
        const char *value = out.data + sizeof titled - 1;
        body = strstr(value, "::");
        HOLDS(body != NULL && memchr(value, ',', (size_t)(body - value)) == NULL);
        unescape(value, (size_t)(body - value), &seen);
        allowed(title, &want);
        HOLDS(fuzz_same(&seen, &want));
        body += 2;
    } else {
        HOLDS(title[0] == '\0' && strncmp(out.data, plain, sizeof plain - 1) == 0);
        body = out.data + sizeof plain - 1;
    }
    buf_clear(&seen);
    buf_clear(&want);
    unescape(body, (size_t)(end - body), &seen);
    allowed(text, &want);
    HOLDS(fuzz_same(&seen, &want));
}

/* The value of a property, up to `end`, is `want` and ends where it seems to. */
static void property(const char *value, const char *end, const char *want)
{
    BUF_AUTO seen;
    buf_init(&seen, TEXT_BYTES);
    HOLDS(end != NULL && memchr(value, ':', (size_t)(end - value)) == NULL &&
          memchr(value, ',', (size_t)(end - value)) == NULL);
    unescape(value, (size_t)(end - value), &seen);
    HOLDS(seen.len == strlen(want) && memcmp(seen.data, want, seen.len) == 0);
}

/* Whatever a compiler says, a place lies in the tree, is one command, and can be said again. */
static void places(const char *text)
{
    static const char start[] = "::error file=";
    struct annotation found, again;
    while (annotation_next(&text, &found)) {
        BUF_AUTO out, line;
        buf_init(&out, TEXT_BYTES);
        buf_init(&line, TEXT_BYTES);
        HOLDS(found.path[0] != '/' && found.line > 0 && found.text[0] != '\0');
        HOLDS(strcmp(found.path, "..") != 0 && strncmp(found.path, "../", 3) != 0 &&
              strstr(found.path, "/../") == NULL);
        actions_error_at(&out, found.path, found.line, found.column, found.text);
        HOLDS(!out.failed && memchr(out.data, '\n', out.len) == out.data + out.len - 1);
        HOLDS(strncmp(out.data, start, sizeof start - 1) == 0);
        property(out.data + sizeof start - 1, strstr(out.data, ",line="), found.path);
        annotation_put(&line, &found);
        const char *at = line.data;
        HOLDS(annotation_next(&at, &again) && again.line == found.line &&
              again.column == found.column && strcmp(again.path, found.path) == 0 &&
              strcmp(again.text, found.text) == 0);
    }
}

/* `name<<delimiter`, the value, the delimiter: once, and nothing behind it. */
static void output(const char *value)
{
    struct fuzz_file file = fuzz_file("", 0);
    struct err err;
    BUF_AUTO text;
    buf_init(&text, TEXT_BYTES);
    HOLDS(actions_output(file.path, "verdict", value, &err) == 0);
    HOLDS(file_read(file.path, &text, &err) == 0);
    close(file.fd);
    static const char start[] = "verdict<<";
    HOLDS(strncmp(text.data, start, sizeof start - 1) == 0);
    const char *delimiter = text.data + sizeof start - 1;
    size_t len = strcspn(delimiter, "\n");
    const char *line = delimiter + len + 1;
    const char *first = line;
    while (strncmp(line, delimiter, len + 1) != 0) {
        line = strchr(line, '\n');
        HOLDS(line != NULL);
        line++;
    }
    HOLDS(line > first && line + len + 1 == text.data + text.len);
    HOLDS((size_t)(line - first) == strlen(value) + 1 &&
          memcmp(first, value, strlen(value)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    log_line(text, size);
    char *half = text + size / 2; /* of one input a title and a text */
    char *title = fuzz_text(data, size / 2);
    command(title, half);
    command("", text);
    output(text);
    places(text);
    free(title);
    free(text);
    return 0;
}
