/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a command is to write is tried before it measures: minutes later it would be too late. */
#ifndef RATCHET_CLI_OUTPUTS_H
#define RATCHET_CLI_OUTPUTS_H

#include "base/err.h"

#include <stddef.h>

/* Could a file be written at `path`, which `option` names? Nothing is left there. NULL: nothing is wanted.
 * ERR_USAGE, unless it is the host's fault: a full disk. */
MUST_CHECK int outputs_try(const char *option, const char *path, struct err *err);
/* Could one be appended to, or made? */
MUST_CHECK int outputs_try_append(const char *option, const char *path, struct err *err);
/* A folder, which is made, and each of these files in it. */
MUST_CHECK int outputs_try_in(const char *option, const char *folder, const char *const *names,
                              size_t count, struct err *err);

#endif
