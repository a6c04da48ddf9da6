/* SPDX-License-Identifier: Apache-2.0 */
/* What the git_*.c files share. Only they may include it: it pulls in libgit2. */
#ifndef RATCHET_BASE_GIT_INTERNAL_H
#define RATCHET_BASE_GIT_INTERNAL_H

#include "base/git.h"

#include <git2.h>

/* Start libgit2 deaf to the host's configuration; cheap when it already runs. */
MUST_CHECK int gitlib_start(struct err *err);

/* libgit2's last words, or a stand-in where it left none. Its text is stale unless
 * git_error_clear() was called before the call that failed. */
const char *gitlib_words(void);

/* The error path of a libgit2 call: maps its code to a class, adds its words. Returns -1. */
int gitlib_error(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
