/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is said between a measurement and ratchet-clocks. */
#include "measure/device/clocks_ask.h"

#include "base/file.h"
#include "base/local_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_S = 60 }; /* a driver that is asleep takes seconds to wake up */

/* ---- a wish ---- */

int clocks_wish_read(const char *line, size_t len, struct clocks_wish *out, struct err *err)
{
    char text[CLOCKS_LINE_BYTES], verb[8], again[CLOCKS_LINE_BYTES];
    *out = (struct clocks_wish){.lock = false};
    if (len >= sizeof text || memchr(line, '\0', len) != NULL)
        return err_set(err, ERR_INPUT, "what is asked for is malformed");
    memcpy(text, line, len);
    text[len] = '\0';
    _Static_assert(sizeof out->device == 64 && sizeof out->gpu == 17, "the numbers below");
    if (sscanf(text, "%7[a-z] %63[a-z0-9_.-] %16[0-9a-f] %5u", verb, out->device, out->gpu,
               &out->mhz) != 4)
        return err_set(err, ERR_INPUT, "what is asked for is malformed");
    out->lock = strcmp(verb, "lock") == 0;
    snprintf(again, sizeof again, "%s %s %s %u", out->lock ? "lock" : "try", out->device,
             out->gpu, out->mhz);
    return strcmp(again, text) == 0 && strlen(out->gpu) + 1 == sizeof out->gpu
               ? 0
               : err_set(err, ERR_INPUT, "what is asked for is malformed");
}

/* ---- who asks ---- */

static int hear(int connection, struct err *err)
{
    char line[CLOCKS_LINE_BYTES];
    ssize_t len;
    do {
        len = recv(connection, line, sizeof line - 1, 0);
    } while (len < 0 && errno == EINTR);
    if (len < 0)
        return err_errno(err, ERR_HOST, errno, "ratchet-clocks");
    line[len] = '\0';
    if (strcmp(line, CLOCKS_DONE) == 0)
        return 0;
    return err_set(err, ERR_HOST, "%s", len == 0 ? "ratchet-clocks ended" : line);
}

static int say(int connection, char *line, int descriptor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec part = {line, strlen(line)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    if (descriptor >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    return sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)part.iov_len ? 0 : -1;
}

int clocks_ask(const char *socket, const struct clocks_wish *wish, int device_lock,
               int *connection, struct err *err)
{
    char line[CLOCKS_LINE_BYTES];
    const struct timeval patience = {.tv_sec = ANSWER_S};
    snprintf(line, sizeof line, "%s %s %s %u", wish->lock ? "lock" : "try", wish->device,
             wish->gpu, wish->mhz);
    FD_AUTO fd = local_connect(socket);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        say(fd, line, device_lock) != 0)
        return err_errno(err, ERR_HOST, errno, "ratchet-clocks at `%s`", socket);
    if (hear(fd, err) != 0)
        return -1;
    *connection = fd;
    fd = -1;
    return 0;
}

int clocks_ask_end(int *connection, struct err *err)
{
    int result = shutdown(*connection, SHUT_WR) != 0
                     ? err_errno(err, ERR_HOST, errno, "ratchet-clocks")
                     : hear(*connection, err);
    file_close(connection);
    return result;
}
