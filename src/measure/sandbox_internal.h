/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox*.c files share. */
#ifndef RATCHET_MEASURE_SANDBOX_INTERNAL_H
#define RATCHET_MEASURE_SANDBOX_INTERNAL_H

#include "measure/sandbox.h"

/* The host's programs, and the options that not every bubblewrap has (Debian 12's and Ubuntu
 * 24.04's have both). */
struct sandbox_tools {
    char bwrap[FILE_PATH_BYTES];
    bool disable_userns;
    bool size;
};
MUST_CHECK int sandbox_find_tools(struct sandbox_tools *out, struct err *err);
/* A file in memory, to be read once, with the program of its process 1 (src/init); or -1. */
MUST_CHECK int sandbox_init(struct err *err);

/* What the probe runs. */
extern const char sandbox_probe_script[];

/* Does it run as another user than ours? */
bool sandbox_changes_user(const struct sandbox *sandbox);
/* Can it be started as its user, and does that user reach what is bound? */
MUST_CHECK int sandbox_check_user(const struct sandbox *sandbox, struct err *err);

#endif
