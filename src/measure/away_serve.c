/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the far side: ratchet-run, and a process of it for each sandbox. Who asks is told from others by
 * the kernel, and what he asks for has to have one of our forms. */
#include "measure/away_forms.h"
#include "measure/away_internal.h"

#include "base/file.h"
#include "base/line.h"
#include "base/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_S = 10 };

struct request {
    char bytes[AWAY_BYTES_MAX];
    struct away_request asked;
    int fd[PROC_DESCRIPTORS];
};

/* ---- what is asked ---- */

static void take_descriptors(struct request *request, struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control == NULL || control->cmsg_level != SOL_SOCKET ||
        control->cmsg_type != SCM_RIGHTS)
        return;
    size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int), at = 0;
    for (int i = 0; i < AWAY_DESCRIPTORS && at < count; i++)
        if (request->bytes[i] == '1')
            memcpy(&request->fd[i], CMSG_DATA(control) + at++ * sizeof(int), sizeof(int));
}

/* What a proxy has, and nothing else: a folder's descriptor leads to all that lies below it and above, a
 * socket to a network, or to any descriptor that is sent through it. */
static bool is_ours(int at, int fd)
{
    struct stat info, null;
    if (fstat(fd, &info) != 0 || stat("/dev/null", &null) != 0)
        return false;
    bool nothing = S_ISCHR(info.st_mode) && info.st_rdev == null.st_rdev;
    return S_ISFIFO(info.st_mode) ||
           (at == STDIN_FILENO && (nothing || S_ISREG(info.st_mode)));
}

static int receive(int from, struct request *request, struct err *err)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int[AWAY_DESCRIPTORS]))];
    } control;
    struct iovec part = {request->bytes, sizeof request->bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    const struct timeval patience = {.tv_sec = RECEIVE_S};
    const size_t front = AWAY_DESCRIPTORS + 1;
    for (size_t i = 0; i < PROC_DESCRIPTORS; i++)
        request->fd[i] = -1;
    if (setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        return err_errno(err, ERR_HOST, errno, "set a timeout");
    ssize_t len = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    if (len < 0)
        return err_errno(err, ERR_HOST, errno, "read what is asked for");
    if (len == 0)
        _exit(0); /* somebody looked whether we are here */
    if (len <= (ssize_t)front || request->bytes[len - 1] != '\0' ||
        strspn(request->bytes, "01") != AWAY_DESCRIPTORS ||
        (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return err_set(err, ERR_INPUT, "what is asked for is malformed, or another version's");
    take_descriptors(request, &message);
    for (int i = 0; i <= PROC_LIFELINE; i++)
        if (request->fd[i] < 0 ? i != PROC_SIDE : !is_ours(i, request->fd[i]))
            return err_set(err, ERR_INPUT,
                           "descriptor %d is missing, or neither a pipe nor a build's input",
                           i);
    return away_take(request->bytes + front, (size_t)len - front, &request->asked, err);
}

/* ---- one sandbox ---- */

static int run(struct request *request, const struct away_bounds *bounds, int until,
               struct away_reply *reply, struct err *err)
{
    struct away_request *asked = &request->asked;
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    struct proc_result result;
    if (away_check(&asked->sandbox, bounds, asked->binds, &asked->sandbox.bind_count, err) !=
            0 ||
        sandbox_command(&asked->sandbox, &command, &spec, err) != 0)
        return -1;
    request->fd[PROC_DATA] = fcntl(spec.data, F_DUPFD_CLOEXEC, 0);
    if (proc_lend(&spec, request->fd, until, &result, err) != 0)
        return -1;
    reply->end = result.end;
    reply->code = result.code;
    reply->memory = sandbox_memory(command);
    return sandbox_end(&command, err);
}

static _Noreturn void keep(int with, const struct away_bounds *bounds, pid_t parent)
{
    static struct request request;
    struct away_reply reply = {.magic = AWAY_MAGIC};
    struct err err;
    signal(SIGCHLD, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    reply.failed = receive(with, &request, &err) != 0 ||
                   run(&request, bounds, with, &reply, &err) != 0;
    if (reply.failed) {
        line_err("ratchet-run: %s", err.text);
        if (request.fd[STDERR_FILENO] > STDERR_FILENO)
            dprintf(request.fd[STDERR_FILENO], "ratchet-run: %s\n", err.text);
    }
    ssize_t ignored = send(with, &reply, sizeof reply, MSG_NOSIGNAL);
    (void)ignored; /* a proxy that is gone hears nothing */
    _exit(0);
}

/* ---- all ---- */

int away_serve(int listener, uid_t user, const struct away_bounds *bounds, struct err *err)
{
    char folder[FILE_PATH_BYTES] = "";
    bool grouped = cgroup_find(folder, NULL) == 0;
    signal(SIGCHLD, SIG_IGN); /* they are reaped without us */
    for (;;) {
        FD_AUTO peer = -1;
        pid_t parent;
        if (local_accept(listener, user, "ratchet-run", &peer, err) != 0)
            return -1;
        if (grouped)
            cgroup_sweep(folder);
        if (local_fork(listener, "ratchet-run", &parent))
            keep(peer, bounds, parent);
    }
}
