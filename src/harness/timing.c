/* SPDX-License-Identifier: Apache-2.0 */
/* Owns timing: how many launches make a sample, and turns of samples. Of each sample one row is
 * compared that one of its launches wrote: which launch and which row no kernel knows while it can
 * still act on it. */
#include "harness/state.h"
#include "harness/storage.h"
#include "harness/verify.h"
#include "harness/voice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A turn as it was asked for. */
struct turn {
    enum arm arms[WIRE_TURN_ARMS_MAX];
    struct device_plan plans[WIRE_TURN_ARMS_MAX];
    struct device_keep keeps[WIRE_TURN_ARMS_MAX];
    char *rows; /* WIRE_TURN_ARMS_MAX rows of out as they are stored */
    size_t count;
    bool staged, taken;
};

int turn_open(struct harness *harness, struct err *err)
{
    size_t bytes = (size_t)harness->problem.head_dim * storage_bytes(harness->problem.dtype);
    struct turn *turn = calloc(1, sizeof *turn);
    harness->turn = turn;
    if (turn != NULL)
        turn->rows = malloc(WIRE_TURN_ARMS_MAX * bytes);
    if (turn == NULL || turn->rows == NULL)
        return err_set(err, ERR_HOST, "no memory for the rows of a turn");
    for (size_t i = 0; i < WIRE_TURN_ARMS_MAX; i++)
        turn->keeps[i].out = turn->rows + i * bytes;
    return 0;
}

static void turn_forget(struct harness *harness)
{
    struct turn *turn = harness->turn;
    for (size_t i = 0; i < turn->count; i++)
        launch_unstage(harness, &turn->plans[i]);
    turn->count = 0;
    turn->staged = turn->taken = false;
}

void turn_close(struct harness *harness)
{
    if (harness->turn == NULL)
        return;
    turn_forget(harness);
    free(harness->turn->rows);
    free(harness->turn);
    harness->turn = NULL;
}

/* ---- how many launches ---- */

int command_fill(struct harness *harness, const struct words *words, struct err *err)
{
    uint64_t seed;
    if (words->count != 1 || harness->sets.q_count == 0 ||
        !words_number(words, 0, UINT64_MAX, &seed))
        return bad_command(err);
    size_t sets = harness->sets.q_count;
    if (write_sets(harness, seed, sets - 1, sets, err) != 0)
        return -1;
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

/* So many, or fewer where there is no memory for queries of their own for the most that a turn may
 * ask for. */
static int widen_for(struct harness *harness, double launches, unsigned long *out,
                     struct err *err)
{
    size_t most = WIRE_LAUNCHES_MOST((size_t)launches);
    *out = (unsigned long)launches;
    if (widen(harness, most, err) != 0)
        return -1;
    while (*out > 1 && WIRE_LAUNCHES_MOST(*out) > harness->sets.q_count)
        --*out;
    return 0;
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
        struct device_plan plan = {.launches = launches, .unseen = is_peer(harness, arm)};
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
    double wanted = launches_for(harness->ops, (double)target, fmax(fastest, 1.0));
    if (widen_for(harness, wanted, &launches, err) != 0)
        return -1;
    voice_say("calibrated %s %lu", arm_name(arm), launches);
    return 0;
}

/* ---- a turn is staged ---- */

/* `ARM:LAUNCHES` or `ARM:LAUNCHES+DELAY_NS` */
static bool read_entry(const struct harness *harness, char *word, enum arm *arm,
                       struct device_plan *plan)
{
    char *colon = strchr(word, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    char *plus = strchr(colon + 1, '+');
    plan->delayed = plus != NULL;
    if (plus != NULL)
        *plus = '\0';
    char *words_of[] = {word, colon + 1, plus == NULL ? NULL : plus + 1};
    const struct words words = {words_of, plus == NULL ? 2 : 3};
    uint64_t launches;
    if (!words_arm(harness, &words, 0, arm) || !harness->prepared[*arm] ||
        !words_number(&words, 1, WIRE_LAUNCHES_MOST(harness->ops->launches_max), &launches) ||
        launches == 0 ||
        (plus != NULL && !words_number(&words, 2, 1000000000, &plan->delay_ns)))
        return false;
    plan->launches = (unsigned long)launches;
    return true;
}

/* All arms end at the same input set; where the device keeps the launch that it is told, it is the
 * same one of all, counted from the end, and the same row: one reference serves them all. */
static int read_turn(struct harness *harness, const struct words *words, uint64_t *seed,
                     struct err *err)
{
    struct turn *turn = harness->turn;
    if (harness->sets.q_count == 0 || words->count < 2 ||
        words->count - 1 > WIRE_TURN_ARMS_MAX || !words_number(words, 0, UINT64_MAX, seed))
        return bad_command(err);
    unsigned long fewest = WIRE_LAUNCHES_MAX;
    uint64_t secret;
    bool delayed = false;
    size_t last = inputs_below(inputs_mix(*seed), harness->sets.q_count);
    for (size_t i = 0; i + 1 < words->count; i++) {
        struct device_plan *plan = &turn->plans[i];
        *plan = (struct device_plan){.last = last};
        if (!read_entry(harness, words->at[1 + i], &turn->arms[i], plan))
            return bad_command(err);
        plan->unseen = is_peer(harness, turn->arms[i]);
        plan->keep = plan->unseen ? NULL : &turn->keeps[i];
        delayed |= plan->delayed;
        fewest = plan->launches < fewest ? plan->launches : fewest;
    }
    if (inputs_secret(&secret, err) != 0)
        return -1;
    size_t rows = inputs_rows(&harness->problem, INPUTS_Q);
    for (size_t i = 0; i + 1 < words->count; i++) {
        turn->plans[i].delayed = delayed; /* what a delay costs besides, all arms pay */
        turn->keeps[i].before_end = inputs_below(secret, fewest);
        turn->keeps[i].row = inputs_below(inputs_mix(secret), rows);
    }
    turn->count = words->count - 1;
    return 0;
}

int command_stage(struct harness *harness, const struct words *words, struct err *err)
{
    struct turn *turn = harness->turn;
    uint64_t seed;
    if (turn == NULL)
        return bad_command(err);
    turn_forget(harness);
    if (read_turn(harness, words, &seed, err) != 0)
        return -1;
    unsigned long most = 0;
    for (size_t i = 0; i < turn->count; i++)
        most = turn->plans[i].launches > most ? turn->plans[i].launches : most;
    if (write_sets(harness, inputs_mix(seed ^ 3), turn->plans[0].last, most, err) != 0)
        return -1;
    for (size_t i = 0; i < turn->count; i++) {
        int result = launch_stage(harness, turn->arms[i], &turn->plans[i], err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        voice_say("staged %s", arm_name(turn->arms[i]));
    }
    turn->staged = true;
    return 0;
}

/* ---- and taken ---- */

/* The outputs of every sample are poison before it, and the caches alike. */
static int take_sample(struct harness *harness, size_t i, struct device_sample *sample,
                       unsigned long long *kernel_ns, struct err *err)
{
    struct turn *turn = harness->turn;
    const struct device_ops *ops = harness->ops;
    if (poison_outputs(harness, err) != 0 ||
        (ops->sweep != NULL && ops->sweep(harness->device, err) != 0))
        return -1;
    return launch_traced(harness, turn->arms[i], &turn->plans[i], sample, kernel_ns, err);
}

int command_turn(struct harness *harness, const struct words *words, struct err *err)
{
    struct turn *turn = harness->turn;
    if (words->count != 0 || turn == NULL || !turn->staged || turn->taken)
        return bad_command(err);
    for (size_t i = 0; i < turn->count; i++) {
        struct device_sample sample;
        int result = take_sample(harness, i, &sample, NULL, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        voice_say("sample %s %llu %llu", arm_name(turn->arms[i]), sample.total_ns,
                  sample.disturbed);
        if (harness->ops->speaks_early)
            voice_flush();
    }
    turn->taken = true;
    voice_say("done");
    return 0;
}

/* The inputs that a kept row was computed from. */
static struct inputs inputs_kept(const struct harness *harness, const struct device_plan *plan)
{
    size_t set = device_plan_set(plan, &harness->sets, plan->keep->before_end);
    uint64_t kv = harness->kv_seed[set % harness->sets.kv_count];
    return (struct inputs){&harness->problem, {harness->q_seed + set, kv, kv}, INPUTS_TIMING};
}

static bool same_row(const struct inputs *a, size_t a_row, const struct inputs *b,
                     size_t b_row)
{
    return a_row == b_row && memcmp(a->seed, b->seed, sizeof a->seed) == 0;
}

int command_compare(struct harness *harness, const struct words *words, struct err *err)
{
    struct turn *turn = harness->turn;
    if (words->count != 0 || turn == NULL || !turn->taken)
        return bad_command(err);
    struct inputs inputs, last = {0};
    size_t last_row = 0, dim = (size_t)harness->problem.head_dim;
    const struct verify_reference *reference = NULL;
    for (size_t i = 0; i < turn->count; i++) {
        const struct device_keep *keep = turn->plans[i].keep;
        double worst = 0.0;
        char text[WIRE_TEXT_BYTES], detail[WIRE_TEXT_BYTES - 32];
        if (keep == NULL)
            continue;
        inputs = inputs_kept(harness, &turn->plans[i]);
        if (reference == NULL || !same_row(&inputs, keep->row, &last, last_row))
            reference = verifier_reference(harness->verifier, &inputs, keep->row);
        last = inputs;
        last_row = keep->row;
        storage_get(harness->problem.dtype, keep->out, dim, harness->row);
        if (verify_row(&harness->problem, reference, keep->row, harness->row, keep->lse,
                       &worst, detail, sizeof detail))
            continue;
        snprintf(text, sizeof text, "while timed, %s", detail);
        say_wrong(turn->arms[i], text);
        return 0;
    }
    voice_say("compared");
    return 0;
}

int command_trace(struct harness *harness, const struct words *words, struct err *err)
{
    struct turn *turn = harness->turn;
    uint64_t seed;
    if (harness->ops->trace == NULL)
        return err_set(err, ERR_INPUT, "this device has no tracer");
    if (turn == NULL)
        return bad_command(err);
    turn_forget(harness);
    if (read_turn(harness, words, &seed, err) != 0)
        return -1;
    for (size_t i = 0; i < turn->count; i++) {
        struct device_sample sample;
        unsigned long long kernel_ns;
        turn->plans[i].keep = NULL; /* its kernel would be counted */
        int result = take_sample(harness, i, &sample, &kernel_ns, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        voice_say("traced %s %llu %llu", arm_name(turn->arms[i]), kernel_ns, sample.total_ns);
    }
    voice_say("done");
    return 0;
}
