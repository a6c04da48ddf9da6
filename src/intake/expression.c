/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the grammar of constraints. One pass, by precedence climbing. */
#include "intake/expression.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct reading {
    const char *text, *at;
    const struct expression_value *values;
    size_t count;
    unsigned depth;
    struct err *err;
};

enum op {
    OR,
    AND,
    EQUAL,
    UNEQUAL,
    LESS_EQUAL,
    MORE_EQUAL,
    LESS,
    MORE,
    PLUS,
    MINUS,
    TIMES,
    OVER,
    MODULO,
    NONE
};

/* Longer spellings first. */
static const struct {
    const char *text;
    int precedence;
} ops[NONE] = {
    [OR] = {"||", 1},      [AND] = {"&&", 2},        [EQUAL] = {"==", 3},
    [UNEQUAL] = {"!=", 3}, [LESS_EQUAL] = {"<=", 4}, [MORE_EQUAL] = {">=", 4},
    [LESS] = {"<", 4},     [MORE] = {">", 4},        [PLUS] = {"+", 5},
    [MINUS] = {"-", 5},    [TIMES] = {"*", 6},       [OVER] = {"/", 6},
    [MODULO] = {"%", 6},
};

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool expression_is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_letter(text[i]) && (i == 0 || !is_digit(text[i])))
            return false;
    return len > 0;
}

static int fail(const struct reading *reading, const char *problem)
{
    return err_set(reading->err, ERR_INPUT, "%s at byte %zu of `%.120s`", problem,
                   (size_t)(reading->at - reading->text) + 1, reading->text);
}

static void skip_blanks(struct reading *reading)
{
    reading->at += strspn(reading->at, " \t");
}

static enum op find_operator(struct reading *reading)
{
    skip_blanks(reading);
    for (int i = 0; i < NONE; i++)
        if (strncmp(reading->at, ops[i].text, strlen(ops[i].text)) == 0)
            return (enum op)i;
    return NONE;
}

static int apply(const struct reading *reading, enum op op, long long a, long long b,
                 long long *out)
{
    bool over = false;
    switch (op) {
    case OR:
        *out = a != 0 || b != 0;
        break;
    case AND:
        *out = a != 0 && b != 0;
        break;
    case EQUAL:
        *out = a == b;
        break;
    case UNEQUAL:
        *out = a != b;
        break;
    case LESS_EQUAL:
        *out = a <= b;
        break;
    case MORE_EQUAL:
        *out = a >= b;
        break;
    case LESS:
        *out = a < b;
        break;
    case MORE:
        *out = a > b;
        break;
    case PLUS:
        over = __builtin_add_overflow(a, b, out);
        break;
    case MINUS:
        over = __builtin_sub_overflow(a, b, out);
        break;
    case TIMES:
        over = __builtin_mul_overflow(a, b, out);
        break;
    case OVER:
    case MODULO:
        if (b == 0)
            return fail(reading, "division by zero");
        over = a == LLONG_MIN && b == -1;
        *out = over ? 0 : op == OVER ? a / b : a % b;
        break;
    case NONE:
        break;
    }
    return over ? fail(reading, "a number of more than 64 bits") : 0;
}

static int read_number(struct reading *reading, long long *out)
{
    *out = 0;
    for (; is_digit(*reading->at); reading->at++)
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, *reading->at - '0', out))
            return fail(reading, "a number of more than 64 bits");
    return is_letter(*reading->at) ? fail(reading, "expected a number") : 0;
}

static int read_name(struct reading *reading, long long *out)
{
    size_t len = 1;
    while (is_letter(reading->at[len]) || is_digit(reading->at[len]))
        len++;
    for (size_t i = 0; i < reading->count; i++)
        if (strlen(reading->values[i].name) == len &&
            memcmp(reading->values[i].name, reading->at, len) == 0) {
            *out = reading->values[i].value;
            reading->at += len;
            return 0;
        }
    return err_set(reading->err, ERR_INPUT, "`%.*s` is no parameter, in `%.120s`",
                   (int)(len < 64 ? len : 64), reading->at, reading->text);
}

static int read_level(struct reading *reading, int least, long long *out);

static int read_operand(struct reading *reading, long long *out)
{
    skip_blanks(reading);
    char c = *reading->at;
    if (is_digit(c))
        return read_number(reading, out);
    if (is_letter(c))
        return read_name(reading, out);
    if (c != '(' && c != '!' && c != '-')
        return fail(reading, "expected a number, a parameter or `(`");
    if (++reading->depth > EXPRESSION_DEPTH_MAX)
        return fail(reading, "nested too deep");
    reading->at++;
    if ((c == '(' ? read_level(reading, 0, out) : read_operand(reading, out)) != 0)
        return -1;
    reading->depth--;
    skip_blanks(reading);
    if (c == '(')
        return *reading->at == ')' ? (reading->at++, 0) : fail(reading, "expected `)`");
    if (c == '!')
        *out = *out == 0;
    else if (__builtin_sub_overflow(0, *out, out))
        return fail(reading, "a number of more than 64 bits");
    return 0;
}

/* Operands joined by ops of at least this precedence, from left to right. */
static int read_level(struct reading *reading, int least, long long *out)
{
    if (read_operand(reading, out) != 0)
        return -1;
    for (;;) {
        enum op op = find_operator(reading);
        long long right;
        if (op == NONE || ops[op].precedence < least)
            return 0;
        reading->at += strlen(ops[op].text);
        if (read_level(reading, ops[op].precedence + 1, &right) != 0 ||
            apply(reading, op, *out, right, out) != 0)
            return -1;
    }
}

int expression_compute(const char *text, const struct expression_value *values, size_t count,
                       long long *out, struct err *err)
{
    struct reading reading = {
        .text = text, .at = text, .values = values, .count = count, .err = err};
    if (read_level(&reading, 0, out) != 0)
        return -1;
    skip_blanks(&reading);
    return *reading.at == '\0' ? 0 : fail(&reading, "expected an operator");
}
