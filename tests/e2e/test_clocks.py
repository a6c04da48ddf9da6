#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ratchet-clocks, which locks a GPU's clock for a daemon that has not the right to: it does that one thing, for
that one user, at the clock of ratchetd.conf, and undoes it however anybody ends. NVML is played back."""

import atexit
import fcntl
import os
import pwd
import re
import signal
import socket
import subprocess

import lib
import scene
from lib import eq, has, lacks, ok
from nvml import Fake, need_no_gpu

BUILD = os.path.dirname(lib.program("RATCHET"))
LOCKED, UNLOCKED = "lock 1410 1410\n", "lock 1410 1410\nunlock 0 0\n"
ME = pwd.getpwuid(os.geteuid()).pw_name


class Clocks:
    def __init__(self, more="", settings=("gpu = 0", "clock-lock = 1410MHz"), user=ME):
        need_no_gpu()
        self.fake = Fake(more)
        self.host = scene.Host(device="nvidia-h200", settings=settings)
        self.socket = os.path.join(self.host.folder, "clocks.sock")
        self.folder = os.path.join(self.host.folder, "clocks")
        self.log = os.path.join(self.host.folder, "clocks.log")
        self.set("lock-dir = ", "clocks-socket = %s\nlock-dir = " % self.socket)
        self.argv = [os.path.join(BUILD, "ratchet-clocks"), "--for", user, "--config", self.host.config, "--folder",
                     self.folder, "--socket", self.socket]
        self.start()
        lock = next(name for name in self.doctor_locks() if name.endswith(".lock"))
        self.id = lock[len("ratchet-gpu-"):-len(".lock")]
        lib.write(self.fake.record + ".log", "")

    def set(self, old, new):
        lib.write(self.host.config, lib.read(self.host.config).replace(old, new), 0o644)

    def play(self, record):
        """All of it at once: it is read all the time."""
        os.replace(lib.write(self.fake.record + ".new", record), self.fake.record)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = lib.start(self.argv, env=lib.clean_env(self.fake.env), stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log)
        atexit.register(lib.kill, self.process)
        lib.wait_for(self.listens, "ratchet-clocks to listen")

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError("ratchet-clocks ended\n" + lib.read(self.log))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            return client.connect_ex(self.socket) == 0

    def doctor(self):
        return self.host.ratchet("doctor", "--config", self.host.config, env=self.fake.env).out

    def doctor_locks(self):
        self.doctor()
        return os.listdir(self.host.folder)

    def ask(self, words=None, fds=()):
        """The connection, and what was answered"""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(self.socket)
        text = ("lock nvidia-h200 %s 1410" % self.id).encode() if words is None else words
        socket.send_fds(client, [text], list(fds))
        return client, client.recv(4096).decode()

    def told(self, want, why):
        lib.wait_for(lambda: self.fake.told() == want, why)
        ok(True, why)

    def left(self):
        return [name for name in os.listdir(self.folder) if name.endswith(".clocks")]

    def children(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                text = lib.read("/proc/%s/stat" % pid)
            except OSError:
                continue
            if text.rsplit(")", 1)[1].split()[1] == str(self.process.pid):
                found.append(int(pid))
        return found


def as_long_as_it_is_asked():
    """A clock is locked as long as the connection lasts, and the device's lock is kept until it is free again"""
    clocks = Clocks()
    client, said = clocks.ask()
    eq((said, clocks.fake.told(), len(clocks.left())), ("done", LOCKED, 1), "locked")
    client.shutdown(socket.SHUT_WR)
    eq((client.recv(4096), clocks.fake.told(), clocks.left()), (b"done", UNLOCKED, []), "its end is answered")
    lib.write(clocks.fake.record + ".log", "")
    clocks.play("hold-unlock 0 1\n" + lib.read(clocks.fake.record))
    path = lib.write(os.path.join(clocks.host.folder, "a.lock"), "")
    with open(path, "w") as lock, open(path, "w") as other:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client, said = clocks.ask(fds=[lock.fileno()])
        eq(said, "done", "locked again")
        lock.close()
        client.close()
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ok(False, "the device is taken until the clock is free")
        except BlockingIOError:
            ok(True, "the device is taken until the clock is free")
        clocks.play(lib.read(clocks.fake.record).replace("hold-unlock 0 1\n", ""))
        fcntl.flock(other, fcntl.LOCK_EX)
        eq(clocks.left(), [], "and then given back")


def one_job():
    """Whatever else is asked for is refused, and the driver hears nothing of it"""
    clocks = Clocks()
    good = "lock nvidia-h200 %s 1410" % clocks.id
    for words in ("", " ", "lock", good + " ", " " + good, good + "\n", good.replace(" ", "  "), good.upper(),
                  good.replace("1410", "1411"), good.replace("1410", "0"), good.replace("1410", "-1410"),
                  good.replace("1410", "01410"), good.replace("1410", "99999"), good.replace("1410", "9" * 40),
                  good.replace("h200", "l4"), good.replace("nvidia-h200", "cpu"), good.replace("nvidia-h200", "a" * 300),
                  good.replace(clocks.id, "0" * 16), good.replace(clocks.id, clocks.id[:-1]),
                  good.replace(clocks.id, clocks.id + "0"), good.replace(clocks.id, "../../../../etc0"),
                  good.replace("lock", "unlock"), good.replace("lock", "reset"), good + "\0", good + " --config /x",
                  "x" * 100000):
        if words == "":
            continue  # the end of a connection
        client, said = clocks.ask(words.encode())
        ok(said not in ("done", ""), "refused: %.60r" % words, said)
        client.close()
    eq((clocks.fake.told(), clocks.left()), ("", []), "no clock was touched")
    client, said = clocks.ask(("try nvidia-h200 %s 1410" % clocks.id).encode())
    eq((said, clocks.fake.told()), ("done", ""), "to try it locks nothing")
    clocks.set("clock-lock = 1410MHz", "clock-lock = 1500MHz")
    has(clocks.ask()[1], "no `clock-lock = 1410MHz` for device `nvidia-h200`", "ratchetd.conf is read anew")
    clocks.set("clock-lock = 1500MHz", "")
    has(clocks.ask()[1], "no `clock-lock = ", "and without it nothing is locked")
    eq(clocks.fake.told(), "", "no clock was touched")


def another_gpu():
    """A GPU that is no lane of that device is left alone"""
    clocks = Clocks("gpus 0 3\n" + "".join("%s\n" % line for line in (
        "name 2 NVIDIA H200", "uuid 2 GPU-8b5d2a10-0000-1111-2222-333344445555", "minor 2 5", "capability 2 90",
        "total 2 150754820096", "used 2 0")))
    second = scene.Host(device="nvidia-h200", settings=("gpu = 2",))
    second.ratchet("doctor", "--config", second.config, env=clocks.fake.env)
    other = next(name for name in os.listdir(second.folder) if name.endswith(".lock"))[len("ratchet-gpu-"):-len(".lock")]
    ok(other != clocks.id, "it is another one")
    has(clocks.ask(("lock nvidia-h200 %s 1410" % other).encode())[1], "that GPU is no lane of device `nvidia-h200`", "refused")
    eq(clocks.fake.told(), "", "no clock was touched")


def who_may_ask():
    """Root and the user that it is for, and nobody else"""
    if os.geteuid() != 0:
        raise lib.Skip("not root: no other user to try")
    clocks = Clocks(user="nobody")
    os.chmod(clocks.host.folder, 0o755)
    code = "import socket; c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(%r)\n" \
        "try: c.send(b'lock nvidia-h200 %s 1410'); print(c.recv(4096).decode())\n" \
        "except OSError as e: print(e)" % (clocks.socket, clocks.id)
    said = {}
    for name, user in (("nobody", 65534), ("another", 1234)):
        said[name] = lib.run(["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups", "/usr/bin/python3", "-c",
                              code]).out.strip()
    eq(said["nobody"], "done", "its user may")
    clocks.told(UNLOCKED, "and had it unlocked by its end")
    lacks(said["another"], "done", "another user may not")
    has(lib.read(clocks.log), "user 1234 may not ask", "and is named")
    eq(clocks.fake.told(), UNLOCKED, "for him nothing was locked")


def however_it_ends():
    """The clock is unlocked when the one who asked, the server, or the process that holds it ends"""
    clocks = Clocks()
    client, said = clocks.ask()
    second, said = clocks.ask()
    has(said, "lock", "two at a time are refused")
    eq(clocks.fake.told(), LOCKED, "and the first keeps it")
    clocks.process.terminate()
    clocks.told(UNLOCKED, "a server that is stopped unlocks")
    eq(client.recv(4096), b"done", "and says so")
    lib.wait_for(lambda: not clocks.left(), "no file to be left")

    clocks = Clocks()
    client, said = clocks.ask()
    holder, = clocks.children()
    os.kill(holder, signal.SIGKILL)
    clocks.told(UNLOCKED, "one that is killed has a guardian")
    lib.wait_for(lambda: not clocks.left(), "no file to be left")
    eq(clocks.ask()[1], "done", "and the next is served")

    clocks = Clocks()
    lib.write(os.path.join(clocks.folder, "ratchet-gpu-%s.clocks" % clocks.id), "left\n", 0o600)
    clocks.process.kill()
    clocks.process.wait()
    clocks.start()
    clocks.told("unlock 0 0\n", "what all of them left so is unlocked at the start")
    eq(clocks.left(), [], "and told of no more")


def the_driver_refuses():
    """What the driver says is what is answered"""
    clocks = Clocks("lock 0 1\n")
    eq(clocks.ask()[1], "NVML: lock the clocks: Insufficient Permissions", "it may not")
    eq((clocks.fake.told(), clocks.left()), ("", []), "nothing is left")
    clocks = Clocks("unlock 0 1\n")
    client, said = clocks.ask()
    client.shutdown(socket.SHUT_WR)
    has(client.recv(4096).decode(), "NVML: unlock the clocks", "nor unlock")
    eq(len(clocks.left()), 1, "and the next one knows of it")


def doctor_tries_it():
    """doctor asks it, and says where it is not"""
    clocks = Clocks()
    has(clocks.doctor(), re.compile("^ok +clocks +locked while it is measured on", re.M), "it serves")
    eq(clocks.fake.told(), "", "nothing is locked for that")
    clocks.process.kill()
    clocks.process.wait()
    has(clocks.doctor(), re.compile("^note +clocks +ratchet-clocks at `%s`: " % re.escape(clocks.socket), re.M), "it is gone")


lib.main(as_long_as_it_is_asked, one_job, another_gpu, who_may_ask, however_it_ends, the_driver_refuses, doctor_tries_it)
