# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: a sample repository with a small kernel and a
ci/ratchet.conf that is measured in a second, a host configuration, and the ways to ask for a
check: the command, or the daemon through `ratchet submit`.

The kernels (tests/e2e/kernels) differ by factors, and the rule's threshold here is 30%, so that a
busy machine changes no verdict; the rule's own figures are proven elsewhere."""

import atexit
import json
import os
import pwd
import re
import signal
import socket

import lib

KERNELS = os.path.join(lib.HERE, "kernels")
REPOSITORY = "octo/kernels"
NOBODY = 65534
MARKER = "<!-- ratchet:v1 device=cpu -->"

CONF = """\
[kernel]
    path = kernels
[rule]
    threshold = %(threshold)s
    own-floor = 5%%
    control-floor = 25%%
    resamples = 1000
    min-replicates = 6
    look = 6
    look = 8
[promotion]
    gap = %(gap)s
[build "cpu"]
    command = cc -O2 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -o kernels/attention.so \
kernels/attention.c -lm
    output = kernels/attention.so
[bench "cpu"]
    samples = %(samples)d
    target = 200us
    warmup = 2
    inputs = warm
"""
SMALL = """\
[config "%s"]
    device = cpu
    batch = 1
    heads = 1
    seq-q = %d
    head-dim = 32
    dtype = fp32
"""


def conf(configs=(("small", 48),), threshold="30%", gap="0s", samples=12):
    return (CONF % {"threshold": threshold, "gap": gap, "samples": samples} + "".join(
        SMALL % one for one in configs))


def plain(markdown):
    """A report without the escapes that keep GitHub from reading foreign text as Markdown."""
    return re.sub("`([0-9a-fA-F]{7,64})`", r"\1", markdown.replace("\u200b", "").replace("\\", ""))


def fair(result, want, what):
    """The verdict that was earned; or unclear, where the machine was too busy to tell, and says
    so. Never another."""
    got = result.brief()
    busy = got == (2, "unclear") and re.search("preempted|wall-clock|by this host's clock head may|may be chance",
                                               json.dumps(result.verdict))
    if busy:
        lib.note("too busy to measure: " + result.verdict["reason"])
    lib.ok(got == want or busy, what, got, want)
    return got


def kernel(name, comment=""):
    return lib.read(os.path.join(KERNELS, name + ".c")) + comment


def distinct(name, which):
    """The same kernel in machine code of its own, so that it is measured for itself."""
    return {"kernels/attention.c": kernel(
        name, "\n__attribute__((used)) static const char which[] = \"%s\";\n" % which)}


def tree(name="right", **more):
    """The files of a sample repository whose kernel is kernels/<name>.c."""
    return {
        "kernels/attention.h": lib.read(os.path.join(lib.TOP, "kernels", "attention.h")),
        "kernels/simple.h": lib.read(os.path.join(KERNELS, "simple.h")),
        "kernels/attention.c": kernel(name),
        "ci/ratchet.conf": conf(**more),
        "README": "a sample\n"}


PROTOCOL = re.search('WIRE_PROTOCOL_CPU "(.*)"', lib.read(os.path.join(lib.TOP, "src", "wire.h"))).group(1)


def stored(commit, environment=None, ns=50000.0):
    """A baseline.json whose anchor is `commit`."""
    return {"baselines/cpu/baseline.json": json.dumps({
        "schema": "ratchet.baseline/1", "device": {"slug": "cpu", "name": "a CPU"},
        "configs": [{"name": "small", "unit": "ns", "clock_resolution_ns": 1,
                     "problem": {"batch": 1, "heads": 1, "heads_kv": 1, "seq_q": 48, "seq_k": 48,
                                 "head_dim": 32, "dtype": "fp32", "causal": False},
                     "commit": commit, "code": "sha256:" + "0" * 64,
                     "environment": {"protocol": PROTOCOL, **(environment or {})}, "recorded": "2026-01-05T09:00:00Z",
                     "why": "new", "replicates": [[ns + 7 * i + j for j in range(5)]
                                                  for i in range(8)]}]})}


def branch(repo, name, files, onto="main"):
    """A branch with one commit; `files` may be the name of a kernel."""
    if isinstance(files, str):
        files = {"kernels/attention.c": kernel(files)}
    return repo.commit(files, "change: " + name, branch=name, onto=onto)


class Result:
    """Exit code and output of a run, and verdict.json where it was asked for."""

    def __init__(self, run, folder=None):
        self.code, self.out, self.err = run.code, run.out, run.err
        self.text = str(run)
        self.folder = folder

    def file(self, name):
        return lib.read(os.path.join(self.folder, name))

    @property
    def verdict(self):
        return json.loads(self.file("verdict.json"))

    def config(self, name="small"):
        return next(c for c in self.verdict["configs"] if c["name"] == name)

    def brief(self):
        """(exit code, verdict) for comparison."""
        return self.code, self.verdict["verdict"]


def small_disk(folder, kib):
    """A wrapper for Host.ratchet: while it runs, `folder` is a disk of so many KiB, and then has what is left there"""
    script = """
        mkdir -p "$1" "$1.left" && mount -t tmpfs -o size=%dk none "$1" || exit 125
        disk=$1; shift; "$@"; code=$?
        cp -a "$disk/." "$disk.left" && umount "$disk" && cp -a "$disk.left/." "$disk" || exit 125
        exit $code""" % kib
    wrapper = ["unshare", "--mount", "sh", "-c", script, "sh", folder]
    if lib.run([*wrapper, "true"]).code != 0:
        raise lib.Skip("a small disk wants a mount", True)
    return wrapper


class Host:
    """A host: its folders and ratchetd.conf. `standin` is the GitHub it knows, if any."""

    def __init__(self, standin=None, limits=None, api=None, token=None, device="cpu",
                 settings=("threads = 1",), app=None, daemon=(), repository=(), harness=None):
        self.folder = lib.temp_dir()
        os.chmod(self.folder, 0o755)
        self.state = os.path.join(self.folder, "state")
        self.socket = os.path.join(self.folder, "sock")
        self.config = os.path.join(self.folder, "ratchetd.conf")
        self.standin = standin
        self.device = device
        lines = ["[daemon]", "state = " + self.state, "socket = " + self.socket,
                 *(daemon or ["lock-dir = " + self.folder]), "harness = " + (harness or lib.program("RATCHET_BENCH")),
                 '[device "%s"]' % device, *settings]
        if standin is not None:
            lines += ['[repository "%s"]' % standin.repository, "api = " + (api or standin.url),
                      "git = " + standin.git_url, "web = https://github.example/octo/kernels",
                      "author = " + lib.BOT, *repository]
            if token is not None:
                lines += ["token = host", "token-file = " + lib.write(
                    os.path.join(self.folder, "token"), token + "\n", 0o600)]
            if app is not None:
                lines += ["token = app", "app = %d" % app[0], "app-key = " + app[1]]
        if limits:
            lines += ["[limits]"] + ["%s = %s" % pair for pair in limits.items()]
        lib.write(self.config, "\n".join(lines) + "\n")
        self.runs = 0

    def output(self):
        self.runs += 1
        return os.path.join(self.folder, "out-%d" % self.runs)

    def env(self, more=None, token=lib.TOKEN):
        return lib.clean_env({"GITHUB_TOKEN": token, **(more or {})}, home=self.folder)

    def ratchet(self, *args, env=None, token=lib.TOKEN, folder=None, seconds=lib.DEADLINE, wrapper=()):
        run = lib.run([*wrapper, lib.program("RATCHET"), *map(str, args)], env=self.env(env, token),
                      cwd=self.folder, seconds=seconds)
        return Result(run, folder)

    def check(self, repo, head, base="main", *args, **more):
        """`ratchet check` of two commits of a local repository."""
        folder = self.output()
        return self.ratchet("check", "--config", self.config, "--repo", repo.path, "--base", base,
                            "--head", head, "--device", self.device, "--output", folder, *args,
                            folder=folder, **more)

    def check_pull(self, number, *args, **more):
        """`ratchet check` of a pull request."""
        folder = self.output()
        return self.ratchet("check", "--config", self.config, "--repository",
                            self.standin.repository, "--pr", number, "--output", folder, *args,
                            folder=folder, **more)

    def promote(self, *args, **more):
        folder = self.output()
        return self.ratchet("promote", "--config", self.config, "--repository",
                            self.standin.repository, "--output", folder, *args, folder=folder,
                            **more)

    # ---- the daemon ----

    def daemon(self):
        return lib.Daemon(self.config, self.socket)

    def step(self, event, payload, run=1, attempt=1, token=lib.TOKEN, **env):
        """The environment of an Actions step, and the places it writes to."""
        folder = os.path.join(self.folder, "step-%s-%d-%d" % (event, run, attempt))
        path = lib.write(os.path.join(folder, "event.json"), payload if isinstance(payload, str)
                         else json.dumps(payload))
        if event == "merge_group" and payload["action"] == "checks_requested":
            group = payload["merge_group"]
            self.standin.on("runs", id=run, event=event, head_sha=group["head_sha"],
                            head_branch=group["head_ref"][len("refs/heads/"):], queued=True)
        return Step(self, folder, {
            "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": path, "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": self.standin.repository, "GITHUB_JOB": "check",
            "GITHUB_REPOSITORY_ID": str(self.standin.made["id"]), "GITHUB_RUN_ID": str(run),
            "GITHUB_RUN_ATTEMPT": str(attempt), "GITHUB_API_URL": self.standin.url,
            "GITHUB_STEP_SUMMARY": lib.write(os.path.join(folder, "summary"), ""),
            "GITHUB_OUTPUT": lib.write(os.path.join(folder, "output"), ""),
            "GITHUB_TOKEN": token, **env})


class Step:
    """One step of a workflow that runs `ratchet submit`."""

    def __init__(self, host, folder, env):
        self.host, self.folder = host, folder
        self.env = lib.clean_env(env, home=folder)
        self.artifacts = os.path.join(folder, "artifacts")
        self.argv = [lib.program("RATCHET"), "submit", "--socket", host.socket]
        self.process = None

    def start(self, *args):
        """In the background; `finish` waits for it."""
        out = open(os.path.join(self.folder, "log"), "wb")
        with out:
            more = [] if "--settle" in args else ["--device", self.host.device, "--artifacts", self.artifacts]
            self.process = lib.start(self.argv + more + list(args), env=self.env, cwd=self.folder,
                                     stdin=lib.subprocess.DEVNULL, stdout=out,
                                     stderr=lib.subprocess.STDOUT)
        return self

    def log(self):
        return lib.read(os.path.join(self.folder, "log"))

    def finish(self, seconds=lib.DEADLINE):
        try:
            code = self.process.wait(seconds)
        except lib.subprocess.TimeoutExpired:
            lib.kill(self.process)
            raise RuntimeError("submit did not end:\n" + self.log())
        return Result(lib.Result(self.argv, code, self.log(), ""), self.artifacts)

    def run(self, *args, seconds=lib.DEADLINE):
        return self.start(*args).finish(seconds)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def file(self, name):
        return lib.read(os.path.join(self.folder, name))


class Runner:
    """ratchet-run, as nobody where we are root. The host's [daemon] has `run-socket = @/run/sock`, which is filled in."""

    def __init__(self, host, user=None):
        self.socket = os.path.join(host.folder, "run", "sock")
        self.log = os.path.join(host.folder, "run.log")
        os.makedirs(os.path.dirname(self.socket))
        lib.write(host.config, lib.read(host.config).replace("@/run/sock", self.socket))
        build = os.path.dirname(lib.program("RATCHET"))
        for name in "ratchet-run", "ratchet-checkout":  # the build may lie where nobody may go
            lib.shutil.copy(os.path.join(build, name), host.folder)
        self.argv = [os.path.join(host.folder, "ratchet-run"), "--socket", self.socket, "--state", host.state, "--for",
                     user or pwd.getpwuid(os.geteuid()).pw_name]
        if os.geteuid() == 0:
            os.chown(os.path.dirname(self.socket), NOBODY, NOBODY)
            self.argv = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", *self.argv]
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


def github(name="right", default="main", **more):
    """A stand-in whose repository has the sample tree on its default branch."""
    standin = lib.Standin(REPOSITORY, default_branch=default)
    repo = lib.Repo(branch=default)
    repo.commit(tree(name, **more), "the kernel")
    repo.push(standin.git_url, default)
    standin.repo = repo
    standin.on("collaborators", alice="write", zoe="read")
    return standin


def pull(standin, name, files, onto="main", **more):
    """Push a branch and open a pull request from it: (number, head)."""
    head = branch(standin.repo, name, files, onto)
    standin.repo.push(standin.git_url, "+" + name)
    opened = standin.on("pulls", head=name, title="change: " + name, user="alice", **more)
    return opened["number"], head


def pull_event(standin, number, action="opened"):
    """The payload of a pull_request event, as GitHub would make it."""
    view = standin.api("GET", "/repos/%s/pulls/%d" % (REPOSITORY, number), token=lib.TOKEN).json
    return {"action": action, "number": number, "pull_request": view,
            "repository": view["base"]["repo"], "sender": view["user"]}


def comment_event(standin, number, comment, action="created"):
    """The payload of an issue_comment event on a pull request, likewise."""
    view = standin.api("GET", "/repos/%s/pulls/%d" % (REPOSITORY, number), token=lib.TOKEN).json
    said = standin.api("GET", "/repos/%s/issues/comments/%d" % (REPOSITORY, comment), token=lib.TOKEN).json
    issue = {key: view[key] for key in ("number", "title", "state", "user", "body", "labels", "html_url")}
    issue["pull_request"] = {"url": view["url"], "html_url": view["html_url"]}
    return {"action": action, "issue": issue, "comment": said, "repository": view["base"]["repo"],
            "sender": said["user"]}


def ours(standin, number):
    """Bodies of our comments on a pull request."""
    return [c["body"] for c in standin.comments(number) if c["user"] == lib.BOT]


def plain(markdown):
    """A report without the escapes that keep GitHub from reading foreign text as Markdown."""
    return re.sub("`([0-9a-f]{7,64})`", r"\1", markdown.replace("\u200b", "").replace("\\", ""))


def status(standin, sha, device="cpu"):
    """States of ratchet/<device> on a commit, oldest first."""
    return [s["state"] for s in standin.statuses(sha) if s["context"] == "ratchet/" + device]
