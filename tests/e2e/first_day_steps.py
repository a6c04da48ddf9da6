# SPDX-License-Identifier: Apache-2.0
"""The steps of a first day. Each writes its files into the bundle and returns what came, in a line. One
that cannot run raises Failed, one that there is nothing to do for raises Skipped; both with the reason."""

import json
import os
import re
import shutil
import sys

import first_day_bundle as bundle
import first_day_source as source
import lib
import pulls
import scene

HOURS = 4 * 3600  # seconds: the bound on one command
LOCKS = "/run/ratchet"
PEERS = ["flash", "efficient", "cudnn"]


class Failed(Exception):
    """A step could not run"""


class Skipped(Exception):
    """Nothing to do here"""


class Day:
    """What is asked for, and where it goes: `bundle` is sent, `work` is not"""

    def __init__(self, device, quick, config, output):
        self.device, self.quick, self.config = device, quick, config
        self.work = os.path.join(output, "work")
        self.bundle = os.path.join(output, "baselines", device)
        self.conf = source.Conf(device, quick)
        self.kernel = source.kernel_of(device)
        self.standing = self.made = None
        self.commit = self.why_not_ours = None  # of this repository, what is measured; why it is another's

    def file(self, name):
        path = os.path.join(self.bundle, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def repo(self):
        """Whose main is measured"""
        if self.made is None:
            self.made = source.repository(self.conf, self.commit)
        return self.made

    def host(self, standin=None):
        """A host of our own with the lanes and limits of this one, and without its repositories"""
        daemon, lanes, limits = [], ["threads = 1"] if self.device == "cpu" else [], {}
        if self.config:
            found = source.entries(self.config)
            daemon = ["%s = %s" % (key, source.quoted(value)) for name, _, key, value in found if name == "daemon"
                      and key not in ("state", "socket", "harness", "allow-user") and not key.startswith("idle-")]
            lanes = ["%s = %s" % (key, source.quoted(value)) for name, sub, key, value in found
                     if (name, sub) == ("device", self.device)]
            limits = {key: value for name, _, key, value in found if name == "limits"}
        if not any(one.startswith("lock-dir") for one in daemon):
            shared = os.access(LOCKS, os.W_OK)  # with whoever else measures here
            daemon.append("lock-dir = " + (LOCKS if shared else lib.temp_dir()))
        return scene.Host(standin, device=self.device, settings=lanes, limits={**limits, "configs": "256"}, daemon=daemon)

    def ratchet(self, *words, may_end=(0,)):
        """A command of ratchet on this host; its words go into a log that stays here"""
        if self.standing is None:
            self.standing = self.host()
        host = self.standing
        result = host.ratchet(words[0], "--config", host.config, *words[1:], seconds=HOURS)
        lib.write(os.path.join(self.work, "%s.log" % words[0]), result.text)
        if result.code not in may_end:
            raise Failed("`ratchet %s` ended with %d: %s" % (words[0], result.code, last_line(result)))
        return result

    def of(self, *words):
        return [*words, "--device", self.device]


def last_line(result):
    """Why it failed, without the words that make it a workflow's annotation"""
    line = ((result.err.strip() or result.out.strip()).splitlines() or ["it said nothing"])[-1]
    return re.sub(r"^::\w+ title=[^:]*::", "", line)


def doctor(day):
    """Everything that this host needs, tried"""
    words = ["doctor", "--config", day.config or day.host().config]
    result = lib.run([lib.program("RATCHET"), *words], env=lib.clean_env(), seconds=300)
    lib.write(day.file("first-day/doctor.txt"), bundle.scrub(result.out + result.err))
    if result.code not in (0, 3):
        raise Failed(last_line(result))
    failed = [line.split()[1] for line in result.out.splitlines() if line.startswith("FAIL")]
    return "nothing is missing" if not failed else "missing: " + ", ".join(failed)


def environment(day):
    day.ratchet(*day.of("env", "--repo", day.repo().path), "--output", day.file("first-day/env.json"))
    return "recorded"


def verify(day):
    """Random problems, each compared with fp64"""
    count = 12 if day.quick else 200
    repo = lib.Repo()
    tree = pulls.files(day.kernel, lib.read(os.path.join(lib.TOP, day.kernel)), day.conf.random_problems(count))
    repo.commit(tree, "random problems")
    path = day.file("first-day/verify.json")
    result = day.ratchet(*day.of("verify", "--repo", repo.path), "--quiet", "--output", path, may_end=(0, 3))
    if not os.path.exists(path):
        raise Failed(last_line(result))
    wrong = sum("failure" in one for one in bundle.load(path)["configs"])
    return "%d problems, %d not right" % (count, wrong)


def calibrate(day):
    """Fresh processes of one binary, and checks drawn from them; goes on with what was recorded"""
    pool = os.path.join(day.work, "pool.jsonl")
    part = os.path.join(day.work, "calibration.json")
    words = ["--processes", "8", "--checks", "50"] if day.quick else ["--processes", "60"]
    day.ratchet(*day.of("calibrate", "--repo", day.repo().path), "--pool", pool, "--output", part, *words)
    shutil.copy(pool, day.file("first-day/pool.jsonl"))
    shutil.copy(part, day.file("calibration.json"))
    return "%d processes" % bundle.load(part)["processes"]


def baseline(day):
    """A first promotion, by a daemon, of a push to the stand-in's main"""
    repo = day.repo()
    standin = lib.Standin(scene.REPOSITORY)
    standin.repo = repo
    repo.push(standin.git_url, "main")
    host = day.host(standin)
    host.daemon()
    result, moved = pulls.push(standin, host, 1, seconds=HOURS)
    lib.write(os.path.join(day.work, "baseline.log"), result.text)
    if not moved:
        raise Failed("main's baseline was not promoted: " + last_line(result))
    name = "refs/remotes/origin/main:baselines/%s/baseline.json" % day.device
    lib.write(day.file("baseline.json"), repo.git("show", name) + "\n")
    return "recorded for %d configs" % len(bundle.load(day.file("baseline.json"))["configs"])


def told(name, title, pull):
    """What pulls.json keeps of a pull request"""
    expected, reason = pulls.EXPECTED[name]
    verdict = pull.result.verdict
    return {"name": name, "title": title, "expected": expected, "verdict": pull.verdict(reason),
            "reason": verdict["reason"], "seconds": round(pull.seconds, 1),
            "states": pull.states, "exit": pull.result.code,
            "configs": [{key: one[key] for key in ("name", "verdict", "change", "ci", "replicates", "marked", "marks")}
                        for one in verdict["configs"]]}


def pull_requests(day):
    """Five, against a main that is slower than ours, so that one can improve it"""
    first = pulls.first_source(day.kernel)
    standin = pulls.start(pulls.files(day.kernel, first, day.conf.text()))
    host = day.host(standin)
    host.daemon()
    result, moved = pulls.push(standin, host, 1, seconds=HOURS)
    if not moved:
        raise Failed("main's baseline was not promoted: " + last_line(result))
    found = []
    for run, name in enumerate(pulls.EXPECTED, 2):
        title, *change = pulls.EDITS[day.kernel][name]
        pull = pulls.Pull(standin, host, name, {day.kernel: pulls.once(first, *change)}, run, seconds=HOURS)
        lib.write(day.file("first-day/pulls/%d-%s.md" % (pull.number, name)), pull.comment)
        found.append(told(name, title, pull))
        print("      #%d %-10s %s" % (pull.number, found[-1]["verdict"], title), flush=True)
    lib.write(day.file("first-day/pulls.json"), json.dumps(
        {"schema": "ratchet.first-day-pulls/1", "pulls": found}, indent=2) + "\n")
    return "%d of %d as expected" % (sum(one["verdict"] == one["expected"] for one in found), len(found))


def sweep(day):
    """Beside PyTorch's kernels. --quick: what is here, and why the others are not"""
    peers = os.path.join(day.work, "peers")
    made = lib.run([sys.executable, "-B", os.path.join(lib.TOP, "kernels", "peers", "build.py"), peers, *PEERS],
                   env=dict(os.environ), seconds=3600)
    arms = os.path.join(peers, "peers.conf")
    if made.code != 0 or not os.path.exists(arms):
        raise Failed("kernels/peers/build.py: " + last_line(made))
    absent = [value for name, _, key, value in source.entries(arms) if (name, key) == ("arm", "absent")]
    if len(absent) == len(PEERS) and not day.quick:
        raise Skipped("no PyTorch kernel is here (%s); PYTHON=… names the python3 that has it" % absent[0])
    repo, library = day.repo().path, os.path.join(day.work, "ours.so")
    day.ratchet(*day.of("build", "--repo", repo), "--output", library)
    day.ratchet(*day.of("sweep", "--repo", repo), "--arms", arms, "--quiet", "--report",
                os.path.dirname(day.file("first-day/sweep/x")), "ours=" + library)
    return "%d of %d peers are here" % (len(PEERS) - len(absent), len(PEERS))


# name, what it does, minutes that it takes a GPU or so, files or folders that it leaves
STEPS = [
    ("doctor", doctor, 1, ["first-day/doctor.txt"]),
    ("environment", environment, 1, ["first-day/env.json"]),
    ("verify", verify, 4, ["first-day/verify.json"]),
    ("calibrate", calibrate, 10, ["calibration.json", "first-day/pool.jsonl"]),
    ("baseline", baseline, 1, ["baseline.json"]),
    ("pulls", pull_requests, 3, ["first-day/pulls.json", "first-day/pulls"]),
    ("sweep", sweep, 2, ["first-day/sweep"]),
]
