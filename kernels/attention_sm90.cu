// SPDX-License-Identifier: Apache-2.0
// Attention for Hopper: wgmma, bulk tensor copies (TMA), mbarriers. The ideas are
// FlashAttention-3's (Shah et al. 2024) as far as they paid here; kernels/README.md has
// the figures of each step.
//
//   a group   4 warps, the unit of wgmma: 64 rows of Q; their scores, weights and sums
//             stay in registers, and no row needs an exchange between warps
//   a block   GROUPS groups over the same keys, and one more that only starts copies: of
//             Q, and of K and V tiles into a ring of PAIRS of them, as far ahead as that
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
template <int DIM_, int GROUPS_, int KEYS_, int PAIRS_, int Q_SLOTS_, int BLOCKS_,
          bool STAY_>
struct Cut {
    static constexpr int DIM = DIM_;         // head_dim
    static constexpr int GROUPS = GROUPS_;   // of a block, without the one that copies
    static constexpr int KEYS = KEYS_;       // of a tile of K or V
    static constexpr int PAIRS = PAIRS_;     // of tiles in shared memory, a K and a V
    static constexpr int Q_SLOTS = Q_SLOTS_; // blocks of Q in shared memory
    static constexpr int BLOCKS = BLOCKS_;   // on a multiprocessor
    // Blocks that stay take one piece of work after the other. The others have one piece
    // and room for all of its tiles, so that no group need wait to start copies.
    static constexpr bool STAY = STAY_;
    static constexpr int ROWS = 64 * GROUPS;
    static constexpr int THREADS = 128 * (GROUPS + STAY);
    static constexpr int PANELS = DIM / 64; // of 128 bytes of each row, stacked
    static constexpr int Q_BYTES = 2 * DIM * 64; // of a group
    static constexpr int TILE_BYTES = 2 * DIM * KEYS;
    static constexpr int PAIRS_AT = Q_SLOTS * GROUPS * Q_BYTES;
    static constexpr int BARRIERS_AT = PAIRS_AT + PAIRS * 2 * TILE_BYTES;
    static constexpr int Q_BARRIERS_AT = BARRIERS_AT + 32 * PAIRS;
    static constexpr int SHARED_BYTES = Q_BARRIERS_AT + 16 * Q_SLOTS * GROUPS;
    static_assert(SHARED_BYTES * BLOCKS <= (227 << 10), "what a multiprocessor has");
};

// A scheduler has 512 registers a lane. All warps begin with the same share; those that
// start copies keep FEW, and the others divide the rest.
constexpr int FEW = 24;

template <class C> constexpr int BEGIN = 512 / (C::BLOCKS * (C::GROUPS + 1)) / 8 * 8;
template <class C>
constexpr int MANY = (BEGIN<C> * (C::GROUPS + 1) - FEW) / C::GROUPS / 8 * 8;

// n / d for 0 <= n < 2^29 as a product.
struct Divisor {
    unsigned factor, shift;
    static Divisor of(int d)
    {
        unsigned bits = 0;
        while (1u << bits < (unsigned)d)
            bits++;
        return {(unsigned)((1ull << (29 + bits)) / (unsigned)d + 1), 29 + bits};
    }
    __device__ __forceinline__ int divide(int n) const
    {
        return (int)((unsigned long long)(unsigned)n * factor >> shift);
    }
};

struct Arguments {
    CUtensorMap q, k, v;
    char *out;
    float *lse; // NULL: not wanted
    int heads;  // of all batches
    int seq_q, seq_k;
    int row_blocks;   // of one head
    int band;         // heads whose K and V are in use at a time
    int pieces;       // heads * row_blocks
    int last_heads;   // of the last band
    Divisor by_row_blocks, by_band_pieces, by_band, by_last_heads, by_group;
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

// Whether there would be nothing to wait for.
__device__ __forceinline__ bool barrier_test(unsigned barrier, unsigned parity)
{
    unsigned done;
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "mbarrier.test_wait.parity.shared::cta.b64 done, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, done;\n"
                 "}"
                 : "=r"(done)
                 : "r"(barrier), "r"(parity)
                 : "memory");
    return done != 0;
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

// Known by the compiler to be the same for a whole warp, and not to be computed anew each
// time: addresses then need no vector registers.
template <class T> __device__ __forceinline__ T same_for_warp(T value)
{
    return __shfl_sync(0xffffffffu, value, 0);
}

__device__ __forceinline__ int group_index()
{
    return same_for_warp((int)threadIdx.x / 128);
}

// Groups take turns to issue products: Q K^T of one tile and P V of the one before,
// together. So one's exponentials tend to fall into another's products. Not at head_dim
// 64 with a mask: groups need different numbers of tiles there, which keeps them apart.
template <class C, bool CAUSAL> constexpr bool TURNS = C::DIM == 128 || !CAUSAL;

template <class C, bool CAUSAL> __device__ __forceinline__ void turn_wait(int group)
{
    if constexpr (TURNS<C, CAUSAL>)
        asm volatile("bar.sync %0, 256;" ::"r"(1 + group) : "memory");
}

template <class C, bool CAUSAL> __device__ __forceinline__ void turn_pass(int group)
{
    if constexpr (TURNS<C, CAUSAL>)
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
        int band_head = args.by_band_pieces.divide(at) * args.band;
        bool whole = band_head + args.band <= args.heads;
        int heads = whole ? args.band : args.last_heads;
        int within = at - band_head * args.row_blocks;
        int block = (whole ? args.by_band : args.by_last_heads).divide(within);
        piece.head = band_head + within - block * heads;
        piece.first = (args.row_blocks - 1 - block) * C::ROWS;
    } else {
        piece.head = args.by_row_blocks.divide(at);
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

// Where in a ring: `used` counts from the beginning of the kernel.
template <int SLOTS> struct Place {
    unsigned slot, parity;
    __device__ __forceinline__ explicit Place(unsigned used)
        : slot(used % SLOTS), parity(used / SLOTS & 1)
    {
    }
    __device__ __forceinline__ void advance()
    {
        bool again = slot == SLOTS - 1;
        slot = again ? 0 : slot + 1;
        parity ^= again;
    }
};

// A buffer and its two barriers. It is empty before its first use.
struct Buffer {
    unsigned data, full, empty;
    __device__ __forceinline__ void wait_full(unsigned parity) const
    {
        barrier_wait(full, parity);
    }
    __device__ __forceinline__ void wait_empty(unsigned parity) const
    {
        barrier_wait(empty, parity ^ 1);
    }
    // By every warp that reads, once it has read.
    __device__ __forceinline__ void release() const
    {
        if (threadIdx.x % 32 == 0)
            barrier_arrive(empty);
    }
    __device__ __forceinline__ void init(int warps) const
    {
        barrier_init(full, 1);
        barrier_init(empty, warps);
    }
};

// Shared memory: 64 rows of Q for each group, and pairs of a tile of K and one of V.
template <class C> struct Rings {
    unsigned base;
    using Q_Place = Place<C::Q_SLOTS>;
    using Pair = Place<C::PAIRS>;
    __device__ __forceinline__ Buffer q(const Q_Place &place, int group) const
    {
        unsigned at = place.slot * C::GROUPS + (unsigned)group;
        unsigned barrier = base + C::Q_BARRIERS_AT + 16 * at;
        return {base + at * C::Q_BYTES, barrier, barrier + 8};
    }
    __device__ __forceinline__ Buffer k(const Pair &pair) const
    {
        unsigned barrier = base + C::BARRIERS_AT + 32 * pair.slot;
        return {base + C::PAIRS_AT + pair.slot * (2 * C::TILE_BYTES), barrier,
                barrier + 16};
    }
    __device__ __forceinline__ Buffer v(const Pair &pair) const
    {
        Buffer k_of_pair = k(pair);
        return {k_of_pair.data + C::TILE_BYTES, k_of_pair.full + 8, k_of_pair.empty + 8};
    }
    __device__ __forceinline__ void init() const
    {
        for (unsigned i = 0; i < C::Q_SLOTS; i++)
            for (int group = 0; group < C::GROUPS; group++)
                q(Q_Place(i), group).init(4);
        for (unsigned i = 0; i < C::PAIRS; i++) {
            k(Pair(i)).init(4 * C::GROUPS);
            v(Pair(i)).init(4 * C::GROUPS);
        }
    }
};

// ---- the warp that starts copies ----

template <int PANELS, int BYTES>
__device__ __forceinline__ void fill(const Buffer &buffer, unsigned parity,
                                     const CUtensorMap &map, int row, int head)
{
    buffer.wait_empty(parity);
    barrier_expect(buffer.full, BYTES);
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++)
        copy_box(buffer.data + (unsigned)(panel * (BYTES / PANELS)), map, 64 * panel, row,
                 head, buffer.full);
}

// The first keys before Q: as long as Q of the piece before is in use, copies go on.
template <class C, bool CAUSAL>
__device__ __forceinline__ void produce(const Arguments &args, const Rings<C> &rings)
{
    typename Rings<C>::Q_Place q_place(0);
    typename Rings<C>::Pair pair(0);
    Piece piece;
    for (int turn = 0; piece_at<C, CAUSAL>(args, turn, piece); turn++) {
        int tiles = tiles_of<C, CAUSAL>(args, piece.first, C::ROWS);
        if (turn == 0)
            launch_wait(); // so late: everything above needs nothing of the launch before
        if (tiles == 0)
            continue;
        int head_kv = args.by_group.divide(piece.head);
        for (int tile = tiles - 1; tile >= 0; tile--, pair.advance()) {
            fill<C::PANELS, C::TILE_BYTES>(rings.k(pair), pair.parity, args.k,
                                           tile * C::KEYS, head_kv);
            if (tile == tiles - 1) {
                for (int group = 0; group < C::GROUPS; group++)
                    fill<C::PANELS, C::Q_BYTES>(rings.q(q_place, group), q_place.parity,
                                                args.q, piece.first + 64 * group,
                                                piece.head);
                q_place.advance();
            }
            fill<C::PANELS, C::TILE_BYTES>(rings.v(pair), pair.parity, args.v,
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
        unsigned q = (q_tile >> 4) + ((panel * 64 * 128 + within) >> 4);
        unsigned k = (k_tile >> 4) + ((panel * C::KEYS * 128 + within) >> 4);
        product<DTYPE, C::KEYS>(s, matrix(q), matrix(k), step > 0);
    }
    products_commit();
}

// out += P V begins; out = P V for a first tile
template <class C, int DTYPE>
__device__ __forceinline__ void mix(State<C> &state, const Weights<C> &p, unsigned v_tile,
                                    bool first)
{
    products_fence();
    unsigned v = (v_tile >> 4) + ((unsigned)(C::KEYS * 128) >> 4 << 16);
#pragma unroll
    for (int step = 0; step < C::KEYS / 16; step++)
        product<DTYPE, C::DIM>(state.out, p + 4 * step,
                               matrix(v + (unsigned)(step * 16 * 128 >> 4)),
                               step > 0 || !first);
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

// The largest scores so far, and `keep`, what is left of weights taken before. True if
// that is not all of them for some row of this warp.
template <class C>
__device__ __forceinline__ bool raise_top(const Scores<C> &s, State<C> &state,
                                          float (&keep)[2], float scale_log2)
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
        state.sum[half] *= keep[half];
    }
    return __any_sync(0xffffffffu, grew);
}

// Scores of keys 8 FROM to 8 TO become weights.
template <class C, int FROM, int TO>
__device__ __forceinline__ void soften(Scores<C> &s, State<C> &state, float scale_log2)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float sum = 0.0F;
#pragma unroll
        for (int n = FROM; n < TO; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                s[4 * n + e] =
                    power_of_2(fmaf(s[4 * n + e], scale_log2, -state.top[half]));
                sum += s[4 * n + e];
            }
        state.sum[half] += sum;
    }
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
template <class C, bool RESCALE>
__device__ __forceinline__ void wait_and_rescale(State<C> &state, bool grew,
                                                 const float (&keep)[2])
{
    if (grew) {
        asm volatile("wgmma.wait_group.sync.aligned 0; // grew" ::: "memory");
        settle(state.out);
        if (RESCALE)
            rescale<C>(state, keep);
    } else {
        asm volatile("wgmma.wait_group.sync.aligned 0; // as before" ::: "memory");
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
            unsigned at = q_tile + (unsigned)(panel * 64 * 128 + 4 * (i + thread));
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

// The sums of a piece's rows are complete: write the log-sum-exp, and find what the rows
// of the result are to be multiplied by.
template <class C>
__device__ __forceinline__ void end_sums(const Arguments &args, int head, int first,
                                         const State<C> &state, float (&inverse)[2])
{
    int row = first + (int)threadIdx.x % 128 / 32 * 16 + (int)threadIdx.x % 32 / 4;
#pragma unroll
    for (int half = 0; half < 2; half++, row += 8) {
        float sum = state.top[half] > -FLT_MAX ? state.sum[half] : 0.0F; // 0: no keys
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        inverse[half] = sum > 0.0F ? 1.0F / sum : 0.0F;
        if (args.lse != nullptr && threadIdx.x % 4 == 0 && row < args.seq_q)
            args.lse[(size_t)head * (size_t)args.seq_q + (size_t)row] =
                sum > 0.0F ? (state.top[half] + log2f(sum)) * LN_2 : -INFINITY;
    }
}

// Normalise and write this group's rows, 16 bytes a lane.
template <class C, int DTYPE>
__device__ __forceinline__ void write_rows(const Arguments &args, int head, int first,
                                           const State<C> &state,
                                           const float (&inverse)[2])
{
    int row = first + (int)threadIdx.x % 128 / 32 * 16 + (int)threadIdx.x % 32 / 4;
    int lane = (int)threadIdx.x % 4;
    size_t at = (size_t)head * (size_t)args.seq_q + (size_t)row;
    char *out = args.out + at * (2 * C::DIM) + 16 * lane;
#pragma unroll
    for (int half = 0; half < 2; half++, row += 8, out += 8 * 2 * C::DIM) {
#pragma unroll
        for (int n = 0; n < C::DIM / 8; n += 4) {
            unsigned w[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                w[i] = pack<DTYPE>(state.out[4 * (n + i) + 2 * half] * inverse[half],
                                   state.out[4 * (n + i) + 2 * half + 1] * inverse[half]);
            exchange(w);
            if (row < args.seq_q)
                *(uint4 *)(out + 16 * n) = make_uint4(w[0], w[1], w[2], w[3]);
        }
    }
}

// Tiles that this group does not need, those of the last keys, and whose turns it passes
// on.
template <class C, bool CAUSAL>
__device__ __forceinline__ void skip_tiles(const Rings<C> &rings, int group,
                                           typename Rings<C>::Pair &pair, int tiles,
                                           int needed)
{
    for (int tile = tiles - 1; tile >= needed; tile--, pair.advance()) {
        rings.k(pair).wait_full(pair.parity);
        rings.k(pair).release();
        turn_wait<C, CAUSAL>(group);
        turn_pass<C, CAUSAL>(group);
        rings.v(pair).wait_full(pair.parity);
        rings.v(pair).release();
    }
}

// Eighths of a tile's weights that are taken before P V of the tile before is waited for.
// The others are taken after it, and the first are packed meanwhile: until then P is in
// use. Measured: kernels/README.md.
template <class C, bool CAUSAL>
constexpr int EARLY = C::DIM == 128 ? 3 : CAUSAL ? 2 : 8;

// The result is rescaled with every tile, between exponentials; or only where some row
// has a new largest score, in a branch of its own, where nothing else is done meanwhile.
template <class C, bool CAUSAL> constexpr bool ALWAYS = C::DIM == 128 && CAUSAL;

// The barriers of the next products are looked at between exponentials, and waited for
// only where something was missing.
template <class C> constexpr bool ASK_EARLY = C::DIM == 128;

// One piece, this group's rows of it, which need the last `needed` of its `tiles` tiles,
// those with the first keys. `pair`: of the first tile that they need.
template <class C, int DTYPE, bool CAUSAL>
__device__ __forceinline__ void attend_tiles(const Arguments &args, const Rings<C> &rings,
                                             State<C> &state, int group, int head,
                                             int first, const Buffer &q,
                                             typename Rings<C>::Pair pair, int needed)
{
    constexpr int ALL = C::KEYS / 8, SOME = ALL * EARLY<C, CAUSAL> / 8;
    Scores<C> s;
    Weights<C> p;
    float keep[2], inverse[2];
    int seen_first = seen<CAUSAL>(args, first);
    auto end_score = [&](int tile, const Buffer &k) {
        settle(s);
        k.release();
        if (tile == 0)
            q.release();
        if (seen_first < (tile + 1) * C::KEYS)
            mask<C, CAUSAL>(s, first + args.seq_k - args.seq_q + 1 - tile * C::KEYS,
                            args.seq_k - tile * C::KEYS);
    };

    if (args.negate)
        negate<C>(q.data);
    rings.k(pair).wait_full(pair.parity);
    turn_wait<C, CAUSAL>(group);
    score<C, DTYPE>(s, q.data, rings.k(pair).data);
    turn_pass<C, CAUSAL>(group);
    products_wait<0>();
    end_score(needed - 1, rings.k(pair));
    raise_top<C>(s, state, keep, args.scale_log2);
    soften<C, 0, ALL>(s, state, args.scale_log2);
    pack_weights<C, DTYPE>(p, s);
    bool ready = false; // K and V for the next products are known to be there
    for (int tile = needed - 2; tile >= 0; tile--) {
        auto before = pair;
        pair.advance();
        if (!ready) {
            rings.k(pair).wait_full(pair.parity);
            rings.v(before).wait_full(before.parity);
        }
        turn_wait<C, CAUSAL>(group);
        score<C, DTYPE>(s, q.data, rings.k(pair).data);
        mix<C, DTYPE>(state, p, rings.v(before).data, tile == needed - 2);
        turn_pass<C, CAUSAL>(group);
        products_wait<1>();
        end_score(tile, rings.k(pair));
        bool grew = raise_top<C>(s, state, keep, args.scale_log2);
        soften<C, 0, SOME>(s, state, args.scale_log2);
        wait_and_rescale<C, !ALWAYS<C, CAUSAL>>(state, grew, keep);
        rings.v(before).release();
        if constexpr (ALWAYS<C, CAUSAL>)
            rescale<C>(state, keep);
        if constexpr (ASK_EARLY<C>) {
            auto next = pair;
            next.advance();
            ready = barrier_test(rings.k(next).full, next.parity) &
                    barrier_test(rings.v(pair).full, pair.parity);
        }
        soften<C, SOME, ALL>(s, state, args.scale_log2);
        pack_weights<C, DTYPE>(p, s);
    }
    rings.v(pair).wait_full(pair.parity);
    mix<C, DTYPE>(state, p, rings.v(pair).data, needed == 1);
    end_sums<C>(args, head, first, state, inverse);
    products_wait<0>();
    settle(state.out);
    rings.v(pair).release();
    write_rows<C, DTYPE>(args, head, first, state, inverse);
}

template <class C, int DTYPE, bool CAUSAL>
__device__ __forceinline__ void consume(const Arguments &args, const Rings<C> &rings)
{
    int group = group_index();
    if (group == C::GROUPS - 1)
        turn_pass<C, CAUSAL>(group); // the first turn is group 0's
    typename Rings<C>::Q_Place q_place(0);
    unsigned used = 0; // pairs
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
        int needed = tiles_of<C, CAUSAL>(args, first, 64);
        typename Rings<C>::Pair pair(used);
        used += (unsigned)tiles;
        Buffer q = rings.q(q_place, group);
        if (tiles > 0)
            q.wait_full(q_place.parity);
        skip_tiles<C, CAUSAL>(rings, group, pair, tiles, needed);
        if (needed > 0) {
            attend_tiles<C, DTYPE, CAUSAL>(args, rings, state, group, piece.head, first,
                                           q, pair, needed);
        } else {
            float none[2];
            if (tiles > 0)
                q.release();
            end_sums<C>(args, piece.head, first, state, none);
            write_rows<C, DTYPE>(args, piece.head, first, state, none);
        }
        if (tiles > 0)
            q_place.advance();
    }
}

template <class C, int DTYPE, bool CAUSAL>
__global__ void __launch_bounds__(C::THREADS, C::BLOCKS)
    attend(const __grid_constant__ Arguments args)
{
    extern __shared__ __align__(1024) char shared[];
    const Rings<C> rings = {same_for_warp((unsigned)__cvta_generic_to_shared(shared))};
    // the thread that starts copies
    constexpr unsigned COPIER = C::STAY ? 128 * C::GROUPS : 0;
    if (threadIdx.x == COPIER) {
        prefetch_map(args.q);
        prefetch_map(args.k);
        prefetch_map(args.v);
        rings.init();
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        if constexpr (!C::STAY)
            produce<C, CAUSAL>(args, rings);
    }
    __syncthreads();
    launch_next();
    if (threadIdx.x != COPIER)
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
                    64) &&
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
    args.last_heads = (args.heads - 1) % args.band + 1;
    args.by_row_blocks = Divisor::of(args.row_blocks);
    args.by_band_pieces = Divisor::of(args.band * args.row_blocks);
    args.by_band = Divisor::of(args.band);
    args.by_last_heads = Divisor::of(args.last_heads);
    args.by_group = Divisor::of(call.problem->heads / call.problem->heads_kv);
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
//                   head_dim, groups, keys, pairs, Q slots, blocks, stay
using Short64 = Cut<64, 2, 64, 2, 1, 2, false>;
using Long64 = Cut<64, 4, 64, 6, 2, 1, true>;
using All128 = Cut<128, 2, 128, 3, 1, 1, true>;

// Up to SHORT keys two small blocks a multiprocessor, each with all it needs on its way
// at once, are better than a large one that works ahead.
constexpr int SHORT = Short64::PAIRS * Short64::KEYS;

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
