# SPDX-License-Identifier: Apache-2.0
"""Other people's kernels (kernels/peers) through the harness: builds all that are here, and sweeps them over shapes of every
kind that our ABI knows; each answer is verified against fp64. Prints versions, who is absent and why, registers of
what Triton compiled, the table, and who left out which shape.
    peers.py DEVICE [PEER...]        DEVICE: its slug, such as nvidia-h200; RATCHET: the program; RATCHET_CONFIG: host's
Needs a GPU with nvcc; two to four minutes. Exit 1: an answer was wrong, or a library failed."""

import glob
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RATCHET = os.environ.get("RATCHET", "ratchet")
# dtype, batch, heads, heads of K and V, queries, keys, dimension; each with and without a mask
SHAPES = [("fp16", 2, 8, 8, 512, 512, 64), ("bf16", 2, 8, 8, 512, 512, 64), ("fp16", 2, 8, 8, 512, 512, 128),
          ("bf16", 2, 8, 8, 512, 512, 128), ("fp16", 2, 8, 2, 384, 384, 64), ("bf16", 1, 6, 1, 300, 300, 128),
          ("fp16", 1, 4, 4, 129, 1000, 64), ("bf16", 3, 6, 2, 77, 333, 128), ("fp16", 1, 4, 2, 1000, 129, 64),
          ("bf16", 1, 2, 2, 333, 5, 128), ("fp16", 1, 1, 1, 1, 1, 64), ("bf16", 2, 4, 1, 1, 4097, 128),
          ("fp16", 32, 8, 8, 1024, 1024, 64), ("fp16", 4, 16, 16, 2048, 2048, 128)]
HEAD = """\
[kernel]
    path = kernels
[build "%(device)s"]
    command = true
    output = none
[bench "%(device)s"]
    target = 1ms
    warmup = 3
"""
CONFIG = """\
[config "%(name)s"]
    device = %(device)s
    batch = %(batch)d
    heads = %(heads)d
    heads-kv = %(heads_kv)d
    seq-q = %(seq_q)d
    seq-k = %(seq_k)d
    head-dim = %(dim)d
    dtype = %(dtype)s
    causal = %(causal)s
"""


def show(argv, **more):
    """Runs it; what it prints is printed"""
    print("$ " + " ".join(argv), flush=True)
    try:
        return subprocess.run(argv, stderr=subprocess.STDOUT, check=False, **more)
    except OSError as why:
        print(why)
        return None


def conf(device):
    text = HEAD % {"device": device}
    for causal in ("false", "true"):
        for dtype, batch, heads, heads_kv, seq_q, seq_k, dim in SHAPES:
            name = "b%d_h%d_kv%d_q%d_k%d_d%d_%s" % (batch, heads, heads_kv, seq_q, seq_k, dim, dtype)
            name += "_causal" * (causal == "true")
            text += CONFIG % {"name": name, "device": device, "batch": batch, "heads": heads, "heads_kv": heads_kv,
                              "seq_q": seq_q, "seq_k": seq_k, "dim": dim, "dtype": dtype, "causal": causal}
    return text


def make_repo(folder, device):
    os.makedirs(os.path.join(folder, "ci"))
    with open(os.path.join(folder, "ci", "ratchet.conf"), "w") as out:
        out.write(conf(device))
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=peers", "-c", "user.email=peers@localhost", "commit", "-q",
                                                  "-m", "shapes"]):
        subprocess.run(["git", "-C", folder] + words, check=True)


def build(folder, peers):
    show(["nvidia-smi", "--query-gpu=name,compute_cap,driver_version", "--format=csv"])
    show([sys.executable, "--version"])
    ours = os.path.join(folder, "sm80.so")
    done = show(["nvcc", "-O3", "-std=c++17", "-arch=native", "-shared", "-cudart", "static", "-Xcompiler",
                 "-fPIC,-fvisibility=hidden,-fno-gnu-unique", "-o", ours, os.path.join(TOP, "kernels", "attention_sm80.cu")])
    if done is None or done.returncode != 0:
        raise SystemExit("peers.py: our own kernel does not build")
    show([sys.executable, os.path.join(TOP, "kernels", "peers", "build.py"), folder, *peers])
    show(["cat", folder + "/peers.conf"])
    for cubin in sorted(glob.glob(folder + "/*.cubin")):
        show(["cuobjdump", "--dump-resource-usage", cubin])
    return ["--arms", folder + "/peers.conf", "ours=" + ours]


def left_out(path):
    """Says who left out what, and counts what is more than `not supported`"""
    bad = 0
    with open(path) as source:
        configs = json.load(source)["configs"]
    for config in configs:
        replicates = [one for one in config["replicates"] if not one.get("marks")]
        print("%s: %d replicates of %s" % (config["name"], len(replicates),
                                           " ".join(sorted({arm for one in replicates for arm in one} - {"marks"}))))
        for arm, why in sorted(config.get("left_out", {}).items()):
            is_bad = "does not support" not in why
            bad += is_bad
            print("    %s%s: %s" % ("FAILED " * is_bad, arm, why))
    return bad


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    device = sys.argv[1]
    folder = tempfile.mkdtemp(prefix="ratchet-peers-")
    os.chmod(folder, 0o755)
    make_repo(os.path.join(folder, "shapes"), device)
    arms = build(folder, sys.argv[2:])
    output = os.path.join(folder, "samples.json")
    config = ["--config", os.environ["RATCHET_CONFIG"]] if "RATCHET_CONFIG" in os.environ else []
    done = show([RATCHET, "sweep", "--quiet", *config, "--repo", os.path.join(folder, "shapes"), "--device", device,
                 "--replicates", "2", "--iterations", "8", "--output", output, *arms])
    if done is None or done.returncode != 0:
        print("peers.py: the sweep ended with %s" % (done and done.returncode))
    if not os.path.exists(output):
        raise SystemExit(1)
    raise SystemExit(1 if left_out(output) > 0 or done.returncode != 0 else 0)


main()
