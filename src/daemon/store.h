/* SPDX-License-Identifier: Apache-2.0 */
/* The one database of the state folder: every job, and what GitHub is owed for it. A job's end and
 * what is owed for it are written in one transaction, so that neither is there without the other. */
#ifndef RATCHET_DAEMON_STORE_H
#define RATCHET_DAEMON_STORE_H

#include "base/db.h"
#include "base/err.h"
#include "intake/host.h"

/* A database of an earlier version is brought up to date; a later, damaged or foreign one is
 * ERR_INPUT. */
MUST_CHECK int store_open(const struct host *host, struct db **out, struct err *err);

/* For reading alone, beside a daemon or without one: nothing is made, changed or brought up to date. None there
 * is ERR_NOT_FOUND; one of another version than ours ERR_INPUT. */
MUST_CHECK int store_read(const struct host *host, struct db **out, struct err *err);

/* The same as store_open at the start of a daemon: an id whose folder is still there is not given again, even if
 * the database was lost, and jobs that were being measured are pinned again. */
MUST_CHECK int store_open_first(const struct host *host, struct db **out, struct err *err);

/* What is owed for jobs that are in no row any more, and which statuses they set. */
MUST_CHECK int store_collect(struct db *db, struct err *err);

#endif
