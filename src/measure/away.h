/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes that another program starts: ratchet-run, which has a user of its own, and neither network
 * nor token. It is asked on a socket of this host for a sandbox of one of its own forms (away_forms.h),
 * and given the descriptors of the one who asks. Who asks starts a process in the sandbox's place, the
 * proxy, which hands these over, and ends as the sandbox does. Killed, or with its lifeline at an end, the
 * sandbox is. */
#ifndef RATCHET_MEASURE_AWAY_H
#define RATCHET_MEASURE_AWAY_H

#include "base/err.h"
#include "base/proc.h"
#include "measure/cgroup.h"

#include <stdbool.h>
#include <sys/types.h>

/* From now on this process's sandboxes are ratchet-run's, which listens there; "": its own. */
void away_use(const char *socket);
const char *away_socket(void);

/* What is asked for is written down, in a file in memory: the proxy's PROC_PAPER. */
struct sandbox;
MUST_CHECK int away_write(const struct sandbox *sandbox, int *paper, struct err *err);
/* … and the proxy's answer in it, when it has ended. */
enum away_loss {
    AWAY_SEEN,   /* it ran to an end */
    AWAY_ABSENT, /* ratchet-run did not answer, and nothing was started */
    AWAY_DIED    /* it could not start it, or died */
};
struct away_answer {
    enum away_loss loss;
    enum cgroup_memory memory;
};
struct away_answer away_read(int paper);
/* The worst in this process. What came of a job that lost one is nobody's fault. */
enum away_loss away_worst(void);

/* The proxy's main, where a program is called so; -1: it is not. */
#define AWAY_PROXY "sandbox-away"
int away_proxy(int argc, char **argv);

/* ratchet-run's: serve whoever connects as `user`, within these bounds, until an error. */
struct away_bounds;
MUST_CHECK int away_serve(int listener, uid_t user, const struct away_bounds *bounds,
                          struct err *err);

#endif
