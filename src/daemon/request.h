/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may ask: the gate between a stranger's step and the queue. */
#ifndef RATCHET_DAEMON_REQUEST_H
#define RATCHET_DAEMON_REQUEST_H

#include "base/err.h"
#include "base/json.h"
#include "daemon/message.h"
#include "intake/host.h"
#include "intake/queue.h"
#include "model.h"

#include <stdbool.h>
#include <sys/types.h>

/* root, the daemon's own user, and daemon.allow-user. */
bool request_user_ok(const struct host *host, uid_t uid);

struct request {
    struct job job;
    char token[MODEL_TOKEN_BYTES];   /* that it brought; "" where the host keeps one */
    char secret[QUEUE_SECRET_BYTES]; /* that it was given when it came first; "": none */
    bool ignored;                    /* nothing to do here: no job, and `why` is said */
    char why[MODEL_TEXT_BYTES];
};

/* A `submit` message into a job that is allowed here. Ignored: a push to another branch than
 * the one that this host promotes. Refused: a repository or device that is not configured,
 * another API address than the host's, a key or number that is malformed, no token where one is
 * needed. Wiping the token is the caller's part. */
MUST_CHECK int request_parse(const struct host *host, const json_t *message,
                             struct request *out, struct err *err);

/* A `settle` message: the repository that it is about, its token, and how long the client waits.
 * Refused likewise. */
MUST_CHECK int request_parse_settle(const struct host *host, const json_t *message,
                                    const struct host_repository **repository,
                                    char token[MODEL_TOKEN_BYTES], unsigned *wait_s,
                                    struct err *err);

#endif
