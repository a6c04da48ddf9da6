/* SPDX-License-Identifier: Apache-2.0 */
/* What a job gives back to whoever waits for it: its lines of progress while it runs, and its
 * files and verdict once these stand. Made of the job's folder alone, so that a client that
 * comes back after a restart of the daemon gets all of it. */
#ifndef RATCHET_DAEMON_RESULTS_H
#define RATCHET_DAEMON_RESULTS_H

#include "base/buf.h"
#include "base/err.h"
#include "intake/host.h"
#include "intake/queue.h"

/* Add a line of progress to the job's log. */
MUST_CHECK int results_keep_line(const struct host *host, long long job, const char *line,
                                 struct err *err);

/* Append messages to `out`: one line of progress; the log so far, which may be none yet; the
 * files and then the `result` of a job that is judged. A file that is not there is left out. */
MUST_CHECK int results_add_line(struct buf *out, const char *line, size_t len,
                                struct err *err);
MUST_CHECK int results_add_log(const struct host *host, long long job, struct buf *out,
                               struct err *err);
MUST_CHECK int results_add(const struct host *host, const struct queue_entry *entry,
                           struct buf *out, struct err *err);

#endif
