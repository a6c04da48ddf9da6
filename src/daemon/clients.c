/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the connections and their buffers. Nothing blocks: what a client does not take at once
 * is kept for it, up to a bound. */
#include "daemon/clients.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"
#include "daemon/message.h"
#include "daemon/request.h"
#include "daemon/results.h"
#include "daemon/status.h"
#include "daemon/waits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_OUT_MAX = 96 << 20 };

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

/* ---- connections ---- */

/* By which the schedule knows the token of a client without a job. */
static long long bringer_of(const struct clients *clients, const struct client *client)
{
    return -1 - (client - clients->all);
}

static void drop_client(struct clients *clients, struct client *client)
{
    if (client->settles != NULL)
        schedule_drop_token(clients->schedule, bringer_of(clients, client));
    file_close(&client->fd);
    explicit_bzero(client->in.data, client->in.len);
    buf_free(&client->in);
    buf_free(&client->out);
    *client = (struct client){.fd = -1};
}

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
            drop_client(*clients, &(*clients)->all[i]);
    free(*clients);
    *clients = NULL;
}

/* ---- telling those who wait ---- */

static bool waits_for(const struct client *client, long long job)
{
    return client->fd >= 0 && client->job == job && !client->closing;
}

/* After an append: who has not read for so long that it did not fit is let go. */
static void drop_if_full(struct clients *clients, struct client *client, int added,
                         const struct err *err)
{
    if (added == 0)
        return;
    fprintf(stderr, "ratchetd: a client is dropped: %s\n", err->text);
    drop_client(clients, client);
}

static int send_result(const struct clients *clients, struct client *client,
                       const struct queue_entry *entry, struct err *err)
{
    client->closing = true;
    return results_add(clients->host, entry, &client->out, err);
}

void clients_tell_line(struct clients *clients, long long job, const char *line)
{
    struct err err;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (waits_for(client, job))
            drop_if_full(clients, client,
                         results_add_line(&client->out, line, strlen(line), &err), &err);
    }
}

void clients_tell_result(struct clients *clients, const struct queue_entry *entry)
{
    struct err err;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (waits_for(client, entry->job.id))
            drop_if_full(clients, client, send_result(clients, client, entry, &err), &err);
    }
}

/* ---- what a client asks ---- */

/* What was asked for is nothing to do here; the client is told why, and the connection ends. */
static int send_ignored(struct client *client, const char *why, struct err *err)
{
    fprintf(stderr, "ratchetd: ignored: %s\n", why);
    client->closing = true;
    return message_add(
        &client->out,
        json_pack("{s:s, s:o}", "type", "ignored", "text", message_string(why, strlen(why))),
        err);
}

/* Known to whoever made the job, and to nobody who only knows its run. */
static int make_secret(char out[QUEUE_SECRET_BYTES], struct err *err)
{
    unsigned char bytes[(QUEUE_SECRET_BYTES - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_errno(err, ERR_HOST, errno, "read random bytes");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* Of those who wait for one job two are enough: who came first and is still there, and who comes back.
 * An older second one makes room. */
static void displace(struct clients *clients, const struct client *newest)
{
    enum { PER_JOB = 2 };
    struct client *second = NULL;
    size_t count = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (client == newest || client->fd < 0 || client->job != newest->job)
            continue;
        count++;
        if (!client->owns || second == NULL)
            second = client;
    }
    if (count >= PER_JOB)
        drop_client(clients, second);
}

static int start_job(struct clients *clients, struct client *client, struct request *request,
                     struct err *err)
{
    bool known;
    struct queue_entry entry;
    char secret[QUEUE_SECRET_BYTES];
    const struct queue_owner owner = {.uid = client->uid, .secret = secret};
    if (make_secret(secret, err) != 0 ||
        schedule_accept(clients->schedule, request, &owner, &entry, &known, err) != 0)
        return -1;
    client->job = entry.job.id;
    client->owns = !known ||
                   (entry.secret[0] != '\0' && strcmp(entry.secret, request->secret) == 0);
    displace(clients, client);
    if (message_add(&client->out,
                    json_pack("{s:s, s:I, s:s, s:b, s:s}", "type", "accepted", "job",
                              (json_int_t)client->job, "state", job_state_name(entry.state),
                              "known", known, "secret", client->owns ? entry.secret : ""),
                    err) != 0 ||
        results_add_log(clients->host, client->job, &client->out, err) != 0)
        return -1;
    return entry.state == JOB_DONE || schedule_is_put_off(clients->schedule, &entry)
               ? send_result(clients, client, &entry, err)
               : 0;
}

static int on_submit(struct clients *clients, struct client *client, const json_t *message,
                     struct err *err)
{
    struct request request;
    if (request_parse(clients->host, message, &request, err) != 0)
        return -1;
    int result = request.ignored ? send_ignored(client, request.why, err)
                                 : start_job(clients, client, &request, err);
    explicit_bzero(request.token, sizeof request.token);
    return result;
}

static int on_cancel(struct clients *clients, struct client *client, struct err *err)
{
    if (client->job == 0)
        return err_set(err, ERR_INPUT, "cancel: no job was submitted on this connection");
    if (!client->owns)
        return err_set(err, ERR_AUTH, "cancel: job %lld was submitted by another client",
                       client->job);
    return schedule_cancel(clients->schedule, client->job, err);
}

static int on_settle(struct clients *clients, struct client *client, const json_t *message,
                     struct err *err)
{
    const struct host_repository *repository;
    char token[MESSAGE_TOKEN_BYTES];
    unsigned wait_s;
    if (request_parse_settle(clients->host, message, &repository, token, &wait_s, err) != 0)
        return -1;
    client->settles = repository;
    client->settles_until_ns = proc_now_ns() + wait_s * 1000000000ull;
    schedule_add_token(clients->schedule, repository, bringer_of(clients, client), token);
    explicit_bzero(token, sizeof token);
    return 0;
}

/* Who brought a token for what is owed stays until nothing is, or as long as it wanted. */
static void tell_settled(struct clients *clients)
{
    struct err err;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (client->fd < 0 || client->settles == NULL || client->closing)
            continue;
        bool owed = schedule_owes(clients->schedule, client->settles);
        if (owed && proc_now_ns() < client->settles_until_ns)
            continue;
        client->closing = true;
        drop_if_full(clients, client,
                     message_add(&client->out,
                                 json_pack("{s:s, s:b}", "type", "settled", "owed", owed),
                                 &err),
                     &err);
    }
}

/* What its job waits for: at once where that is another thing, else as a sign of life. */
static int tell_waits(struct clients *clients, struct client *client, struct err *err)
{
    struct queue_entry entry;
    struct waits waits;
    char text[PROGRESS_TEXT_BYTES];
    uint64_t now = proc_now_ns();
    if (queue_get(clients->db, client->job, &entry, err) != 0 ||
        waits_find(clients->schedule, &entry, &waits, err) != 0) {
        fprintf(stderr, "ratchetd: job %lld: %s\n", client->job, err->text);
        return 0; /* it hears of it another time */
    }
    bool due = now - client->waits_ns >= 1000000ull * clients->host->limits.heartbeat_ms;
    if (waits.what == WAITS_NOTHING ||
        (client->waits_ns != 0 && !due && waits_same(&waits, &client->waits)))
        return 0;
    /* A pause that goes on is told in the words that were said first: it is no news. */
    if (client->waits_ns == 0 || waits.what == WAITS_STEP ||
        !waits_same(&waits, &client->waits))
        client->waits = waits;
    client->waits_ns = now;
    waits_words(&client->waits, text);
    return message_add(&client->out, json_pack("{s:s, s:s}", "type", "waiting", "text", text),
                       err);
}

void clients_tell_waits(struct clients *clients)
{
    struct err err;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        if (client->fd >= 0 && client->job != 0 && !client->closing)
            drop_if_full(clients, client, tell_waits(clients, client, &err), &err);
    }
}

static int on_status(const struct clients *clients, struct client *client, struct err *err)
{
    client->closing = true;
    return status_add(clients->schedule, clients->db, &client->out, err);
}

static int on_message(struct clients *clients, struct client *client, const json_t *message,
                      struct err *err)
{
    char type[16];
    struct json_at at = {.key = "message"};
    if (json_get_string(message, "type", &at, type, sizeof type, err) != 0)
        return -1;
    if (strcmp(type, "submit") == 0 && client->job == 0 && client->settles == NULL)
        return on_submit(clients, client, message, err);
    if (strcmp(type, "cancel") == 0)
        return on_cancel(clients, client, err);
    if (strcmp(type, "status") == 0)
        return on_status(clients, client, err);
    if (strcmp(type, "settle") == 0 && client->job == 0 && client->settles == NULL)
        return on_settle(clients, client, message, err);
    return err_set(err, ERR_INPUT, "message.type: `%s` is not expected here", type);
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
        drop_client(clients, client); /* the job goes on: it was accepted */
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
        int done = taken > 0 ? on_message(clients, client, message, &err) : taken;
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
            drop_client(clients, client);
            return;
        }
        client->sent += (size_t)put;
        client->since_ns = proc_now_ns();
    }
    client->sent = 0;
    buf_clear(&client->out);
    if (client->closing)
        drop_client(clients, client);
}

/* A place is for who asks for something, and reads the answer. Who waits for a job may be silent as
 * long as it takes. */
static void drop_idle(struct clients *clients)
{
    uint64_t now = proc_now_ns();
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->all[i];
        bool waits = (client->job != 0 || client->settles != NULL) && !client->closing &&
                     client->out.len == 0;
        if (client->fd >= 0 && !waits &&
            now - client->since_ns > 1000000ull * clients->host->limits.client_ms)
            drop_client(clients, client);
    }
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
            drop_client(clients, client);
        else if (!client->closing && (fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
            read_client(clients, client);
    }
    if (fds[CLIENTS_MAX].revents != 0)
        accept_client(clients);
    tell_settled(clients);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (clients->all[i].fd >= 0 &&
            (clients->all[i].out.len > 0 || clients->all[i].closing))
            write_client(clients, &clients->all[i]);
    drop_idle(clients);
}
