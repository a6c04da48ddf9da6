/* SPDX-License-Identifier: Apache-2.0 */
/* ratchetd's loop: one thread that waits for signals, clients and steps of jobs. */
#ifndef RATCHET_DAEMON_SERVER_H
#define RATCHET_DAEMON_SERVER_H

#include "base/err.h"
#include "intake/host.h"

/* Serve on `listen_fd` (taken over) until SIGTERM or SIGINT, which must be blocked, as must
 * SIGCHLD. `config` is where `host` was read from. Jobs in the middle of a step are killed then
 * and taken again by the next start. */
MUST_CHECK int server_run(const struct host *host, const char *config, int listen_fd,
                          struct err *err);

#endif
