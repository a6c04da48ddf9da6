/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation with one harness process: its folder of copies, its sandbox, its limits,
 * one command and its answer at a time. Tells the end of a process by its cause; whose fault
 * that is, bench_fault.c decides. */
#ifndef RATCHET_MEASURE_SESSION_H
#define RATCHET_MEASURE_SESSION_H

#include "base/err.h"
#include "measure/bench.h"
#include "measure/lines.h"

#include <stdint.h>

enum reply {
    REPLY_OK,
    REPLY_WRONG,  /* `wrong ARM TEXT` came instead; the process goes on */
    REPLY_FAILED, /* `failed TEXT` or `refused`; the process goes on */
    REPLY_LOST    /* the process is over: ask session_loss */
};

/* How a process was lost. */
enum loss {
    LOSS_NONE,
    LOSS_CRASH,   /* a signal, or an exit that was not asked for */
    LOSS_KILLED,  /* SIGKILL or SIGTERM, from outside as far as anyone can tell */
    LOSS_HANG,    /* nothing in time */
    LOSS_GARBLED, /* something that is not an answer to the command */
    LOSS_OURS     /* a command that we could not write */
};

struct session;

/* The copy of the harness in the folder; the libraries lie beside it under plain names. */
#define SESSION_PROGRAM "ratchet-bench"

/* Start the harness in `folder`, which has its copies already, and hear its first line.
 * Every failure here is the host's. `wall_ms` bounds the whole conversation. */
MUST_CHECK int session_start(const struct bench_request *request, const char *folder,
                             uint64_t wall_ms, struct session **out, struct err *err);

/* Of which of the request's configs the commands to come are: for BENCH_BUSY alone, which the
 * request's listener hears while an answer lets wait. */
void session_begin_config(struct session *session, const struct bench_config *config);

/* Send one command. REPLY_OK or REPLY_LOST. */
enum reply session_send(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The next line, which has to be of kind `want` and, unless `arm` is ARM_COUNT, about that
 * arm. `wrong` must be about that arm too where one is given. */
enum reply session_receive(struct session *session, enum line_kind want, enum arm arm,
                           struct line *line);

/* How long it has waited for a processor, ns: of use as a difference. See waited.h. */
uint64_t session_waited_ns(const struct session *session);

enum loss session_loss(const struct session *session);
const char *session_text(const struct session *session); /* of the loss, one line */

/* Ask it to quit, or kill it; frees. NULL is fine. */
void session_end(struct session *session);

#endif
