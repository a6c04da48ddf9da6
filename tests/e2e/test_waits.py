#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whoever waits sees that something happens: place in the queue, stage, replicates, time left. `submit`
hears it from the daemon, `status` shows it, and what runs by hand says it on stderr."""

import json
import os
import re
import signal
import socket

import lib
import scene
from lib import TOKEN, eq, has, lacks, ok

# Long enough to be met in the middle.
LONG = {"samples": 400}
WAITS = re.compile(r"^(measuring: replicate \d+ of at most 8, 1 config\b.*)$", re.M)


def pull_step(s, host, number, **more):
    return host.step("pull_request", scene.pull_event(s, number), **more)


def waits_of(host):
    """What `ratchet status` says that each job waits for, newest first."""
    out = host.ratchet("status", "--socket", host.socket).out
    return [line.partition(" on cpu")[2].lstrip(": ") for line in out.splitlines()]


class Listener:
    """A client of the daemon's that shows every message."""

    def __init__(self, host):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(lib.DEADLINE)
        self.socket.connect(host.socket)
        self.rest = b""

    def send(self, **message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def hear(self):
        while b"\n" not in self.rest:
            got = self.socket.recv(65536)
            if not got:
                raise RuntimeError("the daemon closed the connection")
            self.rest += got
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def hear_of(self, kind):
        while True:
            message = self.hear()
            if message["type"] == kind:
                return message


def the_queue():
    """A job that waits for another is told its place, and then how far it is"""
    s = scene.github(**LONG)
    host = scene.Host(s, limits={"heartbeat-ms": 300})
    host.daemon()
    first, _ = scene.pull(s, "one", scene.distinct("slow", "one"))
    second, _ = scene.pull(s, "two", scene.distinct("slow", "two"))
    step = pull_step(s, host, first, run=1).start()
    lib.wait_for(lambda: "replicate 2" in step.log(), "a replicate")
    listener = Listener(host)
    listener.send(type="submit", version=1, kind="check", repository=scene.REPOSITORY, pr=second,
                  device="cpu", run="2", attempt="1", job="check", token=TOKEN,
                  repository_id=str(s.made["id"]), api=s.url)
    eq(listener.hear()["type"], "accepted", "another job")
    texts = []
    while "place 1 in the queue of its device" not in texts:
        texts.append(listener.hear_of("waiting")["text"])
    ok(True, "it hears of its place")
    eq(listener.hear_of("waiting")["text"], texts[-1], "and again, as a sign of life")
    waits = waits_of(host)
    eq(waits[0], "place 1 in the queue of its device", "status says so, too")
    has(waits[1], re.compile(r"measuring: replicate \d of at most 8, 1 config, .*\d+ s left$"),
        "and of the other how far it is, and how long it may take")
    scene.fair(step.finish(), (1, "regressed"), "the verdict")
    log = step.log()
    said = WAITS.findall(log)
    ok(said, "its step's log says how far it is", log)
    eq(len(said), len(set(said)), "no line twice in a row")
    has(log, "asking GitHub and fetching", "what came before")
    while "measuring" not in texts[-1]:
        texts.append(listener.hear_of("waiting")["text"])
    listener.send(type="cancel")
    eq(listener.hear_of("result")["exit"], 3, "it is cancelled")
    lib.wait_for(lambda: waits_of(host) == ["", ""], "both to be done")


def the_limit():
    """A limit of GitHub's is said, with its seconds; so is a missing token"""
    s = scene.github()
    host = scene.Host(s)
    daemon = host.daemon()
    number, _ = scene.pull(s, "docs", {"README": "x\n"})
    event = scene.pull_event(s, number)
    s.fault("/pulls/%d$" % number, "answer", times=0, status=403, headers={"Retry-After": "900"},
            body={"message": "You have exceeded a secondary rate limit"})
    step = host.step("pull_request", event).start()
    lib.wait_for(lambda: "GitHub's limit" in step.log(), "the limit to be told")
    has(step.log(), re.compile(r"^GitHub's limit, \d+ s$", re.M), "to the step")
    has(waits_of(host)[0], re.compile(r"^GitHub's limit, \d{3} s$"), "and by status")
    lib.kill(step.process)
    s.calm()
    daemon.kill()
    daemon.start()
    lib.wait_for(lambda: waits_of(host) == ["no token that GitHub takes"], "a token to be missed")
    eq(pull_step(s, host, number).run().code, 0, "the step comes again with its token")
    eq(waits_of(host), [""], "a job that is done waits for nothing")


# Has a signal come where it was lost: when `interrupted` was looked at, and before the wait.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
static int connected;
static void interrupt_once(void)
{
    static int done;
    if (connected && !done++)
        raise(SIGINT);
}
int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    int result = real(fd, to, size);
    connected = result == 0;
    return result;
}
ssize_t read(int fd, void *bytes, size_t size)
{
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    interrupt_once();
    return real(fd, bytes, size);
}
"""


def a_signal_is_not_missed():
    """A signal between the look at it and the wait cancels the job"""
    host = scene.Host(scene.github())
    source = lib.write(os.path.join(host.folder, "shim.c"), SHIM)
    shim = os.path.join(host.folder, "shim.so")
    built = lib.run(["cc", "-shared", "-fPIC", "-o", shim, source, "-ldl"])
    eq(built.code, 0, "a library that sends the signal: " + built.err)
    number, _ = scene.pull(host.standin, "docs", {"README": "x\n"})
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(host.socket)
        daemon.listen(1)
        step = pull_step(host.standin, host, number)
        step.env.update(LD_PRELOAD=shim, ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")
        step.start()
        daemon.settimeout(30)
        client, _ = daemon.accept()
        client.settimeout(30)
        with client, client.makefile("rb") as lines:
            eq(json.loads(lines.readline())["type"], "submit", "it submits")
            eq(json.loads(lines.readline())["type"], "cancel", "and, interrupted, cancels")
            client.sendall(json.dumps({"type": "result", "exit": 3, "verdict": "unmeasured",
                                       "reason": "cancelled", "comment": ""}).encode() + b"\n")
            eq(step.finish(30).code, 3, "and hears what came of it")


def an_interrupted_wait():
    """A step that waits for a daemon to come can be interrupted"""
    host = scene.Host(scene.github())
    number, _ = scene.pull(host.standin, "docs", {"README": "x\n"})
    step = pull_step(host.standin, host, number).start("--wait", "600")
    lib.wait_for(lambda: "waiting for ratchetd" in step.log(), "it to wait")
    step.interrupt()
    ok(step.finish(30).code not in (0, 1, 2), "it ends", step.log())


def by_hand():
    """check and bench say how long it may take; nothing of it on stdout"""
    repo = lib.Repo()
    repo.commit(scene.tree("right", **LONG), "the kernel")
    head = scene.branch(repo, "slow", "slow")
    host = scene.Host()
    result = host.check(repo, head, "main", "--json")
    scene.fair(result, (1, "regressed"), "check")
    has(result.err, re.compile(r"replicate \d+, 400 samples an arm.*; .*s left$", re.M), "time left")
    json.loads(result.out)
    ok(True, "stdout is JSON")
    lacks(result.out, " s left", "and nothing else")
    result = host.ratchet("bench", "--config", host.config, "--repo", repo.path, "--head", "main")
    eq(result.code, 0, "bench")
    has(result.err, re.compile(r"small: replicate \d+, .*; .*s left$", re.M), "says so, too")
    lacks(result.out, "left", "on stderr alone")


lib.main(the_queue, the_limit, a_signal_is_not_missed, an_interrupted_wait, by_hand)
