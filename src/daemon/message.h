/* SPDX-License-Identifier: Apache-2.0 */
/* What ratchetd and its clients say to each other: one JSON object a line over a Unix stream
 * socket, each with "type". Version 1, sent by the client in its first message.
 *
 *     client                                    daemon
 *     submit  version, kind, repository, pr,    accepted  job, state, known, secret
 *             device, run, attempt, job,        log       text (one line)
 *             repository_id, api, token,        file      name, data (a piece; in order)
 *             ref (of a push), head (of the     result    exit, verdict, reason, comment
 *             event), secret                    annotation  text: a compiler's line about head
 *                                               ignored   text: no job; the connection ends
 *     cancel                                    waiting   text: what the job waits for, when that changes and
 *                                                         as a sign of life
 *     status                                    job       id, state, waits, … (one per job), then end
 *     settle  version, repository, api, token,  settled   owed: does something still wait?
 *             wait (seconds)                    error     text, exit; the connection ends
 *
 * `ref`, `head`, `secret`, `waiting` and `annotation` are newer than the rest: who does not know them does without.
 * Whoever was given the job's secret, or made the job on this connection, may cancel it. A token
 * travels in `submit` and `settle` only and is wiped from the buffers that carried it. */
#ifndef RATCHET_DAEMON_MESSAGE_H
#define RATCHET_DAEMON_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum { MESSAGE_VERSION = 1, MESSAGE_PIECE_BYTES = 32 << 10 };

/* Append the object and a newline; takes over `json`. NULL (out of memory) is an error. */
MUST_CHECK int message_add(struct buf *out, json_t *json, struct err *err);

/* Somebody's bytes as a JSON string: NUL, and what is not UTF-8, is `?`. jansson alone would refuse
 * them, and what they were part of would not be said. NULL: out of memory. */
json_t *message_string(const char *bytes, size_t len);

/* {"type": "error", …}; cannot fail but by leaving `out` as it was. */
void message_add_error(struct buf *out, const struct err *problem);

/* A whole file as `file` messages; bytes as in message_string(). */
MUST_CHECK int message_add_file(struct buf *out, const char *name, const char *bytes,
                                size_t len, struct err *err);

/* A text that the daemon sent; "" where there is none. Borrowed from the message. */
const char *message_text(const json_t *message, const char *key);

/* Take the first line out of `in`: 1 and *out (owned by the caller), 0 where there is no
 * whole line yet, -1. `who` is for the message. The bytes taken are wiped. */
MUST_CHECK int message_take(struct buf *in, const char *who, json_t **out, struct err *err);

#endif
