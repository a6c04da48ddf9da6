/* SPDX-License-Identifier: Apache-2.0 */
/* Owns verification before anything is timed: one launch on fresh inputs, a look at every
 * element of its outputs, and some rows compared with the reference in fp64, or a hash of all. */
#include "harness/state.h"
#include "harness/storage.h"
#include "harness/verify.h"
#include "harness/voice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What lies behind the workspace of an arm: what it wants may be less than the others do. */
static char *behind_workspace(const struct harness *harness, enum arm arm)
{
    return (char *)harness->workspace.at + harness->workspace_of[arm];
}

static int guard_workspace(struct harness *harness, enum arm arm, struct err *err)
{
    char guard[GUARD_BYTES];
    if (harness->workspace.at == NULL)
        return 0;
    memset(guard, GUARD_BYTE, sizeof guard);
    return harness->ops->write(harness->device, behind_workspace(harness, arm), guard,
                               sizeof guard, err);
}

/* 1: it was written to; -1 */
static int look_behind_workspace(struct harness *harness, enum arm arm, struct err *err)
{
    char guard[GUARD_BYTES];
    if (harness->workspace.at == NULL)
        return 0;
    if (harness->ops->read(harness->device, guard, behind_workspace(harness, arm),
                           sizeof guard, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof guard; i++)
        if (guard[i] != GUARD_BYTE)
            return 1;
    return 0;
}

/* Free device memory, for the growth that a launch causes. */
static unsigned long long free_bytes(struct harness *harness)
{
    struct device_memory memory;
    harness->ops->memory(harness->device, &memory);
    return memory.free;
}

int command_forward(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t seed;
    if (words->count != 2 || harness->sets.q_count == 0 ||
        !words_arm(harness, words, 0, &arm) || !harness->prepared[arm] ||
        !words_number(words, 1, UINT64_MAX, &seed))
        return bad_command(err);
    harness->ran = ARM_COUNT;
    harness->verify_seed = seed;
    if (write_set(harness, seed, err) != 0 || poison_outputs(harness, err) != 0 ||
        guard_workspace(harness, arm, err) != 0)
        return -1;
    unsigned long long before = free_bytes(harness);
    struct device_sample sample;
    int result = launch(harness, arm, &(struct device_plan){.launches = 1}, &sample, err);
    if (result != 0)
        return result < 0 ? -1 : 0;
    unsigned long long after = free_bytes(harness);
    char text[WIRE_TEXT_BYTES];
    const struct device_outputs outputs = outputs_of(harness);
    result = harness->ops->scan(harness->device, &harness->problem, &outputs,
                                harness->largest_value, text, sizeof text, err);
    if (result == 0 && (result = look_behind_workspace(harness, arm, err)) > 0)
        snprintf(text, sizeof text, "the workspace was written behind its end");
    if (result < 0)
        return -1;
    if (result > 0) {
        say_wrong(arm, text);
        return 0;
    }
    harness->ran = arm;
    voice_say("ran %s %llu", arm_name(arm), before > after ? before - after : 0);
    return 0;
}

/* Every bit counts, and where it stands. `bytes` is a multiple of 2. */
static uint64_t hash_on(uint64_t hash, const char *at, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += sizeof hash) {
        uint64_t word = 0;
        size_t left = bytes - done;
        memcpy(&word, at + done, left < sizeof word ? left : sizeof word);
        hash = inputs_mix(hash ^ word);
    }
    return hash;
}

/* Some bytes of the device's memory, a piece at a time. */
static int hash_memory(struct harness *harness, const void *from, size_t bytes, uint64_t *hash,
                       struct err *err)
{
    enum { PIECE_BYTES = 1 << 20 };
    int result = 0;
    char *piece = malloc(PIECE_BYTES);
    if (piece == NULL)
        return err_set(err, ERR_HOST, "no memory for the outputs");
    for (size_t done = 0; result == 0 && done < bytes; done += PIECE_BYTES) {
        size_t some = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        result = harness->ops->read(harness->device, piece, (const char *)from + done, some,
                                    err);
        if (result == 0)
            *hash = hash_on(*hash, piece, some);
    }
    free(piece);
    return result;
}

int command_bits(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t hash = 0;
    if (words->count != 1 || !words_arm(harness, words, 0, &arm) || harness->ran != arm)
        return bad_command(err);
    size_t rows = inputs_rows(&harness->problem, INPUTS_Q);
    size_t bytes = rows * (size_t)harness->problem.head_dim *
                   storage_bytes(harness->problem.dtype);
    if (hash_memory(harness, harness->out.at, bytes, &hash, err) != 0 ||
        hash_memory(harness, harness->lse.at, rows * sizeof(float), &hash, err) != 0)
        return -1;
    voice_say("hashed %s %llu %llu", arm_name(arm), (unsigned long long)(hash >> 32),
              (unsigned long long)(hash & UINT32_MAX));
    return 0;
}

/* qsort on row numbers: rows of one head follow one another, and its keys are made once. */
static int order_rows(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Compare some rows of what arm `arm` wrote; 1: said wrong. `sums`: the reference's, where the
 * device made them, else NULL. */
static int check_rows(struct harness *harness, enum arm arm, const uint64_t *rows,
                      size_t count, const double *sums, double *worst, struct err *err)
{
    const struct inputs inputs = inputs_alike(&harness->problem, harness->verify_seed,
                                              INPUTS_VERIFY);
    size_t dim = (size_t)harness->problem.head_dim;
    for (size_t i = 0; i < count; i++) {
        char text[WIRE_TEXT_BYTES];
        const struct verify_reference *reference =
            sums == NULL ? verifier_reference(harness->verifier, &inputs, (size_t)rows[i])
                         : verifier_from_sums(harness->verifier, sums + i * VERIFY_SUMS(dim));
        if (read_row(harness, (size_t)rows[i], err) != 0)
            return -1;
        if (verify_row(&harness->problem, reference, (size_t)rows[i], harness->row,
                       harness->row[dim], worst, text, sizeof text))
            continue;
        say_wrong(arm, text);
        return 1;
    }
    return 0;
}

int command_rows(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t seed;
    uint64_t count;
    if (words->count != 3 || !words_arm(harness, words, 0, &arm) || harness->ran != arm ||
        !words_number(words, 1, UINT64_MAX, &seed) ||
        !words_number(words, 2, WIRE_ROWS_MAX, &count) || count == 0)
        return bad_command(err);
    harness->ran = ARM_COUNT;
    uint64_t rows[WIRE_ROWS_MAX];
    size_t all = inputs_rows(&harness->problem, INPUTS_Q);
    size_t chosen = all < count ? all : (size_t)count;
    if (chosen == 0)
        return bad_command(err); /* never: a problem has rows */
    for (size_t i = 0; i < chosen; i++)
        rows[i] = all <= count ? i : inputs_below(inputs_mix(seed + i), all);
    qsort(rows, chosen, sizeof rows[0], order_rows);

    const struct inputs inputs = inputs_alike(&harness->problem, harness->verify_seed,
                                              INPUTS_VERIFY);
    double *sums = NULL;
    int result = 0;
    if (harness->ops->sums != NULL) {
        sums = malloc(chosen * VERIFY_SUMS(harness->problem.head_dim) * sizeof *sums);
        result = sums == NULL
                     ? err_set(err, ERR_HOST, "no memory for the reference")
                     : harness->ops->sums(harness->device, &inputs, rows, chosen, sums, err);
    }
    double worst = 0.0;
    if (result == 0)
        result = check_rows(harness, arm, rows, chosen, sums, &worst, err);
    free(sums);
    if (result == 0)
        voice_say("right %s %zu %.0f", arm_name(arm), chosen, floor(1e6 * worst));
    return result < 0 ? -1 : 0;
}
