// SPDX-License-Identifier: Apache-2.0
// Attention for Hopper: wgmma, bulk tensor copies (TMA), mbarriers. The ideas are
// FlashAttention-3's (Shah et al. 2024) as far as they paid here; kernels/README.md has
// the figures of each step.
//
//   consumers  CONSUMERS warp groups of a block, 64 rows of Q each, over the same keys. Scores, P
//              and sums stay in registers: no row needs an exchange between warps
//   producer   one more warp group, of which one thread starts copies: Q, and K and V tiles
//              into STAGES, as far ahead as these last, also from one work tile into the next
//   overlap    wgmma is asynchronous: P V of a tile runs while the exponentials of the next
//              are taken. Warp groups ping-pong, so that one's softmax falls into another's
//              products and they do not all want the same unit at once
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

// A tile shape, and all that follows from it.
template <int DIM_, int CONSUMERS_, int BLOCK_N_, int STAGES_, int Q_STAGES_, int BLOCKS_PER_SM_,
          bool PERSISTENT_>
struct TileShape {
    static constexpr int DIM = DIM_;             // head_dim
    static constexpr int CONSUMERS = CONSUMERS_; // warp groups that compute
    static constexpr int BLOCK_N = BLOCK_N_;     // keys of a tile
    static constexpr int STAGES = STAGES_;       // pairs of a K and a V tile in shared memory
    static constexpr int Q_STAGES = Q_STAGES_;   // tiles of BLOCK_M rows of Q in shared memory
    static constexpr int BLOCKS_PER_SM = BLOCKS_PER_SM_;
    // A persistent block takes one work tile after the other. The others have a single one and
    // stages for all of its keys: nothing is ever refilled, so they need no producer group, and
    // a consumer's thread starts all copies first.
    static constexpr bool PERSISTENT = PERSISTENT_;
    static constexpr int BLOCK_M = 64 * CONSUMERS;
    static constexpr int THREADS = 128 * (CONSUMERS + PERSISTENT);
    static constexpr int PANELS = DIM / 64;      // the 128-byte swizzle takes 64 columns at a time
    static constexpr int Q_BYTES = 2 * DIM * 64; // of a warp group
    static constexpr int TILE_BYTES = 2 * DIM * BLOCK_N;
    static constexpr int KV_AT = Q_STAGES * CONSUMERS * Q_BYTES;
    static constexpr int KV_BARRIERS_AT = KV_AT + STAGES * 2 * TILE_BYTES;
    static constexpr int Q_BARRIERS_AT = KV_BARRIERS_AT + 32 * STAGES;
    static constexpr int SHARED_BYTES = Q_BARRIERS_AT + 16 * Q_STAGES * CONSUMERS;
    static_assert(SHARED_BYTES * BLOCKS_PER_SM <= (227 << 10), "what a multiprocessor has");
};

// Register budget: a scheduler has 512 a lane, and one warp of each warp group. All begin with
// LAUNCH_REGS; setmaxnreg then takes them from the producer for the consumers. Multiples of 8.
constexpr int PRODUCER_REGS = 24;

template <class C>
constexpr int LAUNCH_REGS = 512 / (C::BLOCKS_PER_SM * (C::CONSUMERS + 1)) / 8 * 8;
template <class C>
constexpr int CONSUMER_REGS = (LAUNCH_REGS<C> * (C::CONSUMERS + 1) - PRODUCER_REGS) / C::CONSUMERS /
                              8 * 8;

// n / d for 0 <= n < 2^29 as a product, which the divisions of the tile scheduler come down to.
struct FastDivisor {
    unsigned factor, shift;
    static FastDivisor of(int d)
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
    int m_blocks;           // of BLOCK_M rows, of one head
    int section_heads;      // heads whose K and V are in use at a time, to stay in L2
    int work_tiles;         // heads * m_blocks
    int last_section_heads; // the last section may have fewer
    FastDivisor by_m_blocks, by_section_tiles, by_section_heads, by_last_section_heads,
        by_heads_per_kv;
    float scale_log2; // |scale| log2(e)
    bool negate;      // scale is negative: Q is negated once, and all else sees |scale|
};

// ---- instructions: barriers and copies ----

__device__ __forceinline__ void mbarrier_init(unsigned barrier, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}

__device__ __forceinline__ void mbarrier_arrive(unsigned barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void mbarrier_expect_tx(unsigned barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void mbarrier_wait(unsigned barrier, unsigned parity)
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

// Has that phase been completed? Does not wait.
__device__ __forceinline__ bool mbarrier_test(unsigned barrier, unsigned parity)
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

__device__ __forceinline__ void tma_load(unsigned to, const CUtensorMap &map, int column, int row,
                                         int head, unsigned barrier)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
                 " [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(to),
                 "l"(&map), "r"(column), "r"(row), "r"(head), "r"(barrier)
                 : "memory");
}

__device__ __forceinline__ void prefetch_tensor_map(const CUtensorMap &map)
{
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// Programmatic dependent launch: a grid may start before the one in front of it has ended, and
// waits here before it touches global memory.
__device__ __forceinline__ void grid_dependency_wait()
{
    asm volatile("griddepcontrol.wait;" ::: "memory");
}

__device__ __forceinline__ void grid_dependency_trigger()
{
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

// ---- instructions: wgmma ----

// wgmma's descriptor of a matrix in shared memory: rows of 128 bytes, 128-byte swizzle as TMA
// wrote them, 1024 bytes from one group of 8 rows to the next. That is the upper word; the lower
// one holds the address (in 16 bytes) and changes.
constexpr unsigned DESCRIPTOR_HIGH = 1u << 30 | 1024u >> 4;

__device__ __forceinline__ unsigned long long smem_descriptor(unsigned low)
{
    return (unsigned long long)DESCRIPTOR_HIGH << 32 | low;
}

__device__ __forceinline__ void wgmma_fence()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

template <int LEFT> __device__ __forceinline__ void wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

// wgmma writes these registers until it has been waited for, which the compiler cannot see: it
// must not read them earlier than here.
template <int N> __device__ __forceinline__ void wgmma_fence_operand(float (&d)[N])
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

// d (64 x N) += a (64 x 16) b (16 x N). For Q K^T both stand in shared memory, 16 columns of
// each row; for P V a is in registers and b is 16 rows, read transposed. Without `add`, d = a b,
// which saves clearing d.
#define WGMMA(N, NAMES, REGS, I0, I1, I2, I3, I4, I5, TYPE, DTYPE)                       \
    template <>                                                                          \
    __device__ __forceinline__ void wgmma<DTYPE, N>(                                     \
        float(&d)[N / 2], unsigned long long a, unsigned long long b, int add)           \
    {                                                                                    \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " I2 ", 0;\n"                 \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE     \
                     " {" NAMES "}, " I0 ", " I1 ", add, 1, 1, 0, 0;\n}"                 \
                     : REGS(d)                                                           \
                     : "l"(a), "l"(b), "r"(add));                                        \
    }                                                                                    \
    template <>                                                                          \
    __device__ __forceinline__ void wgmma<DTYPE, N>(                                     \
        float(&d)[N / 2], const unsigned *a, unsigned long long b, int add)              \
    {                                                                                    \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " I5 ", 0;\n"                 \
                     "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE     \
                     " {" NAMES "}, {" I0 ", " I1 ", " I2 ", " I3 "}, " I4               \
                     ", add, 1, 1, 1;\n}"                                                \
                     : REGS(d)                                                           \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));    \
    }
#define WGMMA_BOTH_TYPES(...)                                                            \
    WGMMA(__VA_ARGS__, "f16", ATTENTION_FP16)                                            \
    WGMMA(__VA_ARGS__, "bf16", ATTENTION_BF16)

template <int DTYPE, int N>
__device__ void wgmma(float (&d)[N / 2], unsigned long long a, unsigned long long b, int add);
template <int DTYPE, int N>
__device__ void wgmma(float (&d)[N / 2], const unsigned *a, unsigned long long b, int add);
WGMMA_BOTH_TYPES(64, NAMES_32, REGS_32, "%32", "%33", "%34", "%35", "%36", "%37")
WGMMA_BOTH_TYPES(128, NAMES_64, REGS_64, "%64", "%65", "%66", "%67", "%68", "%69")

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

// ---- the work of a block ----

// Tells the compiler that a value is the same for the whole warp: addresses made of it go to
// uniform registers, and are not moved there before every wgmma.
template <class T> __device__ __forceinline__ T warp_uniform(T value)
{
    return __shfl_sync(0xffffffffu, value, 0);
}

__device__ __forceinline__ int consumer_index()
{
    return warp_uniform((int)threadIdx.x / 128);
}

// Ping-pong: consumers issue their products, Q K^T of one tile and P V of the one before, in
// turn, so that one's exponentials fall into another's products. Named barrier 1 + g is the
// turn of group g. Not at head_dim 64 with a mask: groups need different numbers of tiles there,
// which keeps them apart already.
template <class C, bool CAUSAL> constexpr bool PING_PONG = C::DIM == 128 || !CAUSAL;

template <class C, bool CAUSAL> __device__ __forceinline__ void ping_pong_wait(int group)
{
    if constexpr (PING_PONG<C, CAUSAL>)
        asm volatile("bar.sync %0, 256;" ::"r"(1 + group) : "memory");
}

template <class C, bool CAUSAL> __device__ __forceinline__ void ping_pong_pass(int group)
{
    if constexpr (PING_PONG<C, CAUSAL>)
        asm volatile("bar.arrive %0, 256;" ::"r"(1 + (group + 1) % C::CONSUMERS) : "memory");
}

struct WorkTile {
    int head, first; // the first of BLOCK_M rows of this head
};

// The static tile scheduler: work tiles in order, one a block and round, every other round from
// behind, so that who had the longest tile gets the shortest. With a mask the longest rows come
// first, so that none is left for the end, and heads go section by section, so that their K and
// V stay in L2.
template <class C, bool CAUSAL>
__device__ __forceinline__ bool work_tile_at(const Arguments &args, int round, WorkTile &work)
{
    int place = round & 1 ? (int)(gridDim.x - 1 - blockIdx.x) : (int)blockIdx.x;
    int at = round * (int)gridDim.x + place;
    if (at >= args.work_tiles)
        return false;
    if constexpr (CAUSAL) {
        int section_first = args.by_section_tiles.divide(at) * args.section_heads;
        bool whole = section_first + args.section_heads <= args.heads;
        int heads = whole ? args.section_heads : args.last_section_heads;
        int within = at - section_first * args.m_blocks;
        int block = (whole ? args.by_section_heads : args.by_last_section_heads).divide(within);
        work.head = section_first + within - block * heads;
        work.first = (args.m_blocks - 1 - block) * C::BLOCK_M;
    } else {
        work.head = args.by_m_blocks.divide(at);
        work.first = (at - work.head * args.m_blocks) * C::BLOCK_M;
    }
    return true;
}

// Keys that row `row` sees. Negative: none.
template <bool CAUSAL> __device__ __forceinline__ int visible_keys(const Arguments &args, int row)
{
    return CAUSAL ? min(args.seq_k, row + args.seq_k - args.seq_q + 1) : args.seq_k;
}

// Tiles of K and V that `rows` rows from `first` on need.
template <class C, bool CAUSAL>
__device__ __forceinline__ int kv_tiles(const Arguments &args, int first, int rows)
{
    if (first >= args.seq_q)
        return 0;
    int keys = visible_keys<CAUSAL>(args, min(first + rows, args.seq_q) - 1);
    return (max(keys, 0) + C::BLOCK_N - 1) / C::BLOCK_N;
}

// Where in a pipeline: the stage, and the parity of its barriers' phase. `used` counts stages
// from the beginning of the kernel. Advanced, not divided out, which cost the main loop an eighth
// of its instructions at head_dim 64.
template <int STAGES> struct PipelineState {
    unsigned stage, parity;
    __device__ __forceinline__ explicit PipelineState(unsigned used)
        : stage(used % STAGES), parity(used / STAGES & 1)
    {
    }
    __device__ __forceinline__ void advance()
    {
        bool wraps = stage == STAGES - 1;
        stage = wraps ? 0 : stage + 1;
        parity ^= wraps;
    }
};

// One stage: its bytes and its two mbarriers, `full` for the producer's copies, `empty` for the
// consumers' reads. It counts as empty before its first use: hence the flipped parity.
struct Buffer {
    unsigned data, full, empty;
    __device__ __forceinline__ void wait_full(unsigned parity) const
    {
        mbarrier_wait(full, parity);
    }
    __device__ __forceinline__ void wait_empty(unsigned parity) const
    {
        mbarrier_wait(empty, parity ^ 1);
    }
    // By every warp that reads, once it has read: one arrival a warp.
    __device__ __forceinline__ void release() const
    {
        if (threadIdx.x % 32 == 0)
            mbarrier_arrive(empty);
    }
    __device__ __forceinline__ void init(int warps) const
    {
        mbarrier_init(full, 1);
        mbarrier_init(empty, warps);
    }
};

// Shared memory: a pipeline of Q, 64 rows for each consumer, and one of K and V tiles, whose
// barriers are apart, so that Q K^T may start before V is there.
template <class C> struct Pipelines {
    unsigned base;
    using Q_State = PipelineState<C::Q_STAGES>;
    using KV_State = PipelineState<C::STAGES>;
    __device__ __forceinline__ Buffer q(const Q_State &state, int group) const
    {
        unsigned at = state.stage * C::CONSUMERS + (unsigned)group;
        unsigned barrier = base + C::Q_BARRIERS_AT + 16 * at;
        return {base + at * C::Q_BYTES, barrier, barrier + 8};
    }
    __device__ __forceinline__ Buffer k(const KV_State &kv) const
    {
        unsigned barrier = base + C::KV_BARRIERS_AT + 32 * kv.stage;
        return {base + C::KV_AT + kv.stage * (2 * C::TILE_BYTES), barrier, barrier + 16};
    }
    __device__ __forceinline__ Buffer v(const KV_State &kv) const
    {
        Buffer k_stage = k(kv);
        return {k_stage.data + C::TILE_BYTES, k_stage.full + 8, k_stage.empty + 8};
    }
    __device__ __forceinline__ void init() const
    {
        for (unsigned i = 0; i < C::Q_STAGES; i++)
            for (int group = 0; group < C::CONSUMERS; group++)
                q(Q_State(i), group).init(4);
        for (unsigned i = 0; i < C::STAGES; i++) {
            k(KV_State(i)).init(4 * C::CONSUMERS);
            v(KV_State(i)).init(4 * C::CONSUMERS);
        }
    }
};

// ---- the producer ----

template <int PANELS, int BYTES>
__device__ __forceinline__ void load_tile(const Buffer &buffer, unsigned parity,
                                          const CUtensorMap &map, int row, int head)
{
    buffer.wait_empty(parity);
    mbarrier_expect_tx(buffer.full, BYTES);
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++)
        tma_load(buffer.data + (unsigned)(panel * (BYTES / PANELS)), map, 64 * panel, row, head,
                 buffer.full);
}

// The first K tile comes before Q: while consumers still use Q of the work tile before, the
// copies of the next go on.
template <class C, bool CAUSAL>
__device__ __forceinline__ void producer(const Arguments &args, const Pipelines<C> &pipes)
{
    typename Pipelines<C>::Q_State q_state(0);
    typename Pipelines<C>::KV_State kv(0);
    WorkTile work;
    for (int round = 0; work_tile_at<C, CAUSAL>(args, round, work); round++) {
        int tiles = kv_tiles<C, CAUSAL>(args, work.first, C::BLOCK_M);
        if (round == 0)
            grid_dependency_wait(); // so late: nothing above reads global memory
        if (tiles == 0)
            continue;
        int head_kv = args.by_heads_per_kv.divide(work.head);
        for (int tile = tiles - 1; tile >= 0; tile--, kv.advance()) {
            load_tile<C::PANELS, C::TILE_BYTES>(pipes.k(kv), kv.parity, args.k, tile * C::BLOCK_N,
                                                head_kv);
            if (tile == tiles - 1) {
                for (int group = 0; group < C::CONSUMERS; group++)
                    load_tile<C::PANELS, C::Q_BYTES>(pipes.q(q_state, group), q_state.parity,
                                                     args.q, work.first + 64 * group, work.head);
                q_state.advance();
            }
            load_tile<C::PANELS, C::TILE_BYTES>(pipes.v(kv), kv.parity, args.v, tile * C::BLOCK_N,
                                                head_kv);
        }
    }
}

// ---- the consumers ----

// wgmma's accumulators: element 4n + e of a thread's part of 64 rows is row lane / 4 + 8 (e / 2)
// of its warp's 16, column 8n + 2 (lane % 4) + e % 2. So a thread has two rows, and four lanes
// share a row.
template <class C> struct State {
    float acc_o[C::DIM / 2];
    float row_max[2]; // of a thread's two rows, times scale_log2
    float row_sum[2]; // of this thread's columns; the four of a row meet at the end
};

template <class C> using Scores = float[C::BLOCK_N / 2];
template <class C> using PFragments = unsigned[C::BLOCK_N / 4];

// Issue acc_s = Q K^T.
template <class C, int DTYPE>
__device__ __forceinline__ void qk_gemm(Scores<C> &acc_s, unsigned q_tile, unsigned k_tile)
{
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < C::DIM / 16; step++) {
        unsigned panel = (unsigned)step / 4, within = (unsigned)step % 4 * 32;
        unsigned q = (q_tile >> 4) + ((panel * 64 * 128 + within) >> 4);
        unsigned k = (k_tile >> 4) + ((panel * C::BLOCK_N * 128 + within) >> 4);
        wgmma<DTYPE, C::BLOCK_N>(acc_s, smem_descriptor(q), smem_descriptor(k), step > 0);
    }
    wgmma_commit();
}

// Issue acc_o += P V; acc_o = P V for the first tile.
template <class C, int DTYPE>
__device__ __forceinline__ void pv_gemm(State<C> &state, const PFragments<C> &p, unsigned v_tile,
                                        bool first)
{
    wgmma_fence();
    unsigned v = (v_tile >> 4) + ((unsigned)(C::BLOCK_N * 128) >> 4 << 16);
#pragma unroll
    for (int step = 0; step < C::BLOCK_N / 16; step++)
        wgmma<DTYPE, C::DIM>(state.acc_o, p + 4 * step,
                             smem_descriptor(v + (unsigned)(step * 16 * 128 >> 4)),
                             step > 0 || !first);
    wgmma_commit();
}

// The first of the warp group's rows sees the first visible_first keys of this tile, each
// further one a key more, none more than visible_most.
template <class C, bool CAUSAL>
__device__ __forceinline__ void apply_mask(Scores<C> &acc_s, int visible_first, int visible_most)
{
    int row = (int)threadIdx.x % 128 / 32 * 16 + (int)threadIdx.x % 32 / 4;
    int column = (int)threadIdx.x % 4 * 2;
    int end[2] = {visible_most - column, visible_most - column};
    if constexpr (CAUSAL) {
        end[0] = min(visible_most, visible_first + row) - column;
        end[1] = min(visible_most, visible_first + row + 8) - column;
    }
#pragma unroll
    for (int n = 0; n < C::BLOCK_N / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            if (8 * n + e % 2 >= end[e / 2])
                acc_s[4 * n + e] = -INFINITY;
}

// row_max of this tile and those before; row_sum is rescaled at once, acc_o by o_scale later,
// when P V of the tile before has ended. True if row_max grew for some row of this warp.
template <class C>
__device__ __forceinline__ bool update_row_max(const Scores<C> &acc_s, State<C> &state,
                                               float (&o_scale)[2], float scale_log2)
{
    bool max_grew = false;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float even = acc_s[2 * half], odd = acc_s[2 * half + 1];
#pragma unroll
        for (int n = 1; n < C::BLOCK_N / 8; n++) {
            even = fmaxf(even, acc_s[4 * n + 2 * half]);
            odd = fmaxf(odd, acc_s[4 * n + 2 * half + 1]);
        }
        float high = fmaxf(even, odd);
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 1));
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 2)) * scale_log2;
        float row_max = fmaxf(high, state.row_max[half]);
        o_scale[half] = exp2_approx(state.row_max[half] - row_max);
        max_grew |= row_max != state.row_max[half];
        state.row_max[half] = row_max;
        state.row_sum[half] *= o_scale[half];
    }
    return __any_sync(0xffffffffu, max_grew);
}

// Of keys 8 FROM to 8 TO: acc_s becomes P = 2^(score - row_max), and row_sum takes it in.
template <class C, int FROM, int TO>
__device__ __forceinline__ void softmax_step(Scores<C> &acc_s, State<C> &state, float scale_log2)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float sum = 0.0F;
#pragma unroll
        for (int n = FROM; n < TO; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                acc_s[4 * n + e] = exp2_approx(
                    fmaf(acc_s[4 * n + e], scale_log2, -state.row_max[half]));
                sum += acc_s[4 * n + e];
            }
        state.row_sum[half] += sum;
    }
}

template <class C, int DTYPE>
__device__ __forceinline__ void pack_p(PFragments<C> &p, const Scores<C> &acc_s)
{
#pragma unroll
    for (int i = 0; i < C::BLOCK_N / 4; i++)
        p[i] = pack<DTYPE>(acc_s[2 * i], acc_s[2 * i + 1]);
}

template <class C>
__device__ __forceinline__ void rescale_o(State<C> &state, const float (&o_scale)[2])
{
#pragma unroll
    for (int i = 0; i < C::DIM / 2; i++)
        state.acc_o[i] *= o_scale[i / 2 % 2];
}

// Wait for P V of the tile before. ptxas moves a wait in front of arithmetic that it does not
// concern, such as all the exponentials, and no overlap is left. It does not move one out of two
// branches; these differ by a comment, lest the compiler in front of ptxas make them one.
template <class C, bool RESCALE>
__device__ __forceinline__ void wait_pv_and_rescale(State<C> &state, bool max_grew,
                                                    const float (&o_scale)[2])
{
    if (max_grew) {
        asm volatile("wgmma.wait_group.sync.aligned 0; // grew" ::: "memory");
        wgmma_fence_operand(state.acc_o);
        if (RESCALE)
            rescale_o<C>(state, o_scale);
    } else {
        asm volatile("wgmma.wait_group.sync.aligned 0; // as before" ::: "memory");
        wgmma_fence_operand(state.acc_o);
    }
}

// Q becomes -Q: the signs of this warp group's rows, before its first wgmma reads them.
template <class C> __device__ __forceinline__ void negate_q(unsigned q_tile)
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
    // wgmma reads shared memory through the async proxy, which has to see these stores first.
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    asm volatile("bar.sync %0, 128;" ::"r"(8 + (int)threadIdx.x / 128) : "memory");
}

// A 4 x 4 transpose over the four lanes of a row: each then has 16 bytes that lie together.
__device__ __forceinline__ void transpose_quad(unsigned (&w)[4])
{
    int lane = (int)threadIdx.x % 4;
#pragma unroll
    for (int step = 1; step < 4; step *= 2)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (i & step)
                continue;
            bool upper = lane & step;
            unsigned other = __shfl_xor_sync(0xffffffffu, upper ? w[i] : w[i + step], step);
            w[i] = upper ? other : w[i];
            w[i + step] = upper ? w[i + step] : other;
        }
}

// The rows have seen all their keys: add up row_sum over the four lanes, write the log-sum-exp,
// and find what acc_o is to be multiplied by.
template <class C>
__device__ __forceinline__ void finish_row_sums(const Arguments &args, int head, int first,
                                                const State<C> &state, float (&inverse)[2])
{
    int row = first + (int)threadIdx.x % 128 / 32 * 16 + (int)threadIdx.x % 32 / 4;
#pragma unroll
    for (int half = 0; half < 2; half++, row += 8) {
        float sum = state.row_max[half] > -FLT_MAX ? state.row_sum[half] : 0.0F; // 0: no keys
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        inverse[half] = sum > 0.0F ? 1.0F / sum : 0.0F;
        if (args.lse != nullptr && threadIdx.x % 4 == 0 && row < args.seq_q)
            args.lse[(size_t)head * (size_t)args.seq_q + (size_t)row] =
                sum > 0.0F ? (state.row_max[half] + log2f(sum)) * LN_2 : -INFINITY;
    }
}

// Divide by row_sum and store this warp group's rows, 16 bytes a lane.
template <class C, int DTYPE>
__device__ __forceinline__ void store_o(const Arguments &args, int head, int first,
                                        const State<C> &state, const float (&inverse)[2])
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
                w[i] = pack<DTYPE>(state.acc_o[4 * (n + i) + 2 * half] * inverse[half],
                                   state.acc_o[4 * (n + i) + 2 * half + 1] * inverse[half]);
            transpose_quad(w);
            if (row < args.seq_q)
                *(uint4 *)(out + 16 * n) = make_uint4(w[0], w[1], w[2], w[3]);
        }
    }
}

// Tiles of the last keys, which only rows of later warp groups see. This group releases them and
// passes its turns on, since the others wait for both.
template <class C, bool CAUSAL>
__device__ __forceinline__ void skip_masked_tiles(const Pipelines<C> &pipes, int group,
                                                  typename Pipelines<C>::KV_State &kv, int tiles,
                                                  int needed)
{
    for (int tile = tiles - 1; tile >= needed; tile--, kv.advance()) {
        pipes.k(kv).wait_full(kv.parity);
        pipes.k(kv).release();
        ping_pong_wait<C, CAUSAL>(group);
        ping_pong_pass<C, CAUSAL>(group);
        pipes.v(kv).wait_full(kv.parity);
        pipes.v(kv).release();
    }
}

// Eighths of a tile's exponentials that are taken before P V of the tile before is waited for.
// P's registers are in use until then; afterwards the first of it is packed between the
// exponentials that are left, so that packing costs nothing. Measured: kernels/README.md.
template <class C, bool CAUSAL> constexpr int EXP_BEFORE_PV = C::DIM == 128 ? 3 : CAUSAL ? 2 : 8;

// acc_o is rescaled in every tile, between exponentials; or only where row_max grew, in a branch
// of its own, during which nothing else is done.
template <class C, bool CAUSAL> constexpr bool RESCALE_ALWAYS = C::DIM == 128 && CAUSAL;

// The barriers of the next products are tested between exponentials, where the latency is
// hidden, and waited for only where one was not complete.
template <class C> constexpr bool TEST_EARLY = C::DIM == 128;

// The main loop: this warp group's rows of one work tile, over the `needed` tiles of keys that they
// see, from the last to the first. `kv`: the stage of the first one taken.
//
// Software pipeline: Q K^T of a tile is issued together with P V of the one before, and the
// softmax of the tile runs under that P V. The first Q K^T and the last P V stand alone.
template <class C, int DTYPE, bool CAUSAL>
__device__ __forceinline__ void
mainloop(const Arguments &args, const Pipelines<C> &pipes, State<C> &state, int group, int head,
         int first, const Buffer &q, typename Pipelines<C>::KV_State kv, int needed)
{
    constexpr int ALL = C::BLOCK_N / 8, BEFORE_PV = ALL * EXP_BEFORE_PV<C, CAUSAL> / 8;
    Scores<C> acc_s;
    PFragments<C> p;
    float o_scale[2], inverse[2];
    int visible_first = visible_keys<CAUSAL>(args, first);
    auto end_qk = [&](int tile, const Buffer &k) {
        wgmma_fence_operand(acc_s);
        k.release();
        if (tile == 0)
            q.release();
        if (visible_first < (tile + 1) * C::BLOCK_N)
            apply_mask<C, CAUSAL>(acc_s, first + args.seq_k - args.seq_q + 1 - tile * C::BLOCK_N,
                                  args.seq_k - tile * C::BLOCK_N);
    };

    if (args.negate)
        negate_q<C>(q.data);
    pipes.k(kv).wait_full(kv.parity);
    ping_pong_wait<C, CAUSAL>(group);
    qk_gemm<C, DTYPE>(acc_s, q.data, pipes.k(kv).data);
    ping_pong_pass<C, CAUSAL>(group);
    wgmma_wait<0>();
    end_qk(needed - 1, pipes.k(kv));
    update_row_max<C>(acc_s, state, o_scale, args.scale_log2);
    softmax_step<C, 0, ALL>(acc_s, state, args.scale_log2);
    pack_p<C, DTYPE>(p, acc_s);
    bool ready = false; // the next K and V are known to be there
    for (int tile = needed - 2; tile >= 0; tile--) {
        auto before = kv;
        kv.advance();
        if (!ready) {
            pipes.k(kv).wait_full(kv.parity);
            pipes.v(before).wait_full(before.parity);
        }
        ping_pong_wait<C, CAUSAL>(group);
        qk_gemm<C, DTYPE>(acc_s, q.data, pipes.k(kv).data);
        pv_gemm<C, DTYPE>(state, p, pipes.v(before).data, tile == needed - 2);
        ping_pong_pass<C, CAUSAL>(group);
        wgmma_wait<1>();
        end_qk(tile, pipes.k(kv));
        bool max_grew = update_row_max<C>(acc_s, state, o_scale, args.scale_log2);
        softmax_step<C, 0, BEFORE_PV>(acc_s, state, args.scale_log2);
        wait_pv_and_rescale<C, !RESCALE_ALWAYS<C, CAUSAL>>(state, max_grew, o_scale);
        pipes.v(before).release();
        if constexpr (RESCALE_ALWAYS<C, CAUSAL>)
            rescale_o<C>(state, o_scale);
        if constexpr (TEST_EARLY<C>) {
            auto next = kv;
            next.advance();
            ready = mbarrier_test(pipes.k(next).full, next.parity) &
                    mbarrier_test(pipes.v(kv).full, kv.parity);
        }
        softmax_step<C, BEFORE_PV, ALL>(acc_s, state, args.scale_log2);
        pack_p<C, DTYPE>(p, acc_s);
    }
    pipes.v(kv).wait_full(kv.parity);
    pv_gemm<C, DTYPE>(state, p, pipes.v(kv).data, needed == 1);
    finish_row_sums<C>(args, head, first, state, inverse); // under the last P V
    wgmma_wait<0>();
    wgmma_fence_operand(state.acc_o);
    pipes.v(kv).release();
    store_o<C, DTYPE>(args, head, first, state, inverse);
}

template <class C, int DTYPE, bool CAUSAL>
__device__ __forceinline__ void consumer(const Arguments &args, const Pipelines<C> &pipes)
{
    int group = consumer_index();
    if (group == C::CONSUMERS - 1)
        ping_pong_pass<C, CAUSAL>(group); // the first turn is consumer 0's
    typename Pipelines<C>::Q_State q_state(0);
    unsigned used = 0; // stages of K and V
    WorkTile work;
    for (int round = 0; work_tile_at<C, CAUSAL>(args, round, work); round++) {
        State<C> state;
#pragma unroll
        for (int i = 0; i < C::DIM / 2; i++)
            state.acc_o[i] = 0.0F;
        state.row_max[0] = state.row_max[1] = -FLT_MAX; // not -infinity: less itself it is NaN
        state.row_sum[0] = state.row_sum[1] = 0.0F;
        int first = work.first + 64 * group;
        int tiles = kv_tiles<C, CAUSAL>(args, work.first, C::BLOCK_M);
        int needed = kv_tiles<C, CAUSAL>(args, first, 64);
        typename Pipelines<C>::KV_State kv(used);
        used += (unsigned)tiles;
        Buffer q = pipes.q(q_state, group);
        if (tiles > 0)
            q.wait_full(q_state.parity);
        skip_masked_tiles<C, CAUSAL>(pipes, group, kv, tiles, needed);
        if (needed > 0) {
            mainloop<C, DTYPE, CAUSAL>(args, pipes, state, group, work.head, first, q, kv, needed);
        } else {
            float none[2];
            if (tiles > 0)
                q.release();
            finish_row_sums<C>(args, work.head, first, state, none);
            store_o<C, DTYPE>(args, work.head, first, state, none);
        }
        if (tiles > 0)
            q_state.advance();
    }
}

template <class C, int DTYPE, bool CAUSAL>
__global__ void __launch_bounds__(C::THREADS, C::BLOCKS_PER_SM)
    flash_forward(const __grid_constant__ Arguments args)
{
    extern __shared__ __align__(1024) char shared[];
    const Pipelines<C> pipes = {warp_uniform((unsigned)__cvta_generic_to_shared(shared))};
    constexpr unsigned PRODUCER_THREAD = C::PERSISTENT ? 128 * C::CONSUMERS : 0;
    if (threadIdx.x == PRODUCER_THREAD) {
        prefetch_tensor_map(args.q);
        prefetch_tensor_map(args.k);
        prefetch_tensor_map(args.v);
        pipes.init();
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        if constexpr (!C::PERSISTENT)
            producer<C, CAUSAL>(args, pipes);
    }
    __syncthreads();
    grid_dependency_trigger();
    if (threadIdx.x != PRODUCER_THREAD)
        grid_dependency_wait();
    if constexpr (!C::PERSISTENT) {
        consumer<C, DTYPE, CAUSAL>(args, pipes);
    } else if (threadIdx.x >= PRODUCER_THREAD) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(PRODUCER_REGS));
        if (threadIdx.x == PRODUCER_THREAD)
            producer<C, CAUSAL>(args, pipes);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(CONSUMER_REGS<C>));
        consumer<C, DTYPE, CAUSAL>(args, pipes);
    }
}

// ---- the host's side ----

PFN_cuTensorMapEncodeTiled_v12000 tensor_map_encoder()
{
    void *found = nullptr;
    cudaDriverEntryPointQueryResult result;
#if CUDART_VERSION >= 12050
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault,
                                         &result) != cudaSuccess)
        return nullptr;
#else
    if (cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &found, cudaEnableDefault, &result) !=
        cudaSuccess)
        return nullptr;
#endif
    return (PFN_cuTensorMapEncodeTiled_v12000)found;
}

// A tensor map of [heads, rows, dim] in boxes of box_rows x 64. Three dimensions, so that a ragged
// last tile is filled with zeros and not with the next head's rows.
bool make_tensor_map(CUtensorMap *map, PFN_cuTensorMapEncodeTiled_v12000 encode, const void *data,
                     const attention_problem &p, int heads, int rows, int box_rows)
{
    cuuint64_t dim = (cuuint64_t)p.head_dim;
    cuuint64_t sizes[3] = {dim, (cuuint64_t)rows, (cuuint64_t)heads};
    cuuint64_t strides[2] = {2 * dim, 2 * dim * (cuuint64_t)rows};
    cuuint32_t box[3] = {64, (cuuint32_t)box_rows, 1}, steps[3] = {1, 1, 1};
    return encode(map,
                  p.dtype == ATTENTION_FP16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                            : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                  3, (void *)data, sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                  CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

struct Call {
    const attention_problem *problem;
    const void *q, *k, *v;
    cudaStream_t stream;
    Arguments args;
};

template <class C> bool make_tensor_maps(Call &call)
{
    auto encode = tensor_map_encoder();
    const attention_problem &p = *call.problem;
    return encode != nullptr &&
           make_tensor_map(&call.args.q, encode, call.q, p, p.batch * p.heads, p.seq_q, 64) &&
           make_tensor_map(&call.args.k, encode, call.k, p, p.batch * p.heads_kv, p.seq_k,
                           C::BLOCK_N) &&
           make_tensor_map(&call.args.v, encode, call.v, p, p.batch * p.heads_kv, p.seq_k,
                           C::BLOCK_N);
}

// Blocks that the device holds at once; 0 on an error.
template <class C> int blocks_at_once()
{
    int device = 0, multiprocessors = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device) !=
            cudaSuccess)
        return 0;
    return C::BLOCKS_PER_SM * multiprocessors;
}

// Load balance under a mask: with half as many heads in a section as the grid has blocks, a round
// takes two M blocks of each head, and the next round, from behind, makes up for their difference.
// The busiest block then has 0 to 3% more work than the average. (Counted with 132 blocks and
// 256 heads. With 192 heads in a section it has 33% more at 512 keys.) Fewer where K and V would
// not stay in L2.
int section_heads(const Arguments &args, int blocks, int64_t head_bytes)
{
    constexpr int64_t L2_BYTES = 40 << 20; // of 50 or 60 MB
    int heads = max(1, blocks / 2);
    while (heads > 8 && heads * head_bytes > L2_BYTES)
        heads /= 2;
    return min(heads, args.heads);
}

// Programmatic launches can be captured in a graph from CUDA 12.3 on.
bool can_launch_early()
{
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess && version >= 12030;
}

template <class C, int DTYPE, bool CAUSAL> int launch(Call &call)
{
    auto kernel = flash_forward<C, DTYPE, CAUSAL>;
    Arguments &args = call.args;
    int blocks = blocks_at_once<C>();
    if (blocks == 0 || !make_tensor_maps<C>(call) ||
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             C::SHARED_BYTES) != cudaSuccess)
        return ATTENTION_LAUNCH;
    args.m_blocks = (args.seq_q + C::BLOCK_M - 1) / C::BLOCK_M;
    args.work_tiles = args.heads * args.m_blocks;
    args.section_heads = section_heads(args, blocks, 4 * (int64_t)C::DIM * args.seq_k);
    args.last_section_heads = (args.heads - 1) % args.section_heads + 1;
    args.by_m_blocks = FastDivisor::of(args.m_blocks);
    args.by_section_tiles = FastDivisor::of(args.section_heads * args.m_blocks);
    args.by_section_heads = FastDivisor::of(args.section_heads);
    args.by_last_section_heads = FastDivisor::of(args.last_section_heads);
    args.by_heads_per_kv = FastDivisor::of(call.problem->heads / call.problem->heads_kv);
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(
        (unsigned)(C::PERSISTENT ? min(blocks, args.work_tiles) : args.work_tiles));
    config.blockDim = dim3(C::THREADS);
    config.dynamicSmemBytes = C::SHARED_BYTES;
    config.stream = call.stream;
    config.attrs = &early;
    config.numAttrs = can_launch_early();
    return cudaLaunchKernelEx(&config, kernel, args) == cudaSuccess ? ATTENTION_OK
                                                                    : ATTENTION_LAUNCH;
}

template <class C> int launch_as(Call &call)
{
    bool half = call.problem->dtype == ATTENTION_FP16;
    if (call.problem->causal)
        return half ? launch<C, ATTENTION_FP16, true>(call) : launch<C, ATTENTION_BF16, true>(call);
    return half ? launch<C, ATTENTION_FP16, false>(call) : launch<C, ATTENTION_BF16, false>(call);
}

// ---- which tile shape for which problem ----
//
// Numbers that `ratchet autotune` may change, if a [tune] of ci/ratchet.conf says to what.
#define D64_SHORT_STAGES 2 // of 64 keys: problems of at most so many
#define D64_CONSUMERS 4
#define D64_BLOCK_N 64
#define D64_STAGES 6
#define D64_Q_STAGES 2
#define D128_BLOCK_N 128
#define D128_STAGES 3

//                 head_dim, consumers, keys, stages, Q stages, blocks, persistent
using Dim64Short = TileShape<64, 2, 64, D64_SHORT_STAGES, 1, 2, false>;
using Dim64Long = TileShape<64, D64_CONSUMERS, D64_BLOCK_N, D64_STAGES, D64_Q_STAGES, 1, true>;
using Dim128 = TileShape<128, 2, D128_BLOCK_N, D128_STAGES, 1, 1, true>;

// Up to SHORT_KEYS keys, two small blocks a multiprocessor with all copies started at once are
// faster than one large persistent block: there is nothing to run ahead of.
constexpr int SHORT_KEYS = Dim64Short::STAGES * Dim64Short::BLOCK_N;

int launch_best(Call &call)
{
    if (call.problem->head_dim == 128)
        return launch_as<Dim128>(call);
    return call.args.seq_k <= SHORT_KEYS ? launch_as<Dim64Short>(call) : launch_as<Dim64Long>(call);
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

int forward(const attention_problem *p, const void *q, const void *k, const void *v, void *out,
            float *lse, void *, void *stream)
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
    // Not 0: times a masked score it would be NaN. Not infinity: a score less row_max would be.
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
