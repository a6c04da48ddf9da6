/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the client's end of the socket. */
#include "daemon/client.h"

#include "base/file.h"
#include "daemon/message.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENT_MESSAGE_MAX = 1 << 20 };

/* Until something can be read or written (POLLIN, POLLOUT). Blocked signals come in here and nowhere
 * else: one that came before is not missed. */
static int wait_for(const struct client_connection *connection, short events, struct err *err)
{
    struct pollfd fd = {.fd = connection->fd, .events = events};
    if (ppoll(&fd, 1, NULL, connection->waiting) >= 0)
        return 0;
    return errno == EINTR ? err_set(err, ERR_TIMEOUT, "interrupted")
                          : err_errno(err, ERR_HOST, errno, "wait for ratchetd");
}

int client_connect(const char *socket_path, const sigset_t *waiting,
                   struct client_connection *connection, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path)
        return err_set(err, ERR_USAGE, "socket path `%s` is too long", socket_path);
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    FD_AUTO fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "open a socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        bool away = errno == ENOENT || errno == ECONNREFUSED;
        return err_errno(err, away || errno == EAGAIN ? ERR_NOT_FOUND : ERR_HOST, errno,
                         "connect to ratchetd at `%s`%s", socket_path,
                         away ? " (is it running?)" : "");
    }
    *connection = (struct client_connection){.fd = fd, .waiting = waiting};
    buf_init(&connection->in, CLIENT_MESSAGE_MAX);
    fd = -1;
    return 0;
}

void client_close(struct client_connection *connection)
{
    file_close(&connection->fd);
    buf_free(&connection->in);
}

int client_send(struct client_connection *connection, json_t *message, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, CLIENT_MESSAGE_MAX);
    if (message_add(&text, message, err) != 0)
        return -1;
    int result = 0;
    for (size_t sent = 0; result == 0 && sent < text.len;) {
        struct err ignored; /* a signal: what was begun is sent */
        ssize_t put = send(connection->fd, text.data + sent, text.len - sent, MSG_NOSIGNAL);
        if (put >= 0)
            sent += (size_t)put;
        else if (errno == EAGAIN)
            (void)!wait_for(connection, POLLOUT, &ignored);
        else if (errno != EINTR)
            result = err_errno(err, ERR_NOT_FOUND, errno, "send to ratchetd");
    }
    explicit_bzero(text.data, text.len); /* a token may be in it */
    return result;
}

int client_receive(struct client_connection *connection, json_t **message, struct err *err)
{
    for (;;) {
        int taken = message_take(&connection->in, "ratchetd", message, err);
        if (taken != 0)
            return taken > 0 ? 0 : -1;
        char chunk[1 << 14];
        ssize_t got = read(connection->fd, chunk, sizeof chunk);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (wait_for(connection, POLLIN, err) != 0)
                return -1;
            continue;
        }
        if (got <= 0)
            return err_set(err, ERR_NOT_FOUND, "ratchetd closed the connection");
        size_t room = connection->in.max - connection->in.len;
        if ((size_t)got > room)
            return err_set(err, ERR_LIMIT, "ratchetd sent a message longer than %d bytes",
                           CLIENT_MESSAGE_MAX);
        buf_add(&connection->in, chunk, (size_t)got);
        if (buf_check(&connection->in, "a message", err) != 0)
            return -1;
    }
}
