/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the folders of a run by hand: made when it begins, and gone when it ends, however it ends. The
 * command itself runs in a child; who started it waits, and cleans up after it. */
#include "cli/folders.h"

#include "base/line.h"
#include "cli/outputs.h"
#include "daemon/collector.h"
#include "result_files.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the child has made, for its parent. */
struct made {
    struct host host; /* whose state folder it is in */
    char scratch[FILE_PATH_BYTES];
    char results[FILE_PATH_BYTES]; /* "" where they were there before */
    bool unnamed;                  /* a place that nobody asked for */
};

static struct made *made; /* shared by both */

/* ---- made ---- */

/* The state folder of an installed host is the daemon's: whoever may not write there is told what
 * to set. */
static int not_in_state(const struct host *host, const struct err *why, struct err *err)
{
    struct stat info;
    bool foreign = stat(host->state, &info) == 0 && info.st_uid != geteuid();
    char owner[64] = "";
    if (foreign)
        snprintf(owner, sizeof owner, ", the state folder is user %u's",
                 (unsigned)info.st_uid);
    return err_set(
        err, why->class,
        "%s%s: `state` in the [daemon] section of a file for --config names another "
        "folder",
        why->text, owner);
}

/* A fresh name in a folder of the state folder, which is made. */
static int name_in_state(const struct host *host, const char *folder, const char *kind,
                         mode_t mode, char out[FILE_PATH_BYTES], struct err *err)
{
    char parent[FILE_PATH_BYTES];
    struct err why;
    if (file_path(parent, err, "%s/%s", host->state, folder) != 0 ||
        file_path(out, err, "%s/%s%ld-%lld", parent, kind, (long)getpid(),
                  (long long)time(NULL)) != 0)
        return -1;
    return file_mkdirs(host->state, 0711, &why) == 0 && file_mkdirs(parent, mode, &why) == 0
               ? 0
               : not_in_state(host, &why, err);
}

/* The lock first: who looks for what is abandoned never sees a folder without. */
static int make_scratch(const struct host *host, const char *path, int *fd, struct err *err)
{
    enum { WAIT_MS = 1000 }; /* for who looks */
    char lock[FILE_PATH_BYTES];
    struct err why;
    if (file_path(lock, err, "%s.lock", path) != 0)
        return -1;
    return file_lock_within(lock, WAIT_MS, fd, &why) == 0 && file_mkdirs(path, 0711, &why) == 0
               ? 0
               : not_in_state(host, &why, err);
}

void cli_folders_of_others(const struct host *host)
{
    made->host = *host;
}

int cli_scratch(const struct host *host, struct cli_folders *folders, struct err *err)
{
    struct err ignored;
    made->host = *host;
    int collected = collector_drop_abandoned(host, &ignored);
    (void)collected; /* what others left is in nobody's way */
    if (name_in_state(host, "work", "run-", 0711, folders->scratch, err) != 0)
        return -1;
    memcpy(made->scratch, folders->scratch, sizeof made->scratch);
    return make_scratch(host, folders->scratch, &folders->lock, err);
}

int cli_folders(const struct host *host, const char *output, struct cli_folders *folders,
                struct err *err)
{
    bool there = output != NULL && access(output, F_OK) == 0;
    struct err why;
    made->unnamed = output == NULL;
    if (output != NULL && file_path(folders->results, err, "%s", output) != 0)
        return -1;
    if (made->unnamed && name_in_state(host, "runs", "", 0700, folders->results, err) != 0)
        return -1;
    if (!there)
        memcpy(made->results, folders->results, sizeof made->results);
    if (output != NULL &&
        outputs_try_in("--output", output, result_files, RESULT_FILE_COUNT, err) != 0)
        return -1;
    if (made->unnamed && file_mkdirs(folders->results, 0700, &why) != 0)
        return not_in_state(host, &why, err);
    return cli_scratch(host, folders, err);
}

/* ---- gone ---- */

static bool has_verdict(void)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, NULL, "%s/" RESULT_VERDICT, made->results) == 0 &&
           access(path, F_OK) == 0;
}

static void remove_one(const char *path)
{
    struct err err;
    if (file_remove_tree(path, &err) != 0)
        line_err("ratchet: %s", err.text);
}

/* Scratch, its lock, and a folder for results that has none. */
static void clean_up(bool killed)
{
    char lock[FILE_PATH_BYTES];
    struct err ignored;
    if (made->scratch[0] != '\0') {
        remove_one(made->scratch);
        if (file_path(lock, &ignored, "%s.lock", made->scratch) == 0)
            unlink(lock);
    }
    if (made->results[0] != '\0' && killed && made->unnamed && !has_verdict())
        remove_one(made->results);
    else if (made->results[0] != '\0')
        rmdir(made->results); /* an empty one */
    if (!killed || made->host.state[0] == '\0')
        return;
    int collected = collector_drop_abandoned(&made->host, &ignored); /* of its own children */
    (void)collected;
}

/* ---- both ---- */

/* What a person may end it with, unless that is ignored here. */
static void waited_for(sigset_t *set)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(set, ends[i]);
}

/* Its status; a signal that ends us is handed on. */
static int wait_for(pid_t child, const sigset_t *waited)
{
    for (;;) {
        int status, number = sigwaitinfo(waited, NULL);
        pid_t ended;
        if (number > 0 && number != SIGCHLD)
            kill(child, number);
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
            if (ended == child)
                return status;
    }
}

/* What a killed child had started dies after it, and may write until then. */
static void wait_for_orphans(void)
{
    enum { TRIES = 500 };
    for (unsigned i = 0; i < TRIES && waitpid(-1, NULL, WNOHANG) >= 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
}

static int ended(const char *command, const char *lost, int status, const sigset_t *before)
{
    if (WIFEXITED(status)) {
        clean_up(false);
        return WEXITSTATUS(status);
    }
    int number = WTERMSIG(status);
    bool asked = number == SIGINT || number == SIGTERM || number == SIGHUP;
    bool told = made->results[0] != '\0' && has_verdict();
    wait_for_orphans();
    clean_up(true);
    line_err("ratchet %s: %s%s%s", command, asked ? "interrupted" : strsignal(number),
             told ? "" : "; ", told ? "" : lost);
    fflush(NULL);
    prctl(PR_SET_DUMPABLE, 0); /* the child has left its core already */
    sigprocmask(SIG_SETMASK, before, NULL);
    signal(number, SIG_DFL);
    raise(number);
    return EXIT_INTERNAL;
}

int cli_in_child(const char *command, const char *lost, int *code, struct err *err)
{
    sigset_t waited, before;
    made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return err_errno(err, ERR_HOST, errno, "share a page");
    waited_for(&waited);
    signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &waited, &before) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return err_errno(err, ERR_HOST, errno, "wait for a child");
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return err_errno(err, ERR_HOST, errno, "fork");
    if (child > 0) {
        *code = ended(command, lost, wait_for(child, &waited), &before);
        return 1;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        sigprocmask(SIG_SETMASK, &before, NULL) != 0)
        _exit(EXIT_INTERNAL);
    return 0;
}
