/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a client may ask, and when. */
#include "daemon/clients_internal.h"

#include "base/line.h"
#include "base/proc.h"
#include "daemon/message.h"
#include "daemon/request.h"
#include "daemon/results.h"
#include "daemon/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* What was asked for is nothing to do here; the client is told why, and the connection ends. */
static int send_ignored(struct client *client, const char *why, struct err *err)
{
    line_err("ratchetd: ignored: %s", why);
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
        clients_drop(clients, second);
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
               ? clients_send_result(clients, client, &entry, err)
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
    char token[MODEL_TOKEN_BYTES];
    unsigned wait_s;
    if (request_parse_settle(clients->host, message, &repository, token, &wait_s, err) != 0)
        return -1;
    client->settles = repository;
    client->settles_until_ns = proc_now_ns() + wait_s * 1000000000ull;
    schedule_add_token(clients->schedule, repository, clients_bringer(clients, client), token);
    explicit_bzero(token, sizeof token);
    return 0;
}

static int on_status(const struct clients *clients, struct client *client, struct err *err)
{
    client->closing = true;
    return status_add(clients->schedule, clients->db, &client->out, err);
}

int clients_answer(struct clients *clients, struct client *client, const json_t *message,
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
