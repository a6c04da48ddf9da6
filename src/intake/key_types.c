/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the types of configuration values that more than one key has. */
#include "intake/keys.h"

#include "intake/values.h"

#include <string.h>

#define READER(type)                                                               \
    static int read_##type(void *target, const struct key *key, const char *value, \
                           const char *where, struct err *err)
#define FIELD(target, key) ((char *)(target) + (key)->offset)

READER(text)
{
    size_t len = strlen(value);
    if (len == 0 || len >= key->size)
        return err_set(err, ERR_INPUT, "%s: expected text of 1 to %zu bytes", where,
                       key->size - 1);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return err_set(err, ERR_INPUT, "%s: expected one line without control characters",
                           where);
    memcpy(FIELD(target, key), value, len + 1);
    return 0;
}

static void range_text(const struct key *key, struct buf *out)
{
    buf_addf(out, "1 to %zu bytes", key->size - 1);
}

const struct key_type key_text = {"text", read_text, range_text, NULL};
const struct key_type key_shell = {"text", read_text, range_text, NULL};

/* ---- whole numbers ---- */

READER(unsigned)
{
    long long number = 0;
    if (value_int(value, (long long)key->min, (long long)key->max, where, &number, err) != 0)
        return -1;
    unsigned out = (unsigned)number;
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

READER(int)
{
    long long number = 0;
    if (value_int(value, (long long)key->min, (long long)key->max, where, &number, err) != 0)
        return -1;
    int out = (int)number;
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

READER(natural)
{
    long long number = 0;
    if (value_int(value, 0, INT64_MAX, where, &number, err) != 0)
        return -1;
    unsigned long long out = (unsigned long long)number;
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

static void range_numbers(const struct key *key, struct buf *out)
{
    buf_addf(out, "%.0f to %.0f", key->min, key->max);
}

static void range_natural(const struct key *key, struct buf *out)
{
    (void)key;
    buf_addf(out, "0 to %lld", (long long)INT64_MAX);
}

static void show_number(const struct key *key, struct buf *out)
{
    buf_addf(out, "%.0f", key->number);
}

const struct key_type key_unsigned = {"number", read_unsigned, range_numbers, show_number};
const struct key_type key_int = {"number", read_int, range_numbers, show_number};
const struct key_type key_natural = {"number", read_natural, range_natural, show_number};

/* ---- sizes ---- */

READER(size)
{
    unsigned long long number = 0, max = (unsigned long long)key->max;
    if (value_size(value, &number, where, err) != 0)
        return -1;
    if (number == 0 || number > max)
        return err_set(err, ERR_INPUT, "%s: expected a number from 1 to %llu, not `%.60s`",
                       where, max, value);
    memcpy(FIELD(target, key), &number, sizeof number);
    return 0;
}

/* Powers of two from 64k on with a suffix: `4m`, but `600000`. */
static void add_size(double size, struct buf *out)
{
    static const char suffixes[] = "kmg";
    unsigned long long number = (unsigned long long)size;
    bool is_power = number >= 64 << 10 && (number & (number - 1)) == 0;
    size_t i = 0;
    while (is_power && i < sizeof suffixes - 1 && number % 1024 == 0) {
        number /= 1024;
        i++;
    }
    buf_addf(out, "%llu", number);
    if (i > 0)
        buf_addc(out, suffixes[i - 1]);
}

static void range_size(const struct key *key, struct buf *out)
{
    buf_adds(out, "1 to ");
    add_size(key->max, out);
}

static void show_size(const struct key *key, struct buf *out)
{
    add_size(key->number, out);
}

const struct key_type key_size = {"size", read_size, range_size, show_size};

/* ---- ratios and times ---- */

READER(ratio)
{
    double out = 0;
    if (value_ratio(value, key->min, key->max, where, &out, err) != 0)
        return -1;
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

static void range_ratio(const struct key *key, struct buf *out)
{
    buf_addf(out, "%g%% to %g%%", 100 * key->min, 100 * key->max);
}

static void show_ratio(const struct key *key, struct buf *out)
{
    buf_addf(out, "%g%%", 100 * key->number);
}

const struct key_type key_ratio = {"percentage", read_ratio, range_ratio, show_ratio};

READER(duration)
{
    double out = 0;
    if (value_duration_ns(value, key->min, key->max, where, &out, err) != 0)
        return -1;
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

READER(seconds)
{
    double ns = 0;
    if (value_duration_ns(value, key->min, key->max, where, &ns, err) != 0)
        return -1;
    unsigned out = (unsigned)(ns / 1e9 + 0.5);
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

static void range_duration(const struct key *key, struct buf *out)
{
    char low[40], high[40];
    value_duration_text(key->min, low, sizeof low);
    value_duration_text(key->max, high, sizeof high);
    buf_addf(out, "%s to %s", low, high);
}

const struct key_type key_duration = {"time", read_duration, range_duration, NULL};
const struct key_type key_seconds = {"time", read_seconds, range_duration, NULL};

/* ---- one of some words ---- */

/* "a, b or c", each between two of `quote`. */
static void add_words(const struct key *key, const char *quote, struct buf *out)
{
    for (const char *const *word = key->words; *word != NULL; word++) {
        const char *between = word == key->words ? "" : word[1] == NULL ? " or " : ", ";
        buf_addf(out, "%s%s%s%s", between, quote, *word, quote);
    }
}

READER(choice)
{
    unsigned number = 0;
    while (key->words[number] != NULL && strcmp(key->words[number], value) != 0)
        number++;
    if (key->words[number] == NULL) {
        BUF_AUTO words;
        buf_init(&words, 512);
        add_words(key, "`", &words);
        return err_set(err, ERR_INPUT, "%s: expected %s, not `%.60s`", where, words.data,
                       value);
    }
    bool yes = number != 0;
    if (key->size == sizeof yes)
        memcpy(FIELD(target, key), &yes, sizeof yes);
    else
        memcpy(FIELD(target, key), &number, sizeof number);
    return 0;
}

static void range_choice(const struct key *key, struct buf *out)
{
    add_words(key, "", out);
}

const struct key_type key_choice = {"word", read_choice, range_choice, NULL};

READER(bool)
{
    bool out = false;
    if (value_bool(value, where, &out, err) != 0)
        return -1;
    memcpy(FIELD(target, key), &out, sizeof out);
    return 0;
}

const struct key_type key_bool = {"true or false", read_bool, NULL, NULL};
