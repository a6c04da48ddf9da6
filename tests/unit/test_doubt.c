/* SPDX-License-Identifier: Apache-2.0 */
/* `unclear = pass` against the threat model of judge/doubt.c: an honest head that is slower by a
 * clear margin is made worse in every way that its author has, and none may exit 0. And the
 * other side: an honest doubt passes. */
#include "tap.h"

#include "base/err.h"
#include "judge/compare.h"
#include "judge/random.h"
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAMES = 6000, ROUNDS_MAX = 32, SAMPLES = 15 };

/* What a game is about: which arms there are, and how the machine scatters. */
struct board {
    double change, own; /* of head, honestly; of them, head against base */
    double scatter, drift;
    bool control, base, anchor;
    size_t rounds;
};

static void put(struct random *random, struct series *series, double ns)
{
    for (int i = 0; i < SAMPLES; i++)
        if (series_add(series, ns * (1 + 0.01 * normal(random))) != 0)
            abort();
}

static void deal(struct random *random, const struct board *board, struct config_samples *out)
{
    double base = (1 + board->change) / (1 + board->own);
    double speeds[ARM_OTHER] = {1 + board->change, base, 1, 1};
    bool there[ARM_OTHER] = {true, board->base, board->anchor, board->control && board->anchor};
    for (size_t i = 0; i < board->rounds; i++) {
        struct replicate *replicate = config_samples_add(out);
        if (replicate == NULL)
            abort();
        double ns = 100000 * (1 + board->drift * normal(random));
        for (int arm = 0; arm < ARM_OTHER; arm++) {
            out->arms[arm].present = there[arm];
            if (there[arm])
                put(random, &replicate->arms[arm],
                    ns * speeds[arm] * (1 + board->scatter * normal(random)));
        }
    }
    out->attempts = out->count;
}

static void delay(struct series *series, double factor)
{
    for (size_t i = 0; i < series->count; i++)
        series->ns[i] *= factor;
}

static int by_value(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* How slow head was against main's arm, in each replicate, and the order, slowest first. */
static void rank(const struct config_samples *config, size_t order[ROUNDS_MAX])
{
    double slow[ROUNDS_MAX];
    for (size_t i = 0; i < config->count; i++) {
        const struct replicate *replicate = &config->replicates[i];
        const struct series *other = &replicate->arms[ARM_ANCHOR];
        if (other->count == 0)
            other = &replicate->arms[ARM_BASE];
        const struct series *head = &replicate->arms[ARM_HEAD];
        slow[i] = head->count == 0 ? 0 : head->ns[head->count / 2];
        if (other->count != 0)
            slow[i] /= other->ns[other->count / 2];
        order[i] = i;
        for (size_t k = i; k > 0 && slow[order[k]] > slow[order[k - 1]]; k--) {
            size_t swap = order[k];
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    }
}

/* ---- moves ---- */

/* Head's times spread so that their middle stays: one replicate the slower, the next as much
 * faster than it would have been. That is more than the threat model allows him, so he may not
 * choose afterwards which of them are marked: what is left would be a head that is faster. */
static void spread(struct random *random, struct config_samples *config)
{
    double far = 0.3 * uniform(random);
    for (size_t i = 0; i + 1 < config->count; i += 2) {
        double step = exp(far * uniform(random));
        delay(&config->replicates[i].arms[ARM_HEAD], step);
        delay(&config->replicates[i + 1].arms[ARM_HEAD], 1 / step);
    }
}

static void slow_down(struct random *random, struct config_samples *config)
{
    double share = uniform(random), far = 2 * uniform(random) * uniform(random);
    for (size_t i = 0; i < config->count; i++)
        if (uniform(random) < share)
            delay(&config->replicates[i].arms[ARM_HEAD], 1 + far * uniform(random));
}

static void drop_slow(struct random *random, struct config_samples *config)
{
    size_t order[ROUNDS_MAX];
    size_t count = (size_t)(uniform(random) * (double)config->count);
    rank(config, order);
    for (size_t i = 0; i < count; i++)
        config->replicates[order[i]].arms[ARM_HEAD].count = 0;
}

/* The slower half of head's samples, in some replicates. */
static void drop_samples(struct random *random, struct config_samples *config)
{
    for (size_t i = 0; i < config->count; i++) {
        struct series *head = &config->replicates[i].arms[ARM_HEAD];
        if (head->count < 2 || uniform(random) < 0.5)
            continue;
        qsort(head->ns, head->count, sizeof *head->ns, by_value);
        head->count = (head->count + 1) / 2;
    }
}

static void provoke(struct random *random, struct config_samples *config)
{
    size_t order[ROUNDS_MAX];
    size_t count = (size_t)(uniform(random) * (double)config->count);
    rank(config, order);
    for (size_t i = 0; i < count; i++)
        config->replicates[order[i]].marks = MARK_PREEMPTED;
}

/* Fails, so that the process is begun again; or for good. */
static void fail_some(struct random *random, struct config_samples *config)
{
    config->attempts += (size_t)(8 * uniform(random));
    if (uniform(random) < 0.2) {
        config->fault = FAULT_PR;
        config->clause = CLAUSE_CRASHED;
        strcpy(config->failure, "crashed");
    }
}

static void (*const moves[])(struct random *, struct config_samples *) = {
    spread, slow_down, drop_slow, drop_samples, provoke, fail_some};
enum { SPREAD = 0, PROVOKE = 4, MOVES = sizeof moves / sizeof moves[0] };

/* ---- play ---- */

static int judge(struct samples *samples, bool passes, struct comparison *out)
{
    struct rule rule = rule_default();
    struct err err = {0};
    rule.resamples = 1000;
    rule.unclear_passes = passes;
    comparison_free(out);
    if (compare_samples(samples, NULL, &rule, out, &err) != 0) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }
    return comparison_exit(out);
}

static struct board shuffle(struct random *random)
{
    static const double scatters[] = {0.0005, 0.002, 0.005};
    struct board board = {.scatter = scatters[random_next(random) % 3],
                          .drift = 0.02 * uniform(random),
                          .anchor = uniform(random) < 0.8,
                          .rounds = 6 + random_next(random) % (ROUNDS_MAX - 5)};
    board.control = uniform(random) < 0.8;
    board.base = !board.anchor || uniform(random) < 0.5;
    /* a clear margin: of the line, of what dropping the slower half of the samples gains, and
     * of how far few replicates of this machine stray */
    board.own = 0.05 + 6 * board.scatter + 0.1 * uniform(random);
    board.change = board.own + (uniform(random) < 0.3 ? 0.05 : 0); /* main lost some already */
    if (!board.anchor)
        board.change = board.own;
    return board;
}

static void test_game(void)
{
    tap_case("no move, and no two, three or four of them, makes a regression pass");
    struct random random;
    random_seed(&random, 2026, 0);
    size_t lost = 0, seen[VERDICT_REGRESSED + 1] = {0};
    for (int game = 0; game < GAMES; game++) {
        struct samples samples = {.device = {.slug = "cpu"}};
        struct comparison comparison = {0};
        struct board board = shuffle(&random);
        struct config_samples *config = add_config(&samples, "c");
        deal(&random, &board, config);
        unsigned made = 0;
        for (unsigned left = 1 + (unsigned)(random_next(&random) % 4); left > 0; left--) {
            unsigned move = (unsigned)(random_next(&random) % MOVES);
            const unsigned both = 1u << SPREAD | 1u << PROVOKE;
            if (((made | 1u << move) & both) == both)
                continue;
            moves[move](&random, config);
            made |= 1u << move;
        }
        int code = judge(&samples, true, &comparison);
        seen[comparison.verdict]++;
        if (code == EXIT_HELD) {
            lost++;
            printf("# game %d, moves %#x, scatter %g, rounds %zu, own %+.3f, change %+.3f: %s: %s\n",
                   game, made, board.scatter, board.rounds, board.own, board.change,
                   verdict_name(comparison.verdict), comparison.reason);
        }
        comparison_free(&comparison);
        samples_free(&samples);
    }
    EQ_INT(lost, 0);
    tap_case("and each of the other verdicts was seen");
    OK(seen[VERDICT_REGRESSED] > GAMES / 10 && seen[VERDICT_UNCLEAR] > GAMES / 10 &&
       seen[VERDICT_UNMEASURED] > GAMES / 20);
    printf("# regressed %zu, unmeasured %zu, unclear %zu\n", seen[VERDICT_REGRESSED],
           seen[VERDICT_UNMEASURED], seen[VERDICT_UNCLEAR]);
}

static void test_honest(void)
{
    tap_case("an honest doubt passes, and only where the rule asks for it");
    struct random random;
    random_seed(&random, 2027, 0);
    size_t unclear = 0, passed = 0, failed = 0;
    for (int game = 0; game < GAMES / 20; game++) {
        struct samples samples = {.device = {.slug = "cpu"}};
        struct comparison comparison = {0};
        struct board board = shuffle(&random);
        board.change = board.own = 0.03;
        deal(&random, &board, add_config(&samples, "c"));
        failed += judge(&samples, false, &comparison) == EXIT_HELD &&
                  comparison.verdict == VERDICT_UNCLEAR;
        int code = judge(&samples, true, &comparison);
        unclear += comparison.verdict == VERDICT_UNCLEAR;
        passed += comparison.verdict == VERDICT_UNCLEAR && code == EXIT_HELD;
        if (comparison.verdict == VERDICT_UNCLEAR && code != EXIT_HELD)
            printf("# %s\n", comparison.reason);
        comparison_free(&comparison);
        samples_free(&samples);
    }
    printf("# %zu of %zu pass\n", passed, unclear);
    EQ_INT(failed, 0);
    OK(unclear > GAMES / 25);
    OK(10 * passed >= 9 * unclear);
}

int main(void)
{
    test_game();
    test_honest();
    return tap_done();
}
