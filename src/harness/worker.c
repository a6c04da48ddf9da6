/* SPDX-License-Identifier: Apache-2.0 */
/* Owns workers as the harness sees them: their start and end, requests, and that they stand still
 * between these. */
#include "harness/worker.h"

#include "base/run_delay.h"
#include "harness/voice.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { END_TRIES = 1000 };

struct worker {
    pid_t pid;
    int socket;
    int waits;       /* for a processor: run_delay.h */
    clockid_t clock; /* of all its threads' time on a processor */
    int32_t threads; /* that were given to it */
    cpu_set_t cpus;  /* its own, as it left them when it was stopped */
    bool went_on;    /* while it was stopped */
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- time ---- */

static int own_waits = -1; /* the harness's own */
static cpu_set_t own_cpus; /* where the harness may run */

struct moment {
    uint64_t wall, busy, ours;
    uint64_t waited, we_waited;
};

static struct moment now(const struct worker *worker)
{
    return (struct moment){.wall = clock_ns(CLOCK_MONOTONIC_RAW),
                           .busy = clock_ns(worker->clock),
                           .ours = clock_ns(CLOCK_THREAD_CPUTIME_ID),
                           .waited = run_delay_ns(worker->waits),
                           .we_waited = run_delay_ns(own_waits)};
}

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

/* What others took of the wall clock is not the library's, nor what we needed to wake and to stop it. It cannot
 * pass its own work off as others': whichever thread does that, and whichever waits for it, its time on
 * processors is counted. That works for one processor; with several threads it is the wall clock. */
static struct worker_took took(const struct worker *worker, const struct moment *start,
                               const struct moment *end)
{
    uint64_t wall = end->wall - start->wall;
    uint64_t busy = end->busy - start->busy;
    struct worker_took took = {
        .ns = wall, .waited_ns = end->waited - start->waited, .went_on = worker->went_on};
    if (worker->threads > 1 || busy > wall) /* it has more threads than it was given */
        return took;
    uint64_t others = took.waited_ns + (end->we_waited - start->we_waited);
    uint64_t rest = less(less(wall, others), end->ours - start->ours);
    took.ns = rest > busy ? rest : busy;
    return took;
}

/* ---- its end ---- */

/* As if its library were in this very process: what was measured is said, and why nothing follows. */
static _Noreturn void follow(int status)
{
    if (WIFSIGNALED(status))
        voice_last_words(WTERMSIG(status));
    voice_flush();
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int await_change(const struct worker *worker, int options)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(worker->pid, &status, options);
    while (got < 0 && errno == EINTR);
    return status;
}

void worker_end(struct worker *worker)
{
    kill(worker->pid, SIGKILL);
    await_change(worker, 0);
    close(worker->socket);
    if (worker->waits >= 0)
        close(worker->waits);
    free(worker);
}

/* ---- it stands still ---- */

static void stop(struct worker *worker)
{
    kill(worker->pid, SIGSTOP);
    int status = await_change(worker, WUNTRACED);
    if (!WIFSTOPPED(status))
        follow(status);
}

/* All its threads, where it has kept some: a folder has a link for each folder in it. */
static void place_threads(const struct worker *worker, const cpu_set_t *cpus)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/task", (int)worker->pid);
    if (stat(path, &info) != 0 || info.st_nlink <= 3)
        return;
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            sched_setaffinity((pid_t)strtol(entry->d_name, NULL, 10), sizeof *cpus, cpus);
    if (folder != NULL)
        closedir(folder);
}

/* With one thread it runs where we are, and there we stay until it stands still: to wake another processor takes
 * as long as some samples, and one that has just gone idle looks out for work for a while, at the cost of its
 * other half. With several threads it stays where it was when it was stopped; others may have moved it. */
static void place(const struct worker *worker)
{
    cpu_set_t cpus = worker->cpus;
    int here = sched_getcpu();
    if (worker->threads == 1 && here >= 0) {
        CPU_ZERO(&cpus);
        CPU_SET((size_t)here, &cpus);
        place_threads(worker, &cpus);
        sched_setaffinity(0, sizeof cpus, &cpus);
    }
    sched_setaffinity(worker->pid, sizeof cpus, &cpus);
}

static void leave_place(const struct worker *worker)
{
    if (worker->threads == 1)
        sched_setaffinity(0, sizeof own_cpus, &own_cpus);
}

/* It may have been continued: then the kernel tells its parent of that, or of its next stop. */
static void look_whether_it_went_on(struct worker *worker)
{
    int status;
    if (waitpid(worker->pid, &status, WUNTRACED | WCONTINUED | WNOHANG) <= 0)
        return;
    if (!WIFSTOPPED(status) && !WIFCONTINUED(status))
        follow(status);
    worker->went_on = true;
}

/* ---- requests ---- */

/* Of what it is to map, with the descriptor. */
static int send_request(struct worker *worker, const struct worker_request *request,
                        struct err *err)
{
    struct iovec bytes = {(void *)request, sizeof *request};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } passed = {0};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (request->ask == WORKER_MAP) {
        message.msg_control = &passed;
        message.msg_controllen = sizeof passed;
        passed.header.cmsg_level = SOL_SOCKET;
        passed.header.cmsg_type = SCM_RIGHTS;
        passed.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&passed.header), &request->shared.fd, sizeof(int));
    }
    ssize_t put;
    do
        put = sendmsg(worker->socket, &message, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put == (ssize_t)sizeof *request || errno == EPIPE || errno == ECONNRESET)
        return 0; /* whose end it was is seen in a moment */
    return err_errno(err, ERR_HOST, errno, "a request to a library's process");
}

/* One that has ended ends us as well; so does one that answers what was not asked, or closes its socket. */
static void hear_reply(const struct worker *worker, struct worker_reply *reply)
{
    ssize_t got;
    do
        got = recv(worker->socket, reply, sizeof *reply, 0);
    while (got < 0 && errno == EINTR);
    reply->text[sizeof reply->text - 1] = '\0';
    if (got == (ssize_t)sizeof *reply)
        return;
    for (int tries = 0; got <= 0 && tries < END_TRIES; tries++) {
        int status;
        if (waitpid(worker->pid, &status, WNOHANG) > 0)
            follow(status);
        usleep(1000); /* to end takes a process a moment */
    }
    voice_say("crashed it meddled with what it is asked and answers by");
    voice_flush();
    _exit(1);
}

int worker_do(struct worker *worker, const struct worker_request *request,
              struct worker_reply *reply, struct worker_took *out, struct err *err)
{
    look_whether_it_went_on(worker);
    place(worker);
    if (send_request(worker, request, err) != 0)
        return -1;
    struct moment start = now(worker);
    start.wall = clock_ns(CLOCK_MONOTONIC_RAW); /* once more: to read the rest takes a while */
    kill(worker->pid, SIGCONT);
    hear_reply(worker, reply);
    stop(worker); /* until then a thread of it may work on, whatever it answered */
    const struct moment end = now(worker);
    sched_getaffinity(worker->pid, sizeof worker->cpus, &worker->cpus);
    leave_place(worker);
    if (out != NULL)
        *out = took(worker, &start, &end);
    return 0;
}

/* ---- its start ---- */

static int make(const char *path, const struct attention_cpu_stream *stream,
                struct worker *worker, struct err *err)
{
    int ends[2];
    if (own_waits < 0) {
        own_waits = run_delay_open(getpid());
        sched_getaffinity(0, sizeof own_cpus, &own_cpus);
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(err, ERR_HOST, errno, "a socket to a library's process");
    voice_flush(); /* nothing is to be said twice */
    worker->socket = ends[0];
    worker->pid = fork();
    if (worker->pid == 0)
        worker_main(ends[1], path, stream);
    int number = errno;
    close(ends[1]);
    if (worker->pid < 0) {
        close(ends[0]);
        return err_errno(err, ERR_HOST, number, "a process for a library");
    }
    if (clock_getcpuclockid(worker->pid, &worker->clock) != 0)
        worker->clock = CLOCK_MONOTONIC_RAW; /* then its time is no less than what passed */
    worker->waits = run_delay_open(worker->pid);
    worker->threads = stream->threads;
    return 0;
}

int worker_start(const char *path, const struct attention_cpu_stream *stream,
                 struct worker **out, char text[WIRE_TEXT_BYTES], struct err *err)
{
    struct worker_reply reply;
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return err_set(err, ERR_HOST, "no memory for a library");
    if (make(path, stream, worker, err) != 0) {
        free(worker);
        return -1;
    }
    hear_reply(worker, &reply);
    memcpy(text, reply.text, sizeof reply.text);
    if (reply.result != 0) {
        worker_end(worker);
        return 1;
    }
    stop(worker);
    sched_getaffinity(worker->pid, sizeof worker->cpus, &worker->cpus);
    *out = worker;
    return 0;
}
