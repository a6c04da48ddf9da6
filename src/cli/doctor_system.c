/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the questions to systemctl, and to the kernel's setting. */
#include "cli/doctor_system.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 5000 };

/* ---- units ---- */

static const struct unit {
    const char *name;
    bool on_demand; /* its socket starts it */
} units[SYSTEM_UNITS] = {{"ratchetd.socket", false},       {"ratchetd.service", false},
                         {"ratchet-run.socket", false},    {"ratchet-run.service", true},
                         {"ratchet-clocks.socket", false}, {"ratchet-clocks.service", true}};

const char *system_unit_name(size_t i)
{
    return units[i].name;
}

/* The value of a line NAME=VALUE, plain letters; "" where there is none. */
static void value_of(const char *lines, const char *name, char out[32])
{
    size_t len = strlen(name);
    out[0] = '\0';
    for (const char *at = lines; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            const char *value = at + len + 1;
            size_t plain = strspn(value, "abcdefghijklmnopqrstuvwxyz-");
            snprintf(out, 32, "%.*s", (int)(plain < 31 ? plain : 31), value);
        }
}

int system_unit(size_t i, bool *there, char *text, size_t size, struct err *err)
{
    const struct unit *unit = &units[i];
    const char *const argv[] = {"systemctl", "show", "--property=LoadState,ActiveState,Result",
                                unit->name, NULL};
    const struct proc_spec spec = {.argv = argv,
                                   .stdin_fd = -1,
                                   .uid = (uid_t)-1,
                                   .gid = (gid_t)-1,
                                   .limits = {.wall_ms = ASK_MS}};
    struct proc_result result;
    char load[32], active[32], why[32];
    BUF_AUTO said;
    buf_init(&said, 4096);
    *there = false;
    if (proc_run(&spec, &said, &result, NULL) != 0 || result.end != PROC_EXITED ||
        result.code != 0)
        return 0; /* no systemd, or none that runs */
    value_of(said.data, "LoadState", load);
    value_of(said.data, "ActiveState", active);
    value_of(said.data, "Result", why);
    *there = load[0] != '\0' && strcmp(load, "not-found") != 0;
    if (!*there)
        return 0;
    if (strcmp(load, "loaded") != 0)
        return err_set(err, ERR_HOST, "%s: `systemctl status %s` says why", load, unit->name);
    if (strcmp(active, "failed") == 0)
        return err_set(err, ERR_HOST, "failed (%s): `journalctl -u %s` says why", why,
                       unit->name);
    bool waits = unit->on_demand && strcmp(active, "inactive") == 0;
    snprintf(text, size, "%s", waits ? "starts when it is asked" : active);
    if (waits || strcmp(active, "active") == 0)
        return 0;
    return err_set(err, ERR_HOST, "%s: `systemctl enable --now %s` starts it", active,
                   unit->name);
}

/* ---- AppArmor ---- */

int system_userns(const char *setting, bool sandbox_works, bool *there, char *text,
                  size_t size, struct err *err)
{
    BUF_AUTO value;
    buf_init(&value, 64);
    *there = file_read(setting, &value, NULL) == 0;
    if (!*there)
        return 0;
    bool restricted = value.data[0] != '0';
    snprintf(text, size, "%s",
             restricted ? "AppArmor lets the sandbox have them"
                        : "AppArmor leaves them alone");
    if (!restricted || sandbox_works)
        return 0;
    return err_set(err, ERR_HOST,
                   "AppArmor keeps them from our programs: as root, cp " DOCDIR
                   "/apparmor.d/ratchet /etc/apparmor.d/ && systemctl reload apparmor");
}
