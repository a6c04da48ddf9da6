/* SPDX-License-Identifier: Apache-2.0 */
/* `idle-command`: what the host's owner wants run once the daemon has had nothing to do for
 * `idle-after`, such as one that puts the host to sleep. Once each time: again only after there was
 * something to do, or the host has slept; one that fails, or finds a device in use, after as long again.
 *
 * The child that runs it, `ratchetd --idle`, first looks whether anybody else is on a device: GPUs
 * are asked there, as a driver that hangs must not hang the daemon. */
#ifndef RATCHET_DAEMON_IDLE_H
#define RATCHET_DAEMON_IDLE_H

#include "base/err.h"
#include "intake/host.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How long there has been nothing to do. Times of one clock that stands while the host sleeps; how
 * long it has slept since it was started. */
struct idle_watch {
    uint64_t after_ns, since_ns, slept_ns;
    bool ran; /* since then */
};
/* Is the command due? */
bool idle_watch_turn(struct idle_watch *watch, uint64_t now_ns, uint64_t slept_ns, bool busy);

struct idle {
    const struct host *host;
    const char *config; /* of the host, for the child; may be NULL */
    struct idle_watch watch;
    pid_t pid;    /* 0: it does not run */
    bool stopped; /* it was killed, as far as it can be */
    int fd;       /* pipe on which the child says who is on a device; -1 */
    uint64_t started_ns;
    char last[MODEL_TEXT_BYTES]; /* who was, the last time */
};

/* Both are borrowed until idle_close, which kills the command. */
void idle_open(struct idle *idle, const struct host *host, const char *config);
void idle_close(struct idle *idle);

/* Does the host want it at all? */
bool idle_is_wanted(const struct idle *idle);
/* To be called at each turn of the daemon's loop, also when a child has ended. `busy`: a job is not
 * done. Then a command that still runs is killed. */
void idle_turn(struct idle *idle, bool busy);
/* When the next turn has to be, by proc_now_ns; UINT64_MAX: when something happens. */
uint64_t idle_due_ns(const struct idle *idle);

/* `ratchetd --idle`: becomes the command. Returns how the process is to end where a device is in use,
 * said on `fd`, or where it cannot be. */
int idle_become(const struct host *host, int fd);

#endif
