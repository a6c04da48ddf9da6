#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet sweep`: libraries that are built already, as named arms of the same processes. Arms
differ by factors, so that a busy machine changes nothing that is checked."""

import csv
import json
import os
import re
import shutil
import signal
import sys

import browser
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
    return [sorted(set(r) - {"marks", "provoked", "clock"}) for r in config["replicates"]]


def table_and_file():
    """two builds of our kernel, and one that refuses a config"""
    repo = lib.Repo()
    repo.commit(scene.tree(configs=CONFIGS), "the kernel")
    s = Sweep("fast=" + ours(), "slow=" + ours("slow", "-O0"),
              "limited=" + odd("limited", "ODD_UNSUPPORTED=100"), repo=repo)
    eq(s.code, 0, "exit")
    eq(re.split(r"  +", s.lines[0]), ["config", "arm", "median", "95% interval/range",
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
    if got["verdict"] == "unclear" and got["marks"]:
        return lib.note("too busy to measure: " + got["reason"])
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
    repo = lib.Repo()
    repo.commit(scene.tree("right"), "reading its rules uses memory again that the file of arms had")
    named = lib.write(os.path.join(WORK, "exposed.conf"), "[arm \"ours\"]\n library = %s\n[arm \"user\"]\n library = %s\n"
                      "[sandbox]\n expose = %s\n" % (ours(), path, folder))
    seen = Sweep("--arms", named, repo=repo, replicates=1)
    eq(arms_of(seen.file["configs"][0])[0], ["head", "user"], "exposed by a file: it is timed")
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
                       (["provoked=" + good], "`provoked`"), (["clock=" + good], "`clock`"),
                       (["a=" + good, "a=" + good], "two arms with the name `a`"),
                       (["a=/none.so"], "a: `/none.so`"), (["a=" + WORK], "expected a file"),
                       (["a=" + text], "a: "), (["a=" + export], "malloc_usable_size_of_mine"),
                       (["a=" + good, "--device", "nvidia-none"], "not configured"),
                       (["a=" + good, "--seq", "0"], "--seq"),
                       (["a=" + good, "--batch", "1,99999", "--heads", "64", "--seq", "99999"],
                        "b99999_h64_s99999_d64_fp32: a tensor has more than 68719476736 elements"),
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


TINY = ["--head", "none", "--seq", "16,24", "--dim", 16, "--heads", 1, "--iterations", 4, "--warmup", 1]


def lists():
    """Every combination of lists of batches, heads, lengths, dimensions and masks"""
    s = Sweep("ours=" + ours(), "--batch", "1,2", "--heads", "1,2", "--heads-kv", 1, "--seq", 16, "--dim", "8,16",
              "--causal=false,true", replicates=1)
    eq(s.code, 0, "exit")
    eq([c["name"] for c in s.file["configs"]],
       ["b%d_h%d_s16_d%d_fp32%s" % (b, h, d, mask) for b in (1, 2) for h in (1, 2) for d in (8, 16)
        for mask in ("", "_causal")], "shapes, in order")
    eq({c["problem"]["heads_kv"] for c in s.file["configs"]}, {1}, "groups of heads")
    host = scene.Host()
    for args, said in ((["--heads", "1,1"], "--heads: `1` is there twice"), (["--causal=maybe"], "expected true or false"),
                       (["--dtype", "fp32,fp8"], "--dtype: expected fp16, bf16 or fp32, not `fp8`"),
                       (["--heads-kv", "2,4"], "--heads-kv"), (["--heads", "2,3", "--heads-kv", 2], "does not divide 3"),
                       (["--seq", "1,"], "--seq"), (["--quiet=true"], "takes no value")):
        run = host.ratchet("sweep", "--config", host.config, "--head", "none", "ours=" + ours(), *args)
        eq((run.code, run.out, len(run.err.splitlines())), (64, "", 1), "refused: " + " ".join(map(str, args)))
        has(run.err, said, "and why")


def arms_file(name, text):
    return lib.write(os.path.join(WORK, name), text)


def report():
    """A folder with all that is made of a sweep: arms from a file, ceilings, and one that is not here"""
    host, folder = scene.Host(), os.path.join(lib.temp_dir(), "report")
    built = lib.run([sys.executable, "-B", os.path.join(lib.TOP, "kernels", "ceilings", "build.py"), WORK, "cpu"],
                    env=lib.clean_env({"CC": os.environ.get("CC", "cc")}))
    eq(built.code, 0, "ceilings build")
    arms = arms_file("arms.conf", "[arm \"slow\"]\n library = %s\n version = \"cc -O0; <i>slow</i>\"\n"
                     "[arm \"xformers\"]\n absent = not installed: No module named 'xformers'\n" % ours("slow", "-O0"))
    words = ["sweep", "--config", host.config, *TINY, "--replicates", 2, "--report", folder, "--arms", arms,
             *built.out.split(), "ours=" + ours()]
    run = host.ratchet(*words)
    eq(run.code, 0, "exit")
    has(run.err, "wrote %s/sweep.html" % folder, "where it is")
    has(run.out, "xformers is not here: not installed: No module named 'xformers'", "what is not here is said")
    quiet = all(unmarked(folder, c) for c in range(4))
    if not quiet:
        lib.note(BUSY)
    ok(not quiet or "ceiling, copying: " in run.out, "ceilings are said", run.out)
    lacks(run.out, "ceiling_copy", "and are no shapes")
    files = sorted(os.listdir(folder))
    kinds = sorted(name.split("_")[0] for name in files if name.endswith(".svg"))
    eq(kinds, ["bandwidth", "flops", "latency", *["roofline"] * ("roofline" in kinds or quiet), "share"], "figures")
    eq([name for name in files if not name.endswith(".svg")],
       ["samples.json", "sweep.csv", "sweep.html", "sweep.json", "sweep.md"], "files, and no lock")
    said = json.loads(lib.read(folder + "/sweep.json"))
    eq(said["schema"], "ratchet.sweep/1", "JSON")
    eq([i.get("version", i.get("absent")) for i in said["implementations"]],
       ["", "cc -O0; <i>slow</i>", "not installed: No module named 'xformers'"], "what they are")
    ok({c["told"] for c in said["configs"]} <= {"too few processes to tell", "nobody"}, "two processes tell nobody apart")
    ok(not quiet or (said["ceilings"]["copy_gb_s"][0] > 0.1 and said["ceilings"]["matrix_tflop_s"][0] > 0.001), "ceilings",
       said["ceilings"])
    rows = list(csv.DictReader(lib.read(folder + "/sweep.csv").splitlines()))
    eq([(r["config"], r["arm"]) for r in rows], [("b1_h1_s%d_d16_fp32" % n, a) for n in (16, 24) for a in ("ours", "slow")],
       "CSV: a line for each arm of each shape")
    has(lib.read(folder + "/sweep.md"), "](flops_b1_h1_d16_fp32.svg)", "Markdown: its figures")
    lacks(lib.read(folder + "/sweep.html"), "<i>", "what is foreign is escaped")
    eq(browser.show([folder + "/sweep.html"], 390).problems, [], "the page on a telephone")
    again(host, words, folder)


def absent_peers():
    """Peers that are not here are said with their reason, up to the report (test_peers.py asks more)"""
    folder = lib.temp_dir()
    names = ["xformers", "cutlass"]
    build = lib.run([sys.executable, "-B", os.path.join(lib.TOP, "kernels", "peers", "build.py"), folder, *names])
    eq((build.code, build.out), (0, "--arms %s/peers.conf\n" % folder), "peers are looked for")
    host = scene.Host()
    run = host.ratchet("sweep", "--config", host.config, "--head", "none", "--seq", 16, "--dim", 16, "--heads", 1, "--iterations",
                       4, "--replicates", 1, "--arms", folder + "/peers.conf", "ours=" + ours())
    eq(run.code, 0, "exit")
    for name in names:
        has(run.out, "%s is not here: " % name, "the sweep says it, too")


def again(host, words, folder):
    """Once more the same: nothing is measured; and PNGs, where there is something that makes them."""
    before = {name: lib.read(os.path.join(folder, name)) for name in os.listdir(folder)}
    tools, fake = lib.temp_dir(), lib.temp_dir()
    os.symlink(shutil.which("bwrap"), os.path.join(tools, "bwrap"))
    run = host.ratchet(*words, "--png", env={"PATH": tools})
    eq(run.code, 0, "exit")
    eq(len([line for line in run.err.splitlines() if "no PNG was made" in line]), 1, "no converter: one line")
    has(run.err, "none of rsvg-convert, inkscape and chromium is installed", "which says so")
    has(run.err, "goes on, ", "what was there was taken")
    eq({name: lib.read(os.path.join(folder, name)) for name in os.listdir(folder)}, before, "the same bytes")
    lib.write(os.path.join(fake, "rsvg-convert"), "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ $1 = -o ] && echo png >\"$2\"; shift; done\n")
    os.chmod(os.path.join(fake, "rsvg-convert"), 0o755)
    run = host.ratchet(*words, "--png", env={"PATH": "%s:%s" % (fake, os.environ["PATH"])})
    eq(sorted(name for name in os.listdir(folder) if name.endswith(".png")),
       sorted(name[:-4] + ".png" for name in os.listdir(folder) if name.endswith(".svg")), "a PNG of each figure")
    lib.write(os.path.join(fake, "rsvg-convert"), "#!/bin/sh\nexit 3\n")
    run = host.ratchet(*words, "--png", env={"PATH": "%s:%s" % (fake, os.environ["PATH"])})
    eq(run.code, 0, "a converter that fails is no failure")
    has(run.err, "no PNG was made: rsvg-convert: exit code 3", "and is said")


def cut_off():
    """Killed while it measures, it goes on where it was; what was measured is not measured again"""
    host = scene.Host(settings=("threads = 1", "price-per-hour = 36000 USD"))
    folder = os.path.join(lib.temp_dir(), "report")
    words = ["sweep", "--config", host.config, *TINY, "--replicates", 12, "--report", folder, "ours=" + ours(),
             "fine=" + odd("odd")]
    kept = []
    for kill_after in (0, 1, 3):
        log = os.path.join(WORK, "cut.log")
        with open(log, "wb") as err:
            process = lib.start([lib.program("RATCHET"), *map(str, words)], env=host.env(), cwd=host.folder, stderr=err,
                                stdout=err)
        lib.wait_for(lambda: process.poll() is not None or len(replicates(folder)) > kill_after or
                     (kill_after == 0 and os.path.exists(folder)), "replicates")
        eq(process.poll(), None, "it is in the middle")
        process.send_signal(signal.SIGKILL)
        process.wait(lib.DEADLINE)
        now = replicates(folder)
        eq(now[:len(kept)], kept, "what was there is there, to the bit")
        kept = now
    ok(len(kept) > 3, "replicates were kept", len(kept))
    lib.write(os.path.join(folder, "samples.json.a1B2c3"), "{")  # killed while it wrote
    run = host.ratchet(*words)
    eq(run.code, 0, "and then to its end")
    ok(not os.path.exists(os.path.join(folder, "samples.json.a1B2c3")), "what was half written is gone")
    has(run.err, "goes on, ", "it says that it goes on")
    has(run.err, re.compile(r"^ratchet: .*replicate \d+.*; \d+\.\d{4} USD so far$", re.M), "how far, and for how much")
    eq(replicates(folder)[:len(kept)], kept, "with what was there")
    ok(len(replicates(folder)) >= 12, "and the rest", len(replicates(folder)))
    whole = lib.read(folder + "/samples.json")
    other = host.ratchet(*words[:-1], "other=" + odd("odd"))
    eq((other.code, other.out, len(other.err.splitlines())), (64, "", 1), "another question in the same folder")
    has(other.err, "of another sweep", "is refused")
    was = json.loads(whole)["environment"]["cpu"]
    lib.write(folder + "/samples.json", whole.replace('"cpu": "%s"' % was, '"cpu": "another"'))
    other = host.ratchet(*words)
    eq((other.code, other.out), (64, ""), "another machine")
    has(other.err, "begun with cpu `another`, now it is `%s`" % was, "too")
    lib.write(folder + "/samples.json", whole[:-20])
    other = host.ratchet(*words)
    eq((other.code, other.out), (64, ""), "a file that is torn")
    has(other.err, "samples.json: ", "by its name")


def too_large():
    """A config that does not fit into this host's memory is one line, and the others are measured"""
    host, folder = scene.Host(), os.path.join(lib.temp_dir(), "report")
    run = host.ratchet("sweep", "--config", host.config, "--quiet", "--head", "none", "--iterations", 4, "--replicates", 2, "--batch",
                       "1,60000", "--heads", 64, "--seq", 1024, "--dim", 16, "--report", folder, "ours=" + ours())
    eq(run.code, 3, "exit")
    has(run.out, re.compile("^b60000_h64_s1024_d16_fp32: unmeasured, ours: allocate: allocate [0-9]+ bytes: Cannot allocate",
                            re.M), "why")
    eq(run.err, "", "nothing else")
    ok(len(replicates(folder)) >= 2 and not replicates(folder, 1), "the other has its samples")
    has(lib.read(folder + "/sweep.md"), "allocate", "the report says so")


def full_disk():
    """A disk that is full while it measures: one line at once, the table all the same; with room again it goes on"""
    host, folder = scene.Host(), os.path.join(lib.temp_dir(), "report")
    words = ["sweep", "--config", host.config, "--quiet", *TINY[:-4], "--iterations", 30, "--warmup", 1, "--replicates", 3,
             "--report", folder, "ours=" + ours(), "fine=" + odd("odd")]
    full = host.ratchet(*words, wrapper=scene.small_disk(folder, 20))
    eq(full.code, 3, "exit")
    lines = full.err.splitlines()
    ok(0 < len(lines) <= 2 and all("samples.json`: No space left on device" in line for line in lines),
       "what failed, at once, and that it did at the end as well", full.err)
    has(full.out, "b1_h1_s24_d16_fp32", "what was measured is printed")
    kept = replicates(folder)
    ok(0 < len(kept) <= 3, "what had room is kept, and is whole: %d" % len(kept))
    eq(sorted(os.listdir(folder)), ["samples.json"], "nothing half")
    eq(host.ratchet(*words).code, 0, "with room again")
    eq(replicates(folder)[:len(kept)], kept, "it goes on with what was there")


def replicates(folder, config=0):
    path = os.path.join(folder, "samples.json")
    return json.loads(lib.read(path))["configs"][config]["replicates"] if os.path.exists(path) else []


def unmarked(folder, config):
    return [one for one in replicates(folder, config) if not one.get("marks")]


def bad_files():
    """What a file of arms may not say, in one line"""
    host, good = scene.Host(), ours()
    absent = "[arm \"gone\"]\n absent = not here\n"
    for text, said in (("[arm \"a\"]\n", "expected `library` or `absent`"), (absent, "expected NAME=LIBRARY"),
                       ("[arm \"a\"]\n library = /none.so\n", "a: `/none.so`"),
                       ("[arm \"a\"]\n version = 3\n", "expected `library` or `absent`"),
                       ("[arm \"a\"]\n library = %s\n absent = why\n" % good, "expected `library` or `absent`"),
                       ("[arm \"head\"]\n library = %s\n" % good, "`head` is no name"),
                       ("[arm \"a b\"]\n library = %s\n" % good, "`a b` is no name"),
                       ("[arm]\n library = %s\n" % good, "arm"), ("[arm \"a\"]\n colour = red\n", "colour"),
                       ("[ceiling]\n copy = /none.so\n", "ceiling copy: `/none.so`"),
                       ("[sandbox]\n expose = /etc\n", "--expose"), ("[include]\n path = x\n", "include")):
        run = host.ratchet("sweep", "--config", host.config, *TINY, "--arms", arms_file("bad.conf", text))
        eq((run.code, run.out, len(run.err.splitlines())), (64, "", 1), "refused: " + text.replace("\n", " "))
        has(run.err, said, "and why")
    for args, said in ((["--ceiling", "speed=" + good], "copy or matrix, not `speed`"), (["--ceiling", good], "expected copy=LIBRARY"),
                       (["--ceiling", "copy=" + good, "--ceiling", "copy=" + good], "two libraries for the ceiling `copy`"),
                       (["--png"], "`--png` does nothing without `--report`"), (["--report", good + "/x"], "--report"),
                       (["--arms", "/none.conf"], "/none.conf"),
                       (["--arms", arms_file("absent.conf", absent.replace("gone", "a"))], "two arms with the name `a`")):
        run = host.ratchet("sweep", "--config", host.config, *TINY, "a=" + good, *args)
        eq((run.code, run.out, len(run.err.splitlines())), (64, "", 1), "refused: " + args[0])
        has(run.err, said, "and why")


lib.main(table_and_file, judged, peers, trouble, wrong_later, exposed, refused, lists, report, absent_peers,
         cut_off, full_disk, too_large, bad_files)
