/* SPDX-License-Identifier: Apache-2.0 */
/* Names and hashes, as people, files and GitHub spell them: which ones are taken. They end up in
 * paths, refs, messages and addresses, so what is not known to be harmless there is refused. */
#ifndef RATCHET_BASE_NAME_H
#define RATCHET_BASE_NAME_H

#include <stdbool.h>
#include <stddef.h>

size_t
name_span(const char *text); /* how many letters, digits, `_`, `.`, `-` it begins with */

/* 1 to `size` - 1 of these, not starting with `.` or `-`. */
bool name_ok(const char *text, size_t size);

/* "owner/name": each part of these letters, not `.` or `..`, `size` - 1 bytes in all. */
bool name_is_repository(const char *text, size_t size);

/* The one spelling of "Owner/Name", which GitHub takes in any case: cut at `size` - 1 bytes. */
void name_fold(const char *text, char *out, size_t size);

bool name_is_branch(const char *text); /* as git has it, without refs/heads/ */

bool name_is_hex(const char *text, size_t digits); /* exactly so many, in lower case */
bool name_is_sha(const char *text);                /* of a commit: 40; NULL is none */

#endif
