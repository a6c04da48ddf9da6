/* SPDX-License-Identifier: Apache-2.0 */
/* What this host's systemd and AppArmor say, for `ratchet doctor`. */
#ifndef RATCHET_CLI_DOCTOR_SYSTEM_H
#define RATCHET_CLI_DOCTOR_SYSTEM_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Our units, in the order in which they are told of. */
enum { SYSTEM_UNITS = 6 };
const char *system_unit_name(size_t i);
/* *there: systemd runs, and knows the unit. Then 0 and `text`, how it is, or ERR_HOST with what to do. */
MUST_CHECK int system_unit(size_t i, bool *there, char *text, size_t size, struct err *err);

/* *there: this kernel's AppArmor may keep user namespaces from programs, which the file `setting` says
 * (SYSTEM_USERNS). Then 0 and `text` where it does not, or lets our sandbox work all the same. */
#define SYSTEM_USERNS "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
MUST_CHECK int system_userns(const char *setting, bool sandbox_works, bool *there, char *text,
                             size_t size, struct err *err);

#endif
