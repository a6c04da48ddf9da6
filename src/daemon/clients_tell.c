/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is told to those who wait, and that they are let go. */
#include "daemon/clients_internal.h"

#include "base/file.h"
#include "base/line.h"
#include "base/proc.h"
#include "daemon/message.h"
#include "daemon/results.h"

#include <stdio.h>
#include <string.h>

long long clients_bringer(const struct clients *clients, const struct client *client)
{
    return -1 - (client - clients->all);
}

void clients_drop(struct clients *clients, struct client *client)
{
    if (client->settles != NULL)
        schedule_drop_token(clients->schedule, clients_bringer(clients, client));
    file_close(&client->fd);
    explicit_bzero(client->in.data, client->in.len);
    buf_free(&client->in);
    buf_free(&client->out);
    *client = (struct client){.fd = -1};
}

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
    line_err("ratchetd: a client is dropped: %s", err->text);
    clients_drop(clients, client);
}

int clients_send_result(const struct clients *clients, struct client *client,
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
            drop_if_full(clients, client, clients_send_result(clients, client, entry, &err),
                         &err);
    }
}

/* What its job waits for: at once where that is another thing, else as a sign of life. Where GitHub
 * takes nothing for long, the verdict: what one job met holds for others of its repository. */
static int tell_waits(struct clients *clients, struct client *client, struct err *err)
{
    struct queue_entry entry;
    struct waits waits;
    char text[PROGRESS_TEXT_BYTES];
    uint64_t now = proc_now_ns();
    if (queue_get(clients->db, client->job, &entry, err) != 0 ||
        waits_find(clients->schedule, &entry, &waits, err) != 0) {
        line_err("ratchetd: job %lld: %s", client->job, err->text);
        client->waits_ns = now;
        return 0; /* it hears of it another time */
    }
    if (schedule_is_put_off(clients->schedule, &entry))
        return clients_send_result(clients, client, &entry, err);
    bool due = now - client->waits_ns >= 1000000ull * clients->host->limits.heartbeat_ms;
    if (client->waits_ns != 0 && !due && waits_same(&waits, &client->waits))
        return 0;
    /* A pause that goes on is told in the words that were said first: it is no news. */
    if (client->waits_ns == 0 || waits.what == WAITS_STEP ||
        !waits_same(&waits, &client->waits))
        client->waits = waits;
    client->waits_ns = now;
    if (waits.what == WAITS_NOTHING)
        return 0;
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

void clients_tell_settled(struct clients *clients)
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
