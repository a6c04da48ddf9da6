# SPDX-License-Identifier: Apache-2.0
"""autotune on a GPU from a spoilt start: our kernels with some of their numbers made worse. Prints the
suggestions; then the patch is applied, and a check sets the result against the spoilt kernel and against
the one that we have.
    tune.py [DEVICE [BUDGET [KERNEL]...]]     nvidia-h200, 3m, sm80 and sm90
Exit 1 where nothing better was found, or the result is slower than what we have."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
import scene
import shapes

DEVICE, BUDGET = (sys.argv[1:3] + ["nvidia-h200", "3m"][len(sys.argv[1:3]):])
SHAPES = [(32, 8, s, 64, False) for s in (128, 512, 1024)] + [(4, 16, 2048, 128, True)]
CONF = """\
[kernel]
    path = kernels
[build "%(device)s"]
    command = nvcc -O3 -std=c++17 %(arch)s -shared -cudart static -Xcompiler \
-fPIC,-fvisibility=hidden,-fno-gnu-unique -o kernels/k.so kernels/attention_%(name)s.cu
    output = kernels/k.so
[bench "%(device)s"]
    samples = 60
    target = 1ms
    warmup = 5
[tune "%(device)s"]
"""
KERNELS = {
    "sm80": ("-arch=$RATCHET_ARCH", {"D64_SHORT_SEQ": 256, "D64_M_TILES": 1, "D64_BLOCKS": 3}, """\
    parameter = D64_SHORT_SEQ: 64 128 256
    parameter = D64_M_TILES: 1 2
    parameter = D64_BLOCK_N: 32 64 128
    parameter = D64_STAGES: 2 3
    parameter = D64_BLOCKS: 1 2 3
    parameter = D128_BLOCK_N: 32 64
    constraint = (64 * D64_M_TILES + 2 * D64_STAGES * D64_BLOCK_N) * 128 * D64_BLOCKS <= 228 * 1024
"""),
    "sm90": ("-gencode=arch=compute_90a,code=sm_90a", {"D64_STAGES": 2, "D128_STAGES": 2}, """\
    parameter = D64_SHORT_STAGES: 2 4
    parameter = D64_BLOCK_N: 64 128
    parameter = D64_STAGES: 2 3 4 6
    parameter = D64_Q_STAGES: 1 2
    parameter = D128_BLOCK_N: 64 128
    parameter = D128_STAGES: 2 3
"""),
}


def spoil(source, numbers):
    for name, value in numbers.items():
        source, count = re.subn(r"(#define %s) \d+" % name, r"\1 %d" % value, source)
        if count != 1:
            raise SystemExit("tune: `#define %s` stands %d times" % (name, count))
    return source


def tune(name):
    arch, numbers, space = KERNELS[name]
    path = "kernels/attention_%s.cu" % name
    ours = lib.read(os.path.join(lib.TOP, path))
    repo, host, folder = lib.Repo(), scene.Host(device=DEVICE, settings=()), lib.temp_dir()
    conf = CONF % {"device": DEVICE, "arch": arch, "name": name} + space + shapes.configs(DEVICE, SHAPES)
    repo.commit({"kernels/attention.h": lib.read(os.path.join(lib.TOP, "kernels/attention.h")), path: ours,
                 "ci/ratchet.conf": conf}, "ours")
    repo.commit({path: spoil(ours, numbers)}, "spoilt", branch="spoilt", onto="main")
    result = host.ratchet("autotune", "--config", host.config, "--repo", repo.path, "--head", "spoilt", "--device",
                          DEVICE, "--time-budget", BUDGET, "--output", folder, folder=folder, seconds=1200)
    print("\n".join(line for line in result.err.splitlines() if "autotune" in line))
    print(result.out or result.err, flush=True)
    patch = os.path.join(folder, "suggestions.patch")
    if result.code != 0 or not os.path.exists(patch):
        return False
    print(lib.read(patch))
    repo.git("checkout", "-q", "spoilt")
    subprocess.run(["git", "-C", repo.path, "apply", patch], check=True)
    repo.git("checkout", "-q", "-b", "tuned")
    repo.git("commit", "-qam", "tuned")
    good = True
    for base, wanted in (("spoilt", ("improved", "held")), ("main", ("improved", "held"))):
        checked = host.check(repo, "tuned", base, seconds=600)
        print("tuned against %s: %s" % (base, checked.brief()))
        for config in checked.verdict["configs"]:
            print("  %s: %s, %s" % (config["name"], config["verdict"], config["reason"]))
        good = good and checked.verdict["verdict"] in wanted
    return good


if __name__ == "__main__":
    sys.exit(0 if all([tune(name) for name in sys.argv[3:] or KERNELS]) else 1)
