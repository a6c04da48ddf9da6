/* SPDX-License-Identifier: Apache-2.0 */
/* ratchet-run: starts sandboxes for ratchetd, as a user of its own that has neither its token nor a
 * network. `ratchet-run --for USER --state FOLDER` serves the socket that systemd holds, `--socket PATH` one
 * of its own. Only USER and root may ask, and of the host's files a sandbox is shown libraries that lie in
 * FOLDER's work/, and harnesses; one that profiles, the `--profiler`, as ratchetd.conf names it. */
#include "base/err.h"
#include "base/file.h"
#include "base/inherited.h"
#include "base/line.h"
#include "base/local_socket.h"
#include "base/program.h"
#include "measure/away.h"
#include "measure/away_forms.h"
#include "measure/cgroup.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell_limits(void)
{
    char folder[FILE_PATH_BYTES];
    struct err why;
    if (cgroup_find(folder, &why) == 0)
        line_err("ratchet-run: sandbox limits: cgroup v2 (memory, pids)");
    else
        line_err("ratchet-run: sandbox limits: per process; %s", why.text);
}

/* It is installed beside us, and a build needs it. */
static int find_checkout(char path[FILE_PATH_BYTES], struct err *err)
{
    static const char name[] = "ratchet-checkout";
    ssize_t len = readlink("/proc/self/exe", path, FILE_PATH_BYTES - sizeof name);
    if (len <= 0)
        return err_errno(err, ERR_HOST, errno, "/proc/self/exe");
    path[len] = '\0';
    memcpy(strrchr(path, '/') + 1, name, sizeof name);
    return access(path, X_OK) == 0 ? 0 : err_errno(err, ERR_HOST, errno, "`%s`", path);
}

static int run(const char *user, const char *path, struct away_bounds *bounds, struct err *err)
{
    static char checkout[FILE_PATH_BYTES]; /* bounds keep it */
    const struct passwd *entry = user == NULL ? NULL : getpwnam(user);
    int fd = inherited_socket();
    prctl(PR_SET_DUMPABLE, 0);
    umask(022);
    if (entry == NULL)
        return err_set(err, ERR_USAGE, "--for: no user `%s`", user == NULL ? "" : user);
    if (bounds->state == NULL || bounds->state[0] != '/')
        return err_set(err, ERR_USAGE, "--state: expected the absolute path of a folder");
    if (find_checkout(checkout, err) != 0)
        return -1;
    bounds->checkout = checkout;
    if (geteuid() == 0 || entry->pw_uid == geteuid())
        line_err("ratchet-run: its user should be neither root nor `%s`", user);
    if (fd < 0 && path == NULL)
        return err_set(err, ERR_USAGE, "no socket: neither systemd's nor --socket");
    if (fd < 0 && local_listen(path, &fd, err) != 0)
        return -1;
    tell_limits();
    return away_serve(fd, entry->pw_uid, bounds, err);
}

int main(int argc, char **argv)
{
    static const char usage[] =
        "usage: ratchet-run --for USER --state FOLDER [--profiler PATH] [--socket "
        "PATH]\n\nstarts sandboxes for ratchetd, as another user\n";
    const char *user = NULL, *path = NULL;
    struct away_bounds bounds = {.profiler = ""};
    struct err err = {0};
    bool wrong = argc % 2 == 0;
    program_begin();
    enum program_asked asked = program_asked(argc, argv);
    if (asked != PROGRAM_RUN)
        return program_answer("ratchet-run", asked, usage);
    for (int i = 1; !wrong && i < argc; i += 2)
        if (strcmp(argv[i], "--for") == 0)
            user = argv[i + 1];
        else if (strcmp(argv[i], "--socket") == 0)
            path = argv[i + 1];
        else if (strcmp(argv[i], "--state") == 0)
            bounds.state = argv[i + 1];
        else if (strcmp(argv[i], "--profiler") == 0)
            bounds.profiler = argv[i + 1];
        else
            wrong = true;
    if (wrong) {
        line_text(stderr, usage, strlen(usage));
        return EXIT_USAGE;
    }
    if (run(user, path, &bounds, &err) == 0)
        return 0;
    line_err("ratchet-run: %s", err.text);
    return (int)err_exit_code(err.class);
}
