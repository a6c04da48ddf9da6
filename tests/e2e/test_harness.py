# SPDX-License-Identifier: Apache-2.0
"""Both ends of a measurement with real kernel libraries: which are timed, which are refused, in
what words, and whose fault it is. Uses tests/unit/bench_driver, a program around
measure/bench.h; in the sandbox where there is one, and without where there is none."""

import json
import math
import os
import re
import signal
import statistics
import sys

import lib
from lib import case, eq, has, ok

sys.path.insert(0, os.path.join(lib.TOP, "tests", "gpu"))
import wire  # noqa: E402

WORK = lib.temp_dir()
KERNELS = os.path.join(lib.HERE, "kernels")
SMALL = "1,2,1,48,64,16,0"  # batch, heads, heads_kv, seq_q, seq_k, head_dim, causal
LONG = "1,1,1,4000,16,16,0"
CAUSAL = "2,2,2,40,24,8,1"  # more queries than keys: some rows see nothing


def sandbox_works():
    probe = lib.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"])
    return probe.code == 0


try:
    SANDBOXED = sandbox_works() and not os.environ.get("ASAN_OPTIONS")
except FileNotFoundError:
    SANDBOXED = False
lib.note("measured in the sandbox" if SANDBOXED else "no sandbox here: measured without")


def kernel(source="odd", *flags):
    """Path of a library built from kernels/<source>.c; each file is built once."""
    name = "-".join([source, *flags]).replace("=", "_") + ".so"
    path = os.path.join(WORK, name)
    if not os.path.exists(path):
        built = lib.run(["gcc", "-O2", "-std=gnu17", "-shared", "-fPIC", "-fvisibility=hidden",
                         "-I", os.path.join(lib.TOP, "kernels"), *["-D" + f for f in flags],
                         "-o", path, os.path.join(KERNELS, source + ".c"), "-lm"])
        if built.code != 0:
            raise RuntimeError(str(built))
    return path


def cpu_kernel():
    """The kernel that ships, which uses the threads it is given."""
    path = os.path.join(WORK, "attention_cpu.so")
    if not os.path.exists(path):
        built = lib.run(["gcc", "-O3", "-std=gnu17", "-shared", "-fPIC", "-fvisibility=hidden",
                         "-fno-gnu-unique", "-pthread", "-o", path,
                         os.path.join(lib.TOP, "kernels", "attention_cpu.c"), "-lm"])
        if built.code != 0:
            raise RuntimeError(str(built))
    return path


def bench(configs=(SMALL,), harness=None, sandboxed=None, **more):
    """One run of the driver. Arms given as head=, base=, anchor=."""
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    arms = {arm: more.pop(arm) for arm in ("head", "base", "anchor") if arm in more}
    settings = {"target_ns": 100000, "samples": 6, "warmup": 1, "turn_ms": 20000, **more}
    words = ["harness=" + (harness or lib.program("RATCHET_BENCH")), "work=" + folder,
             "sandboxed=%d" % (SANDBOXED if sandboxed is None else sandboxed)]
    words += ["%s=%s" % pair for pair in {**settings, **arms}.items()]
    result = lib.run([lib.driver("bench_driver"), *words, *["config=" + c for c in configs]])
    eq(os.listdir(folder), [], "nothing is left in the work folder")
    answer = json.loads(result.out)
    answer["code"], answer["err"] = result.code, result.err
    return answer


def unmeasured(answer, fault, text, what):
    config = answer["configs"][0]
    eq(config["fault"], fault, what + ": whose fault")
    eq(config["failure"][:len(text)], text, what + ": what is said")
    eq(len(config["replicates"]), 0, what + ": nothing was timed")


# ---- what is right is timed ----

def right_kernels_are_timed():
    good = kernel()
    answer = bench(head=good, base=kernel("right"), anchor=kernel("refactored"), replicates=2,
                   configs=[SMALL, CAUSAL])
    eq(answer["code"], 0, "exit code" + answer["err"])
    for config in answer["configs"]:
        eq(config["fault"], "", config["name"] + " has no fault: " + config["failure"])
        eq(len(config["replicates"]), 2, "two replicates")
        eq(config["attempts"], 2, "two attempts")
        ok(config["peak_bytes"] > 0, "peak memory is known")
        for replicate in config["replicates"]:
            counts = {arm: len(replicate[arm]) for arm in ("head", "base", "anchor", "control")}
            eq(len(set(counts.values())), 1, "as many samples of every arm")
            ok(counts["head"] >= 3, "at least half of the samples planned")
            ok(all(ns > 0 for ns in replicate["head"]), "times are positive")
    for fact in ("os", "kernel", "cpu", "cores", "threads", "inputs", "sample_target",
                 "clock_resolution"):
        ok(answer["environment"].get(fact), "the environment says its " + fact)


def head_alone_is_timed():
    """without any other arm"""
    answer = bench(head=kernel())
    eq(answer["configs"][0]["fault"], "", answer["configs"][0]["failure"])
    eq(answer["configs"][0]["replicates"][0]["anchor"], [], "there is no anchor")


def several_threads_and_pinning():
    built = cpu_kernel()
    answer = bench(head=built, anchor=built, threads=2, cpu=0)
    eq(answer["code"], 0, answer["err"])
    has(answer["environment"]["threads"], "2, pinned", "the environment says so")
    answer = bench(head=built, threads=1, cpu=4000)
    eq(answer["code"], 3, "a processor that is not there is the host's trouble")
    has(answer["err"], "4000", "and is named")


# ---- what is wrong is not ----

def wrong_heads():
    good = kernel()
    table = [
        (kernel("wrong"), "wrong result: "),
        (kernel("nan"), "wrong result: out at batch 0 head 0 row 0 column 0 is nan"),
        (kernel("odd", "ODD_NO_MAXIMUM"), "wrong result: "),
        (kernel("odd", "ODD_UNWRITTEN"),
         "wrong result: out at batch 0 head 0 row 3999 column 15 was not written"),
        (kernel("odd", "ODD_LSE"), "wrong result: lse at batch 0 head 0 row 2000 was not written"),
        (kernel("odd", "ODD_BEHIND"), "wrong result: out was written behind its end"),
        (kernel("odd", "ODD_ERROR"), "wrong result: forward returned 3"),
        (kernel("odd", "ODD_UNSUPPORTED"), "the kernel does not support this problem"),
        (kernel("odd", "ODD_ABI=99"), "the library is for ABI 99, expected 1"),
        (kernel("odd", "ODD_PEER"), "its name begins with `peer-`"),
        (kernel("crash"), "crashed: signal 11 (SIGSEGV)"),
        (kernel("odd", "ODD_INPUTS"), "crashed: signal 11 (SIGSEGV)"),
        (kernel("odd", "ODD_CONSTRUCTOR"), "crashed: signal 6 (SIGABRT) while it was loaded"),
        (kernel("odd", "ODD_KILL"), "crashed: signal 9 (SIGKILL)"),
        (kernel("odd", "ODD_EXIT"), "ended by itself: exit code 0"),
        (kernel("odd", "ODD_FORGE"), "crashed: it meddled with"),
        (kernel("odd", "ODD_RANT"), "crashed: it meddled with"),
        (kernel("odd", "ODD_EXPORT"), "the library: exports `malloc_usable_size_of_mine`"),
        (kernel("odd", "ODD_ABORT_LATE=4"), "crashed: signal 6 (SIGABRT) while it was timed"),
        (kernel("odd", "ODD_LAZY=3"), "wrong result: while timed, out at "),
    ]
    for path, text in table:
        name = os.path.basename(path)
        case("head is " + name)
        # Of 4000 rows the 256 drawn seldom meet the one; every element is looked at.
        one = "not written" in text
        unmeasured(bench(head=path, base=good, anchor=good, configs=[LONG if one else SMALL]),
                   "the PR", text, name)


def wrong_only_later():
    """wrong after fifty launches: seen while it is timed, or when verified again"""
    answer = bench(head=kernel("odd", "ODD_LATE=50"), anchor=kernel(), samples=40,
                   target_ns=1000)
    unmeasured(answer, "the PR", "wrong result: while timed, out at ", "late")
    answer = bench(head=kernel("odd", "ODD_LATE_LARGE=50"), anchor=kernel(), samples=40,
                   target_ns=1000)
    unmeasured(answer, "the PR", "wrong result: ", "late, on other inputs")  # of timed rows some are like these
    has(answer["configs"][0]["failure"], re.compile(r"\(after timing\)|while timed"), "and when it was seen")


def hanging_head():
    answer = bench(head=kernel("hang"), base=kernel(), anchor=kernel(), turn_ms=1000,
                   configs=[SMALL, CAUSAL])
    unmeasured(answer, "the PR", "gave no answer within 1000 ms", "hang")
    eq(answer["configs"][1]["fault"], "the PR", "the other config")
    said = [config["failure"] for config in answer["configs"]]
    eq(sum(", in config c" in text for text in said), 1, "one of the two was not tried")


def printing_head():
    """prints protocol lines to stdout and to 0, 1 and 2: nobody hears it"""
    answer = bench(head=kernel("odd", "ODD_PRINT"), anchor=kernel())
    eq(answer["configs"][0]["fault"], "", answer["configs"][0]["failure"])
    eq(len(answer["configs"][0]["replicates"]), 1, "it is timed like any other")


def out_of_its_process():
    """tries the harness, the other libraries, its inputs and more processors: nothing of it is allowed"""
    if not SANDBOXED:
        lib.skip("there is no sandbox here, and to root all is allowed")
        return
    answer = bench(head=kernel("reaches"), base=kernel(), anchor=kernel(), configs=["1,1,1,48,64,16,0"])
    config = answer["configs"][0]
    eq(config["failure"], "", "what worked, by its line in reaches.c")
    eq(len(config["replicates"]), 1, "it is timed like any other")


def continued_by_others():
    """A library's process that goes on while it is stopped, by whatever means, is seen"""
    harness = wire.Harness(lib.program("RATCHET_BENCH"), "cpu", [kernel()])
    harness.config((1, 1, 1, 48, 64, 16, "fp32", 0), (0, None, None, None))
    for line in ("prepare head", "allocate 0 1000000", "fill 1"):
        harness.ask(line)
    harness.stage(1, ["head"])
    pid = harness.process.pid
    child = int(lib.read("/proc/%d/task/%d/children" % (pid, pid)).split()[0])
    state = lib.read("/proc/%d/stat" % child).rpartition(")")[2].split()[0]
    eq(state, "T", "it is stopped")
    eq(harness.turn(1, ["head"])[0][1], 0, "and timed")
    harness.stage(1, ["head"])
    os.kill(child, signal.SIGCONT)
    eq(harness.ask("turn"), "wrong head it went on while it was stopped", "and when it goes on")
    harness.close()


# ---- whose fault ----

def broken_anchor():
    for odd in ("wrong", "crash"):
        case("the anchor is " + odd)
        answer = bench(head=kernel(), base=kernel("right"), anchor=kernel(odd))
        config = answer["configs"][0]
        eq(config["fault"], "", "the config is measured: " + config["failure"])
        ok(config["anchor_failed"], "the anchor is known to have failed")
        has(config["anchor_failure"], "wrong result" if odd == "wrong" else "SIGSEGV", "why")
        eq(len(config["replicates"][0]["anchor"]), 0, "without anchor")
        eq(len(config["replicates"][0]["control"]), 0, "and control")
        ok(config["replicates"][0]["base"], "with base")


def broken_base():
    for odd, text in (("wrong", "base: wrong result"),
                      ("crash", "base: crashed: signal 11 (SIGSEGV)")):
        case("base is " + odd)
        answer = bench(head=kernel(), base=kernel(odd), anchor=kernel("right"))
        unmeasured(answer, "the base", text, odd)


def all_broken():
    """every arm is wrong, or crashes: none of theirs"""
    bad = kernel("wrong")
    unmeasured(bench(head=bad, base=bad, anchor=bad), "the base", "every arm alike", "all wrong")
    bad = kernel("crash")
    unmeasured(bench(head=bad, base=bad, anchor=bad), "the host", "every arm alike", "all crash")
    unmeasured(bench(head=bad, anchor=bad), "the host", "every arm alike", "without base")


def broken_base_and_head():
    """head is as wrong as the base it builds on, the anchor is right"""
    answer = bench(head=kernel("wrong"), base=kernel("nan"), anchor=kernel())
    unmeasured(answer, "the base", "base: wrong result", "both")


# ---- what is measured ----

def ratio(replicates, arm):
    """exp of the median over replicates of ln(median of the arm / median of the anchor)."""
    return math.exp(statistics.median(
        math.log(statistics.median(r[arm]) / statistics.median(r["anchor"]))
        for r in replicates))


def slower_is_seen():
    """20% more work reads as about 20%, the same binary as nothing"""
    replicates = []
    for look in range(4):  # more replicates where the machine is noisy; never another bound
        answer = bench(head=kernel("odd", "ODD_SLOWER=20"), anchor=kernel(),
                       configs=["1,2,2,100,100,32,0"], samples=40, replicates=5,
                       target_ns=300000)
        config = answer["configs"][0]
        eq(config["fault"], "", "no fault: " + config["failure"])
        replicates += [r for r in config["replicates"] if not r["marks"]]
        if not replicates:
            continue
        control, head = ratio(replicates, "control"), ratio(replicates, "head")
        lib.note("control %.4f, head %.4f" % (control, head))
        if abs(control - 1) < 0.05 and abs(head - 1.2) < 0.08:
            break
    if not replicates:
        raise lib.Skip("this machine is too busy: every replicate was marked")
    ok(abs(control - 1) < 0.05, "the control is close to the anchor")
    ok(abs(head - 1.2) < 0.08, "head is about 1.2 times the anchor")


# ---- a harness that lies ----

def lying(how, **more):
    source = lib.read(os.path.join(lib.HERE, "fake_harness.py"))
    path = lib.write(os.path.join(WORK, "fake-" + how),
                     source.replace('HOW = ""', "HOW = %r" % how), 0o755)
    good = kernel()
    return bench(harness=path, sandboxed=False, head=good, anchor=good, **more)


def slopes(how):
    """Wall time by claimed time of each arm, and its standard error, of some replicates."""
    config = lying(how, replicates=4, samples=40)["configs"][0]
    means = {}
    for arm in ("head", "anchor", "control"):
        pairs = [one["clock"][arm] for one in config["replicates"]]
        weights = [error ** -2 for _, error in pairs]
        mean = sum(weight * slope for weight, (slope, _) in zip(weights, pairs)) / sum(weights)
        means[arm] = (mean, sum(weights) ** -0.5)
    return means


def claims(how, **truth):
    """However busy the machine: each slope is what it should be, within its own error."""
    seen = slopes(how)
    for arm, (slope, error) in seen.items():
        ok(abs(slope - truth[arm]) < 0.05 + 6 * error, "%s, %s" % (how, arm), seen)


def the_parent_checks_the_clock():
    answer = lying("honest")
    config = answer["configs"][0]
    eq(config["fault"], "", "an honest one passes: " + config["failure"])
    eq(config["replicates"][0]["marks"], [], "without a mark")
    unmeasured(lying("more"), "the PR", "implausible: the samples of a turn claim", "more time")
    unmeasured(lying("floor"), "the PR", "implausible: 10 ns a launch", "below the floor")
    replicate = lying("same")["configs"][0]["replicates"][0]
    eq(replicate["marks"], ["wall-clock"], "times that do not hang on the number of launches")
    claims("honest", head=1, anchor=1, control=1)
    claims("short", head=1 / 0.85, anchor=1, control=1)
    claims("all-short", head=1 / 0.85, anchor=1 / 0.85, control=1 / 0.85)


def an_anchor_that_only_fails_beside_head():
    """is not believed to be broken"""
    unmeasured(lying("beside"), "the PR", "anchor runs alone, and beside head: wrong result: odd",
               "beside")


def preempted_turns_are_taken_again():
    replicate = lying("preempted")["configs"][0]["replicates"][0]
    eq(replicate["marks"], ["preempted"], "marked")
    eq(len(replicate["head"]), 18, "after three times the turns planned")
    eq(sorted(replicate["provoked"]), ["anchor", "control", "head"], "all arms alike: all are named")
    replicate = lying("provoking")["configs"][0]["replicates"][0]
    eq(replicate["marks"], ["preempted"], "marked where head alone is disturbed each time")
    eq(replicate["provoked"], {"head": ["preempted"]}, "and head is named")


def a_slow_head_is_not_spoiled_by_its_length():
    """Ten times as long a sample sees ten times as much of what a busy machine does. (Here the
    machine itself steals time now and then: a mark without a name is tried again.)"""
    for _ in range(5):
        replicate = lying("slow")["configs"][0]["replicates"][0]
        if replicate["marks"] == [] or replicate["provoked"] != {}:
            break
    eq((replicate["marks"], replicate["provoked"]), ([], {}), "nine in ten times the time are borne")
    eq(len(replicate["head"]), 6, "in the turns planned")
    replicate = lying("slow-busy")["configs"][0]["replicates"][0]
    eq(replicate["provoked"], {"head": ["preempted"]}, "twelve are not")


def the_parent_reads_carefully():
    for how, text in (("long", "longer than"), ("unknown", "unknown line"),
                      ("binary", "printable"), ("empty", "0 bytes"), ("sign", "malformed"),
                      ("endless", "longer than"), ("many", "answered `sample`"),
                      ("arm", "answered `ran` where `ran` was due"),
                      ("gone", "ended by itself")):
        case("a harness whose answer is " + how)
        config = lying(how)["configs"][0]
        ok(config["fault"] != "", "is not believed")
        has(config["failure"], text, "and why")
        eq(config["replicates"], [], "no replicate")
    case("a device with little memory left")
    config = lying("memory")["configs"][0]
    eq(config["fault"], "the host", "is the host's trouble")
    has(config["failure"], "85% of the free", "a config that would take more is not tried")
    answer = lying("silent", turn_ms=500)
    has(answer["configs"][0]["failure"], "gave no answer within 500 ms", "silence ends")
    eq(answer["err"].count("# busy"), 0, "nobody asked for signs of life")
    answer = lying("silent", turn_ms=500, busy_ms=50)
    has(answer["err"], "# busy with config 0", "who waits hears that it goes on, and with which config")
    ok(answer["err"].count("# busy") >= 2, "again and again")
    has(answer["configs"][0]["failure"], "gave no answer within 500 ms", "silence ends all the same")
    answer = lying("version")
    eq(answer["code"], 3, "another version is the host's trouble")
    has(answer["err"], "speaks another protocol", "and said")


lib.main(right_kernels_are_timed, head_alone_is_timed, several_threads_and_pinning, wrong_heads,
         wrong_only_later, hanging_head, printing_head, out_of_its_process, continued_by_others, broken_anchor, broken_base, all_broken,
         broken_base_and_head, slower_is_seen, the_parent_checks_the_clock, an_anchor_that_only_fails_beside_head,
         preempted_turns_are_taken_again, a_slow_head_is_not_spoiled_by_its_length,
         the_parent_reads_carefully)
