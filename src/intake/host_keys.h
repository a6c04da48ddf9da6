/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ratchetd.conf, and where the values of each of its sections go. */
#ifndef RATCHET_INTAKE_HOST_KEYS_H
#define RATCHET_INTAKE_HOST_KEYS_H

#include "intake/host.h"
#include "intake/keys.h"

#include <pwd.h>

/* Sections, and their targets. */
enum host_section {
    HOST_DAEMON,     /* struct host */
    HOST_DEVICE,     /* struct host_device */
    HOST_REPOSITORY, /* struct host_repository */
    HOST_LIMITS,     /* struct limits */
    HOST_SECTIONS
};

extern const struct keys_table host_keys;

/* A user of this host; `where` is for the message. */
MUST_CHECK int host_find_user(const char *name, const char *where, struct passwd *out,
                              struct err *err);

#endif
