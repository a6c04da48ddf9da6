# SPDX-License-Identifier: Apache-2.0
"""Our kernels beside PyTorch's over the twelve shapes of kernels/README.md, in one run: builds both,
runs `ratchet sweep` over them, and prints its table as Markdown.
    sweep.py OUTPUT [REPLICATES [SAMPLES]]        OUTPUT: samples.json; RATCHET: the program
Needs a GPU with nvcc, g++ and PyTorch. The device's slug is DEVICE, or nvidia-h200."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

import shapes

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DEVICE = os.environ.get("DEVICE", "nvidia-h200")
SHAPES = [(32, 8, seq, 64, causal) for seq in (128, 256, 512, 1024, 2048) for causal in (False, True)]
SHAPES += [(4, 16, 2048, 128, causal) for causal in (False, True)]
PEERS = ["flash", "cudnn", "efficient"]
OURS = [("sm80", ["-arch=sm_90"]), ("sm90", ["-gencode=arch=compute_90a,code=sm_90a"])]
CONF = """\
[kernel]
    path = kernels
[build "%(device)s"]
    command = true
    output = none
[bench "%(device)s"]
    target = 1ms
    warmup = 5
"""


def run(argv, **more):
    return subprocess.run(argv, check=True, **more)


def make_repo(folder):
    os.makedirs(os.path.join(folder, "ci"))
    with open(os.path.join(folder, "ci", "ratchet.conf"), "w") as out:
        out.write(CONF % {"device": DEVICE} + shapes.configs(DEVICE, SHAPES))
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=sweep", "-c", "user.email=sweep@localhost",
                                                  "commit", "-q", "-m", "shapes"]):
        run(["git", "-C", folder] + words)


def build(folder):
    """The arguments of the sweep"""
    arms = []
    running = []
    for name, arch in OURS:
        path = os.path.join(folder, name + ".so")
        running.append(subprocess.Popen(
            ["nvcc", "-O3", "-std=c++17", *arch, "-shared", "-cudart", "static", "-Xcompiler",
             "-fPIC,-fvisibility=hidden,-fno-gnu-unique", "-o", path,
             os.path.join(TOP, "kernels", "attention_%s.cu" % name)]))
        arms.append("%s=%s" % (name, path))
    peers = run([sys.executable, os.path.join(TOP, "kernels", "peers", "build.py"), folder, *PEERS],
                stdout=subprocess.PIPE, text=True).stdout.split()
    if any(one.wait() != 0 for one in running):
        raise SystemExit("sweep.py: our kernels did not build")
    return arms + peers


def medians(path):
    """us a launch by config and arm"""
    with open(path) as source:
        samples = json.load(source)
    found = {}
    for config in samples["configs"]:
        clean = [one for one in config["replicates"] if not one.get("marks")]
        arms = set.intersection(*[set(one) for one in clean]) - {"marks"} if clean else set()
        found[config["name"]] = {
            OURS[0][0] if arm == "head" else arm:
            statistics.median(statistics.median(one[arm]) for one in clean) / 1e3 for arm in arms}
    return found


def geometric(ratios):
    return math.exp(statistics.mean(math.log(one) for one in ratios))


def table(found):
    print("| problem | flash | cuDNN | efficient | sm80 | flash ÷ sm80 | sm90 | fastest ÷ sm90 |")
    print("|---|---|---|---|---|---|---|---|")
    old, new = [], []
    for shape in SHAPES:
        us = found[shapes.name_of(shape)]
        peers = {name: us[name] for name in PEERS if name in us}
        old.append(peers["flash"] / us["sm80"])
        new.append(min(peers.values()) / us["sm90"])
        print("| %s | %s | %.2f | %.2f | %.2f | %.2f |" % (
            "B%d H%d S%d D%d%s" % (*shape[:4], " causal" if shape[4] else ""),
            " | ".join("%.2f" % peers[name] if name in peers else "–" for name in PEERS),
            us["sm80"], old[-1], us["sm90"], new[-1]))
    print("| geometric mean | | | | | %.3f | | %.3f |" % (geometric(old), geometric(new)))


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    output = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="ratchet-sweep-")
    os.chmod(folder, 0o755)
    make_repo(os.path.join(folder, "shapes"))
    arguments = build(folder)
    more = [word for option, value in zip(("--replicates", "--iterations"), sys.argv[2:])
            for word in (option, value)]
    config = [word for word in ("--config", os.environ.get("RATCHET_CONFIG")) if word]
    run([os.environ.get("RATCHET", "ratchet"), "sweep", "--quiet", *(config if len(config) == 2 else []),
         "--repo", os.path.join(folder, "shapes"), "--device", DEVICE, "--output", output, *more, *arguments])
    table(medians(output))


main()
