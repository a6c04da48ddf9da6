# SPDX-License-Identifier: Apache-2.0
"""What the Python tests of the judge share: TAP, and building the room by hand with a compiler
and flags of the test's choosing (the tree's own build has but one of each)."""

import atexit
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = os.path.abspath(os.environ.get("top_srcdir") or
                      os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ROOM = os.path.join(TOP, "src", "judge")
SUPPORT = [os.path.join(TOP, "src", name) for name in
           ("model.c", "codefacts.c", "metrics.c", "base/err.c", "base/buf.c", "base/json.c", "base/leftover.c",
            "base/name.c", "base/scan.c")]
DRIVER = os.path.join(TOP, "tests", "unit", "stats_driver.c")

_count = _failed = 0


def ok(good, what, note=""):
    global _count, _failed
    _count += 1
    _failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", _count, what), flush=True)
    if not good:
        for line in str(note).splitlines():
            print("# " + line, flush=True)
    return bool(good)


def skip(what, why):
    """Loud, and a failure where skipping is forbidden."""
    global _count
    if os.environ.get("RATCHET_NO_SKIP") == "1":
        ok(False, what, "may not be skipped here: " + why)
        return
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, what, why), flush=True)


def done():
    print("1..%d" % _count, flush=True)
    sys.exit(1 if _failed or not _count else 0)


def temp_dir():
    path = tempfile.mkdtemp(prefix="ratchet-judge-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def sources():
    return sorted(os.path.join(ROOM, name) for name in os.listdir(ROOM) if name.endswith(".c"))


def jansson(what):
    """pkg-config's words, or the usual ones where it is not there."""
    try:
        run = subprocess.run(["pkg-config", what, "jansson"], capture_output=True, text=True)
        if run.returncode == 0:
            return shlex.split(run.stdout)
    except OSError:
        pass
    return ["-ljansson"] if what == "--libs" else []


def compiler():
    """The build's own compiler, as words."""
    return shlex.split(os.environ.get("CC") or "gcc")


def compile_room(folder, words, flags):
    """Objects of the room, one a source, made with these words and flags."""
    objects = []
    for source in sources():
        target = os.path.join(folder, os.path.basename(source)[:-2] + ".o")
        subprocess.run([*words, "-std=gnu17", "-D_GNU_SOURCE", *flags, *jansson("--cflags"), "-I",
                        os.path.join(TOP, "src"), "-c", source, "-o", target], check=True,
                       timeout=300)
        objects.append(target)
    return objects


def build_driver(folder, words, flags):
    """stats_driver on a room made with these flags; the rest is always made the same way."""
    os.makedirs(folder, exist_ok=True)
    objects = compile_room(folder, words, flags)
    path = os.path.join(folder, "stats_driver")
    subprocess.run([*words, "-std=gnu17", "-D_GNU_SOURCE", "-O1", *jansson("--cflags"), "-I",
                    os.path.join(TOP, "src"), DRIVER, *SUPPORT, *objects, "-o", path,
                    *jansson("--libs"), "-lm"], check=True, timeout=300)
    return path


def ask(driver, lines):
    """The answers to the questions, as the driver's own text."""
    run = subprocess.run([driver], input="\n".join(lines) + "\n", capture_output=True, text=True,
                         timeout=600)
    if run.returncode != 0:
        raise RuntimeError("stats_driver: exit %d: %s" % (run.returncode, run.stderr))
    return run.stdout
