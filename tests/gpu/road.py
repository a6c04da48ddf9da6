# SPDX-License-Identifier: Apache-2.0
"""The road on a GPU: real pull requests to a sample repository that holds our CUDA kernel, through
ratchetd, the sandbox and `ratchet submit`, against the stand-in for GitHub. Prints each comment as
it was posted, and where the time went; then a table.
    road.py [DEVICE]        DEVICE such as nvidia-h200 (default)
Exit 1 where a verdict is not the expected one."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
import pulls
import scene
import shapes

DEVICE = sys.argv[1] if len(sys.argv) > 1 else "nvidia-h200"
KERNEL = pulls.CUDA
SHAPES = [(32, 8, s, 64, False) for s in (128, 256, 512, 1024)] + [(4, 16, 2048, 128, True)]
CONF = """\
[kernel]
    path = kernels
[rule]
    look = 6
    look = 8
    look = 16
[promotion]
    gap = 0s
[build "%(device)s"]
    command = nvcc -O3 -std=c++17 -arch=$RATCHET_ARCH -shared -cudart static -Xcompiler \
-fPIC,-fvisibility=hidden,-fno-gnu-unique -o kernels/attention_sm80.so kernels/attention_sm80.cu
    output = kernels/attention_sm80.so
[bench "%(device)s"]
    samples = 60
    target = 1ms
    warmup = 5
"""


def conf(flags=""):
    return (CONF % {"device": DEVICE}).replace("-O3", "-O3" + flags) + shapes.configs(DEVICE,
                                                                                     SHAPES)


def launch(source, body):
    """The kernel with one more launch at the start of forward."""
    at = source.rindex("#include")
    at = source.index("\n", at) + 1
    source = source[:at] + "static __global__ void extra() { %s }\n" % body + source[at:]
    begin = re.search(r"\bint forward\([^)]*\)\s*\{", source)
    return source[:begin.end()] + ("\n    extra<<<1, 1, 0, (cudaStream_t)stream>>>();\n"
                                   + source[begin.end():])


def changes(source):
    """(name, title, expected verdict, text that its verdict must hold, files)"""
    kernels = [
        ("comment", "Explain the kernel better", "held", "identical machine code",
         source.replace("#include", "// One line more.\n#include", 1)),
        ("same", "The exact logarithm in the log-sum-exp", "held", "",
         pulls.once(source, "__logf(sum)", "logf(sum)")),
        ("slow", "Tiles of 64 keys for short sequences too", "regressed", "",
         pulls.once(pulls.once(source, "#define D64_SHORT_BLOCK_N 32", "#define D64_SHORT_BLOCK_N 64"),
              "#define D64_SHORT_BLOCKS 4", "#define D64_SHORT_BLOCKS 3")),
        ("wrong", "Save a multiplication in the running sum", "unmeasured", "wrong result",
         pulls.once(source, "state.row_sum[t][half] * rescale + sum", "state.row_sum[t][half] + sum")),
        ("address", "Write a counter for later", "unmeasured", "ILLEGAL_ADDRESS",
         launch(source, "*(volatile int *)16 = 1;")),
        ("hang", "Wait for the neighbours", "unmeasured", "gave no answer",
         launch(source, "while (clock64() != 1) { }")),
        ("lazy", "Faster builds: ptxas need not try so hard", "regressed", "beyond",
         {"ci/ratchet.conf": conf(" -Xptxas -O1")}),
        ("comment2", "After the crash and the hang", "held", "identical machine code",
         source.replace("#include", "// Another line.\n#include", 1)),
    ]
    return [(*what, files if isinstance(files, dict) else {KERNEL: files})
            for *what, files in kernels]


def beside(source):
    """A change that changes no time, measured while another process bursts on the GPU."""
    return pulls.once(source, "float inverse = sum > 0.0F ? 1.0F / sum : 0.0F;",
                "float inverse = sum > 0.0F ? __fdividef(1.0F, sum) : 0.0F;")


def heading(text):
    print("\n" + "=" * 90 + "\n" + text + "\n" + "=" * 90, flush=True)


def main():
    source = lib.read(os.path.join(lib.TOP, KERNEL))
    standin = pulls.start(pulls.files(KERNEL, source, conf()))
    host = scene.Host(standin, device=DEVICE, settings=(), limits={"turn-timeout-ms": 8000})
    host.daemon()
    rows = []
    began = time.monotonic()
    heading("Main is pushed: its kernel becomes the baseline")
    result, moved = pulls.push(standin, host, 1)
    print(result.out.strip())
    rows.append(("push to main", "promoted", "promoted" if moved else "not", time.monotonic() - began))
    todo = changes(source)
    try:
        import torch  # noqa: F401, here for burst.py
        todo.append(("beside", "Divide once, while others use the GPU", "held or unclear", "",
                     {KERNEL: beside(source)}))
    except ImportError:
        print("no PyTorch here: nobody bursts beside the last one")
    for run, (name, title, expected, reason, files) in enumerate(todo, 2):
        other = None
        if name == "beside":
            other = lib.start([sys.executable, os.path.join(lib.TOP, "tests", "gpu", "burst.py"), "120"])
            time.sleep(8)  # until PyTorch is there
        heading("Pull request #%d: %s" % (run - 1, title))
        pull = pulls.Pull(standin, host, name, files, run)
        if other is not None:
            lib.kill(other)
        print(pull.result.out.strip())
        print("\n--- the comment, as posted ---\n" + pull.comment)
        print("--- exit %d, status %s, %.1f s ---" % (
            pull.result.code, ", ".join(pull.states), pull.seconds), flush=True)
        spent = re.search(r"Took: (.*)\.\n", pull.comment)
        rows.append(("#%d %s" % (pull.number, title), expected, pull.verdict(reason), pull.seconds))
        print("where it went: %.2f s in all; %s" % (pull.seconds, spent.group(1) if spent else "?"))
    heading("What was expected, and what came")
    for what, expected, got, took in rows:
        print("%-44s %-11s %6.1f s  %s" % (what, expected, took, got))
    return 1 if any(got not in expected.split(" or ") for _, expected, got, _ in rows) else 0


sys.exit(main())
