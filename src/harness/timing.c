/* SPDX-License-Identifier: Apache-2.0 */
/* Owns timing: how many launches make a sample, and turns of samples, each with one row of its
 * output compared. */
#include "harness/state.h"
#include "harness/storage.h"
#include "harness/verify.h"
#include "harness/voice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int command_fill(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t seed;
    if (words->count != 1 || harness->set_count == 0 ||
        !words_number(words, 0, UINT64_MAX, &seed))
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

int command_calibrate(struct harness *harness, const struct words *words, struct err *err)
{
    enum arm arm;
    uint64_t target;
    if (words->count != 2 || !harness->filled || !words_arm(harness, words, 0, &arm) ||
        !harness->prepared[arm] || !words_number(words, 1, WIRE_NUMBER_MAX, &target))
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
        if (!words_number(&one, 0, 1000000000, &plan->delay_ns))
            return false;
    }
    return words_arm(harness, words, i, arm) && harness->prepared[*arm];
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
        !words_number(words, 0, UINT64_MAX, &seed) ||
        !words_number(words, 1, harness->ops->launches_max, &launches) || launches == 0)
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

int command_turn(struct harness *harness, const struct words *words, struct err *err)
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

int command_trace(struct harness *harness, const struct words *words, struct err *err)
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
