/* SPDX-License-Identifier: Apache-2.0 */
/* The one checked parser of configuration values: numbers, percentages, times, booleans. C
 * locale, whole string, range given. `where` names file and key for the message. */
#ifndef RATCHET_INTAKE_VALUES_H
#define RATCHET_INTAKE_VALUES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

MUST_CHECK int value_int(const char *text, long long min, long long max, const char *where,
                         long long *out, struct err *err);
/* Sizes with an optional suffix k, m, g (1024). */
MUST_CHECK int value_size(const char *text, unsigned long long *out, const char *where,
                          struct err *err);
MUST_CHECK int value_ratio(const char *text, double min, double max, const char *where,
                           double *out, struct err *err); /* "3%" or "0.03" */
MUST_CHECK int value_duration_ns(const char *text, double min, double max, const char *where,
                                 double *out, struct err *err); /* ns us ms s m h */
/* In the largest unit that does not make it a fraction: `10m`, `500us`. */
void value_duration_text(double ns, char *out, size_t size);
/* Inside a tree: relative, no part that is empty, `.`, or `..` or reaches into .git; no control
 * characters, no `\\`. */
bool value_is_tree_path(const char *path);
MUST_CHECK int value_bool(const char *text, const char *where, bool *out, struct err *err);

#endif
