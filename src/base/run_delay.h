/* SPDX-License-Identifier: Apache-2.0 */
/* How long a process's first thread has waited for a processor, as the kernel counts it (run_delay of
 * schedstat, Linux' Documentation/scheduler/sched-stats.rst). Where the kernel or a sandbox does not show it, it
 * is not known, and counts as none. */
#ifndef RATCHET_BASE_RUN_DELAY_H
#define RATCHET_BASE_RUN_DELAY_H

#include <stdint.h>
#include <sys/types.h>

/* A file of /proc for the caller to keep open and close; -1: not known. */
int run_delay_open(pid_t pid);

/* ns since it began; 0 for -1. */
uint64_t run_delay_ns(int file);

#endif
