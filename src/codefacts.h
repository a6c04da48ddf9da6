/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of machine code, without running it: what measure reads out of a library, judge compares
 * and publish shows. Plain data. No verdict depends on it. */
#ifndef RATCHET_CODEFACTS_H
#define RATCHET_CODEFACTS_H

#include <stddef.h>
#include <stdint.h>

/* name, key in verdict.json, what people read. Instructions are counted where they stand in the
 * code, padding left out, not as often as they run. */
#define CODE_FACT_TABLE(X)                                                        \
    X(REGISTERS, "registers", "registers a thread")                               \
    X(SPILL_STORES, "spill_stores", "bytes spilled a thread")                     \
    X(SPILL_LOADS, "spill_loads", "bytes of spills read back")                    \
    X(STACK, "stack", "bytes of stack a thread")                                  \
    X(STATIC_SHARED, "static_shared", "bytes of static shared memory a block")    \
    X(DYNAMIC_SHARED, "dynamic_shared", "bytes of dynamic shared memory a block") \
    X(THREADS, "threads", "threads a block")                                      \
    X(BLOCKS, "blocks", "blocks of a launch")                                     \
    X(LAUNCHES, "launches", "launches a call")                                    \
    X(WARPS, "warps", "warps that a multiprocessor can hold of it")               \
    X(TEXT, "text", "bytes of code")                                              \
    X(INSTRUCTIONS, "instructions", "instructions")                               \
    X(TENSOR, "tensor", "– tensor cores")                                         \
    X(FMA, "fma", "– fused multiply-add")                                         \
    X(PACKED, "packed", "– packed floating point")                                \
    X(SCALAR, "scalar", "– scalar floating point")                                \
    X(GLOBAL, "global", "– global memory")                                        \
    X(SHARED, "shared", "– shared memory")                                        \
    X(LOCAL, "local", "– local memory")                                           \
    X(BARRIER, "barrier", "– barriers and waits")                                 \
    X(BRANCH, "branch", "– branches and calls")                                   \
    X(OTHER, "other", "– others")

enum code_fact {
#define CODE_FACT_NAME(name, ...) CODE_##name,
    CODE_FACT_TABLE(CODE_FACT_NAME)
#undef CODE_FACT_NAME
        CODE_FACTS
};
const char *code_fact_key(enum code_fact fact);
const char *code_fact_words(enum code_fact fact);

#define CODE_FACT_MAX (1ll << 52) /* of any fact */

enum { CODE_NAME_BYTES = 200 };

/* One kernel; on a processor all code of a library. */
struct machine_code {
    char
        name[CODE_NAME_BYTES]; /* foreign text, printable ASCII, cut; "" for a whole library */
    uint64_t key; /* of the whole name, what varies from build to build left out */
    long long facts[CODE_FACTS]; /* -1: not known */
};
/* A kernel without a fact. */
struct machine_code machine_code_none(void);

/* The kernels of a library, in the order of its file. */
struct code_listing {
    struct machine_code *kernels; /* owned */
    size_t count;
};
void code_listing_free(struct code_listing *listing);
/* Of `all`, those that were `launched`, in that order and with what is known of their launches; one
 * of which no code is known has nothing else. 0, or -1 when memory ran out. */
int code_listing_launched(const struct code_listing *all, const struct code_listing *launched,
                          struct code_listing *out);
#define CODE_LISTING_AUTO __attribute__((cleanup(code_listing_free))) struct code_listing

/* How the kernels of two libraries differ. */
enum { CODE_PAIRS_MAX = 3, CODE_LINE_BYTES = 400 };
struct code_change {
    char line[CODE_LINE_BYTES]; /* in plain words; "": nobody looked */
    struct code_pair {
        struct machine_code head, against;
    } pairs[CODE_PAIRS_MAX]; /* kernels that differ, those that differ most first */
    size_t count;
    size_t left_out; /* pairs that differ besides */
    size_t alike;    /* pairs that do not */
    size_t unpaired; /* kernels that only one of the two has */
};

#endif
