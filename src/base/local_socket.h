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

/* The next connection of root or of `user`, for the caller to close; the kernel says who it is. Anybody else
 * is sent away and named on stderr, as `program`'s word. */
MUST_CHECK int local_accept(int listener, uid_t user, const char *program, int *out,
                            struct err *err);

/* True in a process made for one connection, which holds the listener no longer; `parent` is who made it.
 * That none could be made is told on stderr, and the server goes on. */
bool local_fork(int listener, const char *program, pid_t *parent);

#endif
