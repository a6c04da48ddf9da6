# SPDX-License-Identifier: Apache-2.0
"""Why it got slower, on a GPU: four pull requests that each make tests/gpu/kernels/why.cu slower in
one way, checked with `ratchet check`, and the first line that each is told by. Needs nvcc and
cuobjdump; a minute or two.
    why.py [DEVICE] [--reports]        DEVICE such as nvidia-h200 (default)
Exit 1 where one is not regressed, or not explained by what it is."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
import scene
import shapes

DEVICE = next((word for word in sys.argv[1:] if not word.startswith("-")), "nvidia-h200")
SHAPES = [(4, 16, 512, 64, False)]
CONF = """\
[kernel]
    path = kernels
[rule]
    look = 6
    look = 8
[build "%(device)s"]
    command = nvcc -O3 -std=c++17 -arch=$RATCHET_ARCH -shared -cudart static -Xcompiler \
-fPIC,-fvisibility=hidden,-fno-gnu-unique -o kernels/why.so kernels/why.cu
    output = kernels/why.so
[bench "%(device)s"]
    samples = 40
    target = 2ms
    warmup = 5
""" % {"device": DEVICE}
# What is made slower, what its line must hold, and what must be so in the numbers of head and base.
WAYS = [
    ("registers", r"head uses \d+ registers a thread, the anchor \d+",
     lambda head, base: head["registers"] > base["registers"] and head["warps"] < base["warps"]),
    ("spills", r"head spills \d+ bytes a thread, the anchor none",
     lambda head, base: head["spill_stores"] > 0 == base["spill_stores"]),
    ("shared", r"head takes \d+ bytes of (static|dynamic) shared memory a block, the anchor none",
     lambda head, base: head["dynamic_shared"] == 52000 and head["warps"] < base["warps"]),
    ("instructions", r"head has \d+ instructions, the anchor \d+ \(fused multiply-add: ",
     lambda head, base: head["fma"] > base["fma"] and head["registers"] == base["registers"]),
]


SOURCE = lib.read(os.path.join(lib.TOP, "tests", "gpu", "kernels", "why.cu"))


def worse(name):
    """The kernel, made slower in one way"""
    return "#define WHY_%s\n%s" % (name.upper(), SOURCE)


def repository():
    """The kernel on main, and a branch for each way"""
    repo = lib.Repo()
    repo.commit({"kernels/why.cu": SOURCE, "ci/ratchet.conf": CONF + shapes.configs(DEVICE, SHAPES),
                 "kernels/attention.h": lib.read(os.path.join(lib.TOP, "kernels", "attention.h"))},
                "the kernel")
    for name, _, _ in WAYS:
        repo.commit({"kernels/why.cu": worse(name)}, name, branch=name, onto="main")
    return repo


def main():
    repo = repository()
    host = scene.Host(device=DEVICE, settings=("profiler = off",))
    bad = 0
    for name, words, holds in WAYS:
        result = host.check(repo, name, seconds=300)
        if "--reports" in sys.argv:
            print(result.file("report.md"))
        config = result.verdict["configs"][0]
        why = config.get("why", {"line": "(nothing) " + result.out, "kernels": []})
        pairs = [(pair["head"], pair["against"]) for pair in why["kernels"]]
        right = config["verdict"] == "regressed" and re.search(words, why["line"]) and \
            any(holds(*pair) for pair in pairs)
        bad += not right
        print("%-13s %-9s %+7.1f%%  %s%s" % (name, config["verdict"], 100 * (config["change"] or 0),
                                             why["line"], "" if right else "   <-- NOT AS EXPECTED"),
              flush=True)
        if not right:
            print(config["reason"], pairs, result.err[-1500:])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
