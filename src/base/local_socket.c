/* SPDX-License-Identifier: Apache-2.0 */
/* Owns both ends of a socket of this host up to the first message. */
#include "base/line.h"
#include "base/local_socket.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 64 };

/* A socket and its address; -1 with errno. */
static int open_for(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address->sun_path, path, strlen(path));
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

int local_listen(const char *path, int *out, struct err *err)
{
    struct sockaddr_un address;
    struct stat info;
    FD_AUTO fd = open_for(path, &address);
    if (fd >= 0 && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0666) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
        return err_errno(err, ERR_HOST, errno, "listen on `%s`", path);
    *out = fd;
    fd = -1;
    return 0;
}

int local_connect(const char *path)
{
    struct sockaddr_un address;
    FD_AUTO fd = open_for(path, &address);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    int connected = fd;
    fd = -1;
    return connected;
}

/* Is root or `user` at the other end? */
static bool peer_may(int peer, uid_t user, const char *program)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
        (who.uid == user || who.uid == 0))
        return true;
    line_err("%s: user %ld may not ask", program, (long)who.uid);
    return false;
}

int local_accept(int listener, uid_t user, const char *program, int *out, struct err *err)
{
    for (;;) {
        FD_AUTO peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0 && errno != EINTR && errno != ECONNABORTED)
            return err_errno(err, ERR_HOST, errno, "take a connection");
        if (peer < 0 || !peer_may(peer, user, program))
            continue;
        *out = peer;
        peer = -1;
        return 0;
    }
}

bool local_fork(int listener, const char *program, pid_t *parent)
{
    *parent = getpid();
    pid_t child = fork();
    if (child == 0)
        close(listener); /* or who comes when we are dead would wait for it */
    if (child < 0)
        line_err("%s: fork: %s", program, strerror(errno));
    return child == 0;
}
