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
    HAS(c->reason, "; already lost: ");
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
    /* held rests on the interval of the looks: the number of configs does not count */
    double held = tail_of_looks(&trial, 1);
    trial.samples.count = 2; /* c and c0: judge the same config among two, not five */
    NEAR(tail_of_looks(&trial, 1), held, 0);
    NEAR(held, 0.025 * 0.8 / 3, 1e-15);
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
    tap_case("variances of configs are shrunk as far as the configs agree");
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
    OK(log.levels[0].spread.df >= 5);
    EQ_INT(log.configs[0].anchor.workings.family.prior_df, 5);
    EQ_INT(log.configs[0].control.workings.looks.prior_df, 0);
    compare_log_free(&log);
    comparison_free(&comparison);
    for (size_t i = 1; i < trial.samples.count; i++) /* from here on each scatters as it will */
        for (size_t r = 0; r < 6; r++) {
            struct series *head = &trial.samples.configs[i].replicates[r].arms[ARM_HEAD];
            for (size_t k = 0; k < head->count; k++)
                head->ns[k] *= 1 + (r % 2 == 0 ? 1 : -1) * 1e-4 * pow(10, (double)i - 1);
        }
    OK(compare_logged(&trial.samples, NULL, &trial.rule, &comparison, &log, &err) == 0);
    OK(log.levels[0].spread.df < 2);
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
    OK(strstr(c->reason, "at work") == NULL);
    tap_case("marks that only head provoked are not the host's");
    for (size_t i = 0; i < 11; i++)
        trial.samples.configs[0].replicates[i].provoked[ARM_HEAD] = i < 9 ? MARK_STARVED : 0;
    trial.samples.configs[0].replicates[0].provoked[ARM_BASE] = MARK_STARVED;
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    EQ_INT(c->fault, FAULT_PR);
    HAS(c->reason, "(starved), with head at work in 9, and no other arm in more than 1");
    for (size_t i = 0; i < 4; i++)
        trial.samples.configs[0].replicates[i].provoked[ARM_BASE] = MARK_STARVED;
    EQ_INT(judge(&trial)->fault, FAULT_HOST);
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

/* Whatever becomes of a config, what the baseline has for it and what it lacks is said once. */
static void said_once(struct trial *trial, const char *reason)
{
    const struct config_verdict *c = judge(trial);
    const char *said = strstr(c->reason, reason);
    if (!OK(said != NULL && strstr(said + 1, reason) == NULL))
        printf("# %s\n", c->reason);
}

/* Eight replicates beside an anchor, with a baseline; then what each verdict comes from. */
static struct trial beside_anchor(int which)
{
    static const char *const names[] = {"held", "too few", "all marked", "control biased",
                                        "identical", "too few unmarked"};
    tap_case(names[which]);
    struct trial trial =
        trial_of(which == 1 ? 3 : 8, (struct changes){0, 0, 0, which == 3 ? 0.1 : 0});
    struct config_samples *config = &trial.samples.configs[0];
    store(&trial, 12, 0);
    for (size_t i = 0; i < config->count && (which == 2 || which == 5); i++)
        config->replicates[i].marks = which == 2 || i > 1 ? MARK_SHARED : 0;
    config->identical = which == 4;
    config->identical_to = ARM_BASE;
    return trial;
}

static void test_baseline_notes(void)
{
    for (int i = 0; i < 6; i++) {
        struct trial trial = beside_anchor(i);
        trial.baseline.configs[0].config.problem.seq_k = 512;
        said_once(&trial, "stored samples not compared: the baseline's `c` is another problem");
        trial_free(&trial);
        trial = beside_anchor(i);
        strcpy(trial.baseline.device.slug, "nvidia-l4");
        said_once(&trial, "stored samples not compared: the baseline is of device `nvidia-l4`");
        trial_free(&trial);
        trial = beside_anchor(i);
        trial.samples.configs[0].config.problem = (struct problem){0};
        said_once(&trial, "no `problem` in the file: matched by name");
        trial_free(&trial);
        trial = beside_anchor(i);
        trial.samples.configs[0].anchor_failed = true;
        strcpy(trial.samples.configs[0].anchor_failure, "it is gone");
        said_once(&trial, "the anchor cannot run: it is gone");
        trial_free(&trial);
    }
}

/* ---- gaps ---- */

static void take_out(struct trial *trial, enum arm arm, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        trial->samples.configs[0].replicates[i].arms[arm].count = 0;
}

/* Makes replicates i = 0, 1, … of all arms `far` × i slower: a machine that drifts. */
static void drift(struct trial *trial, double far)
{
    struct config_samples *config = &trial->samples.configs[0];
    for (size_t i = 0; i < config->count; i++)
        for (int arm = 0; arm < ARM_OTHER; arm++)
            for (size_t k = 0; k < config->replicates[i].arms[arm].count; k++)
                config->replicates[i].arms[arm].ns[k] *= 1 + far * (double)i;
}

static void test_few_gaps(void)
{
    static const struct {
        size_t rounds, missing;
        bool said;
    } table[] = {{9, 1, true}, {10, 1, false}, {19, 2, true}, {20, 2, false},
                 {60, 6, false}, {60, 7, true}};
    tap_case("up to one replicate in ten with a gap is borne, however many there are");
    for (int arm = 0; arm < ARM_OTHER; arm++)
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            struct trial trial = trial_of(table[i].rounds, (struct changes){0, 0, 0, 0});
            take_out(&trial, (enum arm)arm, 1, table[i].missing);
            const struct config_verdict *c = judge(&trial);
            EQ_INT(c->verdict, VERDICT_HELD); /* a quiet machine: it holds all the same */
            EQ_INT(c->clause, CLAUSE_WITHIN);
            EQ_INT(c->rounds, table[i].rounds);
            EQ_INT(c->missing[arm], table[i].missing);
            EQ_INT(c->missing[(arm + 1) % ARM_OTHER], 0);
            OK((strstr(c->reason, "which could not change that") != NULL) == table[i].said);
            trial_free(&trial);
        }
    tap_case("gaps of several arms add up; marked replicates have none");
    struct trial trial = trial_of(20, (struct changes){0, 0, 0, 0});
    take_out(&trial, ARM_HEAD, 0, 1);
    take_out(&trial, ARM_ANCHOR, 1, 1);
    take_out(&trial, ARM_CONTROL, 2, 1);
    HAS(judge(&trial)->reason, "; head is missing in 1, the anchor is missing in 1, control is "
                               "missing in 1 of 20 replicates, which could not change that");
    trial.samples.configs[0].replicates[0].marks = MARK_SHARED;
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->missing[ARM_HEAD], 0);
    EQ_INT(c->rounds, 19);
    trial.samples.configs[0].replicates[1].marks = MARK_SHARED;
    OK(strstr(judge(&trial)->reason, "missing") == NULL);
    trial_free(&trial);
}

/* Which samples were dropped inside of a replicate is a selection, too. */
static void test_dropped_samples(void)
{
    tap_case("an arm with less than nine tenths of the samples of the fullest is missing");
    struct trial trial = trial_of(12, (struct changes){-0.05, 0, 0, 0});
    struct config_samples *config = &trial.samples.configs[0];
    size_t all = config->replicates[0].arms[ARM_HEAD].count;
    for (size_t i = 0; i < config->count; i++)
        config->replicates[i].arms[ARM_HEAD].count = (9 * all + 9) / 10;
    EQ_INT(judge(&trial)->verdict, VERDICT_IMPROVED);
    for (size_t i = 0; i < config->count; i++)
        config->replicates[i].arms[ARM_HEAD].count = (9 * all - 1) / 10;
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    EQ_INT(c->clause, CLAUSE_GAPS);
    EQ_INT(c->missing[ARM_HEAD], 12);
    trial_free(&trial);
}

/* The same gaps on a machine whose replicates differ by 2% and more. */
static void test_gaps(void)
{
    tap_case("improved and held must survive the worst; regressed only needs main's arms");
    static const struct {
        double head, base;
        enum arm arm;
        enum verdict verdict;
        enum clause clause;
    } table[] = {{0, 0, ARM_HEAD, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0, 0, ARM_ANCHOR, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0, 0, ARM_CONTROL, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0, 0, ARM_BASE, VERDICT_HELD, CLAUSE_WITHIN}, /* nothing rests on it */
                 {-0.05, 0, ARM_HEAD, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {-0.5, 0, ARM_HEAD, VERDICT_IMPROVED, CLAUSE_BEYOND},
                 {0.1, 0, ARM_HEAD, VERDICT_REGRESSED, CLAUSE_BEYOND},
                 {0.1, 0, ARM_ANCHOR, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0.1, 0, ARM_BASE, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0.1, 0, ARM_CONTROL, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0.1, 0.1, ARM_HEAD, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0.1, 0.1, ARM_BASE, VERDICT_UNCLEAR, CLAUSE_GAPS},
                 {0.03, 0, ARM_HEAD, VERDICT_UNCLEAR, CLAUSE_GAPS}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct trial trial =
            trial_of(16, (struct changes){table[i].head, table[i].base, 0, 0});
        drift(&trial, 0.02);
        trial.rule.unclear_passes = true;
        enum verdict whole = judge(&trial)->verdict;
        take_out(&trial, table[i].arm, 3, 4);
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, table[i].verdict);
        EQ_INT(c->clause, table[i].clause);
        HAS(c->reason, " is missing in 4 of 16 replicates");
        if (c->verdict == VERDICT_UNCLEAR) /* not even where unclear passes */
            EQ_INT(comparison_exit(&trial.comparison), EXIT_UNCLEAR);
        else
            EQ_INT(c->verdict, whole);
        trial_free(&trial);
    }
    tap_case("where more than half are missing, what is left is a selection");
    struct trial trial = trial_of(16, (struct changes){-0.5, 0, 0, 0});
    take_out(&trial, ARM_HEAD, 0, 8);
    EQ_INT(judge(&trial)->verdict, VERDICT_IMPROVED);
    take_out(&trial, ARM_HEAD, 0, 9);
    EQ_INT(judge(&trial)->clause, CLAUSE_GAPS);
    tap_case("too few are left of enough: unmeasured, and it says of how many");
    take_out(&trial, ARM_HEAD, 0, 11);
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNMEASURED);
    HAS(c->reason, "5 of at least 6 replicates; head is missing in 11 of 16 replicates");
    trial.samples.configs[0].replicates[15].marks = MARK_SHARED;
    EQ_INT(judge(&trial)->verdict, VERDICT_UNMEASURED); /* no fault of the mark */
    trial_free(&trial);
}

static void test_absent_arms(void)
{
    tap_case("an arm that is declared and was never there is a gap in every replicate");
    static const struct {
        struct changes changes;
        enum arm declared;
        enum verdict before, verdict;
    } table[] = {
        {{0.1, NAN, 0, 0}, ARM_BASE, VERDICT_REGRESSED, VERDICT_UNCLEAR}, /* own-floor */
        {{0, NAN, 0, 0}, ARM_BASE, VERDICT_HELD, VERDICT_HELD},
        {{0, 0, NAN, 0}, ARM_CONTROL, VERDICT_HELD, VERDICT_UNCLEAR},
        {{-0.1, 0, NAN, 0}, ARM_CONTROL, VERDICT_IMPROVED, VERDICT_UNCLEAR},
        {{0, 0, NAN, NAN}, ARM_ANCHOR, VERDICT_HELD, VERDICT_UNCLEAR}, /* base in its place */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct trial trial = trial_of(8, table[i].changes);
        EQ_INT(judge(&trial)->verdict, table[i].before);
        trial.samples.configs[0].arms[table[i].declared].present = true;
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, table[i].verdict);
        EQ_INT(c->missing[table[i].declared], 8);
        trial_free(&trial);
    }
    tap_case("an anchor that cannot run is no gap, nor is its control");
    struct trial trial = trial_of(8, (struct changes){0, 0, 0, 0});
    store(&trial, 12, 0);
    take_out(&trial, ARM_ANCHOR, 2, 6);
    take_out(&trial, ARM_CONTROL, 2, 6);
    trial.samples.configs[0].anchor_failed = true;
    trial.samples.configs[0].arms[ARM_ANCHOR].present = true;
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->against, AGAINST_STORED);
    EQ_INT(c->verdict, VERDICT_HELD);
    EQ_INT(c->missing[ARM_ANCHOR] + c->missing[ARM_CONTROL], 0);
    tap_case("against stored samples head's gaps count as well");
    drift(&trial, 0.01);
    take_out(&trial, ARM_HEAD, 0, 2);
    c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    HAS(c->reason, "head is missing in 2 of 8 replicates");
    trial_free(&trial);
}

/* ---- what vanished ---- */

static void test_not_measured(void)
{
    tap_case("a config of the baseline that nobody measured is unmeasured, and named");
    struct trial trial = trial_of(8, (struct changes){0, 0, 0, 0});
    store(&trial, 12, 0);
    strcpy(trial.baseline.configs[0].config.name, "old");
    judge(&trial);
    EQ_INT(trial.comparison.count, 2);
    const struct config_verdict *row = &trial.comparison.configs[1];
    EQ_STR(row->config.name, "old");
    EQ_INT(row->verdict, VERDICT_UNMEASURED);
    EQ_INT(row->clause, CLAUSE_NOT_MEASURED);
    EQ_INT(row->fault, FAULT_US);
    EQ_INT(row->config.problem.seq_q, 256);
    EQ_STR(row->reason, "`old` is in the baseline and was not measured");
    EQ_INT(comparison_exit(&trial.comparison), EXIT_UNMEASURED);
    HAS(trial.comparison.reason, "`old`");
    tap_case("… and held where main dropped it");
    trial.baseline.configs[0].retired = true;
    judge(&trial);
    row = &trial.comparison.configs[1];
    EQ_INT(row->verdict, VERDICT_HELD);
    EQ_INT(row->clause, CLAUSE_RETIRED);
    HAS(row->reason, "the next promotion retires it");
    EQ_INT(comparison_exit(&trial.comparison), EXIT_HELD);
    tap_case("… but nothing measured at all is no pass");
    trial.samples.count = 0;
    struct err err = {0};
    comparison_free(&trial.comparison);
    OK(compare_samples(&trial.samples, &trial.baseline, &trial.rule, &trial.comparison, &err) ==
       0);
    EQ_INT(trial.comparison.count, 1);
    EQ_INT(comparison_exit(&trial.comparison), EXIT_UNMEASURED);
    trial.samples.count = 1;
    tap_case("another device's baseline has nothing to say");
    strcpy(trial.baseline.device.slug, "nvidia-l4");
    judge(&trial);
    EQ_INT(trial.comparison.count, 1);
    tap_case("no more rows than a file may have");
    strcpy(trial.baseline.device.slug, "cpu");
    while (trial.samples.count < MODEL_CONFIGS_MAX) {
        char name[24];
        snprintf(name, sizeof name, "c%zu", trial.samples.count);
        add_config(&trial.samples, name);
    }
    comparison_free(&trial.comparison);
    OK(compare_samples(&trial.samples, &trial.baseline, &trial.rule, &trial.comparison, &err) ==
       -1);
    EQ_INT(err.class, ERR_INPUT);
    trial_free(&trial);
}

/* ---- the clock ---- */

/* Eight replicates of head `ratio` times an anchor of `ns`, control the same. */
static struct trial timed(double ns, double ratio)
{
    struct trial trial = trial_of(0, (struct changes){0});
    struct config_samples *config = &trial.samples.configs[0];
    for (size_t i = 0; i < 8; i++) {
        struct replicate *replicate = config_samples_add(config);
        double here = ns * (1 + wobble(i));
        OK(series_add(&replicate->arms[ARM_HEAD], here * ratio) == 0);
        OK(series_add(&replicate->arms[ARM_BASE], here) == 0);
        OK(series_add(&replicate->arms[ARM_ANCHOR], here) == 0);
        OK(series_add(&replicate->arms[ARM_CONTROL], here) == 0);
    }
    return trial;
}

static void all_finite(const struct change *change)
{
    OK(isfinite(change->change) && isfinite(change->ci.low) && isfinite(change->ci.high) &&
       isfinite(change->ci_decision.low) && isfinite(change->ci_decision.high));
}

static void test_below_clock(void)
{
    static const struct {
        double ns, ratio;
        enum verdict verdict;
        enum clause clause;
    } table[] = {
        /* the tick is 1 ns, the threshold 3%: between the lines from 16.7 ns on */
        {1000, 1, VERDICT_HELD, CLAUSE_WITHIN},
        {20, 1, VERDICT_HELD, CLAUSE_WITHIN},
        {20, 1.02, VERDICT_UNCLEAR, CLAUSE_STRADDLES},
        {16, 1, VERDICT_UNMEASURED, CLAUSE_BELOW_CLOCK},
        {5, 1.05, VERDICT_UNMEASURED, CLAUSE_BELOW_CLOCK},
        {5, 3, VERDICT_REGRESSED, CLAUSE_BEYOND}, /* that much it does see */
        {16, 0.1, VERDICT_IMPROVED, CLAUSE_BEYOND},
        {0.9, 1000, VERDICT_UNMEASURED, CLAUSE_BELOW_CLOCK}, /* shorter than one tick */
        {1e-3, 1.05, VERDICT_UNMEASURED, CLAUSE_BELOW_CLOCK},
        {1e-300, 1, VERDICT_UNMEASURED, CLAUSE_BELOW_CLOCK},
        {1e-300, 1e308, VERDICT_UNMEASURED, CLAUSE_BELOW_CLOCK},
    };
    tap_case("what is shorter than the clock can see is unmeasured; every number is finite");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct trial trial = timed(table[i].ns, table[i].ratio);
        store(&trial, 12, 0);
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, table[i].verdict);
        EQ_INT(c->clause, table[i].clause);
        if (c->clause == CLAUSE_BELOW_CLOCK) {
            EQ_INT(c->fault, FAULT_HOST);
            HAS(c->reason, "shorter than the clock can see: median ");
            HAS(c->reason, " ns, one tick 1 ns");
        }
        all_finite(&c->change);
        all_finite(&c->own);
        all_finite(&c->control);
        all_finite(&c->stored);
        OK(isfinite(c->anchor_drift));
        trial_free(&trial);
    }
    tap_case("a number in a reason is whole, however large");
    struct trial trial = timed(100, 1);
    for (size_t i = 0; i < 8; i++)
        trial.samples.configs[0].replicates[i].arms[ARM_HEAD].ns[0] *= i % 2 == 0 ? 1 : 1e12;
    const struct config_verdict *c = judge(&trial);
    EQ_INT(c->verdict, VERDICT_UNCLEAR);
    HAS(c->reason, "%] against the anchor straddles both lines");
    trial_free(&trial);
}

/* Samples that a time budget has ended. */
static struct trial hurried(size_t count, double head)
{
    struct trial trial = trial_of(count, (struct changes){head, 0, 0, 0});
    trial.samples.configs[0].out_of_time = true;
    return trial;
}

static void test_budget(void)
{
    tap_case("a time budget: too few replicates are unclear, and say what stays open");
    for (size_t count = 0; count < 6; count++) {
        char text[160];
        struct trial trial = hurried(count, 0.2);
        const struct config_verdict *c = judge(&trial);
        EQ_INT(c->verdict, VERDICT_UNCLEAR);
        EQ_INT(c->clause, CLAUSE_BUDGET);
        EQ_INT(c->fault, FAULT_NONE);
        snprintf(text, sizeof text,
                 "the time budget was spent after %zu of at least 6 replicates: whether it "
                 "changed by more than ±3%% is not resolved", count);
        HAS(c->reason, text);
        OK((strstr(c->reason, "; these would tell a change of ") != NULL) == (count > 1));
        EQ_INT(comparison_exit(&trial.comparison), 2);
        trial_free(&trial);
    }
    tap_case("… marked ones are told");
    struct trial trial = hurried(6, 0);
    trial.samples.configs[0].replicates[2].marks = MARK_SHARED;
    EQ_INT(judge(&trial)->clause, CLAUSE_BUDGET);
    HAS(trial.comparison.configs[0].reason, "after 5 of at least 6 replicates (1 more marked: shared)");
    for (size_t i = 0; i < 6; i++)
        trial.samples.configs[0].replicates[i].marks = MARK_SHARED;
    HAS(judge(&trial)->reason, "after 0 of at least 6 replicates (6 more marked: shared)");
    EQ_INT(trial.comparison.configs[0].clause, CLAUSE_BUDGET);
    trial_free(&trial);
    tap_case("… what is settled stays so");
    trial = hurried(6, 0.2);
    EQ_INT(judge(&trial)->verdict, VERDICT_REGRESSED);
    OK(strstr(trial.comparison.configs[0].reason, "budget") == NULL);
    trial_free(&trial);
    tap_case("… what is not says why it stayed so, and never passes");
    for (int hurry = 0; hurry < 2; hurry++) {
        trial = trial_of(8, (struct changes){0.03, 0.03, 0, 0});
        trial.rule.unclear_passes = true;
        trial.samples.configs[0].out_of_time = hurry == 1;
        EQ_INT(judge(&trial)->clause, CLAUSE_STRADDLES);
        OK((strstr(trial.comparison.configs[0].reason,
                   "; `unclear = pass` does not pass it: the time budget cut it short; the time "
                   "budget was spent after 8 replicates") != NULL) == (hurry == 1));
        EQ_INT(comparison_exit(&trial.comparison), hurry == 1 ? 2 : 0);
        trial_free(&trial);
    }
}

static void test_anchor_drifted(void)
{
    tap_case("today's anchor is far from its stored samples: beyond threshold and drift margin");
    static const struct {
        double stored;
        bool drifted;
    } table[] = {{0, false}, {-0.04, false}, {0.04, false}, {-0.06, true}, {0.06, true}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct trial trial = trial_of(8, (struct changes){0, 0, 0, 0});
        store(&trial, 12, table[i].stored);
        OK(judge(&trial)->anchor_drift_known);
        OK(trial.comparison.configs[0].anchor_drifted == table[i].drifted);
        trial_free(&trial);
    }
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
    OK(same_change(&c, &trial.comparison.configs[1].change));
    OK(same_change(&d, &trial.comparison.configs[0].change));
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
    test_baseline_notes();
    test_few_gaps();
    test_gaps();
    test_dropped_samples();
    test_absent_arms();
    test_not_measured();
    test_below_clock();
    test_budget();
    test_anchor_drifted();
    test_robust();
    test_order();
    return tap_done();
}
