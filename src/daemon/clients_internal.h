/* SPDX-License-Identifier: Apache-2.0 */
/* What the files know of a connection that are about it: clients.c, clients_ask.c, clients_tell.c. */
#ifndef RATCHET_DAEMON_CLIENTS_INTERNAL_H
#define RATCHET_DAEMON_CLIENTS_INTERNAL_H

#include "base/buf.h"
#include "base/json.h"
#include "daemon/clients.h"
#include "daemon/waits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct client {
    int fd; /* -1: free */
    struct buf in, out;
    size_t sent; /* of out */
    uid_t uid;
    long long job;                         /* that it waits for; 0: none */
    bool owns;                             /* … and may cancel */
    const struct host_repository *settles; /* it waits until this is owed nothing; NULL */
    uint64_t settles_until_ns;
    bool closing;       /* once out is sent */
    uint64_t since_ns;  /* it came, or took a byte of what it was told */
    struct waits waits; /* what it was told that its job waits for… */
    uint64_t waits_ns;  /* …when; 0: not yet */
};

struct clients {
    const struct host *host;
    struct db *db;
    struct schedule *schedule;
    int listen_fd;
    struct client all[CLIENTS_MAX];
};

/* The connection ends; a job that it brought goes on. */
void clients_drop(struct clients *clients, struct client *client);
/* By which the schedule knows the token of a client without a job. */
long long clients_bringer(const struct clients *clients, const struct client *client);

/* The result of its job, after which the connection ends. */
MUST_CHECK int clients_send_result(const struct clients *clients, struct client *client,
                                   const struct queue_entry *entry, struct err *err);
/* Who brought a token for what is owed stays until nothing is, or as long as it wanted. */
void clients_tell_settled(struct clients *clients);

/* A whole message of a client's is answered. An error is the client's, who is told it. */
MUST_CHECK int clients_answer(struct clients *clients, struct client *client,
                              const json_t *message, struct err *err);

#endif
