// SPDX-License-Identifier: Apache-2.0
// What a GPU can do at most, behind our own ABI, so that it is timed like any kernel: same processes,
// same graphs, same clock. Define CEILING as copy or matrix, and for Hopper CEILING_SM90 as well, which
// multiplies with wgmma instead of mma.sync (build.py does it).
//
// Asked for a result it computes attention, with one of our kernels, and so it can be verified. Where
// nobody takes the result, as while it is timed (attention.h on peers), it does this instead:
//     copy     copies Q and V: as many bytes are read and written as Q, K, V and O have
//     matrix   as many multiplications and additions as attention has, of numbers from Q and K (a
//              GPU that multiplies zeros needs less power, and is faster than it ever will be at work)
#include "attention.h"

#undef ATTENTION_EXPORT
#define ATTENTION_EXPORT // the attention kernel's own table stays within
#define attention_kernel(...) attention(__VA_ARGS__)
#ifdef CEILING_SM90
#include "../attention_sm90.cu"
#else
#include "../attention_sm80.cu"
#endif
#undef attention_kernel

#define CEILING_copy 0
#define CEILING_matrix 1
#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)

namespace {

constexpr bool MULTIPLIES = PASTE(CEILING_, CEILING) == CEILING_matrix;
constexpr int COPY_THREADS = 256;

// A thread copies 16 bytes and ends: on an H200 that is faster than threads that walk (4.24 against 3.90 TB/s,
// bytes read and written), and than cudaMemcpy (4.20).
__global__ void __launch_bounds__(COPY_THREADS) copy_chunks(const uint4 *from, uint4 *to, size_t count)
{
    size_t i = (size_t)blockIdx.x * COPY_THREADS + threadIdx.x;
    if (i < count)
        to[i] = from[i];
}

// ---- matrices ----

// A use of the sums that never happens, so that nothing that makes them is left out.
__device__ __forceinline__ void use(float total)
{
    if (total == 1.2345678e37F)
        asm volatile("trap;");
}

#ifdef CEILING_SM90

// On an H200 825 TFLOP/s in fp16, of numbers between 1/2 and 2; the vendor's peak is 989.
//
// Two warp groups, each 64 x 128 sums; a tile of A for each and one of B for both in shared memory, rows of
// 128 bytes. How they are swizzled makes no difference to numbers that nobody reads.
constexpr int MATRIX_THREADS = 256, MATRIX_BLOCKS = 2, STEPS = 4;
constexpr double OPERATIONS_A_ROUND = 2.0 * STEPS * 2 * 64 * 128 * 16; // of a block
constexpr int A_BYTES = 64 * 128, B_BYTES = 128 * 128;
constexpr int MATRIX_BYTES = 2 * A_BYTES + B_BYTES;

template <int DTYPE>
__global__ void __launch_bounds__(MATRIX_THREADS, MATRIX_BLOCKS)
    multiply(const uint4 *q, const uint4 *k, int rounds)
{
    extern __shared__ __align__(1024) unsigned char tiles[];
    uint4 *chunks = (uint4 *)tiles;
    for (int i = (int)threadIdx.x; i < MATRIX_BYTES / 16; i += MATRIX_THREADS)
        chunks[i] = i < 2 * A_BYTES / 16 ? q[i] : k[i];
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    unsigned base = (unsigned)__cvta_generic_to_shared(tiles);
    unsigned group = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
    unsigned a = (base + group * A_BYTES) >> 4, b = (base + 2 * A_BYTES) >> 4;
    float sums[64];
#pragma unroll
    for (int i = 0; i < 64; i++)
        sums[i] = 0.0F;
    wgmma_fence_operand(sums);
    for (int round = 0; round < rounds; round++) {
        wgmma_fence();
#pragma unroll
        for (unsigned step = 0; step < STEPS; step++)
            wgmma<DTYPE, 128>(sums, smem_descriptor(a + step * 2), smem_descriptor(b + step * 2), 1);
        wgmma_commit();
        wgmma_wait<1>();
    }
    wgmma_wait<0>();
    wgmma_fence_operand(sums);
    float total = 0.0F;
#pragma unroll
    for (int i = 0; i < 64; i++)
        total += sums[i];
    use(total);
}

#else

// Eight warps, each 16 tiles of 16 x 8 sums, with fragments in registers.
constexpr int MATRIX_THREADS = 256, MATRIX_BLOCKS = 2, TILES = 16;
constexpr double OPERATIONS_A_ROUND = 2.0 * 8 * TILES * 16 * 8 * 16; // of a block
constexpr int MATRIX_BYTES = 0;

template <int DTYPE>
__global__ void __launch_bounds__(MATRIX_THREADS, MATRIX_BLOCKS)
    multiply(const uint4 *q, const uint4 *k, int rounds)
{
    uint4 chunk = q[threadIdx.x], other = k[threadIdx.x];
    unsigned a[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
    float sums[TILES][4] = {};
    for (int round = 0; round < rounds; round++)
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
            mma_16816<DTYPE>(sums[tile], a, tile % 2 ? other.x : other.y, other.z);
    float total = 0.0F;
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
        total += sums[tile][0] + sums[tile][1] + sums[tile][2] + sums[tile][3];
    use(total);
}

#endif

// ---- the table ----

int multiprocessors()
{
    int device = 0, count = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
    return count;
}

size_t tensor_bytes(const attention_problem *p, int heads, int rows)
{
    return (size_t)2 * (size_t)p->batch * (size_t)heads * (size_t)rows * (size_t)p->head_dim;
}

size_t ceiling_workspace_bytes(const attention_problem *p)
{
    return MULTIPLIES ? 0 : tensor_bytes(p, p->heads, p->seq_q) + tensor_bytes(p, p->heads_kv, p->seq_k);
}

void launch_copy(const void *from, void *to, size_t bytes, cudaStream_t stream)
{
    size_t count = bytes / 16;
    unsigned blocks = (unsigned)((count + COPY_THREADS - 1) / COPY_THREADS);
    copy_chunks<<<blocks, COPY_THREADS, 0, stream>>>((const uint4 *)from, (uint4 *)to, count);
}

void launch_copies(const attention_problem *p, const void *q, const void *v, void *to, cudaStream_t stream)
{
    size_t q_bytes = tensor_bytes(p, p->heads, p->seq_q);
    launch_copy(q, to, q_bytes, stream);
    launch_copy(v, (char *)to + q_bytes, tensor_bytes(p, p->heads_kv, p->seq_k), stream);
}

template <int DTYPE>
void launch_matrix(const attention_problem *p, const void *q, const void *k, cudaStream_t stream)
{
    int blocks = multiprocessors() * MATRIX_BLOCKS;
    double operations = 4.0 * p->batch * p->heads * p->head_dim * (double)p->seq_q * p->seq_k;
    double rounds = ceil(operations / (OPERATIONS_A_ROUND * blocks)); // no fewer than asked for
    if (MATRIX_BYTES > 0)
        cudaFuncSetAttribute(multiply<DTYPE>, cudaFuncAttributeMaxDynamicSharedMemorySize, MATRIX_BYTES);
    multiply<DTYPE><<<(unsigned)blocks, MATRIX_THREADS, MATRIX_BYTES, stream>>>(
        (const uint4 *)q, (const uint4 *)k, (int)fmin(rounds, 2e9));
}

// Q and K have to fill the tiles.
int ceiling_supports(const attention_problem *p)
{
    return supports(p) && !p->causal && tensor_bytes(p, p->heads, p->seq_q) >= 65536 &&
           tensor_bytes(p, p->heads_kv, p->seq_k) >= 65536;
}

int ceiling_forward(const attention_problem *p, const void *q, const void *k, const void *v, void *out,
                    float *lse, void *workspace, void *stream)
{
    if (!ceiling_supports(p))
        return ATTENTION_UNSUPPORTED;
    if (out != nullptr)
        return forward(p, q, k, v, out, lse, nullptr, stream);
    if (!MULTIPLIES)
        launch_copies(p, q, v, workspace, (cudaStream_t)stream);
    else if (p->dtype == ATTENTION_FP16)
        launch_matrix<ATTENTION_FP16>(p, q, k, (cudaStream_t)stream);
    else
        launch_matrix<ATTENTION_BF16>(p, q, k, (cudaStream_t)stream);
    return cudaGetLastError() == cudaSuccess ? ATTENTION_OK : ATTENTION_LAUNCH;
}

const struct attention_kernel ceiling = {ATTENTION_ABI,
                                         ATTENTION_CUDA,
                                         MULTIPLIES ? "peer-matrix" : "peer-copy",
                                         ceiling_supports,
                                         ceiling_workspace_bytes,
                                         ceiling_forward};

} // namespace

extern "C" __attribute__((visibility("default"))) const struct attention_kernel *attention_kernel(void)
{
    return &ceiling;
}
