/* SPDX-License-Identifier: Apache-2.0 */
/* What a run that was started by hand asks for, besides a check. Whoever wrote it: it is taken only in
 * this form, and can only make a check do less, or say more. */
#ifndef RATCHET_INTAKE_CHOICES_H
#define RATCHET_INTAKE_CHOICES_H

#include "base/err.h"
#include "base/json.h"
#include "model.h"

/* Members `configs` (names of letters, digits, `_`, `-`, `.`, with `*` and `?` for any; a comma or space
 * between), `budget` (a duration, 1 s to 24 h) and `profile` (true or false), each a string, profile
 * a boolean, too. What is missing, null or "" asks for nothing; other members are not looked at. */
MUST_CHECK int choices_read(const json_t *object, const struct json_at *at,
                            struct choices *out, struct err *err);
/* An object that choices_read takes; NULL where memory ran out. Owned by the caller. */
json_t *choices_json(const struct choices *choices);

/* Is that config among those that are asked for? */
bool choices_have(const struct choices *choices, const char *config);

#endif
