/* SPDX-License-Identifier: Apache-2.0 */
/* The connections to ratchetd's socket: who may ask, what is asked and answered, and who waits
 * for which job. The words of the protocol are those of daemon/message.h. */
#ifndef RATCHET_DAEMON_CLIENTS_H
#define RATCHET_DAEMON_CLIENTS_H

#include "base/err.h"
#include "daemon/schedule.h"
#include "intake/host.h"
#include "intake/queue.h"

#include <poll.h>
#include <stdint.h>

enum { CLIENTS_MAX = 256, CLIENTS_FDS_MAX = CLIENTS_MAX + 1 };

struct clients;

/* All are borrowed until clients_close, which ends every connection; the jobs go on. */
MUST_CHECK int clients_open(const struct host *host, struct db *db, struct schedule *schedule,
                            int listen_fd, struct clients **out, struct err *err);
void clients_close(struct clients **clients);

/* Tell whoever waits for the job: a line of its progress; its result, which ends the connection.
 * Who does not read what he is told is dropped. */
void clients_tell_line(struct clients *clients, long long job, const char *line);
void clients_tell_result(struct clients *clients, const struct queue_entry *entry);
/* Tell all who wait for a job what it waits for, where that has changed or the last word is
 * heartbeat-ms old; its result, where GitHub cannot be told for long. */
void clients_tell_waits(struct clients *clients);
/* When one is to be told something again, or has been idle for too long (monotonic); UINT64_MAX: never. */
uint64_t clients_due_ns(const struct clients *clients);

/* What to poll: fills fds[CLIENTS_FDS_MAX] and returns how many there are. After the poll they
 * are handed to clients_handle, which reads, answers and sends. */
size_t clients_poll(const struct clients *clients, struct pollfd *fds);
void clients_handle(struct clients *clients, const struct pollfd *fds);

#endif
