/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way of words to stderr and stdout. */
#include "base/line.h"

#include "base/scan.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { LINE_BYTES = 16 << 10, CHUNK_BYTES = 4096 };

static int lost; /* why stdout did not take something, the first time */

static void write_out(FILE *out, const char *bytes, size_t len)
{
    errno = 0;
    if (fwrite(bytes, 1, len, out) < len && out == stdout && lost == 0)
        lost = errno;
}

int line_lost(void)
{
    return lost;
}

__attribute__((format(printf, 2, 0))) static void put(FILE *out, const char *format,
                                                      va_list args)
{
    char line[LINE_BYTES];
    vsnprintf(line, sizeof line - 1, format, args);
    scan_line(line);
    size_t len = strlen(line);
    line[len] = '\n'; /* in one piece: others write there, too */
    write_out(out, line, len + 1);
}

void line_err(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(stderr, format, args);
    va_end(args);
}

void line_out(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(stdout, format, args);
    va_end(args);
}

/* Up to the last character of `text` that begins within a chunk, so that none is cut in two. */
static size_t chunk_of(const char *text, size_t len)
{
    size_t at = len < CHUNK_BYTES ? len : CHUNK_BYTES;
    for (unsigned i = 0; at < len && i < SCAN_CHARACTER_BYTES - 1; i++)
        at -= ((unsigned char)text[at] & 0xc0) == 0x80;
    return at;
}

void line_text(FILE *out, const char *text, size_t len)
{
    char chunk[CHUNK_BYTES];
    while (len > 0) {
        size_t taken = chunk_of(text, len);
        memcpy(chunk, text, taken);
        write_out(out, chunk, scan_lines(chunk, taken));
        text += taken;
        len -= taken;
    }
}

void line_document(const struct buf *document)
{
    write_out(stdout, document->data, document->len);
}
