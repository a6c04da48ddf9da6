/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of the arms and what makes a turn count. A turn is whole or nothing: where
 * one sample was disturbed, all arms are taken again, so that arms stay comparable. */
#include "measure/turns.h"

#include "base/proc.h"
#include "measure/draw.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURN_BUDGET = 3,     /* turns taken at most, for each one planned */
    AUDIT_SAMPLES = 16,  /* of one arm alone in one audit turn, at most */
    AUDIT_REFERENCE = 5, /* audits of the first arm, whose overhead is the measure */
    AUDIT_TRIES = 12,    /* audits of another arm before it is believed to be off */
    SAMPLES_LEAST = 5,   /* of an arm, however short the time */
    FEW_LAUNCHES = 5     /* of one sample: what a kernel that takes long is given */
};

static const double audit_ns = 10e6; /* an audit turn is about so long */
static const unsigned long long audit_slack_ns = 1000000;
static const double long_sample_ns = 10e6; /* its ends weigh nothing */

/* One turn as it was answered. */
struct turn {
    size_t order[TURNS_ENTRIES_MAX]; /* which entry comes when */
    size_t count;
    unsigned long long total_ns[TURNS_ENTRIES_MAX];  /* in that order */
    unsigned long long disturbed[TURNS_ENTRIES_MAX]; /* as the harness says: see wire.h */
    unsigned long long sum_ns;
    unsigned long long wall_ns; /* by our clock, from the command to `done` */
    unsigned marks;
    unsigned marks_of[ARM_COUNT]; /* of these, those seen while the arm was at work */
    bool watched;                 /* by the witness: its marks will count */
};

/* The turns that did not count. */
struct marked {
    struct series entries[TURNS_ENTRIES_MAX]; /* owned */
    unsigned marks;
    unsigned times[MARK_BITS][ARM_COUNT]; /* turns with a mark while the arm was at work */
};

static void shuffle(struct turn *turn, uint64_t bits)
{
    for (size_t i = turn->count; i > 1; i--) {
        size_t j = (size_t)(bits % i); /* 16! is 2^44.3: the bias is below 2^-19 */
        bits /= i;
        size_t entry = turn->order[i - 1];
        turn->order[i - 1] = turn->order[j];
        turn->order[j] = entry;
    }
}

static enum arm arm_at(const struct turns *turns, const struct turn *turn, size_t i)
{
    return turns->entries[turn->order[i]].arm;
}

static enum reply send_turn(const struct turns *turns, const struct turn *turn, uint64_t seed)
{
    char names[TURNS_ENTRIES_MAX * 32 + 1];
    size_t used = 0;
    for (size_t i = 0; i < turn->count; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, " %s",
                                 arm_name(arm_at(turns, turn, i)));
        if (turns->delays)
            used += (size_t)snprintf(names + used, sizeof names - used, "+%llu",
                                     turns->entries[turn->order[i]].delay_ns);
    }
    return session_send(turns->session, "turn %llu %llu%s", (unsigned long long)seed,
                        turns->launches, names);
}

/* Hear the samples of a turn and its `done`. */
static enum reply hear_turn(const struct turns *turns, struct turn *turn,
                            struct turns_end *end)
{
    turn->sum_ns = 0;
    for (size_t i = 0; i < turn->count; i++) {
        end->arm = arm_at(turns, turn, i);
        enum reply reply = session_receive(turns->session, LINE_SAMPLE, end->arm, &end->line);
        if (reply != REPLY_OK)
            return reply;
        turn->total_ns[i] = end->line.numbers[0];
        turn->sum_ns += end->line.numbers[0];
        turn->disturbed[i] = end->line.numbers[1];
        if (turn->watched)
            witness_sample(turns->witness,
                           i + 1 < turn->count ? arm_at(turns, turn, i + 1) : ARM_COUNT);
    }
    end->arm = ARM_COUNT;
    enum reply reply = session_receive(turns->session, LINE_DONE, ARM_COUNT, &end->line);
    if (reply == REPLY_WRONG)
        end->arm = end->line.arm;
    return reply;
}

static int call_implausible(struct turns_end *end, enum arm arm, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int call_implausible(struct turns_end *end, enum arm arm, const char *format, ...)
{
    end->reply = REPLY_OK;
    end->arm = arm;
    end->implausible = true;
    va_list args;
    va_start(args, format);
    vsnprintf(end->text, sizeof end->text, format, args);
    va_end(args);
    return -1;
}

/* A sample below the floor, or more time claimed than passed. Both clocks are the same one,
 * and each sample lies within the turn: there is no tolerance to give but for rounding. */
static int check_claims(const struct turns *turns, const struct turn *turn,
                        struct turns_end *end)
{
    for (size_t i = 0; i < turn->count; i++) {
        double ns = (double)turn->total_ns[i] / (double)turns->launches;
        if (ns < turns->floor_ns)
            return call_implausible(
                end, arm_at(turns, turn, i),
                "implausible: %.4g ns a launch, and this device needs %.4g ns at"
                " least",
                ns, turns->floor_ns);
    }
    if (turn->sum_ns > turn->wall_ns)
        return call_implausible(
            end, ARM_COUNT,
            "implausible: the samples of a turn claim %.6g ms, and %.6g ms passed",
            (double)turn->sum_ns / 1e6, (double)turn->wall_ns / 1e6);
    return 0;
}

/* The shortest sample of a turn, without head's where there are others: head must not decide how
 * much is tolerated of main's arms. */
static unsigned long long shortest_ns(const struct turns *turns, const struct turn *turn)
{
    unsigned long long shortest = UINT64_MAX;
    for (size_t i = 0; i < turn->count; i++)
        if (arm_at(turns, turn, i) != ARM_HEAD && turn->total_ns[i] < shortest)
            shortest = turn->total_ns[i];
    return shortest == 0 ? 1 : shortest;
}

/* How many disturbances of a sample are ignored. The scheduler preempts threads so many times a
 * second, whatever they run, so a sample that takes ten times as long is preempted ten times as
 * often. Without a tolerance every turn of a kernel that is ten times slower would be marked, and
 * its regression never seen. A sample that takes n to n + 1 times as long as the shortest of its
 * turn may have n - 1: the error is a small part of what it is slower by. On a GPU a sample is
 * disturbed or is not. */
static unsigned long long tolerated(const struct turns *turns, unsigned long long ns,
                                    unsigned long long shortest)
{
    return !turns->kind->disturbed_by_time || shortest == 0 || ns < shortest
               ? 0
               : ns / shortest - 1;
}

static void mark_disturbed(const struct turns *turns, struct turn *turn)
{
    unsigned mark = turns->kind->disturbed_mark;
    unsigned long long shortest = shortest_ns(turns, turn);
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->disturbed[i] <= tolerated(turns, turn->total_ns[i], shortest))
            continue;
        turn->marks |= mark;
        turn->marks_of[arm_at(turns, turn, i)] |= mark;
    }
}

static int take_turn(const struct turns *turns, struct turn *turn, struct turns_end *end,
                     struct err *err)
{
    uint64_t seed;
    if (draw_bits(&seed, err) != 0)
        return -1;
    if (turn->watched)
        witness_begin(turns->witness, arm_at(turns, turn, 0));
    turn->marks = 0;
    memset(turn->marks_of, 0, sizeof turn->marks_of);
    uint64_t start = proc_now_ns();
    end->arm = arm_at(turns, turn, 0);
    end->reply = send_turn(turns, turn, seed);
    if (end->reply == REPLY_OK)
        end->reply = hear_turn(turns, turn, end);
    turn->wall_ns = proc_now_ns() - start;
    if (end->reply != REPLY_OK)
        return -1;
    mark_disturbed(turns, turn);
    unsigned long long mean_ns = turn->count == 0 ? 0 : turn->sum_ns / turn->count;
    if (turn->watched)
        turn->marks |= witness_end(turns->witness,
                                   tolerated(turns, mean_ns, shortest_ns(turns, turn)),
                                   turn->marks_of);
    return check_claims(turns, turn, end);
}

/* Wildly more time passed than the samples account for. What is not timed in a turn is the
 * check of one row, pipes, and on a busy machine the slices of others. */
static bool off_clock(const struct turn *turn, unsigned long long least_rest_ns)
{
    unsigned long long rest = turn->wall_ns - turn->sum_ns;
    return rest > 2 * turn->sum_ns + 2 * least_rest_ns + 50000000u;
}

static int keep_turn(const struct turns *turns, const struct turn *turn, struct series *out,
                     struct err *err)
{
    for (size_t i = 0; i < turn->count; i++)
        if (series_add(&out[turn->order[i]],
                       (double)turn->total_ns[i] / (double)turns->launches) != 0)
            return err_set(err, ERR_HOST, "out of memory for samples");
    return 0;
}

static void count_marks(const struct turn *turn, struct marked *marked)
{
    marked->marks |= turn->marks;
    for (unsigned bit = 0; bit < MARK_BITS; bit++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            marked->times[bit][arm] += (turn->marks_of[arm] & 1u << bit) != 0;
}

/* A busy host disturbs every arm alike: then all of them are named. */
static void name_arms(const struct marked *marked, struct turns_marks *marks)
{
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        const unsigned *times = marked->times[bit];
        unsigned most = 0;
        for (int arm = 0; arm < ARM_COUNT; arm++)
            most = times[arm] > most ? times[arm] : most;
        for (int arm = 0; arm < ARM_COUNT; arm++)
            if (times[arm] > 0 && 2 * times[arm] >= most)
                marks->of[arm] |= 1u << bit;
    }
}

/* Where too few turns stayed clean, the marked ones are kept as well, under their marks. */
static int keep_marked(const struct marked *marked, struct series *out,
                       struct turns_marks *marks, struct err *err)
{
    for (size_t entry = 0; entry < TURNS_ENTRIES_MAX; entry++)
        for (size_t i = 0; i < marked->entries[entry].count; i++)
            if (series_add(&out[entry], marked->entries[entry].ns[i]) != 0)
                return err_set(err, ERR_HOST, "out of memory for samples");
    marks->all |= marked->marks;
    name_arms(marked, marks);
    return 0;
}

/* How many turns there will be. */
struct plan {
    unsigned warmup, samples;
    unsigned most; /* that are taken for so many samples, marked ones included */
    uint64_t begin_ns;
};

static struct plan plan_asked(const struct turns *turns, uint64_t begin_ns)
{
    unsigned warmup = turns->request->warmup;
    return (struct plan){
        .warmup = warmup == 0 && turns->wall_ns > 0 ? 1 : warmup, /* one to learn from */
        .samples = turns->request->samples,
        .most = TURN_BUDGET * turns->request->samples,
        .begin_ns = begin_ns};
}

/* So many turns of this length there is time for, besides the audits. */
static double turns_that_fit(const struct turns *turns, uint64_t begin_ns, double turn_ns)
{
    double audit = fmax(audit_ns, 2 * turn_ns / (double)turns->count);
    double audits = turns->audits && turns->count > 1
                        ? AUDIT_REFERENCE + (double)turns->count - 1
                        : 0;
    double left = turns->wall_ns - (double)(proc_now_ns() - begin_ns) - audits * audit;
    return left > 0 ? left / turn_ns : 0;
}

/* After so many turns of warm-up, of which the last took `turn_ns`: decided before any turn counts,
 * so that no time that counts has a say in how many there are. */
static void plan_again(const struct turns *turns, unsigned taken, double turn_ns,
                       struct plan *plan)
{
    struct plan asked = plan_asked(turns, plan->begin_ns);
    double fit = turns_that_fit(turns, plan->begin_ns, turn_ns);
    *plan = asked;
    if (asked.warmup - taken + asked.samples > fit) {
        plan->warmup = taken + (unsigned)fmin(asked.warmup - taken, fit / 4);
        double samples = fmax(fit - (plan->warmup - taken), SAMPLES_LEAST);
        plan->samples = (unsigned)fmin(samples, asked.samples);
    }
    double most = fmax(fit, plan->samples);
    plan->most = (unsigned)fmin(most, TURN_BUDGET * (double)plan->samples);
}

/* Turns of all entries, in random order. */
static int take_shuffled(const struct turns *turns, struct turn *turn, struct turns_end *end,
                         struct err *err)
{
    uint64_t bits;
    if (draw_bits(&bits, err) != 0)
        return -1;
    turn->count = turns->count;
    for (size_t entry = 0; entry < turns->count; entry++)
        turn->order[entry] = entry;
    shuffle(turn, bits);
    return take_turn(turns, turn, end, err);
}

/* A kernel that takes long gets several launches a sample, though one would do. Where all turns
 * would take too long with them, it gets fewer. */
static int cut_launches(struct turns *turns, struct turns_end *end, struct err *err)
{
    unsigned long long asked = turns->launches;
    struct turn turn = {0};
    uint64_t begin_ns = proc_now_ns();
    if (asked < 2 || asked > FEW_LAUNCHES)
        return 0;
    turns->launches = 1;
    if (take_shuffled(turns, &turn, end, err) != 0)
        return -1;
    struct plan plan = plan_asked(turns, begin_ns);
    double launch_ns = (double)turn.sum_ns / (double)turn.count;
    double fit = turns_that_fit(turns, begin_ns, (double)(turn.wall_ns * asked));
    double wanted = plan.warmup + plan.samples > fit ? ceil(long_sample_ns / launch_ns)
                                                     : (double)asked;
    turns->launches = wanted < (double)asked ? (unsigned long long)wanted : asked;
    turns->wall_ns = fmax(turns->wall_ns - (double)(proc_now_ns() - begin_ns), 1);
    end->shortened = turns->launches < asked;
    return 0;
}

static int take_planned(const struct turns *turns, struct series *out,
                        struct turns_marks *marks, struct marked *marked,
                        struct turns_end *end, struct err *err)
{
    unsigned long long least_rest = UINT64_MAX / 8;
    unsigned clean = 0;
    struct plan plan = plan_asked(turns, proc_now_ns());
    for (unsigned i = 0; i < plan.warmup + plan.most && clean < plan.samples; i++) {
        struct turn turn = {.watched = i >= plan.warmup};
        if (take_shuffled(turns, &turn, end, err) != 0)
            return -1;
        if (turn.wall_ns - turn.sum_ns < least_rest)
            least_rest = turn.wall_ns - turn.sum_ns;
        if (!turn.watched && turns->wall_ns > 0)
            plan_again(turns, i + 1, (double)turn.wall_ns, &plan);
        if (!turn.watched)
            continue;
        turn.marks |= off_clock(&turn, least_rest) ? MARK_CLOCK : 0;
        if (keep_turn(turns, &turn, turn.marks == 0 ? out : marked->entries, err) != 0)
            return -1;
        count_marks(&turn, marked);
        clean += turn.marks == 0;
    }
    end->shortened |= plan.samples < turns->request->samples ||
                      plan.warmup < turns->request->warmup;
    /* Half of the turns clean still give a sound median; marked turns never enter it. */
    if (2 * clean >= plan.samples)
        return 0;
    return keep_marked(marked, out, marks, err);
}

/* One arm alone, several samples: what of the wall clock its samples leave unexplained. */
static int audit(const struct turns *turns, const struct series *taken, size_t entry,
                 struct turn *turn, unsigned long long *rest_ns, struct turns_end *end,
                 struct err *err)
{
    /* as many for every arm, so that what a turn costs besides is the same */
    double sample_ns = taken[0].count > 0 ? taken[0].ns[0] * (double)turns->launches
                                          : audit_ns;
    turn->count = sample_ns >= audit_ns / 2               ? 2
                  : sample_ns <= audit_ns / AUDIT_SAMPLES ? AUDIT_SAMPLES
                                                          : (size_t)(audit_ns / sample_ns);
    for (size_t i = 0; i < turn->count; i++)
        turn->order[i] = entry;
    if (take_turn(turns, turn, end, err) != 0)
        return -1;
    *rest_ns = turn->wall_ns - turn->sum_ns;
    return 0;
}

/* What the audits of the first arm leave unexplained: the median. */
static int audit_reference(const struct turns *turns, const struct series *taken,
                           unsigned long long *out, struct turns_end *end, struct err *err)
{
    unsigned long long rests[AUDIT_REFERENCE];
    struct turn turn = {0};
    for (size_t i = 0; i < AUDIT_REFERENCE; i++) {
        unsigned long long rest;
        if (audit(turns, taken, 0, &turn, &rest, end, err) != 0)
            return -1;
        size_t at = i;
        for (; at > 0 && rests[at - 1] > rest; at--)
            rests[at] = rests[at - 1];
        rests[at] = rest;
    }
    *out = rests[AUDIT_REFERENCE / 2];
    return 0;
}

/* A library that makes the harness report less than passed cannot make our clock go slower:
 * alone, its turns leave more of the wall clock unexplained than those of the first arm do.
 * An arm is fine as soon as one of many audits is no worse than the usual one of the first
 * arm: a busy machine only adds time, and is not to be mistaken for a false clock. */
static int audit_all(const struct turns *turns, const struct series *taken,
                     struct turns_marks *marks, struct turns_end *end, struct err *err)
{
    if (!turns->audits || turns->count < 2)
        return 0;
    unsigned long long reference;
    if (audit_reference(turns, taken, &reference, end, err) != 0)
        return -1;
    struct turn turn = {0};
    unsigned long long rest;
    for (size_t i = 1; i < turns->count; i++) {
        bool fine = false;
        for (int tries = 0; tries < AUDIT_TRIES && !fine; tries++) {
            if (audit(turns, taken, i, &turn, &rest, end, err) != 0)
                return -1;
            fine = rest <= reference + turn.sum_ns / 10 + audit_slack_ns;
        }
        if (!fine) {
            marks->all |= MARK_CLOCK;
            marks->of[turns->entries[i].arm] |= MARK_CLOCK;
        }
    }
    return 0;
}

int turns_take(const struct turns *given, struct series *out, struct turns_marks *marks,
               struct turns_end *end, struct err *err)
{
    struct marked marked = {0};
    struct turns turns = *given;
    *end = (struct turns_end){.arm = ARM_COUNT, .reply = REPLY_OK};
    if (witness_open(turns.request->device, turns.request->gpu, &turns.witness, err) != 0)
        return -1;
    int rc = turns.wall_ns > 0 ? cut_launches(&turns, end, err) : 0;
    if (rc == 0)
        rc = take_planned(&turns, out, marks, &marked, end, err);
    if (rc == 0)
        marks->all |= witness_marks(turns.witness, marks->of);
    witness_close(&turns.witness, turns.request->watch);
    if (rc == 0)
        rc = audit_all(&turns, out, marks, end, err);
    for (size_t i = 0; i < TURNS_ENTRIES_MAX; i++)
        free(marked.entries[i].ns);
    return rc;
}
