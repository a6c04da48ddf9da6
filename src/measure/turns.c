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
    TURN_BUDGET = 3,   /* turns taken at most, for each one planned */
    SAMPLES_LEAST = 5, /* of an arm, however short the time */
    FEW_LAUNCHES = 5,  /* of one sample: what a kernel that takes long is given */
    CLOCK_TURNS = 40,  /* that our clock is to be held against, beyond one for each entry… */
    CLOCK_LEAST = 10   /* …but only so many where they take long */
};

static const double clock_ns = 150e6; /* of samples: long ones say more each */

static const double long_sample_ns = 10e6; /* its ends weigh nothing */

/* One turn as it was answered. */
struct turn {
    size_t order[TURNS_ENTRIES_MAX]; /* which entry comes when */
    size_t count;
    unsigned long long launches[TURNS_ENTRIES_MAX];  /* of each sample, in that order */
    unsigned long long total_ns[TURNS_ENTRIES_MAX];  /* likewise */
    unsigned long long disturbed[TURNS_ENTRIES_MAX]; /* as the harness says: see wire.h */
    unsigned long long sum_ns;
    unsigned long long wall_ns;   /* by our clock, from the command to `done` */
    unsigned long long waited_ns; /* of that, for a processor that others had: waited.h */
    unsigned long long took_ns;   /* all of it, from `stage` to `compared` */
    unsigned marks;
    unsigned marks_of[ARM_COUNT]; /* of these, those seen while the arm was at work */
    bool watched;                 /* by the witness: its marks will count */
};

/* The turns that did not count; and of those that did, how far they agree with our clock. */
struct aside {
    struct agree agree;                       /* owned */
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

static double launch_ns(const struct turn *turn, size_t i)
{
    return (double)turn->total_ns[i] / (double)turn->launches[i];
}

static enum arm arm_at(const struct turns *turns, const struct turn *turn, size_t i)
{
    return turns->entries[turn->order[i]].arm;
}

/* How many launches each arm takes: nobody knows before, and so every arm's share of a turn differs
 * from turn to turn (agree.h). */
static int draw_launches(const struct turns *turns, struct turn *turn, struct err *err)
{
    unsigned long long least = WIRE_LAUNCHES_LEAST(turns->launches);
    unsigned long long most = WIRE_LAUNCHES_MOST(turns->launches);
    for (size_t i = 0; i < turn->count; i++) {
        uint64_t bits;
        if (draw_bits(&bits, err) != 0)
            return -1;
        turn->launches[i] = least + bits % (most - least + 1); /* a bias below 2^-40 */
    }
    return 0;
}

/* A sample that is a share of the usual one is slowed by that share. */
static unsigned long long delay_of(const struct turns *turns, const struct turn *turn,
                                   size_t i)
{
    double usual = (double)turns->entries[turn->order[i]].delay_ns;
    return (unsigned long long)llround(usual * (double)turn->launches[i] /
                                       (double)turns->launches);
}

/* Stage a turn, and hear it of every arm. */
static enum reply stage_turn(const struct turns *turns, const struct turn *turn, uint64_t seed,
                             struct turns_end *end)
{
    char entries[TURNS_ENTRIES_MAX * 48 + 1];
    size_t used = 0;
    for (size_t i = 0; i < turn->count; i++) {
        used += (size_t)snprintf(entries + used, sizeof entries - used, " %s:%llu",
                                 arm_name(arm_at(turns, turn, i)), turn->launches[i]);
        if (turns->delays)
            used += (size_t)snprintf(entries + used, sizeof entries - used, "+%llu",
                                     delay_of(turns, turn, i));
    }
    enum reply reply = session_send(turns->session, "stage %llu%s", (unsigned long long)seed,
                                    entries);
    for (size_t i = 0; i < turn->count && reply == REPLY_OK; i++) {
        end->arm = arm_at(turns, turn, i);
        reply = session_receive(turns->session, LINE_STAGED, end->arm, &end->line);
    }
    return reply;
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
    return session_receive(turns->session, LINE_DONE, ARM_COUNT, &end->line);
}

/* Were they right? */
static enum reply compare_turn(const struct turns *turns, struct turns_end *end)
{
    enum reply reply = session_send(turns->session, "compare");
    if (reply == REPLY_OK)
        reply = session_receive(turns->session, LINE_COMPARED, ARM_COUNT, &end->line);
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
        double ns = launch_ns(turn, i);
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

/* The shortest launch of a turn, without head's where there are others: head must not decide how
 * much is tolerated of main's arms. */
static double shortest_ns(const struct turns *turns, const struct turn *turn)
{
    double shortest = INFINITY;
    for (size_t i = 0; i < turn->count; i++)
        if (arm_at(turns, turn, i) != ARM_HEAD)
            shortest = fmin(shortest, launch_ns(turn, i));
    return fmax(shortest, 1.0);
}

/* How many disturbances of a sample are ignored. The scheduler preempts threads so many times a
 * second, whatever they run, so a kernel that takes ten times as long is preempted ten times as
 * often. Without a tolerance every turn of a kernel that is ten times slower would be marked, and
 * its regression never seen. A sample whose launches take n to n + 1 times as long as the shortest
 * of its turn may have n - 1: the error is a small part of what it is slower by. On a GPU a sample is
 * disturbed or is not. */
static unsigned long long tolerated(const struct turns *turns, double ns, double shortest)
{
    return !turns->kind->disturbed_by_time || isinf(shortest) || ns < 2 * shortest
               ? 0
               : (unsigned long long)(ns / shortest) - 1;
}

static void mark_disturbed(const struct turns *turns, struct turn *turn)
{
    unsigned mark = turns->kind->disturbed_mark;
    double shortest = shortest_ns(turns, turn);
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->disturbed[i] <= tolerated(turns, launch_ns(turn, i), shortest))
            continue;
        turn->marks |= mark;
        turn->marks_of[arm_at(turns, turn, i)] |= mark;
    }
}

static double mean_launch_ns(const struct turn *turn)
{
    double sum = 0.0;
    for (size_t i = 0; i < turn->count; i++)
        sum += launch_ns(turn, i) / (double)turn->count;
    return sum;
}

/* What is timed, between our two looks at the clock; a witness looks on where it is to count. */
static int time_turn(const struct turns *turns, struct turn *turn, struct turns_end *end)
{
    if (turn->watched)
        witness_begin(turns->witness, arm_at(turns, turn, 0));
    uint64_t waited = session_waited_ns(turns->session);
    uint64_t start = proc_now_ns();
    end->arm = arm_at(turns, turn, 0);
    end->reply = session_send(turns->session, "turn");
    if (end->reply == REPLY_OK)
        end->reply = hear_turn(turns, turn, end);
    turn->wall_ns = proc_now_ns() - start;
    turn->waited_ns = session_waited_ns(turns->session) - waited;
    if (end->reply != REPLY_OK)
        return -1;
    mark_disturbed(turns, turn);
    if (turn->watched)
        turn->marks |= witness_end(
            turns->witness, tolerated(turns, mean_launch_ns(turn), shortest_ns(turns, turn)),
            turn->marks_of);
    return 0;
}

static int take_turn(const struct turns *turns, struct turn *turn, struct turns_end *end,
                     struct err *err)
{
    uint64_t seed;
    uint64_t start = proc_now_ns();
    if (draw_bits(&seed, err) != 0 || draw_launches(turns, turn, err) != 0)
        return -1;
    turn->marks = 0;
    memset(turn->marks_of, 0, sizeof turn->marks_of);
    end->arm = arm_at(turns, turn, 0);
    end->reply = stage_turn(turns, turn, seed, end);
    if (end->reply != REPLY_OK || time_turn(turns, turn, end) != 0)
        return -1;
    end->reply = compare_turn(turns, end);
    turn->took_ns = proc_now_ns() - start;
    return end->reply == REPLY_OK ? check_claims(turns, turn, end) : -1;
}

/* Wildly more time passed than the samples account for. What is not timed in a turn is what comes
 * before a sample, pipes, and on a busy machine the slices of others. */
static bool off_clock(const struct turn *turn, unsigned long long least_rest_ns)
{
    unsigned long long rest = turn->wall_ns - turn->sum_ns;
    return rest > 2 * turn->sum_ns + 2 * least_rest_ns + 50000000u;
}

/* What its entries claim, and our own clock; of turns that nothing disturbed at all. */
static int keep_claims(const struct turns *turns, const struct turn *turn, struct agree *agree,
                       struct err *err)
{
    double claimed[TURNS_ENTRIES_MAX];
    if (turns->clock_apart)
        return 0;
    for (size_t i = 0; i < turn->count; i++)
        if (turn->disturbed[i] > 0)
            return 0;
    for (size_t i = 0; i < turn->count; i++)
        claimed[turn->order[i]] = (double)turn->total_ns[i];
    agree->arms = turn->count;
    return agree_add(agree, claimed, (double)turn->waited_ns, (double)turn->wall_ns)
               ? 0
               : err_set(err, ERR_HOST, "out of memory for samples");
}

static int keep_turn(const struct turn *turn, struct series *out, struct err *err)
{
    for (size_t i = 0; i < turn->count; i++)
        if (series_add(&out[turn->order[i]], launch_ns(turn, i)) != 0)
            return err_set(err, ERR_HOST, "out of memory for samples");
    return 0;
}

static void count_marks(const struct turn *turn, struct aside *aside)
{
    aside->marks |= turn->marks;
    for (unsigned bit = 0; bit < MARK_BITS; bit++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            aside->times[bit][arm] += (turn->marks_of[arm] & 1u << bit) != 0;
}

/* A busy host disturbs every arm alike: then all of them are named. */
static void name_arms(const struct aside *aside, struct turns_marks *marks)
{
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        const unsigned *times = aside->times[bit];
        unsigned most = 0;
        for (int arm = 0; arm < ARM_COUNT; arm++)
            most = times[arm] > most ? times[arm] : most;
        for (int arm = 0; arm < ARM_COUNT; arm++)
            if (times[arm] > 0 && 2 * times[arm] >= most)
                marks->of[arm] |= 1u << bit;
    }
}

/* Where too few turns stayed clean, the marked ones are kept as well, under their marks. */
static int keep_marked(const struct aside *aside, struct series *out,
                       struct turns_marks *marks, struct err *err)
{
    for (size_t entry = 0; entry < TURNS_ENTRIES_MAX; entry++)
        for (size_t i = 0; i < aside->entries[entry].count; i++)
            if (series_add(&out[entry], aside->entries[entry].ns[i]) != 0)
                return err_set(err, ERR_HOST, "out of memory for samples");
    marks->all |= aside->marks;
    name_arms(aside, marks);
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

/* So many turns of this length there is time for. */
static double turns_that_fit(const struct turns *turns, uint64_t begin_ns, double turn_ns)
{
    double left = turns->wall_ns - (double)(proc_now_ns() - begin_ns);
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
    double fit = turns_that_fit(turns, begin_ns, (double)(turn.took_ns * asked));
    double wanted = plan.warmup + plan.samples > fit
                        ? ceil(long_sample_ns / mean_launch_ns(&turn))
                        : (double)asked;
    turns->launches = wanted < (double)asked ? (unsigned long long)wanted : asked;
    turns->wall_ns = fmax(turns->wall_ns - (double)(proc_now_ns() - begin_ns), 1);
    end->shortened = turns->launches < asked;
    return 0;
}

/* Where there are to be few turns, some before them for our clock alone; with a time budget, which may leave
 * few, for a tenth of it. */
static int take_for_clock(struct turns *turns, struct aside *aside, struct turns_end *end,
                          struct err *err)
{
    size_t coming = turns->request->warmup + turns->request->samples;
    double spent_ns = 0.0, took_ns = 0.0, most_ns = turns->wall_ns / 10;
    if (turns->count < 2 || turns->clock_apart)
        return 0;
    for (size_t i = most_ns > 0 ? 0 : coming; i < turns->count + CLOCK_TURNS; i++) {
        struct turn turn = {.watched = false};
        if ((spent_ns > clock_ns && i >= turns->count + CLOCK_LEAST) ||
            (most_ns > 0 && took_ns >= most_ns))
            break;
        if (take_shuffled(turns, &turn, end, err) != 0 ||
            (turn.marks == 0 && keep_claims(turns, &turn, &aside->agree, err) != 0))
            return -1;
        spent_ns += (double)turn.sum_ns;
        took_ns += (double)turn.took_ns;
    }
    if (most_ns > 0)
        turns->wall_ns = fmax(turns->wall_ns - took_ns, 1);
    return 0;
}

static int take_planned(const struct turns *turns, struct series *out,
                        struct turns_marks *marks, struct aside *aside, struct turns_end *end,
                        struct err *err)
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
            plan_again(turns, i + 1, (double)turn.took_ns, &plan);
        turn.marks |= off_clock(&turn, least_rest) ? MARK_CLOCK : 0;
        if (turn.marks == 0 && keep_claims(turns, &turn, &aside->agree, err) != 0)
            return -1;
        if (!turn.watched)
            continue;
        if (keep_turn(&turn, turn.marks == 0 ? out : aside->entries, err) != 0)
            return -1;
        count_marks(&turn, aside);
        clean += turn.marks == 0;
    }
    end->shortened |= plan.samples < turns->request->samples ||
                      plan.warmup < turns->request->warmup;
    /* Half of the turns clean still give a sound median; marked turns never enter it. */
    if (2 * clean >= plan.samples)
        return 0;
    return keep_marked(aside, out, marks, err);
}

int turns_take(const struct turns *given, struct series *out, struct turns_marks *marks,
               struct turns_end *end, struct err *err)
{
    struct aside aside = {0};
    struct turns turns = *given;
    *end = (struct turns_end){.arm = ARM_COUNT, .reply = REPLY_OK};
    if (witness_open(turns.request->device, turns.request->gpu, &turns.witness, err) != 0)
        return -1;
    int rc = turns.wall_ns > 0 ? cut_launches(&turns, end, err) : 0;
    if (rc == 0)
        rc = take_for_clock(&turns, &aside, end, err);
    if (rc == 0)
        rc = take_planned(&turns, out, marks, &aside, end, err);
    if (rc == 0)
        marks->all |= witness_marks(turns.witness, marks->of);
    witness_close(&turns.witness, turns.request->watch);
    if (rc == 0 && !agree_slopes(&aside.agree, end->slopes))
        marks->all |= MARK_CLOCK;
    agree_free(&aside.agree);
    for (size_t i = 0; i < TURNS_ENTRIES_MAX; i++)
        free(aside.entries[i].ns);
    return rc;
}
