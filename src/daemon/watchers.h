/* SPDX-License-Identifier: Apache-2.0 */
/* Watch mode, the daemon's side: a process for each watched repository (daemon/watcher.h), when it is to
 * look, and that it is started again where it ended. GitHub's limits are the schedule's to know: nobody
 * looks before they are over. */
#ifndef RATCHET_DAEMON_WATCHERS_H
#define RATCHET_DAEMON_WATCHERS_H

#include "base/err.h"
#include "daemon/schedule.h"
#include "intake/host.h"

#include <poll.h>
#include <stdint.h>

enum { WATCHERS_FDS_MAX = HOST_REPOSITORIES_MAX };

struct watchers;

/* All are borrowed until watchers_close; `config`: where the host was read from, or NULL. */
MUST_CHECK int watchers_open(const struct host *host, const char *config,
                             struct schedule *schedule, struct watchers **out,
                             struct err *err);
void watchers_close(struct watchers **watchers);

/* Have all look whose time it is. Returns when this is to be done again (monotonic); UINT64_MAX: not
 * before something happens. */
uint64_t watchers_start(struct watchers *watchers);

/* What to poll: fills fds[WATCHERS_FDS_MAX] and returns how many there are. After the poll they are
 * handed to watchers_handle. */
size_t watchers_poll(const struct watchers *watchers, struct pollfd *fds);
void watchers_handle(struct watchers *watchers, const struct pollfd *fds);

#endif
