/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the requests: a process for each, since NVML answers the one that started it alone. It unlocks when
 * the connection ends, when it is told to end, and where it is killed its guardian does. */
#include "clocks/serve.h"

#include "base/file.h"
#include "base/line.h"
#include "base/local_socket.h"
#include "intake/host.h"
#include "measure/device/clocks.h"
#include "measure/device/clocks_ask.h"
#include "measure/device/device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECEIVE_S = 10 };

/* ---- what is asked ---- */

/* The descriptor that may come along is the lock of the device. */
static int receive(int from, struct clocks_wish *wish, int *device_lock, struct err *err)
{
    char line[CLOCKS_LINE_BYTES];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {line, sizeof line};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    const struct timeval patience = {.tv_sec = RECEIVE_S};
    if (setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        return err_errno(err, ERR_HOST, errno, "set a timeout");
    ssize_t len = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    if (len < 0)
        return err_errno(err, ERR_HOST, errno, "read what is asked for");
    if (len == 0)
        _exit(0); /* somebody looked whether we are here */
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return err_set(err, ERR_INPUT, "what is asked for is malformed");
    if (header != NULL && header->cmsg_level == SOL_SOCKET &&
        header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(device_lock, CMSG_DATA(header), sizeof *device_lock);
    return clocks_wish_read(line, (size_t)len, wish, err);
}

/* A lane of the host's, at the clock that its owner wrote down; nothing else is to be had. */
static int find(const struct host *host, const struct clocks_wish *wish, struct gpu *out,
                struct err *err)
{
    const struct host_device *device = host_find_device(host, wish->device);
    if (device == NULL || device->clock_lock_mhz != wish->mhz || wish->mhz == 0)
        return err_set(err, ERR_INPUT, "%s: no `clock-lock = %uMHz` for device `%s`",
                       host->file, wish->mhz, wish->device);
    for (size_t i = 0; i < device->lane_count; i++) {
        if (device_find_gpu(device->slug, device->lanes[i].gpu, out, err) != 0)
            return -1;
        if (strcmp(out->id, wish->gpu) == 0)
            return 0;
    }
    return err_set(err, ERR_INPUT, "%s: that GPU is no lane of device `%s`", host->file,
                   wish->device);
}

/* ---- one request ---- */

static void wake(int number)
{
    (void)number; /* to end a ppoll() is all that is wanted */
}

static void answer(int to, const char *line)
{
    ssize_t ignored = send(to, line, strlen(line), MSG_NOSIGNAL);
    (void)ignored; /* who is gone hears nothing */
}

/* Until the connection ends, or we are to. */
static void wait_for_end(int peer)
{
    sigset_t none;
    struct pollfd fd = {.fd = peer, .events = POLLIN};
    sigemptyset(&none);
    (void)ppoll(&fd, 1, NULL, &none);
}

static int hold(int peer, const struct clocks_server *server, const struct clocks_wish *wish,
                const struct gpu *gpu, int device_lock, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct clocks_lock *lock = NULL;
    bool undone;
    FD_AUTO alone = -1;
    if (file_path(path, err, "%s/ratchet-gpu-%s.lock", server->folder, gpu->id) != 0 ||
        file_lock(path, &alone, err) != 0 ||
        clocks_undo(wish->device, gpu, server->folder, &undone, err) != 0 ||
        clocks_lock(wish->device, gpu, wish->mhz, server->folder,
                    device_lock >= 0 ? device_lock : alone, &lock, err) != 0)
        return -1;
    answer(peer, CLOCKS_DONE);
    wait_for_end(peer);
    return clocks_unlock(&lock, err);
}

static int serve_one(int peer, const struct clocks_server *server, struct err *err)
{
    static struct host host;
    struct clocks_wish wish;
    struct gpu gpu;
    FD_AUTO device_lock = -1;
    if (receive(peer, &wish, &device_lock, err) != 0 ||
        host_load(server->config, &host, err) != 0 || find(&host, &wish, &gpu, err) != 0)
        return -1;
    return wish.lock ? hold(peer, server, &wish, &gpu, device_lock, err) : 0;
}

static _Noreturn void keep(int peer, const struct clocks_server *server, pid_t parent)
{
    struct err err = {0};
    const struct sigaction action = {.sa_handler = wake};
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &end, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(1);
    int result = serve_one(peer, server, &err);
    answer(peer, result == 0 ? CLOCKS_DONE : err.text);
    if (result != 0)
        line_err("ratchet-clocks: %s", err.text);
    _exit(result == 0 ? 0 : 1);
}

/* ---- all ---- */

/* Of a GPU that is asked for at this moment the file is not ours to remove: nobody is served yet. */
static int undo_all(const struct clocks_server *server, struct err *err)
{
    static struct host host;
    bool any, undone;
    if (clocks_any(server->folder, &any, err) != 0 || !any)
        return any ? -1 : 0;
    if (host_load(server->config, &host, err) != 0)
        return -1;
    for (size_t i = 0; i < host.device_count; i++)
        for (size_t j = 0; j < host.devices[i].lane_count; j++) {
            const struct host_device *device = &host.devices[i];
            struct gpu gpu;
            if (device_is_gpu(device->slug) &&
                (device_find_gpu(device->slug, device->lanes[j].gpu, &gpu, err) != 0 ||
                 clocks_undo(device->slug, &gpu, server->folder, &undone, err) != 0))
                return -1;
        }
    return 0;
}

/* In a process of its own: NVML would be ours, and no child's. */
static int undo_left(const struct clocks_server *server)
{
    struct err err;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int result = undo_all(server, &err);
        if (result != 0)
            line_err("ratchet-clocks: clocks that a killed one left locked: %s", err.text);
        _exit(result == 0 ? 0 : 1);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && status == 0 ? 0 : -1;
}

int clocks_serve(int listener, const struct clocks_server *server, struct err *err)
{
    if (undo_left(server) != 0)
        line_err("ratchet-clocks: whoever locks one of them next tries again");
    signal(SIGCHLD, SIG_IGN); /* they are reaped without us */
    for (;;) {
        FD_AUTO peer = -1;
        pid_t parent;
        if (local_accept(listener, server->user, "ratchet-clocks", &peer, err) != 0)
            return -1;
        if (local_fork(listener, "ratchet-clocks", &parent))
            keep(peer, server, parent);
    }
}
