# SPDX-License-Identifier: Apache-2.0
"""A whole study on a GPU: our sm80 kernel beside everybody who is here, autotune, and one patch that has the device's
build make the Hopper kernel instead. Then its files are checked, and it is measured again.
    study.py DEVICE REPO FOLDER MINUTES [KILL_AFTER_S]
REPO: a clone with this commit in it; FOLDER: where it goes, and goes on. RATCHET: the program; RATCHET_CONFIG: the
host's. KILL_AFTER_S: kill -9 after so many seconds, and go on. Exit: that of `ratchet study --verify`."""

import os
import signal
import subprocess
import sys
import time

DEVICE, REPO, FOLDER, MINUTES = sys.argv[1:5]
KILL = float(sys.argv[5]) if len(sys.argv) > 5 else 0
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RATCHET = os.environ.get("RATCHET", "ratchet")
WHERE = ["--repo", REPO] + (["--config", os.environ["RATCHET_CONFIG"]] if "RATCHET_CONFIG" in os.environ else [])
PEERS = ["flash", "efficient", "cudnn", "triton", "flash-attn", "xformers", "cutlass"] # PyTorch's `math` takes 20 times as long
HOPPER = ("nvcc -O3 -std=c++17 -arch=$RATCHET_ARCH", "nvcc -O3 -std=c++17 -gencode=arch=compute_90a,code=sm_90a")


def run(argv, **more):
    print("$ " + " ".join(argv), flush=True)
    return subprocess.run(argv, **more)


def hopper_patch(folder):
    """[build "DEVICE"] makes attention_sm90.cu"""
    path = os.path.join(REPO, "ci/ratchet.conf")
    with open(path) as source:
        before = source.read()
    at = before.index('[build "%s"]' % DEVICE)
    end = before.index("\n[", at)
    part = before[at:end].replace(*HOPPER).replace("kernels/attention_sm80.cu", "kernels/attention_sm90.cu")
    after = before[:at] + part + before[end:]
    after = after.replace("    path = kernels/attention_sm80.cu\n",
                          "    path = kernels/attention_sm80.cu\n    path = kernels/attention_sm90.cu\n")
    with open(path, "w") as out:
        out.write(after)
    patch = run(["git", "-C", REPO, "diff"], check=True, capture_output=True).stdout
    run(["git", "-C", REPO, "checkout", "-q", "--", "."], check=True)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "hopper.patch"), "wb") as out:
        out.write(patch)


def arms(folder):
    run([sys.executable, os.path.join(TOP, "kernels/peers/build.py"), folder + "/peers", *PEERS], check=True)
    run([sys.executable, os.path.join(TOP, "kernels/ceilings/build.py"), folder + "/ceilings", "cuda", "90a"], check=True)
    return ["--arms", folder + "/peers/peers.conf", "--arms", folder + "/ceilings/ceilings.conf"]


def main():
    work = FOLDER.rstrip("/") + "-work"
    if not os.path.exists(work + "/candidates/hopper.patch"):
        hopper_patch(work + "/candidates")
    argv = [RATCHET, "study", *WHERE, "--device", DEVICE, "--output", FOLDER, "--budget-min", MINUTES,
            "--target-speedup", "1.2", "--candidates", work + "/candidates", *arms(work),
            "--batch", "32", "--heads", "8", "--dim", "64", "--dtype", "fp16", "--seq", "256,1024,4096",
            "--causal=false,true", "--python", sys.executable]
    if KILL > 0:
        print("$ killed after %g s: %s" % (KILL, " ".join(argv)), flush=True)
        process = subprocess.Popen(argv, start_new_session=True)
        time.sleep(KILL)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    begin = time.monotonic()
    made = run(argv)
    print("study: exit %d after %.0f s" % (made.returncode, time.monotonic() - begin), flush=True)
    if made.returncode != 0:
        return made.returncode
    files = run([RATCHET, "study", *WHERE[2:], "--verify", FOLDER, "--no-measure"])
    again = run([RATCHET, "study", *WHERE, "--verify", FOLDER, "--quiet"])
    print("files: exit %d; measured again: exit %d" % (files.returncode, again.returncode))
    return files.returncode or again.returncode


if __name__ == "__main__":
    sys.exit(main())
