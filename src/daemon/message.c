/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the framing of messages; what they mean is for those who read them. */
#include "daemon/message.h"

#include <stdlib.h>
#include <string.h>

int message_add(struct buf *out, json_t *json, struct err *err)
{
    JSON_AUTO *owned = json;
    if (owned == NULL)
        return err_set(err, ERR_HOST, "out of memory for a message");
    size_t before = out->len;
    if (json_print(owned, 0, out, err) == 0) {
        buf_addc(out, '\n');
        if (!out->failed)
            return 0;
    }
    out->len = before;
    out->data[before] = '\0';
    return out->no_memory
               ? err_set(err, ERR_HOST, "out of memory for a message")
               : err_set(err, ERR_LIMIT, "a message does not fit into %zu bytes", out->max);
}

/* The length of the UTF-8 character at `at`, or 0 if it is not one, or NUL: no reader of messages
 * takes that. */
static size_t character(const char *at, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)at;
    size_t need = bytes[0] == '\0'            ? 0
                  : bytes[0] < 0x80           ? 1
                  : (bytes[0] & 0xe0) == 0xc0 ? 2
                  : (bytes[0] & 0xf0) == 0xe0 ? 3
                  : (bytes[0] & 0xf8) == 0xf0 ? 4
                                              : 0;
    if (need < 2 || need > len)
        return need < 2 ? need : 0;
    JSON_AUTO *probe = json_stringn(at, need); /* jansson refuses what is not UTF-8 */
    return probe == NULL ? 0 : need;
}

/* Append what fits of the bytes, cleaned; how many were taken. */
static size_t add_clean(struct buf *out, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && out->len + 4 <= out->max) {
        size_t size = character(bytes + at, len - at);
        buf_add(out, size == 0 ? "?" : bytes + at, size == 0 ? 1 : size);
        at += size == 0 ? 1 : size;
    }
    return at;
}

json_t *message_string(const char *bytes, size_t len)
{
    BUF_AUTO clean;
    buf_init(&clean, len + 4);
    add_clean(&clean, bytes, len);
    return clean.failed ? NULL : json_stringn(clean.data, clean.len);
}

void message_add_error(struct buf *out, const struct err *problem)
{
    struct err ignored;
    json_t *text = message_string(problem->text, strlen(problem->text));
    int failed = message_add(out,
                             json_pack("{s:s, s:o, s:i}", "type", "error", "text", text,
                                       "exit", (int)err_exit_code(problem->class)),
                             &ignored);
    (void)failed;
}

int message_add_file(struct buf *out, const char *name, const char *bytes, size_t len,
                     struct err *err)
{
    BUF_AUTO piece;
    buf_init(&piece, MESSAGE_PIECE_BYTES);
    size_t at = 0;
    do {
        buf_clear(&piece);
        at += add_clean(&piece, bytes + at, len - at);
        json_t *data = json_stringn(piece.data, piece.len);
        if (message_add(
                out, json_pack("{s:s, s:s, s:o}", "type", "file", "name", name, "data", data),
                err) != 0)
            return -1;
    } while (at < len);
    return 0;
}

const char *message_text(const json_t *message, const char *key)
{
    const char *text = json_string_value(json_object_get(message, key));
    return text == NULL ? "" : text;
}

int message_take(struct buf *in, const char *who, json_t **out, struct err *err)
{
    char *end = memchr(in->data, '\n', in->len);
    if (end == NULL) {
        if (in->len == in->max)
            return err_set(err, ERR_LIMIT, "%s sent a message longer than %zu bytes", who,
                           in->max);
        return 0;
    }
    size_t len = (size_t)(end - in->data);
    int result = json_parse(in->data, len, who, out, err);
    size_t rest = in->len - len - 1;
    memmove(in->data, end + 1, rest);
    explicit_bzero(in->data + rest, in->len - rest);
    in->len = rest;
    return result == 0 ? 1 : -1;
}
