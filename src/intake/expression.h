/* SPDX-License-Identifier: Apache-2.0 */
/* Integer expressions over named values, as the constraints of [tune] are written:
 *
 *     BLOCK_M * (BLOCK_K + 8) * STAGES <= 49152 && BLOCK_M % 16 == 0
 *
 * C's operators || && == != < <= > >= + - * / % ! and unary -, with C's precedence; whole numbers of
 * 64 bits; both sides of || and && are always computed. Opens nothing and keeps nothing. */
#ifndef RATCHET_INTAKE_EXPRESSION_H
#define RATCHET_INTAKE_EXPRESSION_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { EXPRESSION_DEPTH_MAX = 64 };

struct expression_value {
    const char *name;
    long long value;
};

/* The name of something: a letter or `_`, then letters, digits and `_`. */
bool expression_is_name(const char *text, size_t len);

/* A name that is not among the `values`, a number that does not fit, a division by zero, or what is no
 * expression is ERR_INPUT, and the text says where. */
MUST_CHECK int expression_compute(const char *text, const struct expression_value *values,
                                  size_t count, long long *out, struct err *err);

#endif
