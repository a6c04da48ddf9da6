/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses ratchetd.conf may name: tokens are sent there. */
#ifndef RATCHET_INTAKE_ADDRESS_H
#define RATCHET_INTAKE_ADDRESS_H

#include <stdbool.h>

/* What is wrong with an address, in words, or NULL. A web address is https, or http to this
 * machine; one of git may also be a folder of this host: file:///… or an absolute path. */
const char *address_web_problem(const char *url);
const char *address_git_problem(const char *url);

/* Absolute, without `..` and control characters. */
bool address_path_ok(const char *path);

#endif
