/* SPDX-License-Identifier: Apache-2.0 */
/* How a child is started and ended, between the files that run one. */
#ifndef RATCHET_BASE_PROC_INTERNAL_H
#define RATCHET_BASE_PROC_INTERNAL_H

#include "base/proc.h"

#include <poll.h>

/* The two ends of a pipe, closed at the end of the scope; -1: taken over by somebody. */
struct pair {
    int fd[2];
};
#define PAIR_AUTO __attribute__((cleanup(proc_close_pair))) struct pair
void proc_close_pair(struct pair *pair);
MUST_CHECK int proc_pipe(struct pair *pair, struct err *err);

/* The lifeline of a child. When the child has died, what is left of it is to end, too: it could
 * hold the child's pipes open. So whoever waits for these polls `child` as well. */
struct lifeline {
    struct pair pipe;
    int child; /* readable when it has died; -1: it has no lifeline, or none any more */
};
#define LIFELINE_NONE  \
    {                  \
        {{-1, -1}}, -1 \
    }
#define LIFELINE_AUTO __attribute__((cleanup(proc_lifeline_end))) struct lifeline
MUST_CHECK int proc_lifeline(const struct proc_spec *spec, struct lifeline *out,
                             struct err *err);
void proc_lifeline_watch(struct lifeline *lifeline, pid_t child);
void proc_lifeline_end(struct lifeline *lifeline);

/* What becomes the child's descriptors; -1 for none. */
struct streams {
    int fd[PROC_DESCRIPTORS];
};

/* What a spec gives as it is; 0 is none there. */
static inline int proc_given(int fd)
{
    return fd == 0 ? -1 : fd;
}

/* Fork and exec. A program that cannot be started is told from one that exits 127. */
MUST_CHECK int proc_launch(const struct proc_spec *spec, const struct streams *streams,
                           pid_t *pid, struct err *err);

/* Wait for the child until the deadline, then kill its group; always reaps it. */
void proc_reap(pid_t pid, uint64_t deadline_ns, bool timed_out, struct proc_result *result);

/* Deadlines are of proc_now_ns; 0: none. */
uint64_t proc_deadline_in(unsigned ms);
bool proc_is_over(uint64_t deadline_ns);
/* poll() until something is ready (1) or the deadline is over (0), however far it is. */
int proc_poll(struct pollfd *fds, nfds_t count, uint64_t deadline_ns);

#endif
