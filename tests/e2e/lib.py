# SPDX-License-Identifier: Apache-2.0
"""Helpers of the end-to-end tests: TAP, temporary folders, programs with a deadline, the
stand-in for GitHub, sample repositories, the daemon. Python 3.11 standard library only.

    import lib
    from lib import eq, ok

    def it_adds():
        eq(1 + 1, 2, "one and one")

    lib.main(it_adds)

Each test is a function; its docstring or name is the case. A test that raises is a failed check
and the next one still runs. Nothing waits for a fixed time: `wait_for` polls with a bound, and a
bound that is reached is a failure, never a pass.

Environment: RATCHET, RATCHETD, RATCHET_BENCH (absolute paths of the programs), top_srcdir.
RATCHET_NO_SKIP=1 makes a skipped check a failed one. RATCHET_KEEP=1 keeps temporary folders.
`test_x.py NAME…` runs only the tests so named."""

import atexit
import difflib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True  # the source tree may be read-only, and is not ours to fill
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(HERE, "..", ".."))
STANDIN = os.path.join(TOP, "tests", "github", "standin.py")
DEADLINE = 300  # seconds; the bound on what hangs, wherever there is no other: no limit on speed

# ---- TAP ----

_count = _failed = _skipped = 0
_case = ""


def _say(good, text, notes=()):
    global _count, _failed
    _count += 1
    _failed += not good
    print("%s %d - %s: %s" % ("ok" if good else "not ok", _count, _case,
                              text.replace("#", "")), flush=True)
    for note in notes:
        for line in str(note).splitlines() or [""]:
            print("#   " + line, flush=True)
    return good


def _where():
    frame = sys._getframe(2)
    return "at %s:%d" % (os.path.basename(frame.f_code.co_filename), frame.f_lineno)


def case(name):
    global _case
    _case = name.strip().splitlines()[0]


def note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def ok(value, what, *notes):
    return _say(bool(value), what, () if value else (_where(), *notes))


def eq(got, want, what):
    if got == want:
        return _say(True, what)
    notes = [_where(), "got      %r" % (got,), "expected %r" % (want,)]
    if isinstance(got, str) and isinstance(want, str) and "\n" in want:
        notes = [_where(), *difflib.unified_diff(want.splitlines(), got.splitlines(), "expected",
                                                 "got", lineterm="")]
    return _say(False, what, notes)


def has(text, part, what):
    good = part in text if isinstance(part, str) else part.search(text) is not None
    return _say(good, what, () if good else (_where(), "does not contain %r:" % (part,), text))


def lacks(text, part, what):
    good = part not in text if isinstance(part, str) else part.search(text) is None
    return _say(good, what, () if good else (_where(), "contains %r:" % (part,), text))


def has_gpu():
    """Is there a driver that could run the CUDA tests?"""
    return os.path.exists("/dev/nvidiactl") and bool(shutil.which("nvcc"))


def has_two_cores():
    """Are processors 0 and 1 two physical cores that we may use?"""
    def siblings(cpu):
        path = "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu
        return read(path).strip() if os.path.exists(path) else str(cpu)
    return {0, 1} <= os.sched_getaffinity(0) and siblings(0) != siblings(1)


def skip(why, allowed=False):
    """Loud, counted, and a failure where skipping is forbidden (CI), unless it is for want of
    what CI cannot have, a GPU."""
    global _count, _skipped
    if os.environ.get("RATCHET_NO_SKIP") == "1" and not allowed:
        return _say(False, "may not be skipped here", [why])
    _count += 1
    _skipped += 1
    print("ok %d - %s # SKIP %s" % (_count, _case, why), flush=True)
    return True


class Skip(Exception):
    """Raised by a test that cannot run here; the arguments of skip."""


def done():
    print("1..%d" % _count, flush=True)
    sys.exit(1 if _failed or not _count else 0)


def main(*tests):
    only = sys.argv[1:]
    for test in tests:
        if only and test.__name__ not in only:
            continue
        case(test.__doc__ or test.__name__.replace("_", " "))
        try:
            test()
        except Skip as reason:
            skip(*reason.args)
        except Exception:
            _say(False, "ran to its end", [traceback.format_exc()])
    done()


# ---- folders and programs ----

def temp_dir(prefix="ratchet-test-"):
    path = tempfile.mkdtemp(prefix=prefix)
    if os.environ.get("RATCHET_KEEP") == "1":
        note("keeping " + path)
    else:
        atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def write(path, data, mode=None):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())
    if mode is not None:
        os.chmod(path, mode)
    return path


def read(path):
    with open(path, "rb") as source:
        return source.read().decode(errors="replace")


def driver(name):
    """A test program of tests/unit that `make check` builds; top_builddir says where."""
    built = os.environ.get("top_builddir", "")
    path = os.path.join(os.path.abspath(built), "tests", "unit", name)
    if not built or not os.access(path, os.X_OK):
        raise Skip("no %s: top_builddir is %r" % (name, built))
    return path


def program(name):
    """Absolute path of one of our programs (RATCHET, RATCHETD, RATCHET_BENCH)."""
    path = os.environ.get(name)
    if not path:
        raise Skip("%s is not set" % name)
    if not os.access(path, os.X_OK):
        raise Skip("%s=%s is not there" % (name, path))
    return os.path.abspath(path)


def has_sanitizers():
    """They have no room under a limit of memory"""
    with open(program("RATCHET"), "rb") as file:
        return b"__asan_init" in file.read()


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __str__(self):
        return "%s\nexit %d\n-- stdout\n%s\n-- stderr\n%s" % (
            " ".join(self.argv), self.code, self.out[-6000:], self.err[-6000:])


def clean_env(more=None, home=None):
    """A small environment: nothing of the caller's GITHUB_* or proxies comes through."""
    env = {name: os.environ[name] for name in ("PATH", "TMPDIR", "ASAN_OPTIONS",
                                               "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH")
           if name in os.environ}
    # what is freed is overwritten: whoever still reads it is found where no sanitizer looks, too
    env.update({"HOME": home or "/nonexistent", "LC_ALL": "C.UTF-8", "MALLOC_PERTURB_": "165"})
    env.update(more or {})
    return {k: v for k, v in env.items() if v is not None}


before_exec = None  # called in each new process, before its program


def start(argv, env=None, cwd=None, **more):
    """A process in its own group, killed at exit. stdout and stderr as given."""
    process = subprocess.Popen(argv, env=env if env is not None else clean_env(), cwd=cwd,
                               start_new_session=True, preexec_fn=before_exec, **more)
    atexit.register(kill, process)
    return process


def kill(process, sig=signal.SIGKILL, seconds=20):
    """Signal a process's group by its own pid and wait for its end; its exit status."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            pass
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait(seconds)


def run(argv, env=None, cwd=None, data=None, seconds=DEADLINE):
    """Run to the end; a program that passes its deadline is killed and the test fails."""
    process = start(argv, env, cwd, stdin=subprocess.PIPE if data is not None
                    else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(data if data is None or isinstance(data, bytes)
                                       else data.encode(), seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        out, err = process.communicate()
        raise RuntimeError("no end after %g s: %s\n%s\n%s" % (
            seconds, " ".join(argv), out.decode(errors="replace")[-4000:],
            err.decode(errors="replace")[-4000:]))
    return Result(argv, process.returncode, out.decode(errors="replace"),
                  err.decode(errors="replace"))


def wait_for(condition, what, seconds=DEADLINE):
    """The first true value of condition(), polled; a RuntimeError at the bound."""
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError("waited %g s for %s" % (seconds, what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def free_port():
    """A loopback port that nobody had a moment ago (for programs that cannot take port 0)."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# ---- HTTP ----

class Reply:
    def __init__(self, status, headers, data):
        self.status, self.headers, self.data = status, headers, data

    @property
    def text(self):
        return self.data.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.data)

    def link(self, rel):
        found = re.search(r'<([^>]*)>; rel="%s"' % rel, self.headers.get("Link") or "")
        return found and found.group(1)


def http(method, url, body=None, headers=None, seconds=30):
    """One request; any status is a Reply. `body`: object (sent as JSON), str or bytes."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, None if body is None else
                                     body.encode() if isinstance(body, str) else body,
                                     headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=seconds) as answer:
            return Reply(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        with answer:
            return Reply(answer.code, answer.headers, answer.read())


# ---- the stand-in ----

LONG = "_" + ".".join(["Az09-_" * 26] * 3)  # what GitHub's tokens have had after their prefix since 2026
TOKEN = "standin-token-of-the-bot" + LONG
BOT = "github-actions[bot]"
BOT_MAY = {"contents": "write", "pull_requests": "write", "statuses": "write",
           "metadata": "read", "actions": "read"}


class Standin:
    """tests/github/standin.py as a process; its control requests as methods."""

    def __init__(self, repository=None, **repo):
        self.root = temp_dir()
        self.log = os.path.join(self.root, "requests.jsonl")
        self.process = start([sys.executable, "-B", STANDIN, "--root", os.path.join(self.root, "git"),
                              "--log", self.log, "--owned"], stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening "):
            raise RuntimeError("the stand-in did not start")
        self.url = line.split()[1]
        self.repository = repository
        self.post("tokens", token=TOKEN, login=BOT, permissions=BOT_MAY)
        if repository:
            self.made = self.post("repos", full_name=repository, **repo)

    def control(self, method, path, body=None):
        reply = http(method, "%s/_standin/%s" % (self.url, path), body, seconds=630)
        if reply.status != 200:
            raise RuntimeError("stand-in: %s %s: %s" % (method, path, reply.text))
        return reply.json

    def post(self, path, /, **body):
        return self.control("POST", path, body)

    def on(self, path, /, **body):
        """A control request below the stand-in's (first) repository."""
        return self.control("POST", "repos/%s%s" % (self.repository, path and "/" + path), body)

    def state(self):
        return self.control("GET", "repos/" + self.repository)

    def comments(self, issue=None):
        return [c for c in self.state()["comments"] if issue in (None, c["issue"])]

    def statuses(self, sha=None):
        return [s for s in self.state()["statuses"] if sha in (None, s["sha"])]

    def requests(self, method=None, path="", since=0):
        query = urllib.parse.urlencode([(k, v) for k, v in (
            ("method", method), ("path", path), ("since", since)) if v])
        return self.control("GET", "requests?" + query)

    def fault(self, path, action, **more):
        """Arm a fault; its id."""
        return self.post("faults", path=path, action=action, **more)["id"]

    def await_fault(self, number, hits=1, seconds=DEADLINE):
        return self.post("faults/%d/wait" % number, hits=hits, seconds=seconds)

    def release(self, number):
        self.post("faults/%d/release" % number)

    def calm(self):
        self.control("DELETE", "faults")

    def api(self, method, path, body=None, token=TOKEN, **headers):
        """A REST request as a client would make it."""
        sent = {"User-Agent": "ratchet-test", "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            sent["Authorization"] = "Bearer " + token
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        return http(method, path if path.startswith("http") else self.url + path, body,
                    {k: v for k, v in sent.items() if v is not None})

    @property
    def git_url(self):
        return "%s/%s.git" % (self.url, self.repository)

    def stop(self):
        kill(self.process, signal.SIGTERM)


# ---- git ----

class Repo:
    """A sample repository made with the git program: fixed people, fixed and rising dates."""

    def __init__(self, path=None, branch="main"):
        self.path = path or temp_dir()
        self.seconds = 1767600000
        self.git("init", "-q", "-b", branch)

    def git(self, *args, check=True, **more):
        self.seconds += 60
        env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C",
               "GIT_TERMINAL_PROMPT": "0", "GIT_MERGE_AUTOEDIT": "no"}
        for role in ("AUTHOR", "COMMITTER"):
            env.update({"GIT_%s_NAME" % role: "Sam Ple", "GIT_%s_EMAIL" % role:
                        "sam@example.org", "GIT_%s_DATE" % role: "%d +0000" % self.seconds})
        env.update(more.pop("env", {}))
        result = run(["git", *args], env=clean_env(env), cwd=self.path, **more)
        if check and result.code != 0:
            raise RuntimeError(str(result))
        return result.out.strip() if check else result

    def commit(self, files, message, branch=None, onto=None):
        """Write files (None: delete) on a branch (made at `onto`) and commit; the SHA."""
        if branch is not None:
            self.git("checkout", "-q", *(["-B", branch, onto] if onto else [branch]))
        for path, data in files.items():
            full = os.path.join(self.path, path)
            if data is None:
                os.unlink(full)
            else:
                write(full, data)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.sha()

    def sha(self, name="HEAD"):
        return self.git("rev-parse", name)

    def push(self, url, *refs, token=TOKEN, check=True):
        return self.git("-c", "http.extraHeader=Authorization: Bearer " + token, "push", "-q",
                        url, *refs, check=check)


# ---- the daemon ----

class Daemon:
    """ratchetd on a configuration file, as a process."""

    def __init__(self, config, socket_path, env=None):
        self.config, self.socket, self.env = config, socket_path, clean_env(env)
        self.process = None
        self.log = config + ".log"
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = start([program("RATCHETD"), "--config", self.config], env=self.env,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(self.listens, "ratchetd to listen")
        except RuntimeError as late:
            raise RuntimeError("%s\n%s" % (late, read(self.log)[-4000:]))

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError("ratchetd ended with %d\n%s" % (self.process.returncode,
                                                               read(self.log)[-4000:]))
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.socket)
            except OSError:
                return False
        return True

    def kill(self, sig=signal.SIGKILL):
        """The daemon alone, as a crash would: its children must die by themselves."""
        if self.process.poll() is None:
            os.kill(self.process.pid, sig)
        return self.process.wait(30)
