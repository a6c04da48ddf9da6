/* SPDX-License-Identifier: Apache-2.0 */
/* The frameworks whose kernels can be arms of a sweep (kernels/peers), as Python has them here. */
#ifndef RATCHET_LAB_PEERS_H
#define RATCHET_LAB_PEERS_H

#include "base/err.h"
#include "model.h"

/* Add facts: peer_torch, peer_flash_attn, peer_xformers, peer_triton, each a version or
 * `not installed`; of a PyTorch that is there also peer_torch_cuda, peer_torch_cudnn and what a
 * process begins with: peer_torch_tf32 and peer_torch_deterministic. `python` is a program, by path
 * or on PATH, that is run as whoever asks; one that fails is told in each fact, no error. */
MUST_CHECK int peers_facts(const char *python, struct environment *environment,
                           struct err *err);

#endif
