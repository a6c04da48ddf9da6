#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ratchetd and `ratchet submit`: what a real workflow run does. Events in, streamed progress, one
comment out; whoever asks for what may not be asked is told so in one line; and a daemon that is
killed at any moment and started again finishes what it had accepted, once."""

import json
import os
import re
import shutil
import signal
import socket
import time

import lib
import scene
from lib import BOT, TOKEN, eq, has, lacks, ok
from actions import runner_reads

# Long enough to be met in the middle.
LONG = {"samples": 400}


def scenery(daemon=True, limits=None, token=None, **more):
    s = scene.github(**more)
    host = scene.Host(s, limits=limits, token=token)
    return s, host, host.daemon() if daemon else None


def pull_step(s, host, number, **more):
    return host.step("pull_request", scene.pull_event(s, number), **more)


def jobs(host):
    """[(state, verdict)] as `ratchet status` tells, newest first."""
    result = host.ratchet("status", "--socket", host.socket)
    return [tuple(line.split()[3:5]) for line in result.out.splitlines() if not line.startswith("nothing yet")]


def a_run():
    """A run from event to comment"""
    s, host, _ = scenery()
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number)
    result = step.run()
    eq(result.brief(), (1, "regressed"), "exit code and verdict")
    eq(scene.status(s, head), ["pending", "failure"], "status: pending at once, then failure")
    bodies = scene.ours(s, number)
    eq(len(bodies), 1, "one comment")
    has(step.file("summary"), "regressed", "the summary has the report")
    outputs = runner_reads(step.file("output"))
    eq(outputs["verdict"], "regressed", "the step's output names the verdict")
    has(outputs["comment"], "#issuecomment-", "and the comment")
    has(step.log(), re.compile("build head"), "progress was streamed")
    has(step.log(), "::error title=Ratchet", "and the run is annotated")
    eq(sorted(os.listdir(step.artifacts)), ["env.json", "explain.txt", "log", "report.md", "samples.json",
                                              "verdict.json"],
       "artifacts")
    lacks(step.log() + step.file("summary"), TOKEN, "no token in log or summary")
    url = s.statuses(head)[-1]["target_url"]
    eq(url, "https://github.example/octo/kernels/actions/runs/1", "the status links the run")
    state = b"".join(open(os.path.join(d, f), "rb").read() for d, _, fs in os.walk(host.state)
                     for f in fs)
    ok(TOKEN.encode() not in state, "the token is in no file of the daemon's")
    eq([r["path"] for r in s.requests() if "leaked" in r], [], "nor in a wrong place of a request")


def annotated():
    """Where head does not compile the step says so at the place; of base's errors and other files nothing"""
    s, host, _ = scenery()
    code = "#error 100%, ::error::not today\n" + "".join(
        '#line 1 "%s"\n#error forged\n' % path for path in ("no/such.c", "../../etc/passwd", "/src/kernels"))
    broken = {"kernels/attention.c": code}
    number, _ = scene.pull(s, "broken", broken)
    step = pull_step(s, host, number)
    eq(step.run().brief(), (3, "unmeasured"), "it does not compile")
    eq([line for line in step.log().splitlines() if line.startswith("::error file=")],
       ["::error file=kernels/attention.c,line=1,col=2::#error 100%25, ::error::not today"], "one annotation")
    s.repo.commit(broken, "broken", branch="main")
    s.repo.push(s.git_url, "main")
    also, _ = scene.pull(s, "also", {"kernels/attention.c": code + "/* also */\n"})
    step = pull_step(s, host, also, run=2)
    eq(step.run().brief(), (3, "unmeasured"), "nor does base")
    lacks(step.log(), "::error file=", "which is not head's fault")


def events():
    """Edits, labels, dispatches and re-runs find their pull request; nothing is said twice"""
    s, host, _ = scenery()
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    run = 1
    for action in ("opened", "edited", "labeled", "synchronize"):
        step = host.step("pull_request", scene.pull_event(s, number, action), run=run)
        eq(step.run().code, 0, action)
        run += 1
    dispatch = {"inputs": {"pull-request": str(number)}, "ref": "refs/heads/main",
                "repository": {"full_name": scene.REPOSITORY}, "sender": {"login": "alice"},
                "workflow": ".github/workflows/ratchet.yml"}
    eq(host.step("workflow_dispatch", dispatch, run=run).run().code, 0, "dispatch")
    rerun = host.step("workflow_dispatch", dispatch, run=run, attempt=2)
    eq(rerun.run().code, 0, "re-run")
    eq(len(jobs(host)), 6, "six jobs")
    eq(len(scene.ours(s, number)), 1, "one comment")
    before = len(s.requests("PATCH")) + len(s.requests("POST", "/repos/"))
    again = host.step("workflow_dispatch", dispatch, run=run, attempt=2).run()
    eq((again.code, again.verdict["verdict"]), (0, "held"), "the same key has its answer at once")
    eq(len(s.requests("PATCH")) + len(s.requests("POST", "/repos/")), before, "nothing is posted")
    eq(len(jobs(host)), 6, "and it is no new job")
    for name, value in (("branch", "docs"), ("sha", head)):
        run += 1
        dispatch["inputs"] = {"pull-request": "", name: value}
        eq(host.step("workflow_dispatch", dispatch, run=run).run().brief(), (0, "held"), "dispatch by " + name)
    eq(len(jobs(host)), 8, "two jobs more")
    eq(len(scene.ours(s, number)), 1, "for the same pull request")
    dispatch["inputs"] = {"branch": "main"}
    stranger = host.step("workflow_dispatch", dispatch, run=run + 1).run()
    eq(stranger.code, 64, "a branch without a pull request")
    has(stranger.text, "head of no open pull request", "is said so")
    closed = host.step("pull_request", scene.pull_event(s, number, "closed"), run=99).run()
    eq(closed.code, 0, "a closed pull request is nothing to do")
    eq(len(jobs(host)), 8, "and no job")


def days_later():
    """A re-run whose payload is days old finds its pull request: today's head is measured, and only its
    status is set"""
    s, host, _ = scenery()
    number, old = scene.pull(s, "docs", {"README": "x\n"})
    event = scene.pull_event(s, number)
    new = s.repo.commit({"README": "y\n"}, "more", branch="docs")
    s.repo.push(s.git_url, "docs")
    eq(host.step("pull_request", event, attempt=2).run().brief(), (0, "held"), "measured")
    eq((scene.status(s, old), scene.status(s, new)), ([], ["success"]), "today's head")
    has(scene.ours(s, number)[0], new[:10], "which the comment names")
    event["pull_request"] = None
    eq(host.step("pull_request", event, attempt=3).run().brief(), (0, "held"), "the number alone is enough")
    eq((scene.status(s, old), scene.status(s, new)[-1]), ([], "success"), "and it is today's head")


def refused():
    """What may not be asked is refused in one line, and nobody else hears the token"""
    s, host, _ = scenery()
    number, head = scene.pull(s, "slow", "slow")
    other = lib.Standin("octo/kernels")
    good = scene.pull_event(s, number)
    elsewhere = dict(good, repository=dict(good["repository"], full_name="octo/other"))
    for what, step, words in (
            ("another API address", pull_step(s, host, number, GITHUB_API_URL=other.url),
             other.url),
            ("a repository that is not allowed", host.step("pull_request", elsewhere, run=2),
             "octo/other"),
            ("an event cut in half", host.step("pull_request", json.dumps(good)[:500], run=3),
             "event"),
            ("no pull request in the event", host.step(
                "pull_request", dict(good, pull_request=None, number=None), run=4), "pull_request"),
            ("a dispatch without a number", host.step("workflow_dispatch", {
                "inputs": None, "repository": good["repository"]}, run=5), "pull-request"),
            ("an event of another kind", host.step("issues", good, run=6), "issues"),
            ("an event that is too large", host.step("pull_request", dict(
                good, padding="x" * (5 << 20)), run=7), re.compile("larger|long|bytes")),
            ("no event", host.step("pull_request", good, run=8, GITHUB_EVENT_PATH="/none"),
             "/none"),
            ("no token", host.step("pull_request", good, run=9, token=None), "token"),
            ("a run number that is none", host.step("pull_request", good, run=10,
                                                    GITHUB_RUN_ID="1/2"), "run")):
        since = s.requests()[-1]["id"]
        result = step.run()
        eq(result.code, 64, what)
        lines = [l for l in step.log().splitlines() if l.startswith("ratchet submit: ")]
        eq(len(lines), 1, what + ": one line")
        has("\n".join(lines), words, what + ": it names the thing")
        eq(s.requests(since=since), [], what + ": GitHub was not asked")
    eq(other.requests(), [], "the other address heard nothing")
    eq(jobs(host), [], "no job was made")
    absent = host.step("workflow_dispatch", {"inputs": {"pull-request": "77"}, "repository":
                       good["repository"]}, run=11).run()
    ok(absent.code in (3, 64), "a pull request that is not there", absent.out)
    has(absent.out, "77", "it is named")


def limits_of_the_host():
    """The ceilings of ratchetd.conf hold for the commands that only read files, too"""
    s, host, _ = scenery(limits={"event-bytes": 6 << 20})
    number, _ = scene.pull(s, "docs", {"README": "x\n"})
    large = dict(scene.pull_event(s, number), padding="x" * (5 << 20))
    step = host.step("pull_request", large)
    eq(step.run().code, 64, "an event beyond the built-in limit")
    has(step.log(), "is longer than 4194304 bytes", "is refused where no configuration is read")
    step = host.step("pull_request", large, run=2)
    eq(step.run("--config", host.config).brief(), (0, "held"), "and taken where the host allows it")
    small = scene.Host(s, limits={"event-bytes": 1000, "samples-bytes": 1000, "config-bytes": 100})
    step = host.step("pull_request", scene.pull_event(s, number), run=3)
    eq(step.run("--config", small.config).code, 64, "an event beyond a smaller limit")
    has(step.log(), "event ([limits] event-bytes): ", "names the limit")
    has(step.log(), "is longer than 1000 bytes", "and is refused")
    verdict, rules = (os.path.join(host.folder, name) for name in ("verdict.json", "rules"))
    lib.write(verdict, step.env["GITHUB_EVENT_PATH"] * 100)
    lib.write(rules, scene.conf())
    samples = lib.write(os.path.join(host.folder, "samples.json"), json.dumps({
        "schema": "ratchet.samples/1", "device": {"slug": "cpu", "name": "CPU"}, "configs": []}))
    for words, bytes_ in ((("compare", verdict), 1000), (("report", verdict), 1000),
                          (("compare", "--rules", rules, samples), 100)):
        refused = host.ratchet(*words, "--config", small.config)
        eq(refused.code, 64, words[0])
        has(refused.err, "is longer than %d bytes" % bytes_, words[0] + ": refused by the host's limit")


def strangers():
    """Other users of the host may not submit"""
    if os.geteuid() != 0:
        raise lib.Skip("needs root to become somebody else")
    s, host, daemon = scenery()
    number, _ = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number)
    for folder, _, files in os.walk(step.folder):
        os.chmod(folder, 0o777)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o666)
    with socket.socket(socket.AF_UNIX) as probe:  # may they reach the socket at all?
        ok(os.stat(host.socket).st_mode & 0o002, "the socket can be reached")
    binary = os.path.join(step.folder, "ratchet")
    lib.shutil.copy(lib.program("RATCHET"), binary)
    os.chmod(os.path.dirname(host.folder), 0o1777)
    run = lib.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary,
                   *step.argv[1:]], env=step.env, cwd=step.folder)
    ok(run.code not in (0, 1), "refused", run)
    has(run.out + run.err, re.compile("65534|allow-user"), "and told why")
    eq(jobs(host), [], "no job was made")


def hostile_messages():
    """A client that talks nonsense is dropped, and nobody else notices"""
    s, host, daemon = scenery()

    def talk(data):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(host.socket)
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                got = b""
                while True:
                    piece = client.recv(65536)
                    if not piece:
                        return got.decode(errors="replace")
                    got += piece
            except (BrokenPipeError, ConnectionResetError):
                return "reset"
    for what, data in (("no JSON", b"hello\n"), ("a list", b"[]\n"), ("nothing", b"\n"),
                       ("half a line", b'{"type":'), ("no type", b"{}\n"),
                       ("deep", b"[" * 100000 + b"\n"), ("an unknown type", b'{"type":"x"}\n'),
                       ("a version to come", b'{"type":"submit","version":99}\n'),
                       ("bytes", bytes(range(256)) * 4 + b"\n"),
                       ("cancel of nothing", b'{"type":"cancel"}\n'),
                       ("twice the same key", b'{"type":"status","type":"submit"}\n')):
        said = talk(data)
        ok(said == "reset" or '"error"' in said or what == "half a line", what, said)
    ok(re.search('reset|"error"', talk(b"x" * (1 << 20))), "a line without end")
    ok(daemon.listens(), "the daemon is still there")
    many = []
    for _ in range(100):
        one = socket.socket(socket.AF_UNIX)
        one.connect(host.socket)
        many.append(one)
    for one in many:
        one.close()
    number, _ = scene.pull(s, "docs", {"README": "x\n"})
    eq(pull_step(s, host, number).run().code, 0, "and works")


def idle_clients():
    """Who connects and asks for nothing, or never ends a message, keeps nobody out"""
    s, host, daemon = scenery(limits={"clients": 4, "client-timeout-ms": 500})
    idle = []
    for at in range(8):
        client = socket.socket(socket.AF_UNIX)
        client.connect(host.socket)
        if at % 2 == 1:
            client.send(b'{"type": "sta')
        idle.append(client)
    lib.wait_for(lambda: host.ratchet("status", "--socket", host.socket).code == 0, "a place to be free")
    ok(True, "the places are free again")
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    eq(pull_step(s, host, number).run().code, 0, "a job is taken and waited for")
    for client in idle:
        client.close()


def queue():
    """One lane: two runs at once are measured one after the other"""
    s, host, _ = scenery(**LONG)
    numbers = [scene.pull(s, name, scene.distinct("slow", name))[0] for name in ("a", "b")]
    steps = [pull_step(s, host, n, run=n).start() for n in numbers]
    for step, number in zip(steps, numbers):
        scene.fair(step.finish(), (1, "regressed"), "pull request %d" % number)
        eq(len(scene.ours(s, number)), 1, "one comment each")
    logs = [lib.read(os.path.join(host.state, "jobs", str(i), "log")) for i in (1, 2)]
    ok(all("replicate 6" in text for text in logs), "both have a log", logs)


def cancel():
    """A step that is cancelled takes its job with it"""
    s, host, daemon = scenery(**LONG)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number).start()
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    ok(children(host, daemon), "it is being measured")
    step.interrupt()
    result = step.finish(30)
    ok(result.code != 0, "no pass", result.text)
    eq(result.brief(), (3, "unmeasured"), "it is told that nothing was measured")
    has(step.log(), "cancelled by its workflow run", "and why")
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "GitHub to know of it")
    lib.wait_for(lambda: not children(host, daemon), "its processes to end")
    ok(True, "nothing goes on running")
    other, _ = scene.pull(s, "docs", {"README": "x\n"})
    eq(pull_step(s, host, other, run=2).run().code, 0, "the next one runs")
    eq(len(scene.ours(s, number)), 1, "one comment")
    has(scene.ours(s, number)[0], "cancelled by its workflow run", "says so, too")
    eq(scene.status(s, head), ["pending", "error"], "its status does not say pending for ever")


def children(host, daemon):
    """Processes that work for a daemon, alive or dead: they know the host's folder, and are
    neither the daemon nor a step."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as source:
                words = source.read().split(b"\0")
        except OSError:
            continue
        if int(pid) != daemon.process.pid and b"submit" not in words and \
                any(host.folder.encode() in w for w in words):
            found.append(words)
    return found


# ---- killed in each stage ----

def killed(stage, reach, files="wrong", token=None, step_dies=False):
    """Kill -9 the daemon where `reach` says, start it again, and see one comment. The verdict is
    one that does not depend on how busy the machine is, but where it is measured."""
    s, host, daemon = scenery(token=token, **(LONG if files == "slow" else {}))
    number, head = scene.pull(s, "topic", files)
    step = pull_step(s, host, number, token=None if token else TOKEN)
    armed = reach.arm(s) if hasattr(reach, "arm") else None
    step.start("--wait", "120")
    reach(s, step, armed)
    if step_dies:
        lib.kill(step.process)
    daemon.kill()
    lib.wait_for(lambda: not children(host, daemon), stage + ": the dead daemon's children")
    s.calm()
    daemon.start()
    if not step_dies:
        result = step.finish()
        if files == "slow":
            scene.fair(result, (1, "regressed"), stage + ": the step has its verdict")
        else:
            eq(result.brief(), (3, "unmeasured"), stage + ": the step has its verdict")
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be done")
    verdict = jobs(host)[0][1]
    eq(len(scene.ours(s, number)), 1, stage + ": exactly one comment")
    has(scene.ours(s, number)[0], verdict, stage + ": with the verdict")
    has(s.statuses(head)[-1]["description"], verdict, stage + ": and the status")
    eq(len(jobs(host)), 1, stage + ": one job")


class Held:
    """A stage that is reached when a request is held, before or after it was carried out."""

    def __init__(self, path, method=None, after=False):
        self.fault = {"path": path, "method": method, "after": after}

    def arm(self, s):
        return s.fault(self.fault["path"], "hold", times=0, after=self.fault["after"],
                       **({"method": self.fault["method"]} if self.fault["method"] else {}))

    def __call__(self, s, step, armed):
        s.await_fault(armed)


def logged(text):
    def reach(s, step, armed):
        lib.wait_for(lambda: re.search(text, step.log()), "`%s` in the log" % text)
    return reach


def killed_while_asking():
    """Killed while it asks GitHub"""
    killed("asking", Held(r"/pulls/1$", "GET"))


def killed_while_fetching():
    """Killed while it fetches"""
    killed("fetching", Held("git-upload-pack$", "POST"))


def killed_while_announcing():
    """Killed between a status and its answer"""
    killed("announcing", Held("/statuses/", "POST", after=True))


def killed_while_building():
    """Killed while it builds or just after"""
    killed("building", logged("build head"))


def killed_while_measuring():
    """Killed while it measures"""
    killed("measuring", logged("replicate 2"), files="slow")


def killed_before_the_comment():
    """Killed before the comment is there"""
    killed("before the comment", Held("/comments$", "POST"))


def killed_after_the_comment():
    """Killed when the comment is there, but its answer never came"""
    killed("after the comment", Held("/comments$", "POST", after=True))


def killed_and_alone():
    """Killed together with its step: a host that keeps the token finishes alone"""
    killed("alone", logged("build head"), token=TOKEN, step_dies=True)


def token_comes_back():
    """Where the host keeps no token, a job waits for a step that brings it back"""
    s, host, daemon = scenery(**LONG)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number).start()
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    lib.kill(step.process)
    daemon.kill()
    since = s.requests()[-1]["id"]
    daemon.start()
    eq([state for state, *_ in jobs(host)], ["pinned"], "the job waits")
    again = pull_step(s, host, number)
    result = again.run()
    scene.fair(result, (1, "regressed"), "the same key finds it")
    has(again.log(), "job 1 is", "it is the same job")
    eq(len(scene.ours(s, number)), 1, "one comment")
    ok(len(s.requests(since=since)) > 0, "posted with the token that came back")


def terminated():
    """SIGTERM ends the daemon at once; the next one goes on"""
    s, host, daemon = scenery(**LONG)
    number, _ = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number).start("--wait", "60")
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    eq(daemon.kill(signal.SIGTERM), 0, "it ends well")
    lib.wait_for(lambda: not children(host, daemon), "its children to end")
    daemon.start()
    scene.fair(step.finish(), (1, "regressed"), "the step has its verdict")
    eq(len(scene.ours(s, number)), 1, "one comment")


def no_daemon():
    """A step without a daemon gives up after the time it was given"""
    s, host, _ = scenery(daemon=False)
    number, _ = scene.pull(s, "docs", {"README": "x\n"})
    step = pull_step(s, host, number)
    result = step.run("--wait", "1")
    ok(result.code not in (0, 1, 2), "no pass", result.text)
    has(step.log(), host.socket, "it names the socket")


def second_daemon():
    """Two daemons never share a state folder"""
    s, host, daemon = scenery()
    result = lib.run([lib.program("RATCHETD"), "--config", host.config], env=lib.clean_env(),
                     seconds=30)
    ok(result.code != 0, "the second one ends", result)
    eq(len(result.err.strip().splitlines()), 1, "with one line")
    ok(daemon.listens(), "the first one goes on")
    other = os.path.join(host.folder, "other.conf")
    lib.write(other, lib.read(host.config).replace(host.state, host.state + "-2"))
    for what in "with a state folder of its own", "also where the lock beside the socket is gone":
        result = lib.run([lib.program("RATCHETD"), "--config", other], env=lib.clean_env(), seconds=30)
        ok(result.code != 0, "another one " + what, result)
        has(result.err, host.socket, "it names the socket")
        ok(daemon.listens(), "the first one keeps it")
        if os.path.exists(host.socket + ".lock"):
            os.unlink(host.socket + ".lock")


def what_lies_at_the_socket():
    """A socket that a dead daemon left is taken over; a file that is none is not touched"""
    s, host, daemon = scenery()
    daemon.kill()
    ok(os.path.exists(host.socket), "a dead daemon leaves its socket")
    daemon.start()
    ok(daemon.listens(), "the next one takes it over")
    daemon.kill(lib.signal.SIGTERM)
    if os.path.exists(host.socket):
        os.unlink(host.socket)
    lib.write(host.socket, "precious\n")
    result = lib.run([lib.program("RATCHETD"), "--config", host.config], env=lib.clean_env(), seconds=30)
    eq(result.code, 64, "a file at the socket's path")
    has(result.err, "`%s` is there, and is no socket" % host.socket, "is named")
    eq(lib.read(host.socket), "precious\n", "and kept")


def renamed():
    """The repository is renamed while its pull request waits: comment and status still arrive"""
    s, host, _ = scenery()
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    hold = s.fault("/comments$", "hold", method="POST")
    step = pull_step(s, host, number).start()
    s.await_fault(hold)
    s.on("", full_name="octo/moved")
    s.release(hold)
    eq(step.finish().brief(), (0, "held"), "the verdict")
    eq(len(scene.ours(s, number)), 1, "one comment")
    eq(scene.status(s, head), ["success"], "and the status")
    has(runner_reads(step.file("output"))["comment"], "/octo/moved/pull/", "at its new address")
    ok([r for r in s.requests("POST") if r["status"] == 307], "sent on by GitHub")
    number, head = scene.pull(s, "later", {"README": "y\n"})
    eq(host.check_pull(number).brief(), (0, "held"), "a check that begins later, git's part included")
    eq((len(scene.ours(s, number)), scene.status(s, head)[-1]), (1, "success"), "has both, too")


def lost_cache():
    """The git cache is lost between pinning and measuring: what was pinned is fetched, or merged, again"""
    for what in ("GitHub's merge", "a merge of ours"):
        s, host, _ = scenery()
        number, head = scene.pull(s, "docs", {"README": "x\n"})
        s.repo.commit({"NOTES": "x\n"}, "main moves on", branch="main")
        s.repo.push(s.git_url, "main")
        s.on("", merge_refs="fresh" if what == "GitHub's merge" else "absent")
        hold = s.fault("/statuses/", "hold", method="POST")
        step = pull_step(s, host, number).start()
        s.await_fault(hold)
        shutil.rmtree(os.path.join(host.state, "repos"))
        s.release(hold)
        eq(step.finish().brief(), (0, "held"), what)


def no_permission():
    """A token that may not post: summary and exit code still carry the verdict"""
    s, host, _ = scenery()
    s.post("tokens", token="may-only-read", login=BOT,
           permissions={"contents": "read", "pull_requests": "read", "metadata": "read"})
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number, token="may-only-read")
    eq(step.run().brief(), (1, "regressed"), "exit code and artifacts")
    has(step.file("summary"), "regressed", "summary")
    eq(runner_reads(step.file("output"))["verdict"], "regressed", "output")
    has(step.log(), "this job's token may not tell GitHub", "the log says why")
    eq((scene.ours(s, number), scene.status(s, head)), ([], []), "nothing was posted")


def github_goes_away():
    """GitHub goes away while it is measured: the step has its verdict, the comment follows"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 1000}, token=TOKEN)
    number, head = scene.pull(s, "slow", "slow")
    s.fault("/comments", "answer", times=0, status=503, body={"message": "later"})
    step = pull_step(s, host, number, token=None)
    eq(step.run().brief(), (1, "regressed"), "the verdict")
    eq(scene.ours(s, number), [], "no comment yet")
    s.calm()
    daemon.kill()  # what waits is on disk, and a start tries at once
    daemon.start()
    lib.wait_for(lambda: scene.ours(s, number), "the comment that follows")
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be done")
    eq(len(scene.ours(s, number)), 1, "one comment")
    eq(scene.status(s, head)[-1], "failure", "and the status")


if __name__ == "__main__":
    lib.main(a_run, annotated, events, days_later, refused, limits_of_the_host, strangers, hostile_messages, idle_clients, queue, cancel,
         killed_while_asking, killed_while_fetching, killed_while_announcing,
         killed_while_building, killed_while_measuring, killed_before_the_comment,
         killed_after_the_comment, killed_and_alone, token_comes_back, terminated, no_daemon,
         second_daemon, what_lies_at_the_socket, renamed, lost_cache, no_permission, github_goes_away)
