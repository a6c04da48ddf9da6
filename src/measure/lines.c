/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the grammar of the harness's answers: a table of words and fields. Does not judge
 * whether a line comes at the right time; session.c does. */
#include "measure/lines.h"

#include <stdint.h>
#include <string.h>

/* Fields: a arm, n number, w name, t text to the end of the line. */
static const struct shape {
    const char *word;
    const char *fields;
    unsigned long long max[LINE_NUMBERS]; /* of each n */
} shapes[LINE_KINDS] = {
    [LINE_HELLO] = {"ratchet-bench", "nw", {WIRE_NUMBER_MAX}},
    [LINE_OPENED] = {"opened", "nnnn", {WIRE_NUMBER_MAX, WIRE_NUMBER_MAX, WIRE_NUMBER_MAX, 1}},
    [LINE_LOADED] = {"loaded", "nw", {WIRE_SLOTS_MAX - 1, 0}},
    [LINE_REFUSED] = {"refused", "nt", {WIRE_SLOTS_MAX - 1, 0}},
    [LINE_CONFIGURED] = {"configured", "", {0}},
    [LINE_PREPARED] = {"prepared", "an", {WIRE_NUMBER_MAX}},
    [LINE_ALLOCATED] = {"allocated", "nn", {WIRE_SETS_MAX, WIRE_NUMBER_MAX}},
    [LINE_RAN] = {"ran", "an", {WIRE_NUMBER_MAX}},
    [LINE_RIGHT] = {"right", "ann", {WIRE_ROWS_MAX, 1000000}},
    [LINE_HASHED] = {"hashed", "ann", {UINT32_MAX, UINT32_MAX}},
    [LINE_FILLED] = {"filled", "", {0}},
    [LINE_CALIBRATED] = {"calibrated", "an", {WIRE_LAUNCHES_MAX}},
    [LINE_STAGED] = {"staged", "a", {0}},
    [LINE_SAMPLE] = {"sample", "ann", {WIRE_NUMBER_MAX, WIRE_NUMBER_MAX}},
    [LINE_DONE] = {"done", "", {0}},
    [LINE_COMPARED] = {"compared", "", {0}},
    [LINE_TRACED] = {"traced", "ann", {WIRE_NUMBER_MAX, WIRE_NUMBER_MAX}},
    [LINE_LAUNCHES] = {"launches", "an", {WIRE_LAUNCHED_MAX}},
    [LINE_LAUNCHED] = {"launched",
                       "annnnt",
                       {WIRE_NUMBER_MAX, WIRE_NUMBER_MAX, WIRE_NUMBER_MAX, WIRE_NUMBER_MAX}},
    [LINE_RELEASED] = {"released", "", {0}},
    [LINE_WRONG] = {"wrong", "at", {0}},
    [LINE_FAILED] = {"failed", "t", {0}},
    [LINE_DIED] = {"died", "n", {64}},
    [LINE_CRASHED] = {"crashed", "t", {0}},
};

const char *line_kind_name(enum line_kind kind)
{
    return shapes[kind].word;
}

/* The bytes not yet read of a line. */
struct rest {
    const char *at;
    const char *end;
};

/* Cut the next word off; false where there is none or the space is doubled or dangling. */
static bool next_word(struct rest *rest, const char **word, size_t *len)
{
    const char *stop = memchr(rest->at, ' ', (size_t)(rest->end - rest->at));
    if (stop == NULL)
        stop = rest->end;
    *word = rest->at;
    *len = (size_t)(stop - rest->at);
    bool dangling = stop < rest->end && stop + 1 == rest->end;
    rest->at = stop < rest->end ? stop + 1 : stop;
    return *len > 0 && !dangling;
}

static bool read_number(const char *word, size_t len, unsigned long long max,
                        unsigned long long *out)
{
    if (len > 16 || (len > 1 && word[0] == '0'))
        return false;
    unsigned long long value = 0;
    for (size_t i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
        value = 10 * value + (unsigned long long)(word[i] - '0');
    }
    *out = value;
    return value <= max;
}

static bool read_arm(const char *word, size_t len, enum arm *out)
{
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = arm_name((enum arm)arm);
        if (strlen(name) == len && memcmp(name, word, len) == 0) {
            *out = (enum arm)arm;
            return true;
        }
    }
    return false;
}

static bool read_name(const char *word, size_t len, char out[WIRE_NAME_BYTES])
{
    if (len >= WIRE_NAME_BYTES)
        return false;
    memcpy(out, word, len);
    out[len] = '\0';
    return model_name_ok(out);
}

static bool read_text(struct rest *rest, char out[WIRE_TEXT_BYTES])
{
    size_t len = (size_t)(rest->end - rest->at);
    if (len == 0 || len >= WIRE_TEXT_BYTES)
        return false;
    memcpy(out, rest->at, len);
    out[len] = '\0';
    rest->at = rest->end;
    return true;
}

static bool read_fields(const struct shape *shape, struct rest *rest, struct line *line)
{
    size_t number = 0;
    for (const char *field = shape->fields; *field != '\0'; field++) {
        if (*field == 't') {
            if (!read_text(rest, line->text))
                return false;
            continue;
        }
        const char *word;
        size_t len;
        if (!next_word(rest, &word, &len))
            return false;
        bool ok = *field == 'a' ? read_arm(word, len, &line->arm)
                  : *field == 'w'
                      ? read_name(word, len, line->name)
                      : read_number(word, len, shape->max[number], &line->numbers[number]);
        if (!ok)
            return false;
        if (*field == 'n')
            number++;
    }
    return rest->at == rest->end;
}

static const struct shape *find_shape(const char *word, size_t len)
{
    for (int kind = 0; kind < LINE_KINDS; kind++)
        if (strlen(shapes[kind].word) == len && memcmp(shapes[kind].word, word, len) == 0)
            return &shapes[kind];
    return NULL;
}

/* Foreign bytes for a message: the first few, anything odd as `?`. */
static void excerpt(const char *bytes, size_t len, char out[41])
{
    size_t keep = len < 40 ? len : 40;
    for (size_t i = 0; i < keep; i++)
        out[i] = bytes[i] > 0x20 - 1 && bytes[i] < 0x7f && bytes[i] != '`' ? bytes[i] : '?';
    out[keep] = '\0';
}

int line_parse(const char *bytes, size_t len, struct line *out, struct err *err)
{
    char shown[41];
    excerpt(bytes, len, shown);
    if (len == 0 || len >= WIRE_LINE_BYTES)
        return err_set(err, ERR_INPUT, "a line of %zu bytes from the harness", len);
    for (size_t i = 0; i < len; i++)
        if (bytes[i] < 0x20 || bytes[i] > 0x7e)
            return err_set(err, ERR_INPUT,
                           "a line from the harness with a byte that is not"
                           " printable ASCII: `%s`",
                           shown);
    struct rest rest = {bytes, bytes + len};
    struct line line = {.arm = ARM_COUNT};
    const char *word;
    size_t word_len;
    const struct shape *shape = next_word(&rest, &word, &word_len) ? find_shape(word, word_len)
                                                                   : NULL;
    if (shape == NULL)
        return err_set(err, ERR_INPUT, "an unknown line from the harness: `%s`", shown);
    line.kind = (enum line_kind)(shape - shapes);
    /* `at < end` after the first word means that fields follow; none may where none belong. */
    bool bare = word_len == len;
    if (bare != (shape->fields[0] == '\0') || !read_fields(shape, &rest, &line))
        return err_set(err, ERR_INPUT, "a malformed `%s` line from the harness: `%s`",
                       shape->word, shown);
    *out = line;
    return 0;
}
