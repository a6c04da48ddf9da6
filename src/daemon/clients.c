/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connections and their buffers. Nothing blocks: what a client does not take at once
 * is kept for it, up to a bound. */
#include "daemon/clients_internal.h"

#include "base/file.h"
#include "base/proc.h"
#include "daemon/message.h"
#include "daemon/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_OUT_MAX = 96 << 20 };

/* ---- connections ---- */

static void refuse(struct client *client, const struct err *problem)
{
    message_add_error(&client->out, problem);
    client->closing = true;
}

/* One user may have three quarters of all places, so that there is always one for another's. */
static size_t places_for(const struct clients *clients, uid_t uid)
{
    size_t all = clients->host->limits.clients < CLIENTS_MAX
                     ? (size_t)clients->host->limits.clients
                     : CLIENTS_MAX;
    return uid == 0 || uid == geteuid() ? all : all - (all + 3) / 4;
}

/* A free place for somebody of this user; NULL: there is none. */
static struct client *find_place(struct clients *clients, uid_t uid)
{
    size_t used = 0, own = 0;
    struct client *place = NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        used += client->fd >= 0;
        own += client->fd >= 0 && client->uid == uid;
        if (client->fd < 0 && place == NULL)
            place = client;
    }
    return used < clients->host->limits.clients && own < places_for(clients, uid) ? place
                                                                                  : NULL;
}

/* Told at once, as far as the socket takes it: there is no place to keep it for later. */
static void refuse_at_once(int fd, const struct err *problem)
{
    BUF_AUTO text;
    buf_init(&text, 4096);
    message_add_error(&text, problem);
    ssize_t ignored = send(fd, text.data, text.len, MSG_NOSIGNAL);
    (void)ignored;
    close(fd);
}

static void accept_client(struct clients *clients)
{
    struct err problem;
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = accept4(clients->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        !request_user_ok(clients->host, peer.uid)) {
        err_set(&problem, ERR_AUTH, "user %u may not talk to this daemon (daemon.allow-user)",
                (unsigned)peer.uid);
        refuse_at_once(fd, &problem);
        return;
    }
    struct client *client = find_place(clients, peer.uid);
    if (client == NULL) {
        close(fd); /* the client waits, and comes again */
        return;
    }
    *client = (struct client){.fd = fd, .uid = peer.uid, .since_ns = proc_now_ns()};
    buf_init(&client->in, clients->host->limits.message_bytes);
    buf_init(&client->out, CLIENT_OUT_MAX);
}

int clients_open(const struct host *host, struct db *db, struct schedule *schedule,
                 int listen_fd, struct clients **out, struct err *err)
{
    struct clients *clients = calloc(1, sizeof *clients);
    if (clients == NULL)
        return err_set(err, ERR_HOST, "out of memory for the clients");
    clients->host = host;
    clients->db = db;
    clients->schedule = schedule;
    clients->listen_fd = listen_fd;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        clients->all[i].fd = -1;
    *out = clients;
    return 0;
}

void clients_close(struct clients **clients)
{
    if (*clients == NULL)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if ((*clients)->all[i].fd >= 0)
            clients_drop(*clients, &(*clients)->all[i]);
    free(*clients);
    *clients = NULL;
}

/* ---- reading and sending ---- */

static void read_client(struct clients *clients, struct client *client)
{
    char chunk[1 << 14];
    struct err err = {0};
    ssize_t got = read(client->fd, chunk, sizeof chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        clients_drop(clients, client); /* the job goes on: it was accepted */
        return;
    }
    size_t room = client->in.max - client->in.len;
    buf_add(&client->in, chunk, (size_t)got < room ? (size_t)got : room);
    explicit_bzero(chunk, (size_t)got);
    if (buf_check(&client->in, "a client's message", &err) != 0) {
        refuse(client, &err);
        return;
    }
    while (client->fd >= 0 && !client->closing) {
        json_t *message = NULL;
        int taken = message_take(&client->in, "a client", &message, &err);
        int done = taken > 0 ? clients_answer(clients, client, message, &err) : taken;
        json_decref(message);
        if (done < 0)
            refuse(client, &err);
        if (taken <= 0)
            break;
    }
}

static void write_client(struct clients *clients, struct client *client)
{
    while (client->sent < client->out.len) {
        ssize_t put = send(client->fd, client->out.data + client->sent,
                           client->out.len - client->sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return;
        if (put < 0) {
            clients_drop(clients, client);
            return;
        }
        client->sent += (size_t)put;
        client->since_ns = proc_now_ns();
    }
    client->sent = 0;
    buf_clear(&client->out);
    if (client->closing)
        clients_drop(clients, client);
}

/* A place is for who asks for something, and reads the answer. Who waits for a job may be silent as
 * long as it takes. */
static bool just_waits(const struct client *client)
{
    return (client->job != 0 || client->settles != NULL) && !client->closing &&
           client->out.len == 0;
}

static uint64_t idle_until_ns(const struct clients *clients, const struct client *client)
{
    return client->since_ns + 1000000ull * clients->host->limits.client_ms;
}

static void drop_idle(struct clients *clients)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (client->fd >= 0 && !just_waits(client) &&
            proc_now_ns() > idle_until_ns(clients, client))
            clients_drop(clients, client);
    }
}

uint64_t clients_due_ns(const struct clients *clients)
{
    uint64_t due_ns = UINT64_MAX;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &clients->all[i];
        if (client->fd < 0)
            continue;
        uint64_t its_ns = !just_waits(client) ? idle_until_ns(clients, client)
                          : client->settles != NULL
                              ? client->settles_until_ns
                              : client->waits_ns +
                                    1000000ull * clients->host->limits.heartbeat_ms;
        due_ns = its_ns < due_ns ? its_ns : due_ns;
    }
    return due_ns;
}

size_t clients_poll(const struct clients *clients, struct pollfd *fds)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &clients->all[i];
        short events = client->out.len > client->sent ? POLLOUT : 0;
        if (!client->closing)
            events |= POLLIN;
        fds[i] = (struct pollfd){.fd = client->fd, .events = events};
    }
    fds[CLIENTS_MAX] = (struct pollfd){.fd = clients->listen_fd, .events = POLLIN};
    return CLIENTS_FDS_MAX;
}

/* New connections come after the reading, so that none gets what was polled for another that
 * had its place and descriptor. */
void clients_handle(struct clients *clients, const struct pollfd *fds)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (client->fd < 0 || client->fd != fds[i].fd)
            continue; /* dropped since the poll */
        if (client->closing && (fds[i].revents & (POLLHUP | POLLERR)))
            clients_drop(clients, client);
        else if (!client->closing && (fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
            read_client(clients, client);
    }
    if (fds[CLIENTS_MAX].revents != 0)
        accept_client(clients);
    clients_tell_settled(clients);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (clients->all[i].fd >= 0 &&
            (clients->all[i].out.len > 0 || clients->all[i].closing))
            write_client(clients, &clients->all[i]);
    drop_idle(clients);
}
