#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a person sees: on a terminal one line that is drawn again, in colours and no wider than it; off one a line a
step. And errors that say what to do next."""

import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import termios
import threading

import lib
import scene
from lib import eq, has, lacks, ok

CLEAR = "\r\x1b[K"


class Terminal:
    """A program on a pseudo-terminal of so many columns: what it wrote, its exit code."""

    def __init__(self, host, *args, columns=80, cwd=None, interrupt=None, **env):
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        given = dict(host.env({"TERM": "xterm-256color", **env}))
        self.process = lib.start([lib.program("RATCHET"), *map(str, args)], env=given, cwd=cwd or host.folder,
                                 stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.parts, self.interrupt = [], interrupt
        reader = threading.Thread(target=self.read, args=(ours,))
        reader.start()
        self.code = self.process.wait(lib.DEADLINE)
        reader.join()
        os.close(ours)
        self.text = b"".join(self.parts).decode().replace("\r\n", "\n")

    def read(self, fd):
        while True:
            try:
                part = os.read(fd, 65536)
            except OSError:  # the other end is closed
                return
            self.parts.append(part)
            if self.interrupt is not None and self.interrupt in b"".join(self.parts):
                self.interrupt = None
                self.process.send_signal(signal.SIGINT)

    @property
    def drawn(self):
        """The line, each time that it was drawn."""
        return [part for part in self.text.split(CLEAR)[1:-1] if part]

    @property
    def left(self):
        """What stays to be read."""
        return self.text.split(CLEAR)[-1] if CLEAR in self.text else self.text


def sample(files="slow"):
    repo = lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    scene.branch(repo, "change", files)
    return repo


def check(host, repo, **more):
    return Terminal(host, "check", "--config", host.config, "--repo", repo.path, "--head", "change", "--output",
                    host.output(), **more)


def one_line():
    """One line while it measures, drawn anew and cut to the terminal; then the table, in colours"""
    host, repo = scene.Host(), sample()
    for columns in (80, 40):
        seen = check(host, repo, columns=columns)
        ok(len(seen.drawn) > 6, "%d columns: drawn again and again" % columns, seen.text)
        eq([line for line in seen.drawn if "\n" in line or len(line) >= columns], [], "%d columns: it is one line" % columns)
        ok(columns < 80 or any(" left; " in line for line in seen.drawn), "and the time left", seen.drawn)
        ok(any(re.search(r"replicate \d+ of at most \d+", line) for line in seen.drawn), "k of at most n", seen.drawn)
        eq(seen.left.split("\n")[0].split()[:2], ["config", "verdict"], "the table begins a line of its own")
        has(seen.left, "\x1b[31mregressed\x1b[0m", "the verdict has a colour")
        reasons = [line for line in seen.left.split("\n") if "is wholly above" in line]
        eq(len(reasons), 1, "the reason is said once")
        lacks(seen.left, "device \x1b", "a word that is no verdict has no colour")
        has(seen.left, re.compile(r"\nreport: out-\d+/report.md\n"), "the results are named from where one is")


def plain():
    """No colours with NO_COLOR; a line a step where nothing can be drawn again"""
    host, repo = scene.Host(), sample({"kernels/attention.c": scene.kernel("right", "/* the same */\n")})
    seen = check(host, repo, NO_COLOR="1")
    lacks(seen.left, "\x1b[3", "NO_COLOR")
    seen = check(host, repo, TERM="dumb")
    lacks(seen.text, "\x1b", "a dumb terminal gets no sequence")
    has(seen.text, "\nratchet: ", "but a line a step")
    off = host.check(repo, "change")
    lacks(off.err + off.out, "\x1b", "nor does a pipe")
    quiet = Terminal(host, "check", "--config", host.config, "--repo", repo.path, "--head", "change", "--quiet", "--output",
                     host.output())
    eq(quiet.drawn, [], "quiet is quiet")


def hostile():
    """What a commit can choose draws nothing on a terminal"""
    host, repo = scene.Host(), sample({"kernels/attention.c": "#error \x1b[2J\x1b]0;owned\x07 gone\n"})
    seen = check(host, repo)
    eq(seen.code, 3, "it does not build")
    has(seen.left, "#error", "the compiler's last lines are there")
    eq(re.findall(r"\x1b(?!\[(?:K|\d+m))", seen.text), [], "no sequence but our own")
    lacks(seen.text, "\x07", "nothing rings")
    has(seen.left, ", with the build's log\n", "and where the log is")


NAMES = ("prefill_batch1_heads1_length48_causal", "prefill_batch1_heads1_length32_other")


def tables():
    """Tables fit: names are shortened in the middle, numbers never; in a file they are whole"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree(configs=[(NAMES[0], 48), (NAMES[1], 32)]), "the kernel")
    scene.branch(repo, "change", {"kernels/attention.c": scene.kernel("right", "/* the same */\n")})
    for columns in (80, 40):
        seen = check(host, repo, columns=columns)
        plain = re.sub(r"\x1b\[\d+m", "", seen.left)
        eq([line for line in plain.split("\n") if len(line) > columns], [], "%d columns: a check" % columns)
        has(plain, re.compile(r"\nprefill_\.\.\S*causal "), "its names are shortened in the middle")
        seen = Terminal(host, "bench", "--config", host.config, "--repo", repo.path, "--replicates", 2, columns=columns)
        eq([line for line in seen.left.split("\n") if len(line) > columns], [], "%d columns: bench" % columns)
        has(seen.left, "can tell a change of", "no column is left out")
        eq(len(re.findall(r"prefill_\.\.\S*causal +\d", seen.left)) > 1, True, "the names stand beside each part")
    has(host.check(repo, "change").out, NAMES[0], "a pipe gets whole names")


def judged_alone():
    """compare, on files: the same table as after a check, in colours and no wider than the terminal; in a pipe as it is"""
    host = scene.Host()
    for case, verdict in (("change_plus4", "regressed"), ("same_samples", "held"), ("mixed_all", None)):
        folder = os.path.join(lib.TOP, "tests", "judge", case)
        args = ["compare", os.path.join(folder, "samples.json")]
        args += ["--baseline", folder + "/baseline.json"] if os.path.exists(folder + "/baseline.json") else []
        for more in ([], ["--explain"]):
            pipe = host.ratchet(*args, *more)
            lacks(pipe.out, "\x1b", "a pipe gets no sequence")
            for columns in (80, 40):
                seen = Terminal(host, *args, *more, columns=columns)
                plain = re.sub(r"\x1b\[\d+m", "", seen.text)
                eq(seen.code, pipe.code, "%s %s, %d columns: the verdict" % (case, " ".join(more), columns))
                eq([line for line in plain.split("\n") if len(line) > columns], [], "it fits")
                if verdict:
                    has(seen.text, re.compile("\x1b\\[3[12]m%s\x1b" % verdict), "the verdict has a colour")
            lacks(Terminal(host, *args, *more, NO_COLOR="1").text, "\x1b", "NO_COLOR")


def interrupted():
    """Ctrl-C leaves a clean line, which says what it means"""
    host, repo = scene.Host(), sample()
    seen = check(host, repo, interrupt=b"build")
    eq((seen.code, seen.left), (-signal.SIGINT, "ratchet check: interrupted; nothing was judged\n"),
       "the line is gone, and it ends as who was interrupted")


def unreachable():
    """doctor: an API that never answers is a FAIL with its reason; no second repository waits for it again"""
    host = scene.Host()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        api = "http://127.0.0.1:%d" % silent.getsockname()[1]
        more = "".join('[repository "octo/%s"]\napi = %s\ngit = %s\n' % (name, api, api) for name in ("one", "two"))
        lib.write(host.config, lib.read(host.config) + more)
        result = host.ratchet("doctor", "--config", host.config)
    has(result.out, re.compile(r"FAIL +octo/one .*" + api), "it fails, and says why")
    has(result.out, api + " did not answer a moment ago", "who was silent is not asked again")
    eq(result.code, 3, "and so does doctor")


def silent_side_by_side():
    """doctor asks several silent APIs at once: the last hears of it while the first still waits for its answer"""
    host, heard = scene.Host(), []
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    more = "".join('[repository "octo/r%d"]\napi = %s\ngit = %s\n' % (i, api, api) for i, api in enumerate(
        "http://127.0.0.1:%d" % server.getsockname()[1] for server in servers))
    lib.write(host.config, lib.read(host.config) + more)

    def listen():
        clients = [server.accept()[0] for server in servers]
        for client in clients:
            client.recv(65536)
        clients[0].setblocking(False)
        try:
            heard.append(clients[0].recv(65536))
        except BlockingIOError:
            heard.append("waits")
        for client in clients:  # each tries once more, or not
            client.close()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    result = host.ratchet("doctor", "--config", host.config)
    listener.join(lib.DEADLINE)
    for server in servers:
        server.close()
    eq(heard, ["waits"], "the first waits still")
    eq(re.findall(r"^FAIL +(octo/r\d)", result.out, re.M), ["octo/r0", "octo/r1", "octo/r2"], "and they are told in order")


def what_to_do():
    """The errors of a first hour say what to do next"""
    host, repo = scene.Host(), sample()
    def err(*args):
        result = host.ratchet(*args)
        eq(len(result.err.strip().split("\n")), 1, "one line: " + result.err[:60])
        return result.err
    here = ("check", "--config", host.config, "--repo", repo.path, "--head", "change", "--device")
    has(err(*here, "nvidia-l4"), "which has cpu: add `[device \"nvidia-l4\"]`, and below it `gpu = 0`, to " + host.config,
        "a device that is not configured")
    has(err(*here, "nvidia-L4"), "in small letters, such as nvidia-l4", "a name that is none")
    has(err("status", "--socket", os.path.join(host.folder, "none")), "(is it running?)", "no daemon")
    for command in ("bench", "verify"):
        result = host.ratchet(command, "--config", host.config, "--repo", repo.path, "--dtype", "fp16")
        eq((result.code, result.err), (64, "ratchet %s: --dtype: fp16 is not a type of cpu, which has fp32\n" % command),
           "a type that the CPU has not")
    has(err("check", "--repo", repo.path, "--config", host.config, "--base", "none"),
        "no commit `none` in `%s`: `git branch -a`" % repo.path, "no such ref")
    shallow = os.path.join(host.folder, "shallow")
    scene.branch(repo, "more", "slow")
    repo.git("clone", "-q", "--depth", "1", "--branch", "more", "file://" + repo.path, shallow)
    has(err("check", "--repo", shallow, "--config", host.config, "--base", "HEAD~1"), "`git fetch --unshallow`", "a shallow clone")
    daemon = host.daemon()
    has(host.ratchet("status", "--socket", host.socket).out, "nothing yet", "a daemon without a job")
    has(lib.read(daemon.log), host.config + " names no [repository]: every job will be refused", "a daemon without a repository")
    result = host.ratchet("bench", "--config", host.config, "--repo", repo.path, "--batch", 1, "--heads", 1, "--seq", 16,
                          "--dim", 32, "--replicates", 1)
    has(result.out, "samples not kept: --output FILE does", "bench says that it kept nothing")


if __name__ == "__main__":
    lib.main(one_line, plain, hostile, tables, judged_alone, interrupted, unreachable, silent_side_by_side, what_to_do)
