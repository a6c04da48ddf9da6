/* SPDX-License-Identifier: Apache-2.0 */
/* Why a build cannot work, told from its commit's tree: files that its recipe needs and that
 * lie outside [kernel] path, Git LFS pointers, conflict markers. */
#ifndef RATCHET_MEASURE_BUILD_HINT_H
#define RATCHET_MEASURE_BUILD_HINT_H

#include "base/err.h"
#include "measure/build.h"

enum { BUILD_HINT_BYTES = 384 };

/* Before the recipe runs: a file of the tree that it cannot do without, a script that it runs or a
 * file that it tells the compiler to take, and that the build will not see. `hint` gets
 * "`build.sh`: not under [kernel] path", or "". Shell is not parsed: any other word passes, and so
 * does every word of a command that chooses its way (`||`, `if`, `[`). What they miss the build
 * will: a file beside the paths must not change what a build does. */
MUST_CHECK int build_hint_command(const struct build_request *request,
                                  char hint[BUILD_HINT_BYTES], struct err *err);

/* After it failed: the same of a file that the log misses, or a file under the paths that is
 * not what its author meant, or "". A guess, and cheap: trouble on the way is no hint. */
void build_hint_failure(const struct build_request *request, const char *log,
                        char hint[BUILD_HINT_BYTES]);

/* … the part of it that looks at the files which the build saw: one is a pointer of Git LFS, or has a
 * conflict marker, or is a link that the log names. */
void build_hint_files(const struct build_request *request, const char *log,
                      char hint[BUILD_HINT_BYTES]);

#endif
