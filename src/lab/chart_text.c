/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what text may be in a chart and how wide it is taken to be. */
#include "lab/chart_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Bytes of the character at `s`, its code point in *code; 0 where it is not well-formed UTF-8. */
static size_t decode(const unsigned char *s, size_t len, unsigned long *code)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = s[0] < 0x80   ? 1
                   : s[0] < 0xc2 ? 0
                   : s[0] < 0xe0 ? 2
                   : s[0] < 0xf0 ? 3
                   : s[0] < 0xf5 ? 4
                                 : 0;
    if (bytes == 0 || bytes > len)
        return 0;
    *code = bytes == 1 ? s[0] : s[0] & (0xffU >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3fU);
    }
    bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code < least[bytes] || surrogate || *code > 0x10ffff ? 0 : bytes;
}

/* Controls, what is not a character in XML, and what turns the direction of the text around it. */
static bool is_harmful(unsigned long code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code & 0xfffe) == 0xfffe ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0x200e || code == 0x200f;
}

void chart_text_put(struct buf *out, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    while (len > 0) {
        unsigned long code = 0;
        size_t bytes = decode(s, len, &code);
        if (bytes == 0 || is_harmful(code))
            buf_addc(out, '?');
        else if (code == '<' || code == '>' || code == '&' || code == '"' || code == '\'')
            buf_addf(out, "&#%lu;", code);
        else
            buf_add(out, s, bytes);
        s += bytes == 0 ? 1 : bytes;
        len -= bytes == 0 ? 1 : bytes;
    }
}

/* Of a character, in ems: no less than in DejaVu Sans, the widest of those that systems come with. */
static double width_of(unsigned long code)
{
    if (code > 0xff)
        return code < 0x500 ? 0.75 : 1.05;
    if (strchr("fijlrtI.,:;'|!()[]/ -", (int)code) != NULL)
        return 0.45;
    if (strchr("mwMW@%&", (int)code) != NULL)
        return 1.0;
    return code >= 'A' && code <= 'Z' ? 0.76 : code == '+' || code == '=' ? 0.84 : 0.65;
}

/* The width of the next character, and its bytes. */
static double next_width(const char *text, size_t len, size_t *bytes)
{
    unsigned long code = '?';
    *bytes = decode((const unsigned char *)text, len, &code);
    if (*bytes == 0)
        *bytes = 1;
    return code == 0 ? 0 : width_of(code);
}

double chart_text_width(const char *text, size_t len, double size)
{
    double width = 0;
    for (size_t i = 0, bytes; i < len; i += bytes)
        width += size * next_width(text + i, len - i, &bytes);
    return width;
}

size_t chart_text_fit(const char *text, size_t len, double size, double width)
{
    size_t fits = 0;
    for (size_t bytes; fits < len; fits += bytes) {
        width -= size * next_width(text + fits, len - fits, &bytes);
        if (width < 0)
            break;
    }
    return fits;
}

/* Of what fits, up to the last blank where there is one. */
static size_t break_at(const char *text, size_t len, size_t fits)
{
    if (fits == len)
        return len;
    size_t at = fits;
    while (at > 0 && text[at] != ' ')
        at--;
    return at > 0 ? at : fits > 0 ? fits : 1;
}

size_t chart_text_wrap(const char *text, double size, double width, size_t max,
                       struct chart_line lines[CHART_LINES_MAX])
{
    size_t count = 0, left = text == NULL ? 0 : strlen(text);
    while (left > 0 && count < max) {
        size_t fits = chart_text_fit(text, left, size, width);
        struct chart_line *line = &lines[count++];
        *line = (struct chart_line){text, break_at(text, left, fits), false};
        if (count == max && line->len < left) {
            line->len = chart_text_fit(text, left, size, width - size * width_of(0x2026));
            line->cut = true;
        }
        text += line->len;
        left -= line->len;
        while (left > 0 && *text == ' ') {
            text++;
            left--;
        }
    }
    return count;
}

static void put_time(char out[CHART_VALUE_BYTES], double ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    size_t unit = 0;
    while (unit < 3 && fabs(ns) >= 999.95) {
        ns /= 1000;
        unit++;
    }
    snprintf(out, CHART_VALUE_BYTES, "%.4g %s", ns, units[unit]);
}

static void put_date(char out[CHART_VALUE_BYTES], double seconds)
{
    struct tm utc;
    time_t when = fabs(seconds) < 1e11 ? (time_t)seconds : 0;
    if (gmtime_r(&when, &utc) == NULL ||
        strftime(out, CHART_VALUE_BYTES, "%Y-%m-%d", &utc) == 0)
        snprintf(out, CHART_VALUE_BYTES, "?");
}

const char *chart_value(char out[CHART_VALUE_BYTES], double value, enum chart_unit unit)
{
    if (unit == CHART_TIME)
        put_time(out, value);
    else if (unit == CHART_DATE)
        put_date(out, value);
    else if (unit == CHART_PERCENT)
        snprintf(out, CHART_VALUE_BYTES, "%.4g%%", 100 * value);
    else if (fabs(value) >= 1000 && fabs(value) < 1e7)
        snprintf(out, CHART_VALUE_BYTES, "%.0f", value);
    else
        snprintf(out, CHART_VALUE_BYTES, "%.4g", value);
    return out;
}
