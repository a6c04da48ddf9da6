/* SPDX-License-Identifier: Apache-2.0 */
/* A comment of git's syntax within what was meant as a command of the shell: `make; cp x y` unquoted
 * is `make`. */
#ifndef RATCHET_INTAKE_CUT_H
#define RATCHET_INTAKE_CUT_H

#include "intake/keys.h"

/* Refuses a text in which a `;` outside quotes ends the value of a key_shell, or a `#` within a word
 * does (before it a space, it begins a comment of the shell as well). The text parses. */
MUST_CHECK int cut_refuse(const struct keys_table *table, const char *text, size_t len,
                          const char *name, struct err *err);

#endif
