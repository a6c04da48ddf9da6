/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what comes before a kernel may run: the device, the libraries in their slots, the current
 * problem with its arms, and the memory that these share. */
#include "harness/state.h"
#include "harness/storage.h"
#include "harness/verify.h"
#include "harness/voice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the device and the libraries ---- */

int command_open(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t threads;
    uint64_t watchdog;
    int32_t cpus[WIRE_CPUS_MAX];
    if (harness->device != NULL || !words_number(words, 0, WIRE_THREADS_MAX, &threads) ||
        threads == 0 || !words_number(words, 1, UINT32_MAX, &watchdog) ||
        words->count - 2 > WIRE_CPUS_MAX)
        return bad_command(err);
    for (size_t i = 2; i < words->count; i++) {
        uint64_t cpu;
        if (!words_number(words, i, INT32_MAX, &cpu))
            return bad_command(err);
        cpus[i - 2] = (int32_t)cpu;
    }
    const struct device_options options = {
        .threads = (int32_t)threads, .cpus = cpus, .cpu_count = words->count - 2};
    if (harness->ops->open(&options, &harness->device, err) != 0)
        return -1;
    harness->watchdog_ms = (unsigned long)watchdog;
    struct device_memory memory;
    harness->ops->memory(harness->device, &memory);
    voice_say("opened %llu %llu %llu %d", memory.l2, memory.free, memory.total,
              harness->ops->clock_apart);
    return 0;
}

/* 1: it is refused, as `text` says. */
static int load(struct harness *harness, size_t slot, const char *path,
                char text[WIRE_TEXT_BYTES], struct err *err)
{
    struct library library = {0};
    if (library_is_loaded(&harness->libraries[slot])) {
        snprintf(text, WIRE_TEXT_BYTES, "slot %zu is taken", slot);
        return 1;
    }
    int refused = harness->ops->load(harness->device, path, &library, text, err);
    if (refused != 0)
        return refused;
    /* One object in two slots would share its code and state: no comparison of two arms. */
    for (size_t i = 0; library.handle != NULL && i < WIRE_SLOTS_MAX; i++)
        if (harness->libraries[i].handle == library.handle) {
            snprintf(text, WIRE_TEXT_BYTES, "the same object as slot %zu", i);
            return 1;
        }
    harness->libraries[slot] = library;
    return 0;
}

int command_load(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t slot;
    char path[sizeof harness->folder + WIRE_NAME_BYTES + 1];
    if (harness->device == NULL || harness->configured ||
        !words_number(words, 0, WIRE_SLOTS_MAX - 1, &slot) || words->count != 2 ||
        !model_name_ok(words->at[1]))
        return bad_command(err);
    snprintf(path, sizeof path, "%s/%s", harness->folder, words->at[1]);
    char text[WIRE_TEXT_BYTES];
    int refused = load(harness, (size_t)slot, path, text, err);
    if (refused < 0)
        return -1;
    if (refused > 0)
        voice_say("refused %u %.*s", (unsigned)slot, WIRE_TEXT_BYTES - 1, text);
    else
        voice_say("loaded %u %s", (unsigned)slot, harness->libraries[slot].name);
    return 0;
}

/* ---- a problem ---- */

static bool word_slot(const struct harness *harness, const struct words *words, size_t i,
                      int *out)
{
    uint64_t slot;
    *out = -1;
    if (i >= words->count || strcmp(words->at[i], "-") == 0)
        return true;
    if (!words_number(words, i, WIRE_SLOTS_MAX - 1, &slot) ||
        !library_is_loaded(&harness->libraries[slot]))
        return false;
    *out = (int)slot;
    return true;
}

/* Sizes are products of these, and must stay far from the end of size_t. */
static bool sizes_fit(const struct attention_problem *problem)
{
    const double most = 1e13;
    double elements = (double)problem->batch * problem->heads * problem->head_dim;
    return elements * problem->seq_q < most && elements * problem->seq_k < most &&
           problem->heads % problem->heads_kv == 0;
}

static const int32_t abi_dtypes[DTYPE_COUNT] = {[DTYPE_FP16] = ATTENTION_FP16,
                                                [DTYPE_BF16] = ATTENTION_BF16,
                                                [DTYPE_FP32] = ATTENTION_FP32};

int command_config(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t numbers[6];
    uint64_t causal;
    enum dtype dtype;
    if (harness->device == NULL || harness->configured || words->count < 8 + ARM_OTHER ||
        words->count > 8 + ARM_COUNT)
        return bad_command(err);
    for (size_t i = 0; i < 6; i++)
        if (!words_number(words, i, PROBLEM_DIM_MAX, &numbers[i]) || numbers[i] == 0)
            return bad_command(err);
    if (dtype_parse(words->at[6], &dtype) != 0 || !words_number(words, 7, 1, &causal))
        return bad_command(err);
    if ((harness->ops->dtypes & 1u << abi_dtypes[dtype]) == 0)
        return err_set(err, ERR_INPUT, "%s is not a type of this device", words->at[6]);
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (!word_slot(harness, words, 8 + (size_t)arm, &harness->slots[arm]))
            return bad_command(err);
    harness->problem = (struct attention_problem){
        .batch = (int32_t)numbers[0],
        .heads = (int32_t)numbers[1],
        .heads_kv = (int32_t)numbers[2],
        .seq_q = (int32_t)numbers[3],
        .seq_k = (int32_t)numbers[4],
        .head_dim = (int32_t)numbers[5],
        .dtype = abi_dtypes[dtype],
        .causal = (int32_t)causal,
    };
    if (!sizes_fit(&harness->problem))
        return bad_command(err);
    harness->configured = true;
    memset(harness->prepared, 0, sizeof harness->prepared);
    voice_say("configured");
    return 0;
}

int command_prepare(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    if (words->count != 1 || harness->sets.q_count != 0 || !words_arm(harness, words, 0, &arm))
        return bad_command(err);
    const struct library *library = &harness->libraries[harness->slots[arm]];
    bool supported;
    size_t bytes;
    if (library_prepare(library, &harness->problem, &supported, &bytes, err) != 0)
        return -1;
    if (!supported) {
        say_wrong(arm, "the kernel does not support this problem");
        return 0;
    }
    if (bytes > (size_t)1 << 40) {
        say_wrong(arm, "the kernel wants more than 1 TiB of workspace");
        return 0;
    }
    harness->workspace_of[arm] = bytes;
    if (bytes > harness->workspace_bytes)
        harness->workspace_bytes = bytes;
    harness->prepared[arm] = true;
    voice_say("prepared %s %zu", arm_name(arm), bytes);
    return 0;
}

/* ---- its memory ---- */

static int allocate(struct harness *harness, struct memory *memory, size_t bytes, bool inputs,
                    struct err *err)
{
    if (harness->ops->allocate(harness->device, bytes, inputs, &memory->at, err) != 0)
        return -1;
    memory->bytes = bytes;
    return 0;
}

static void release(struct harness *harness, struct memory *memory)
{
    if (memory->at != NULL)
        harness->ops->release(harness->device, memory->at, memory->bytes);
    *memory = (struct memory){0};
}

void forget_config(struct harness *harness)
{
    turn_close(harness);
    release(harness, &harness->queries);
    release(harness, &harness->keys_values);
    release(harness, &harness->out);
    release(harness, &harness->lse);
    release(harness, &harness->workspace);
    verifier_close(harness->verifier);
    free(harness->stored_row);
    free(harness->row);
    harness->verifier = NULL;
    harness->stored_row = NULL;
    harness->row = NULL;
    harness->sets = (struct device_sets){0};
    harness->configured = harness->filled = false;
    harness->workspace_bytes = 0;
    harness->ran = ARM_COUNT;
}

static size_t align(size_t bytes)
{
    return (bytes + ATTENTION_ALIGNMENT - 1) / ATTENTION_ALIGNMENT * ATTENTION_ALIGNMENT;
}

static size_t tensor_bytes(const struct harness *harness, enum inputs_tensor tensor)
{
    return inputs_rows(&harness->problem, tensor) * (size_t)harness->problem.head_dim *
           storage_bytes(harness->problem.dtype);
}

static int allocate_host(struct harness *harness, struct err *err)
{
    size_t dim = (size_t)harness->problem.head_dim;
    harness->stored_row = malloc(dim * storage_bytes(harness->problem.dtype));
    harness->row = malloc((dim + 1) * sizeof(float));
    if (harness->stored_row == NULL || harness->row == NULL)
        return err_set(err, ERR_HOST, "no memory for the outputs");
    if (turn_open(harness, err) != 0)
        return -1;
    return verifier_open(&harness->problem, &harness->verifier, err);
}

/* Bytes of out and lse of one set, guards included. */
static void output_bytes(const struct harness *harness, size_t *out, size_t *lse)
{
    *out = align(tensor_bytes(harness, INPUTS_Q) + GUARD_BYTES);
    *lse = align(inputs_rows(&harness->problem, INPUTS_Q) * sizeof(float) + GUARD_BYTES);
}

static int allocate_outputs(struct harness *harness, size_t count, struct err *err)
{
    size_t out, lse;
    output_bytes(harness, &out, &lse);
    if (allocate(harness, &harness->out, count * out, false, err) != 0 ||
        allocate(harness, &harness->lse, count * lse, false, err) != 0)
        return -1;
    harness->out_stride = count > 1 ? out : 0;
    harness->lse_stride = count > 1 ? lse : 0;
    return 0;
}

/* What there is for each launch of a sample: queries, and outputs where each has its own. */
static int allocate_sets(struct harness *harness, size_t count, struct err *err)
{
    struct device_sets *sets = &harness->sets;
    if (allocate(harness, &harness->queries, count * sets->q_stride, true, err) != 0 ||
        allocate_outputs(harness, harness->ops->own_outputs ? count : 1, err) != 0)
        return -1;
    sets->q = harness->queries.at;
    sets->q_count = count;
    return 0;
}

static int allocate_device(struct harness *harness, struct err *err)
{
    struct device_sets *sets = &harness->sets;
    if (allocate(harness, &harness->keys_values, sets->kv_count * sets->kv_stride, true,
                 err) != 0)
        return -1;
    if (harness->workspace_bytes > 0 &&
        allocate(harness, &harness->workspace, harness->workspace_bytes + GUARD_BYTES, false,
                 err) != 0)
        return -1;
    sets->k = harness->keys_values.at;
    sets->v = sets->k + align(tensor_bytes(harness, INPUTS_K));
    return allocate_sets(harness, sets->kv_count, err);
}

int command_allocate(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t rotation;
    uint64_t most;
    struct device_sets *sets = &harness->sets;
    if (!harness->configured || sets->q_count != 0 || words->count != 2 ||
        !words_number(words, 0, WIRE_NUMBER_MAX, &rotation) ||
        !words_number(words, 1, WIRE_NUMBER_MAX, &most))
        return bad_command(err);
    sets->q_stride = align(tensor_bytes(harness, INPUTS_Q));
    sets->kv_stride = align(tensor_bytes(harness, INPUTS_K)) +
                      align(tensor_bytes(harness, INPUTS_V));
    size_t one = sets->q_stride + sets->kv_stride;
    size_t count = (size_t)((rotation + one - 1) / one);
    if (rotation == 0)
        count = 1;
    else if (count < 2)
        count = 2;
    sets->kv_count = count < WIRE_SETS_MAX ? count : WIRE_SETS_MAX;
    harness->most_bytes = (size_t)most;
    if (allocate_host(harness, err) != 0 || allocate_device(harness, err) != 0)
        return -1;
    voice_say("allocated %zu %zu", sets->kv_count, one);
    return 0;
}

int widen(struct harness *harness, size_t launches, struct err *err)
{
    struct device_sets *sets = &harness->sets;
    size_t out, lse;
    output_bytes(harness, &out, &lse);
    size_t each = sets->q_stride + (harness->ops->own_outputs ? out + lse : 0);
    size_t fit = harness->most_bytes / each;
    size_t wanted = launches < fit ? launches : fit;
    size_t count = (wanted + sets->kv_count - 1) / sets->kv_count * sets->kv_count;
    if (count <= sets->q_count)
        return 0;
    release(harness, &harness->queries);
    release(harness, &harness->out);
    release(harness, &harness->lse);
    sets->q_count = 0;
    harness->filled = false;
    return allocate_sets(harness, count, err);
}

int command_release(struct harness *harness, const struct words *words, struct err *err)
{
    if (words->count != 0 || !harness->configured)
        return bad_command(err);
    forget_config(harness);
    voice_say("released");
    return 0;
}
