/* SPDX-License-Identifier: Apache-2.0 */
/* Owns growth and the ceiling; knows nothing of what the bytes mean. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1]; /* so that `data` is a string before the first append */

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.data = empty, .max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4};
}

void buf_free(struct buf *buf)
{
    if (buf->cap != 0)
        free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = buf->no_memory = false;
    if (buf->cap != 0)
        buf->data[0] = '\0';
}

/* Room for `extra` more bytes and the NUL, or `failed`. */
static bool reserve(struct buf *buf, size_t extra)
{
    if (buf->failed)
        return false;
    if (extra > buf->max - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + extra + 1;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap == 0 ? 256 : buf->cap;
    while (cap < need)
        cap *= 2;
    char *data = realloc(buf->cap == 0 ? NULL : buf->data, cap);
    if (data == NULL) {
        buf->failed = buf->no_memory = true;
        return false;
    }
    data[buf->len] = '\0';
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || !reserve(buf, len))
        return;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_adds(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_addc(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        buf->failed = true;
        return;
    }
    if (!reserve(buf, (size_t)length))
        return;
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)length + 1, format, args);
    va_end(args);
    buf->len += (size_t)length;
}

void buf_note_loss(struct buf *buf, const struct buf *part)
{
    if (part->no_memory)
        buf->failed = buf->no_memory = true;
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
    if (!buf->failed)
        return 0;
    return buf->no_memory
               ? err_set(err, ERR_HOST, "out of memory for %s", what)
               : err_set(err, ERR_LIMIT, "%s is longer than %zu bytes", what, buf->max);
}
