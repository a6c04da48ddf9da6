/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a string and a number look in our files; knows no schema. */
#include "judge/text.h"

#include "base/json.h"
#include "base/scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 sequence at `s` (Unicode 15, table 3-7), or 0. */
static size_t sequence_bytes(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t bytes = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0; /* also the end of the string */
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : bytes;
}

void text_string(struct buf *out, const char *text)
{
    buf_addc(out, '"');
    const unsigned char *s = (const unsigned char *)text;
    while (*s != '\0') {
        size_t bytes = sequence_bytes(s);
        if (bytes == 0 || *s < 0x20 || *s == 0x7f)
            buf_addc(out, '?');
        else if (*s == '"' || *s == '\\')
            buf_addf(out, "\\%c", *s);
        else
            json_escape_hidden(out, (const char *)s, bytes);
        s += bytes == 0 ? 1 : bytes;
    }
    buf_addc(out, '"');
}

void text_plain(struct buf *out, const char *text)
{
    size_t before = out->len;
    buf_adds(out, text);
    if (out->len == before)
        return; /* also where there is no room */
    scan_line(out->data + before);
    out->len = before + strlen(out->data + before);
}

/* printf and strtod of the C library round correctly, and our programs never leave the C
 * locale, so the text is the same everywhere. */
void text_number(struct buf *out, double number)
{
    if (!isfinite(number)) {
        buf_adds(out, "null");
        return;
    }
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number == 0 ? 0.0 : number);
        if (strtod(digits, NULL) == number)
            break;
    }
    buf_adds(out, digits);
}

void text_interval(struct buf *out, struct interval interval)
{
    buf_addc(out, '[');
    text_number(out, interval.low);
    buf_adds(out, ", ");
    text_number(out, interval.high);
    buf_addc(out, ']');
}

const char *text_change(char out[TEXT_CHANGE_BYTES], double change, struct interval interval)
{
    snprintf(out, TEXT_CHANGE_BYTES, "%+.2f%% [%+.2f%%, %+.2f%%]", 100 * change,
             100 * interval.low, 100 * interval.high);
    return out;
}

const char *text_marks(char out[TEXT_MARKS_BYTES], unsigned marks)
{
    out[0] = '\0';
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        size_t used = strlen(out);
        if ((marks & 1u << bit) != 0)
            snprintf(out + used, TEXT_MARKS_BYTES - used, "%s%s", used != 0 ? ", " : "",
                     mark_name(bit));
    }
    return out;
}

const char *text_missing(char out[TEXT_MISSING_BYTES], const struct config_verdict *config)
{
    static const char *const names[ARM_OTHER] = {"head", "base", "the anchor", "control"};
    size_t used = 0;
    out[0] = '\0';
    for (int arm = 0; arm < ARM_OTHER; arm++)
        if (config->missing[arm] != 0)
            used += (size_t)snprintf(out + used, TEXT_MISSING_BYTES - used,
                                     "%s%s is missing in %zu", used > 0 ? ", " : "",
                                     names[arm], config->missing[arm]);
    if (used > 0)
        snprintf(out + used, TEXT_MISSING_BYTES - used, " of %zu replicates", config->rounds);
    return out;
}

void text_spent(struct buf *out, const struct comparison *comparison)
{
    const struct spent *spent = &comparison->spent;
    if (!spent->known)
        return;
    buf_adds(out, "device held for ");
    text_number(out, (double)spent->device_ms / 1e3);
    buf_adds(out, " s");
    if (spent->price.currency[0] == '\0')
        return;
    buf_adds(out, ", ");
    text_number(out, (double)comparison_cost_micro(comparison) / 1e6);
    buf_addf(out, " %s at ", spent->price.currency);
    text_number(out, (double)spent->price.micro / 1e6);
    buf_addf(out, " %s an hour", spent->price.currency);
}
