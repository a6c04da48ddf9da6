#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet sweep`: libraries that are built already, as named arms of the same processes. Arms
differ by factors, so that a busy machine changes nothing that is checked."""

import json
import os
import re

import lib
import scene
from lib import eq, has, lacks, ok

WORK = lib.temp_dir()
os.chmod(WORK, 0o755)
CONFIGS = (("small", 48), ("long", 200))
BUSY = "only marked processes: the machine was too busy to time anything"


def build(name, source, *flags):
    """WORK/<name>.so of a C file."""
    path = os.path.join(WORK, name + ".so")
    if not os.path.exists(path):
        made = lib.run(["cc", "-std=gnu17", "-shared", "-fPIC", "-fvisibility=hidden",
                        "-fno-gnu-unique", "-pthread", "-I", os.path.join(lib.TOP, "kernels"),
                        "-o", path, source, *flags, "-lm"])
        if made.code != 0:
            raise RuntimeError(str(made))
    return path


def ours(name="ours", *flags):
    return build(name, os.path.join(lib.TOP, "kernels", "attention_cpu.c"), *(flags or ["-O2"]))


def odd(name, *flags):
    return build(name, os.path.join(scene.KERNELS, "odd.c"), "-O2", *["-D" + f for f in flags])


class Sweep:
    """One run of the command."""

    def __init__(self, *args, repo=None, host=None, replicates=3):
        host = host or scene.Host()
        self.path = os.path.join(host.output() + ".json")
        where = ["--head", "none"] if repo is None else ["--repo", repo.path]
        self.run = host.ratchet("sweep", "--config", host.config, *where, "--replicates",
                                replicates, "--iterations", 8, "--output", self.path, *args)
        self.host, self.code, self.err = host, self.run.code, self.run.err
        self.lines = self.run.out.splitlines()

    @property
    def file(self):
        return json.loads(lib.read(self.path))

    def config(self, name):
        return next(c for c in self.file["configs"] if c["name"] == name)

    def row(self, config, arm):
        """The cells of an arm's row after its name."""
        inside = False
        for line in self.lines[1:]:
            cells = re.split(r"  +", line)
            inside = cells[0] == config or (inside and cells[0] == "")
            if inside and cells[1] == arm:
                return cells[2:]
        return None

    def ratio(self, config, arm):
        """(ratio, low, high), or None where all processes were marked."""
        found = re.search(r"(\d+\.\d+) \[(-?\d+\.\d+), (\d+\.\d+)\]",
                          "  ".join(self.row(config, arm) or []))
        if found is None:
            marks = [r.get("marks") for c in self.file["configs"] for r in c["replicates"]]
            ok(marks and marks.count(None) < 2, "a ratio of " + arm, str(self.run.text))
            lib.note(BUSY)
            return None
        return tuple(float(g) for g in found.groups())


def arms_of(config):
    return [sorted(set(r) - {"marks", "provoked"}) for r in config["replicates"]]


def table_and_file():
    """two builds of our kernel, and one that refuses a config"""
    repo = lib.Repo()
    repo.commit(scene.tree(configs=CONFIGS), "the kernel")
    s = Sweep("fast=" + ours(), "slow=" + ours("slow", "-O0"),
              "limited=" + odd("limited", "ODD_UNSUPPORTED=100"), repo=repo)
    eq(s.code, 0, "exit")
    eq(re.split(r"  +", s.lines[0]), ["config", "arm", "median", "95% interval",
                                      "time / fast, 95% interval", "processes"], "a head line")
    eq([re.split(r"  +", line)[:2] for line in s.lines[1:7]],
       [["small", "fast"], ["", "slow"], ["", "limited"],
        ["long", "fast"], ["", "slow"], ["", "limited"]], "a row for each arm of each config")
    for config in ("small", "long"):
        ratio = s.ratio(config, "slow")
        ok(ratio is None or ratio[1] > 1.5, "the slow one is, wholly: " + config, ratio)
    eq(s.row("long", "limited"), ["left out"], "what a config does not support is left out")
    has(s.run.out, "long: limited left out: the kernel does not support this problem", "and why")
    if s.ratio("small", "slow") and s.ratio("long", "slow"):
        a, b, mean = s.ratio("small", "slow"), s.ratio("long", "slow"), s.ratio(
            "geometric mean", "slow")
        ok(abs(mean[0] - (a[0] * b[0]) ** 0.5) < 0.1 * mean[0], "geometric mean", a, b, mean)
        has(s.run.out, re.compile(r"slow .*over 2 configs$", re.M), "of how many")
        has(s.run.out, re.compile(r"limited .*over 1 config$", re.M), "and of the others")

    samples = s.file
    eq(samples["schema"], "ratchet.samples/1", "samples.json")
    eq(sorted(samples["arms"]), ["head", "limited", "slow"], "arms under their names")
    eq(samples["environment"]["arm_head"], "fast", "and whose part the first has")
    lacks(json.dumps(samples), "other", "nothing of how they are called inside")
    eq(arms_of(s.config("small")), [["head", "limited", "slow"]] * len(
        s.config("small")["replicates"]), "in every replicate")
    eq(arms_of(s.config("long")), [["head", "slow"]] * len(s.config("long")["replicates"]),
       "but of the config that it does not support")
    eq(s.config("long")["left_out"], {"limited": "the kernel does not support this problem"},
       "where the file says why")
    ok(len(s.config("small")["replicates"]) >= 3, "as many replicates as asked for")
    compared(s)


def compared(s):
    """What `ratchet compare` makes of the file."""
    host = s.host
    alone = host.ratchet("compare", s.path)
    eq(alone.code, 3, "compare: nothing has the anchor's part")
    has(alone.out, "nothing to compare against", "it says")
    rules = lib.write(os.path.join(WORK, "rules.conf"), scene.conf(configs=CONFIGS))
    against = host.ratchet("compare", "--json", "--rules", rules, "--against", "slow", s.path)
    judged = json.loads(against.out)["configs"]
    eq([c["against"] for c in judged], ["anchor"] * 2, "--against an arm: it is the anchor")
    ok({c["verdict"] for c in judged} <= {"unmeasured", "unclear"},
       "and three processes are too few for a verdict", judged)
    limited = host.ratchet("compare", "--json", "--against", "limited", s.path)
    eq([c["against"] for c in json.loads(limited.out)["configs"]][1], "none",
       "a config without that arm has nothing to compare with")
    nobody = host.ratchet("compare", "--against", "nobody", s.path)
    eq((nobody.code, nobody.out), (64, ""), "no such arm")
    eq(nobody.err, "ratchet compare: %s: no samples of an arm `nobody`\n" % s.path, "in one line")


def judged():
    """six processes are enough for a verdict against a named arm"""
    s = Sweep("fast=" + ours(), "slow=" + ours("slow", "-O0"), "--seq", 48, "--dim", 32,
              "--heads", 1, replicates=6)
    eq(s.code, 0, "exit")
    verdict = s.host.ratchet("compare", "--json", "--against", "slow", s.path)
    if s.ratio("b1_h1_s48_d32_fp32", "slow") is None:
        return
    got = json.loads(verdict.out)["configs"][0]
    eq((got["verdict"], got["against"]), ("improved", "anchor"), "fast against slow")
    ok(got["change"] < -0.3, "by a lot", got["change"])


def peers():
    """A library that nobody checks while it is timed, and more arms than a check has"""
    path = odd("peer", "ODD_PEER")
    names = ["a", "b", "c", "d", "e", "f", "g", "h"]
    s = Sweep("ours=" + ours(), *["%s=%s" % (n, path) for n in names], "--seq", 24, "--dim", 16,
              "--heads", 1, replicates=1)
    eq(s.code, 0, "exit")
    eq(arms_of(s.file["configs"][0])[0], sorted(["head"] + names), "nine arms in one process")
    eq(len({len(s.file["configs"][0]["replicates"][0][n]) for n in names}), 1,
       "as many samples of each: whole turns")
    one = Sweep("ours=" + ours(), *["%s=%s" % (n, path) for n in names + ["i"]])
    eq(one.code, 64, "a tenth arm")


def trouble():
    """What crashes, hangs, is wrong or does not load is left out, and the others go on"""
    host = scene.Host(limits={"turn-timeout-ms": 2000})
    crash = build("crash", os.path.join(scene.KERNELS, "crash.c"), "-O2")
    hang = build("hang", os.path.join(scene.KERNELS, "hang.c"), "-O2")
    s = Sweep("ours=" + ours(), "crash=" + crash, "hang=" + hang, "late=" + odd("late", "ODD_LATE=4"),
              "abi=" + odd("abi", "ODD_ABI=99"), "fine=" + odd("odd"), "--seq", "24,40", "--dim", 16,
              "--heads", 1, host=host, replicates=2)
    eq(s.code, 0, "exit")
    for config in s.file["configs"]:
        ok(len(config["replicates"]) >= 2, "replicates of " + config["name"], config)
        eq(arms_of(config), [["fine", "head"]] * len(config["replicates"]), "of those that are right")
        why = config["left_out"]
        eq(sorted(why), ["abi", "crash", "hang", "late"], "the others are left out")
        has(why["crash"], "crashed: signal 11", "one crashed")
        has(why["hang"], "gave no answer within", "one hung")
        has(why["late"], "wrong result: ", "one was wrong, but only later")
        has(why["abi"], "ABI 99", "one is of another time")
    for name, flags, text in (("abi", ["ODD_ABI=99"], "ABI 99"), ("error", ["ODD_ERROR"], "returned 3")):
        s = Sweep("first=" + odd(name, *flags), "fine=" + odd("odd"), "--seq", "24", "--dim", 16,
                  "--heads", 1, replicates=1)
        eq(s.code, 3, "with nothing to set the others against: " + name)
        has(s.run.out, re.compile("^b1_h1_s24_d16_fp32: unmeasured, first: .*" + text, re.M), "why")
        eq(s.file["configs"][0]["replicates"], [], "no samples")


def wrong_later():
    """An arm that turns out to be wrong takes its earlier samples along"""
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    now = os.path.join(folder, "now")
    host = scene.Host()
    path = os.path.join(WORK, "later.json")
    log = os.path.join(WORK, "later.log")
    with open(log, "wb") as err:
        process = lib.start([lib.program("RATCHET"), "sweep", "--config", host.config, "--head", "none",
                             "--seq", "24", "--dim", "16", "--heads", "1", "--replicates", "20",
                             "--iterations", "8", "--expose", folder, "--output", path,
                             "ours=" + ours(), "later=" + odd("later", 'ODD_WHEN="%s"' % now)],
                            env=host.env(), cwd=host.folder, stderr=err, stdout=err)
    lib.wait_for(lambda: "replicate 2" in lib.read(log), "two replicates")
    lib.write(now, "")
    eq(process.wait(lib.DEADLINE), 0, "exit")
    config = json.loads(lib.read(path))["configs"][0]
    has(config["left_out"]["later"], "is nan", "it was seen")
    ok(len(config["replicates"]) >= 20, "the rest went on", len(config["replicates"]))
    eq({tuple(arms) for arms in arms_of(config)}, {("head",)}, "and of it nothing is left")
    ok("later" not in config.get("peak_bytes", {}), "not its memory either")


def exposed():
    """A library that needs others finds them in a folder that was exposed"""
    folder = os.path.join(lib.temp_dir(), "libraries")
    os.makedirs(folder)
    os.chmod(os.path.dirname(folder), 0o755)
    source = lib.write(os.path.join(WORK, "needed.c"), "int needed(void);\nint needed(void) { return 7; }\n")
    made = lib.run(["cc", "-shared", "-fPIC", "-o", os.path.join(folder, "libneeded.so"), source])
    eq(made.code, 0, "a library")
    user = lib.write(os.path.join(WORK, "user.c"), '#include "odd.c"\nint needed(void);\n'
                     "__attribute__((constructor)) static void use(void)\n{\n"
                     "    if (needed() != 7)\n        abort();\n}\n")
    path = build("user", user, "-O2", "-I", scene.KERNELS, "-L", folder, "-lneeded",
                 "-Wl,-rpath," + folder)
    args = ["ours=" + ours(), "user=" + path, "--seq", 24, "--dim", 16, "--heads", 1]
    hidden = Sweep(*args, replicates=1)
    has(hidden.file["configs"][0]["left_out"]["user"], "libneeded.so", "out of sight: it does not load")
    seen = Sweep(*args, "--expose", "/usr/share", "--expose", folder, replicates=1)
    eq(arms_of(seen.file["configs"][0])[0], ["head", "user"], "exposed: it is timed")
    state = scene.Host()
    os.makedirs(state.state)
    for where, text in (("libraries", "absolute path"), (folder + "/../libraries", "absolute path"),
                        (folder + "/none", "No such file"), (folder + "/libneeded.so", "not a folder"),
                        ("/", "absolute path"), ("/usr", "may not be seen"), ("/etc/ssl", "may not"),
                        ("/proc", "may not"), ("/tmp", "may not"), ("/usr/bin", "may not"),
                        (state.folder, "holds this host's state")):
        s = Sweep(*args, "--expose", where, host=state)
        eq((s.code, s.lines), (64, []), "--expose " + where)
        has(s.err, text, "is refused")
        has(s.err, "--expose", "by its name")


def refused():
    """What the command line cannot ask for"""
    host, good = scene.Host(), ours()
    repo = lib.Repo()
    repo.commit({"README": "nothing\n"}, "no configs")
    text = lib.write(os.path.join(WORK, "text.so"), "not a library\n")
    export = odd("export", "ODD_EXPORT")
    for args, said in (([], "expected NAME=LIBRARY"), ([good], "expected NAME=LIBRARY"),
                       (["=" + good], "expected NAME=LIBRARY"), (["a b=" + good], "expected NAME="),
                       (["x" * 64 + "=" + good], "expected NAME="),
                       (["anchor=" + good], "`anchor` is no name"), (["marks=" + good], "`marks`"),
                       (["provoked=" + good], "`provoked`"),
                       (["a=" + good, "a=" + good], "two arms with the name `a`"),
                       (["a=/none.so"], "a: `/none.so`"), (["a=" + WORK], "expected a file"),
                       (["a=" + text], "a: "), (["a=" + export], "malloc_usable_size_of_mine"),
                       (["a=" + good, "--device", "nvidia-none"], "not configured"),
                       (["a=" + good, "--seq", "0"], "--seq"),
                       (["a=" + good, "--configs", "nobody"], "no config `nobody`"),
                       (["a=" + good, "--repo", WORK, "--head", "HEAD"], "not in a git repository"),
                       (["a=" + good, "--repo", repo.path, "--head", "HEAD"], "ci/ratchet.conf"),
                       (["a=" + good] + ["--expose", "/usr/share"] * 17, "too many of `--expose`")):
        run = host.ratchet("sweep", "--config", host.config, *(["--head", "none"] + args))
        what = " ".join(args)[:60]
        eq((run.code, run.out), (64, ""), "refused: " + what)
        has(run.err, said, "says why: " + what)
        eq(len(run.err.splitlines()), 1, "in one line")
    eq(os.listdir(os.path.join(host.state, "work")) if os.path.exists(host.state) else [], [],
       "nothing is left lying about")


lib.main(table_and_file, judged, peers, trouble, wrong_later, exposed, refused)
