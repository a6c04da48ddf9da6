/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bytes of the Actions runner's files and commands. Prints nothing. */
#include "publish/actions.h"

#include "base/file.h"
#include "base/name.h"
#include "base/scan.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { SUMMARY_MAX_BYTES = 1 << 20 }; /* one byte more, and the runner shows nothing at all */

/* Bytes that are in the file already; one that is not there has none. */
static int size_of(const char *path, size_t *out, struct err *err)
{
    struct stat info = {0};
    if (stat(path, &info) != 0 && errno != ENOENT)
        return err_errno(err, ERR_HOST, errno, "stat `%s`", path);
    *out = info.st_size > 0 ? (size_t)info.st_size : 0;
    return 0;
}

/* The longest part of `text` that ends with a line and has at most `max` bytes. */
static size_t whole_lines(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    const char *newline = max == 0 ? NULL : memrchr(text, '\n', max);
    return newline == NULL ? 0 : (size_t)(newline - text) + 1;
}

int actions_summary(const char *path, const char *markdown, size_t len, struct err *err)
{
    static const char notice[] = "> The rest is left out here: a step summary holds at most "
                                 "1 MiB. The whole report is among the run's artifacts.\n\n";
    size_t used = 0;
    if (size_of(path, &used, err) != 0)
        return -1;
    size_t room = used < SUMMARY_MAX_BYTES ? SUMMARY_MAX_BYTES - used : 0;
    if (len + 1 <= room) {
        BUF_AUTO all;
        buf_init(&all, SUMMARY_MAX_BYTES);
        buf_add(&all, markdown, len);
        if (len > 0 && markdown[len - 1] != '\n')
            buf_addc(&all, '\n');
        return buf_check(&all, "the summary", err) == 0
                   ? file_append(path, all.data, all.len, err)
                   : -1;
    }
    if (room < sizeof notice)
        return err_set(err, ERR_LIMIT, "`%s` is full: no room for the report", path);
    /* The notice goes first: behind a cut it could end up inside a code block. */
    BUF_AUTO cut;
    buf_init(&cut, SUMMARY_MAX_BYTES);
    buf_adds(&cut, notice);
    buf_add(&cut, markdown, whole_lines(markdown, len, room - cut.len));
    return buf_check(&cut, "the summary", err) == 0 ? file_append(path, cut.data, cut.len, err)
                                                    : -1;
}

/* `ghadelimiter_` and a random UUID (version 4), as GitHub's own library makes them. */
static int random_delimiter(char out[64], struct err *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return err_errno(err, ERR_HOST, errno, "get random bytes");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(
        out, 64,
        "ghadelimiter_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
        b[14], b[15]);
    return 0;
}

int actions_output(const char *path, const char *name, const char *value, struct err *err)
{
    if (!name_ok(name, 64))
        return err_set(err, ERR_INTERNAL, "`%.60s` cannot be the name of a step output", name);
    char delimiter[64];
    do { /* a value that holds the delimiter could set other outputs */
        if (random_delimiter(delimiter, err) != 0)
            return -1;
    } while (strstr(value, delimiter) != NULL);
    BUF_AUTO text;
    buf_init(&text, SUMMARY_MAX_BYTES);
    buf_addf(&text, "%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter);
    if (buf_check(&text, "a step output", err) != 0)
        return err_wrap(err, "`%s`", name);
    return file_append(path, text.data, text.len, err);
}

void actions_log_line(struct buf *out, const char *line, size_t len)
{
    static const char nothing[] = "\xe2\x80\x8b"; /* U+200B, of no width */
    BUF_AUTO clean;
    buf_init(&clean, 3 * len + 1);
    const char *at = line, *end = line + len;
    size_t blank = 0; /* bytes the runner trims before it looks for `::` */
    bool leading = true;
    for (uint32_t c; (c = scan_next(&at, end)) != SCAN_END;) {
        scan_put(&clean, c == '\n' ? ' ' : c);
        leading = leading && scan_is_space(c);
        if (leading)
            blank = clean.len;
    }
    buf_note_loss(out, &clean);
    for (size_t i = 0; i < clean.len; i++) {
        const char *here = clean.data + i;
        bool command = i == blank + 1 && strncmp(here - 1, "::", 2) == 0;
        bool legacy = i >= 2 && strncmp(here - 2, "##[", 3) == 0;
        if (command || legacy)
            buf_adds(out, nothing);
        buf_addc(out, *here);
    }
    buf_addc(out, '\n');
}

static void escape(struct buf *out, const char *text, bool property)
{
    const char *end = text + strlen(text);
    while (text < end) {
        if (*text == '\r') { /* GitHub's own library keeps it */
            buf_adds(out, "%0D");
            text++;
            continue;
        }
        uint32_t c = scan_next(&text, end);
        if (c == SCAN_END)
            return;
        if (c == '%' || c == '\n' || (property && (c == ':' || c == ',')))
            buf_addf(out, "%%%02X", c);
        else
            scan_put(out, c);
    }
}

void actions_command(struct buf *out, const char *level, const char *title, const char *text)
{
    buf_addf(out, "::%s", level);
    if (title != NULL && title[0] != '\0') {
        buf_adds(out, " title=");
        escape(out, title, true);
    }
    buf_adds(out, "::");
    escape(out, text, false);
    buf_addc(out, '\n');
}

void actions_error_at(struct buf *out, const char *path, unsigned line, unsigned column,
                      const char *text)
{
    buf_adds(out, "::error file=");
    escape(out, path, true);
    buf_addf(out, ",line=%u", line);
    if (column > 0)
        buf_addf(out, ",col=%u", column);
    buf_adds(out, "::");
    escape(out, text, false);
    buf_addc(out, '\n');
}
