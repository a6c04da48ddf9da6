/* SPDX-License-Identifier: Apache-2.0 */
/* What ratchet-clocks does for whoever may ask it, see measure/device/clocks_ask.h. */
#ifndef RATCHET_CLOCKS_SERVE_H
#define RATCHET_CLOCKS_SERVE_H

#include "base/err.h"

#include <sys/types.h>

struct clocks_server {
    uid_t user; /* may ask, as root may */
    const char
        *config; /* ratchetd.conf: which clocks of which GPUs. Read anew for each request */
    const char *folder; /* of our own: what tells of clocks that are locked */
};

/* Unlock what was left so by one that was killed, then serve whoever connects, until an error. */
MUST_CHECK int clocks_serve(int listener, const struct clocks_server *server, struct err *err);

#endif
