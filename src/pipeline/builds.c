/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the processes that build side by side, and the pipes on which they answer. */
#include "pipeline/builds.h"

#include "base/file.h"
#include "pipeline/arms.h"
#include "pipeline/rules.h"
#include "pipeline/spills.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process says, once, at its end. */
struct answer {
    int status;
    struct err err;
    struct built built;
};

struct one_build {
    char commit[MODEL_SHA_BYTES];
    size_t tag;
    pid_t pid; /* 0: not begun */
    int fd;
    size_t got;
    struct answer answer;
};

struct builds {
    struct measurement *measurement;
    size_t at_once;
    bool spills;
    struct one_build *list; /* owned; those that have ended are taken out */
    size_t count;
};

int builds_open(struct measurement *measurement, size_t at_once, bool spills,
                struct builds **out, struct err *err)
{
    struct builds *builds = calloc(1, sizeof *builds);
    if (builds == NULL)
        return err_set(err, ERR_HOST, "out of memory for builds");
    builds->measurement = measurement;
    builds->at_once = at_once;
    builds->spills = spills;
    *out = builds;
    return 0;
}

static void take_out(struct builds *builds, size_t i)
{
    struct one_build *build = &builds->list[i];
    if (build->pid > 0) {
        kill(build->pid, SIGKILL);
        while (waitpid(build->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        file_close(&build->fd);
    }
    memmove(build, build + 1, (--builds->count - i) * sizeof *build);
}

void builds_stop(struct builds **builds)
{
    if (*builds == NULL)
        return;
    while ((*builds)->count > 0)
        take_out(*builds, (*builds)->count - 1);
    free((*builds)->list);
    free(*builds);
    *builds = NULL;
}

/* ---- one process ---- */

void builds_add_error(const struct measurement *measurement, struct build_result *result)
{
    const struct buf *log = &measurement->build_log;
    const char *at = result->built || log->len == 0 ? NULL : strstr(log->data, "error");
    if (at == NULL)
        return;
    while (at > log->data && at[-1] != '\n')
        at--;
    size_t used = strlen(result->failure);
    snprintf(result->failure + used, sizeof result->failure - used, "; %.*s",
             (int)(strcspn(at, "\r\n") < 200 ? strcspn(at, "\r\n") : 200), at);
}

static void build_it(const struct builds *builds, const char *commit, struct answer *answer)
{
    struct measurement *measurement = builds->measurement;
    struct library library = {.commit = ""};
    snprintf(library.commit, sizeof library.commit, "%s", commit);
    answer->status = rules_read_source(measurement, commit, &library.source, &answer->err) == 0
                         ? arms_build_library(measurement, &library, &answer->err)
                         : -1;
    builds_add_error(measurement, &library.result);
    answer->built.result = library.result;
    answer->built.spills = builds->spills && library.result.built
                               ? spills_of(measurement, library.result.library)
                               : -1;
}

static int begin(struct builds *builds, struct one_build *build, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_HOST, errno, "create a pipe");
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        static struct answer answer;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(1);
        build_it(builds, build->commit, &answer);
        const char *at = (const char *)&answer;
        for (size_t left = sizeof answer; left > 0;) {
            ssize_t put = write(ends[1], at, left);
            if (put < 0 && errno == EINTR)
                continue;
            if (put < 0)
                _exit(1);
            at += put;
            left -= (size_t)put;
        }
        _exit(0);
    }
    int problem = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_errno(err, ERR_HOST, problem, "fork for a build");
    }
    build->pid = pid;
    build->fd = ends[0];
    return 0;
}

static int fill(struct builds *builds, struct err *err)
{
    size_t running = 0;
    for (size_t i = 0; i < builds->count && running < builds->at_once; i++, running++)
        if (builds->list[i].pid == 0 && begin(builds, &builds->list[i], err) != 0)
            return -1;
    return 0;
}

int builds_add(struct builds *builds, const char *commit, size_t tag, struct err *err)
{
    struct one_build *list = realloc(builds->list, (builds->count + 1) * sizeof *list);
    if (list == NULL)
        return err_set(err, ERR_HOST, "out of memory for builds");
    builds->list = list;
    list[builds->count] = (struct one_build){.tag = tag, .fd = -1};
    snprintf(list[builds->count++].commit, sizeof list->commit, "%s", commit);
    return fill(builds, err);
}

/* ---- what they answer ---- */

/* More of an answer. True: it has ended, whole or not. */
static bool hear(struct one_build *build)
{
    char *to = (char *)&build->answer;
    ssize_t got = read(build->fd, to + build->got, sizeof build->answer - build->got);
    if (got > 0)
        build->got += (size_t)got;
    return got == 0 || (got < 0 && errno != EINTR) || build->got == sizeof build->answer;
}

/* 1: the build at *index has ended; 0: none has. */
static int look(struct builds *builds, bool wait, size_t *index, struct err *err)
{
    struct pollfd *fds = calloc(builds->count, sizeof *fds);
    if (fds == NULL)
        return err_set(err, ERR_HOST, "out of memory for builds");
    for (size_t i = 0; i < builds->count; i++)
        fds[i] = (struct pollfd){.fd = builds->list[i].fd, .events = POLLIN};
    bool ended = false;
    int ready = poll(fds, builds->count, wait ? -1 : 0);
    for (size_t i = 0; ready > 0 && !ended && i < builds->count; i++)
        if (fds[i].revents != 0 && hear(&builds->list[i])) {
            *index = i;
            ended = true;
        }
    free(fds);
    return ended;
}

int builds_next(struct builds *builds, bool wait, size_t *tag, struct built *built,
                struct err *err)
{
    size_t index = 0;
    int ended = 0;
    do {
        if (builds->count == 0)
            return 0;
        ended = look(builds, wait, &index, err);
    } while (ended == 0 && wait);
    if (ended <= 0)
        return ended;
    const struct one_build *build = &builds->list[index];
    bool whole = build->got == sizeof build->answer;
    *tag = build->tag;
    *built = build->answer.built;
    int answered = whole ? build->answer.status
                         : err_set(err, ERR_HOST, "build %.10s: its process was killed",
                                   build->commit);
    if (whole && answered != 0)
        *err = build->answer.err;
    take_out(builds, index);
    return fill(builds, err) != 0 || answered != 0 ? -1 : 1;
}
