// SPDX-License-Identifier: Apache-2.0
// Attention for Hopper: wgmma, bulk tensor copies (TMA), mbarriers. The ideas are
// FlashAttention-3's (Shah et al. 2024) as far as they paid here; kernels/README.md has
// the figures of each step.
//
//   a group   4 warps, the unit of wgmma: 64 rows of Q; their scores, weights and sums
//             stay in registers, and no row needs an exchange between warps
//   a block   GROUPS groups over the same keys, and one more that only starts copies: of
//             Q, and of K and V tiles into a ring of SLOTS tiles, as far ahead as that
//             lasts, beyond the end of one piece of work into the next
//   overlap   products are asynchronous: P V of a tile runs while the exponentials of the
//             next are taken; groups take turns, so that not all want one unit at once
//
// A library: see attention.h. Everything else here is internal.
#include "attention.h"

#include <cudaTypedefs.h>
#include <cuda_runtime.h>

#include <cfloat>
#include <climits>

namespace {

constexpr float LOG2_E = 1.4426950408889634F;
constexpr float LN_2 = 0.6931471805599453F;

// One way to cut a problem up.
template <int DIM_, int GROUPS_, int KEYS_, int SLOTS_, int Q_SLOTS_, int BLOCKS_,
          bool STAY_>
struct Cut {
    static constexpr int DIM = DIM_;         // head_dim
    static constexpr int GROUPS = GROUPS_;   // of a block, without the one that copies
    static constexpr int KEYS = KEYS_;       // of a tile of K or V
    static constexpr int SLOTS = SLOTS_;     // tiles in shared memory, K and V in turn
    static constexpr int Q_SLOTS = Q_SLOTS_; // blocks of Q in shared memory
    static constexpr int BLOCKS = BLOCKS_;   // on a multiprocessor
    // Blocks that stay take one piece of work after the other. The others have one piece
    // and room for all of its tiles, so that no group need wait to start copies.
    static constexpr bool STAY = STAY_;
    static constexpr int ROWS = 64 * GROUPS;
    static constexpr int THREADS = 128 * (GROUPS + STAY);
    static constexpr int PANELS = DIM / 64; // of 128 bytes of each row, stacked
    static constexpr int Q_BYTES = 2 * DIM * ROWS;
    static constexpr int TILE_BYTES = 2 * DIM * KEYS;
    static constexpr int TILES_AT = Q_SLOTS * Q_BYTES;
    static constexpr int BARRIERS_AT = TILES_AT + SLOTS * TILE_BYTES;
    static constexpr int SHARED_BYTES = BARRIERS_AT + 16 * (SLOTS + Q_SLOTS);
    static_assert(SHARED_BYTES * BLOCKS <= (227 << 10), "what a multiprocessor has");
};

// A scheduler has 512 registers a lane. All warps begin with the same share; those that
// start copies keep FEW, and the others divide the rest.
constexpr int FEW = 24;

template <class C> constexpr int BEGIN = 512 / (C::BLOCKS * (C::GROUPS + 1)) / 8 * 8;
template <class C>
constexpr int MANY = (BEGIN<C> * (C::GROUPS + 1) - FEW) / C::GROUPS / 8 * 8;

struct Arguments {
    CUtensorMap q, k, v;
    char *out;
    float *lse; // NULL: not wanted
    int heads;  // of all batches
    int group;  // query heads that share keys
    int seq_q, seq_k;
    int row_blocks;   // of one head
    int band;         // heads whose K and V are in use at a time
    int pieces;       // heads * row_blocks
    float scale_log2; // |scale| log2(e)
    bool negate;      // scale is negative: so is Q, and the rest need not know
};

// ---- instructions: barriers and copies ----

__device__ __forceinline__ void barrier_init(unsigned barrier, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}

__device__ __forceinline__ void barrier_arrive(unsigned barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void barrier_expect(unsigned barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                 "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void barrier_wait(unsigned barrier, unsigned parity)
{
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@!done bra again;\n"
                 "}" ::"r"(barrier),
                 "r"(parity)
                 : "memory");
}

__device__ __forceinline__ void copy_box(unsigned to, const CUtensorMap &map, int column,
                                         int row, int head, unsigned barrier)
{
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(to),
        "l"(&map), "r"(column), "r"(row), "r"(head), "r"(barrier)
        : "memory");
}

__device__ __forceinline__ void prefetch_map(const CUtensorMap &map)
{
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// A launch may begin before the one in front of it has ended, and wait here.
__device__ __forceinline__ void launch_wait()
{
    asm volatile("griddepcontrol.wait;" ::: "memory");
}

__device__ __forceinline__ void launch_next()
{
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

// ---- instructions: products ----

// What wgmma reads from shared memory: rows of 128 bytes in groups of 8, swizzled by the
// copy. Of the two words only the address (in 16 bytes) changes.
constexpr unsigned MATRIX_HIGH = 1u << 30 | 1024u >> 4;

__device__ __forceinline__ unsigned long long matrix(unsigned low)
{
    return (unsigned long long)MATRIX_HIGH << 32 | low;
}

__device__ __forceinline__ void products_fence()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

template <int LEFT> __device__ __forceinline__ void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

// Registers that a product may still be writing are not to be read any earlier than here.
template <int N> __device__ __forceinline__ void settle(float (&d)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+f"(d[i])::"memory");
}

#define REGS_8(d, i)                                                                     \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]),          \
        "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define REGS_16(d, i) REGS_8(d, i), REGS_8(d, i + 8)
#define REGS_32(d) REGS_16(d, 0), REGS_16(d, 16)
#define REGS_64(d) REGS_32(d), REGS_16(d, 32), REGS_16(d, 48)
#define NAMES_32                                                                         \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "   \
    "%18, %19, "                                                                         \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NAMES_64                                                                         \
    NAMES_32                                                                             \
        ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, "  \
        "%47, "                                                                          \
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

// d (64 x N) += a (64 x 16) b (16 x N): both in shared memory, 16 columns of each row; or
// a in registers and b 16 rows of N columns. Without `add`, d = a b.
#define PRODUCTS(N, NAMES, REGS, I0, I1, I2, I3, I4, I5, TYPE, DTYPE)                    \
    template <>                                                                          \
    __device__ __forceinline__ void product<DTYPE, N>(                                   \
        float(&d)[N / 2], unsigned long long a, unsigned long long b, int add)           \
    {                                                                                    \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " I2 ", 0;\n"                 \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE     \
                     " {" NAMES "}, " I0 ", " I1 ", add, 1, 1, 0, 0;\n}"                 \
                     : REGS(d)                                                           \
                     : "l"(a), "l"(b), "r"(add));                                        \
    }                                                                                    \
    template <>                                                                          \
    __device__ __forceinline__ void product<DTYPE, N>(                                   \
        float(&d)[N / 2], const unsigned *a, unsigned long long b, int add)              \
    {                                                                                    \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " I5 ", 0;\n"                 \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE     \
                     " {" NAMES "}, {" I0 ", " I1 ", " I2 ", " I3 "}, " I4               \
                     ", add, 1, 1, 1;\n}"                                                \
                     : REGS(d)                                                           \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));    \
    }
#define PRODUCTS_OF_BOTH(...)                                                            \
    PRODUCTS(__VA_ARGS__, "f16", ATTENTION_FP16)                                         \
    PRODUCTS(__VA_ARGS__, "bf16", ATTENTION_BF16)

template <int DTYPE, int N>
__device__ void product(float (&d)[N / 2], unsigned long long a, unsigned long long b,
                        int add);
template <int DTYPE, int N>
__device__ void product(float (&d)[N / 2], const unsigned *a, unsigned long long b,
                        int add);
PRODUCTS_OF_BOTH(64, NAMES_32, REGS_32, "%32", "%33", "%34", "%35", "%36", "%37")
PRODUCTS_OF_BOTH(128, NAMES_64, REGS_64, "%64", "%65", "%66", "%67", "%68", "%69")

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

// ---- the work of a block ----

// Which group: known by the compiler to be the same for a whole warp, and with it all
// addresses.
__device__ __forceinline__ int group_index()
{
    return __shfl_sync(0xffffffffu, (int)threadIdx.x / 128, 0);
}

// Groups take turns to issue products: Q K^T of one tile and P V of the one before,
// together. So one's exponentials tend to fall into another's products.
__device__ __forceinline__ void turn_wait(int group)
{
    asm volatile("bar.sync %0, 256;" ::"r"(1 + group) : "memory");
}

template <class C> __device__ __forceinline__ void turn_pass(int group)
{
    asm volatile("bar.arrive %0, 256;" ::"r"(1 + (group + 1) % C::GROUPS) : "memory");
}

struct Piece {
    int head, first; // the first of ROWS rows of this head
};

// Blocks take turns in the order of the pieces, every other turn from behind. With a
// mask, rows with most keys come first, so that none is left for the end, a band of heads
// after the other, so that their keys stay in L2.
template <class C, bool CAUSAL>
__device__ __forceinline__ bool piece_at(const Arguments &args, int turn, Piece &piece)
{
    int place = turn & 1 ? (int)(gridDim.x - 1 - blockIdx.x) : (int)blockIdx.x;
    int at = turn * (int)gridDim.x + place;
    if (at >= args.pieces)
        return false;
    if constexpr (CAUSAL) {
        int band_pieces = args.band * args.row_blocks;
        int band_head = at / band_pieces * args.band;
        int heads = min(args.band, args.heads - band_head);
        int within = at - band_head * args.row_blocks;
        int block = within / heads;
        piece.head = band_head + within - block * heads;
        piece.first = (args.row_blocks - 1 - block) * C::ROWS;
    } else {
        piece.head = at / args.row_blocks;
        piece.first = (at - piece.head * args.row_blocks) * C::ROWS;
    }
    return true;
}

// How many keys row `row` sees. Negative: none.
template <bool CAUSAL> __device__ __forceinline__ int seen(const Arguments &args, int row)
{
    return CAUSAL ? min(args.seq_k, row + args.seq_k - args.seq_q + 1) : args.seq_k;
}

// Tiles that some of `rows` rows from `first` on see.
template <class C, bool CAUSAL>
__device__ __forceinline__ int tiles_of(const Arguments &args, int first, int rows)
{
    if (first >= args.seq_q)
        return 0;
    int keys = seen<CAUSAL>(args, min(first + rows, args.seq_q) - 1);
    return (max(keys, 0) + C::KEYS - 1) / C::KEYS;
}

// A ring of slots in shared memory and its barriers: full, then empty ones. `used` counts
// from the beginning of the kernel.
template <int SLOTS, int BYTES> struct Ring {
    unsigned data, barriers;
    __device__ __forceinline__ unsigned slot(int used) const
    {
        return data + (unsigned)(used % SLOTS * BYTES);
    }
    __device__ __forceinline__ unsigned full(int used) const
    {
        return barriers + (unsigned)(used % SLOTS * 8);
    }
    __device__ __forceinline__ unsigned empty(int used) const
    {
        return full(used) + 8 * SLOTS;
    }
    __device__ __forceinline__ void wait_full(int used) const
    {
        barrier_wait(full(used), (unsigned)(used / SLOTS) & 1);
    }
    // The first round finds all slots empty.
    __device__ __forceinline__ void wait_empty(int used) const
    {
        barrier_wait(empty(used), (unsigned)(used / SLOTS) & 1 ^ 1);
    }
    // By every warp that reads, once it has read.
    __device__ __forceinline__ void release(int used) const
    {
        if (threadIdx.x % 32 == 0)
            barrier_arrive(empty(used));
    }
    __device__ __forceinline__ void init(int warps) const
    {
        for (int i = 0; i < SLOTS; i++) {
            barrier_init(full(i), 1);
            barrier_init(empty(i), warps);
        }
    }
};

template <class C> struct Rings {
    Ring<C::Q_SLOTS, C::Q_BYTES> q;
    Ring<C::SLOTS, C::TILE_BYTES> tiles;
};

// ---- the warp that starts copies ----

template <int SLOTS, int BYTES, int PANELS>
__device__ __forceinline__ void fill(const Ring<SLOTS, BYTES> &ring, int used,
                                     const CUtensorMap &map, int row, int head)
{
    ring.wait_empty(used);
    barrier_expect(ring.full(used), BYTES);
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++)
        copy_box(ring.slot(used) + (unsigned)(panel * (BYTES / PANELS)), map, 64 * panel,
                 row, head, ring.full(used));
}

template <class C, bool CAUSAL>
__device__ __forceinline__ void produce(const Arguments &args, const Rings<C> &rings)
{
    int q_used = 0, used = 0;
    Piece piece;
    for (int turn = 0; piece_at<C, CAUSAL>(args, turn, piece); turn++) {
        int tiles = tiles_of<C, CAUSAL>(args, piece.first, C::ROWS);
        if (tiles == 0)
            continue;
        int head_kv = args.group == 1 ? piece.head : piece.head / args.group;
        fill<C::Q_SLOTS, C::Q_BYTES, C::PANELS>(rings.q, q_used++, args.q, piece.first,
                                                piece.head);
        for (int tile = tiles - 1; tile >= 0; tile--) {
            fill<C::SLOTS, C::TILE_BYTES, C::PANELS>(rings.tiles, used++, args.k,
                                                     tile * C::KEYS, head_kv);
            fill<C::SLOTS, C::TILE_BYTES, C::PANELS>(rings.tiles, used++, args.v,
                                                     tile * C::KEYS, head_kv);
        }
    }
}

// ---- the groups that compute ----

// Element 4n + e of a thread's share of 64 rows: row lane / 4 + 8 (e / 2) of its warp's
// 16, column 8n + 2 (lane % 4) + e % 2.
template <class C> struct State {
    float out[C::DIM / 2];
    float top[2]; // what the weights of two rows are relative to, a power of 2
    float sum[2]; // of this thread's share of the columns
};

template <class C> using Scores = float[C::KEYS / 2];
template <class C> using Weights = unsigned[C::KEYS / 4];

// s = Q K^T begins
template <class C, int DTYPE>
__device__ __forceinline__ void score(Scores<C> &s, unsigned q_tile, unsigned k_tile)
{
    products_fence();
#pragma unroll
    for (int step = 0; step < C::DIM / 16; step++) {
        unsigned panel = (unsigned)step / 4, within = (unsigned)step % 4 * 32;
        unsigned q = q_tile + panel * C::ROWS * 128 + within;
        unsigned k = k_tile + panel * C::KEYS * 128 + within;
        product<DTYPE, C::KEYS>(s, matrix(q >> 4), matrix(k >> 4), step > 0);
    }
    products_commit();
}

// out += P V begins; out = P V for a first tile
template <class C, int DTYPE>
__device__ __forceinline__ void mix(State<C> &state, const Weights<C> &p, unsigned v_tile,
                                    bool first)
{
    products_fence();
    unsigned panel = (unsigned)(C::KEYS * 128) >> 4 << 16;
#pragma unroll
    for (int step = 0; step < C::KEYS / 16; step++) {
        unsigned v = (v_tile >> 4) + (unsigned)(step * 16 * 128 >> 4);
        product<DTYPE, C::DIM>(state.out, p + 4 * step, matrix(v | panel),
                               step > 0 || !first);
    }
    products_commit();
}

// Keys from `seen` of each row on are not visible: counted from this tile's first key,
// for the first of the group's rows.
template <class C, bool CAUSAL>
__device__ __forceinline__ void mask(Scores<C> &s, int seen_first, int seen_most)
{
    int row = (int)threadIdx.x % 128 / 32 * 16 + (int)threadIdx.x % 32 / 4;
    int column = (int)threadIdx.x % 4 * 2;
    int end[2] = {seen_most - column, seen_most - column};
    if constexpr (CAUSAL) {
        end[0] = min(seen_most, seen_first + row) - column;
        end[1] = min(seen_most, seen_first + row + 8) - column;
    }
#pragma unroll
    for (int n = 0; n < C::KEYS / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            if (8 * n + e % 2 >= end[e / 2])
                s[4 * n + e] = -INFINITY;
}

// s becomes weights, `keep` what is left of earlier ones. True if that is not all of them
// for some row of this warp.
template <class C>
__device__ __forceinline__ bool soften(Scores<C> &s, State<C> &state, float (&keep)[2],
                                       float scale_log2)
{
    bool grew = false;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float even = s[2 * half], odd = s[2 * half + 1];
#pragma unroll
        for (int n = 1; n < C::KEYS / 8; n++) {
            even = fmaxf(even, s[4 * n + 2 * half]);
            odd = fmaxf(odd, s[4 * n + 2 * half + 1]);
        }
        float high = fmaxf(even, odd);
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 1));
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 2)) * scale_log2;
        float top = fmaxf(high, state.top[half]);
        keep[half] = power_of_2(state.top[half] - top);
        grew |= top != state.top[half];
        state.top[half] = top;
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float sum = 0.0F;
#pragma unroll
        for (int n = 0; n < C::KEYS / 8; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                s[4 * n + e] =
                    power_of_2(fmaf(s[4 * n + e], scale_log2, -state.top[half]));
                sum += s[4 * n + e];
            }
        state.sum[half] = state.sum[half] * keep[half] + sum;
    }
    return __any_sync(0xffffffffu, grew);
}

template <class C, int DTYPE>
__device__ __forceinline__ void pack_weights(Weights<C> &p, const Scores<C> &s)
{
#pragma unroll
    for (int i = 0; i < C::KEYS / 4; i++)
        p[i] = pack<DTYPE>(s[2 * i], s[2 * i + 1]);
}

template <class C>
__device__ __forceinline__ void rescale(State<C> &state, const float (&keep)[2])
{
#pragma unroll
    for (int i = 0; i < C::DIM / 2; i++)
        state.out[i] *= keep[i / 2 % 2];
}

// Until P V is done. ptxas moves a wait in front of arithmetic that it does not concern,
// all exponentials for instance, and no overlap is left; but not out of two branches,
// which differ by a comment lest the compiler before it make them one.
template <class C>
__device__ __forceinline__ void wait_and_rescale(State<C> &state, bool grew,
                                                 const float (&keep)[2])
{
    if (grew) {
        asm volatile("wgmma.wait_group.sync.aligned 0; // and rescale" ::: "memory");
        settle(state.out);
        rescale<C>(state, keep);
    } else {
        asm volatile("wgmma.wait_group.sync.aligned 0; // as it is" ::: "memory");
        settle(state.out);
    }
}

// Q becomes -Q: the signs of this group's rows.
template <class C> __device__ __forceinline__ void negate(unsigned q_tile)
{
    int thread = (int)threadIdx.x % 128;
#pragma unroll
    for (int panel = 0; panel < C::PANELS; panel++)
        for (int i = 0; i < 64 * 128 / 4; i += 128) {
            unsigned at = q_tile + (unsigned)(panel * C::ROWS * 128 + 4 * (i + thread));
            unsigned word;
            asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(at));
            asm volatile("st.shared.b32 [%0], %1;" ::"r"(at), "r"(word ^ 0x80008000u));
        }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    asm volatile("bar.sync %0, 128;" ::"r"(8 + (int)threadIdx.x / 128) : "memory");
}

// Lane u of four holds word t of piece u afterwards where lane t held word u of piece t.
__device__ __forceinline__ void exchange(unsigned (&w)[4])
{
    int lane = (int)threadIdx.x % 4;
#pragma unroll
    for (int step = 1; step < 4; step *= 2)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (i & step)
                continue;
            bool upper = lane & step;
            unsigned other =
                __shfl_xor_sync(0xffffffffu, upper ? w[i] : w[i + step], step);
            w[i] = upper ? other : w[i];
            w[i + step] = upper ? w[i + step] : other;
        }
}

// Normalise and write this group's rows, of which `left` exist, 16 bytes a lane.
template <class C, int DTYPE>
__device__ __forceinline__ void finish(const State<C> &state, char *out, float *lse,
                                       int left)
{
    int row = (int)threadIdx.x % 128 / 32 * 16 + (int)threadIdx.x % 32 / 4;
    int lane = (int)threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++, row += 8) {
        float sum = state.top[half] > -FLT_MAX ? state.sum[half] : 0.0F; // 0: no keys
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        float inverse = sum > 0.0F ? 1.0F / sum : 0.0F;
        if (lse != nullptr && lane == 0 && row < left)
            lse[row] = sum > 0.0F ? (state.top[half] + log2f(sum)) * LN_2 : -INFINITY;
#pragma unroll
        for (int n = 0; n < C::DIM / 8; n += 4) {
            unsigned w[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                w[i] = pack<DTYPE>(state.out[4 * (n + i) + 2 * half] * inverse,
                                   state.out[4 * (n + i) + 2 * half + 1] * inverse);
            exchange(w);
            if (row < left)
                *(uint4 *)(out + (size_t)row * (2 * C::DIM) + 16 * (n + lane)) =
                    make_uint4(w[0], w[1], w[2], w[3]);
        }
    }
}

// One piece: `tiles` tiles of the block, of which this group needs the last `needed`,
// those with the first keys.
template <class C, int DTYPE, bool CAUSAL>
__device__ __forceinline__ void attend_tiles(const Arguments &args, const Rings<C> &rings,
                                             State<C> &state, int first, int q_used,
                                             int used, int tiles, int needed)
{
    int group = group_index();
    rings.q.wait_full(q_used);
    unsigned q_tile = rings.q.slot(q_used) + (unsigned)group * (64 * 128);
    if (args.negate)
        negate<C>(q_tile);
    for (int skip = tiles - needed; skip > 0; skip--, used += 2) {
        rings.tiles.wait_full(used);
        rings.tiles.release(used);
        turn_wait(group);
        turn_pass<C>(group);
        rings.tiles.wait_full(used + 1);
        rings.tiles.release(used + 1);
    }
    if (needed == 0) {
        rings.q.release(q_used);
        return;
    }
    Scores<C> s;
    Weights<C> p;
    float keep[2];
    int seen_first = seen<CAUSAL>(args, first);
    auto end_score = [&](int tile, int at) {
        settle(s);
        rings.tiles.release(at);
        if (tile == 0)
            rings.q.release(q_used);
        if (seen_first < (tile + 1) * C::KEYS)
            mask<C, CAUSAL>(s, first + args.seq_k - args.seq_q + 1 - tile * C::KEYS,
                            args.seq_k - tile * C::KEYS);
    };

    rings.tiles.wait_full(used);
    turn_wait(group);
    score<C, DTYPE>(s, q_tile, rings.tiles.slot(used));
    turn_pass<C>(group);
    products_wait<0>();
    end_score(needed - 1, used);
    soften<C>(s, state, keep, args.scale_log2);
    pack_weights<C, DTYPE>(p, s);
    for (int tile = needed - 2; tile >= 0; tile--, used += 2) {
        rings.tiles.wait_full(used + 2);
        rings.tiles.wait_full(used + 1);
        turn_wait(group);
        score<C, DTYPE>(s, q_tile, rings.tiles.slot(used + 2));
        mix<C, DTYPE>(state, p, rings.tiles.slot(used + 1), tile == needed - 2);
        turn_pass<C>(group);
        products_wait<1>();
        end_score(tile, used + 2);
        bool grew = soften<C>(s, state, keep, args.scale_log2);
        wait_and_rescale<C>(state, grew, keep);
        rings.tiles.release(used + 1);
        pack_weights<C, DTYPE>(p, s);
    }
    rings.tiles.wait_full(used + 1);
    mix<C, DTYPE>(state, p, rings.tiles.slot(used + 1), needed == 1);
    products_wait<0>();
    settle(state.out);
    rings.tiles.release(used + 1);
}

template <class C, int DTYPE, bool CAUSAL>
__device__ __forceinline__ void consume(const Arguments &args, const Rings<C> &rings)
{
    int group = group_index(), q_used = 0, used = 0;
    if (group == C::GROUPS - 1)
        turn_pass<C>(group); // the first turn is group 0's
    Piece piece;
    for (int turn = 0; piece_at<C, CAUSAL>(args, turn, piece); turn++) {
        State<C> state;
#pragma unroll
        for (int i = 0; i < C::DIM / 2; i++)
            state.out[i] = 0.0F;
        state.top[0] = state.top[1] = -FLT_MAX;
        state.sum[0] = state.sum[1] = 0.0F;
        int first = piece.first + 64 * group;
        int tiles = tiles_of<C, CAUSAL>(args, piece.first, C::ROWS);
        if (tiles > 0) {
            attend_tiles<C, DTYPE, CAUSAL>(args, rings, state, first, q_used, used, tiles,
                                           tiles_of<C, CAUSAL>(args, first, 64));
            q_used++;
            used += 2 * tiles;
        }
        size_t row = (size_t)piece.head * (size_t)args.seq_q + (size_t)first;
        finish<C, DTYPE>(state, args.out + row * (2 * C::DIM),
                         args.lse == nullptr ? nullptr : args.lse + row,
                         args.seq_q - first);
    }
}

template <class C, int DTYPE, bool CAUSAL>
__global__ void __launch_bounds__(C::THREADS, C::BLOCKS)
    attend(const __grid_constant__ Arguments args)
{
    extern __shared__ __align__(1024) char shared[];
    unsigned base = (unsigned)__cvta_generic_to_shared(shared);
    const Rings<C> rings = {
        {base, base + C::BARRIERS_AT},
        {base + C::TILES_AT, base + C::BARRIERS_AT + 16 * C::Q_SLOTS}};
    // the thread that starts copies
    constexpr unsigned COPIER = C::STAY ? 128 * C::GROUPS : 0;
    if (threadIdx.x == COPIER) {
        prefetch_map(args.q);
        prefetch_map(args.k);
        prefetch_map(args.v);
        rings.q.init(4 * C::GROUPS);
        rings.tiles.init(4 * C::GROUPS);
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        if constexpr (!C::STAY) {
            launch_wait();
            produce<C, CAUSAL>(args, rings);
        }
    }
    __syncthreads();
    launch_next();
    launch_wait();
    if constexpr (!C::STAY) {
        consume<C, DTYPE, CAUSAL>(args, rings);
    } else if (threadIdx.x >= COPIER) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(FEW));
        if (threadIdx.x == COPIER)
            produce<C, CAUSAL>(args, rings);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(MANY<C>));
        consume<C, DTYPE, CAUSAL>(args, rings);
    }
}

// ---- the host's side ----

PFN_cuTensorMapEncodeTiled_v12000 map_encoder()
{
    void *found = nullptr;
    cudaDriverEntryPointQueryResult result;
#if CUDART_VERSION >= 12050
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000,
                                         cudaEnableDefault, &result) != cudaSuccess)
        return nullptr;
#else
    if (cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &found, cudaEnableDefault,
                                &result) != cudaSuccess)
        return nullptr;
#endif
    return (PFN_cuTensorMapEncodeTiled_v12000)found;
}

// [heads, rows, dim] in boxes of box_rows x 64. Beyond the last row of a head there are
// zeros.
bool describe(CUtensorMap *map, PFN_cuTensorMapEncodeTiled_v12000 encode,
              const void *data, const attention_problem &p, int heads, int rows,
              int box_rows)
{
    cuuint64_t dim = (cuuint64_t)p.head_dim;
    cuuint64_t sizes[3] = {dim, (cuuint64_t)rows, (cuuint64_t)heads};
    cuuint64_t strides[2] = {2 * dim, 2 * dim * (cuuint64_t)rows};
    cuuint32_t box[3] = {64, (cuuint32_t)box_rows, 1}, steps[3] = {1, 1, 1};
    return encode(map,
                  p.dtype == ATTENTION_FP16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                            : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                  3, (void *)data, sizes, strides, box, steps,
                  CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                  CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

struct Call {
    const attention_problem *problem;
    const void *q, *k, *v;
    cudaStream_t stream;
    Arguments args;
};

template <class C> bool describe_all(Call &call)
{
    auto encode = map_encoder();
    const attention_problem &p = *call.problem;
    return encode != nullptr &&
           describe(&call.args.q, encode, call.q, p, p.batch * p.heads, p.seq_q,
                    C::ROWS) &&
           describe(&call.args.k, encode, call.k, p, p.batch * p.heads_kv, p.seq_k,
                    C::KEYS) &&
           describe(&call.args.v, encode, call.v, p, p.batch * p.heads_kv, p.seq_k,
                    C::KEYS);
}

// Blocks that the device holds at once.
template <class C> int blocks_at_once()
{
    int device = 0, multiprocessors = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount,
                               device) != cudaSuccess)
        return 0;
    return C::BLOCKS * multiprocessors;
}

// With as many heads in a band as half the grid, a turn is two rows of blocks, and the
// next one, taken from behind, makes up for their difference: the busiest block has 0 to
// 3% more work than the average. (Counted with 132 blocks and 256 heads. With 192 heads
// in a band it has 33% more at 512 keys.) Fewer where K and V would not stay in L2.
int band(const Arguments &args, int blocks, int64_t head_bytes)
{
    constexpr int64_t L2_BYTES = 40 << 20; // of 50 or 60 MB
    int heads = max(1, blocks / 2);
    while (heads > 8 && heads * head_bytes > L2_BYTES)
        heads /= 2;
    return min(heads, args.heads);
}

// Launches that begin early can be captured in a graph from 12.3 on.
bool can_begin_early()
{
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess && version >= 12030;
}

template <class C, int DTYPE, bool CAUSAL> int launch(Call &call)
{
    auto kernel = attend<C, DTYPE, CAUSAL>;
    Arguments &args = call.args;
    int blocks = blocks_at_once<C>();
    if (blocks == 0 || !describe_all<C>(call) ||
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             C::SHARED_BYTES) != cudaSuccess)
        return ATTENTION_LAUNCH;
    args.row_blocks = (args.seq_q + C::ROWS - 1) / C::ROWS;
    args.pieces = args.heads * args.row_blocks;
    args.band = band(args, blocks, 4 * (int64_t)C::DIM * args.seq_k);
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)(C::STAY ? min(blocks, args.pieces) : args.pieces));
    config.blockDim = dim3(C::THREADS);
    config.dynamicSmemBytes = C::SHARED_BYTES;
    config.stream = call.stream;
    config.attrs = &early;
    config.numAttrs = can_begin_early();
    return cudaLaunchKernelEx(&config, kernel, args) == cudaSuccess ? ATTENTION_OK
                                                                    : ATTENTION_LAUNCH;
}

template <class C> int launch_as(Call &call)
{
    bool half = call.problem->dtype == ATTENTION_FP16;
    if (call.problem->causal)
        return half ? launch<C, ATTENTION_FP16, true>(call)
                    : launch<C, ATTENTION_BF16, true>(call);
    return half ? launch<C, ATTENTION_FP16, false>(call)
                : launch<C, ATTENTION_BF16, false>(call);
}

// ---- which cut for which problem ----
//
//                   head_dim, groups, keys, slots, Q slots, blocks, stay
using Short64 = Cut<64, 2, 64, 4, 1, 2, false>;
using Long64 = Cut<64, 4, 64, 12, 2, 1, true>;
using All128 = Cut<128, 2, 128, 6, 1, 1, true>;

// Up to SHORT keys two small blocks a multiprocessor, each with all it needs on its way
// at once, are better than a large one that works ahead.
constexpr int SHORT = Short64::SLOTS / 2 * Short64::KEYS;

int launch_best(Call &call)
{
    if (call.problem->head_dim == 128)
        return launch_as<All128>(call);
    return call.args.seq_k <= SHORT ? launch_as<Short64>(call) : launch_as<Long64>(call);
}

int supports(const attention_problem *p)
{
    int64_t heads = (int64_t)p->batch * p->heads;
    return (p->dtype == ATTENTION_FP16 || p->dtype == ATTENTION_BF16) &&
           (p->head_dim == 64 || p->head_dim == 128) &&
           heads * ((int64_t)p->seq_q / 64 + 1) < INT_MAX / 4;
}

size_t workspace_bytes(const attention_problem *)
{
    return 0;
}

int forward(const attention_problem *p, const void *q, const void *k, const void *v,
            void *out, float *lse, void *, void *stream)
{
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    if (q == nullptr || k == nullptr || v == nullptr || out == nullptr)
        return ATTENTION_INVALID;
    float scale = p->scale != 0.0F ? p->scale : 1.0F / sqrtf((float)p->head_dim);
    Call call = {p, q, k, v, (cudaStream_t)stream, {}};
    call.args.out = (char *)out;
    call.args.lse = lse;
    call.args.heads = p->batch * p->heads;
    call.args.group = p->heads / p->heads_kv;
    call.args.seq_q = p->seq_q;
    call.args.seq_k = p->seq_k;
    // A product with -infinity must not be NaN.
    call.args.scale_log2 = fmaxf(fminf(fabsf(scale) * LOG2_E, FLT_MAX), FLT_MIN);
    call.args.negate = scale < 0.0F;
    return launch_best(call);
}

const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA,  "attention_sm90",
                                       supports,      workspace_bytes, forward};

} // namespace

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
