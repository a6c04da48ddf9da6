/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the client's end of the socket. */
#include "daemon/client.h"

#include "base/file.h"
#include "daemon/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENT_MESSAGE_MAX = 1 << 20 };

int client_connect(const char *socket_path, struct client_connection *connection,
                   struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path)
        return err_set(err, ERR_USAGE, "socket path `%s` is too long", socket_path);
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    FD_AUTO fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, ERR_HOST, errno, "open a socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return err_errno(err,
                         errno == ENOENT || errno == ECONNREFUSED ? ERR_NOT_FOUND : ERR_HOST,
                         errno, "connect to ratchetd at `%s`", socket_path);
    *connection = (struct client_connection){.fd = fd};
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
        ssize_t put = send(connection->fd, text.data + sent, text.len - sent, MSG_NOSIGNAL);
        if (put >= 0)
            sent += (size_t)put;
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
        if (got < 0 && errno == EINTR)
            return err_set(err, ERR_TIMEOUT, "interrupted");
        if (got <= 0)
            return err_set(err, ERR_NOT_FOUND, "ratchetd closed the connection");
        size_t room = connection->in.max - connection->in.len;
        if ((size_t)got > room)
            return err_set(err, ERR_LIMIT, "ratchetd sent a message longer than %d bytes",
                           CLIENT_MESSAGE_MAX);
        buf_add(&connection->in, chunk, (size_t)got);
    }
}
