/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets between two programs of this host, one message a request (SOCK_SEQPACKET). */
#ifndef RATCHET_BASE_LOCAL_SOCKET_H
#define RATCHET_BASE_LOCAL_SOCKET_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* For hosts and tests without systemd: everybody may connect, and who may ask is the server's to say. A
 * socket that lies there is taken to be a dead one's. */
MUST_CHECK int local_listen(const char *path, int *out, struct err *err);

/* The descriptor, which no exec carries on; -1 with errno. */
int local_connect(const char *path);

/* Is root or `user` at the other end? The kernel says so. Else it is named on stderr, as `program`'s word. */
bool local_peer_may(int peer, uid_t user, const char *program);

#endif
