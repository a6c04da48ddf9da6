/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor says of the host's systemd and AppArmor, with a systemctl and a setting of our own. */
#include "cli/doctor_system.h"

#include "base/file.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/ratchet-doctor-XXXXXX";
static struct err err;
static char text[64];

static const char *write_text(const char *name, const char *words, mode_t mode)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    OK(file_write(path, words, strlen(words), mode, &err) == 0);
    return path;
}

/* What a systemctl says that ends with `code`; the unit has to be asked for by its name. */
static void say(const char *lines, int code)
{
    char script[512];
    snprintf(script, sizeof script,
             "#!/bin/sh\ncase $3 in ratchet*) ;; *) exit 9 ;; esac\nprintf '%s'\nexit %d\n", lines,
             code);
    (void)write_text("systemctl", script, 0755);
}

static void test_units(void)
{
    static const struct {
        const char *lines;
        bool there, on_demand, fine;
        const char *words;
    } rows[] = {
        {"LoadState=loaded\\nActiveState=active\\nResult=success\\n", true, false, true, "active"},
        {"LoadState=loaded\\nActiveState=inactive\\nResult=success\\n", true, true, true,
         "starts when it is asked"},
        {"LoadState=loaded\\nActiveState=inactive\\nResult=success\\n", true, false, false,
         "inactive: `systemctl enable --now ratchetd.socket` starts it"},
        {"LoadState=loaded\\nActiveState=failed\\nResult=exit-code\\n", true, true, false,
         "failed (exit-code): `journalctl -u ratchet-run.service` says why"},
        {"LoadState=masked\\nActiveState=inactive\\nResult=success\\n", true, false, false,
         "masked: `systemctl status ratchetd.socket` says why"},
        {"LoadState=loaded\\nActiveState=\\033[31m;$(reboot)\\n", true, false, false,
         ": `systemctl enable --now ratchetd.socket` starts it"},
        {"LoadState=not-found\\nActiveState=inactive\\nResult=success\\n", false, false, true, ""},
        {"ActiveState=active\\n", false, false, true, ""},
        {"nothing", false, false, true, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool there = !rows[i].there;
        tap_case(rows[i].lines);
        say(rows[i].lines, 0);
        size_t unit = rows[i].on_demand ? 3 : 0;
        OK((system_unit(unit, &there, text, sizeof text, &err) == 0) == rows[i].fine);
        EQ_INT(there, rows[i].there);
        if (there)
            EQ_STR(rows[i].fine ? text : err.text, rows[i].words);
    }
    tap_case("a systemd that does not run");
    bool there = true;
    say("LoadState=loaded\\nActiveState=failed\\n", 1);
    OK(system_unit(0, &there, text, sizeof text, &err) == 0 && !there);
    tap_case("no systemd");
    setenv("PATH", "/nonexistent", 1);
    OK(system_unit(0, &there, text, sizeof text, &err) == 0 && !there);
    tap_case("each has a name");
    for (size_t i = 0; i < SYSTEM_UNITS; i++)
        HAS(system_unit_name(i), "ratchet");
}

static void test_userns(void)
{
    bool there = true;
    tap_case("a kernel without the setting");
    OK(system_userns("/nonexistent", false, &there, text, sizeof text, &err) == 0 && !there);
    tap_case("one that leaves user namespaces alone");
    const char *setting = write_text("userns", "0\n", 0644);
    OK(system_userns(setting, false, &there, text, sizeof text, &err) == 0 && there);
    EQ_STR(text, "AppArmor leaves them alone");
    tap_case("one that does not, with a profile that lets us");
    setting = write_text("userns", "1\n", 0644);
    OK(system_userns(setting, true, &there, text, sizeof text, &err) == 0 && there);
    EQ_STR(text, "AppArmor lets the sandbox have them");
    tap_case("… and without one");
    OK(system_userns(setting, false, &there, text, sizeof text, &err) == -1 && there);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "AppArmor keeps them from our programs: as root, cp /");
    HAS(err.text, "/apparmor.d/ratchet /etc/apparmor.d/ && systemctl reload apparmor");
}

int main(void)
{
    char path[160];
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", folder);
    setenv("PATH", path, 1);
    test_userns();
    test_units();
    OK(file_remove_tree(folder, NULL) == 0);
    return tap_done();
}
