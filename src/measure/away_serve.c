/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the far side: ratchet-run, and a process of it for each sandbox. Who asks is told from others by
 * the kernel; he may start what he likes, as our user, in a bubblewrap of ours. */
#include "measure/away_internal.h"

#include "base/file.h"
#include "measure/sandbox_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 4096, RECEIVE_S = 10 };

struct request {
    union {
        struct away_head head;
        char bytes[AWAY_BYTES_MAX];
    };
    const char *words[WORDS_MAX + 1];
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
        if ((request->head.present & 1u << i) != 0)
            memcpy(&request->fd[i], CMSG_DATA(control) + at++ * sizeof(int), sizeof(int));
}

static int split_words(struct request *request, const char *at, const char *end,
                       struct err *err)
{
    unsigned count = 0;
    for (; at < end && count < WORDS_MAX; at += strlen(at) + 1)
        request->words[count++] = at;
    request->words[count] = NULL;
    return count > 1 && at == end && count == request->head.words
               ? 0
               : err_set(err, ERR_INPUT, "what is asked for is malformed");
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
    for (size_t i = 0; i < PROC_DESCRIPTORS; i++)
        request->fd[i] = -1;
    if (setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        return err_errno(err, ERR_HOST, errno, "set a timeout");
    ssize_t len = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    if (len < 0)
        return err_errno(err, ERR_HOST, errno, "read what is asked for");
    if (len == 0)
        _exit(0); /* somebody looked whether we are here */
    const struct away_head *head = &request->head;
    if (len <= (ssize_t)sizeof *head || head->magic != AWAY_MAGIC ||
        head->cpu_count > AWAY_CPUS_MAX || request->bytes[len - 1] != '\0' ||
        (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return err_set(err, ERR_INPUT, "what is asked for is malformed, or another version's");
    take_descriptors(request, &message);
    for (int i = 0; i <= PROC_LIFELINE; i++)
        if (request->fd[i] < 0 && i != PROC_SIDE)
            return err_set(err, ERR_INPUT, "a descriptor is missing");
    return split_words(request, request->bytes + sizeof *head, request->bytes + len, err);
}

/* ---- one sandbox ---- */

static int run(struct request *request, const struct cgroup *cgroup, int until,
               struct away_reply *reply, struct err *err)
{
    static const char *const no_environment[] = {NULL};
    const struct away_head *head = &request->head;
    struct sandbox_tools tools;
    bool grouped = cgroup != NULL && head->total_alone;
    if (sandbox_find_tools(&tools, err) != 0)
        return -1;
    request->words[0] = tools.bwrap;
    struct proc_spec spec = {.argv = request->words,
                             .envp = no_environment,
                             .uid = (uid_t)-1,
                             .gid = (gid_t)-1,
                             .limits = {.memory_bytes = grouped ? 0 : head->memory_bytes,
                                        .open_files = head->open_files},
                             .cgroup = cgroup == NULL ? NULL : cgroup->folder,
                             .cpus = head->cpus,
                             .cpu_count = head->cpu_count,
                             .lifeline = true};
    struct proc_result result;
    if (proc_lend(&spec, request->fd, until, &result, err) != 0)
        return -1;
    reply->end = result.end;
    reply->code = result.code;
    reply->memory = cgroup == NULL ? CGROUP_FITS : cgroup_memory(cgroup);
    return 0;
}

static int run_grouped(struct request *request, int until, struct away_reply *reply,
                       struct err *err)
{
    char folder[FILE_PATH_BYTES];
    struct cgroup cgroup;
    if (cgroup_find(folder, NULL) != 0)
        return run(request, NULL, until, reply, err);
    if (cgroup_make(folder, &request->head.total, &cgroup, err) != 0)
        return -1;
    struct err problem;
    int rc = run(request, &cgroup, until, reply, err);
    if (cgroup_end(&cgroup, &problem) != 0 && rc == 0)
        rc = err_set(err, ERR_HOST, "%s", problem.text);
    return rc;
}

static _Noreturn void keep(int with, pid_t parent)
{
    static struct request request;
    struct away_reply reply = {.magic = AWAY_MAGIC};
    struct err err;
    signal(SIGCHLD, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    reply.failed = receive(with, &request, &err) != 0 ||
                   run_grouped(&request, with, &reply, &err) != 0;
    if (reply.failed) {
        fprintf(stderr, "ratchet-run: %s\n", err.text);
        if (request.fd[STDERR_FILENO] > STDERR_FILENO)
            dprintf(request.fd[STDERR_FILENO], "ratchet-run: %s\n", err.text);
    }
    ssize_t ignored = send(with, &reply, sizeof reply, MSG_NOSIGNAL);
    (void)ignored; /* a proxy that is gone hears nothing */
    _exit(0);
}

/* ---- all ---- */

static bool may_ask(int peer, uid_t user)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
        (who.uid == user || who.uid == 0))
        return true;
    fprintf(stderr, "ratchet-run: user %ld may not ask\n", (long)who.uid);
    return false;
}

int away_serve(int listener, uid_t user, struct err *err)
{
    char folder[FILE_PATH_BYTES] = "";
    bool grouped = cgroup_find(folder, NULL) == 0;
    signal(SIGCHLD, SIG_IGN); /* they are reaped without us */
    for (;;) {
        FD_AUTO peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0 && errno != EINTR && errno != ECONNABORTED)
            return err_errno(err, ERR_HOST, errno, "take a connection");
        if (peer < 0 || !may_ask(peer, user))
            continue;
        if (grouped)
            cgroup_sweep(folder);
        pid_t parent = getpid();
        pid_t keeper = fork();
        if (keeper == 0)
            keep(peer, parent);
        if (keeper < 0)
            fprintf(stderr, "ratchet-run: fork: %s\n", strerror(errno));
    }
}
