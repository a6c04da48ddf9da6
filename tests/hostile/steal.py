# SPDX-License-Identifier: Apache-2.0
"""Branches that look for tokens, and for a way out: environment, arguments, /proc, files, core dumps, git's
configuration, networks, sockets, another job's files, other processes."""

from world import Row, built, kernel, tried

FAILED = (3, "build-failed", "the PR")
ENDED = (3, "crashed", "the PR")
GONE = "No such file or directory"
NO_NET = "Network is unreachable"


def looked(name, *probes, why=()):
    return Row(name, tried(*probes), FAILED, *(["stopped: %s: %s" % pair for pair in why]))


def launched(name, what, arg, number, errno):
    return Row(name, kernel('ends_with("%s", "%s", %s);' % (what, arg, number)), ENDED,
               "ended by itself: exit code %d" % errno)


TOGETHER = 4  # these wait for nothing: so many are submitted at once
ROWS = [
    looked("a token in the environment", "env CANARY", "env TOKEN", "env PASSWORD", why=[("env", GONE)]),
    Row("a token in an argument", built(
        "for one in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $one; echo; done > all\n"
        "grep -e @MARK@ -e canary -e token -e ratchetd all && echo GOT an argument\n"
        "echo \"stopped: $(ls -d /proc/[0-9]* | wc -l) processes are all there are\"; exit 7"), FAILED,
        "processes are all there are"),
    looked("the environment of process 1", "read /proc/1/environ", "read /proc/1/mem", "read /proc/1/root/etc/passwd",
           why=[("read", "Permission denied")]),
    Row("the environment of its parents", built(
        "at=$$; while [ $at -gt 1 ]; do cat /proc/$at/environ >> all; "
        "at=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$at/status); done\n"
        "tr '\\0' '\\n' < all | grep -e CANARY -e canary -e TOKEN && echo GOT a variable\n"
        "echo stopped: process $at is the first; exit 7"), FAILED, "stopped: process 1 is the first"),
    looked("a file outside, by its path", "read @CANARY@", why=[("read", GONE)]),
    looked("the host's token file", "read @TOKEN@", "read @CONFIG@", why=[("read", GONE)]),
    looked("passwords and keys of the host", "read /etc/shadow", "read /root/.ssh/id_rsa", "read /root/.netrc",
           "read /root/.config/gh/hosts.yml", "read /run/credentials/ratchetd.service/token", why=[("read", GONE)]),
    looked("a file outside, beside the sources", "read /run/source/../../@CANARY@", "read /src/../../../@CANARY@",
           "read /proc/self/cwd/../../../@CANARY@", why=[("read", GONE)]),
    looked("git's configuration and credentials", "read .git/config", "read ../.git/config", "read /run/source/.git/config",
           "read /home/.git-credentials", "read /etc/gitconfig", why=[("read", GONE)]),
    looked("a core dump", "core", "write /proc/sys/kernel/core_pattern", why=[("core", "Operation not permitted")]),
    looked("another job's files", "read @STATE@/queue.db", "read @STATE@/jobs/1/log", "read /var/lib/ratchet/queue.db",
           why=[("read", GONE)]),
    looked("files left for the next job", "write /usr/@MARK@", "write /@MARK@", "write /run/source/@MARK@",
           "write /etc/@MARK@", why=[("write", "Read-only file system")]),
    Row("files left in places of its own", built("for one in /tmp /dev/shm /home /build /src; do echo x > $one/@MARK@ && "
        "echo $one is its own; done; exit 7"), FAILED, "/tmp is its own"),
    Row("a key left for the next job", built("cc -o /tmp/probe kernels/probe.c && /tmp/probe key-left @MARK@ | sed "
        "s/GOT/left:/; exit 7"), FAILED, "left: key-left"),
    looked("the daemon's socket", "unix @SOCKET@", "unix /run/ratchet/ratchetd.sock", "unix /run/ratchet/run.sock",
           "unix /run/docker.sock", "unix /run/systemd/private", why=[("unix", GONE)]),
    looked("an abstract socket", "unix @@MARK@", why=[("unix", "Connection refused")]),
    looked("GitHub's address", "tcp 127.0.0.1 @PORT@", "tcp 140.82.121.3 443", why=[("tcp", NO_NET)]),
    looked("a cloud's metadata", "tcp 169.254.169.254 80", why=[("tcp", NO_NET)]),
    looked("a name server", "udp 1.1.1.1 53", why=[("udp", NO_NET)]),
    looked("a raw socket", "raw", why=[("raw", "Operation not permitted")]),
    looked("a mount", "mount", why=[("mount", "Operation not permitted")]),
    looked("a device node", "mknod /tmp/@MARK@", "mknod /dev/@MARK@", why=[("mknod", "Operation not permitted")]),
    looked("root again", "setuid", why=[("setuid", "Invalid argument")]),
    Row("a set-user-id program", built("ls -l $(command -v su mount sudo passwd 2>/dev/null) > /dev/null\n"
        "grep NoNewPrivs /proc/self/status | tr '\\t' ' '; mount -t tmpfs none /tmp && echo GOT a mount\nexit 7"), FAILED,
        "NoNewPrivs: 1"),
    looked("tracing process 1", "ptrace 1", "vm 1", why=[("ptrace", "Operation not permitted"),
                                                         ("vm", "Operation not permitted")]),
    Row("the key of the job before", tried("key @MARK@"), FAILED, "stopped: key: Required key not available"),
    launched("a kernel that looks at its environment", "env", "CANARY", 0, 2),
    launched("a kernel that reads a file outside", "read", "@CANARY@", 0, 2),
    launched("a kernel that reads its process 1", "read", "/proc/1/environ", 0, 13),
    launched("a kernel that writes where main's library lies", "write", "/bench/lib-00.so", 0, 30),
    launched("a kernel that asks for the network", "tcp", "127.0.0.1", "@PORT@", 1),
    launched("a kernel and the daemon's socket", "unix", "@SOCKET@", 0, 1),
    launched("a kernel and an abstract socket", "unix", "@@MARK@", 0, 1),
    launched("a kernel that traces its process 1", "ptrace", "", 1, 1),
]
