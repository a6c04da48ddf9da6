/* SPDX-License-Identifier: Apache-2.0 */
/* The rule, verdict by verdict, in both signs, with its reasons. */
#include "tap.h"

#include "base/err.h"
#include "judge/compare.h"
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double no_arm = NAN;

/* One config "c" judged by the default rule. The caller frees. */
struct trial {
    struct samples samples;
    struct baseline baseline;
    bool has_baseline;
    struct rule rule;
    struct comparison comparison;
};

static struct trial trial_of(size_t count, struct changes changes)
{
    struct trial trial = {.rule = rule_default()};
    strcpy(trial.samples.device.slug, "cpu");
    add_replicates(add_config(&trial.samples, "c"), count, changes);
    return trial;
}

/* Stored samples of "c", `count` replicates, so much off the anchor's usual 100 µs. */
static void store(struct trial *trial, size_t count, double change)
{
    trial->has_baseline = true;
    strcpy(trial->baseline.device.slug, "cpu");
    trial->baseline.configs = calloc(1, sizeof *trial->baseline.configs);
    trial->baseline.count = 1;
    struct baseline_config *config = trial->baseline.configs;
    config->config = trial->samples.configs[0].config;
    config->replicates = calloc(count, sizeof *config->replicates);
    config->count = count;
    for (size_t i = 0; i < count; i++)
        OK(series_add(&config->replicates[i], 100000 * (1 + change) * (1 + wobble(i))) ==
           0);
}

/* What α is split to for `held`, of one config. */
static double tail_of_looks(const struct trial *trial, size_t at)
{
    struct compare_log log = {0};
    struct comparison comparison = {0};
    struct err err = {0};
    OK(compare_logged(&trial->samples, NULL, &trial->rule, &comparison, &log, &err) == 0);
    double tail = log.configs[at].anchor.workings.looks.tail;
    compare_log_free(&log);
    comparison_free(&comparison);
    return tail;
}

static const struct config_verdict *judge(struct trial *trial)
{
    struct err err = {0};
    comparison_free(&trial->comparison);
    if (!OK(compare_samples(&trial->samples,
                            trial->has_baseline ? &trial->baseline : NULL, &trial->rule,
                            &trial->comparison, &err) == 0)) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }
    printf("# %s: %s\n", verdict_name(trial->comparison.configs[0].verdict),
           trial->comparison.configs[0].reason);
    return &trial->comparison.configs[0];
}

static void trial_free(struct trial *trial)
{
    samples_free(&trial->samples);
    baseline_free(&trial->baseline);
    comparison_free(&trial->comparison);
}

static void test_signs(void)
{
    static const struct {
        double change;
        enum verdict verdict;
        int exit;
    } table[] = {
        {0, VERDICT_HELD, EXIT_HELD},           {0.01, VERDICT_HELD, EXIT_HELD},
        {-0.01, VERDICT_HELD, EXIT_HELD},       {0.03, VERDICT_UNCLEAR, EXIT_UNCLEAR},
        {-0.03, VERDICT_UNCLEAR, EXIT_UNCLEAR}, {0.04, VERDICT_REGRESSED, EXIT_REGRESSED},
        {-0.04, VERDICT_IMPROVED, EXIT_HELD},   {0.1, VERDICT_REGRESSED, EXIT_REGRESSED},
        {-0.1, VERDICT_IMPROVED, EXIT_HELD},    {9, VERDICT_REGRESSED, EXIT_REGRESSED},
        {-0.9, VERDICT_IMPROVED, EXIT_HELD}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "%+g%% is %s", 100 * table[i].change,
                 verdict_name(table[i].verdict));
        tap_case(name);
        double change = table[i].change;
        struct trial trial = trial_of(8, (struct changes){change, 0, 0, 0});
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, table[i].verdict);
        EQ_INT(comparison_exit(&trial.comparison), table[i].exit);
        EQ_INT(c->against, AGAINST_ANCHOR);
        EQ_INT(c->replicates, 8);
        OK(c->change.known);
        NEAR(c->change.change, change, 0.001 * (1 + change));
        OK(c->change.ci.low < change + 1e-4 && change - 1e-4 < c->change.ci.high);
        OK(c->change.ci_decision.low <= c->change.ci.low);
        OK(c->change.ci_decision.high >= c->change.ci.high);
        OK((c->change.change > 0) == (c->median_ns[ARM_HEAD] > c->median_ns[ARM_ANCHOR]));
        if (fabs(change) >= 0.04) { /* the effects have the change's sign */
            OK((c->hedges_g > 0) == (change > 0));
            OK((c->cliffs_delta > 0) == (change > 0));
        }
        OK(c->effects_known && c->p_value > 0 && c->p_value <= 1);
        OK(c->median_ci[ARM_HEAD].low <= c->median_ns[ARM_HEAD]);
        OK(c->median_ci[ARM_HEAD].high >= c->median_ns[ARM_HEAD]);
        trial_free(&trial);
    }
}

static void test_exactly_on_the_line(void)
{
    tap_case("exactly +3% without any scatter is not above +3%: a tick of the clock is "
             "between");
    struct trial trial = trial_of(0, (struct changes){0});
    struct config_samples *config = &trial.samples.configs[0];
    for (int i = 0; i < 8; i++) {
        struct replicate *replicate = config_samples_add(config);
        OK(series_add(&replicate->arms[ARM_HEAD], 1030) == 0);
        OK(series_add(&replicate->arms[ARM_ANCHOR], 1000) == 0);
    }
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    NEAR(c->change.ci.high - c->change.ci.low, 0.001, 1e-12);
    tap_case("no interval is narrower than a tick");
    config->clock_resolution_ns = 32;
    c = judge(&trial);
    NEAR(c->change.ci.high - c->change.ci.low, 0.032, 1e-12);
    NEAR(c->change.ci_decision.high - c->change.ci_decision.low, 0.032, 1e-12);
    config->clock_resolution_ns = 0; /* not known: nanoseconds */
    c = judge(&trial);
    NEAR(c->change.ci.high - c->change.ci.low, 0.001, 1e-12);
    trial_free(&trial);
}

static void test_own(void)
{
    tap_case("main 5% off its anchor, neutral PR: held, already lost on main");
    struct trial trial = trial_of(8, (struct changes){0.05, 0.05, 0, 0});
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    HAS(c->reason, "already lost on main");
    NEAR(c->change.change, 0.05, 0.001);
    NEAR(c->own.change, 0, 0.001);
    EQ_INT(comparison_exit(&trial.comparison), EXIT_HELD);
    trial_free(&trial);

    tap_case("main 5% off and the PR adds 1%: regressed");
    trial = trial_of(8, (struct changes){0.0605, 0.05, 0, 0});
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_REGRESSED);
    HAS(c->reason, "against base");
    trial_free(&trial);

    tap_case("main 5% off and the PR takes 1% back: held, nobody is blocked for it");
    trial = trial_of(8, (struct changes){0.04, 0.05, 0, 0});
    EQ_INT(judge(&trial)->verdict, VERDICT_HELD);
    trial_free(&trial);

    tap_case("2% + 2%: the second is caught, its own part is enough");
    trial = trial_of(8, (struct changes){0.0404, 0.02, 0, 0});
    EQ_INT(judge(&trial)->verdict, VERDICT_REGRESSED);
    trial_free(&trial);

    tap_case("own part not clear: more replicates first, held when they are used up");
    trial = trial_of(8, (struct changes){0.0557, 0.05, 0, 0}); /* +0.5% of its own */
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    OK(c->wants_more);
    trial.rule.looks[2] = 8;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    OK(!c->wants_more);
    trial_free(&trial);

    tap_case("without a base arm own contribution is waived");
    trial = trial_of(8, (struct changes){0.05, no_arm, 0, 0});
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_REGRESSED);
    OK(!c->own.known);
    trial_free(&trial);
}

static void test_looks(void)
{
    tap_case("unclear asks for more until the budget is used up");
    struct trial trial = trial_of(6, (struct changes){0.03, 0, 0, 0});
    OK(judge(&trial)->wants_more);
    add_replicates(&trial.samples.configs[0], 10, (struct changes){0.03, 0, 0, 0});
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->replicates, 16);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    OK(!c->wants_more);
    HAS(c->reason, "straddles +3%");
    HAS(c->reason, "used up");
    trial_free(&trial);

    tap_case("more looks and more configs widen what decides, not what is reported");
    trial = trial_of(8, (struct changes){0.04, 0, 0, 0});
    struct change one = judge(&trial)->change;
    for (int i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "c%d", i);
        add_replicates(add_config(&trial.samples, name), 8, (struct changes){0, 0, 0, 0});
    }
    struct change five = judge(&trial)->change;
    OK(memcmp(&one.ci, &five.ci, sizeof one.ci) == 0);
    OK(five.ci_decision.low < one.ci_decision.low);
    OK(five.ci_decision.high > one.ci_decision.high);
    /* held is not a claim: the number of configs does not count there */
    double held = tail_of_looks(&trial, 1);
    trial.samples.count = 2; /* c and c0: judge the same config among two, not five */
    NEAR(tail_of_looks(&trial, 1), held, 0);
    NEAR(held, 0.025 / 3, 1e-15);
    trial.samples.count = 5;
    trial.rule.look_count = 1;
    struct change once = judge(&trial)->change;
    OK(once.ci_decision.low > five.ci_decision.low);
    EQ_INT(trial.comparison.configs[0].looks, 1);
    trial_free(&trial);
}

/* A variance of six values is believed less than one that four other configs share; but not
 * where theirs is another. */
static void test_spread(void)
{
    tap_case("configs that scatter alike lean on each other, as far as they do");
    struct trial trial = trial_of(6, (struct changes){0.04, 0, 0, 0});
    for (int i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "c%d", i);
        add_replicates(add_config(&trial.samples, name), 6, (struct changes){0, 0, 0, 0});
    }
    struct compare_log log = {0};
    struct comparison comparison = {0};
    struct err err = {0};
    OK(compare_logged(&trial.samples, NULL, &trial.rule, &comparison, &log, &err) == 0);
    OK(log.levels.spread.df >= 5);
    EQ_INT(log.configs[0].anchor.workings.claims.borrowed, 5);
    EQ_INT(log.configs[0].control.workings.looks.borrowed, 0);
    compare_log_free(&log);
    comparison_free(&comparison);
    for (size_t i = 1; i < trial.samples.count; i++) /* from here on each scatters as it will */
        for (size_t r = 0; r < 6; r++) {
            struct series *head = &trial.samples.configs[i].replicates[r].arms[ARM_HEAD];
            for (size_t k = 0; k < head->count; k++)
                head->ns[k] *= 1 + (r % 2 == 0 ? 1 : -1) * 1e-4 * pow(10, (double)i - 1);
        }
    OK(compare_logged(&trial.samples, NULL, &trial.rule, &comparison, &log, &err) == 0);
    OK(log.levels.spread.df < 2);
    compare_log_free(&log);
    comparison_free(&comparison);
    trial_free(&trial);
}

static void test_control(void)
{
    tap_case("a biased control is unmeasured, in both signs");
    for (int sign = -1; sign <= 1; sign += 2) {
        struct trial trial = trial_of(8, (struct changes){0.1, 0, sign * 0.02, 0});
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, VERDICT_UNMEASURED);
        EQ_INT(c->fault, FAULT_HOST);
        HAS(c->reason, "control biased");
        OK(!c->change.known);
        NEAR(c->control.change, sign * 0.02, 0.001);
        EQ_INT(comparison_exit(&trial.comparison), EXIT_UNMEASURED);
        trial_free(&trial);
    }
    tap_case("a control within the floor is not");
    struct trial trial = trial_of(8, (struct changes){0, 0, 0.004, 0});
    EQ_INT(judge(&trial)->verdict, VERDICT_HELD);
    trial_free(&trial);
    tap_case("a head that scatters less than the control by luck is not believed");
    trial = trial_of(8, (struct changes){0.04, 0, no_arm, 0});
    EQ_INT(judge(&trial)->verdict, VERDICT_REGRESSED);
    double before = trial.comparison.configs[0].change.ci_decision.low;
    for (size_t i = 0; i < 8; i++)
        OK(series_add(&trial.samples.configs[0].replicates[i].arms[ARM_CONTROL],
                      trial.samples.configs[0].replicates[i].arms[ARM_ANCHOR].ns[1] *
                          (i % 2 == 0 ? 1.02 : 0.98)) == 0);
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    OK(c->change.ci_decision.low < before);
    trial_free(&trial);
}

static void test_marks(void)
{
    tap_case("marked replicates are reported and not judged");
    struct trial trial = trial_of(8, (struct changes){0, 0, 0, 0});
    add_replicates(&trial.samples.configs[0], 3, (struct changes){5, 0, 0, 0});
    for (size_t i = 8; i < 11; i++)
        trial.samples.configs[0].replicates[i].marks =
            i == 8 ? MARK_SHARED : MARK_THROTTLED;
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    EQ_INT(c->replicates, 8);
    EQ_INT(c->marked, 3);
    EQ_INT(c->attempts, 11);
    EQ_INT(c->marks, MARK_SHARED | MARK_THROTTLED);

    tap_case("too many marked: unclear, with the marks, and more are wanted");
    for (size_t i = 0; i < 4; i++)
        trial.samples.configs[0].replicates[i].marks = MARK_STARVED;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    HAS(c->reason,
        "4 of at least 6 replicates; 7 more were marked (throttled, shared, starved)");
    OK(c->wants_more);
    tap_case("all marked: unclear, and never a pass, whatever `unclear` says");
    for (size_t i = 0; i < 11; i++)
        trial.samples.configs[0].replicates[i].marks = MARK_STARVED;
    trial.rule.unclear_passes = true;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    EQ_INT(c->fault, FAULT_HOST);
    HAS(c->reason, "every replicate was marked (starved)");
    EQ_INT(comparison_exit(&trial.comparison), EXIT_UNCLEAR);
    trial_free(&trial);
    tap_case("unclear = pass lets a doubt pass");
    trial = trial_of(8, (struct changes){0.03, 0, 0, 0});
    trial.rule.unclear_passes = true;
    EQ_INT(judge(&trial)->verdict, VERDICT_UNCLEAR);
    EQ_INT(comparison_exit(&trial.comparison), EXIT_HELD);
    trial_free(&trial);
}

static void test_unmeasured(void)
{
    static const struct {
        const char *what;
        size_t replicates;
        const char *reason;
    } few[] = {{"no replicates", 0, "no samples"},
               {"one replicate", 1, "1 of at least 6 replicates"},
               {"two replicates", 2, "2 of at least 6 replicates"},
               {"five replicates", 5, "5 of at least 6 replicates"}};
    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
        tap_case(few[i].what);
        struct trial trial = trial_of(few[i].replicates, (struct changes){0, 0, 0, 0});
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, VERDICT_UNMEASURED);
        EQ_STR(c->reason, few[i].reason);
        OK(!c->change.known);
        EQ_INT(comparison_exit(&trial.comparison), EXIT_UNMEASURED);
        trial_free(&trial);
    }
    tap_case("replicates without head samples are no samples");
    struct trial trial = trial_of(8, (struct changes){no_arm, 0, 0, 0});
    EQ_STR(judge(&trial)->reason, "no samples");
    trial_free(&trial);
    tap_case("no configs at all is unmeasured, never held");
    struct samples none = {.device = {.slug = "cpu"}};
    struct rule rule = rule_default();
    struct comparison comparison = {0};
    struct err err = {0};
    OK(compare_samples(&none, NULL, &rule, &comparison, &err) == 0);
    EQ_INT(comparison.verdict, VERDICT_UNMEASURED);
    EQ_INT(comparison_exit(&comparison), EXIT_UNMEASURED);
    comparison_free(&comparison);
    tap_case("a failure keeps its words and its owner, whatever was measured before it");
    for (int fault = FAULT_PR; fault <= FAULT_US; fault++) {
        trial = trial_of(8, (struct changes){0, 0, 0, 0});
        trial.samples.configs[0].fault = (enum fault)fault;
        strcpy(trial.samples.configs[0].failure, "wrong result: row 3");
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, VERDICT_UNMEASURED);
        EQ_INT(c->fault, fault);
        EQ_INT(trial.comparison.fault, fault);
        EQ_STR(c->reason, "wrong result: row 3");
        trial_free(&trial);
    }
    tap_case("nothing to compare against");
    trial = trial_of(8, (struct changes){0, no_arm, no_arm, no_arm});
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNMEASURED);
    HAS(c->reason, "no anchor, no base, no baseline");
    trial_free(&trial);
    tap_case("identical machine code is held without measuring");
    trial = trial_of(0, (struct changes){0});
    trial.samples.configs[0].identical = true;
    trial.samples.configs[0].identical_to = ARM_BASE;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    EQ_STR(c->reason, "identical machine code");
    EQ_INT(c->against, AGAINST_BASE);
    OK(!c->change.known);
    trial_free(&trial);
}

static void test_base_as_anchor(void)
{
    tap_case(
        "no baseline for this config yet: base is the anchor, and the reason says so");
    struct trial trial = trial_of(8, (struct changes){0.05, 0, no_arm, no_arm});
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_REGRESSED);
    EQ_INT(c->against, AGAINST_BASE);
    HAS(c->reason, "no baseline for this config yet");
    trial_free(&trial);
}

static void test_stored(void)
{
    tap_case("no anchor: the stored samples decide, both signs, with the drift margin");
    static const struct {
        double change;
        enum verdict verdict;
    } table[] = {{0, VERDICT_HELD},
                 {0.04, VERDICT_UNCLEAR},
                 {-0.04, VERDICT_UNCLEAR},
                 {0.1, VERDICT_REGRESSED},
                 {-0.1, VERDICT_IMPROVED}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct trial trial =
            trial_of(16, (struct changes){table[i].change, no_arm, no_arm, no_arm});
        store(&trial, 12, 0);
        /* the machine's slow drift is in the replicates here: 1% from process to process
         */
        for (size_t k = 0; k < 16; k++)
            for (size_t j = 0; j < 3; j++)
                trial.samples.configs[0].replicates[k].arms[ARM_HEAD].ns[j] =
                    100000 * (1 + table[i].change) * (1 + wobble(k + j));
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->against, AGAINST_STORED);
        EQ_INT(c->verdict, table[i].verdict);
        NEAR(c->change.change, table[i].change, 0.002);
        OK(c->change.ci.high - c->change.ci.low > 0.04);
        HAS(c->reason, "against the stored samples");
        trial_free(&trial);
    }
    tap_case("an anchor that cannot run: stored samples decide and the reason says why");
    struct trial trial = trial_of(8, (struct changes){0.2, no_arm, no_arm, no_arm});
    store(&trial, 12, 0);
    trial.samples.configs[0].anchor_failed = true;
    strcpy(trial.samples.configs[0].anchor_failure, "does not build");
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_REGRESSED);
    HAS(c->reason, "the anchor cannot run: does not build");
    baseline_free(&trial.baseline);
    trial.has_baseline = false;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNMEASURED);
    EQ_INT(c->fault, FAULT_BASE);
    trial_free(&trial);

    tap_case(
        "with an anchor the stored line is shown beside it, and the drift between them");
    trial = trial_of(8, (struct changes){0, 0, 0, 0});
    store(&trial, 12, -0.1);
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    EQ_INT(c->against, AGAINST_ANCHOR);
    OK(c->stored.known && c->anchor_drift_known);
    NEAR(c->anchor_drift, 1 / 0.9 - 1, 0.01);
    NEAR(c->stored.change, 1 / 0.9 - 1, 0.01);
    trial_free(&trial);

    tap_case("too few stored replicates are not enough to decide");
    trial = trial_of(8, (struct changes){0, no_arm, no_arm, no_arm});
    store(&trial, 3, 0);
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNMEASURED);
    HAS(c->reason, "the baseline has 3 of at least 6 replicates");
    trial_free(&trial);
}

static void test_wrong_baseline(void)
{
    tap_case("another device's baseline is never compared");
    struct trial trial = trial_of(8, (struct changes){0, no_arm, no_arm, no_arm});
    store(&trial, 12, 0);
    strcpy(trial.baseline.device.slug, "nvidia-l4");
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNMEASURED);
    HAS(c->reason, "`nvidia-l4`");
    HAS(c->reason, "`cpu`");
    OK(!c->stored.known);
    trial_free(&trial);
    tap_case("… but with an anchor it does not matter");
    trial = trial_of(8, (struct changes){0, 0, 0, 0});
    store(&trial, 12, 0);
    strcpy(trial.baseline.device.slug, "nvidia-l4");
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    HAS(c->reason, "stored samples not compared");
    OK(!c->stored.known && !c->anchor_drift_known);
    trial_free(&trial);
    tap_case("the same name for another problem is another config");
    trial = trial_of(8, (struct changes){0, no_arm, no_arm, no_arm});
    store(&trial, 12, 0);
    trial.baseline.configs[0].config.problem.seq_k = 512;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNMEASURED);
    HAS(c->reason, "is another problem");
    trial_free(&trial);

    tap_case("without a problem the name has to do, and the reason says so");
    trial = trial_of(8, (struct changes){0, no_arm, no_arm, no_arm});
    store(&trial, 12, 0);
    trial.samples.configs[0].config.problem = (struct problem){0};
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_HELD);
    EQ_INT(c->against, AGAINST_STORED);
    HAS(c->reason, "no `problem` in the file: matched by name");
    trial_free(&trial);
}

static void test_robust(void)
{
    tap_case("one outlier process never makes a verdict where nothing changed");
    for (size_t count = 6; count <= 16; count += 2) {
        for (int sign = -1; sign <= 1; sign += 2) {
            struct trial trial = trial_of(count, (struct changes){0, 0, 0, 0});
            struct series *head = &trial.samples.configs[0].replicates[2].arms[ARM_HEAD];
            for (size_t i = 0; i < head->count; i++)
                head->ns[i] *= sign > 0 ? 3 : 0.3;
            enum verdict verdict = judge(&trial)->verdict;
            OK(verdict == VERDICT_HELD || verdict == VERDICT_UNCLEAR);
            trial_free(&trial);
        }
    }
    tap_case("two-humped samples: unclear or refused, not a verdict");
    struct trial trial = trial_of(8, (struct changes){0, 0, 0, 0});
    for (size_t i = 0; i < 8; i++)
        for (int arm = 0; arm < ARM_OTHER; arm++)
            for (size_t k = 0; k < 3; k++)
                if ((i * 7 + (size_t)arm * 3 + k) % 2 == 0)
                    trial.samples.configs[0].replicates[i].arms[arm].ns[k] *= 3.7;
    enum verdict verdict = judge(&trial)->verdict;
    OK(verdict == VERDICT_UNCLEAR || verdict == VERDICT_UNMEASURED);
    trial_free(&trial);
}

static void test_order(void)
{
    tap_case("a config's numbers do not depend on the others, their order, or the run");
    struct trial trial = trial_of(8, (struct changes){0.01, 0, 0, 0});
    add_replicates(add_config(&trial.samples, "d"), 8, (struct changes){0.02, 0, 0, 0});
    judge(&trial);
    struct change c = trial.comparison.configs[0].change;
    struct change d = trial.comparison.configs[1].change;
    struct config_samples first = trial.samples.configs[0];
    trial.samples.configs[0] = trial.samples.configs[1];
    trial.samples.configs[1] = first;
    judge(&trial);
    OK(memcmp(&c, &trial.comparison.configs[1].change, sizeof c) == 0);
    OK(memcmp(&d, &trial.comparison.configs[0].change, sizeof d) == 0);
    trial_free(&trial);
}

int main(void)
{
    test_signs();
    test_exactly_on_the_line();
    test_own();
    test_looks();
    test_spread();
    test_control();
    test_marks();
    test_unmeasured();
    test_base_as_anchor();
    test_stored();
    test_wrong_baseline();
    test_robust();
    test_order();
    return tap_done();
}
