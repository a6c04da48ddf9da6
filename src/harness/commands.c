/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the state of one measurement: libraries by slot, the current config, the buffers that
 * its arms share. Commands come from the parent, which is trusted; they are checked all the
 * same, since a defect there must not become a wrong number here. */
#include "harness/commands.h"

#include "harness/inputs.h"
#include "harness/library.h"
#include "harness/verify.h"
#include "harness/voice.h"
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GUARD_BYTES = 256 }; /* poisoned, behind every output, and looked at afterwards */

struct memory {
    void *at;
    size_t bytes;
};

struct harness {
    const struct device_ops *ops;
    struct device *device; /* NULL before `open` */
    unsigned long watchdog_ms;
    char folder[1024];     /* where the libraries are; a library may change directory */
    struct library libraries[WIRE_SLOTS_MAX];

    /* of the current config */
    bool configured;
    struct attention_problem problem;
    int slots[ARM_COUNT];  /* -1: no such arm */
    bool prepared[ARM_COUNT];
    size_t workspace_bytes; /* the most that any arm wants */
    struct verifier *verifier;
    struct memory inputs;  /* all sets */
    struct memory out, lse, workspace;
    struct device_inputs sets[WIRE_SETS_MAX];
    size_t set_count;      /* 0 before `allocate` */
    float *host_out;       /* what was read back: rows * head_dim, and the guard */
    float *host_lse;
    float *host_row;       /* one row of a tensor */
    float *turn_rows;      /* WIRE_TURN_ARMS_MAX rows of out, each followed by its lse */
    double largest_value;  /* the largest |v| of the inputs made last */
    enum arm ran;          /* `rows` may come for this arm; ARM_COUNT: for none */
    uint64_t verify_seed;
    uint64_t fill_seed;
    bool filled;
};

/* The words of one command after its name. */
struct words {
    char **at;
    size_t count;
};

/* ---- reading words ---- */

static bool word_number(const struct words *words, size_t i, uint64_t max, uint64_t *out)
{
    if (i >= words->count)
        return false;
    const char *word = words->at[i];
    size_t len = strlen(word);
    if (len == 0 || len > 20 || strspn(word, "0123456789") != len)
        return false;
    uint64_t value = 0;
    for (; *word != '\0'; word++) {
        uint64_t digit = (uint64_t)(*word - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = 10 * value + digit;
    }
    *out = value;
    return value <= max;
}

/* An arm that the current config has. */
static bool word_arm(const struct harness *harness, const struct words *words, size_t i,
                     enum arm *out)
{
    for (int arm = 0; i < words->count && arm < ARM_COUNT; arm++) {
        if (strcmp(words->at[i], arm_name((enum arm)arm)) != 0)
            continue;
        *out = (enum arm)arm;
        return harness->configured && harness->slots[arm] >= 0;
    }
    return false;
}

static int bad_command(struct err *err)
{
    return err_set(err, ERR_INPUT, "malformed, or out of place");
}

/* ---- memory of a config ---- */

static int allocate(struct harness *harness, struct memory *memory, size_t bytes,
                    struct err *err)
{
    if (harness->ops->allocate(harness->device, bytes, &memory->at, err) != 0)
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

static void forget_config(struct harness *harness)
{
    release(harness, &harness->inputs);
    release(harness, &harness->out);
    release(harness, &harness->lse);
    release(harness, &harness->workspace);
    verifier_close(harness->verifier);
    free(harness->host_out);
    free(harness->host_lse);
    free(harness->host_row);
    free(harness->turn_rows);
    harness->verifier = NULL;
    harness->host_out = harness->host_lse = harness->host_row = harness->turn_rows = NULL;
    harness->configured = harness->filled = false;
    harness->set_count = harness->workspace_bytes = 0;
    harness->ran = ARM_COUNT;
}

static size_t align(size_t bytes)
{
    return (bytes + ATTENTION_ALIGNMENT - 1) / ATTENTION_ALIGNMENT * ATTENTION_ALIGNMENT;
}

static size_t tensor_bytes(const struct harness *harness, enum inputs_tensor tensor)
{
    return inputs_rows(&harness->problem, tensor) * (size_t)harness->problem.head_dim *
           sizeof(float);
}

static size_t set_bytes(const struct harness *harness)
{
    return align(tensor_bytes(harness, INPUTS_Q)) + align(tensor_bytes(harness, INPUTS_K)) +
           align(tensor_bytes(harness, INPUTS_V));
}

static int allocate_host(struct harness *harness, struct err *err)
{
    size_t rows = inputs_rows(&harness->problem, INPUTS_Q);
    size_t dim = (size_t)harness->problem.head_dim;
    harness->host_out = malloc(tensor_bytes(harness, INPUTS_Q) + GUARD_BYTES);
    harness->host_lse = malloc(rows * sizeof(float) + GUARD_BYTES);
    harness->host_row = malloc(dim * sizeof(float));
    harness->turn_rows = malloc(WIRE_TURN_ARMS_MAX * (dim + 1) * sizeof(float));
    if (harness->host_out == NULL || harness->host_lse == NULL ||
        harness->host_row == NULL || harness->turn_rows == NULL)
        return err_set(err, ERR_HOST, "no memory for the outputs");
    return verifier_open(&harness->problem, &harness->verifier, err);
}

static int allocate_device(struct harness *harness, size_t sets, struct err *err)
{
    size_t rows = inputs_rows(&harness->problem, INPUTS_Q);
    if (allocate(harness, &harness->inputs, sets * set_bytes(harness), err) != 0 ||
        allocate(harness, &harness->out, tensor_bytes(harness, INPUTS_Q) + GUARD_BYTES,
                 err) != 0 ||
        allocate(harness, &harness->lse, rows * sizeof(float) + GUARD_BYTES, err) != 0)
        return -1;
    if (harness->workspace_bytes > 0 &&
        allocate(harness, &harness->workspace, harness->workspace_bytes, err) != 0)
        return -1;
    char *at = harness->inputs.at;
    for (size_t set = 0; set < sets; set++) {
        const char *q = at;
        const char *k = q + align(tensor_bytes(harness, INPUTS_Q));
        const char *v = k + align(tensor_bytes(harness, INPUTS_K));
        at += set_bytes(harness);
        harness->sets[set] = (struct device_inputs){.q = q, .k = k, .v = v};
    }
    return 0;
}

/* ---- making inputs, launching ---- */

static int write_tensor(struct harness *harness, const struct inputs *inputs,
                        enum inputs_tensor tensor, const void *to, struct err *err)
{
    size_t row_bytes = (size_t)harness->problem.head_dim * sizeof(float);
    char *at = (char *)harness->inputs.at + ((const char *)to - (char *)harness->inputs.at);
    for (size_t row = 0; row < inputs_rows(&harness->problem, tensor); row++) {
        inputs_row(inputs, tensor, row, harness->host_row);
        if (harness->ops->write(harness->device, at + row * row_bytes, harness->host_row,
                                row_bytes, err) != 0)
            return -1;
        for (int32_t e = 0; tensor == INPUTS_V && e < harness->problem.head_dim; e++)
            harness->largest_value =
                fmax(harness->largest_value, fabs((double)harness->host_row[e]));
    }
    return 0;
}

/* The inputs are writable only in here: a kernel that writes to them crashes. */
static int write_sets(struct harness *harness, enum inputs_kind kind, uint64_t seed,
                      size_t sets, struct err *err)
{
    const struct memory *memory = &harness->inputs;
    if (harness->ops->protect(harness->device, memory->at, memory->bytes, false, err) != 0)
        return -1;
    harness->largest_value = 0.0;
    for (size_t set = 0; set < sets; set++) {
        const struct inputs inputs = {&harness->problem, seed + set, kind};
        const struct device_inputs *to = &harness->sets[set];
        if (write_tensor(harness, &inputs, INPUTS_Q, to->q, err) != 0 ||
            write_tensor(harness, &inputs, INPUTS_K, to->k, err) != 0 ||
            write_tensor(harness, &inputs, INPUTS_V, to->v, err) != 0)
            return -1;
    }
    return harness->ops->protect(harness->device, memory->at, memory->bytes, true, err);
}

static struct device_work work_of(const struct harness *harness, enum arm arm)
{
    return (struct device_work){
        .kernel = &harness->libraries[harness->slots[arm]].kernel,
        .problem = &harness->problem,
        .sets = harness->sets,
        .set_count = harness->set_count,
        .out = harness->out.at,
        .lse = harness->lse.at,
        .workspace = harness->workspace.at,
    };
}

static void say_wrong(enum arm arm, const char *text)
{
    voice_say("wrong %s %.*s", arm_name(arm), WIRE_TEXT_BYTES - 1, text);
}

/* Launch and time; a kernel that returns an error is said to be wrong: 1. */
static int launch(struct harness *harness, enum arm arm, size_t first, unsigned long launches,
                  struct device_sample *sample, struct err *err)
{
    const struct device_work work = work_of(harness, arm);
    if (harness->ops->sample(harness->device, &work, first, launches, sample, err) != 0)
        return -1;
    if (sample->error == 0)
        return 0;
    char text[64];
    snprintf(text, sizeof text, "forward returned %d", sample->error);
    say_wrong(arm, text);
    return 1;
}

/* ---- commands ---- */

static int do_open(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t threads;
    uint64_t watchdog;
    int32_t cpus[WIRE_CPUS_MAX];
    if (harness->device != NULL || !word_number(words, 0, WIRE_THREADS_MAX, &threads) ||
        threads == 0 || !word_number(words, 1, UINT32_MAX, &watchdog) ||
        words->count - 2 > WIRE_CPUS_MAX)
        return bad_command(err);
    for (size_t i = 2; i < words->count; i++) {
        uint64_t cpu;
        if (!word_number(words, i, INT32_MAX, &cpu))
            return bad_command(err);
        cpus[i - 2] = (int32_t)cpu;
    }
    const struct device_options options = {
        .threads = (int32_t)threads, .cpus = cpus, .cpu_count = words->count - 2};
    if (harness->ops->open(&options, &harness->device, err) != 0)
        return -1;
    harness->watchdog_ms = (unsigned long)watchdog;
    voice_say("opened");
    return 0;
}

static int do_load(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t slot;
    char path[sizeof harness->folder + WIRE_NAME_BYTES + 1];
    if (!word_number(words, 0, WIRE_SLOTS_MAX - 1, &slot) || words->count != 2 ||
        !model_name_ok(words->at[1]))
        return bad_command(err);
    snprintf(path, sizeof path, "%s/%s", harness->folder, words->at[1]);
    struct err why = {0};
    if (library_load(harness->libraries, (size_t)slot, path, harness->ops->abi, &why) != 0)
        voice_say("refused %u %.*s", (unsigned)slot, WIRE_TEXT_BYTES - 1, why.text);
    else
        voice_say("loaded %u %s", (unsigned)slot, harness->libraries[slot].name);
    return 0;
}

static bool word_slot(const struct harness *harness, const struct words *words, size_t i,
                      int *out)
{
    uint64_t slot;
    *out = -1;
    if (strcmp(words->at[i], "-") == 0)
        return true;
    if (!word_number(words, i, WIRE_SLOTS_MAX - 1, &slot) ||
        harness->libraries[slot].handle == NULL)
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

static int do_config(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t numbers[6];
    uint64_t causal;
    enum dtype dtype;
    if (harness->device == NULL || harness->configured || words->count != 12)
        return bad_command(err);
    for (size_t i = 0; i < 6; i++)
        if (!word_number(words, i, PROBLEM_DIM_MAX, &numbers[i]) || numbers[i] == 0)
            return bad_command(err);
    if (dtype_parse(words->at[6], &dtype) != 0 || !word_number(words, 7, 1, &causal))
        return bad_command(err);
    if (dtype != DTYPE_FP32)
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
        .dtype = ATTENTION_FP32,
        .causal = (int32_t)causal,
    };
    if (!sizes_fit(&harness->problem))
        return bad_command(err);
    harness->configured = true;
    memset(harness->prepared, 0, sizeof harness->prepared);
    voice_say("configured");
    return 0;
}

static int do_prepare(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    if (words->count != 1 || harness->set_count != 0 || !word_arm(harness, words, 0, &arm))
        return bad_command(err);
    const struct attention_kernel *kernel = &harness->libraries[harness->slots[arm]].kernel;
    if (kernel->supports(&harness->problem) != 1) {
        say_wrong(arm, "the kernel does not support this problem");
        return 0;
    }
    size_t bytes = kernel->workspace_bytes(&harness->problem);
    if (bytes > (size_t)1 << 40) {
        say_wrong(arm, "the kernel wants more than 1 TiB of workspace");
        return 0;
    }
    if (bytes > harness->workspace_bytes)
        harness->workspace_bytes = bytes;
    harness->prepared[arm] = true;
    voice_say("prepared %s %zu", arm_name(arm), bytes);
    return 0;
}

static int do_allocate(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t rotation;
    if (!harness->configured || harness->set_count != 0 || words->count != 1 ||
        !word_number(words, 0, WIRE_NUMBER_MAX, &rotation))
        return bad_command(err);
    size_t one = set_bytes(harness);
    size_t sets = (size_t)((rotation + one - 1) / one);
    if (rotation == 0)
        sets = 1;
    else if (sets < 2)
        sets = 2;
    if (sets > WIRE_SETS_MAX)
        sets = WIRE_SETS_MAX;
    if (allocate_host(harness, err) != 0 || allocate_device(harness, sets, err) != 0)
        return -1;
    harness->set_count = sets;
    voice_say("allocated %zu %zu", sets, one);
    return 0;
}

/* Outputs and guards become poison, everywhere. */
static int poison_outputs(struct harness *harness, struct err *err)
{
    verify_poison(harness->host_out, harness->out.bytes / sizeof(float));
    verify_poison(harness->host_lse, harness->lse.bytes / sizeof(float));
    if (harness->ops->write(harness->device, harness->out.at, harness->host_out,
                            harness->out.bytes, err) != 0)
        return -1;
    return harness->ops->write(harness->device, harness->lse.at, harness->host_lse,
                               harness->lse.bytes, err);
}

static bool guards_hold(const struct harness *harness, char *text, size_t size)
{
    size_t rows = inputs_rows(&harness->problem, INPUTS_Q);
    const float *out = harness->host_out + rows * (size_t)harness->problem.head_dim;
    const float *lse = harness->host_lse + rows;
    for (size_t i = 0; i < GUARD_BYTES / sizeof(float); i++) {
        if (verify_is_poison(out[i]) && verify_is_poison(lse[i]))
            continue;
        snprintf(text, size, "%s was written behind its end",
                 verify_is_poison(out[i]) ? "lse" : "out");
        return false;
    }
    return true;
}

static int do_forward(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t seed;
    if (words->count != 2 || harness->set_count == 0 || !word_arm(harness, words, 0, &arm) ||
        !harness->prepared[arm] || !word_number(words, 1, UINT64_MAX, &seed))
        return bad_command(err);
    harness->ran = ARM_COUNT;
    harness->filled = false;
    harness->verify_seed = seed;
    if (write_sets(harness, INPUTS_VERIFY, seed, 1, err) != 0 ||
        poison_outputs(harness, err) != 0)
        return -1;
    struct device_sample sample;
    int result = launch(harness, arm, 0, 1, &sample, err);
    if (result != 0)
        return result < 0 ? -1 : 0;
    if (harness->ops->read(harness->device, harness->host_out, harness->out.at,
                           harness->out.bytes, err) != 0 ||
        harness->ops->read(harness->device, harness->host_lse, harness->lse.at,
                           harness->lse.bytes, err) != 0)
        return -1;
    char text[WIRE_TEXT_BYTES];
    if (!verify_whole(&harness->problem, harness->host_out, harness->host_lse,
                      harness->largest_value, text, sizeof text) ||
        !guards_hold(harness, text, sizeof text)) {
        say_wrong(arm, text);
        return 0;
    }
    harness->ran = arm;
    voice_say("ran %s", arm_name(arm));
    return 0;
}

/* qsort on row numbers: rows of one head follow one another, and its keys are made once. */
static int compare_rows(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static int do_rows(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t seed;
    uint64_t count;
    if (words->count != 3 || !word_arm(harness, words, 0, &arm) || harness->ran != arm ||
        !word_number(words, 1, UINT64_MAX, &seed) ||
        !word_number(words, 2, WIRE_ROWS_MAX, &count) || count == 0)
        return bad_command(err);
    harness->ran = ARM_COUNT;
    size_t rows[WIRE_ROWS_MAX];
    size_t all = inputs_rows(&harness->problem, INPUTS_Q);
    size_t chosen = all < count ? all : (size_t)count;
    for (size_t i = 0; i < chosen; i++)
        rows[i] = all <= count ? i : inputs_below(inputs_mix(seed + i), all);
    qsort(rows, chosen, sizeof rows[0], compare_rows);

    const struct inputs inputs = {&harness->problem, harness->verify_seed, INPUTS_VERIFY};
    size_t dim = (size_t)harness->problem.head_dim;
    double worst = 0.0;
    for (size_t i = 0; i < chosen; i++) {
        char text[WIRE_TEXT_BYTES];
        const struct verify_reference *reference =
            verifier_reference(harness->verifier, &inputs, rows[i]);
        if (!verify_row(&harness->problem, reference, rows[i],
                        harness->host_out + rows[i] * dim, harness->host_lse[rows[i]], &worst,
                        text, sizeof text)) {
            say_wrong(arm, text);
            return 0;
        }
    }
    voice_say("right %s %zu %.0f", arm_name(arm), chosen, floor(1e6 * worst));
    return 0;
}

static int do_fill(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t seed;
    if (words->count != 1 || harness->set_count == 0 ||
        !word_number(words, 0, UINT64_MAX, &seed))
        return bad_command(err);
    if (write_sets(harness, INPUTS_TIMING, seed, harness->set_count, err) != 0)
        return -1;
    harness->fill_seed = seed;
    harness->filled = true;
    harness->ran = ARM_COUNT;
    voice_say("filled");
    return 0;
}

static int do_calibrate(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t target;
    if (words->count != 2 || !harness->filled || !word_arm(harness, words, 0, &arm) ||
        !harness->prepared[arm] || !word_number(words, 1, WIRE_NUMBER_MAX, &target))
        return bad_command(err);
    unsigned long launches = 1;
    double fastest = INFINITY; /* ns per launch: the least disturbed says most */
    for (int round = 0; round < 40; round++) {
        struct device_sample sample;
        int result = launch(harness, arm, 0, launches, &sample, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        fastest = fmin(fastest, (double)sample.total_ns / (double)launches);
        bool long_enough = sample.total_ns >= target / 4 || launches >= WIRE_LAUNCHES_MAX / 2;
        if (long_enough && round >= 3)
            break;
        if (!long_enough)
            launches *= 2;
    }
    double wanted = round((double)target / fmax(fastest, 1.0));
    wanted = fmin(fmax(wanted, 1.0), (double)WIRE_LAUNCHES_MAX);
    voice_say("calibrated %s %.0f", arm_name(arm), wanted);
    return 0;
}

/* One sample of a turn: poison one row, time, keep that row for later. 1: said wrong. */
static int turn_sample(struct harness *harness, enum arm arm, size_t row, size_t first,
                       unsigned long launches, float *kept, struct err *err)
{
    size_t dim = (size_t)harness->problem.head_dim;
    float *out = (float *)harness->out.at + row * dim;
    float *lse = (float *)harness->lse.at + row;
    verify_poison(kept, dim + 1);
    if (harness->ops->write(harness->device, out, kept, dim * sizeof *kept, err) != 0 ||
        harness->ops->write(harness->device, lse, kept, sizeof *kept, err) != 0)
        return -1;
    struct device_sample sample;
    int result = launch(harness, arm, first, launches, &sample, err);
    if (result != 0)
        return result;
    voice_say("sample %s %llu %llu", arm_name(arm), sample.total_ns, sample.switches);
    if (harness->ops->read(harness->device, kept, out, dim * sizeof *kept, err) != 0)
        return -1;
    return harness->ops->read(harness->device, kept + dim, lse, sizeof *kept, err);
}

/* The row kept of every sample against one reference: all ended on the same input set. */
static bool turn_right(struct harness *harness, const enum arm *arms, size_t count,
                       size_t row, size_t last_set)
{
    const struct inputs inputs = {&harness->problem, harness->fill_seed + last_set,
                                  INPUTS_TIMING};
    const struct verify_reference *reference =
        verifier_reference(harness->verifier, &inputs, row);
    size_t dim = (size_t)harness->problem.head_dim;
    for (size_t i = 0; i < count; i++) {
        const float *kept = harness->turn_rows + i * (dim + 1);
        double worst = 0.0;
        char text[WIRE_TEXT_BYTES];
        char detail[WIRE_TEXT_BYTES - 32];
        if (verify_row(&harness->problem, reference, row, kept, kept[dim], &worst, detail,
                       sizeof detail))
            continue;
        snprintf(text, sizeof text, "while timed, %s", detail);
        say_wrong(arms[i], text);
        return false;
    }
    return true;
}

static int do_turn(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t seed;
    uint64_t launches;
    enum arm arms[WIRE_TURN_ARMS_MAX];
    if (!harness->filled || words->count < 3 || words->count - 2 > WIRE_TURN_ARMS_MAX ||
        !word_number(words, 0, UINT64_MAX, &seed) ||
        !word_number(words, 1, WIRE_LAUNCHES_MAX, &launches) || launches == 0)
        return bad_command(err);
    size_t count = words->count - 2;
    for (size_t i = 0; i < count; i++)
        if (!word_arm(harness, words, 2 + i, &arms[i]) || !harness->prepared[arms[i]])
            return bad_command(err);
    size_t row = inputs_below(inputs_mix(seed), inputs_rows(&harness->problem, INPUTS_Q));
    size_t first = inputs_below(inputs_mix(seed ^ 1), harness->set_count);
    size_t kept = (size_t)harness->problem.head_dim + 1;
    for (size_t i = 0; i < count; i++) {
        int result = turn_sample(harness, arms[i], row, first, (unsigned long)launches,
                                 harness->turn_rows + i * kept, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
    }
    size_t last = (first + (size_t)launches - 1) % harness->set_count;
    if (turn_right(harness, arms, count, row, last))
        voice_say("done");
    return 0;
}

static int do_release(struct harness *harness, const struct words *words, struct err *err)
{
    if (words->count != 0 || !harness->configured)
        return bad_command(err);
    forget_config(harness);
    voice_say("released");
    return 0;
}

static const struct command {
    const char *word;
    int (*run)(struct harness *harness, const struct words *words, struct err *err);
} commands[] = {
    {"open", do_open},         {"load", do_load},           {"config", do_config},
    {"prepare", do_prepare},   {"allocate", do_allocate},   {"forward", do_forward},
    {"rows", do_rows},         {"fill", do_fill},           {"calibrate", do_calibrate},
    {"turn", do_turn},         {"release", do_release},
};

int harness_open(const struct device_ops *ops, struct harness **out, struct err *err)
{
    struct harness *harness = calloc(1, sizeof *harness);
    if (harness == NULL)
        return err_set(err, ERR_HOST, "no memory for the harness");
    harness->ops = ops;
    harness->ran = ARM_COUNT;
    if (getcwd(harness->folder, sizeof harness->folder) == NULL) {
        free(harness);
        return err_set(err, ERR_HOST, "cannot tell the working folder");
    }
    *out = harness;
    return 0;
}

void harness_close(struct harness *harness)
{
    forget_config(harness);
    if (harness->device != NULL)
        harness->ops->close(harness->device);
    free(harness);
}

static void run(struct harness *harness, const char *word, const struct words *words)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].word) != 0)
            continue;
        struct err err = {0};
        voice_watchdog(harness->watchdog_ms);
        if (commands[i].run(harness, words, &err) != 0)
            voice_say("failed %s: %.*s", word, WIRE_TEXT_BYTES - 32, err.text);
        voice_watchdog(0);
        voice_flush();
        return;
    }
    voice_say("failed unknown command");
    voice_flush();
}

bool harness_obey(struct harness *harness, char line[WIRE_LINE_BYTES])
{
    char *at[WIRE_WORDS_MAX];
    size_t count = 0;
    char *save;
    for (char *word = strtok_r(line, " ", &save); word != NULL && count < WIRE_WORDS_MAX;
         word = strtok_r(NULL, " ", &save))
        at[count++] = word;
    if (count == 1 && strcmp(at[0], "quit") == 0)
        return false;
    const struct words words = {at + 1, count > 0 ? count - 1 : 0};
    run(harness, count > 0 ? at[0] : "", &words);
    return true;
}
