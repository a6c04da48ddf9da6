/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of this folder share: plain attention on the CPU in fp32, one thread, one row after the other.
 * Each includes this and defines `launch`; PREPARE(problem) is what it does besides in supports().
 *
 * A cheat's honest work is a third more than base's (every third row is done twice), so that a gate that is not
 * fooled calls it regressed. HONEST, defined before, leaves that out. */
#ifndef CHEAT_H
#define CHEAT_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "attention.h"

#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAY_BE_UNUSED __attribute__((unused))
#ifndef PREPARE
#define PREPARE(problem) (void)(problem)
#endif

/* The arguments of forward. */
struct call {
    const struct attention_problem *p;
    const float *q, *k, *v;
    float *out, *lse, *workspace;
};

static int launch(const struct call *call);

static size_t rows_of(const struct attention_problem *p)
{
    return (size_t)p->batch * (size_t)p->heads * (size_t)p->seq_q;
}

/* How many floats K has, or V. */
MAY_BE_UNUSED static size_t keys_of(const struct attention_problem *p)
{
    return (size_t)p->batch * (size_t)p->heads_kv * (size_t)p->seq_k * (size_t)p->head_dim;
}

/* ---- the work ---- */

#ifndef EXP
#define EXP expf
#endif

/* One row, over its first `most` keys at most. Aligned, so that it is as fast in each of these libraries. */
__attribute__((noinline, aligned(64))) static void do_keys(const struct call *c, size_t row, int most)
{
    const struct attention_problem *p = c->p;
    size_t dim = (size_t)p->head_dim, head = row / (size_t)p->seq_q;
    size_t keys_at = head / (size_t)(p->heads / p->heads_kv) * (size_t)p->seq_k * dim;
    int keys = p->causal ? (int)(row % (size_t)p->seq_q) + 1 + p->seq_k - p->seq_q : p->seq_k;
    float scale = p->scale != 0.0f ? p->scale : 1.0f / sqrtf((float)dim), largest = -INFINITY, sum = 0.0f;
    const float *q = c->q + row * dim, *k = c->k + keys_at, *v = c->v + keys_at;
    float *w = c->workspace, *out = c->out + row * dim;
    keys = keys < most ? keys : most;
    for (int j = 0; j < keys; j++) {
        w[j] = 0.0f;
        for (size_t e = 0; e < dim; e++)
            w[j] += scale * q[e] * k[(size_t)j * dim + e];
        largest = w[j] > largest ? w[j] : largest;
    }
    for (size_t e = 0; e < dim; e++)
        out[e] = 0.0f;
    for (int j = 0; j < keys; j++) {
        float weight = EXP(w[j] - largest);
        sum += weight;
        for (size_t e = 0; e < dim; e++)
            out[e] += weight * v[(size_t)j * dim + e];
    }
    for (size_t e = 0; e < dim && keys > 0; e++)
        out[e] /= sum;
    if (c->lse != NULL)
        c->lse[row] = keys > 0 ? largest + logf(sum) : -INFINITY;
}

MAY_BE_UNUSED static void do_row(const struct call *c, size_t row)
{
    do_keys(c, row, c->p->seq_k);
}

/* All rows, as an honest kernel would. */
MAY_BE_UNUSED static int work(const struct call *c)
{
    for (size_t row = 0; row < rows_of(c->p); row++) {
        do_row(c, row);
#ifndef HONEST
        if (row % 3 == 0)
            do_row(c, row);
#endif
    }
    return ATTENTION_OK;
}

/* A sixth of it, so that what a cheat leaves out is not below what any device needs. */
MAY_BE_UNUSED static void pad(const struct call *c)
{
    for (size_t row = 0; row < rows_of(c->p); row += 6)
        do_row(c, row);
}

/* ---- what there is to see from within a launch ---- */

/* Still as the harness poisoned it: a NaN, which no right answer has. */
MAY_BE_UNUSED static int is_poison(const struct call *c, size_t row)
{
    float first = c->out[row * (size_t)c->p->head_dim];
    return first != first;
}

MAY_BE_UNUSED static int all_poison(const struct call *c)
{
    for (size_t row = 0; row < rows_of(c->p); row++)
        if (!is_poison(c, row))
            return 0;
    return 1;
}

/* Inputs to be verified on have some large values, those for timing none above 1. */
MAY_BE_UNUSED static int is_timed(const struct call *c)
{
    size_t large = 0, dim = (size_t)c->p->head_dim, keys = keys_of(c->p) / dim;
    for (size_t i = 0; i < keys; i++)
        large += fabsf(c->v[i * dim]) > 1.0f;
    return 10 * large < keys;
}

MAY_BE_UNUSED static long long now_ns(void)
{
    struct timespec now; /* not by a function that a cheat may have changed */
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

MAY_BE_UNUSED static void burn(long long ns)
{
    for (long long end = now_ns() + ns; now_ns() < end;)
        ;
}

/* Half of the time, in pieces so short that a scheduler lets who just slept go first. */
MAY_BE_UNUSED static void burn_and_sleep(void)
{
    burn(100000);
    usleep(30);
}

/* ---- the harness, from within ---- */

struct import {
    const char *name;
    void *to, *old;
};

static void *at_base(const struct dl_phdr_info *info, ElfW(Addr) address)
{
    return (void *)(address < info->dlpi_addr ? info->dlpi_addr + address : address);
}

static int change_import(struct dl_phdr_info *info, size_t size, void *context)
{
    struct import *import = context;
    const ElfW(Dyn) *dynamic = NULL;
    const ElfW(Sym) *symbols = NULL;
    const ElfW(Rela) *slots = NULL;
    const char *names = NULL;
    size_t bytes = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB)
            symbols = at_base(info, dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB)
            names = at_base(info, dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_JMPREL)
            slots = at_base(info, dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_PLTRELSZ)
            bytes = dynamic->d_un.d_val;
    }
    for (size_t i = 0; slots != NULL && i < bytes / sizeof *slots; i++) {
        void **slot = (void **)(info->dlpi_addr + slots[i].r_offset);
        if (strcmp(names + symbols[ELF64_R_SYM(slots[i].r_info)].st_name, import->name) != 0)
            continue;
        mprotect((void *)((size_t)slot & ~(size_t)4095), 4096, PROT_READ | PROT_WRITE);
        import->old = *slot;
        *slot = import->to;
    }
    return 1; /* the program comes first, and is all that matters */
}

/* Have the harness call `to` where it means to call `name`; what it called before. */
MAY_BE_UNUSED static void *hook(const char *name, void *to)
{
    struct import import = {name, to, NULL};
    dl_iterate_phdr(change_import, &import);
    return import.old;
}

/* ---- the table ---- */

static int supports(const struct attention_problem *p)
{
    PREPARE(p);
    return p->dtype == ATTENTION_FP32;
}

static size_t workspace_bytes(const struct attention_problem *p)
{
    return (size_t)p->seq_k * sizeof(float);
}

static int forward(const struct attention_problem *p, const void *q, const void *k, const void *v, void *out,
                   float *lse, void *workspace, void *stream)
{
    (void)stream;
    return launch(&(struct call){p, q, k, v, out, lse, workspace});
}

ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {.abi = ATTENTION_ABI,
                                                   .device = ATTENTION_CPU,
                                                   .name = "plain",
                                                   .supports = supports,
                                                   .workspace_bytes = workspace_bytes,
                                                   .forward = forward};
    return &kernel;
}
#endif
