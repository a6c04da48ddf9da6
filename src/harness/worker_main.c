/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what runs in a worker beside its library. Nothing in here is safe from that: no secret comes
 * here, no clock of ours, and which launch and which row are looked at is drawn elsewhere. */
#include "harness/library.h"
#include "harness/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET = 3 };

/* ---- requests ---- */

static bool hear(struct worker_request *request, int *fd)
{
    struct iovec bytes = {request, sizeof *request};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } passed = {0};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &passed,
                             .msg_controllen = sizeof passed};
    ssize_t got;
    do
        got = recvmsg(SOCKET, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *fd = -1;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return got == (ssize_t)sizeof *request;
}

static bool answer(const struct worker_reply *reply)
{
    return send(SOCKET, reply, sizeof *reply, MSG_NOSIGNAL) == (ssize_t)sizeof *reply;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void delay(uint64_t ns)
{
    uint64_t until = now_ns() + ns;
    while (now_ns() < until)
        ;
}

static void sample(const struct attention_kernel *kernel, const struct worker_request *request,
                   const struct attention_cpu_stream *stream, struct worker_reply *reply)
{
    size_t set = request->first;
    for (unsigned long i = 0; i < request->launches; i++) {
        const struct device_inputs inputs = device_set(&request->sets, set);
        const struct device_outputs to = device_output(&request->to, set);
        int result = kernel->forward(&request->problem, inputs.q, inputs.k, inputs.v, to.out,
                                     to.lse, request->workspace, (void *)stream);
        if (reply->result == 0)
            reply->result = result;
        if (++set == request->sets.q_count)
            set = 0;
    }
    if (request->delayed)
        delay(request->delay_ns);
}

static void obey(const struct attention_kernel *kernel, const struct worker_request *request,
                 int fd, const struct attention_cpu_stream *stream, struct worker_reply *reply)
{
    struct err why = {0};
    switch (request->ask) {
    case WORKER_PREPARE:
        *reply = worker_prepare(kernel, &request->problem);
        break;
    case WORKER_MAP:
        reply->result = shared_map(&request->shared, fd, &why);
        snprintf(reply->text, sizeof reply->text, "%.*s", WIRE_TEXT_BYTES - 1, why.text);
        break;
    case WORKER_UNMAP:
        munmap(request->shared.at, request->shared.bytes);
        break;
    case WORKER_SAMPLE:
        sample(kernel, request, stream, reply);
        break;
    }
    if (fd >= 0)
        close(fd);
}

/* ---- its start ---- */

/* Signals end this process, in silence: the harness sees of what it died. It makes no file, and none
 * in memory either, and ends with the harness. */
static int settle_in(int socket, bool pins, struct err *err)
{
    const struct rlimit no_file = {1, 1};
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a terminal's stop and go on are not for it */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || setrlimit(RLIMIT_FSIZE, &no_file) != 0 ||
        (socket != SOCKET && dup2(socket, SOCKET) < 0) || close_range(SOCKET + 1, ~0u, 0) != 0)
        return err_errno(err, ERR_HOST, errno, "set up a library's process");
    return worker_confine(pins, err);
}

_Noreturn void worker_main(int socket, const char *path,
                           const struct attention_cpu_stream *stream)
{
    struct worker_request request;
    struct worker_reply reply = {0};
    struct err why = {0};
    static struct library library;
    int fd;
    bool pins = stream->threads > 1 && stream->cpus != NULL;
    if (settle_in(socket, pins, &why) != 0 ||
        library_open(path, ATTENTION_CPU, &library, &why) != 0)
        reply.result = -1;
    snprintf(reply.text, sizeof reply.text, "%.*s", WIRE_TEXT_BYTES - 1,
             reply.result == 0 ? library.name : why.text);
    if (!answer(&reply))
        _exit(1);
    while (hear(&request, &fd)) {
        reply = (struct worker_reply){0};
        obey(&library.kernel, &request, fd, stream, &reply);
        if (!answer(&reply))
            _exit(1);
    }
    _exit(0);
}
