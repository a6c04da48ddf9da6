#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The systemd units: how exposed each is by systemd's own measure, that each exception stands there with
its reason, and that a check is what it is under what they leave (confined.py: this test needs no systemd
that runs)."""

import atexit
import os
import pwd
import re
import shutil
import sys

import lib
import scene
from lib import TOKEN, eq, has, lacks, ok

BUILD = os.path.dirname(lib.program("RATCHET"))
MOST = {"ratchetd": 2.2, "ratchet-run": 3.0, "ratchet-clocks": 1.5}
DAEMON, RUN = pwd.getpwnam("daemon"), 65534  # any that are not root


def unit(name):
    return os.path.join(BUILD, "src", "daemon", name + ".service")


def needs_systemd():
    if shutil.which("systemd-analyze") is None:
        raise lib.Skip("NOT TESTED: THE UNITS: no systemd-analyze")


def exposure():
    """None is more exposed than was promised, and what it is not denied is named, with a reason"""
    needs_systemd()
    for name, most in MOST.items():
        said = lib.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit(name)])
        score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.out)
        ok(score is not None, name + ": measured", str(said))
        lib.note("%s.service: %s" % (name, score.group(1)))
        ok(float(score.group(1)) <= most, "%s: at most %g" % (name, most), said.out)
        text = lib.read(unit(name))
        for setting in sorted(set(re.findall(r"^✗ (\w+)=", said.out, re.M))):
            ok(re.search(r"^(%s=|#.*\b%s\b)" % (setting, setting), text, re.M), "%s: %s is spoken of" % (name, setting))


def a_check_inside():
    """A build, a kernel, a comment and a status, each daemon with no more than its unit leaves it"""
    needs_systemd()
    if os.geteuid() != 0:
        raise lib.Skip("not root: nothing can be taken from a daemon")
    s = scene.github()
    host = scene.Host(s, token=TOKEN, daemon=("lock-dir = @", "run-socket = @/run/sock", "allow-user = root"))
    folder = os.path.join(host.folder, "bin")
    os.makedirs(folder, 0o755)
    for name in "ratchetd", "ratchet-run", "ratchet-checkout", "ratchet-bench":
        shutil.copy(os.path.join(BUILD, name), folder)
    lib.write(host.config, lib.read(host.config).replace("@", host.folder).replace(
        lib.program("RATCHET_BENCH"), os.path.join(folder, "ratchet-bench")))
    os.makedirs(os.path.join(host.folder, "run"))
    os.chown(os.path.join(host.folder, "run"), RUN, RUN)
    for path in host.folder, os.path.join(host.folder, "token"):
        os.chown(path, DAEMON.pw_uid, DAEMON.pw_gid)
    os.chmod(host.config, 0o644)
    confined = [sys.executable, os.path.join(lib.HERE, "confined.py")]
    log = os.path.join(host.folder, "run.log")
    with open(log, "wb") as out:
        run = lib.start([*confined, unit("ratchet-run"), str(RUN), os.path.join(folder, "ratchet-run"), "--socket",
                         os.path.join(host.folder, "run", "sock"), "--state", host.state, "--for", DAEMON.pw_name], stdin=lib.subprocess.DEVNULL,
                        stdout=out, stderr=out)
    atexit.register(lib.kill, run)  # whoever changes its user does not die with us
    lib.wait_for(lambda: os.path.exists(os.path.join(host.folder, "run", "sock")) or run.poll() is not None,
                 "ratchet-run to listen")
    eq(run.poll(), None, "ratchet-run lives")
    wrapper = lib.write(os.path.join(folder, "confined-ratchetd"), "#!/bin/sh\nexec %s %s %d %s/ratchetd \"$@\"\n" % (
        " ".join(confined), unit("ratchetd"), DAEMON.pw_uid, folder), 0o755)
    os.environ["RATCHETD"] = wrapper
    daemon = host.daemon()
    atexit.register(lib.kill, daemon.process)
    for name, kernel, want in (("wrong", "wrong", "wrong-result"), ("broken", "broken", "build-failed")):
        number, head = scene.pull(s, name, kernel)
        result = host.step("pull_request", scene.pull_event(s, number), run=number, token=None).run()
        has(result.text, "unmeasured", name + ": has a verdict")
        has(result.file("verdict.json"), want, name + ": the right one")
        eq(scene.status(s, head)[-1:], ["error"], name + ": and a status")
    number, head = scene.pull(s, "more", {"kernels/attention.c": scene.kernel("slow")})
    result = host.step("pull_request", scene.pull_event(s, number), run=number, token=None).run()
    ok(result.code in (1, 2), "one that is slower is measured", result.text, lib.read(log), lib.read(daemon.log))
    lacks(lib.read(daemon.log) + lib.read(log), TOKEN, "no token is in a log")
    daemon.kill()


def doctor_tells_of_them():
    """Where systemd knows the units, doctor says how each is"""
    host, folder = scene.Host(), lib.temp_dir()
    lib.write(os.path.join(folder, "systemctl"), "#!/bin/sh\ncase $3 in\nratchetd.service) state=failed ;;\n"
              "ratchet-clocks*) exit 4 ;;\n*) state=active ;;\nesac\n"
              "printf 'LoadState=loaded\\nActiveState=%s\\nResult=exit-code\\n' $state\n", 0o755)
    out = host.ratchet("doctor", "--config", host.config, env={"PATH": folder + ":" + os.environ["PATH"]}).out
    has(out, re.compile("^ok +ratchet-run.socket +active$", re.M), "one that is up")
    has(out, re.compile("^note +ratchetd.service +failed \\(exit-code\\): `journalctl -u ratchetd.service` says why$", re.M), "one that is not")
    lacks(out, "ratchet-clocks", "one that is not installed")


def apparmor():
    """The profiles that are installed name our programs where they are, and are read by AppArmor's own parser"""
    text = lib.read(os.path.join(BUILD, "src", "daemon", "apparmor.d", "ratchet"))
    lacks(text, "@", "no place is left to fill in")
    has(text, re.compile("^profile ratchet-run /[^ ]*/libexec/ratchet/ratchet-run flags=", re.M), "ratchet-run's")
    eq(re.findall(r"^profile (\S+) /\S+ flags=\(unconfined\) \{\n    userns,\n", text, re.M), ["ratchet-run", "ratchetd", "ratchet"],
       "each may have user namespaces, and is bound in nothing else")
    if shutil.which("apparmor_parser") is None:
        raise lib.Skip("NOT TESTED: THE APPARMOR PROFILES: no apparmor_parser")
    version = lib.run(["apparmor_parser", "--version"]).out
    if not re.search(r"version [4-9]", version):
        lib.note("AppArmor before 4 knows neither its ABI nor `userns`: read without these two")
        text = re.sub("^    userns,\n", "", text.replace("abi/4.0", "abi/3.0"), flags=re.M)
    for bad, words in ((False, text), (True, text.replace("profile ratchetd ", "profil ratchetd "))):
        said = lib.run(["apparmor_parser", "--skip-kernel-load", "--skip-cache", lib.write(
            os.path.join(lib.temp_dir(), "ratchet"), words)])
        eq((said.code != 0, "syntax error" in said.err), (bad, bad), "it is read" if not bad else "and one that is none is not")


lib.main(exposure, a_check_inside, doctor_tells_of_them, apparmor)
