/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the near side: who asks for a sandbox, and the proxy in its place. */
#include "measure/away_internal.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/line.h"
#include "base/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EXIT_LOST = 125 };

static char in_use[sizeof(struct sockaddr_un)];
static atomic_int worst;

void away_use(const char *socket)
{
    snprintf(in_use, sizeof in_use, "%s", socket);
}

const char *away_socket(void)
{
    return in_use;
}

int away_write(const struct sandbox *sandbox, int *paper, struct err *err)
{
    BUF_AUTO words;
    buf_init(&words, AWAY_BYTES_MAX - AWAY_DESCRIPTORS - 1);
    if (away_put(sandbox, &words, err) != 0)
        return -1;
    FD_AUTO fd = memfd_create("sandbox-paper", MFD_CLOEXEC);
    if (fd < 0 || write(fd, words.data, words.len) != (ssize_t)words.len)
        return err_errno(err, ERR_HOST, errno, "write down what a sandbox needs");
    *paper = fd;
    fd = -1;
    return 0;
}

struct away_answer away_read(int paper)
{
    struct away_answer answer;
    /* A proxy that was killed has written none. That it was for its time is known elsewhere. */
    if (lseek(paper, 0, SEEK_END) != (off_t)sizeof answer ||
        pread(paper, &answer, sizeof answer, 0) != (ssize_t)sizeof answer)
        return (struct away_answer){.memory = CGROUP_FITS};
    if ((int)answer.loss > worst)
        worst = (int)answer.loss;
    return answer;
}

enum away_loss away_worst(void)
{
    return (enum away_loss)worst;
}

/* ---- the proxy ---- */

static void answer(struct away_answer what)
{
    if (ftruncate(PROC_PAPER, 0) == 0 &&
        pwrite(PROC_PAPER, &what, sizeof what, 0) != (ssize_t)sizeof what)
        _exit(EXIT_LOST);
}

static _Noreturn void lose(enum away_loss loss, const char *socket, const char *why)
{
    if (loss == AWAY_ABSENT)
        line_err("ratchet-run at `%s`: %s", socket, why);
    answer((struct away_answer){.loss = loss});
    _exit(EXIT_LOST);
}

static int connect_to(const char *path)
{
    FD_AUTO fd = local_connect(path);
    return fd < 0 ? -1
                  : fcntl(fd, F_DUPFD_CLOEXEC, PROC_DESCRIPTORS); /* the others are counted */
}

static int hand_over(int to, char *bytes, size_t len)
{
    char present[AWAY_DESCRIPTORS + 1] = "";
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int[AWAY_DESCRIPTORS]))];
    } control = {0};
    int fds[AWAY_DESCRIPTORS];
    size_t count = 0;
    for (int i = 0; i < AWAY_DESCRIPTORS; i++) {
        present[i] = fcntl(i, F_GETFD) >= 0 ? '1' : '0';
        if (present[i] == '1')
            fds[count++] = i;
    }
    struct iovec parts[] = {{present, sizeof present}, {bytes, len}};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
    control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS,
                                      .cmsg_len = CMSG_LEN(count * sizeof *fds)};
    memcpy(CMSG_DATA(&control.header), fds, count * sizeof *fds);
    return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)(sizeof present + len) ? 0 : -1;
}

/* The sandbox's end becomes ours. */
static _Noreturn void end_as(const struct away_reply *reply)
{
    answer((struct away_answer){.loss = reply->failed ? AWAY_DIED : AWAY_SEEN,
                                .memory = reply->memory});
    if (!reply->failed && reply->end == PROC_SIGNALLED) {
        signal(reply->code, SIG_DFL);
        raise(reply->code);
    }
    _exit(reply->end == PROC_EXITED ? reply->code : EXIT_LOST);
}

/* Nobody else holds the far ends of what the sandbox was given, and we hold them no longer. */
static _Noreturn void wait_for_end(int from, const char *socket)
{
    for (int i = 0; i < AWAY_DESCRIPTORS; i++)
        if (i != PROC_LIFELINE)
            close(i);
    struct pollfd fds[] = {{.fd = from, .events = POLLIN},
                           {.fd = PROC_LIFELINE, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    struct away_reply reply;
    if (fds[0].revents == 0)
        _exit(EXIT_LOST);
    if (recv(from, &reply, sizeof reply, 0) != (ssize_t)sizeof reply ||
        reply.magic != AWAY_MAGIC)
        lose(AWAY_DIED, socket, NULL);
    end_as(&reply);
}

int away_proxy(int argc, char **argv)
{
    static char request[AWAY_BYTES_MAX];
    if (argc != 3 || strcmp(argv[1], AWAY_PROXY) != 0)
        return -1;
    prctl(PR_SET_DUMPABLE, 0);
    ssize_t len = pread(PROC_PAPER, request, sizeof request, 0);
    if (len <= 0)
        lose(AWAY_DIED, argv[2], NULL);
    int to = connect_to(argv[2]);
    if (to < 0 || hand_over(to, request, (size_t)len) != 0)
        lose(AWAY_ABSENT, argv[2], strerror(errno));
    wait_for_end(to, argv[2]);
}
