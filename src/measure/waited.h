/* SPDX-License-Identifier: Apache-2.0 */
/* How long a harness has waited for a processor (base/run_delay.h): what others on the machine take of the
 * wall clock. */
#ifndef RATCHET_MEASURE_WAITED_H
#define RATCHET_MEASURE_WAITED_H

#include <stdint.h>
#include <sys/types.h>

struct waited {
    int file; /* of /proc, kept open; -1: not known */
};

/* `sandbox` is the process that we started; the harness, called `name`, is below it. */
void waited_open(struct waited *waited, pid_t sandbox, const char *name);
void waited_close(struct waited *waited);

/* Of its first thread, ns since it began. */
uint64_t waited_ns(const struct waited *waited);

#endif
