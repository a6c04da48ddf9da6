# SPDX-License-Identifier: Apache-2.0
"""What a profiler counts, on a GPU: Nsight Compute around our harness, first by hand, then in the sandbox, then of
the verdict on one regression (spills, of tests/gpu/why.py). Prints all that one needs to mend it blind. Needs nvcc, ncu,
RATCHET and RATCHET_BENCH, and for the second step tests/unit/profile_driver below top_builddir; about two minutes.
    profile.py [DEVICE] [--profiler=PATH]        DEVICE such as nvidia-h200 (default)
Exit 1 where the report has no table of what was counted."""

import glob
import json
import os
import re
import subprocess
import sys
import time

import why
from why import lib, scene

PROFILER = next((word.split("=", 1)[1] for word in sys.argv[1:] if word.startswith("--profiler=")), "")
PROBLEM = "%d,%d,%d,%d,%d,%d,fp16,0"
CUT = 12000


def head(title):
    print("\n==== %s" % title, flush=True)


def show(*argv, stdin=None, seconds=120, env=None, cwd=None, cut=CUT):
    """Run it and print all of it; what came on stdout"""
    print("$ " + " ".join(argv), flush=True)
    start = time.monotonic()
    try:
        run = subprocess.run(argv, input=stdin, capture_output=True, timeout=seconds, env=env, cwd=cwd)
    except (OSError, subprocess.TimeoutExpired) as problem:
        print("    did not run: %s\n%s" % (problem, (getattr(problem, "stdout", None) or b"")[-cut:].decode(
            "utf-8", "replace")), flush=True)
        return ""
    out, err = (text.decode("utf-8", "replace") for text in (run.stdout, run.stderr))
    for name, text in (("stdout", out), ("stderr", err)):
        if text:
            print("---- %s\n%s" % (name, text if len(text) <= cut else text[:cut // 2] + "\n[…]\n" + text[-cut // 2:]))
    print("---- exit %d after %.1f s" % (run.returncode, time.monotonic() - start), flush=True)
    return out


def find_ncu():
    for path in (PROFILER, "/usr/local/cuda/bin/ncu"):
        if path and os.path.exists(path):
            return path
    return lib.shutil.which("ncu") or ""


def facts():
    head("what is here")
    ncu = find_ncu()
    print("ncu: %r, without links %r" % (ncu, os.path.realpath(ncu)))
    path = os.path.realpath(ncu)
    if ncu and open(path, "rb").read(2) == b"#!":
        print("---- a script:\n" + lib.read(path)[:6000] + "\n----")
    for pattern in ("/opt/nvidia/nsight-compute/*", "/opt/nvidia/nsight-compute/*/target/*",
                    "/opt/nvidia/nsight-compute/*/target/*/ncu", "/usr/local/cuda*/nsight-compute*/target/*/ncu"):
        print("%s: %s" % (pattern, " ".join(sorted(glob.glob(pattern)))))
    for top in glob.glob("/opt/nvidia/nsight-compute/*/ncu"):
        print("---- %s:\n%s" % (top, open(top, "rb").read(3000).decode("utf-8", "replace")))
    show("sh", "-c", "grep -i 'prof\\|admin' /proc/driver/nvidia/params; nvidia-smi -L; ls -l /dev/nvidia*; id; uname -r; "
         "ldconfig -p | grep -i 'libcuda\\|nvidia-ml\\|nvperf'")
    show(ncu or "ncu", "--version")
    return ncu


def build(folder, name):
    """One of why.py's kernels, built by hand"""
    os.makedirs(os.path.join(folder, "kernels"), exist_ok=True)
    lib.write(os.path.join(folder, "kernels", "why.cu"), why.worse(name))
    lib.write(os.path.join(folder, "kernels", "attention.h"),
              lib.read(os.path.join(lib.TOP, "kernels", "attention.h")))
    command = re.search(r"command = (.*)", why.CONF).group(1)
    env = dict(os.environ, RATCHET_ARCH="sm_90", PATH=os.environ["PATH"] + ":/usr/local/cuda/bin")
    show("sh", "-c", command, env=env, cwd=folder)
    os.chmod(folder, 0o755)
    return os.path.join(folder, "kernels", "why.so")


def problem():
    batch, heads, length, dim, _ = why.SHAPES[0]
    return (batch, heads, heads, length, length, dim)


def by_hand(ncu, folder, library):
    """Without a sandbox: is it ncu, or is it ours?"""
    names = re.findall(r'"(\w+__[\w.]+)"', lib.read(os.path.join(lib.TOP, "src", "metrics.h")))
    script = "open 1 60000\nload 0 why.so\nconfig %s 0 - - -\nprepare head\nallocate 0 0\nfill 1\nlaunches head\nquit\n" % (
        "%d %d %d %d %d %d fp16 0" % problem())
    where = os.path.dirname(library)
    harness = lib.program("RATCHET_BENCH")
    head("the harness alone")
    show(harness, "cuda", stdin=script.encode(), cwd=where)
    head("ncu by hand, one metric, without our options")
    show(ncu, "--metrics", "sm__inst_executed.sum", "--clock-control", "none", harness, "cuda", stdin=script.encode(),
         cwd=where)
    head("ncu by hand, as ratchet calls it")
    show(ncu, "--csv", "--page", "raw", "--print-units", "base", "--clock-control", "none", "--target-processes", "all",
         "--launch-skip", "3", "--launch-count", "4", "--metrics", ",".join(names), harness, "cuda",
         stdin=script.encode(), cwd=where)


def sandboxed(folder, library):
    head("in the sandbox, as nobody")
    try:
        driver = lib.driver("profile_driver")
    except lib.Skip as problem_:
        print("not tried: %s" % problem_)
        return
    os.makedirs(os.path.join(folder, "work"), exist_ok=True)
    show(driver, why.DEVICE, lib.program("RATCHET_BENCH"), library, os.path.join(folder, "work"),
         PROBLEM % problem(), *([PROFILER] if PROFILER else []), cut=40000)


def verdict():
    head("the verdict on a regression")
    repo = why.repository()
    host = scene.Host(device=why.DEVICE, settings=("profiler = " + PROFILER,) if PROFILER else ())
    start = time.monotonic()
    result = host.check(repo, "spills", seconds=400)
    print("check: exit %d after %.1f s" % (result.code, time.monotonic() - start))
    print("\n".join(line for line in result.text.splitlines() if "profil" in line))
    config = (result.verdict["configs"] or [{}])[0]
    report = result.file("report.md")
    table = report.find("What the profiler counted")
    print(json.dumps({key: config.get(key) for key in ("name", "verdict", "change", "metrics")}, indent=1))
    print(json.dumps(config.get("why", {}).get("line")))
    if "metrics" in config and table >= 0:
        print("---- of report.md\n" + report[table:report.find("</details>", table)])
        return 0
    print("NO TABLE\n---- report.md\n%s\n---- what check said\n%s" % (report, result.text[-6000:]))
    return 1


def main():
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    ncu = facts()
    library = build(os.path.join(folder, "spills"), "spills")
    if ncu:
        by_hand(ncu, folder, library)
    sandboxed(folder, library)
    return verdict()


sys.exit(main())
