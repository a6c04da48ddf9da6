/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the decoding of foreign text; knows nothing of where it is going. */
#include "publish/scan.h"

#include <stddef.h>

static const uint32_t replacement = 0xfffd;

/* One character of UTF-8, or U+FFFD for one byte that begins none: overlong forms,
 * surrogates and what lies beyond U+10FFFF are none. */
static uint32_t decode(const char **at, const char *end)
{
    static const struct {
        unsigned char mask, lead, more;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0, 0},
                 {0xe0, 0xc0, 1, 0x80},
                 {0xf0, 0xe0, 2, 0x800},
                 {0xf8, 0xf0, 3, 0x10000}};
    unsigned char first = (unsigned char)*(*at)++;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((first & forms[i].mask) != forms[i].lead)
            continue;
        if (end - *at < forms[i].more)
            return replacement;
        uint32_t character = first & (unsigned char)~forms[i].mask;
        for (size_t k = 0; k < forms[i].more; k++) {
            unsigned char next = (unsigned char)(*at)[k];
            if ((next & 0xc0) != 0x80)
                return replacement;
            character = character << 6 | (next & 0x3f);
        }
        if (character < forms[i].least || character > 0x10ffff ||
            (character >= 0xd800 && character <= 0xdfff))
            return replacement;
        *at += forms[i].more;
        return character;
    }
    return replacement;
}

/* Behind an ESC: the rest of a colour or cursor sequence, or of a title that ends in BEL. */
static void skip_sequence(const char **at, const char *end)
{
    if (*at == end)
        return;
    char kind = *(*at)++;
    if (kind == '[') {
        while (*at < end && (unsigned char)**at >= 0x20 && (unsigned char)**at < 0x40)
            (*at)++;
        if (*at < end && (unsigned char)**at >= 0x40 && (unsigned char)**at < 0x7f)
            (*at)++;
    } else if (kind == ']') {
        while (*at < end && **at != '\a' && **at != '\n' && **at != '\x1b')
            (*at)++;
    } else if ((unsigned char)kind < 0x20 || (unsigned char)kind >= 0x7f) {
        (*at)--; /* it was no sequence: that byte speaks for itself */
    }
}

/* Seen by no reader, but acted on: controls, direction marks and overrides, tags. */
static bool is_hidden(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x08},     {0x0b, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},
        {0x61c, 0x61c},   {0x200b, 0x200f}, {0x202a, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

uint32_t scan_next(const char **at, const char *end)
{
    while (*at < end) {
        uint32_t character = decode(at, end);
        if (character == 0x1b) {
            skip_sequence(at, end);
            continue;
        }
        if (character == '\r') {
            if (*at < end && **at == '\n')
                (*at)++;
            return '\n';
        }
        if (character == 0x85 || character == 0x2028 || character == 0x2029)
            return '\n';
        if (!is_hidden(character))
            return character;
    }
    return SCAN_END;
}

void scan_put(struct buf *out, uint32_t character)
{
    if (character < 0x80) {
        buf_addc(out, (char)character);
        return;
    }
    char bytes[4];
    size_t len = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; character >>= 6)
        bytes[i] = (char)(0x80 | (character & 0x3f));
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(leads[len] | character);
    buf_add(out, bytes, len);
}

bool scan_is_space(uint32_t character)
{
    return character == ' ' || (character >= '\t' && character <= '\r') || character == 0xa0 ||
           character == 0x1680 || (character >= 0x2000 && character <= 0x200a) ||
           character == 0x2028 || character == 0x2029 || character == 0x202f ||
           character == 0x205f || character == 0x3000;
}
