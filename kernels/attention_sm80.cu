// SPDX-License-Identifier: Apache-2.0
// Attention for tensor cores from Ampere on: mma.sync, ldmatrix, cp.async. The idea is
// FlashAttention-2's (Dao 2023): a block of threads keeps some rows of Q, walks over K and V tile
// by tile, and rescales a running sum, so that the matrix of scores never leaves the registers.
//
//   a warp      ROW_TILES x 16 rows of Q, alone: rows need no exchange between warps
//   a tile      KEYS rows of K and of V, in STAGES buffers of shared memory filled ahead. The last
//               tile comes first: it alone may be ragged, and the loop after it checks no row
//   shared      rows of 16-byte chunks, chunk c of row r at place c ^ (r % 8): ldmatrix and
//               cp.async both touch all banks once
//
// A library: see attention.h. Everything else here is internal.
#include "attention.h"

#include <cuda_runtime.h>

namespace {

constexpr float LOG2_E = 1.4426950408889634F;
constexpr float LN_2 = 0.6931471805599453F;

// One way to cut a problem up.
template <int DIM_, int WARPS_, int ROW_TILES_, int KEYS_, int STAGES_, int BLOCKS_> struct Cut {
    static constexpr int DIM = DIM_;             // head_dim
    static constexpr int WARPS = WARPS_;         // of a block
    static constexpr int ROW_TILES = ROW_TILES_; // of 16 rows, of a warp
    static constexpr int KEYS = KEYS_;           // of a tile, a multiple of 16
    static constexpr int STAGES = STAGES_;       // tiles in shared memory
    static constexpr int BLOCKS = BLOCKS_;       // on a multiprocessor, by registers
    static constexpr int THREADS = 32 * WARPS;
    static constexpr int ROWS = 16 * ROW_TILES * WARPS;
    static constexpr int CHUNKS = DIM / 8;       // of 16 bytes, of a row
    static constexpr int ROW_BYTES = 2 * DIM;
    static constexpr int TILE_BYTES = KEYS * ROW_BYTES;
    static constexpr int Q_BYTES = ROWS * ROW_BYTES;
    // Where sums of the output and scores take 192 registers of a thread, Q's fragments are read
    // from shared memory in every tile, and what a thread knows of its rows lies there meanwhile.
    static constexpr bool CROWDED = DIM * ROW_TILES > 128;
    static constexpr int ROW_WORDS = CROWDED ? 4 * ROW_TILES : 0; // of a thread
    static constexpr int ROW_PLACE = Q_BYTES + STAGES * 2 * TILE_BYTES;
    static constexpr int SHARED_BYTES = ROW_PLACE + 4 * ROW_WORDS * THREADS;
};

struct Arguments {
    const char *q, *k, *v;
    char *out;
    float *lse; // NULL: not wanted
    int heads_kv, group; // heads of Q to one of K and V
    int seq_q, seq_k;
    float scale_log2; // |scale| log2(e)
    bool negate;      // scale is negative: so is Q, and the rest need not know
};

// ---- instructions ----

__device__ __forceinline__ void copy_16(unsigned to, const char *from, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
                 "r"(valid ? 16 : 0));
}

// From OFFSET to END, both in shared and global memory: constants within the instructions.
template <int OFFSET, int END, int STEP>
__device__ __forceinline__ void copy_16_each(unsigned to, const char *from)
{
    if constexpr (OFFSET < END) {
        asm volatile("cp.async.cg.shared.global [%0 + %2], [%1 + %2], 16;" ::"r"(to), "l"(from),
                     "n"(OFFSET));
        copy_16_each<OFFSET + STEP, END, STEP>(to, from);
    }
}

__device__ __forceinline__ void copies_commit()
{
    asm volatile("cp.async.commit_group;");
}

template <int LEFT> __device__ __forceinline__ void copies_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT));
}

__device__ __forceinline__ void load_4(unsigned (&to)[4], unsigned from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from));
}

__device__ __forceinline__ void load_4_transposed(unsigned (&to)[4], unsigned from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from));
}

// c += a b, 16 x 8 x 16
template <int DTYPE>
__device__ __forceinline__ void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0,
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

__device__ __forceinline__ float power_of_2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Read anew: what follows from it need not stay in a register from one use to the next.
__device__ __forceinline__ int thread_index()
{
    int index;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
    return index;
}

// ---- shared memory ----

template <class C> __device__ __forceinline__ unsigned place(unsigned tile, int row, int chunk)
{
    return tile + (unsigned)(row * C::ROW_BYTES + ((chunk ^ (row & 7)) << 4));
}

// A thread copies the same chunk of every STEP-th row of a tile: one address, and constants.
template <class C> struct Share {
    static constexpr int STEP = C::THREADS / C::CHUNKS;
    static_assert(STEP % 8 == 0 && C::KEYS % STEP == 0, "whole rounds, and the same place in each");
    int row = (int)threadIdx.x / C::CHUNKS, chunk = (int)threadIdx.x % C::CHUNKS;
    unsigned to = place<C>(0, row, chunk);
    int from = row * C::ROW_BYTES + chunk * 16;

    // Rows [0, ROWS) of a tile; rows from `left` on become zeros and are not read.
    template <int ROWS>
    __device__ __forceinline__ void load(unsigned tile, const char *rows, int left) const
    {
#pragma unroll
        for (int i = 0; i < ROWS; i += STEP)
            copy_16(tile + to + (unsigned)(i * C::ROW_BYTES), rows + from + i * C::ROW_BYTES,
                    row + i < left);
    }
};

// Q becomes -Q: the sign of two halves a word.
template <class C> __device__ __forceinline__ void negate(unsigned q_tile)
{
    for (int at = (int)threadIdx.x; at < C::Q_BYTES / 4; at += C::THREADS) {
        unsigned word, place = q_tile + (unsigned)(4 * at);
        asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(place));
        asm volatile("st.shared.b32 [%0], %1;" ::"r"(place), "r"(word ^ 0x80008000u));
    }
}

// ---- the steps of a tile ----

template <class C> struct State {
    float out[C::ROW_TILES][C::DIM / 8][4];
    float top[C::ROW_TILES][2]; // the largest score so far of two rows, scaled
    float sum[C::ROW_TILES][2]; // of this thread's share of the columns
};

// Where this lane's first fragment lies in a tile. Two chunks further is one exclusive or away
// within 128 bytes and a constant beyond, since rows begin at multiples of 128 and only eight
// chunks change places; 16 rows further is a constant.
template <class C> struct Lane {
    unsigned q, k, v;
    __device__ __forceinline__ explicit Lane(unsigned q_tile)
    {
        int lane = (int)threadIdx.x % 32, row = (int)threadIdx.x / 32 * 16 * C::ROW_TILES;
        q = place<C>(q_tile, row + lane % 16, lane / 16);
        k = place<C>(0, (lane & 7) + (lane >> 4) * 8, lane >> 3 & 1);
        v = place<C>(0, (lane & 7) + (lane >> 3 & 1) * 8, lane >> 4);
    }
};

template <class C>
__device__ __forceinline__ unsigned further(unsigned at, int chunk_pairs, int row_tiles)
{
    return (at ^ (unsigned)(chunk_pairs % 4 * 32)) +
           (unsigned)(chunk_pairs / 4 * 128 + row_tiles * 16 * C::ROW_BYTES);
}

template <class C> __device__ __forceinline__ void clear(State<C> &state)
{
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++) {
        state.top[t][0] = state.top[t][1] = -INFINITY;
        state.sum[t][0] = state.sum[t][1] = 0.0F;
#pragma unroll
        for (int n = 0; n < C::DIM / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                state.out[t][n][e] = 0.0F;
    }
}

// A thread's largest scores and sums, put into shared memory and taken out again.
template <class C> __device__ __forceinline__ void put_rows(const State<C> &state, unsigned at)
{
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
        asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(at + 16 * t * C::THREADS),
                     "f"(state.top[t][0]), "f"(state.top[t][1]), "f"(state.sum[t][0]),
                     "f"(state.sum[t][1]));
}

template <class C> __device__ __forceinline__ void take_rows(State<C> &state, unsigned at)
{
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
        asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                     : "=f"(state.top[t][0]), "=f"(state.top[t][1]), "=f"(state.sum[t][0]),
                       "=f"(state.sum[t][1])
                     : "r"(at + 16 * t * C::THREADS));
}

template <class C>
__device__ __forceinline__ void load_q(unsigned (&q)[C::ROW_TILES][4], unsigned at, int step)
{
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
        load_4(q[t], further<C>(at, step, t));
}

// s = Q K^T
template <class C, int DTYPE>
__device__ __forceinline__ void score(float (&s)[C::ROW_TILES][C::KEYS / 8][4],
                                      const unsigned (&kept)[C::DIM / 16][C::ROW_TILES][4],
                                      unsigned q_at, unsigned k_at)
{
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
#pragma unroll
        for (int n = 0; n < C::KEYS / 8; n++)
            s[t][n][0] = s[t][n][1] = s[t][n][2] = s[t][n][3] = 0.0F;
#pragma unroll
    for (int step = 0; step < C::DIM / 16; step++) {
        unsigned q[C::ROW_TILES][4];
        if constexpr (C::CROWDED)
            load_q<C>(q, q_at, step);
        else
            memcpy(q, kept[step], sizeof q);
#pragma unroll
        for (int n = 0; n < C::KEYS / 16; n++) {
            unsigned k[4];
            load_4(k, further<C>(k_at, step, n));
#pragma unroll
            for (int t = 0; t < C::ROW_TILES; t++) {
                multiply<DTYPE>(s[t][2 * n], q[t], k[0], k[1]);
                multiply<DTYPE>(s[t][2 * n + 1], q[t], k[2], k[3]);
            }
        }
    }
}

// Keys from `seen` of each row on are not visible: `seen` counts from this tile's first key.
template <class C>
__device__ __forceinline__ void mask(float (&s)[C::ROW_TILES][C::KEYS / 8][4], int seen_first,
                                     int step, int seen_most)
{
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
#pragma unroll
        for (int n = 0; n < C::KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = 16 * t + lane / 4 + (e / 2) * 8;
                int key = 8 * n + lane % 4 * 2 + e % 2;
                if (key >= min(seen_first + step * row, seen_most))
                    s[t][n][e] = -INFINITY;
            }
}

// s becomes weights relative to the new largest score; sums and output are rescaled to it.
template <class C>
__device__ __forceinline__ void soften(float (&s)[C::ROW_TILES][C::KEYS / 8][4], State<C> &state,
                                       float scale_log2)
{
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float top = -INFINITY;
#pragma unroll
            for (int n = 0; n < C::KEYS / 8; n++)
                top = fmaxf(top, fmaxf(s[t][n][2 * half], s[t][n][2 * half + 1]));
            top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
            top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
            top = fmaxf(state.top[t][half], __fmul_rn(top, scale_log2));
            // A row that has seen no key yet has no largest score: any will do.
            float shift = top == -INFINITY ? 0.0F : top;
            float keep = power_of_2(state.top[t][half] - shift);
            state.top[t][half] = top;
            float sum = 0.0F;
#pragma unroll
            for (int n = 0; n < C::KEYS / 8; n++)
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; e++) {
                    s[t][n][e] = power_of_2(s[t][n][e] * scale_log2 - shift);
                    sum += s[t][n][e];
                }
            state.sum[t][half] = state.sum[t][half] * keep + sum;
#pragma unroll
            for (int n = 0; n < C::DIM / 8; n++) {
                state.out[t][n][2 * half] *= keep;
                state.out[t][n][2 * half + 1] *= keep;
            }
        }
}

// out += P V
template <class C, int DTYPE>
__device__ __forceinline__ void mix(State<C> &state, const float (&s)[C::ROW_TILES][C::KEYS / 8][4],
                                    unsigned v_at)
{
#pragma unroll
    for (int step = 0; step < C::KEYS / 16; step++) {
        unsigned p[C::ROW_TILES][4];
#pragma unroll
        for (int t = 0; t < C::ROW_TILES; t++) {
            p[t][0] = pack<DTYPE>(s[t][2 * step][0], s[t][2 * step][1]);
            p[t][1] = pack<DTYPE>(s[t][2 * step][2], s[t][2 * step][3]);
            p[t][2] = pack<DTYPE>(s[t][2 * step + 1][0], s[t][2 * step + 1][1]);
            p[t][3] = pack<DTYPE>(s[t][2 * step + 1][2], s[t][2 * step + 1][3]);
        }
#pragma unroll
        for (int n = 0; n < C::DIM / 16; n++) {
            unsigned v[4];
            load_4_transposed(v, further<C>(v_at, n, step));
#pragma unroll
            for (int t = 0; t < C::ROW_TILES; t++) {
                multiply<DTYPE>(state.out[t][2 * n], p[t], v[0], v[1]);
                multiply<DTYPE>(state.out[t][2 * n + 1], p[t], v[2], v[3]);
            }
        }
    }
}

// Normalise, and write through shared memory so that rows leave in 16-byte pieces. Every warp
// uses the place of its own rows of Q, which nobody else reads.
template <class C, int DTYPE>
__device__ __forceinline__ void finish(State<C> &state, const Arguments &args, unsigned q_tile,
                                       char *out, float *lse, int left)
{
    int thread = thread_index(), lane = thread % 32, first = thread / 32 * 16 * C::ROW_TILES;
    __syncwarp(); // every lane has read its part of Q
#pragma unroll
    for (int t = 0; t < C::ROW_TILES; t++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = state.sum[t][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            float inverse = sum > 0.0F ? 1.0F / sum : 0.0F;
            int row = first + 16 * t + lane / 4 + half * 8;
            if (lse != nullptr && lane % 4 == 0 && row < left)
                lse[row] = sum > 0.0F
                               ? state.top[t][half] * LN_2 + __logf(sum)
                               : -INFINITY;
#pragma unroll
            for (int n = 0; n < C::DIM / 8; n++) {
                unsigned both = pack<DTYPE>(state.out[t][n][2 * half] * inverse,
                                            state.out[t][n][2 * half + 1] * inverse);
                asm volatile("st.shared.b32 [%0], %1;" ::"r"(place<C>(q_tile, row, n) +
                                                             (unsigned)(lane % 4 * 4)),
                             "r"(both));
            }
        }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 16 * C::ROW_TILES * C::CHUNKS / 32; i++) {
        int at = i * 32 + lane;
        int row = first + at / C::CHUNKS, chunk = at % C::CHUNKS;
        int4 piece;
        asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(piece.x), "=r"(piece.y), "=r"(piece.z), "=r"(piece.w)
                     : "r"(place<C>(q_tile, row, chunk)));
        if (row < left)
            *(int4 *)(out + (size_t)row * C::ROW_BYTES + chunk * 16) = piece;
    }
}

// ---- the kernel ----

// Which rows of which head a block works on; read anew, as thread_index is.
template <class C, bool CAUSAL> struct Block {
    int first;    // row; the ones with most keys come first
    int head, batch;
    size_t q_row; // `first` among all rows of Q
    __device__ __forceinline__ explicit Block(const Arguments &args)
    {
        asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(first));
        asm volatile("mov.u32 %0, %%ctaid.y;" : "=r"(head));
        asm volatile("mov.u32 %0, %%ctaid.z;" : "=r"(batch));
        first = (CAUSAL ? (int)gridDim.x - 1 - first : first) * C::ROWS;
        q_row = (size_t)(batch * (int)gridDim.y + head) * (size_t)args.seq_q + (size_t)first;
    }
};

// Tiles of K and V on their way into shared memory, from the last to the first.
template <class C> struct Tiles {
    const Share<C> share;
    unsigned shared;  // the first buffer
    const char *next; // this thread's share of the tile of K to load next
    ptrdiff_t k_to_v;

    __device__ __forceinline__ unsigned at(int tile) const
    {
        return shared + (unsigned)(tile % C::STAGES * 2 * C::TILE_BYTES);
    }
    __device__ __forceinline__ void load_last(const char *k, int tile, int left)
    {
        k += (ptrdiff_t)tile * C::TILE_BYTES;
        if (tile >= 0) {
            share.template load<C::KEYS>(at(tile), k, left);
            share.template load<C::KEYS>(at(tile) + C::TILE_BYTES, k + k_to_v, left);
        }
        next = k + share.from - C::TILE_BYTES;
    }
    __device__ __forceinline__ void load(int tile)
    {
        constexpr int STEP = Share<C>::STEP * C::ROW_BYTES;
        copy_16_each<0, C::TILE_BYTES, STEP>(at(tile) + share.to, next);
        copy_16_each<0, C::TILE_BYTES, STEP>(at(tile) + C::TILE_BYTES + share.to, next + k_to_v);
        next -= C::TILE_BYTES;
    }
};

// Keys that row `first` of a block sees, before any cut at either end.
template <bool CAUSAL> __device__ __forceinline__ int seen_by(const Arguments &args, int first)
{
    return CAUSAL ? first + args.seq_k - args.seq_q + 1 : args.seq_k;
}

// Start all copies that come before the first tile's work; the number of tiles.
template <class C, bool CAUSAL>
__device__ __forceinline__ int begin(Tiles<C> &tiles, const Arguments &args, unsigned q_tile)
{
    const Block<C, CAUSAL> block(args);
    int seen = min(args.seq_k, seen_by<CAUSAL>(args, block.first) + (CAUSAL ? C::ROWS - 1 : 0));
    int count = (max(0, seen) + C::KEYS - 1) / C::KEYS;
    size_t k_head = (size_t)(block.batch * args.heads_kv + block.head / args.group);
    tiles.share.template load<C::ROWS>(q_tile, args.q + block.q_row * C::ROW_BYTES,
                                       args.seq_q - block.first);
    tiles.load_last(args.k + k_head * (size_t)args.seq_k * C::ROW_BYTES, count - 1,
                    args.seq_k - (count - 1) * C::KEYS);
    copies_commit();
#pragma unroll
    for (int ahead = 1; ahead < C::STAGES - 1; ahead++) {
        if (ahead < count)
            tiles.load(count - 1 - ahead);
        copies_commit();
    }
    return count;
}

template <class C, int DTYPE, bool CAUSAL>
__global__ void __launch_bounds__(C::THREADS, C::BLOCKS) attend(const Arguments args)
{
    extern __shared__ __align__(1024) char shared[];
    unsigned q_tile = (unsigned)__cvta_generic_to_shared(shared);
    Tiles<C> tiles = {{}, q_tile + C::Q_BYTES, nullptr, args.v - args.k};
    unsigned rows = q_tile + C::ROW_PLACE + threadIdx.x * 16; // 16 bytes of each thread's own
    int count = begin<C, CAUSAL>(tiles, args, q_tile);
    State<C> state;
    clear<C>(state);
    if constexpr (C::CROWDED)
        put_rows<C>(state, rows);
    const Lane<C> lane(q_tile);
    unsigned kept[C::DIM / 16][C::ROW_TILES][4];
    copies_wait<C::STAGES - 2>(); // for Q and the first tile
    __syncthreads();
    if (args.negate) {
        negate<C>(q_tile);
        __syncthreads();
    }
    if constexpr (!C::CROWDED) {
#pragma unroll
        for (int step = 0; step < C::DIM / 16; step++)
            load_q<C>(kept[step], lane.q, step);
    }
    int warp_first = Block<C, CAUSAL>(args).first + (int)threadIdx.x / 32 * 16 * C::ROW_TILES;
    int seen_first = seen_by<CAUSAL>(args, warp_first);
    for (int tile = count - 1; tile >= 0; tile--) {
        copies_wait<C::STAGES - 2>();
        __syncthreads();
        if (tile >= C::STAGES - 1)
            tiles.load(tile - (C::STAGES - 1));
        copies_commit();
        float s[C::ROW_TILES][C::KEYS / 8][4];
        score<C, DTYPE>(s, kept, lane.q, tiles.at(tile) + lane.k);
        int seen = CAUSAL ? seen_first - tile * C::KEYS : C::KEYS;
        int left = args.seq_k - tile * C::KEYS;
        if (seen < C::KEYS || left < C::KEYS)
            mask<C>(s, seen, CAUSAL ? 1 : 0, left);
        if constexpr (C::CROWDED)
            take_rows<C>(state, rows);
        soften<C>(s, state, args.scale_log2);
        if constexpr (C::CROWDED)
            put_rows<C>(state, rows);
        mix<C, DTYPE>(state, s, tiles.at(tile) + C::TILE_BYTES + lane.v);
    }
    if constexpr (C::CROWDED)
        take_rows<C>(state, rows);
    const Block<C, CAUSAL> block(args);
    finish<C, DTYPE>(state, args, q_tile, args.out + block.q_row * C::ROW_BYTES,
                     args.lse == nullptr ? nullptr : args.lse + block.q_row,
                     args.seq_q - block.first);
}

// ---- the host's side ----

template <class C, int DTYPE, bool CAUSAL>
int launch(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    auto kernel = attend<C, DTYPE, CAUSAL>;
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             C::SHARED_BYTES) != cudaSuccess)
        return ATTENTION_LAUNCH;
    dim3 grid((unsigned)((p.seq_q + C::ROWS - 1) / C::ROWS), (unsigned)p.heads,
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

// ---- which cut for which problem ----
//
//               head_dim, warps, row tiles, keys, stages, blocks
using Short64 = Cut<64, 4, 1, 32, 2, 4>;
using Even64 = Cut<64, 4, 2, 64, 2, 2>;
using Ragged64 = Cut<64, 4, 1, 64, 3, 3>;
using Even128 = Cut<128, 4, 2, 64, 2, 2>;
using Ragged128 = Cut<128, 4, 1, 64, 2, 2>;

// Has a multiprocessor the shared memory for the blocks that a cut wants there? An H100 has, an
// A100 or L4 has not for Even128. 1 KiB of each block is the system's.
template <class C> bool fits()
{
    int device, bytes;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device) ==
               cudaSuccess &&
           C::BLOCKS * (C::SHARED_BYTES + 1024) <= bytes;
}

// 128 rows a block read K and V from shared memory half as often as 64 do. Blocks of 64 rows
// are better where there are few blocks, or where a mask leaves them unequal shares.
int launch_causal(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    return p.head_dim == 128 ? launch_as<Ragged128, true>(p, args, stream)
           : p.seq_q <= 128  ? launch_as<Short64, true>(p, args, stream)
           : p.seq_q <= 1024 ? launch_as<Ragged64, true>(p, args, stream)
                             : launch_as<Even64, true>(p, args, stream);
}

int launch_whole(const attention_problem &p, const Arguments &args, cudaStream_t stream)
{
    if (p.head_dim == 128)
        return p.seq_q > 64 && fits<Even128>() ? launch_as<Even128, false>(p, args, stream)
                                               : launch_as<Ragged128, false>(p, args, stream);
    return p.seq_q <= 128 ? launch_as<Short64, false>(p, args, stream)
                          : launch_as<Even64, false>(p, args, stream);
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
    args.group = p->heads / p->heads_kv;
    args.seq_q = p->seq_q;
    args.seq_k = p->seq_k;
    args.scale_log2 = fabsf(scale) * LOG2_E;
    args.negate = scale < 0.0F;
    return p->causal ? launch_causal(*p, args, (cudaStream_t)stream)
                     : launch_whole(*p, args, (cudaStream_t)stream);
}

const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA, "attention_sm80", supports,
                                       workspace_bytes, forward};

} // namespace

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
