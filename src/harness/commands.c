/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the state of one measurement: libraries by slot, the current config, the buffers that
 * its arms share. Commands come from the parent, which is trusted; they are checked all the
 * same, since a defect there must not become a wrong number here. */
#include "harness/commands.h"

#include "harness/inputs.h"
#include "harness/library.h"
#include "harness/storage.h"
#include "harness/verify.h"
#include "harness/voice.h"
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GUARD_BYTES = 256, /* poisoned, behind every output, and looked at afterwards */
    EXIT_CRASHED = 75
};

struct memory {
    void *at;
    size_t bytes;
};

struct harness {
    const struct device_ops *ops;
    struct device *device; /* NULL before `open` */
    unsigned long watchdog_ms;
    char folder[1024]; /* where the libraries are; a library may change directory */
    struct library libraries[WIRE_SLOTS_MAX];

    /* of the current config */
    bool configured;
    struct attention_problem problem;
    int slots[ARM_COUNT]; /* -1: no such arm */
    bool prepared[ARM_COUNT];
    size_t workspace_bytes; /* the most that any arm wants */
    struct verifier *verifier;
    struct memory inputs; /* all sets */
    struct memory out, lse, workspace;
    struct device_inputs sets[WIRE_SETS_MAX];
    size_t set_count;     /* 0 before `allocate` */
    char *stored_row;     /* one row of out as the device stores it */
    float *turn_rows;     /* WIRE_TURN_ARMS_MAX rows of out, each followed by its lse */
    double largest_value; /* the largest |v| of the inputs made last */
    enum arm ran;         /* `rows` may come for this arm; ARM_COUNT: for none */
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
    free(harness->stored_row);
    free(harness->turn_rows);
    harness->verifier = NULL;
    harness->stored_row = NULL;
    harness->turn_rows = NULL;
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
           storage_bytes(harness->problem.dtype);
}

static size_t set_bytes(const struct harness *harness)
{
    return align(tensor_bytes(harness, INPUTS_Q)) + align(tensor_bytes(harness, INPUTS_K)) +
           align(tensor_bytes(harness, INPUTS_V));
}

static int allocate_host(struct harness *harness, struct err *err)
{
    size_t dim = (size_t)harness->problem.head_dim;
    harness->stored_row = malloc(dim * storage_bytes(harness->problem.dtype));
    harness->turn_rows = malloc(WIRE_TURN_ARMS_MAX * (dim + 1) * sizeof(float));
    if (harness->stored_row == NULL || harness->turn_rows == NULL)
        return err_set(err, ERR_HOST, "no memory for the outputs");
    return verifier_open(&harness->problem, &harness->verifier, err);
}

static int allocate_device(struct harness *harness, size_t sets, struct err *err)
{
    size_t rows = inputs_rows(&harness->problem, INPUTS_Q);
    if (allocate(harness, &harness->inputs, sets * set_bytes(harness), err) != 0 ||
        allocate(harness, &harness->out, tensor_bytes(harness, INPUTS_Q) + GUARD_BYTES, err) !=
            0 ||
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

/* The inputs are writable only in here: a kernel that writes to them crashes. */
static int write_sets(struct harness *harness, enum inputs_kind kind, uint64_t seed,
                      size_t sets, struct err *err)
{
    const struct memory *memory = &harness->inputs;
    if (harness->ops->protect(harness->device, memory->at, memory->bytes, false, err) != 0)
        return -1;
    harness->largest_value = 0.0;
    double ignored = 0.0;
    char *base = memory->at; /* through which the sets may be written */
    for (size_t set = 0; set < sets; set++) {
        const struct inputs inputs = {&harness->problem, seed + set, kind};
        const struct device_inputs *to = &harness->sets[set];
        const struct {
            enum inputs_tensor tensor;
            const void *to;
            double *largest;
        } tensors[] = {{INPUTS_Q, to->q, &ignored},
                       {INPUTS_K, to->k, &ignored},
                       {INPUTS_V, to->v, &harness->largest_value}};
        for (size_t i = 0; i < 3; i++)
            if (harness->ops->fill(harness->device, &inputs, tensors[i].tensor,
                                   base + ((const char *)tensors[i].to - base),
                                   tensors[i].largest, err) != 0)
                return -1;
    }
    return harness->ops->protect(harness->device, memory->at, memory->bytes, true, err);
}

static struct device_outputs outputs_of(const struct harness *harness)
{
    return (struct device_outputs){harness->out.at, harness->lse.at, GUARD_BYTES};
}

static struct device_work work_of(const struct harness *harness, enum arm arm)
{
    return (struct device_work){
        .kernel = &harness->libraries[harness->slots[arm]].kernel,
        .problem = &harness->problem,
        .sets = harness->sets,
        .set_count = harness->set_count,
        .to = outputs_of(harness),
        .workspace = harness->workspace.at,
    };
}

/* Somebody else's kernel keeps its output to itself while it is timed: attention.h. */
static bool is_peer(const struct harness *harness, enum arm arm)
{
    const char *name = harness->libraries[harness->slots[arm]].name;
    return strncmp(name, ATTENTION_PEER, strlen(ATTENTION_PEER)) == 0;
}

static void say_wrong(enum arm arm, const char *text)
{
    voice_say("wrong %s %.*s", arm_name(arm), WIRE_TEXT_BYTES - 1, text);
}

/* The kernel has ended the device: the last words of this process. */
static void give_up(const struct err *err)
{
    voice_say("crashed %.*s", WIRE_TEXT_BYTES - 1, err->text);
    voice_flush();
    _exit(EXIT_CRASHED);
}

/* Launch and time; of a kernel that returns an error it is said that it is wrong: 1. With
 * `kernel_ns`, traced. */
static int launch_traced(struct harness *harness, enum arm arm, const struct device_plan *plan,
                         struct device_sample *sample, unsigned long long *kernel_ns,
                         struct err *err)
{
    const struct device_ops *ops = harness->ops;
    struct device_work work = work_of(harness, arm);
    if (plan->unseen)
        work.to = (struct device_outputs){0};
    int failed = kernel_ns == NULL
                     ? ops->sample(harness->device, &work, plan, sample, err)
                     : ops->trace(harness->device, &work, plan, sample, kernel_ns, err);
    if (failed != 0) {
        if (err->class == DEVICE_OF_KERNEL)
            give_up(err);
        return -1;
    }
    if (sample->error == 0 && sample->what[0] == '\0')
        return 0;
    char text[sizeof sample->what];
    snprintf(text, sizeof text, "forward returned %d", sample->error);
    say_wrong(arm, sample->error != 0 ? text : sample->what);
    return 1;
}

static int launch(struct harness *harness, enum arm arm, const struct device_plan *plan,
                  struct device_sample *sample, struct err *err)
{
    return launch_traced(harness, arm, plan, sample, NULL, err);
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
    struct device_memory memory;
    harness->ops->memory(harness->device, &memory);
    voice_say("opened %llu %llu %llu", memory.l2, memory.free, memory.total);
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
    if (i >= words->count || strcmp(words->at[i], "-") == 0)
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

static const int32_t abi_dtypes[DTYPE_COUNT] = {[DTYPE_FP16] = ATTENTION_FP16,
                                                [DTYPE_BF16] = ATTENTION_BF16,
                                                [DTYPE_FP32] = ATTENTION_FP32};

static int do_config(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t numbers[6];
    uint64_t causal;
    enum dtype dtype;
    if (harness->device == NULL || harness->configured || words->count < 8 + ARM_OTHER ||
        words->count > 8 + ARM_COUNT)
        return bad_command(err);
    for (size_t i = 0; i < 6; i++)
        if (!word_number(words, i, PROBLEM_DIM_MAX, &numbers[i]) || numbers[i] == 0)
            return bad_command(err);
    if (dtype_parse(words->at[6], &dtype) != 0 || !word_number(words, 7, 1, &causal))
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
    int dtype = harness->problem.dtype;
    if (harness->ops->poison(harness->device, dtype, harness->out.at,
                             harness->out.bytes / storage_bytes(dtype), err) != 0)
        return -1;
    return harness->ops->poison(harness->device, ATTENTION_FP32, harness->lse.at,
                                harness->lse.bytes / sizeof(float), err);
}

/* Free device memory, for the growth that a launch causes. */
static unsigned long long free_bytes(struct harness *harness)
{
    struct device_memory memory;
    harness->ops->memory(harness->device, &memory);
    return memory.free;
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

/* One row of the outputs, as floats, and its lse behind it. */
static int read_row(struct harness *harness, size_t row, float *to, struct err *err)
{
    size_t dim = (size_t)harness->problem.head_dim;
    int dtype = harness->problem.dtype;
    size_t bytes = dim * storage_bytes(dtype);
    if (harness->ops->read(harness->device, harness->stored_row,
                           (const char *)harness->out.at + row * bytes, bytes, err) != 0)
        return -1;
    storage_get(dtype, harness->stored_row, dim, to);
    return harness->ops->read(harness->device, to + dim, (const float *)harness->lse.at + row,
                              sizeof *to, err);
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
    const struct inputs inputs = {&harness->problem, harness->verify_seed, INPUTS_VERIFY};
    size_t dim = (size_t)harness->problem.head_dim;
    for (size_t i = 0; i < count; i++) {
        char text[WIRE_TEXT_BYTES];
        const struct verify_reference *reference =
            sums == NULL ? verifier_reference(harness->verifier, &inputs, (size_t)rows[i])
                         : verifier_from_sums(harness->verifier, sums + i * VERIFY_SUMS(dim));
        if (read_row(harness, (size_t)rows[i], harness->turn_rows, err) != 0)
            return -1;
        if (verify_row(&harness->problem, reference, (size_t)rows[i], harness->turn_rows,
                       harness->turn_rows[dim], worst, text, sizeof text))
            continue;
        say_wrong(arm, text);
        return 1;
    }
    return 0;
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
    uint64_t rows[WIRE_ROWS_MAX];
    size_t all = inputs_rows(&harness->problem, INPUTS_Q);
    size_t chosen = all < count ? all : (size_t)count;
    if (chosen == 0)
        return bad_command(err); /* never: a problem has rows */
    for (size_t i = 0; i < chosen; i++)
        rows[i] = all <= count ? i : inputs_below(inputs_mix(seed + i), all);
    qsort(rows, chosen, sizeof rows[0], order_rows);

    const struct inputs inputs = {&harness->problem, harness->verify_seed, INPUTS_VERIFY};
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

/* Launches of a sample that is to take `target` ns: as many as fit, but on a device that is
 * told of launches from afar at least launches_min, so that what begins and ends a sample
 * weighs little. Where a kernel takes so long that it weighs little anyhow, fewer: those that
 * fit into a millisecond, and five. */
static double launches_for(const struct device_ops *ops, double target, double ns)
{
    double least = fmin((double)ops->launches_min, fmax(5.0, ceil(1e6 / ns)));
    double wanted = fmax(round(target / ns), fmax(least, 1.0));
    return fmin(wanted, (double)ops->launches_max);
}

static int do_calibrate(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t target;
    if (words->count != 2 || !harness->filled || !word_arm(harness, words, 0, &arm) ||
        !harness->prepared[arm] || !word_number(words, 1, WIRE_NUMBER_MAX, &target))
        return bad_command(err);
    unsigned long launches = 1;
    unsigned long most = harness->ops->launches_max;
    double fastest = INFINITY; /* ns per launch: the least disturbed says most */
    for (int round = 0; round < 40; round++) {
        struct device_sample sample;
        const struct device_plan plan = {.launches = launches,
                                         .unseen = is_peer(harness, arm)};
        int result = launch(harness, arm, &plan, &sample, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        fastest = fmin(fastest, (double)sample.total_ns / (double)launches);
        bool long_enough = sample.total_ns >= target / 4 || launches >= most / 2;
        if (long_enough && round >= 3)
            break;
        if (!long_enough)
            launches *= 2;
    }
    voice_say("calibrated %s %.0f", arm_name(arm),
              launches_for(harness->ops, (double)target, fmax(fastest, 1.0)));
    return 0;
}

/* One sample of a turn: poison one row, time, keep that row for later. 1: said wrong. */
static int turn_sample(struct harness *harness, enum arm arm, size_t row,
                       const struct device_plan *plan, float *kept, struct err *err)
{
    const struct device_ops *ops = harness->ops;
    size_t dim = (size_t)harness->problem.head_dim;
    int dtype = harness->problem.dtype;
    char *out = (char *)harness->out.at + row * dim * storage_bytes(dtype);
    float *lse = (float *)harness->lse.at + row;
    if (ops->poison(harness->device, dtype, out, dim, err) != 0 ||
        ops->poison(harness->device, ATTENTION_FP32, lse, 1, err) != 0)
        return -1;
    struct device_sample sample;
    int result = launch(harness, arm, plan, &sample, err);
    if (result != 0)
        return result;
    voice_say("sample %s %llu %llu", arm_name(arm), sample.total_ns, sample.disturbed);
    if (ops->speaks_early)
        voice_flush();
    return read_row(harness, row, kept, err);
}

/* The row kept of every sample against one reference: all ended on the same input set. */
static bool turn_right(struct harness *harness, const enum arm *arms, size_t count, size_t row,
                       size_t last_set)
{
    const struct inputs inputs = {&harness->problem, harness->fill_seed + last_set,
                                  INPUTS_TIMING};
    const struct verify_reference *reference = verifier_reference(harness->verifier, &inputs,
                                                                  row);
    size_t dim = (size_t)harness->problem.head_dim;
    for (size_t i = 0; i < count; i++) {
        const float *kept = harness->turn_rows + i * (dim + 1);
        double worst = 0.0;
        if (is_peer(harness, arms[i]))
            continue;
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

/* `ARM` or `ARM+DELAY_NS` */
static bool word_arm_delayed(const struct harness *harness, const struct words *words,
                             size_t i, enum arm *arm, struct device_plan *plan)
{
    char *plus = strchr(words->at[i], '+');
    plan->delay_ns = 0;
    if (plus != NULL) {
        char *number = plus + 1;
        const struct words one = {&number, 1};
        *plus = '\0';
        plan->delayed = true;
        if (!word_number(&one, 0, 1000000000, &plan->delay_ns))
            return false;
    }
    return word_arm(harness, words, i, arm) && harness->prepared[*arm];
}

/* A turn as it was asked for. */
struct turn {
    enum arm arms[WIRE_TURN_ARMS_MAX];
    struct device_plan plans[WIRE_TURN_ARMS_MAX];
    size_t count, row;
};

static bool read_turn(const struct harness *harness, const struct words *words,
                      struct turn *turn)
{
    uint64_t seed;
    uint64_t launches;
    if (!harness->filled || words->count < 3 || words->count - 2 > WIRE_TURN_ARMS_MAX ||
        !word_number(words, 0, UINT64_MAX, &seed) ||
        !word_number(words, 1, harness->ops->launches_max, &launches) || launches == 0)
        return false;
    size_t starts = harness->set_count < harness->ops->starts_max ? harness->set_count
                                                                  : harness->ops->starts_max;
    size_t first = inputs_below(inputs_mix(seed ^ 1), starts);
    bool delayed = false;
    turn->count = words->count - 2;
    turn->row = inputs_below(inputs_mix(seed), inputs_rows(&harness->problem, INPUTS_Q));
    for (size_t i = 0; i < turn->count; i++) {
        struct device_plan *plan = &turn->plans[i];
        *plan = (struct device_plan){.first = first, .launches = (unsigned long)launches};
        if (!word_arm_delayed(harness, words, 2 + i, &turn->arms[i], plan))
            return false;
        plan->unseen = is_peer(harness, turn->arms[i]);
        delayed |= plan->delayed;
    }
    for (size_t i = 0; i < turn->count; i++)
        turn->plans[i].delayed = delayed; /* what a delay costs besides, all arms pay */
    return true;
}

static int do_turn(struct harness *harness, const struct words *words, struct err *err)
{
    struct turn turn;
    if (!read_turn(harness, words, &turn))
        return bad_command(err);
    size_t kept = (size_t)harness->problem.head_dim + 1;
    for (size_t i = 0; i < turn.count; i++) {
        int result = turn_sample(harness, turn.arms[i], turn.row, &turn.plans[i],
                                 harness->turn_rows + i * kept, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
    }
    const struct device_plan *plan = &turn.plans[0];
    size_t last = (plan->first + (size_t)plan->launches - 1) % harness->set_count;
    if (turn_right(harness, turn.arms, turn.count, turn.row, last))
        voice_say("done");
    return 0;
}

static int do_trace(struct harness *harness, const struct words *words, struct err *err)
{
    struct turn turn;
    if (harness->ops->trace == NULL)
        return err_set(err, ERR_INPUT, "this device has no tracer");
    if (!read_turn(harness, words, &turn))
        return bad_command(err);
    for (size_t i = 0; i < turn.count; i++) {
        struct device_sample sample;
        unsigned long long kernel_ns;
        int result = launch_traced(harness, turn.arms[i], &turn.plans[i], &sample, &kernel_ns,
                                   err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        voice_say("traced %s %llu %llu", arm_name(turn.arms[i]), kernel_ns, sample.total_ns);
    }
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
    {"open", do_open},       {"load", do_load},         {"config", do_config},
    {"prepare", do_prepare}, {"allocate", do_allocate}, {"forward", do_forward},
    {"rows", do_rows},       {"fill", do_fill},         {"calibrate", do_calibrate},
    {"turn", do_turn},       {"trace", do_trace},       {"release", do_release},
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
