# SPDX-License-Identifier: Apache-2.0
"""Random problems through ratchet-bench's own verification, every row compared in fp64:
    verify_sweep.py RATCHET_BENCH DEVICE LIBRARY COUNT [SEED [WRAPPER...]]
with compute-sanitizer as the wrapper, for instance. Exit 1 when anything was wrong."""

import random
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import wire

ROWS = 4096  # WIRE_ROWS_MAX: all rows of a problem that has no more


def length(rng):
    return rng.choice([1, 2, rng.randrange(1, 17), rng.randrange(1, 130), rng.randrange(1, 300),
                       64, 128, 129, 127, 256, 257])


def problem(rng, device):
    heads_kv = rng.choice([1, 1, 2, 3])
    heads = heads_kv * rng.choice([1, 1, 2, 4])
    seq_q = length(rng)
    seq_k = seq_q if rng.random() < 0.4 else length(rng)
    dtype = rng.choice(["fp16", "bf16"]) if device == "cuda" else "fp32"
    dim = rng.choice([64, 128]) if device == "cuda" else rng.choice([16, 64, 80, 128])
    return (rng.randrange(1, 4), heads, heads_kv, seq_q, seq_k, dim, dtype, rng.randrange(2))


def main():
    program, device, library, count = sys.argv[1:5]
    rng = random.Random(int(sys.argv[5]) if len(sys.argv) > 5 else 1)
    harness = wire.Harness(program, device, [library], wrap=sys.argv[6:], watchdog_ms=120000)
    wrong, rows, worst = 0, 0, 0
    for _ in range(int(count)):
        shape = problem(rng, device)
        harness.config(shape, [0, None, None, None])
        answers = [harness.ask("prepare head")]
        if answers[-1].startswith("prepared"):
            harness.ask("allocate 0 0")
            answers.append(harness.ask("forward head %d" % harness.seed()))
        if answers[-1].startswith("ran"):
            answers.append(harness.ask("rows head %d %d" % (harness.seed(), ROWS)))
        harness.ask("release")
        if answers[-1].startswith("right"):
            rows += int(answers[-1].split()[2])
            worst = max(worst, int(answers[-1].split()[3]) / 1e6)
        else:
            wrong += 1
            print("%s: %s" % (" ".join(map(str, shape)), answers[-1]))
    harness.close()
    code = harness.process.returncode
    print("%s: %s problems, %d rows, %d wrong, largest error %.3f of its tolerance, exit %d"
          % (harness.names[0], count, rows, wrong, worst, code))
    sys.exit(1 if wrong or code else 0)


main()
