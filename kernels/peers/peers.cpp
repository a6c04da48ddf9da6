// SPDX-License-Identifier: Apache-2.0
// PyTorch's scaled_dot_product_attention behind our own ABI, one backend a library, so that other
// people's kernels can be arms beside ours: same problems, same buffers, same graphs, same clock.
// Built only where PyTorch is (build.py does it): define PEER as flash, efficient, cudnn
// or math. PyTorch keeps its output in memory of its own; it is copied to `out` only where
// somebody asks for it, which nobody does while time is taken: see attention.h on peers.
#include "attention.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cstdio>
#include <tuple>

#define PEER_TEXT2(x) #x
#define PEER_TEXT(x) PEER_TEXT2(x)

namespace {

struct answer {
    at::Tensor out, lse; // lse: undefined where it was not asked for
};

struct question {
    at::Tensor q, k, v;
    bool causal, with_lse;
    c10::optional<double> scale;
};

[[maybe_unused]] answer flash(const question &ask)
{
    auto all = at::_scaled_dot_product_flash_attention(ask.q, ask.k, ask.v, 0.0, ask.causal, false,
                                                       ask.scale);
    return {std::get<0>(all), std::get<1>(all)};
}

[[maybe_unused]] answer efficient(const question &ask)
{
    auto all = at::_scaled_dot_product_efficient_attention(
        ask.q, ask.k, ask.v, c10::nullopt, ask.with_lse, 0.0, ask.causal, ask.scale);
    return {std::get<0>(all), std::get<1>(all)};
}

[[maybe_unused]] answer cudnn(const question &ask)
{
    auto all = at::_scaled_dot_product_cudnn_attention(
        ask.q, ask.k, ask.v, c10::nullopt, ask.with_lse, 0.0, ask.causal, false, ask.scale);
    return {std::get<0>(all), std::get<1>(all)};
}

[[maybe_unused]] answer math(const question &ask)
{
    auto all = at::_scaled_dot_product_attention_math(ask.q, ask.k, ask.v, c10::nullopt, 0.0,
                                                      ask.causal, c10::nullopt, ask.scale);
    return {std::get<0>(all), at::Tensor()};
}

// The same number of queries and keys where there is a mask: PyTorch's is aligned to the top
// left, ours to the bottom right.
int supports(const attention_problem *p)
{
    return (p->dtype == ATTENTION_FP16 || p->dtype == ATTENTION_BF16) && p->head_dim % 8 == 0 &&
           p->head_dim <= 256 && p->heads == p->heads_kv && (!p->causal || p->seq_q == p->seq_k);
}

size_t workspace_bytes(const attention_problem *)
{
    return 0;
}

at::Tensor view(const void *data, int64_t batch, int64_t heads, int64_t rows, int64_t dim,
                at::ScalarType type)
{
    auto options = at::TensorOptions().dtype(type).device(at::kCUDA, c10::cuda::current_device());
    return at::from_blob(const_cast<void *>(data), {batch, heads, rows, dim}, options);
}

void copy_lse(const question &ask, const answer &got, const attention_problem &p, float *lse)
{
    at::Tensor to = view(lse, p.batch, p.heads, p.seq_q, 1, at::kFloat).squeeze(-1);
    at::Tensor from = got.lse;
    if (!from.defined() || from.numel() == 0) { // math keeps none
        double scale = ask.scale.value_or(1.0 / std::sqrt((double)p.head_dim));
        at::Tensor scores = at::matmul(ask.q.to(at::kFloat), ask.k.to(at::kFloat).transpose(-1, -2));
        scores.mul_(scale);
        if (ask.causal)
            scores.masked_fill_(at::ones_like(scores, at::kBool).triu_(1), -INFINITY);
        from = at::logsumexp(scores, -1);
    }
    to.copy_(from.reshape({p.batch, p.heads, -1}).slice(2, 0, p.seq_q));
}

int forward(const attention_problem *p, const void *q, const void *k, const void *v, void *out,
            float *lse, void *, void *stream)
try {
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    c10::InferenceMode no_gradients;
    int device = c10::cuda::current_device();
    c10::cuda::CUDAStreamGuard guard(
        c10::cuda::getStreamFromExternal((cudaStream_t)stream, (c10::DeviceIndex)device));
    at::ScalarType type = p->dtype == ATTENTION_FP16 ? at::kHalf : at::kBFloat16;
    question ask = {view(q, p->batch, p->heads, p->seq_q, p->head_dim, type),
                    view(k, p->batch, p->heads_kv, p->seq_k, p->head_dim, type),
                    view(v, p->batch, p->heads_kv, p->seq_k, p->head_dim, type),
                    p->causal != 0, out != nullptr && lse != nullptr, c10::nullopt};
    if (p->scale != 0.0F)
        ask.scale = (double)p->scale;
    answer got = PEER(ask);
    if (out != nullptr)
        view(out, p->batch, p->heads, p->seq_q, p->head_dim, type).copy_(got.out);
    if (ask.with_lse)
        copy_lse(ask, got, *p, lse);
    return ATTENTION_OK;
} catch (const std::exception &what) {
    std::fprintf(stderr, "peer-" PEER_TEXT(PEER) ": %s\n", what.what());
    return ATTENTION_LAUNCH;
}

const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA, "peer-" PEER_TEXT(PEER),
                                       supports, workspace_bytes, forward};

} // namespace

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
