# SPDX-License-Identifier: Apache-2.0
"""How far a CUDA kernel library is from fp64, beside PyTorch's flash on the very same inputs:
    errors.py LIBRARY [COUNT [SEED]]        needs PyTorch and a GPU; 600 problems, seed 1
    nvcc -O3 -std=c++17 -arch=sm_90 -shared -cudart static -Xcompiler \\
        -fPIC,-fvisibility=hidden,-fno-gnu-unique -o sm80.so kernels/attention_sm80.cu
Random problems: odd lengths, one row, one key, other numbers of queries than of keys, groups of
heads, both types, both sizes of head, scales of either sign, and values of seven kinds, some of
them extreme. The batch is as large as it takes for some ten thousand elements, so that the ratio
of two errors is no matter of luck. Flash gets the same problem in a shape that it can do: keys
repeated for a group of heads, -q for a negative scale; with a mask a square one, rows of zeros
before the queries or the queries without a key taken away, since its mask begins at the other
corner.

Goal: the norm of our error at most 1.1 times the norm of flash's, at every problem. Also counted:
rows without a key that are not exactly 0. Exit 1 where anything is missed."""

import ctypes
import os
import random
import statistics
import sys

import torch

GOAL, ELEMENTS, SCORES = 1.1, 1 << 16, 1 << 26
DTYPES = {0: torch.float16, 1: torch.bfloat16}


class Problem(ctypes.Structure):
    NAMES = "batch heads heads_kv seq_q seq_k head_dim dtype causal".split()
    _fields_ = [(name, ctypes.c_int32) for name in NAMES] + [
        ("scale", ctypes.c_float), ("reserved", ctypes.c_int32 * 3)]

    def __str__(self):
        return "B%d H%d/%d Sq%d Sk%d D%d %s%s scale %.3g" % (
            self.batch, self.heads, self.heads_kv, self.seq_q, self.seq_k, self.head_dim,
            ("fp16", "bf16")[self.dtype], " causal" if self.causal else "", self.scale)


class Kernel(ctypes.Structure):
    FUNCTIONS = (("supports", ctypes.c_int, 0), ("workspace_bytes", ctypes.c_size_t, 0),
                 ("forward", ctypes.c_int, 7))
    _fields_ = [("abi", ctypes.c_uint32), ("device", ctypes.c_uint32),
                ("name", ctypes.c_char_p)] + [
        (name, ctypes.CFUNCTYPE(answer, ctypes.POINTER(Problem), *[ctypes.c_void_p] * more))
        for name, answer, more in FUNCTIONS]


def kernel_of(path):
    library = ctypes.CDLL(os.path.abspath(path))
    library.attention_kernel.restype = ctypes.POINTER(Kernel)
    return library.attention_kernel().contents


def length(rng):
    return rng.choice([1, 1, 2, rng.randrange(1, 17), rng.randrange(1, 130), rng.randrange(1, 300),
                       rng.randrange(1, 1100), 63, 64, 65, 127, 128, 129, 255, 256, 257, 512])


def draw(rng):
    heads_kv = rng.choice([1, 1, 2, 3])
    heads = heads_kv * rng.choice([1, 1, 2, 4])
    seq_q = length(rng)
    seq_k = seq_q if rng.random() < 0.4 else length(rng)
    dim = rng.choice([64, 128])
    batch = max(1, min(-(-ELEMENTS // (heads * seq_q * dim)), SCORES // (heads * seq_q * seq_k),
                       65535 // heads))
    scale = rng.choice([0.0, 0.0, 0.0, 0.3, -0.1])
    return Problem(batch, heads, heads_kv, seq_q, seq_k, dim, rng.randrange(2), rng.randrange(2),
                   scale)


# What q, k and v are made of, by name; each takes them as standard normal numbers.
def outliers(x):
    return torch.where(torch.rand_like(x) < 0.01, 16 * x, x)


def rising(x):  # a new largest score in every tile
    return x * torch.linspace(0, 4, x.shape[2], device=x.device).view(1, 1, -1, 1)


KINDS = {
    "normal": lambda q, k, v: (q, k, v),
    "peaked": lambda q, k, v: (6 * q, k, v),
    "outliers": lambda q, k, v: (outliers(q), outliers(k), outliers(v)),
    "large": lambda q, k, v: (q, k, 8000 * v.clamp(-8, 8)),
    "tiny": lambda q, k, v: (q, k, 2.0**-18 * v),
    "alike": lambda q, k, v: (q, k[:, :, :1].expand_as(k), v),
    "rising": lambda q, k, v: (q, rising(k), v + 1),
}


def inputs(problem, kind, generator):
    def normal(heads, rows):
        return torch.randn(problem.batch, heads, rows, problem.head_dim, device="cuda",
                           generator=generator)
    q = normal(problem.heads, problem.seq_q)
    k, v = (normal(problem.heads_kv, problem.seq_k) for _ in range(2))
    made = KINDS[kind](q, k, v)
    return [one.to(DTYPES[problem.dtype]).contiguous() for one in made]


def scale_of(problem):
    # As the library computes it in float, and not some digits further.
    return problem.scale or float(torch.tensor(problem.head_dim, dtype=torch.float32).rsqrt())


def truth(problem, q, k, v):
    group = problem.heads // problem.heads_kv
    k, v = (one.double().repeat_interleave(group, 1) for one in (k, v))
    scores = (q.double() @ k.transpose(-1, -2)).mul_(scale_of(problem))
    if problem.causal:
        hidden = torch.ones(problem.seq_q, problem.seq_k, dtype=torch.bool, device="cuda")
        scores.masked_fill_(hidden.triu_(problem.seq_k - problem.seq_q + 1), -torch.inf)
    lse = scores.logsumexp(-1)
    return scores.softmax(-1).nan_to_num_(0.0) @ v, lse


def ours(kernel, problem, q, k, v):
    out = torch.full_like(q, torch.nan)
    lse = torch.full(q.shape[:3], torch.nan, device="cuda")
    scratch = torch.empty(max(1, kernel.workspace_bytes(problem)), dtype=torch.uint8, device="cuda")
    code = kernel.forward(problem, *(one.data_ptr() for one in (q, k, v, out, lse, scratch)),
                          torch.cuda.current_stream().cuda_stream)
    if code != 0:
        raise SystemExit("%s: forward returned %d" % (problem, code))
    return out, lse


def flash(problem, q, k, v):
    group = problem.heads // problem.heads_kv
    k, v = (one.repeat_interleave(group, 1) for one in (k, v))
    scale = scale_of(problem)
    if scale < 0:  # which turns its mask into +infinity
        q, scale = -q, -scale
    missing = problem.seq_k - problem.seq_q if problem.causal else 0
    if missing > 0:
        q = torch.cat([torch.zeros_like(q[:, :, :1]).expand(-1, -1, missing, -1), q], 2)
    elif missing < 0:
        q = q[:, :, -missing:]
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention(
        q.contiguous(), k, v, 0.0, bool(problem.causal), False, scale=scale)[:2]
    if missing > 0:
        return out[:, :, missing:], lse[:, :, missing:]
    if missing < 0:
        rows = out.shape[:2] + (-missing,)
        return (torch.cat([out.new_zeros(*rows, problem.head_dim), out], 2),
                torch.cat([lse.new_full(rows, -torch.inf), lse], 2))
    return out, lse


def ratio(one, other):
    return one / other if other > 0 else 1.0 if one == 0 else torch.inf


def compare(kernel, problem, kind, generator):
    """Of our errors to flash's: norm, largest, and lse's largest; keyless rows that are not 0."""
    q, k, v = inputs(problem, kind, generator)
    want, want_lse = truth(problem, q, k, v)
    keyless, found = want_lse == -torch.inf, []
    for out, lse in (ours(kernel, problem, q, k, v), flash(problem, q, k, v)):
        error = out.double() - want
        apart = torch.where(keyless, 0.0, (lse.double() - want_lse).abs())
        found.append((error.norm(), error.abs().max(), apart.max()))
        if len(found) == 1:
            wrong = (out[keyless] != 0).any() | (lse[keyless] != -torch.inf).any()
    mine, theirs = torch.tensor(found, dtype=torch.float64).tolist()
    return [ratio(a, b) for a, b in zip(mine, theirs)], bool(wrong), int(keyless.sum())


def main():
    kernel = kernel_of(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng, generator = random.Random(seed), torch.Generator("cuda").manual_seed(seed)
    rows, wrong, keyless = [], 0, 0
    while len(rows) < count:
        problem, kind = draw(rng), rng.choice(list(KINDS))
        if not kernel.supports(problem):
            continue
        ratios, bad, without = compare(kernel, problem, kind, generator)
        keyless += without
        rows.append((ratios, "%s, %s" % (problem, kind)))
        if bad or not ratios[0] <= GOAL:
            wrong += 1
            print("%s: norm %.3f, largest %.3f%s" % (
                rows[-1][1], ratios[0], ratios[1], ", a row without a key is wrong" if bad else ""),
                  flush=True)
    print("%s: %d problems, seed %d, %d rows without a key, %d missed" % (
        kernel.name.decode(), count, seed, keyless, wrong))
    for at, name in enumerate(("norm of the error", "largest error", "largest error of lse")):
        values = sorted(one[0][at] for one in rows)
        print("%s, times flash's: median %.3f, 99th of 100 %.3f, largest %.3f (%s)" % (
            name, statistics.median(values), values[int(0.99 * (len(values) - 1))], values[-1],
            max(rows, key=lambda one: one[0][at])[1]))
    sys.exit(1 if wrong else 0)


main()
