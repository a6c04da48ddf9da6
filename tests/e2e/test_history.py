# SPDX-License-Identifier: Apache-2.0
"""ratchet history: the baseline's moves and the checks that a host keeps, as text, as JSON and as a page, of bytes that
may be old, broken, half removed or hostile."""

import copy
import itertools
import json
import os
import random
import re
import shutil
import signal
import sqlite3

import browser
import lib
import scene
from lib import eq, has, lacks, ok

NAME = "b32_h8_s1024_d64"
BASELINE = json.loads(lib.read(os.path.join(lib.TOP, "baselines", "nvidia-h200", "baseline.json")))
DAY = 86400
START = 1764000000  # 2025-11-24


def row(name, factor, recorded, why="improved", seed=1):
    """A config of a baseline, its times `factor` of the real ones."""
    draw = random.Random(seed)
    one = copy.deepcopy(next(c for c in BASELINE["configs"] if c["name"] == NAME))
    one["replicates"] = [[round(ns * factor * wobble, 1) for ns in replicate]
                         for replicate in one["replicates"] for wobble in [draw.uniform(0.998, 1.002)]]
    return dict(one, name=name, recorded=recorded, why=why)


def baseline(*rows):
    return json.dumps({"schema": BASELINE["schema"], "device": {"slug": "cpu", "name": "CPU"}, "configs": list(rows)})


PATH = "baselines/cpu/baseline.json"


def commit(repo, text, day, words="moved"):
    repo.seconds = START + day * DAY
    return repo.commit({PATH: text}, words)


def moved(repo):
    """Three promotions: two configs recorded, one 10% faster, one back by 4%."""
    a0, b0 = row("a", 1, "2025-11-24T00:00:00Z", "new"), row("b", 2, "2025-11-24T00:00:00Z", "new", 2)
    a1, a2 = row("a", 0.9, "2025-12-04T00:00:00Z", seed=3), dict(
        row("a", 0.936, "2025-12-24T00:00:00Z", "accepted", 4), who="ann")
    return [commit(repo, baseline(*rows), day) for day, rows in ((0, (a0, b0)), (10, (a1, b0)), (30, (a2, b0)))]


def verdict(host, **more):
    """A verdict.json as `compare` writes it, of the configs a and b."""
    case = os.path.join(lib.TOP, "tests", "judge", "change_plus10", "samples.json")
    found = json.loads(host.ratchet("compare", "--config", host.config, "--json", case).out)
    one = dict(found["configs"][0], name="a")
    one["medians"] = {"head": {"ns": 215000.0, "ci": [213000.0, 216000.0]}}
    found["device"] = {"slug": "cpu", "name": "CPU"}
    return dict(found, configs=[one, dict(copy.deepcopy(one), name="b")], **more)


def keep(host, where, what, day):
    path = lib.write(os.path.join(host.state, where, "verdict.json"), what if isinstance(what, str) else json.dumps(what))
    os.utime(path, (START + day * DAY,) * 2)
    os.utime(os.path.dirname(path), (START + day * DAY,) * 2)
    return os.path.dirname(path)


def cost(seconds, price=None):
    return {"device_seconds": seconds, **({} if price is None else {
        "price_per_hour": price, "currency": "USD", "amount": seconds * price / 3600})}


def queue(host):
    """The database as a daemon makes it."""
    daemon = lib.Daemon(host.config, host.socket, host.env())
    daemon.kill(signal.SIGTERM)
    daemon.process.wait(lib.DEADLINE)
    return sqlite3.connect(os.path.join(host.state, "queue.db"))


def add_job(db, number, head, day, pr=7, repository="octo/kernels", starts=1, base=""):
    db.execute("INSERT INTO job (id, kind, repository, device, key, pr, base_ref, head, base, merge, run_url, state,"
               " attempts, accepted_s, finished_s) VALUES (?, 0, ?, 'cpu', ?, ?, 'main', ?, ?, '', '', 'done', ?, 1, ?)",
               (number, repository, "key%d" % number, pr, head, base, starts, START + day * DAY))
    db.commit()


MEASURED = "%040x" % 13
HEADS = ["%040x" % n for n in (10, 11, 12)]


def told(host, repo):
    """A state folder with four jobs and a run, of commits of `repo`."""
    db = queue(host)
    for number, head, day, what in (
            (1, HEADS[0], 12, {"cost": cost(60, 3.6)}), (2, HEADS[1], 20, {"cost": cost(30)}),
            (3, HEADS[0], 40, {"cost": cost(120, 3.6)}), (4, HEADS[2], 41, {})):
        add_job(db, number, head, day, starts=2 if number == 4 else 1, base="" if number == 2 else repo.sha(),
                repository="octo/Other" if number == 4 else "octo/kernels")
        keep(host, "jobs/%d" % number, verdict(host, **what), 0)
    db.close()
    run = keep(host, "runs/12-34", verdict(host, verdict="held"), 42)
    samples = json.loads(lib.read(os.path.join(lib.TOP, "tests", "judge", "change_plus10", "samples.json")))
    samples["configs"][0]["arms"] = {"head": {"commit": MEASURED}, "anchor": {"commit": repo.sha()}}
    lib.write(os.path.join(run, "samples.json"), json.dumps(samples))
    os.utime(run, (START + 42 * DAY,) * 2)


def listing(folder):
    return sorted((os.path.join(at, name), os.lstat(os.path.join(at, name)).st_mtime_ns)
                  for at, _, names in os.walk(folder) for name in names)


def history(host, repo, *more):
    return host.ratchet("history", "--config", host.config, "--repo", repo.path, *more)


def as_json(host, repo, *more):
    result = history(host, repo, "--json", *more)
    ok(result.code == 0, "exit of --json", result.text)
    return json.loads(result.out)


# ---- what there is to tell ----


def steps(repo, host):
    shas = moved(repo)
    found = as_json(host, repo)
    eq((found["schema"], found["head"]), ("ratchet.history/1", shas[-1]), "what it is")
    eq([(m["commit"], m["config"], m["why"]) for m in found["moves"]],
       [(shas[2], "a", "accepted"), (shas[1], "a", "improved"), (shas[0], "a", "new"), (shas[0], "b", "new")], "moves")
    for move, change in zip(found["moves"], (0.04, -0.1)):
        low, high = move["step"]["ci"]
        ok(low <= change <= high and high - low < 0.01, "by how much, with an interval", move)
    ok(all("step" not in m for m in found["moves"][2:]), "what is new has no step")
    eq(found["moves"][0]["who"], "ann", "who accepted it")
    eq(found["moves"][0]["time"][:10], "2025-12-24", "when")
    ok(found["moves"][0]["median"]["ci"][0] <= found["moves"][0]["median"]["ns"], "a median with its interval")
    text = history(host, repo)
    has(text.out, re.compile(r"^%s  2025-12-24  a +accepted kernel \w{10}  by ann$" % shas[2][:10], re.M), "the lines as ever")
    has(text.out, re.compile(r"^  step 2025-12-04 %s  -10\.0\d%% \[-\d+\.\d\d, -\d+\.\d\d\]  improved$" % shas[1][:10], re.M),
        "the steps")
    eq([line for line in text.out.split("\n\n", 1)[1].splitlines() if len(line) > 80], [], "80 columns")
    has(text.out, "No check of cpu is kept on this host", "and that nothing is known of cost")


def told_by_checks():
    """Moves with their steps, checks, checks of the same head again, cost by month; the state stays as it is"""
    host, repo = scene.Host(limits={"keep-days": 100000}), lib.Repo()
    steps(repo, host)
    told(host, repo)
    before = listing(host.state)
    found = as_json(host, repo)
    eq(listing(host.state), before, "nothing is made or changed")
    eq([(c["result"], c["head"], c["again"], c.get("pr"), c.get("starts")) for c in found["checks"]],
       [("jobs/1", HEADS[0], 0, 7, 1), ("jobs/2", HEADS[1], 0, 7, 1), ("jobs/3", HEADS[0], 1, 7, 1),
        ("jobs/4", HEADS[2], 0, 7, 2), ("runs/12-34", MEASURED, 0, None, None)], "checks, the oldest first")
    eq([(m["month"], m["checks"], m["again"], m["device_seconds"], m["costs"], m["unpriced"], m["untold"]) for m in found["months"]],
       [("2025-12", 2, 0, 90, [{"amount": 0.06, "currency": "USD"}], 1, 0),
        ("2026-01", 3, 1, 120, [{"amount": 0.12, "currency": "USD"}], 0, 2)], "months")
    text = history(host, repo)
    has(text.out, "  2025-12  2 checks (2 regressed); 90.0 device-seconds, 0.060000 USD; 1 has no price (30.0 device-seconds)\n",
        "what has no price is said")
    has(text.out, "  2026-01  3 checks (2 regressed, 1 held), 1 of a head checked before; 120.0 device-seconds, 0.120000 USD; 2 tell no time\n", "cost")
    has(text.out, re.compile(r"^  2025-12-06 regressed +215\.0 µs .*o", re.M), "a head's median in the chart")
    eq(text.err, "", "nothing else")
    only = as_json(host, repo, "--config-name", "b", "--repository", "OCTO/kernels")
    eq({m["config"] for m in only["moves"]}, {"b"}, "one config")
    eq([(c["result"], [x["name"] for x in c["configs"]]) for c in only["checks"]],
       [("jobs/%d" % n, ["b"]) for n in (1, 2, 3)], "of one repository")
    daemon = lib.Daemon(host.config, host.socket, host.env())
    eq(as_json(host, repo)["checks"], found["checks"], "beside a daemon the same")
    daemon.kill(signal.SIGTERM)
    daemon.process.wait(lib.DEADLINE)


def other_repositories():
    """Checks of another repository of this host are counted and not told; of a run that names no commit nobody knows"""
    host, repo, other = scene.Host(limits={"keep-days": 100000}), lib.Repo(), lib.Repo()
    moved(repo)
    other.commit({"README": "other\n"}, "other")
    told(host, other)
    keep(host, "runs/99-99", dict(verdict(host, verdict="held", reason="kernel not touched"), configs=[]), 43)
    found = as_json(host, repo)
    eq([c["result"] for c in found["checks"]], ["runs/99-99"], "only what may be of this one")
    eq(found["notes"], ["checks of commits that this repository has not, left out: 5 (--repository OWNER/NAME tells those "
                        "of another)"], "how many others there are")
    lacks(history(host, repo).out, "215.0", "no time of another's config")
    eq([c["result"] for c in as_json(host, repo, "--repository", "octo/other")["checks"]], ["jobs/4"], "one that was named")
    eq([c["result"] for c in as_json(host, other)["checks"]],
       ["jobs/1", "jobs/2", "jobs/3", "jobs/4", "runs/12-34", "runs/99-99"], "and the other's, by its own folder")
    has(history(host, repo).out, "\nA line is a move of the baseline: ", "lines and marks are explained")


def nothing():
    """No baseline, no state, no home: a sentence, and 0"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit({"README": "x\n"}, "first")
    result = history(host, repo)
    eq((result.code, result.out, result.err), (0, "", "ratchet history: nothing recorded yet for cpu\n"), "nothing yet")
    page = os.path.join(host.folder, "page.html")
    eq(history(host, repo, "--html", page).code, 0, "a page of nothing")
    has(lib.read(page), "Nothing is recorded yet for cpu.", "says so")
    eq(history(host, repo, "--html", os.path.join(host.folder, "none", "page.html")).code == 0, False, "no such folder")
    for more in (("--config-name", "../x"), ("--repository", "x"), ("--device", "a/b")):
        eq(history(host, repo, *more).code, 64, more[0])
    moved(repo)
    bare = lib.run([lib.program("RATCHET"), "history", "--repo", repo.path], env={"PATH": os.environ["PATH"], "HOME": "x"})
    ok(bare.code == 0 and "improved" in bare.out, "a laptop without a state folder", bare)


# ---- bytes of anybody's ----


def broken_baselines():
    """Versions that cannot be read, at any place of the log, are notes, and moves are told around them"""
    host, repo = scene.Host(limits={"baseline-bytes": 200000}), lib.Repo()
    a0 = row("a", 1, "2025-11-24T00:00:00Z", "new")
    a0["replicates"] = a0["replicates"][:8]
    a1 = dict(a0, recorded="2025-12-04T00:00:00Z", why="improved",
              replicates=[[0.5 * ns for ns in r] for r in a0["replicates"]])
    commit(repo, baseline(a0), 0)
    for day, text in enumerate(("{", "[" * 5000, "x" * 300000, '{"schema": "ratchet.baseline/9"}', "\x00\x01"), 1):
        commit(repo, text, day)
    last = commit(repo, baseline(a1), 10)
    found = as_json(host, repo)
    eq([(m["commit"], m["why"]) for m in found["moves"]][0], (last, "improved"), "the step over them")
    ok(-0.51 < found["moves"][0]["step"]["change"] < -0.49, "by what it is", found["moves"][0])
    eq(len(found["moves"]), 2, "both")
    eq(len(found["notes"]), 5, "a note for each")
    commit(repo, "{", 11)
    result = history(host, repo)
    eq((result.code, len(result.err.splitlines())), (0, 6), "also where the newest is broken")
    has(result.out, "improved", "the rest is told")
    for day in range(12, 40):
        commit(repo, "{%d" % day, day)
    found = as_json(host, repo)
    eq((len(found["notes"]), found["notes_left_out"]), (20, 14), "notes are bounded, and counted")


def hostile_state():
    """Results that are half removed, foreign, hostile or no results: a note each, and the rest is told"""
    host, repo = scene.Host(), lib.Repo()
    moved(repo)
    told(host, repo)
    good = len(as_json(host, repo)["checks"])
    whole = json.dumps(verdict(host))
    os.makedirs(os.path.join(host.state, "jobs", "50"))
    keep(host, "jobs/51", whole[:200], 3)
    keep(host, "jobs/52", "[" * 100000, 3)
    keep(host, "runs/7-7", "\x00\xff\n", 3)
    os.mkfifo(os.path.join(keep(host, "runs/8-8", whole, 3), "x"))
    os.rename(os.path.join(host.state, "runs/8-8/x"), os.path.join(host.state, "runs/8-8/verdict.json"))
    secret = lib.write(os.path.join(host.folder, "secret"), json.dumps(verdict(host, reason="hash")))
    os.remove(os.path.join(keep(host, "runs/9-9", whole, 3), "verdict.json"))
    os.symlink(secret, os.path.join(host.state, "runs/9-9/verdict.json"))
    os.symlink(os.path.join(host.state, "jobs/1"), os.path.join(host.state, "runs", "10-10"))
    if os.geteuid() == 0:
        path = keep(host, "runs/11-11", whole, 3)
        os.chown(os.path.join(path, "verdict.json"), 4242, 4242)
    else:
        keep(host, "runs/11-11", "", 3)
    lib.write(os.path.join(host.state, "runs", "notes.txt"), "mine")
    keep(host, "runs/13-13", verdict(host, device={"slug": "nvidia-l4", "name": "x"}), 3)
    result = history(host, repo, "--json")
    ok(result.code == 0, "it is told", result.text)
    lacks(result.out + result.err, "hash", "and nothing that a link leads to")
    found = json.loads(result.out)
    eq(len(found["checks"]), good, "those that are whole")
    eq(sorted(note.split(":")[0] for note in found["notes"]),
       sorted(["jobs/51", "jobs/52", "runs/7-7", "runs/8-8", "runs/9-9", "runs/10-10", "runs/11-11", "results without verdict.json, of checks that run or were cut off"]), "a note each")
    has(result.out, "cut off: 1, such as jobs/50", "folders that have none yet: one for all")
    hostile = verdict(host)
    hostile["configs"][0]["medians"] = {"head": {"ns": 1e15, "ci": [-1e300, 1e300]}}
    hostile["cost"] = {"device_seconds": 1e9, "price_per_hour": 1e7, "currency": "USD"}
    hostile["reason"] = "<script>alert(1)</script>"
    for n in range(3):
        os.utime(os.path.join(keep(host, "runs/2-%d" % n, hostile, 3), "verdict.json"), (1, 2 ** 33 * 40))
    page = os.path.join(host.folder, "page.html")
    eq(history(host, repo, "--html", page).code, 0, "numbers without an end")
    lacks(lib.read(page), "<script", "text stays text")
    for damage in (b"x" * 8192, b""):
        with open(os.path.join(host.state, "queue.db"), "r+b") as file:
            file.truncate(len(damage))
            file.write(damage)
        result = history(host, repo)
        eq(result.code, 0, "a damaged queue")
        has(result.err, "which heads and repositories jobs were for is not known", "is said")
    shutil.rmtree(os.path.join(host.state, "jobs"))
    lib.write(os.path.join(host.state, "jobs"), "no folder")
    eq(history(host, repo).code, 0, "jobs that are no folder")


# ---- the page ----


def by_protocol(baseline_row, protocol):
    """The same row, as that protocol would have recorded it; the first had no name."""
    facts = {key: value for key, value in baseline_row["environment"].items() if key != "protocol"}
    return dict(baseline_row, environment=dict(facts, **({} if protocol == "1" else {"protocol": protocol})))


def env_json(protocol):
    facts = {"cpu": "a processor", **({} if protocol == "1" else {"protocol": protocol})}
    return json.dumps({"schema": "ratchet.environment/1", "device": {"slug": "cpu", "name": "CPU"}, "environment": facts,
                       "hash": "sha256:" + "0" * 64})


def protocols():
    """Times of two measuring protocols are never set side by side, and there is no step from one to the other"""
    host, repo = scene.Host(limits={"keep-days": 100000}), lib.Repo()
    rows = [by_protocol(row("a", factor, "2025-12-%02dT00:00:00Z" % day, seed=day), protocol)
            for day, factor, protocol in ((1, 1, "1"), (5, 1.04, "2"), (9, 0.9, "2"))]
    shas = [commit(repo, baseline(one, by_protocol(row("b", 2, "2025-11-24T00:00:00Z", "new", 2), "1")), day)
            for one, day in zip(rows, (7, 11, 15))]
    for number, day, protocol in ((1, 8, "1"), (2, 12, "2"), (3, 13, None), (4, 14, "a <b>"), (5, 14, "a" * 99)):
        kept = keep(host, "runs/%d-1" % number, verdict(host), day)
        if protocol is not None:
            lib.write(os.path.join(kept, "env.json"), env_json(protocol))
        os.utime(kept, (START + day * DAY,) * 2)
    found = as_json(host, repo)
    moves = [move for move in found["moves"] if move["config"] == "a"]
    eq([(m["commit"], m["protocol"], m.get("protocol_before"), "step" in m) for m in moves],
       [(shas[2], "2", None, True), (shas[1], "2", "1", False), (shas[0], "1", None, False)], "a step within one alone")
    eq({c["result"]: c["protocol"] for c in found["checks"]},
       {"runs/1-1": "1", "runs/2-1": "2", "runs/3-1": "", "runs/4-1": "?", "runs/5-1": "?"}, "checks by their env.json")
    text = history(host, repo).out
    charts = dict(re.findall(r"(?m)^([ab][^\n]*)\n((?: .*\n)+)", text))
    eq(sorted(charts), ["a, measuring protocol %s" % p for p in ("1", "2", "?", "not told")] +
       ["b, measuring protocol %s" % p for p in ("1", "2", "?", "not told")], "a chart for each")
    first, second = charts["a, measuring protocol 1"], charts["a, measuring protocol 2"]
    eq([re.findall(r"(?m)^  (20\S+) +(\S+)", chart) for chart in (first, second)],
       [[("2025-12-01", "recorded"), ("2025-12-02", "regressed")],
        [("2025-12-05", "recorded"), ("2025-12-06", "regressed"), ("2025-12-09", "recorded")]], "with its own times alone")
    has(second, re.compile("^  no step 2025-12-05 %s  measuring protocol 1 → 2: not to be set side by side$" % shas[1][:10],
                           re.M), "the change is marked")
    has(second, re.compile("^  step 2025-12-09 %s  -1[0-9]" % shas[2][:10], re.M), "the step behind it is told")
    lacks(text, "\n  step 2025-12-05", "and none across it")
    path = os.path.join(host.folder, "page.html")
    eq(history(host, repo, "--html", path, "--config-name", "a").code, 0, "a page")
    html = lib.read(path)
    eq(html.count("<svg"), 5, "figures: one for each protocol, and the months")
    has(html, "a, measuring protocol 2", "named")
    has(html, "stands in a figure of its own: the two are not to be set side by side", "and said")
    has(html, re.compile("<td>measuring protocol 1 → 2</td>"), "in the place of a step")


def page():
    """One file with its figures, nothing over anything, on a telephone and in the dark"""
    host, repo = scene.Host(), lib.Repo()
    moved(repo)
    told(host, repo)
    for day in range(45, 75, 3):
        keep(host, "runs/1-%d" % day, verdict(host, verdict="held", reason="a longer reason, with words " * 4), day)
    keep(host, "jobs/99", "{", 3)
    path = os.path.join(host.folder, "page.html")
    eq(history(host, repo, "--html", path).code, 0, "made")
    text = lib.read(path)
    for word in ("How the baseline moved", "Checks", "Cost by month", "What is not in it", "jobs/99"):
        has(text, word, "its parts")
    browser.check_page(path, "history", 30, itertools.product((390, 1200), (False, True)))


lib.main(told_by_checks, other_repositories, nothing, broken_baselines, hostile_state, protocols, page)
