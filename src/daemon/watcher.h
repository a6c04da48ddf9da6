/* SPDX-License-Identifier: Apache-2.0 */
/* Watch mode, the process that asks: one for each watched repository (`ratchetd --watch OWNER/NAME`), so that a
 * server that does not answer holds up nobody else's. It looks at GitHub once for each byte that it is
 * sent, and answers each with a struct watcher_look. What is new is in the queue by then. Its token and
 * etags are in its memory alone: another one asks everything anew, and misses nothing. */
#ifndef RATCHET_DAEMON_WATCHER_H
#define RATCHET_DAEMON_WATCHER_H

#include "base/err.h"
#include "intake/host.h"

enum watcher_end {
    WATCHER_LOOKED,
    WATCHER_LIMITED, /* GitHub takes nothing for `seconds` */
    WATCHER_AWAY     /* it did not answer, or not as it should: it may at another time */
};
struct watcher_look {
    enum watcher_end end;
    long long seconds;
    unsigned jobs; /* that are in the queue now */
};

/* Ends when `ask` does: 0, or -1 where it cannot begin. */
MUST_CHECK int watcher_run(const struct host *host, const char *repository, int ask, int tell,
                           struct err *err);

#endif
