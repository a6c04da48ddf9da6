#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The folder of the devices' locks: which it is, and that all who measure on a host meet in it."""

import grp
import os
import pwd
import re
import shutil

import lib
import scene
from lib import eq, has, ok


def lock_line(argv, **more):
    """What doctor says of the lock of the CPU"""
    out = lib.run(argv, **more).out
    return next((line for line in out.splitlines() if re.match(r"\S+ +lock ", line)), out)


def folder_of_locks():
    """Locks are in the service's folder where that is, else in everybody's; never in two"""
    host = scene.Host()
    lib.write(host.config, re.sub("lock-dir = .*\n", "", lib.read(host.config)))
    doctor = [lib.program("RATCHET"), "doctor", "--config", host.config]
    for folders, want in ((["/run/lock"], "/run/lock"), (["/run/lock", "/run/ratchet"], "/run/ratchet")):
        made = [word for one in folders for word in ("--dir", one)]
        line = lock_line(["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/run", *made, *doctor],
                         env=host.env())
        ok(re.fullmatch("ok +lock +" + want, line), "with " + " and ".join(folders), line)


def group_of_locks():
    """Members of the group make locks; then they are everybody's"""
    if os.geteuid() != 0:
        raise lib.Skip("only root can be somebody else")
    user, group = pwd.getpwnam("nobody"), grp.getgrgid(1)
    host = scene.Host()
    locks = os.path.join(host.folder, "locks")
    os.makedirs(locks)
    os.chown(locks, 0, group.gr_gid)
    os.chmod(locks, 0o3775)
    state = os.path.join(host.folder, "theirs")
    os.makedirs(state)
    os.chown(state, user.pw_uid, user.pw_gid)
    lib.write(host.config, "[daemon]\nstate = %s\nlock-dir = %s\n" % (state, locks))
    binary = os.path.join(host.folder, "ratchet") # where everybody gets to
    shutil.copy(lib.program("RATCHET"), binary)
    doctor = ["/bin/sh", "-c", 'umask 077; exec "$@"', "sh", binary, "doctor", "--config", host.config]
    nobody = ["setpriv", "--reuid=%d" % user.pw_uid, "--regid=%d" % user.pw_gid]
    others, members = nobody + ["--clear-groups"], nobody + ["--groups=%d" % group.gr_gid]
    has(lock_line(others + doctor, env=host.env()), re.compile(
        "FAIL    lock                 members of group `%s` may: open lock `%s/ratchet-cpu[^`]*.lock`: Permission denied"
        % (group.gr_name, locks)), "who may is told to who may not")
    has(lock_line(members + doctor, env=host.env()), re.compile("^ok +lock +" + locks), "a member may")
    eq(os.stat(os.path.join(locks, "ratchet-cpu.lock")).st_mode & 0o777, 0o644, "the lock is everybody's")
    has(lock_line(others + doctor, env=host.env()), re.compile("^ok +lock +" + locks), "who may not make one takes it")
    has(host.ratchet("doctor", "--config", host.config).out, re.compile("^ok +lock +" + locks, re.M), "as root does")


def folder_of_the_service():
    """What is installed with the service makes the folder: sticky, of a group, not removed when it stops"""
    source = os.path.join(lib.TOP, "src", "daemon")
    units = lib.read(os.path.join(source, "ratchetd.service.in")) + lib.read(os.path.join(source, "ratchetd.socket"))
    has(units, "ListenStream=/run/ratchet/", "the socket is in it")
    ok(not re.search("^(RuntimeDirectory|RemoveOnStop)", units, re.M), "units remove nothing of it")
    has(lib.read(os.path.join(source, "sysusers.d", "ratchet.conf")), re.compile("^g ratchet -$", re.M), "the group")
    if not shutil.which("systemd-tmpfiles"):
        lib.skip("no systemd-tmpfiles", allowed=True)
        return
    root = lib.temp_dir()
    lib.write(os.path.join(root, "etc", "group"), "root:x:0:\nratchet:x:%d:\n" % os.getgid())
    lib.write(os.path.join(root, "etc", "passwd"), "root:x:%d:%d::/:/bin/sh\n" % (os.getuid(), os.getgid()))
    run = lib.run(["systemd-tmpfiles", "--create", "--root=" + root,
                   os.path.join(source, "tmpfiles.d", "ratchet.conf")])
    eq(run.code, 0, "it is made: " + str(run))
    eq(oct(os.stat(os.path.join(root, "run", "ratchet")).st_mode & 0o7777), "0o3775", "its mode")


lib.main(folder_of_locks, group_of_locks, folder_of_the_service)
