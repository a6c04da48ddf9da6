/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the decoding of foreign text; knows nothing of where it is going. */
#include "base/scan.h"

#include <stddef.h>
#include <string.h>

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

/* Seen by no reader, but acted on, or not seen at all: controls, what Unicode calls format characters (but
 * the Arabic, Syriac and Kaithi signs, which are drawn), and what is drawn as nothing, selectors of an
 * emoji's colours aside. */
static bool is_hidden(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x08},       {0x0b, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},
        {0x34f, 0x34f},     {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
        {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},
        {0x3164, 0x3164},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
        {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
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

size_t scan_encode(uint32_t character, char out[SCAN_CHARACTER_BYTES])
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; character >>= 6)
        out[i] = (char)(0x80 | (character & 0x3f));
    out[0] = (char)(leads[len] | character);
    return len;
}

/* The whole of a text for a terminal. Never longer than it was: a `?` takes one byte. */
static size_t make_shown(char *text, size_t len, bool one_line)
{
    const char *at = text, *end = text + len;
    size_t used = 0;
    while (at < end) {
        const char *from = at;
        uint32_t character = decode(&at, end);
        bool broken = character == replacement && at == from + 1;
        if (character == '\t' || (character == '\n' && !one_line))
            text[used++] = character == '\t' ? ' ' : '\n';
        else if (character == '\n' || broken || is_hidden(character))
            text[used++] = '?';
        else
            while (from < at)
                text[used++] = *from++;
    }
    return used;
}

void scan_line(char *text)
{
    text[make_shown(text, strlen(text), true)] = '\0';
}

size_t scan_lines(char *text, size_t len)
{
    return make_shown(text, len, false);
}

size_t scan_hidden(const char *text, const char *end, uint32_t *character)
{
    const char *at = text;
    *character = decode(&at, end);
    return *character >= 0x7f && is_hidden(*character) ? (size_t)(at - text) : 0;
}

bool scan_is_space(uint32_t character)
{
    return character == ' ' || (character >= '\t' && character <= '\r') || character == 0xa0 ||
           character == 0x1680 || (character >= 0x2000 && character <= 0x200a) ||
           character == 0x2028 || character == 0x2029 || character == 0x202f ||
           character == 0x205f || character == 0x3000;
}
