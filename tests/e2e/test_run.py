#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two daemons: ratchetd, which holds the token, and ratchet-run, which starts the sandboxes as a user of
its own. What ratchetd promises holds however one of them ends; no verdict is looked at that a busy machine
could change."""

import ast
import glob
import hashlib
import os
import re
import socket

import lib
import scene
from lib import TOKEN, eq, has, lacks, ok

LONG = "3600.%d" % os.getpid()  # nobody else's
HANGS = scene.conf().replace("command = cc", "command = sleep %s && cc" % LONG)
QUICK = {"retry-ms": 100}


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


def offspring(pid):
    """{pid: name} of a process's descendants"""
    all_of_them, found = parents(), {}
    while True:
        more = {child: name for child, (parent, name) in all_of_them.items()
                if (parent == pid or parent in found) and child not in found}
        if not more:
            return found
        found.update(more)


def below(pid):
    """Their names"""
    return sorted(offspring(pid).values())


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


def parcels(*pids):
    """Sizes of the commits that are written down in the memory of these or of their descendants"""
    found = []
    for pid in {*pids, *(child for pid in pids for child in offspring(pid))}:
        for path in glob.glob("/proc/%d/fd/*" % pid):
            try:
                if os.readlink(path).startswith("/memfd:commit "):
                    found.append(os.stat(path).st_size)
            except OSError:
                continue
    return found


def files_below(top):
    return [path for folder, _, names in os.walk(top) for path in (os.path.join(folder, name) for name in names)
            if os.path.isfile(path)]


def scenery(**more):
    s = scene.github()
    host = scene.Host(s, token=TOKEN, limits={**QUICK, **more.pop("limits", {})},
                      daemon=("lock-dir = @", "run-socket = @/run/sock"))
    lib.write(host.config, lib.read(host.config).replace("@", host.folder))
    return s, host, scene.Runner(host), host.daemon()


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
    step, number, head = ask(s, host, "hang", {"ci/ratchet.conf": HANGS, "kernels/attention.c": scene.kernel("right", "/* only here */\n")})
    step.start()
    lib.wait_for(sleepers, "the build")
    eq([path for path in files_below(host.folder) if "only here" in lib.read(path)], [], "what it builds is in no file of the host's")
    lacks(below(daemon.process.pid), "bwrap", "below the daemon")
    ok("bwrap" in below(runner.process.pid), "but below ratchet-run", below(runner.process.pid))
    eq(sum(parcels(daemon.process.pid, runner.process.pid)), 0, "nor in memory outside of the sandbox")
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
    eq(os.listdir(os.path.join(host.state, "work")), [], "and leaves nothing")
    lib.write(os.path.join(host.folder, "ratchet-checkout"), "#!/bin/sh\necho no libgit2 >&2; exit 127\n")
    doctor = host.ratchet("doctor", "--config", host.config)
    eq(doctor.code, 3, "where no commit can be written out, doctor says so")
    has(doctor.out, re.compile("^FAIL  sandbox  .*exit code 127: no libgit2", re.M), "with the reason")
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


def named(kind, data):
    """An object's SHA, as git makes it"""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()


def tree(*entries):
    return "tree", b"".join(b"%s %s\0" % (mode, name) + bytes.fromhex(named(*what)) for mode, name, what in entries)


def parcel(objects, sha=None, paths=("kernels",), limits=(1 << 20, 1000, 32)):
    """What ratchetd hands over for a commit: the first of the objects, unless another is named"""
    words = ["ratchet.parcel/1", sha or named(*objects[0]), *limits, len(paths), *paths, 0]
    return b"".join(str(word).encode() + b"\0" for word in words) + b"".join(
        b"%s\0%d\0" % (kind.encode(), len(data)) + data for kind, data in objects)


def commit_of(top, *objects):
    text = "tree %s\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nsaid in private\n"
    return [("commit", (text % named(*top)).encode()), top, *objects]


FOLDER, FILE = b"40000", b"100644"
TEXT = "blob", b"in the commit\n"
KERNELS = tree((FILE, b"file", TEXT))
HONEST = commit_of(tree((FOLDER, b"kernels", KERNELS), (FILE, b"not-listed", ("blob", b"not there"))), KERNELS, TEXT)


class Asker:
    """A ratchetd that somebody has taken over: it says to ratchet-run what it likes."""

    SANDBOX = {"kind": "build", "device": "", "uuid": "", "minor": "0", "cwd": "/", "limits": ["0"] * 6, "cpus": [],
               "binds": [], "env": [], "argv": []}

    def __init__(self, runner):
        self.runner = runner

    def ask(self, given=b"", instead=None, **asked):
        """What the sandbox wrote, its reply's `failed`, what it said on descriptor 3. `given`: what its stdin holds, or
        a descriptor; `instead`: others for some of the five"""
        s = {**self.SANDBOX, **asked}
        words = ["11111", "ratchet.sandbox/3", s["kind"], s["device"], s["uuid"], s["minor"], s["cwd"], *s["limits"]]
        for field in "cpus", "binds", "env", "argv":
            words += [str(len(s[field])), *(word for item in s[field] for word in ([item] if isinstance(item, str) else item))]
        (out, far), (side, far_side), (life, far_life) = os.pipe(), os.pipe(), os.pipe()
        fd = given if isinstance(given, int) else os.memfd_create("commit")
        if not isinstance(given, int):
            os.write(fd, given)
        fds = [fd, far, far, far_side, life]
        for at, other in (instead or {}).items():
            fds[at] = other
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(self.runner.socket)
            socket.send_fds(client, ["\0".join([*words, ""]).encode()], fds)
            for one in far, far_side, fd:
                os.close(one)
            reply = client.recv(4096)
        with open(out, "rb") as text, open(side, "rb") as said:
            text, said = (pipe.read().decode(errors="replace") for pipe in (text, said))
        for one in life, far_life:
            os.close(one)
        return text, reply[4] != 0, said


def script():
    """What runs a recipe"""
    text = lib.read(os.path.join(lib.TOP, "src", "measure", "build_run.c")).split("build_script[] =", 1)[1]
    text = text.split(";\n\n", 1)[0].replace("BUILD_CHECKOUT", '\n "/run/ratchet-checkout"\n')
    return "".join(map(ast.literal_eval, re.findall(r'"(?:[^"\\]|\\.)*"', text)))


def recipe(command, **more):
    return {"given": parcel(HONEST), "cwd": "/src", "env": ["RATCHET_DEVICE=cpu"],
            "argv": ["/bin/sh", "-c", script(), "build", command, "out.so"], **more}


def a_ratchetd_that_is_taken_over():
    """Whoever has ratchetd gets of ratchet-run its own sandboxes alone: no other program, no folder, nothing writable, no
    other variable"""
    s, host, runner, daemon = scenery()
    step, number, head = ask(s, host, "same", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    eq(step.run().brief(), (0, "held"), "an honest one")
    work = os.path.join(host.state, "work")
    source = os.path.join(work, "mine")
    os.makedirs(source, 0o755)
    lib.write(os.path.join(source, "file"), "in work\n")
    secret = lib.write(os.path.join(host.folder, "secret"), "do not read\n", 0o644)
    os.symlink(host.folder, os.path.join(work, "link"))
    other = Asker(runner)
    honest = recipe("cat kernels/file")
    text, failed, _ = other.ask(**honest)
    ok(not failed and "in the commit" in text, "what is of a form is run", text)
    spoilt = {
        "another program": {"argv": ["/usr/bin/id"]},
        "another script": {"argv": ["/bin/sh", "-c", "id", "build", "cat kernels/file", "out.so"]},
        "bubblewrap's options for words": {"argv": ["--bind", "/", "/", "/bin/sh"]},
        "a folder of sources": {"binds": [(source, "/run/source")]},
        "a folder elsewhere": {"binds": [(host.folder, "/run/source")]},
        "the root": {"binds": [("/", "/run/source")]},
        "a way up": {"binds": [(work + "/../..", "/run/source")]},
        "a link": {"binds": [(work + "/link", "/run/source")]},
        "another place": {"binds": [(source, "/usr")]},
        "another checkout": {"binds": [(source + "/file", "/run/ratchet-checkout")]},
        "a variable": {"env": ["RATCHET_DEVICE=cpu", "LD_PRELOAD=/run/source/file"]},
        "a GPU": {"device": "nvidia-", "uuid": "GPU-1"},
        "another kind of sandbox": {"kind": "bench", "device": "cpu"},
        "a kind that is none": {"kind": "host"},
        "another folder to begin in": {"cwd": "/proc/self"},
        "a number that is none": {"limits": ["-1"] * 6},
        "more processors than there is room for": {"cpus": [str(i) for i in range(300)]},
        "a folder for a file": {"given": os.open(host.folder, os.O_RDONLY)},
        "a folder that is a link's": {"given": os.open(work + "/link/run", os.O_PATH)}}
    for name, change in spoilt.items():
        text, failed, _ = other.ask(**{**honest, **change})
        ok(failed and text.startswith("ratchet-run: "), name + ": is refused", text)
        lacks(text, "in the commit", name + ": nothing is run")
    near, far = socket.socketpair()  # a folder may come through it
    socket.send_fds(near, [b"x"], [os.open("/", os.O_RDONLY)])
    network = socket.create_server(("127.0.0.1", 0))
    leads_on = {"a folder": os.open("/", os.O_RDONLY), "a socket": far.fileno(), "a network's": network.fileno(),
                "a device": os.open("/dev/zero", os.O_RDWR), "a link": os.open(work + "/link", os.O_PATH | os.O_NOFOLLOW),
                "others": os.eventfd(0)}
    for at in range(5):
        for name, fd in leads_on.items():
            text, failed, said = other.ask(**honest, instead={at: fd})
            ok(failed and "in the commit" not in text and said == "", "%s for descriptor %d: is refused" % (name, at), text)
    text, failed, _ = other.ask(**recipe("cat %s; id; ls /; echo x > /run/ratchet-checkout" % secret))
    ok(not failed, "a recipe may say anything", text)
    lacks(text, "do not read", "and sees nothing of the host's")
    has(text, "cannot create /run/ratchet-checkout", "nor changes what it is shown")
    step, number, head = ask(s, host, "more", {"kernels/attention.c": scene.kernel("right", "/* once */\n")}, 2)
    eq(step.run().brief(), (0, "held"), "the next honest one is right")
    daemon.kill()


def sources_that_do_not_fit():
    """They are the pull request's fault, as they are where somebody builds by hand (tests/unit/test_build.c)"""
    for run, (limit, room) in enumerate({"build-disk": 8 << 20, "build-file": 1 << 20}.items(), 1):
        s, host, runner, daemon = scenery(limits={limit: room})
        step, number, head = ask(s, host, "large", {"kernels/attention.c": scene.kernel("right", "/* more */\n"),
                                                    "kernels/large": "x" * (12 << 20)}, run)
        result = step.run()
        eq((result.brief(), result.verdict["clause"], result.verdict["fault"]), ((3, "unmeasured"), "build-failed", "the PR"), limit)
        has(result.file("verdict.json"), "the sources do not fit: a build may hold ", limit + ": it is said")
        daemon.kill()
    if lib.has_sanitizers():
        return
    s, host, runner, daemon = scenery()
    large = "blob", b"x" * (40 << 20)
    top = tree((FILE, b"file", large))
    given = parcel([*commit_of(tree((FOLDER, b"kernels", top)), top), large], limits=(1 << 50, 10, 10))
    text, failed, said = Asker(runner).ask(**recipe("echo it ran", given=given, limits=[str(1 << 30), "0", str(100 << 20), "0", "0", "0"]))
    ok(not failed and said == "started\ntree\n" and text.count("\n") == 1, "nor is there memory enough: one line says so", text + said)
    has(text, "emory", "in words")
    daemon.kill()


def flipped(at):
    data = bytearray(parcel(HONEST))
    data[at] ^= 1
    return bytes(data)


def commits_that_are_none():
    """What a build sees is that commit's, under its paths, or there is no build"""
    s, host, runner, daemon = scenery()
    other = Asker(runner)
    whole = parcel(HONEST)
    evil = ("blob", b"evil\n")
    up = tree((FILE, b"passwd", evil))
    bombs, level = [], tree((FILE, b"file", TEXT))
    for _ in range(6):
        bombs.append(level)
        level = tree(*((FOLDER, b"%d" % n, level) for n in range(10)))
    tag = "tag", ("object %s\ntype commit\ntag v1\ntagger A <a@b> 1 +0000\n\nx\n" % named(*HONEST[0])).encode()
    large = "blob", b"x" * (3 << 20)

    def kernels(*entries):
        return commit_of(tree((FOLDER, b"kernels", tree(*entries))), tree(*entries))

    def write_end():
        out, into = os.pipe()
        os.write(into, whole)
        os.close(into)
        return out
    bad = {
        "nothing": b"", "something else": b"hello\n" * 100, "another version's": whole.replace(b"parcel/1", b"parcel/2", 1),
        "one that is cut short": whole[:-1], "half of it": whole[:len(whole) // 2], "its last byte": flipped(-1),
        "a byte of its commit": flipped(whole.index(b"said in private")), "its SHA": flipped(whole.index(b"\0") + 5),
        "a size that is none": whole.replace(b"blob\0", b"blob\0-", 1),
        "a size of far more": whole.replace(b"blob\x0014\0", b"blob\x0018446744073709551615\0", 1),
        "a commit that is not there": parcel(HONEST, "1" * 40), "a part of a SHA": parcel(HONEST, named(*HONEST[0])[:12]),
        "a branch": parcel(HONEST, "refs/heads/main"), "a way up for a commit": parcel(HONEST, "../" * 13 + "x"),
        "a tree": parcel(HONEST, named(*HONEST[1])), "a file": parcel(HONEST, named(*TEXT)),
        "a tag": parcel([tag, *HONEST]), "a commit whose tree is not there": parcel([HONEST[0], *HONEST[2:]]),
        "a file less": parcel(HONEST[:-1]), "another file": parcel([*HONEST[:-1], evil]),
        "a file for a folder": parcel(commit_of(TEXT)), "a folder for a file": parcel([*kernels((FILE, b"file", KERNELS)), KERNELS, TEXT]),
        "a folder called ..": parcel([*kernels((FOLDER, b"..", up)), up, evil]),
        "a folder called .git": parcel([*kernels((FOLDER, b".git", up)), up, evil]),
        "a name with slashes": parcel([*kernels((FILE, b"../../../tmp/x", evil)), evil]),
        "a name that stands twice": parcel([*kernels((FILE, b"file", evil), (FILE, b"file", TEXT)), evil, TEXT]),
        "a submodule": parcel(kernels((b"160000", b"vendor", HONEST[0])) + HONEST),
        "a bomb of folders": parcel([*commit_of(tree((FOLDER, b"kernels", level)), level), *bombs, TEXT]),
        "more than its limit": parcel([*kernels((FILE, b"file", large)), large], limits=(1 << 20, 10, 10)),
        "more than there is room for": parcel([*kernels((FILE, b"file", large)), large], limits=(1 << 50, 10, 10)),
        "more paths than there is room for": parcel(HONEST, paths=["kernels"] * 100),
        "a pipe": write_end,
        "a file of the host's": lambda: os.open("/etc/passwd", os.O_RDONLY)}
    for name, given in bad.items():
        text, failed, _ = other.ask(**recipe("echo it ran; cat kernels/*", given=given() if callable(given) else given,
                                          limits=[str(1 << 20), "0", "0", "0", "0", "0"]))
        lacks(text, "it ran", name + ": nothing is run")
        ok(not failed and text.count("\n") == 1, name + ": and one line says why", text)
    text, failed, _ = other.ask(**recipe("find . | sort | tr '\\n' ' '; cat /etc/passwd", given=parcel(
        HONEST, paths=("../../etc", "/etc", "kernels/../../../etc", "not-listed/x"))))
    has(text, "\n. ", "paths outside lead to nothing")
    lacks(text, "root:", "least of all to the host's files")
    text, failed, _ = other.ask(**recipe("find . | sort | tr '\\n' ' '; wc -c; cat /proc/*/cmdline /proc/*/environ; ls -l /proc/*/fd"))
    has(text, "\n. ./kernels ./kernels/file 0\n", "what is not under the paths is not there, and nothing is on stdin")
    for secret in named(*HONEST[0]), "said in private", "not-listed", "memfd":
        lacks(text, secret, "nor is anything left by which a recipe could tell one commit from another")
    daemon.kill()


lib.main(a_ratchetd_that_is_taken_over, commits_that_are_none, sources_that_do_not_fit, the_same_verdicts, over_there, it_dies, it_dies_under_a_kernel, it_is_not_there,
         another_state_folder, who_may_ask)
