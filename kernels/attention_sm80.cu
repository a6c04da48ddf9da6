// SPDX-License-Identifier: Apache-2.0
// Attention for tensor cores from Ampere on: mma.sync, ldmatrix, cp.async. FlashAttention-2 (Dao
// 2023): a thread block keeps BLOCK_M rows of Q and walks over K and V in tiles of BLOCK_N keys.
// The softmax is online: row_max and row_sum run along, and the output is rescaled whenever
// row_max grows, so the matrix of scores never leaves the registers.
//
//   warp      M_TILES x 16 rows of Q, all their keys: row_max and row_sum need no exchange
//             between warps, only between the four lanes that share a row
//   pipeline  K and V tiles in STAGES buffers of shared memory, filled ahead by cp.async. The last
//             tile comes first: only it may be ragged, so the copies of the loop check no row
//   swizzle   rows of 16-byte chunks, chunk c of row r stands at c ^ (r % 8). ldmatrix reads one
//             chunk of eight rows at a time, cp.async writes eight chunks of one row: both touch
//             every bank once
//
// A library: see attention.h. Everything else here is internal.
#include "attention.h"

#include <cuda_runtime.h>

namespace {

constexpr float LOG2_E = 1.4426950408889634F;
constexpr float LN_2 = 0.6931471805599453F;

// A tile shape, and all that follows from it.
template <int DIM_, int WARPS_, int M_TILES_, int BLOCK_N_, int STAGES_, int BLOCKS_PER_SM_>
struct TileShape {
    static constexpr int DIM = DIM_;         // head_dim
    static constexpr int WARPS = WARPS_;     // of a block
    static constexpr int M_TILES = M_TILES_; // of 16 rows, of a warp
    static constexpr int BLOCK_N = BLOCK_N_; // keys of a tile, a multiple of 16
    static constexpr int STAGES = STAGES_;   // pairs of a K and a V tile in shared memory
    static constexpr int BLOCKS_PER_SM = BLOCKS_PER_SM_; // what the registers are to suffice for
    static constexpr int THREADS = 32 * WARPS;
    static constexpr int BLOCK_M = 16 * M_TILES * WARPS;
    static constexpr int CHUNKS = DIM / 8; // of 16 bytes, of a row
    static constexpr int ROW_BYTES = 2 * DIM;
    static constexpr int TILE_BYTES = BLOCK_N * ROW_BYTES;
    static constexpr int Q_BYTES = BLOCK_M * ROW_BYTES;
    // acc_o and acc_s take 192 of a thread's 255 registers here. So Q's fragments are not kept but
    // read from shared memory in every tile, and row_max and row_sum are stashed there between
    // tiles: left to itself, ptxas spills.
    static constexpr bool REGS_TIGHT = DIM * M_TILES > 128;
    static constexpr int STATS_WORDS = REGS_TIGHT ? 4 * M_TILES : 0; // of a thread
    static constexpr int STATS_AT = Q_BYTES + STAGES * 2 * TILE_BYTES;
    static constexpr int SHARED_BYTES = STATS_AT + 4 * STATS_WORDS * THREADS;
};

struct Arguments {
    const char *q, *k, *v;
    char *out;
    float *lse;                 // NULL: not wanted
    int heads_kv, heads_per_kv; // grouped queries: heads of Q that share one of K and V
    int seq_q, seq_k;
    float scale_log2; // |scale| log2(e)
    bool negate;      // scale is negative: Q is negated once, and all else sees |scale|
};

// ---- instructions ----

__device__ __forceinline__ void cp_async_16(unsigned to, const char *from, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
                 "r"(valid ? 16 : 0));
}

// 16 bytes at OFFSET, OFFSET + STEP and so on to END, on both sides. The offsets are immediates of
// the instructions, so a tile costs no address arithmetic.
template <int OFFSET, int END, int STEP>
__device__ __forceinline__ void cp_async_each(unsigned to, const char *from)
{
    if constexpr (OFFSET < END) {
        asm volatile("cp.async.cg.shared.global [%0 + %2], [%1 + %2], 16;" ::"r"(to), "l"(from),
                     "n"(OFFSET));
        cp_async_each<OFFSET + STEP, END, STEP>(to, from);
    }
}

__device__ __forceinline__ void cp_async_commit()
{
    asm volatile("cp.async.commit_group;");
}

template <int LEFT> __device__ __forceinline__ void cp_async_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT));
}

__device__ __forceinline__ void ldmatrix_x4(unsigned (&to)[4], unsigned from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from));
}

__device__ __forceinline__ void ldmatrix_x4_trans(unsigned (&to)[4], unsigned from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from));
}

// c += a b: m16n8k16, sums in float
template <int DTYPE>
__device__ __forceinline__ void mma_16816(float (&c)[4], const unsigned (&a)[4], unsigned b0,
                                          unsigned b1)
{
    if constexpr (DTYPE == ATTENTION_FP16)
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
            "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    else
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
            "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <int DTYPE> __device__ __forceinline__ unsigned pack(float low, float high)
{
    unsigned both;
    if constexpr (DTYPE == ATTENTION_FP16)
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    else
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}

__device__ __forceinline__ float exp2_approx(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Volatile, so that it is read anew at each use: what is computed from it need not live in a
// register all through the main loop.
__device__ __forceinline__ int reload_thread_index()
{
    int index;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
    return index;
}

// ---- shared memory ----

// Address of a 16-byte chunk of a tile.
template <class C> __device__ __forceinline__ unsigned swizzle(unsigned tile, int row, int chunk)
{
    return tile + (unsigned)(row * C::ROW_BYTES + ((chunk ^ (row & 7)) << 4));
}

// One thread's part in copying a tile: the same chunk of every STEP-th row. STEP is a multiple of
// 8, so the swizzle is the same for all of them: one address, and constants.
template <class C> struct TileCopy {
    static constexpr int STEP = C::THREADS / C::CHUNKS;
    static_assert(STEP % 8 == 0 && C::BLOCK_N % STEP == 0, "whole rounds, one swizzle");
    int row = (int)threadIdx.x / C::CHUNKS, chunk = (int)threadIdx.x % C::CHUNKS;
    unsigned to_offset = swizzle<C>(0, row, chunk);
    int from_offset = row * C::ROW_BYTES + chunk * 16;

    // Rows [0, ROWS) of a tile. Those from `left` on are beyond the sequence: zeros, not read.
    template <int ROWS>
    __device__ __forceinline__ void load(unsigned tile, const char *rows, int left) const
    {
#pragma unroll
        for (int i = 0; i < ROWS; i += STEP)
            cp_async_16(tile + to_offset + (unsigned)(i * C::ROW_BYTES),
                        rows + from_offset + i * C::ROW_BYTES, row + i < left);
    }
};

// Q becomes -Q: the signs of the two halves of each word.
template <class C> __device__ __forceinline__ void negate(unsigned q_tile)
{
    for (int at = (int)threadIdx.x; at < C::Q_BYTES / 4; at += C::THREADS) {
        unsigned word, address = q_tile + (unsigned)(4 * at);
        asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(address));
        asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(word ^ 0x80008000u));
    }
}

// ---- the steps of a tile ----

// What a thread holds of its rows: mma's accumulators, two rows (lane / 4 and 8 further) a tile.
template <class C> struct State {
    float acc_o[C::M_TILES][C::DIM / 8][4];
    float row_max[C::M_TILES][2]; // of a thread's two rows, times scale_log2
    float row_sum[C::M_TILES][2]; // of this thread's columns; the four of a row meet at the end
};

// Where this lane's first ldmatrix row of Q, K and V lies. All other fragments are an exclusive or
// and a constant away (fragment_at), so three registers hold all addresses.
template <class C> struct FragmentAddress {
    unsigned q, k, v;
    __device__ __forceinline__ explicit FragmentAddress(unsigned q_tile)
    {
        int lane = (int)threadIdx.x % 32, row = (int)threadIdx.x / 32 * 16 * C::M_TILES;
        q = swizzle<C>(q_tile, row + lane % 16, lane / 16);
        k = swizzle<C>(0, (lane & 7) + (lane >> 4) * 8, lane >> 3 & 1);
        v = swizzle<C>(0, (lane & 7) + (lane >> 3 & 1) * 8, lane >> 4);
    }
};

// Rows begin at multiples of 128 bytes and the swizzle stays within 128: two chunks further is an
// exclusive or within these and a constant beyond, 16 rows further is a constant.
template <class C>
__device__ __forceinline__ unsigned fragment_at(unsigned at, int chunk_pairs, int row_tiles)
{
    return (at ^ (unsigned)(chunk_pairs % 4 * 32)) +
           (unsigned)(chunk_pairs / 4 * 128 + row_tiles * 16 * C::ROW_BYTES);
}

template <class C> __device__ __forceinline__ void clear_state(State<C> &state)
{
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++) {
        state.row_max[t][0] = state.row_max[t][1] = -INFINITY;
        state.row_sum[t][0] = state.row_sum[t][1] = 0.0F;
#pragma unroll
        for (int n = 0; n < C::DIM / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                state.acc_o[t][n][e] = 0.0F;
    }
}

// row_max and row_sum into shared memory and out again, 16 bytes of each thread's own: no bank
// conflict, no barrier.
template <class C> __device__ __forceinline__ void stash_stats(const State<C> &state, unsigned at)
{
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
        asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(at + 16 * t * C::THREADS),
                     "f"(state.row_max[t][0]), "f"(state.row_max[t][1]), "f"(state.row_sum[t][0]),
                     "f"(state.row_sum[t][1]));
}

template <class C> __device__ __forceinline__ void restore_stats(State<C> &state, unsigned at)
{
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
        asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                     : "=f"(state.row_max[t][0]), "=f"(state.row_max[t][1]),
                       "=f"(state.row_sum[t][0]), "=f"(state.row_sum[t][1])
                     : "r"(at + 16 * t * C::THREADS));
}

template <class C>
__device__ __forceinline__ void load_q_fragments(unsigned (&q)[C::M_TILES][4], unsigned at,
                                                 int step)
{
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
        ldmatrix_x4(q[t], fragment_at<C>(at, step, t));
}

// acc_s = Q K^T
template <class C, int DTYPE>
__device__ __forceinline__ void qk_gemm(float (&acc_s)[C::M_TILES][C::BLOCK_N / 8][4],
                                        const unsigned (&q_regs)[C::DIM / 16][C::M_TILES][4],
                                        unsigned q_at, unsigned k_at)
{
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
#pragma unroll
        for (int n = 0; n < C::BLOCK_N / 8; n++)
            acc_s[t][n][0] = acc_s[t][n][1] = acc_s[t][n][2] = acc_s[t][n][3] = 0.0F;
#pragma unroll
    for (int step = 0; step < C::DIM / 16; step++) {
        unsigned q[C::M_TILES][4];
        if constexpr (C::REGS_TIGHT)
            load_q_fragments<C>(q, q_at, step);
        else
            memcpy(q, q_regs[step], sizeof q);
#pragma unroll
        for (int n = 0; n < C::BLOCK_N / 16; n++) {
            unsigned k[4];
            ldmatrix_x4(k, fragment_at<C>(k_at, step, n));
#pragma unroll
            for (int t = 0; t < C::M_TILES; t++) {
                mma_16816<DTYPE>(acc_s[t][2 * n], q[t], k[0], k[1]);
                mma_16816<DTYPE>(acc_s[t][2 * n + 1], q[t], k[2], k[3]);
            }
        }
    }
}

// Row r of this warp sees the first visible_first + step * r keys of this tile, at most
// visible_most: step is 1 for a causal mask, 0 where only the sequence ends.
template <class C>
__device__ __forceinline__ void apply_mask(float (&acc_s)[C::M_TILES][C::BLOCK_N / 8][4],
                                           int visible_first, int step, int visible_most)
{
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
#pragma unroll
        for (int n = 0; n < C::BLOCK_N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = 16 * t + lane / 4 + (e / 2) * 8;
                int key = 8 * n + lane % 4 * 2 + e % 2;
                if (key >= min(visible_first + step * row, visible_most))
                    acc_s[t][n][e] = -INFINITY;
            }
}

// The online softmax: acc_s becomes P = 2^(score - row_max) for the new row_max, row_sum and acc_o
// are rescaled to it.
template <class C>
__device__ __forceinline__ void softmax_step(float (&acc_s)[C::M_TILES][C::BLOCK_N / 8][4],
                                             State<C> &state, float scale_log2)
{
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float row_max = -INFINITY;
#pragma unroll
            for (int n = 0; n < C::BLOCK_N / 8; n++)
                row_max = fmaxf(row_max, fmaxf(acc_s[t][n][2 * half], acc_s[t][n][2 * half + 1]));
            row_max = fmaxf(row_max, __shfl_xor_sync(0xffffffffu, row_max, 1));
            row_max = fmaxf(row_max, __shfl_xor_sync(0xffffffffu, row_max, 2));
            // Rounded here and kept so, not contracted into an fma below: P and rescale are then
            // made with the very same row_max, which lse needs where scores are large.
            row_max = fmaxf(state.row_max[t][half], __fmul_rn(row_max, scale_log2));
            // All masked so far: -inf - -inf would be NaN, and 0 gives the weights of 0 wanted.
            float safe_max = row_max == -INFINITY ? 0.0F : row_max;
            float rescale = exp2_approx(state.row_max[t][half] - safe_max);
            state.row_max[t][half] = row_max;
            float sum = 0.0F;
#pragma unroll
            for (int n = 0; n < C::BLOCK_N / 8; n++)
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; e++) {
                    acc_s[t][n][e] = exp2_approx(acc_s[t][n][e] * scale_log2 - safe_max);
                    sum += acc_s[t][n][e];
                }
            state.row_sum[t][half] = state.row_sum[t][half] * rescale + sum;
#pragma unroll
            for (int n = 0; n < C::DIM / 8; n++) {
                state.acc_o[t][n][2 * half] *= rescale;
                state.acc_o[t][n][2 * half + 1] *= rescale;
            }
        }
}

// acc_o += P V. The accumulators of Q K^T are laid out as the A operand of this product wants
// them, so P is packed in place and never moves between lanes.
template <class C, int DTYPE>
__device__ __forceinline__ void
pv_gemm(State<C> &state, const float (&acc_s)[C::M_TILES][C::BLOCK_N / 8][4], unsigned v_at)
{
#pragma unroll
    for (int step = 0; step < C::BLOCK_N / 16; step++) {
        unsigned p[C::M_TILES][4];
#pragma unroll
        for (int t = 0; t < C::M_TILES; t++) {
            p[t][0] = pack<DTYPE>(acc_s[t][2 * step][0], acc_s[t][2 * step][1]);
            p[t][1] = pack<DTYPE>(acc_s[t][2 * step][2], acc_s[t][2 * step][3]);
            p[t][2] = pack<DTYPE>(acc_s[t][2 * step + 1][0], acc_s[t][2 * step + 1][1]);
            p[t][3] = pack<DTYPE>(acc_s[t][2 * step + 1][2], acc_s[t][2 * step + 1][3]);
        }
#pragma unroll
        for (int n = 0; n < C::DIM / 16; n++) {
            unsigned v[4];
            ldmatrix_x4_trans(v, fragment_at<C>(v_at, n, step));
#pragma unroll
            for (int t = 0; t < C::M_TILES; t++) {
                mma_16816<DTYPE>(state.acc_o[t][2 * n], p[t], v[0], v[1]);
                mma_16816<DTYPE>(state.acc_o[t][2 * n + 1], p[t], v[2], v[3]);
            }
        }
    }
}

// Divide by row_sum, write lse, and write the output through shared memory, so that whole 16-byte
// chunks leave instead of a word a lane. Each warp overwrites its own rows of Q, which no other
// warp reads: __syncwarp is enough.
template <class C, int DTYPE>
__device__ __forceinline__ void epilogue(State<C> &state, const Arguments &args, unsigned q_tile,
                                         char *out, float *lse, int left)
{
    int thread = reload_thread_index(), lane = thread % 32, first = thread / 32 * 16 * C::M_TILES;
    __syncwarp(); // every lane of the warp has read its part of Q
#pragma unroll
    for (int t = 0; t < C::M_TILES; t++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = state.row_sum[t][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            float inverse = sum > 0.0F ? 1.0F / sum : 0.0F;
            int row = first + 16 * t + lane / 4 + half * 8;
            if (lse != nullptr && lane % 4 == 0 && row < left)
                lse[row] = sum > 0.0F ? state.row_max[t][half] * LN_2 + __logf(sum) : -INFINITY;
#pragma unroll
            for (int n = 0; n < C::DIM / 8; n++) {
                unsigned both = pack<DTYPE>(state.acc_o[t][n][2 * half] * inverse,
                                            state.acc_o[t][n][2 * half + 1] * inverse);
                asm volatile("st.shared.b32 [%0], %1;" ::"r"(swizzle<C>(q_tile, row, n) +
                                                             (unsigned)(lane % 4 * 4)),
                             "r"(both));
            }
        }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 16 * C::M_TILES * C::CHUNKS / 32; i++) {
        int at = i * 32 + lane;
        int row = first + at / C::CHUNKS, chunk = at % C::CHUNKS;
        int4 piece;
        asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(piece.x), "=r"(piece.y), "=r"(piece.z), "=r"(piece.w)
                     : "r"(swizzle<C>(q_tile, row, chunk)));
        if (row < left)
            *(int4 *)(out + (size_t)row * C::ROW_BYTES + chunk * 16) = piece;
    }
}

// ---- the kernel ----

// Which rows of which head a block works on; read anew like reload_thread_index.
template <class C, bool CAUSAL> struct BlockCoord {
    int first; // row; under a causal mask blocks start with the longest rows, lest one end last
    int head, batch;
    size_t q_row; // `first` among all rows of Q
    __device__ __forceinline__ explicit BlockCoord(const Arguments &args)
    {
        asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(first));
        asm volatile("mov.u32 %0, %%ctaid.y;" : "=r"(head));
        asm volatile("mov.u32 %0, %%ctaid.z;" : "=r"(batch));
        first = (CAUSAL ? (int)gridDim.x - 1 - first : first) * C::BLOCK_M;
        q_row = (size_t)(batch * (int)gridDim.y + head) * (size_t)args.seq_q + (size_t)first;
    }
};

// The pipeline of K and V tiles into shared memory, from the last tile to the first.
template <class C> struct KvPipeline {
    const TileCopy<C> copy;
    unsigned shared;  // the first stage
    const char *next; // this thread's part of the tile of K that is loaded next
    ptrdiff_t k_to_v;

    __device__ __forceinline__ unsigned at(int tile) const
    {
        return shared + (unsigned)(tile % C::STAGES * 2 * C::TILE_BYTES);
    }
    // The last tile of the sequence, with its rows checked.
    __device__ __forceinline__ void load_first(const char *k, int tile, int left)
    {
        k += (ptrdiff_t)tile * C::TILE_BYTES;
        if (tile >= 0) {
            copy.template load<C::BLOCK_N>(at(tile), k, left);
            copy.template load<C::BLOCK_N>(at(tile) + C::TILE_BYTES, k + k_to_v, left);
        }
        next = k + copy.from_offset - C::TILE_BYTES;
    }
    __device__ __forceinline__ void load(int tile)
    {
        constexpr int STEP = TileCopy<C>::STEP * C::ROW_BYTES;
        cp_async_each<0, C::TILE_BYTES, STEP>(at(tile) + copy.to_offset, next);
        cp_async_each<0, C::TILE_BYTES, STEP>(at(tile) + C::TILE_BYTES + copy.to_offset,
                                              next + k_to_v);
        next -= C::TILE_BYTES;
    }
};

// Keys that row `first` sees; negative or beyond seq_k where the mask leaves the matrix.
template <bool CAUSAL> __device__ __forceinline__ int visible_keys(const Arguments &args, int first)
{
    return CAUSAL ? first + args.seq_k - args.seq_q + 1 : args.seq_k;
}

// Fill the pipeline: Q with the first tile in one group of copies, then a group for each tile
// ahead, empty where there is none, so that cp_async_wait may count. The number of tiles.
template <class C, bool CAUSAL>
__device__ __forceinline__ int prologue(KvPipeline<C> &pipeline, const Arguments &args,
                                        unsigned q_tile)
{
    const BlockCoord<C, CAUSAL> block(args);
    int visible = min(args.seq_k,
                      visible_keys<CAUSAL>(args, block.first) + (CAUSAL ? C::BLOCK_M - 1 : 0));
    int count = (max(0, visible) + C::BLOCK_N - 1) / C::BLOCK_N;
    size_t k_head = (size_t)(block.batch * args.heads_kv + block.head / args.heads_per_kv);
    pipeline.copy.template load<C::BLOCK_M>(q_tile, args.q + block.q_row * C::ROW_BYTES,
                                            args.seq_q - block.first);
    pipeline.load_first(args.k + k_head * (size_t)args.seq_k * C::ROW_BYTES, count - 1,
                        args.seq_k - (count - 1) * C::BLOCK_N);
    cp_async_commit();
#pragma unroll
    for (int ahead = 1; ahead < C::STAGES - 1; ahead++) {
        if (ahead < count)
            pipeline.load(count - 1 - ahead);
        cp_async_commit();
    }
    return count;
}

template <class C, int DTYPE, bool CAUSAL>
__global__ void __launch_bounds__(C::THREADS, C::BLOCKS_PER_SM) flash_forward(const Arguments args)
{
    extern __shared__ __align__(1024) char shared[];
    unsigned q_tile = (unsigned)__cvta_generic_to_shared(shared);
    KvPipeline<C> pipeline = {{}, q_tile + C::Q_BYTES, nullptr, args.v - args.k};
    unsigned stats = q_tile + C::STATS_AT + threadIdx.x * 16;
    int count = prologue<C, CAUSAL>(pipeline, args, q_tile);
    State<C> state;
    clear_state<C>(state);
    if constexpr (C::REGS_TIGHT)
        stash_stats<C>(state, stats);
    const FragmentAddress<C> lane(q_tile);
    unsigned q_regs[C::DIM / 16][C::M_TILES][4];
    cp_async_wait<C::STAGES - 2>(); // for Q and the first tile
    __syncthreads();
    if (args.negate) {
        negate<C>(q_tile);
        __syncthreads();
    }
    if constexpr (!C::REGS_TIGHT) {
#pragma unroll
        for (int step = 0; step < C::DIM / 16; step++)
            load_q_fragments<C>(q_regs[step], lane.q, step);
    }
    int warp_first = BlockCoord<C, CAUSAL>(args).first + (int)threadIdx.x / 32 * 16 * C::M_TILES;
    int visible_first = visible_keys<CAUSAL>(args, warp_first);
    for (int tile = count - 1; tile >= 0; tile--) {
        cp_async_wait<C::STAGES - 2>();
        __syncthreads(); // the tile is there, and everybody is done with the stage refilled next
        if (tile >= C::STAGES - 1)
            pipeline.load(tile - (C::STAGES - 1));
        cp_async_commit();
        float acc_s[C::M_TILES][C::BLOCK_N / 8][4];
        qk_gemm<C, DTYPE>(acc_s, q_regs, lane.q, pipeline.at(tile) + lane.k);
        int visible = CAUSAL ? visible_first - tile * C::BLOCK_N : C::BLOCK_N;
        int left = args.seq_k - tile * C::BLOCK_N;
        if (visible < C::BLOCK_N || left < C::BLOCK_N)
            apply_mask<C>(acc_s, visible, CAUSAL ? 1 : 0, left);
        if constexpr (C::REGS_TIGHT)
            restore_stats<C>(state, stats);
        softmax_step<C>(acc_s, state, args.scale_log2);
        if constexpr (C::REGS_TIGHT)
            stash_stats<C>(state, stats);
        pv_gemm<C, DTYPE>(state, acc_s, pipeline.at(tile) + C::TILE_BYTES + lane.v);
    }
    if constexpr (C::REGS_TIGHT)
        restore_stats<C>(state, stats);
    const BlockCoord<C, CAUSAL> block(args);
    epilogue<C, DTYPE>(state, args, q_tile, args.out + block.q_row * C::ROW_BYTES,
                       args.lse == nullptr ? nullptr : args.lse + block.q_row,
                       args.seq_q - block.first);
}

// ---- the host's side ----

template <class C, int DTYPE, bool CAUSAL>
int launch(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    auto kernel = flash_forward<C, DTYPE, CAUSAL>;
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             C::SHARED_BYTES) != cudaSuccess)
        return ATTENTION_LAUNCH;
    dim3 grid((unsigned)((p.seq_q + C::BLOCK_M - 1) / C::BLOCK_M), (unsigned)p.heads,
              (unsigned)p.batch);
    kernel<<<grid, C::THREADS, C::SHARED_BYTES, stream>>>(args);
    return cudaGetLastError() == cudaSuccess ? ATTENTION_OK : ATTENTION_LAUNCH;
}

template <class C, bool CAUSAL>
int launch_as(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    return p.dtype == ATTENTION_FP16 ? launch<C, ATTENTION_FP16, CAUSAL>(p, args, stream)
                                     : launch<C, ATTENTION_BF16, CAUSAL>(p, args, stream);
}

// ---- which tile shape for which problem ----
//
// Numbers that `ratchet autotune` may change: [tune] of ci/ratchet.conf says to what.
#define D64_SHORT_SEQ 128 // up to so many rows of Q, D64_SHORT is taken
#define D64_SHORT_BLOCK_N 32
#define D64_SHORT_STAGES 2
#define D64_SHORT_BLOCKS 4
#define D64_M_TILES 2
#define D64_BLOCK_N 64
#define D64_STAGES 2
#define D64_BLOCKS 2
#define D128_BLOCK_N 64
#define D128_STAGES 2
#define D128_BLOCKS 2

//                            head_dim, warps, M tiles, keys, stages, blocks
using Dim64Short = TileShape<64, 4, 1, D64_SHORT_BLOCK_N, D64_SHORT_STAGES, D64_SHORT_BLOCKS>;
using Dim64Long = TileShape<64, 4, D64_M_TILES, D64_BLOCK_N, D64_STAGES, D64_BLOCKS>;
using Dim64M64 = TileShape<64, 4, 1, 64, 3, 3>;
using Dim128M128 = TileShape<128, 4, 2, 64, 2, 2>;
using Dim128M64 = TileShape<128, 4, 1, D128_BLOCK_N, D128_STAGES, D128_BLOCKS>;

// Has a multiprocessor the shared memory for the blocks that a tile shape wants there? An H100 has,
// an A100 or L4 has not for Dim128M128. 1 KiB of each block is the system's.
template <class C> bool fits()
{
    int device, bytes;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device) ==
               cudaSuccess &&
           C::BLOCKS_PER_SM * (C::SHARED_BYTES + 1024) <= bytes;
}

// With 128 rows a block, each fragment of K and V read from shared memory serves two M tiles. 64
// rows are better where there are few blocks, or where a mask leaves them unequal shares.
int launch_causal(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    return p.head_dim == 128 ? launch_as<Dim128M64, true>(p, args, stream)
           : p.seq_q <= D64_SHORT_SEQ ? launch_as<Dim64Short, true>(p, args, stream)
           : p.seq_q <= 1024          ? launch_as<Dim64M64, true>(p, args, stream)
                                      : launch_as<Dim64Long, true>(p, args, stream);
}

int launch_unmasked(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    if (p.head_dim == 128)
        return p.seq_q > 64 && fits<Dim128M128>() ? launch_as<Dim128M128, false>(p, args, stream)
                                                  : launch_as<Dim128M64, false>(p, args, stream);
    return p.seq_q <= D64_SHORT_SEQ ? launch_as<Dim64Short, false>(p, args, stream)
                                    : launch_as<Dim64Long, false>(p, args, stream);
}

int supports(const attention_problem *p)
{
    return (p->dtype == ATTENTION_FP16 || p->dtype == ATTENTION_BF16) &&
           (p->head_dim == 64 || p->head_dim == 128) && p->batch <= 65535 / p->heads;
}

size_t workspace_bytes(const attention_problem *)
{
    return 0;
}

int forward(const attention_problem *p, const void *q, const void *k, const void *v, void *out,
            float *lse, void *, void *stream)
{
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    if (q == nullptr || k == nullptr || v == nullptr || out == nullptr)
        return ATTENTION_INVALID;
    float scale = p->scale != 0.0F ? p->scale : rsqrtf((float)p->head_dim);
    Arguments args = {};
    args.q = (const char *)q;
    args.k = (const char *)k;
    args.v = (const char *)v;
    args.out = (char *)out;
    args.lse = lse;
    args.heads_kv = p->heads_kv;
    args.heads_per_kv = p->heads / p->heads_kv;
    args.seq_q = p->seq_q;
    args.seq_k = p->seq_k;
    args.scale_log2 = fabsf(scale) * LOG2_E;
    args.negate = scale < 0.0F;
    return p->causal ? launch_causal(*p, args, (cudaStream_t)stream)
                     : launch_unmasked(*p, args, (cudaStream_t)stream);
}

const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA,  "attention_sm80",
                                       supports,      workspace_bytes, forward};

} // namespace

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
