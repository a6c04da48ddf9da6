#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two daemons: ratchetd, which holds the token, and ratchet-run, which starts the sandboxes as a user of
its own. What ratchetd promises holds however one of them ends; no verdict is looked at that a busy machine
could change."""

import ast
import atexit
import os
import pwd
import re
import signal
import socket

import lib
import scene
from lib import TOKEN, eq, has, lacks, ok

BUILD = os.path.dirname(lib.program("RATCHET"))
NOBODY = 65534
LONG = "3600.%d" % os.getpid()  # nobody else's
HANGS = scene.conf().replace("command = cc", "command = sleep %s && cc" % LONG)
QUICK = {"retry-ms": 100}


class Runner:
    """ratchet-run, as nobody where we are root."""

    def __init__(self, host, user=None):
        self.socket = os.path.join(host.folder, "run", "sock")
        self.log = os.path.join(host.folder, "run.log")
        os.makedirs(os.path.dirname(self.socket))
        self.argv = [os.path.join(BUILD, "ratchet-run"), "--socket", self.socket, "--state", host.state, "--for",
                     user or pwd.getpwuid(os.geteuid()).pw_name]
        if os.geteuid() == 0:
            os.chown(os.path.dirname(self.socket), NOBODY, NOBODY)
            program = os.path.join(host.folder, "ratchet-run")  # the build may lie where nobody may go
            lib.shutil.copy(self.argv[0], program)
            self.argv = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", program,
                         *self.argv[1:]]
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = lib.start(self.argv, stdin=lib.subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(lib.kill, self.process)  # whoever changes its user does not die with us
        lib.wait_for(self.listens, "ratchet-run to listen")

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError("ratchet-run ended\n" + lib.read(self.log))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            try:
                client.connect(self.socket)
            except OSError:
                return False
        return True

    def kill(self, number=signal.SIGKILL):
        os.kill(self.process.pid, number)
        self.process.wait(30)


def parents():
    """{pid: (parent, name)} of all processes"""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = lib.read("/proc/%s/stat" % name)
            except OSError:
                continue
            rest = text.rsplit(")", 1)
            found[int(name)] = int(rest[1].split()[1]), rest[0].split("(", 1)[1]
    return found


def below(pid):
    """Names of a process's descendants"""
    all_of_them, known, names = parents(), {pid}, []
    while True:
        more = {child for child, (parent, _) in all_of_them.items() if parent in known} - known
        if not more:
            return sorted(names)
        known |= more
        names += [all_of_them[child][1] for child in more]


def sleepers():
    """Processes of a build that hangs, wherever they are"""
    found = []
    for pid in parents():
        try:
            words = lib.read("/proc/%d/cmdline" % pid).split("\0")
        except OSError:
            continue
        if words[:2] == ["sleep", LONG]:
            found.append(pid)
    return found


def scenery(**more):
    s = scene.github()
    host = scene.Host(s, token=TOKEN, limits={**QUICK, **more.pop("limits", {})},
                      daemon=("lock-dir = @", "run-socket = @/run/sock"))
    lib.write(host.config, lib.read(host.config).replace("@", host.folder))
    return s, host, Runner(host), host.daemon()


def ask(s, host, name, files, run=1):
    number, head = scene.pull(s, name, files)
    return host.step("pull_request", scene.pull_event(s, number), run=run, token=None), number, head


def the_same_verdicts():
    """A check is what it is without it: held, a build that fails, a crash, a wrong result, and one that hangs"""
    s, host, runner, daemon = scenery(limits={"turn-timeout-ms": 2000})
    for run, (name, files, want, words) in enumerate((
            ("same", {"kernels/attention.c": scene.kernel("right", "/* more */\n")}, (0, "held"), "identical-code"),
            ("broken", "broken", (3, "unmeasured"), "build-failed"), ("crash", "crash", (3, "unmeasured"), "crash"),
            ("wrong", "wrong", (3, "unmeasured"), "wrong-result"), ("hang", "hang", (3, "unmeasured"), "hang")), 1):
        step, _, head = ask(s, host, name, files, run)
        result = step.run()
        eq(result.brief(), want, name)
        has(result.file("verdict.json"), words, name + ": by its clause")
        lib.wait_for(lambda: scene.status(s, head)[-1:] not in ([], ["pending"]), name + ": a final status")
    step, _, _ = ask(s, host, "slow", "slow", 9)
    result = step.run()
    ok(result.code in (1, 2), "what is slower is measured, and never found to hold", result.text)
    if os.geteuid() == 0:
        eq([line for line in lib.read(runner.log).splitlines() if "sandbox limits" not in line], [],
           "and it had no trouble")
    daemon.kill()


def over_there():
    """No sandbox is below the daemon, and where it dies they die; the job is taken again"""
    s, host, runner, daemon = scenery()
    step, number, head = ask(s, host, "hang", {"ci/ratchet.conf": HANGS})
    step.start()
    lib.wait_for(sleepers, "the build")
    lacks(below(daemon.process.pid), "bwrap", "below the daemon")
    ok("bwrap" in below(runner.process.pid), "but below ratchet-run", below(runner.process.pid))
    daemon.kill()
    lib.wait_for(lambda: not below(runner.process.pid), "the sandbox to end with the daemon")
    eq(sleepers(), [], "all of it")
    daemon.start()
    lib.wait_for(sleepers, "the build, once more")
    step.interrupt()
    lib.wait_for(lambda: not below(runner.process.pid), "a cancelled one to end")
    eq((step.finish(30).brief(), sleepers()), ((3, "unmeasured"), []), "and nothing is left")
    daemon.kill()


def it_dies():
    """Killed while it runs a build, it takes that along; the job is taken again, as often as any"""
    s, host, runner, daemon = scenery()
    step, number, head = ask(s, host, "hang", {"ci/ratchet.conf": HANGS})
    step.start()
    for time in range(3):
        lib.wait_for(sleepers, "the build")
        runner.kill()
        lib.wait_for(lambda: not sleepers(), "the sandbox to end with it")
        has(lib.wait_for(lambda: "ratchet-run died" in lib.read(daemon.log) and lib.read(daemon.log), "a word"),
            "it is taken again", "it is said")
        runner.start()
    result = step.finish()
    eq((result.brief(), result.verdict["clause"]), ((3, "unmeasured"), "internal"), "not for ever")
    step, number, head = ask(s, host, "docs", {"kernels/attention.c": scene.kernel("right", "/* - */\n")}, 2)
    eq(step.run().brief(), (0, "held"), "the next one is right")
    daemon.kill()


def it_dies_under_a_kernel():
    """Killed while a kernel is measured, the kernel is not to blame"""
    s, host, runner, daemon = scenery(limits={"turn-timeout-ms": 60000})
    step, number, head = ask(s, host, "hang", "hang")
    step.start()
    lib.wait_for(lambda: "ratchet-bench" in below(runner.process.pid), "the harness")
    runner.kill()
    lib.wait_for(lambda: "it is taken again" in lib.read(daemon.log), "a word")
    eq(scene.status(s, head), ["pending"], "nothing is said of it")
    runner.start()
    lib.wait_for(lambda: "ratchet-bench" in below(runner.process.pid), "the harness, once more")
    step.interrupt()
    step.finish(30)
    eq(below(runner.process.pid), [], "and nothing is left")
    daemon.kill()


def it_is_not_there():
    """While it is away a job waits, and is measured when it comes"""
    s, host, runner, daemon = scenery()
    runner.kill()
    step, number, head = ask(s, host, "same", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    step.start()
    lib.wait_for(lambda: lib.read(daemon.log).count("ratchet-run does not answer") >= 2, "it to wait")
    eq(scene.status(s, head), ["pending"], "nothing is said of it")
    runner.start()
    eq(step.finish().brief(), (0, "held"), "and then it is measured")
    doctor = host.ratchet("doctor", "--config", host.config)
    has(doctor.out, "bubblewrap, by ratchet-run at " + runner.socket, "doctor tries it")
    runner.kill()
    doctor = host.ratchet("doctor", "--config", host.config)
    eq(doctor.code, 3, "where it is gone, doctor says so")
    has(doctor.out, "FAIL  sandbox                the sandbox does not start: ratchet-run at `", "by name")
    daemon.kill()


def another_state_folder():
    """One that is for another state folder makes no sandbox for this one, and doctor says why"""
    s, host, runner, daemon = scenery()
    doctor = host.ratchet("doctor", "--config", host.config)
    has(doctor.out, re.compile("^ok +state folder +" + re.escape(host.state), re.M), "doctor has tried a folder of it")
    runner.kill()
    other = os.path.join(host.folder, "other")
    runner.argv[runner.argv.index(host.state)] = other
    runner.start()
    doctor = host.ratchet("doctor", "--config", host.config)
    has(doctor.out, re.compile("^FAIL +state folder .*is not below `%s/work`" % re.escape(other), re.M), "the reason")
    has(doctor.out, re.compile("^ok +sandbox ", re.M), "though there are sandboxes")
    daemon.kill()


def who_may_ask():
    """Nobody but root and the user that it is for; and what is no request is refused"""
    s, host, runner, daemon = scenery()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(runner.socket)
        client.send(b"hello" * 300)
        ok(client.recv(4096), "an answer")
    has(lib.read(runner.log), "malformed", "it says why")
    if os.geteuid() != 0:
        raise lib.Skip("not root: no other user to try")
    code = "import socket; c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); " \
        "c.connect(%r); print(len(c.recv(4096)))" % runner.socket
    run = lib.run(["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "/usr/bin/python3", "-c", code])
    eq((run.code, run.out), (0, "0\n"), "another user is shown the door")
    has(lib.read(runner.log), "user 1234 may not ask", "and named")
    daemon.kill()


class Asker:
    """A ratchetd that somebody has taken over: it says to ratchet-run what it likes."""

    SANDBOX = {"kind": "build", "device": "", "uuid": "", "minor": "0", "cwd": "/", "limits": ["0"] * 6, "cpus": [],
               "binds": [], "env": [], "argv": []}

    def __init__(self, runner):
        self.runner = runner

    def ask(self, **asked):
        """What the sandbox wrote, its reply's `failed`"""
        s = {**self.SANDBOX, **asked}
        words = ["11101", "ratchet.sandbox/2", s["kind"], s["device"], s["uuid"], s["minor"], s["cwd"], *s["limits"]]
        for field in "cpus", "binds", "env", "argv":
            words += [str(len(s[field])), *(word for item in s[field] for word in ([item] if isinstance(item, str) else item))]
        (out, far), (life, far_life) = os.pipe(), os.pipe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client, open(os.devnull, "rb") as null:
            client.connect(self.runner.socket)
            socket.send_fds(client, ["\0".join([*words, ""]).encode()], [null.fileno(), far, far, life])
            os.close(far)
            reply = client.recv(4096)
        with open(out, "rb") as said:
            text = said.read().decode()
        os.close(life)
        os.close(far_life)
        return text, reply[4] != 0


def a_ratchetd_that_is_taken_over():
    """Whoever has ratchetd gets of ratchet-run its own sandboxes alone: no other program, no folder but those in
    work/, nothing writable, no other variable"""
    s, host, runner, daemon = scenery()
    step, number, head = ask(s, host, "same", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    eq(step.run().brief(), (0, "held"), "an honest one")
    work = os.path.join(host.state, "work")
    source = os.path.join(work, "mine")
    os.makedirs(source, 0o755)
    lib.write(os.path.join(source, "file"), "in work\n")
    secret = lib.write(os.path.join(host.folder, "secret"), "do not read\n", 0o644)
    os.symlink(host.folder, os.path.join(work, "link"))
    source_text = lib.read(os.path.join(lib.TOP, "src", "measure", "build_run.c")).split("build_script[] =", 1)[1]
    script = "".join(map(ast.literal_eval, re.findall(r'^ +(".*")', source_text.split(";\n\n", 1)[0], re.M)))
    other = Asker(runner)
    honest = {"cwd": "/src", "binds": [(source, "/run/source")], "env": ["RATCHET_DEVICE=cpu"],
              "argv": ["/bin/sh", "-c", script, "build", "cat file", "out.so"]}
    text, failed = other.ask(**honest)
    ok(not failed and "in work" in text, "what is of a form is run", text)
    spoilt = {
        "another program": {"argv": ["/usr/bin/id"]},
        "another script": {"argv": ["/bin/sh", "-c", "id", "build", "cat file", "out.so"]},
        "bubblewrap's options for words": {"argv": ["--bind", "/", "/", "/bin/sh"]},
        "a folder elsewhere": {"binds": [(host.folder, "/run/source")]},
        "the root": {"binds": [("/", "/run/source")]},
        "a way up": {"binds": [(work + "/../..", "/run/source")]},
        "a link": {"binds": [(work + "/link", "/run/source")]},
        "behind a link": {"binds": [(work + "/link/run", "/run/source")]},
        "another place": {"binds": [(source, "/usr")]},
        "two folders": {"binds": [(source, "/run/source"), (host.folder, "/mine")]},
        "a variable": {"env": ["RATCHET_DEVICE=cpu", "LD_PRELOAD=/run/source/file"]},
        "a GPU": {"device": "nvidia-", "uuid": "GPU-1"},
        "another kind of sandbox": {"kind": "bench", "device": "cpu"},
        "a kind that is none": {"kind": "host"},
        "another folder to begin in": {"cwd": "/proc/self"},
        "a number that is none": {"limits": ["-1"] * 6},
        "more processors than there is room for": {"cpus": [str(i) for i in range(300)]}}
    for name, change in spoilt.items():
        text, failed = other.ask(**{**honest, **change})
        ok(failed and text.startswith("ratchet-run: "), name + ": is refused", text)
        lacks(text, "in work", name + ": nothing is run")
    text, failed = other.ask(**{**honest, "argv": [*honest["argv"][:4], "cat %s; id; ls /; echo x > /run/source/file" % secret, "o"]})
    ok(not failed, "a recipe may say anything", text)
    lacks(text, "do not read", "and sees nothing of the host's")
    eq(lib.read(os.path.join(source, "file")), "in work\n", "nor changes what it is shown")
    step, number, head = ask(s, host, "more", {"kernels/attention.c": scene.kernel("right", "/* once */\n")}, 2)
    eq(step.run().brief(), (0, "held"), "the next honest one is right")
    daemon.kill()


lib.main(a_ratchetd_that_is_taken_over, the_same_verdicts, over_there, it_dies, it_dies_under_a_kernel, it_is_not_there,
         another_state_folder, who_may_ask)
