/* SPDX-License-Identifier: Apache-2.0 */
/* What ratchetd removes of the state folder: scratch whose owner is dead; jobs that ended `keep-days`
 * ago or that GitHub could not be told of in as long, with their folders, and folders of jobs that
 * nobody knows; results of commands and caches
 * of repositories that nobody has used as long; built libraries beyond `cache-bytes`. */
#ifndef RATCHET_DAEMON_COLLECTOR_H
#define RATCHET_DAEMON_COLLECTOR_H

#include "base/err.h"
#include "intake/host.h"
#include "intake/queue.h"

#include <stdint.h>

/* At the start of a daemon, when no step runs. */
MUST_CHECK int collector_empty_scratch(const struct host *host, struct err *err);

/* At any time: scratch of commands by hand whose process is gone. */
MUST_CHECK int collector_drop_abandoned(const struct host *host, struct err *err);

struct collector {
    const struct host *host;
    struct db *db;
    /* Of the monotonic clock; 0: at once, and not yet. */
    uint64_t due_ns, last_ns;
};

/* Every `collect-ms`, however often it is called: at due_ns again. What cannot be removed is said on
 * stderr and tried again then. */
void collector_collect(struct collector *collector);

#endif
