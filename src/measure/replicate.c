/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the steps from a config to its replicate, and the account of device memory. */
#include "measure/replicate.h"

#include "base/proc.h"
#include "cost.h"
#include "measure/bench_request.h"
#include "measure/draw.h"
#include "measure/launches.h"
#include "measure/turns.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { VERIFY_ROWS = 256 };

/* Bytes of device memory, as the harness says them. */
struct memory {
    unsigned long long workspace[ARM_COUNT];
    unsigned long long shared;           /* one set of inputs, and the outputs */
    unsigned long long grown[ARM_COUNT]; /* that launches took besides (code, local memory) */
};

/* One config on its way. */
struct run {
    const struct stage *stage;
    struct process_config *config;
    struct memory memory;
    uint64_t begin_ns;
};

/* One command about one arm (or none) and its one answer; trouble is noted. `when` goes behind the
 * trouble's text. */
static enum reply ask(struct run *run, enum arm arm, enum line_kind want, struct line *line,
                      const char *when, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
static enum reply ask(struct run *run, enum arm arm, enum line_kind want, struct line *line,
                      const char *when, const char *format, ...)
{
    struct session *session = run->stage->session;
    char command[WIRE_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    enum reply reply = session_send(session, "%s", command);
    if (reply == REPLY_OK)
        reply = session_receive(session, want, arm, line);
    if (reply != REPLY_OK)
        trouble_note(run->config->trouble, run->config->arms, session, reply, arm, want, line,
                     when);
    return reply;
}

static enum reply configure(struct run *run)
{
    const struct process_config *config = run->config;
    char slots[ARM_COUNT * 4 + 1], problem[BENCH_PROBLEM_BYTES];
    size_t used = 0, needed = 0;
    struct line line;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        int slot = config->arms[arm]
                       ? slots_find(run->stage->slots, config->bench, (enum arm)arm)
                       : -1;
        used += (size_t)snprintf(slots + used, sizeof slots - used, slot < 0 ? " -" : " %d",
                                 slot);
        if (slot >= 0 || arm < ARM_OTHER)
            needed = used;
    }
    return ask(run, ARM_COUNT, LINE_CONFIGURED, &line, "", "config %s%.*s",
               bench_problem(&config->bench->config.problem, problem), (int)needed, slots);
}

/* Do one thing with every arm in turn; a wrong arm does not keep the others from being
 * looked at, a lost process does. True when all are fine. */
static bool each_arm(struct run *run, const char *when,
                     enum reply (*step)(struct run *run, enum arm arm, const char *when))
{
    for (int i = 0; i < ARM_COUNT; i++)
        if (run->config->arms[slots_order[i]] && step(run, slots_order[i], when) == REPLY_LOST)
            return false;
    return !trouble_any(run->config->trouble);
}

static enum reply prepare(struct run *run, enum arm arm, const char *when)
{
    struct line line;
    enum reply reply = ask(run, arm, LINE_PREPARED, &line, when, "prepare %s", arm_name(arm));
    if (reply == REPLY_OK)
        run->memory.workspace[arm] = line.numbers[0];
    return reply;
}

/* A seed that no library can foresee. Where there is none, no arm is looked at any further. */
static enum reply draw_seed(struct run *run, unsigned long long *seed)
{
    struct err err = {0};
    uint64_t bits;
    if (draw_bits(&bits, &err) != 0) {
        trouble_set(&run->config->trouble[ARM_COUNT], TROUBLE_HOST, false, "", err.text);
        return REPLY_LOST;
    }
    *seed = bits;
    return REPLY_OK;
}

static enum reply verify(struct run *run, enum arm arm, const char *when)
{
    struct line line;
    unsigned long long seed;
    if (draw_seed(run, &seed) != REPLY_OK)
        return REPLY_LOST;
    enum reply reply = ask(run, arm, LINE_RAN, &line, when, "forward %s %llu", arm_name(arm),
                           seed);
    if (reply != REPLY_OK)
        return reply;
    if (line.numbers[0] > run->memory.grown[arm])
        run->memory.grown[arm] = line.numbers[0];
    /* Drawn only now that the output stands. */
    if (draw_seed(run, &seed) != REPLY_OK)
        return REPLY_LOST;
    return ask(run, arm, LINE_RIGHT, &line, when, "rows %s %llu %d", arm_name(arm), seed,
               VERIFY_ROWS);
}

/* ---- memory ---- */

/* Queries of a sample, beyond those of the rotation, with outputs where each launch has its own: as many as
 * this, where there is room. */
static const double queries_most_bytes_gpu = 8.0 * (1 << 30);
static const double queries_most_bytes = 256.0 * (1 << 20);

/* A config that would take most of the device's memory is not tried: where it fails, others
 * on the same device could fail with it. *queries: bytes that are left for more of them. */
static bool fits(struct run *run, unsigned long long rotation, double *queries)
{
    static const double share = 0.85;
    const struct problem *problem = &run->config->bench->config.problem;
    double free_bytes = (double)run->stage->free_bytes;
    double workspace = 0.0;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        workspace = fmax(workspace, (double)run->memory.workspace[arm]);
    double set = cost_input_bytes(problem);
    double sets = rotation == 0 ? 1.0 : fmax(2.0, ceil((double)rotation / set));
    double need = sets * set + cost_output_bytes(problem) + workspace;
    *queries = run->stage->free_bytes == 0
                   ? queries_most_bytes
                   : fmin(queries_most_bytes_gpu, fmax(share * free_bytes - need, 0.0));
    if (run->stage->free_bytes == 0 || need <= share * free_bytes)
        return true;
    char text[160];
    snprintf(text, sizeof text,
             "needs %.2f GiB of device memory, and 85%% of the free %.2f GiB is %.2f GiB",
             need / (1 << 30), free_bytes / (1 << 30), share * free_bytes / (1 << 30));
    trouble_set(&run->config->trouble[ARM_COUNT], TROUBLE_HOST, false, "", text);
    return false;
}

static bool allocate(struct run *run)
{
    struct line line;
    unsigned long long rotation = run->stage->kind->rotation(&run->stage->use);
    double queries;
    if (!fits(run, rotation, &queries) ||
        ask(run, ARM_COUNT, LINE_ALLOCATED, &line, "", "allocate %llu %.0f", rotation,
            queries) != REPLY_OK)
        return false;
    double outputs = cost_output_bytes(&run->config->bench->config.problem);
    run->memory.shared = line.numbers[1] + (unsigned long long)outputs;
    return true;
}

static void tell_peaks(const struct run *run)
{
    const struct memory *memory = &run->memory;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (run->config->arms[arm])
            run->config->peak_bytes[arm] = memory->shared + memory->workspace[arm] +
                                           memory->grown[arm];
}

/* ---- timing ---- */

/* How the turns ended, where they did not go through. 0: it is written down. */
static int note_end(struct run *run, const struct turns_end *end)
{
    struct process_config *config = run->config;
    enum arm arm = end->arm < ARM_COUNT     ? end->arm
                   : config->arms[ARM_HEAD] ? ARM_HEAD
                                            : ARM_COUNT;
    if (end->implausible)
        trouble_set(&config->trouble[arm], TROUBLE_IMPLAUSIBLE, false, "", end->text);
    else if (end->reply != REPLY_OK)
        trouble_note(config->trouble, config->arms, run->stage->session, end->reply, end->arm,
                     LINE_SAMPLE, &end->line, " while it was timed");
    else
        return -1;
    return 0;
}

static int take_replicate(const struct run *run, const struct turns *given,
                          struct replicate *replicate, struct turns_end *end, struct err *err)
{
    struct series taken[TURNS_ENTRIES_MAX] = {{0}};
    struct turns turns = *given;
    for (int i = 0; i < ARM_COUNT; i++)
        if (run->config->arms[slots_order[i]])
            turns.entries[turns.count++].arm = slots_order[i];
    struct turns_marks marks = {0};
    int rc = turns_take(&turns, taken, &marks, end, err);
    replicate->marks |= marks.all;
    memcpy(replicate->provoked, marks.of, sizeof marks.of);
    for (size_t i = 0; i < turns.count; i++) {
        replicate->arms[turns.entries[i].arm] = taken[i];
        replicate->clock[turns.entries[i].arm] = end->slopes[i];
    }
    return rc;
}

/* What is left for the turns of the time that the replicate should take. All is verified once more
 * after them, which takes no longer than what came before. */
static double time_for_turns(const struct run *run)
{
    double wanted = run->stage->request->replicate_ns;
    double gone = (double)(proc_now_ns() - run->begin_ns);
    return wanted > 0 ? fmax(wanted - 2 * gone, 1) : 0;
}

static int time_arms(struct run *run, struct replicate *replicate, struct err *err)
{
    const struct stage *stage = run->stage;
    struct process_config *config = run->config;
    enum arm first = ARM_HEAD;
    for (int i = ARM_COUNT - 1; i >= 0; i--)
        if (config->arms[slots_order[i]])
            first = slots_order[i];
    struct line line;
    uint64_t seed;
    if (draw_bits(&seed, err) != 0)
        return -1;
    if (ask(run, ARM_COUNT, LINE_FILLED, &line, "", "fill %llu", (unsigned long long)seed) !=
            REPLY_OK ||
        ask(run, first, LINE_CALIBRATED, &line, " while it was calibrated",
            "calibrate %s %.0f", arm_name(first), stage->request->target_ns) != REPLY_OK)
        return 0;
    const struct turns turns = {
        .session = stage->session,
        .request = stage->request,
        .kind = stage->kind,
        .clock_apart = stage->clock_apart,
        .launches = line.numbers[0] > 0 ? line.numbers[0] : 1,
        .floor_ns = stage->kind->floor_ns(&stage->use, &config->bench->config.problem),
        .wall_ns = time_for_turns(run),
    };
    struct turns_end end;
    int rc = stage->experiment != NULL
                 ? experiment_take(stage->experiment, &turns, &config->slowed, &end, err)
                 : take_replicate(run, &turns, replicate, &end, err);
    config->shortened = end.shortened;
    return rc == 0 ? 0 : note_end(run, &end);
}

/* ---- the same bits ---- */

/* One launch again and again; each finds its outputs poisoned. */
static void hash_launches(struct run *run)
{
    struct hashes *hashes = run->config->hashes;
    struct line line;
    for (size_t i = 0; i < BITS_LAUNCHES; i++) {
        if (ask(run, ARM_HEAD, LINE_RAN, &line, "", "forward head %llu",
                (unsigned long long)hashes->seed) != REPLY_OK ||
            ask(run, ARM_HEAD, LINE_HASHED, &line, "", "bits head") != REPLY_OK)
            return;
        hashes->launches[i] = line.numbers[0] << 32 | line.numbers[1];
    }
    run->config->done = true;
}

/* ---- launches ---- */

static enum reply tell_launches(struct run *run, enum arm arm, const char *when)
{
    struct line line;
    struct code_listing *launches = &run->config->launches[arm];
    enum reply reply = ask(run, arm, LINE_LAUNCHES, &line, when, "launches %s", arm_name(arm));
    for (unsigned long long left = line.numbers[0]; reply == REPLY_OK && left > 0; left--) {
        reply = session_receive(run->stage->session, LINE_LAUNCHED, arm, &line);
        if (reply == REPLY_OK)
            launches_add(launches, &line);
    }
    return reply;
}

/* ---- all of it ---- */

static int look_at_launches(struct run *run)
{
    run->config->done = each_arm(run, "", prepare) && allocate(run) &&
                        each_arm(run, "", tell_launches);
    return 0;
}

static int check_and_time(struct run *run, struct err *err)
{
    struct process_config *config = run->config;
    struct replicate replicate = {0};
    int rc = 0;
    if (!each_arm(run, "", prepare) || !allocate(run))
        return 0;
    if (config->hashes != NULL) {
        hash_launches(run);
        return 0;
    }
    if (each_arm(run, "", verify)) {
        rc = time_arms(run, &replicate, err);
        if (rc == 0 && !trouble_any(config->trouble) &&
            each_arm(run, " (after timing)", verify)) {
            config->replicate = replicate;
            config->done = true;
            replicate = (struct replicate){0};
            tell_peaks(run);
        }
    }
    replicate_free(&replicate);
    return rc;
}

int replicate_run(const struct stage *stage, struct process_config *config, struct err *err)
{
    struct run run = {.stage = stage, .config = config, .begin_ns = proc_now_ns()};
    struct line line;
    config->started = true;
    if (configure(&run) != REPLY_OK)
        return 0;
    int rc = config->launches != NULL ? look_at_launches(&run) : check_and_time(&run, err);
    if (rc == 0 && session_loss(stage->session) == LOSS_NONE &&
        ask(&run, ARM_COUNT, LINE_RELEASED, &line, "", "release") != REPLY_OK &&
        config->done) {
        replicate_free(&config->replicate);
        config->done = false;
    }
    return rc;
}
