#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attention in Triton, as its compiler does it today: written by us, in the manner of FlashAttention-2, and compiled
ahead of time for triton_peer.c:
    triton_attention.py FOLDER CAPABILITY        the GPU's compute capability, such as 90
Writes FOLDER/triton_variants.h and, to be looked at, each cubin. Prints the tile shapes it took. Needs no GPU."""

import concurrent.futures
import itertools
import os
import re
import sys

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

# Rows of Q a block, keys a tile, warps, stages: the first that fits the shared memory is taken.
TILES = {64: [(128, 128, 8, 3), (128, 64, 4, 3), (128, 64, 4, 2)],
         128: [(128, 128, 8, 3), (128, 128, 8, 2), (128, 64, 8, 3), (128, 64, 8, 2), (64, 64, 4, 2)]}
SHARED_BYTES = {80: 166912, 86: 101376, 87: 166912, 89: 101376, 90: 232448, 100: 232448, 103: 232448,
                120: 101376, 121: 101376}  # CUDA's programming guide: the most a block can have
DTYPES = {"fp16": "ATTENTION_FP16", "bf16": "ATTENTION_BF16"}
SIGNATURE = {"q": "*%s", "k": "*%s", "v": "*%s", "out": "*%s", "lse": "*fp32", "scale": "fp32", "heads": "i32",
             "heads_kv": "i32", "seq_q": "i32", "seq_k": "i32", "want_lse": "i32"}  # triton_peer.c passes these
SCRATCH_MAX = 4  # pointers that Triton adds behind them, for features that this kernel has no use for


@triton.jit
def walk(acc, row_sum, row_max, q, k, v, first, last, rows, shift, seq_k, scale, KEYS: tl.constexpr, DIM: tl.constexpr,
         CAUSAL: tl.constexpr, MASKED: tl.constexpr):
    """The keys from first up to last; row_max and scale are those of 2 to the power of."""
    dims = tl.arange(0, DIM)
    for start in range(first, last, KEYS):
        keys = start + tl.arange(0, KEYS)
        at = keys[:, None] * DIM + dims[None, :]
        if MASKED:
            k_tile = tl.load(k + at, mask=keys[:, None] < seq_k, other=0.0)
        else:
            k_tile = tl.load(k + at)
        scores = tl.dot(q, tl.trans(k_tile))
        if MASKED:
            scores = tl.where(keys[None, :] < seq_k, scores, float("-inf"))
            if CAUSAL:
                scores = tl.where(keys[None, :] <= rows[:, None] + shift, scores, float("-inf"))
        new_max = tl.maximum(row_max, tl.max(scores, 1) * scale)
        base = new_max
        if MASKED:  # -inf - -inf is no number: a row that has seen no key yet
            base = tl.where(new_max == float("-inf"), 0.0, new_max)
        weights = tl.exp2(scores * scale - base[:, None])
        shrink = tl.exp2(row_max - base)
        row_sum = row_sum * shrink + tl.sum(weights, 1)
        acc = acc * shrink[:, None]
        if MASKED:
            v_tile = tl.load(v + at, mask=keys[:, None] < seq_k, other=0.0)
        else:
            v_tile = tl.load(v + at)
        acc = tl.dot(weights.to(v_tile.dtype), v_tile, acc)
        row_max = new_max
    return acc, row_sum, row_max


@triton.jit
def attention(q, k, v, out, lse, scale, heads, heads_kv, seq_q, seq_k, want_lse, ROWS: tl.constexpr, KEYS: tl.constexpr,
              DIM: tl.constexpr, CAUSAL: tl.constexpr):
    blocks = tl.cdiv(seq_q, ROWS)
    head = tl.program_id(0) // blocks  # of all of the batch
    block = tl.program_id(0) % blocks
    if CAUSAL:  # the longest first
        block = blocks - 1 - block
    head_kv = (head // heads) * heads_kv + (head % heads) // (heads // heads_kv)
    q += head.to(tl.int64) * seq_q * DIM
    out += head.to(tl.int64) * seq_q * DIM
    lse += head.to(tl.int64) * seq_q
    k += head_kv.to(tl.int64) * seq_k * DIM
    v += head_kv.to(tl.int64) * seq_k * DIM

    rows = block * ROWS + tl.arange(0, ROWS)
    at = rows[:, None] * DIM + tl.arange(0, DIM)[None, :]
    q_tile = tl.load(q + at, mask=rows[:, None] < seq_q, other=0.0)
    acc = tl.zeros([ROWS, DIM], dtype=tl.float32)
    row_sum = tl.zeros([ROWS], dtype=tl.float32)
    row_max = tl.full([ROWS], float("-inf"), dtype=tl.float32)

    shift = seq_k - seq_q  # row i sees keys up to i + shift
    visible = seq_k        # to any row of the block
    whole = seq_k          # to every row of it
    if CAUSAL:
        visible = tl.maximum(0, tl.minimum(seq_k, (block + 1) * ROWS + shift))
        whole = tl.maximum(0, tl.minimum(seq_k, block * ROWS + 1 + shift))
    whole = whole // KEYS * KEYS
    acc, row_sum, row_max = walk(acc, row_sum, row_max, q_tile, k, v, 0, whole, rows, shift, seq_k, scale, KEYS, DIM,
                                 CAUSAL, False)
    acc, row_sum, row_max = walk(acc, row_sum, row_max, q_tile, k, v, whole, visible, rows, shift, seq_k, scale, KEYS,
                                 DIM, CAUSAL, True)

    seen = row_sum > 0.0
    acc = acc / tl.where(seen, row_sum, 1.0)[:, None]
    tl.store(out + at, acc.to(out.dtype.element_ty), mask=rows[:, None] < seq_q)
    if want_lse != 0:
        logarithm = (row_max + tl.log2(tl.where(seen, row_sum, 1.0))) * 0.6931471805599453
        tl.store(lse + rows, logarithm, mask=rows < seq_q)  # -inf where no key was seen: row_max is


def compile_tile(capability, dtype, dim, causal, tile):
    rows, keys, warps, stages = tile
    constants = {"ROWS": rows, "KEYS": keys, "DIM": dim, "CAUSAL": bool(causal)}
    signature = {name: kind % dtype if "%" in kind else kind for name, kind in SIGNATURE.items()}
    aligned = {(i,): [["tt.divisibility", 16]] for i, kind in enumerate(signature.values()) if kind[0] == "*"}
    source = ASTSource(fn=attention, signature={**signature, **dict.fromkeys(constants, "constexpr")}, constexprs=constants,
                       attrs=aligned)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32),
                          options={"num_warps": warps, "num_stages": stages})


def scratch_count(kernel):
    """How many pointers follow the parameters that we name"""
    for what in ("global_scratch_size", "profile_scratch_size"):
        if getattr(kernel.metadata, what, 0):
            raise RuntimeError("Triton wants a scratch buffer: %s is %d" % (what, getattr(kernel.metadata, what)))
    entry = re.search(r"\.entry\s+\w+\s*\((.*?)\)", kernel.asm["ptx"], re.DOTALL)
    count = len(re.findall(r"\.param\b", entry.group(1))) - len(SIGNATURE) if entry else -1
    if not 0 <= count <= SCRATCH_MAX:
        raise RuntimeError("Triton's kernel has %d parameters more than we pass" % count)
    return count


def compile_variant(variant):
    """A row of the header's table, and its tile shape"""
    capability, dim, dtype, causal = variant
    for tile in TILES[dim]:
        kernel = compile_tile(capability, dtype, dim, causal, tile)
        if kernel.metadata.shared <= SHARED_BYTES[capability]:
            break
    else:
        raise RuntimeError("sm_%d: no tile shape of D=%d fits" % (capability, dim))
    numbers = (DTYPES[dtype], dim, causal, tile[0], kernel.metadata.num_warps * 32, kernel.metadata.shared,
               scratch_count(kernel))
    return numbers, kernel.metadata.name, kernel.asm["cubin"], tile


def header(compiled):
    lines = ["/* Written by triton_attention.py. */\n"]
    for i, (_, _, cubin, _) in enumerate(compiled):
        lines.append("static const unsigned char cubin_%d[] __attribute__((aligned(16))) = {%s};\n" % (i, ",".join(map(str, cubin))))
    lines.append("static const struct variant variants[] = {\n")
    for i, (numbers, name, _, _) in enumerate(compiled):
        lines.append("    {%s, \"%s\", cubin_%d},\n" % (", ".join(map(str, numbers)), name, i))
    return "".join([*lines, "};\n"])


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    if int(sys.argv[2]) not in SHARED_BYTES:
        raise SystemExit("nobody has said how much shared memory sm_%s has" % sys.argv[2])
    folder = sys.argv[1]
    os.environ.setdefault("TRITON_CACHE_DIR", os.path.join(folder, "triton-cache"))
    variants = list(itertools.product([int(sys.argv[2])], TILES, DTYPES, (0, 1)))
    with concurrent.futures.ProcessPoolExecutor(min(len(variants), os.cpu_count() or 1)) as pool:
        compiled = list(pool.map(compile_variant, variants))
    for (_, dim, dtype, causal), (_, _, cubin, _) in zip(variants, compiled):
        with open(os.path.join(folder, "triton-%s-d%d%s.cubin" % (dtype, dim, "-causal" * causal)), "wb") as out:
            out.write(cubin)
    with open(os.path.join(folder, "triton_variants.h"), "w") as out:
        out.write(header(compiled))
    tiles = {(dim, tile): None for (_, dim, _, _), (_, _, _, tile) in zip(variants, compiled)}
    print("Triton %s, sm_%s: %s" % (triton.__version__, sys.argv[2],
                                    ", ".join("D%d %dx%d, %d warps, %d stages" % (dim, *tile) for dim, tile in tiles)))


if __name__ == "__main__":
    main()
