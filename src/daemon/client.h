/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking connection to ratchetd, for the commands that talk to it. */
#ifndef RATCHET_DAEMON_CLIENT_H
#define RATCHET_DAEMON_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#include <signal.h>

struct client_connection {
    int fd; /* -1: not connected */
    const sigset_t
        *waiting; /* the signals that are blocked while it is waited; NULL: as now */
    struct buf in;
};

/* Nobody listening, or one who does not come to it, is ERR_NOT_FOUND. `waiting` is borrowed until
 * client_close: whoever blocks the signals that it catches, but for the wait itself, misses none. */
MUST_CHECK int client_connect(const char *socket_path, const sigset_t *waiting,
                              struct client_connection *connection, struct err *err);
void client_close(struct client_connection *connection);

/* Takes over `message`; its text is wiped after it was sent. */
MUST_CHECK int client_send(struct client_connection *connection, json_t *message,
                           struct err *err);
/* The next message (owned by the caller). The end of the connection is ERR_NOT_FOUND; a
 * signal that was caught is ERR_TIMEOUT, and the call can be made again. */
MUST_CHECK int client_receive(struct client_connection *connection, json_t **message,
                              struct err *err);

#endif
