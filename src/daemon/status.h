/* SPDX-License-Identifier: Apache-2.0 */
/* The newest jobs as messages: a `job` for each, newest first, then `end`. */
#ifndef RATCHET_DAEMON_STATUS_H
#define RATCHET_DAEMON_STATUS_H

#include "base/buf.h"
#include "base/err.h"
#include "daemon/schedule.h"

MUST_CHECK int status_add(const struct schedule *schedule, struct db *db, struct buf *out,
                          struct err *err);

#endif
