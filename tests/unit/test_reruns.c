/* SPDX-License-Identifier: Apache-2.0 */
/* Re-runs of the same code: how α is spent on them, how their replicates pool, and samples.json. */
#include "tap.h"

#include "base/err.h"
#include "judge.h"
#include "judge/compare.h"
#include "judge/levels.h"
#include "judge/samples.h"

#include <math.h>

static const struct limits limits = {
    .samples = 4096, .replicates = 16, .configs = 64, .samples_bytes = 1 << 20};

static void test_levels(void)
{
    tap_case("all looks of all runs together spend α, and no more");
    struct rule rule = rule_default();
    double spent = 0;
    for (unsigned run = 0; run < RUNS_MAX; run++)
        spent += rule.look_count / levels_divisor(&rule, run);
    NEAR(spent, 1, 1e-15);
    NEAR(levels_divisor(&rule, 0), 3.75, 1e-15);
    OK(levels_divisor(&rule, 1) > levels_divisor(&rule, 0));
}

static void judge(const struct samples *samples, struct comparison *out)
{
    struct rule rule = rule_default();
    struct err err = {0};
    comparison_free(out);
    OK(compare_samples(samples, NULL, &rule, out, &err) == 0);
}

static void test_pooling(void)
{
    const struct changes line = {0.03, 0, 0, 0}, slow = {0.1, 0, 0, 0};
    SAMPLES_AUTO samples = {0};
    COMPARISON_AUTO first = {0};
    COMPARISON_AUTO now = {0};
    strcpy(samples.device.slug, "cpu");
    add_replicates(add_config(&samples, "line"), 16, line);
    add_replicates(add_config(&samples, "slow"), 6, slow);
    judge(&samples, &first);
    tap_case("the first run: one is regressed, the other at the end of its budget");
    EQ_INT(first.configs[0].verdict, VERDICT_UNCLEAR);
    OK(!first.configs[0].wants_more);
    EQ_INT(first.configs[0].run_count, 0);
    EQ_INT(first.configs[1].verdict, VERDICT_REGRESSED);
    OK(config_verdict_final(&first.configs[1]) && !config_verdict_final(&first.configs[0]));

    tap_case("a re-run of what is unclear has looks of its own, on all replicates");
    OK(config_samples_run_again(&samples.configs[0]));
    add_replicates(&samples.configs[0], 6, line);
    judge(&samples, &now);
    EQ_INT(now.configs[0].verdict, VERDICT_UNCLEAR);
    OK(now.configs[0].wants_more);
    EQ_INT(now.configs[0].replicates, 22);
    EQ_INT(now.configs[0].run_count, 2);
    EQ_INT(now.configs[0].runs[0].replicates, 16);
    EQ_INT(now.configs[0].runs[1].replicates, 6);
    NEAR(now.configs[0].runs[0].change, first.configs[0].change.change, 1e-12);
    NEAR(log1p(now.configs[0].change.change),
         (16 * log1p(now.configs[0].runs[0].change) + 6 * log1p(now.configs[0].runs[1].change)) /
             22,
         1e-12);
    tap_case("what was settled before reads to the bit as it did");
    OK(same_change(&now.configs[1].change, &first.configs[1].change));
    EQ_STR(now.configs[1].reason, first.configs[1].reason);

    tap_case("the third run is the last, and says so");
    add_replicates(&samples.configs[0], 10, line);
    OK(config_samples_run_again(&samples.configs[0]));
    add_replicates(&samples.configs[0], 16, line);
    judge(&samples, &now);
    EQ_INT(now.configs[0].runs[2].replicates, 16);
    EQ_INT(now.configs[0].verdict, VERDICT_UNCLEAR);
    HAS(now.configs[0].reason, "three attempts of this code were measured");
    OK(!config_samples_run_again(&samples.configs[0]));
    OK(same_change(&now.configs[1].change, &first.configs[1].change));

    tap_case("samples.json tells the runs, and reads them");
    BUF_AUTO text;
    BUF_AUTO again;
    SAMPLES_AUTO read = {0};
    struct err err = {0};
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    OK(samples_format(&samples, &text, &err) == 0);
    HAS(text.data, "\"earlier\": [16, 16],");
    OK(samples_parse(text.data, text.len, "s", &limits, &read, &err) == 0);
    OK(samples_format(&read, &again, &err) == 0);
    EQ_STR(again.data, text.data);
    COMPARISON_AUTO compared = {0};
    judge(&read, &compared);
    OK(same_change(&compared.configs[0].change, &now.configs[0].change));
}

static void test_lost(void)
{
    tap_case("a run whose samples were lost counts all the same");
    SAMPLES_AUTO samples = {0};
    COMPARISON_AUTO kept = {0};
    COMPARISON_AUTO once = {0};
    strcpy(samples.device.slug, "cpu");
    struct config_samples *config = add_config(&samples, "c");
    add_replicates(config, 8, (struct changes){0.02, 0, 0, 0});
    judge(&samples, &once);
    config->earlier_count = 1; /* of none */
    judge(&samples, &kept);
    OK(kept.configs[0].change.ci_decision.low < once.configs[0].change.ci_decision.low);
    OK(!kept.configs[0].runs[0].known && kept.configs[0].runs[1].known);
}

static void refused(const char *earlier, const char *words)
{
    char text[512];
    struct err err = {0};
    SAMPLES_AUTO samples = {0};
    snprintf(text, sizeof text,
             "{\"schema\": \"ratchet.samples/1\", \"device\": {\"slug\": \"cpu\", \"name\": \"c\"},"
             " \"configs\": [{\"name\": \"c\", \"unit\": \"ns\", \"earlier\": %s,"
             " \"replicates\": [{\"head\": [5]}]}]}",
             earlier);
    OK(samples_parse(text, strlen(text), "s", &limits, &samples, &err) != 0);
    HAS(err.text, words);
}

static void test_refused(void)
{
    tap_case("what earlier runs cannot be");
    refused("[2]", "s: configs[0].earlier: more than the 1 replicates");
    refused("[0, 0, 0]", "at most 2");
    refused("[-1]", "numbers of replicates");
    refused("[0.5]", "numbers of replicates");
    refused("7", "earlier");
}

int main(void)
{
    test_levels();
    test_pooling();
    test_lost();
    test_refused();
    return tap_done();
}
