/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question whether there is a sandbox that works here, and what to say and do when
 * there is none. What it is made of is sandbox.c's. */
#include "measure/sandbox_internal.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- when it does not start ---- */

/* Settings of the kernel that forbid user namespaces, and what to do about each. */
static const struct obstacle {
    const char *file;
    const char *bad;
    const char *advice;
} obstacles[] = {
    {"/proc/sys/user/max_user_namespaces", "0", "set sysctl user.max_user_namespaces above 0"},
    {"/proc/sys/kernel/unprivileged_userns_clone", "0",
     "set sysctl kernel.unprivileged_userns_clone=1"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
     "AppArmor keeps user namespaces from our programs, as on Ubuntu 24.04: as root, "
     "cp " DOCDIR "/apparmor.d/ratchet /etc/apparmor.d/ && systemctl reload apparmor"},
};

static bool file_says(const char *path, const char *value)
{
    BUF_AUTO text;
    buf_init(&text, 64);
    if (file_read(path, &text, NULL) < 0)
        return false;
    text.data[strcspn(text.data, "\n")] = '\0';
    return strcmp(text.data, value) == 0;
}

static const char *advice_for(const char *line)
{
    static const char *const signs[] = {"namespace",     "uid map", "gid map",
                                        "not permitted", "denied",  "No space left"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (strstr(line, signs[i]) == NULL)
            continue;
        for (size_t j = 0; j < sizeof obstacles / sizeof *obstacles; j++)
            if (file_says(obstacles[j].file, obstacles[j].bad))
                return obstacles[j].advice;
        return "user namespaces are refused here; in a container they must be allowed "
               "from outside";
    }
    return "run `ratchet doctor` on this host";
}

int sandbox_refused(const char *said, struct err *err)
{
    const char *start = strstr(said, "bwrap: ");
    if (start == NULL)
        start = said;
    char line[256];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(start, "\n"), start);
    return err_set(err, ERR_HOST,
                   "the sandbox does not start: %s; %s; see ratchet(1), NO SANDBOX",
                   line[0] == '\0' ? "it said nothing" : line, advice_for(line));
}

/* ---- the probe ---- */

enum { PROBE_NETWORK = 43, PROBE_WRITABLE = 44, PROBE_HOST = 45, PROBE_FINE = 47 };

/* Shell built-ins only. The last exit status has to come through all of bwrap. */
const char sandbox_probe_script[] =
    "echo started\n"
    "while read -r name rest; do\n"
    "  case $name in lo:*|face*|Inter*) ;; *) exit 43 ;; esac\n"
    "done </proc/net/dev\n"
    "usr=rw\n"
    "while read -r from at type how rest; do\n"
    "  case $at:$how in /usr:ro|/usr:ro,*) usr=ro ;; esac\n"
    "done </proc/mounts\n"
    "[ $usr = ro ] || exit 44\n"
    "(: >/.probe) 2>/dev/null && exit 44\n"
    "[ -e /etc/passwd ] && exit 45\n"
    "exit 47\n";

static int probe_verdict(const struct proc_result *result, const struct buf *said,
                         struct err *err)
{
    if (strncmp(said->data, "started\n", 8) != 0)
        return sandbox_refused(said->data, err);
    int code = result->end == PROC_EXITED ? result->code : -1;
    if (code == PROBE_FINE)
        return 0;
    if (code == PROBE_NETWORK)
        return err_set(err, ERR_HOST, "the sandbox leaks: a network interface is inside");
    if (code == PROBE_WRITABLE)
        return err_set(err, ERR_HOST, "the sandbox leaks: /usr or / is writable inside");
    if (code == PROBE_HOST)
        return err_set(err, ERR_HOST, "the sandbox leaks: the host's /etc is inside");
    char how[128];
    proc_describe(result, how, sizeof how);
    return err_set(err, ERR_HOST,
                   "the sandbox loses exit statuses: expected exit code %d, got %s",
                   PROBE_FINE, how);
}

int sandbox_probe(uid_t uid, gid_t gid, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", sandbox_probe_script, NULL};
    struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                              .argv = argv,
                              .cwd = "/",
                              .uid = uid,
                              .gid = gid,
                              .limits = {.wall_ms = 20000, .processes = 64}};
    BUF_AUTO said;
    buf_init(&said, 16 << 10);
    struct proc_result result;
    if (sandbox_run(&sandbox, &said, &result, err) != 0)
        return -1;
    return probe_verdict(&result, &said, err);
}
