/* SPDX-License-Identifier: Apache-2.0 */
/* Times that are claimed against times that passed: the regression of measure/agree.h on turns
 * whose truth is known, and whom the judge accuses of it. */
#include "tap.h"

#include "base/err.h"
#include "base/buf.h"
#include "judge/compare.h"
#include "judge/explain.h"
#include "judge/random.h"
#include "judge.h"
#include "measure/agree.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ARMS = 4, TURNS = 65, CHECKS = 10000, PROCESSES = 6 };

/* What the clock of each arm shows of a true millisecond or so; the host is busy for `noise` ns
 * around each turn, for `outlier` more in one of `every`, and in half of them for up to `waits`, which
 * it tells. */
struct game {
    double clock[ARMS];
    double noise, outlier, waits;
    unsigned every;
};

static bool play(struct random *random, const struct game *game,
                 struct clock_slope slopes[ARMS])
{
    struct agree agree = {.arms = ARMS};
    for (unsigned turn = 0; turn < TURNS; turn++) {
        double claimed[ARMS], wall = 300e3 + game->noise * normal(random), waited = 0;
        for (int arm = 0; arm < ARMS; arm++) {
            double launches = 10 + floor(21 * uniform(random));
            double ns = launches * 50e3 * (1 + 0.003 * normal(random));
            claimed[arm] = ns * game->clock[arm];
            wall += ns;
        }
        if (game->every > 0 && turn % game->every == 1)
            wall += game->outlier;
        if (game->waits > 0 && turn % 2 == 1) {
            waited = game->waits * uniform(random);
            wall += waited;
        }
        if (!agree_add(&agree, claimed, waited, wall))
            abort();
    }
    bool solved = agree_slopes(&agree, slopes);
    agree_free(&agree);
    return solved;
}

static void test_slopes(void)
{
    struct random random;
    struct clock_slope slopes[ARMS];
    const struct game exact = {.clock = {1, 0.85, 1, 1.1}};
    const struct game waiting = {.clock = {1, 0.85, 1, 1.1}, .noise = 1e3, .waits = 20e6};
    const struct game noisy = {
        .clock = {1, 0.85, 1, 1.1}, .noise = 40e3, .outlier = 5e6, .every = 7};
    random_seed(&random, 1, 0);
    tap_case("a quiet host");
    OK(play(&random, &exact, slopes));
    for (int arm = 0; arm < ARMS; arm++)
        OK(fabs(slopes[arm].slope * exact.clock[arm] - 1) < 1e-9);
    tap_case("a harness that waits in half of its turns, for as long as five turns");
    OK(play(&random, &waiting, slopes));
    for (int arm = 0; arm < ARMS; arm++)
        OK(fabs(slopes[arm].slope * waiting.clock[arm] - 1) < 0.01);
    tap_case("a host that is busy, one turn in seven for five times as long as a turn");
    double sums[ARMS] = {0}, squares = 0;
    for (int round = 0; round < 400; round++) {
        OK(play(&random, &noisy, slopes));
        for (int arm = 0; arm < ARMS; arm++)
            sums[arm] += slopes[arm].slope * noisy.clock[arm] / 400;
        double off = (slopes[0].slope - 1) / slopes[0].error;
        squares += off * off / 400;
    }
    for (int arm = 0; arm < ARMS; arm++)
        if (!OK(fabs(sums[arm] - 1) < 0.005))
            printf("# %g\n", sums[arm]);
    if (!OK(squares > 0.7 && squares < 1.5)) /* the errors that are told are those that are made */
        printf("# %g\n", squares);
}

static void test_cannot_tell(void)
{
    struct agree agree = {.arms = 2};
    struct clock_slope slopes[2];
    tap_case("too few turns");
    for (int i = 0; i < 11; i++)
        OK(agree_add(&agree, (double[]){i, i * i}, 0, 10 * i));
    OK(agree_slopes(&agree, slopes) && slopes[0].freedom == 0 && slopes[1].freedom == 0);
    agree_free(&agree);
    tap_case("claims that are the same whatever was launched");
    agree.arms = 2;
    for (int i = 0; i < 20; i++)
        OK(agree_add(&agree, (double[]){1e6, 1e6 + 1e3 * (i % 7)}, 0, 3e6 + 1e5 * (i % 5)));
    OK(!agree_slopes(&agree, slopes) && slopes[0].freedom == 0);
    agree_free(&agree);
}

/* ---- whom the judge accuses ---- */

static void deal(struct random *random, const struct game *game, struct config_samples *config)
{
    static const enum arm arms[ARMS] = {ARM_HEAD, ARM_BASE, ARM_ANCHOR, ARM_CONTROL};
    add_replicates(config, PROCESSES, (struct changes){0, 0, 0, 0});
    for (size_t i = 0; i < config->count; i++) {
        struct clock_slope slopes[ARMS];
        if (!play(random, game, slopes))
            abort();
        for (int arm = 0; arm < ARMS; arm++)
            config->replicates[i].clock[arms[arm]] = slopes[arm];
    }
}

static void judge(const struct samples *samples, struct comparison *out)
{
    struct rule rule = rule_default();
    struct err err = {0};
    rule.resamples = 200;
    if (!OK(compare_samples(samples, NULL, &rule, out, &err) == 0))
        abort();
}

static void test_accused(void)
{
    const struct {
        const char *what;
        struct game game; /* clocks of head, base, anchor, control */
        enum fault fault;
        const char *text;
    } table[] = {
        {"nobody", {.clock = {1, 1, 1, 1}, .noise = 40e3}, FAULT_NONE, NULL},
        {"within the tolerance", {.clock = {0.98, 1, 1, 1}, .noise = 40e3}, FAULT_NONE, NULL},
        {"head's clock is slow", {.clock = {0.85, 1, 1, 1}, .noise = 40e3}, FAULT_PR, "of head"},
        {"a little", {.clock = {0.9, 1, 1, 1}, .noise = 40e3}, FAULT_PR, "of head"},
        {"those of main are fast beside head",
         {.clock = {1, 1.2, 1.2, 1.2}, .noise = 40e3},
         FAULT_PR,
         "of head"},
        {"that of the anchor alone is",
         {.clock = {1.2, 1.2, 1.2, 1}, .noise = 40e3},
         FAULT_PR,
         "head is loaded"},
        {"main's own is slow", {.clock = {1, 1, 0.85, 0.85}, .noise = 40e3}, FAULT_BASE, "anchor"},
        {"head's clock is fast: no way to win",
         {.clock = {1.2, 1, 1, 1}, .noise = 40e3},
         FAULT_BASE,
         "of base"},
        {"every clock is slow: nobody looks faster than another",
         {.clock = {0.85, 0.85, 0.85, 0.85}, .noise = 40e3},
         FAULT_NONE,
         NULL},
        {"a busy host, where who has computed for long waits for long",
         {.clock = {0.67, 0.67, 0.67, 0.67}, .noise = 100e3},
         FAULT_NONE,
         NULL},
    };
    struct random random;
    random_seed(&random, 2, 0);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct samples samples = {0};
        COMPARISON_AUTO comparison = {0};
        tap_case(table[i].what);
        deal(&random, &table[i].game, add_config(&samples, "one"));
        judge(&samples, &comparison);
        const struct config_verdict *row = &comparison.configs[0];
        EQ_INT(row->fault, table[i].fault);
        EQ_INT(row->verdict,
               table[i].fault == FAULT_NONE ? VERDICT_HELD : VERDICT_UNMEASURED);
        if (table[i].text != NULL)
            EQ_INT(row->clause, CLAUSE_IMPLAUSIBLE);
        if (table[i].text != NULL && !OK(strstr(row->reason, table[i].text) != NULL))
            printf("# %s\n", row->reason);
        samples_free(&samples);
    }
}

/* Noise that a lie could hide in is no green. */
static void test_unseen(void)
{
    const struct game hidden = {.clock = {0.7, 1, 1, 1}, .noise = 3e6};
    struct random random;
    struct samples samples = {0};
    COMPARISON_AUTO comparison = {0};
    random_seed(&random, 4, 0);
    tap_case("a lie that the host is too busy to see");
    deal(&random, &hidden, add_config(&samples, "one"));
    judge(&samples, &comparison);
    EQ_INT(comparison.configs[0].verdict, VERDICT_UNCLEAR);
    EQ_INT(comparison.configs[0].clause, CLAUSE_IMPLAUSIBLE);
    EQ_INT(comparison.configs[0].fault, FAULT_HOST);
    OK(!comparison.unclear_passes);
    samples_free(&samples);
}

/* The text of --explain says what was held against what, whatever came of it. */
static void explain(const struct samples *samples, struct comparison *out,
                    struct config_log *seen, struct buf *text)
{
    struct rule rule = rule_default();
    struct compare_log log __attribute__((cleanup(compare_log_free))) = {0};
    struct err err = {0};
    rule.resamples = 200;
    if (!OK(compare_logged(samples, NULL, &rule, out, &log, &err) == 0))
        abort();
    *seen = log.configs[0]; /* for its numbers alone */
    explain_text(samples, &rule, out, &log, text);
    OK(!text->failed);
}

__attribute__((format(printf, 3, 4))) static void says(const struct buf *text, bool wanted,
                                                       const char *format, ...)
{
    char part[256];
    va_list args;
    va_start(args, format);
    vsnprintf(part, sizeof part, format, args);
    va_end(args);
    if (!OK((strstr(text->data, part) != NULL) == wanted))
        printf("# `%s` in:\n# %s\n", part, text->data);
}

static void test_explained(void)
{
    static const struct {
        struct game game;
        bool disagrees, hides;
    } table[] = {{{.clock = {1, 1, 1, 1}, .noise = 40e3}, false, false},
                 {{.clock = {0.85, 1, 1, 1}, .noise = 40e3}, true, false},
                 {{.clock = {1, 1, 0.85, 0.85}, .noise = 40e3}, true, false},
                 {{.clock = {0.7, 1, 1, 1}, .noise = 3e6}, false, true}};
    struct random random;
    random_seed(&random, 5, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct samples samples = {0};
        struct config_log log;
        COMPARISON_AUTO comparison = {0};
        BUF_AUTO text;
        buf_init(&text, 1 << 20);
        tap_case("explained");
        deal(&random, &table[i].game, add_config(&samples, "one"));
        explain(&samples, &comparison, &log, &text);
        for (int arm = 0; arm < ARMS; arm++)
            says(&text, true, "    %-14s %.5f s, standard error %.5f, ", arm_name((enum arm)arm),
                 log.claims[arm].slope, log.claims[arm].error);
        EQ_INT(log.pair_count, CLAIM_PAIRS);
        says(&text, true, "head/anchor  %.4f, ", log.pairs[1].ratio);
        says(&text, true, "    disagree where a ratio is wholly above 1.03\n");
        says(&text, table[i].disagrees, ": disagree\n");
        says(&text, !table[i].disagrees, "    head may take ");
        says(&text, !table[i].disagrees, "a green is unclear above +25%%\n");
        OK(table[i].disagrees ||
           (log.unseen.ratio + log.unseen.reach - 1 > CLAIM_UNSEEN) == table[i].hides);
        samples_free(&samples);
    }
}

/* Three processes without head, in which the anchor takes `faster` less. */
static void test_explained_beside(void)
{
    static const struct {
        double faster;
        size_t processes;
        const char *surely, *likely;
    } table[] = {{0, 0, NULL, NULL},
                 {0, 1, NULL, NULL},
                 {0, 3, "head disturbs it where above +0.1: no", "difference above +0.05: no"},
                 {0.3, 3, "head disturbs it where above +0.1: yes", "difference above +0.05: yes"},
                 {0.06, 3, "head disturbs it where above +0.1: no", "difference above +0.05: yes"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct samples samples = {0};
        struct config_log log;
        COMPARISON_AUTO comparison = {0};
        BUF_AUTO text;
        buf_init(&text, 1 << 20);
        tap_case("processes without head, explained");
        struct config_samples *config = add_config(&samples, "one");
        add_replicates(config, PROCESSES, (struct changes){0, 0, 0, 0});
        for (size_t p = 0; p < table[i].processes; p++)
            OK(series_add(&config->without_head,
                          config->replicates[p].arms[ARM_ANCHOR].ns[0] *
                              (1 - table[i].faster)) == 0);
        explain(&samples, &comparison, &log, &text);
        says(&text, true, "  anchor beside head against without it: %d processes against %zu\n",
             PROCESSES, table[i].processes);
        says(&text, table[i].surely == NULL, "    too few to tell\n");
        if (table[i].surely != NULL) {
            says(&text, true, "    difference (ln) %+.6f, standard error %.6f\n", log.beside.more,
                 log.beside.error);
            says(&text, true, "%s", table[i].surely);
            says(&text, true, "%s", table[i].likely);
        }
        samples_free(&samples);
    }
}

/* Honest checks of one config on hosts that are more or less busy. None of 10 000 is accused: by the rule
 * of three fewer than 3 in 10 000 are, with 95% confidence. */
static void test_false_accusations(void)
{
    struct random random;
    size_t accused = 0;
    random_seed(&random, 3, 0);
    tap_case("honest checks");
    for (int check = 0; check < CHECKS; check++) {
        struct samples samples = {0};
        COMPARISON_AUTO comparison = {0};
        const struct game game = {.clock = {1, 1, 1, 1},
                                  .noise = 20e3 * (1 + check % 8),
                                  .outlier = 3e6 * (check % 3),
                                  .every = 5 + (unsigned)check % 20};
        deal(&random, &game, add_config(&samples, "one"));
        judge(&samples, &comparison);
        accused += comparison.configs[0].verdict == VERDICT_UNMEASURED;
        samples_free(&samples);
    }
    EQ_INT(accused, 0);
}

int main(void)
{
    test_slopes();
    test_cannot_tell();
    test_accused();
    test_unseen();
    test_explained();
    test_explained_beside();
    test_false_accusations();
    return tap_done();
}
