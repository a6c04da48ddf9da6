/* SPDX-License-Identifier: Apache-2.0 */
/* What a person writes to us on a pull request. Two folders need it: intake knows an event by it, and
 * publish looks for whoever wrote it. */
#ifndef RATCHET_COMMAND_H
#define RATCHET_COMMAND_H

#include "model.h"

#include <stdbool.h>

#define COMMAND_RUN "/ratchet run" /* and a commit */
#define LABEL_RUN "ratchet:run"

/* Is the first line of a comment COMMAND_RUN? What a reply quotes stands further down, or behind a `>`.
 * `sha` is the commit that it names; "": none, or not with all 40 digits: whoever pushes can make two
 * commits that begin alike in seconds. */
bool command_is_run(const char *body, char sha[MODEL_SHA_BYTES]);

/* Is the name of a run of Actions COMMAND_RUN, a pull request's number, with or without a `#`, and nothing
 * more but, if at all, its head with all 40 digits? */
bool command_names_pull(const char *name, int *pr, char sha[MODEL_SHA_BYTES]);

#endif
