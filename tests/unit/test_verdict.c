/* SPDX-License-Identifier: Apache-2.0 */
/* The roll-up, verdict JSON both ways, and the table. */
#include "tap.h"

#include "base/json.h"
#include "judge/compare.h"
#include "judge/verdict.h"
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_roll_up(void)
{
    tap_case("the worst counts: regressed > unmeasured > unclear > improved > held");
    static const enum verdict order[] = {VERDICT_HELD, VERDICT_IMPROVED, VERDICT_UNCLEAR,
                                         VERDICT_UNMEASURED, VERDICT_REGRESSED};
    static const int exits[] = {0, 0, 2, 3, 1};
    for (int a = 0; a < 5; a++)
        for (int b = 0; b < 5; b++) {
            struct config_verdict configs[2] = {
                {.config = {.name = "a"}, .verdict = order[a], .reason = "first"},
                {.config = {.name = "b"}, .verdict = order[b], .reason = "second"}};
            struct comparison comparison = {.configs = configs, .count = 2};
            verdict_roll_up(&comparison);
            EQ_INT(comparison.verdict, order[a > b ? a : b]);
            EQ_STR(comparison.reason, b > a ? "b: second" : "a: first");
            EQ_INT(comparison_exit(&comparison), exits[a > b ? a : b]);
        }
    tap_case("one reason for all stands alone");
    struct config_verdict same[2] = {
        {.config = {.name = "a"}, .reason = "identical machine code"},
        {.config = {.name = "b"}, .reason = "identical machine code"}};
    struct comparison comparison = {.configs = same, .count = 2};
    verdict_roll_up(&comparison);
    EQ_STR(comparison.reason, "identical machine code");
    tap_case("of equal verdicts the one of most concern is named, wherever it stands");
    static const struct {
        enum verdict verdict;
        enum clause clause;
        double less, more; /* changes; NAN: not known */
        enum fault less_fault, more_fault;
    } concern[] = {{VERDICT_REGRESSED, CLAUSE_BEYOND, 0.048, 0.9, FAULT_NONE, FAULT_NONE},
                   {VERDICT_IMPROVED, CLAUSE_BEYOND, -0.05, -0.3, FAULT_NONE, FAULT_NONE},
                   {VERDICT_HELD, CLAUSE_WITHIN, 0.01, -0.02, FAULT_NONE, FAULT_NONE},
                   {VERDICT_UNCLEAR, CLAUSE_STRADDLES, -0.2, 0.03, FAULT_NONE, FAULT_NONE},
                   {VERDICT_UNMEASURED, CLAUSE_CRASHED, NAN, NAN, FAULT_BASE, FAULT_PR},
                   {VERDICT_UNMEASURED, CLAUSE_NO_SAMPLES, NAN, NAN, FAULT_US, FAULT_HOST}};
    for (size_t i = 0; i < sizeof concern / sizeof concern[0]; i++)
        for (int at = 0; at < 2; at++) {
            struct config_verdict two[2];
            for (int k = 0; k < 2; k++) {
                double change = k == at ? concern[i].more : concern[i].less;
                two[k] = (struct config_verdict){
                    .config = {.name = "less"},
                    .verdict = concern[i].verdict,
                    .clause = concern[i].clause,
                    .change = {.known = !isnan(change), .change = change},
                    .fault = k == at ? concern[i].more_fault : concern[i].less_fault,
                    .reason = "less"};
            }
            strcpy(two[at].config.name, "more");
            strcpy(two[at].reason, "more");
            struct comparison both = {.configs = two, .count = 2};
            verdict_roll_up(&both);
            EQ_STR(both.reason, "more: more");
            OK(config_verdict_before(&two[at], &two[1 - at]));
            OK(!config_verdict_before(&two[1 - at], &two[at]));
            OK(!config_verdict_before(&two[at], &two[at]));
        }
    tap_case("what main lost already comes before what held");
    struct config_verdict lost[2] = {
        {.config = {.name = "a"}, .clause = CLAUSE_WITHIN, .reason = "within",
         .change = {.known = true, .change = 0.9}},
        {.config = {.name = "b"}, .clause = CLAUSE_LOST_ON_MAIN, .reason = "lost",
         .change = {.known = true, .change = 0.05}}};
    struct comparison main_lost = {.configs = lost, .count = 2};
    verdict_roll_up(&main_lost);
    EQ_STR(main_lost.reason, "b: lost");
    tap_case("a config that was retired is no verdict");
    struct config_verdict retired = {.clause = CLAUSE_RETIRED, .reason = "retired"};
    struct comparison alone = {.configs = &retired, .count = 1};
    verdict_roll_up(&alone);
    EQ_INT(comparison_exit(&alone), EXIT_UNMEASURED);
    tap_case("the fault is the worst config's");
    same[1].verdict = VERDICT_UNMEASURED;
    same[1].fault = FAULT_PR;
    verdict_roll_up(&comparison);
    EQ_INT(comparison.fault, FAULT_PR);
    tap_case("no configs is unmeasured");
    struct comparison empty = {0};
    verdict_roll_up(&empty);
    EQ_INT(empty.verdict, VERDICT_UNMEASURED);
    HAS(empty.reason, "no configs");
    tap_case("a verdict for the whole");
    struct device device = {.slug = "cpu", .name = "a CPU"};
    verdict_whole(&empty, &device, VERDICT_HELD, FAULT_NONE, CLAUSE_NOT_TOUCHED,
                  "kernel not touched");
    EQ_INT(comparison_exit(&empty), 0);
    EQ_STR(empty.reason, "kernel not touched");
    EQ_STR(empty.device.slug, "cpu");
}

static struct comparison make(void)
{
    struct samples samples = {.device = {.slug = "cpu", .name = "Some \"CPU\""}};
    add_replicates(add_config(&samples, "slow"), 8, (struct changes){0.05, 0, 0, 0});
    add_replicates(add_config(&samples, "same"), 8, (struct changes){0, NAN, 0, 0});
    add_replicates(add_config(&samples, "none"), 0, (struct changes){0});
    struct config_samples *bad = add_config(&samples, "bad");
    bad->fault = FAULT_PR;
    bad->clause = CLAUSE_WRONG_RESULT;
    strcpy(bad->failure, "wrong result\x1b[31m");
    samples.configs[0].replicates[0].marks = MARK_SHARED | MARK_CLOCK;
    samples.configs[1].replicates[3].arms[ARM_ANCHOR].count = 0;
    struct rule rule = rule_default();
    struct comparison comparison;
    struct err err = {0};
    if (compare_samples(&samples, NULL, &rule, &comparison, &err) != 0)
        exit(1);
    comparison.configs[1].hedges_g = -INFINITY; /* as for two groups without scatter */
    comparison.configs[1].cliffs_delta = -1;
    comparison.configs[1].anchor_drift_known = true;
    comparison.configs[1].anchor_drift = -0.0123456789;
    comparison.configs[1].anchor_drifted = true;
    samples_free(&samples);
    return comparison;
}

static void test_json(void)
{
    tap_case("JSON there and back, every figure");
    struct comparison comparison = make();
    struct err err = {0};
    struct buf text;
    struct buf again;
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    OK(verdict_format_json(&comparison, &text, &err) == 0);
    struct comparison read = {0};
    if (!OK(verdict_parse_json(text.data, text.len, "v.json", &read, &err) == 0))
        printf("# %s\n%s\n", err.text, text.data);
    OK(verdict_format_json(&read, &again, &err) == 0);
    EQ_STR(again.data, text.data);
    EQ_INT(read.count, 4);
    const struct config_verdict *slow = &read.configs[0];
    EQ_INT(slow->verdict, VERDICT_REGRESSED);
    OK(same_change(&slow->change, &comparison.configs[0].change));
    OK(same_change(&slow->own, &comparison.configs[0].own));
    OK(same_change(&slow->control, &comparison.configs[0].control));
    NEAR(slow->p_value, comparison.configs[0].p_value, 0);
    NEAR(slow->median_ns[ARM_HEAD], comparison.configs[0].median_ns[ARM_HEAD], 0);
    EQ_INT(slow->config.problem.seq_q, 256);
    EQ_INT(slow->marks, MARK_SHARED | MARK_CLOCK);
    EQ_INT(slow->replicates, 7);
    OK(read.configs[1].hedges_g == -INFINITY);
    OK(!read.configs[1].own.known && read.configs[1].anchor_drift_known);
    OK(read.configs[1].anchor_drifted && !slow->anchor_drifted);
    EQ_INT(slow->rounds, 7);
    EQ_INT(read.configs[1].rounds, 8);
    EQ_INT(read.configs[1].missing[ARM_ANCHOR], 1);
    EQ_INT(read.configs[1].missing[ARM_HEAD], 0);
    EQ_INT(read.configs[3].fault, FAULT_PR);
    EQ_INT(comparison_exit(&read), comparison_exit(&comparison));

    tap_case("the keys that people script against");
    json_t *json = NULL;
    OK(json_parse(text.data, text.len, "v", &json, &err) == 0);
    EQ_STR(json_string_value(json_object_get(json, "schema")), "ratchet.verdict/1");
    EQ_STR(json_string_value(json_object_get(json, "verdict")), "regressed");
    EQ_INT(json_integer_value(json_object_get(json, "exit")), 1);
    json_t *configs = json_object_get(json, "configs");
    json_t *first = json_array_get(configs, 0);
    EQ_STR(json_string_value(json_object_get(first, "name")), "slow");
    EQ_STR(json_string_value(json_object_get(first, "against")), "anchor");
    OK(json_real_value(json_object_get(first, "change")) > 0.04); /* positive is slower */
    EQ_INT(json_array_size(json_object_get(first, "ci")), 2);
    EQ_INT(json_array_size(json_object_get(first, "ci_decision")), 2);
    EQ_INT(json_integer_value(json_object_get(first, "replicates")), 7);
    json_t *none = json_array_get(configs, 2);
    EQ_STR(json_string_value(json_object_get(none, "verdict")), "unmeasured");
    OK(json_is_null(json_object_get(none, "change")) &&
       json_is_null(json_object_get(none, "ci")));
    OK(json_is_null(json_object_get(none, "ci_decision")));
    json_free(&json);

    tap_case("too long is an error, not a cut");
    struct buf small;
    buf_init(&small, 100);
    OK(verdict_format_json(&comparison, &small, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    buf_free(&small);

    tap_case("cut anywhere: refused, and the output untouched");
    struct comparison untouched = {.count = 77};
    size_t accepted = 0;
    for (size_t len = 0; len + 2 < text.len; len++) {
        char *cut = malloc(len + 1);
        if (cut == NULL)
            exit(1);
        memcpy(cut, text.data, len);
        accepted += verdict_parse_json(cut, len, "v.json", &untouched, &err) == 0;
        free(cut);
    }
    EQ_INT(accepted, 0);
    EQ_INT(untouched.count, 77);
    comparison_free(&read);
    comparison_free(&comparison);
    buf_free(&text);
    buf_free(&again);
}

static void test_broken(void)
{
#define HEAD "{\"schema\": \"ratchet.verdict/1\", \"device\": {\"slug\": \"cpu\"}, "
#define CONFIG                                                                           \
    "\"verdict\": \"held\", \"reason\": \"r\", \"configs\": [{\"name\": \"a\", "
#define COST HEAD "\"verdict\": \"held\", \"configs\": [], \"cost\": "
    static const struct {
        const char *text, *error;
    } broken[] = {
        {"{}", "v.json: schema: missing"},
        {HEAD "\"verdict\": \"fine\", \"configs\": []}",
         "v.json: verdict: `fine` is not known"},
        {HEAD "\"verdict\": \"held\"}", "v.json: configs: missing"},
        {HEAD CONFIG "\"verdict\": \"held\"}]}", "configs[0].against: missing"},
        {HEAD CONFIG "\"verdict\": \"held\", \"against\": \"anchor\", \"change\": 0}]}",
         "configs[0].ci: missing"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"change\": 0, \"ci\": "
         "[1]}]}",
         "configs[0].ci: expected two numbers"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"change\": 0, \"ci\": "
         "[2, 1]}]}",
         "configs[0].ci: expected two numbers"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"fault\": \"who\"}]}",
         "configs[0].fault: `who` is not known"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"marks\": [\"x\"]}]}",
         "configs[0].marks[0]"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"missing\": {\"head\": -1}}]}",
         "configs[0].missing.head: expected a whole number"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"rounds\": \"8\"}]}",
         "configs[0].rounds: expected a whole number"},
        {HEAD CONFIG
         "\"verdict\": \"held\", \"against\": \"anchor\", \"anchor_drifted\": 1}]}",
         "configs[0].anchor_drifted: expected true or false"},
        {COST "{}}", "cost.device_seconds: missing"},
        {COST "{\"device_seconds\": -1}}", "cost.device_seconds: expected a number"},
        {COST "{\"device_seconds\": 1, \"price_per_hour\": 1}}", "cost.currency: missing"},
        {COST "{\"device_seconds\": 1, \"price_per_hour\": -1, \"currency\": \"USD\"}}",
         "cost.price_per_hour: expected a number"},
        {COST "{\"device_seconds\": 1, \"price_per_hour\": 1, \"currency\": \"US D\"}}",
         "cost.currency: expected letters"},
        {COST "{\"device_seconds\": 1, \"price_per_hour\": 1, \"currency\": \"ABCDEFGHI\"}}",
         "cost.currency: "},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tap_case(broken[i].error);
        struct comparison out = {.count = 77};
        struct err err = {0};
        OK(verdict_parse_json(broken[i].text, strlen(broken[i].text), "v.json", &out,
                              &err) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, broken[i].error);
        EQ_INT(out.count, 77);
    }
    tap_case("the least that is a verdict");
    const char *least = HEAD CONFIG "\"verdict\": \"held\", \"against\": \"none\"}]}";
    struct comparison out = {0};
    struct err err = {0};
    OK(verdict_parse_json(least, strlen(least), "v.json", &out, &err) == 0);
    EQ_INT(out.count, 1);
    comparison_free(&out);
}

static void test_table(void)
{
    tap_case("the table");
    struct comparison comparison = make();
    struct buf out;
    buf_init(&out, 1 << 16);
    comparison.configs[0].anchor_drift = 28.13;
    comparison.configs[0].anchor_drifted = true;
    verdict_format_table(&comparison, &out);
    HAS(out.data, "\n    today's anchor reads +2813.00% against its stored samples\n");
    OK(strstr(out.data, "no control") == NULL);
    buf_clear(&out);
    comparison.configs[0].control.known = false;
    verdict_format_table(&comparison, &out);
    HAS(out.data, " (no control)\n");
    HAS(out.data, "slow    regressed   +5.");
    HAS(out.data, "anchor   7 (1 marked)");
    HAS(out.data, "same    held");
    HAS(out.data, "anchor   7 (the anchor is missing in 1 of 8 replicates)");
    HAS(out.data, "none    unmeasured  -");
    HAS(out.data, "    wrong result?[31m (fault: this change)\n");
    HAS(out.data, "\nregressed on Some \"CPU\"\n"); /* its reason stands in its row */
    OK(strchr(out.data, '\x1b') == NULL);
    OK(out.data[out.len - 1] == '\n');
    buf_free(&out);
    comparison_free(&comparison);
    tap_case("a verdict for the whole is one line");
    struct device device = {.slug = "cpu"};
    verdict_whole(&comparison, &device, VERDICT_HELD, FAULT_NONE, CLAUSE_NOT_TOUCHED,
                  "kernel not touched");
    buf_init(&out, 1 << 16);
    verdict_format_table(&comparison, &out);
    EQ_STR(out.data, "held on cpu: kernel not touched\n");
    buf_clear(&out);
    verdict_whole(&comparison, &device, VERDICT_UNMEASURED, FAULT_BASE, CLAUSE_BUILD_FAILED,
                  "base does not build");
    verdict_format_table(&comparison, &out);
    EQ_STR(out.data, "unmeasured on cpu: base does not build (fault: the base)\n");
    buf_free(&out);
    tap_case("… and says whose fault it is");
    verdict_whole(&comparison, &device, VERDICT_UNMEASURED, FAULT_PR, CLAUSE_BUILD_FAILED,
                  "build failed: exit code 1");
    buf_init(&out, 1 << 16);
    verdict_format_table(&comparison, &out);
    EQ_STR(out.data, "unmeasured on cpu: build failed: exit code 1 (fault: this change)\n");
    buf_free(&out);
}

static void test_part(void)
{
    static const struct device device = {.slug = "cpu", .name = "a CPU"};
    struct comparison part = {0}, read = {0};
    struct err err;
    BUF_AUTO out;
    tap_case("a part of a check, written and read");
    verdict_whole(&part, &device, VERDICT_HELD, FAULT_NONE, CLAUSE_NOT_TOUCHED, "kernel not touched");
    snprintf(part.partial, sizeof part.partial, "configs a*");
    buf_init(&out, 1 << 16);
    OK(verdict_format_json(&part, &out, &err) == 0);
    OK(strstr(out.data, "\"partial\": \"configs a*\"") != NULL);
    OK(strstr(out.data, "\"exit\": 2") != NULL);
    OK(verdict_parse_json(out.data, out.len, "x", &read, &err) == 0);
    EQ_STR(read.partial, "configs a*");
    comparison_free(&read);
    comparison_free(&part);
}

/* A config that held, but for what `change` does to it, as the table tells it. */
static void table_says(void (*change)(struct config_verdict *), const char *text, bool wanted)
{
    struct config_verdict row = {.config = {.name = "c"},
                                 .verdict = VERDICT_HELD,
                                 .clause = CLAUSE_WITHIN,
                                 .reason = "inside",
                                 .against = AGAINST_ANCHOR,
                                 .change = {.known = true},
                                 .control = {.known = true},
                                 .replicates = 8,
                                 .rounds = 8};
    struct comparison comparison = {
        .device = {.slug = "cpu"}, .configs = &row, .count = 1, .reason = "inside"};
    change(&row);
    BUF_AUTO out;
    buf_init(&out, 1 << 16);
    verdict_format_table(&comparison, &out);
    if (!OK((strstr(out.data, text) != NULL) == wanted))
        printf("# %s\n", out.data);
}

static void no_change(struct config_verdict *row)
{
    (void)row;
}

static void drifted(struct config_verdict *row)
{
    row->anchor_drift = 28.13;
    row->anchor_drift_known = row->anchor_drifted = true;
}

static void drifts_a_little(struct config_verdict *row)
{
    row->anchor_drift = 0.02;
    row->anchor_drift_known = true;
}

static void without_control(struct config_verdict *row)
{
    row->control = (struct change){0};
}

static void control_missing(struct config_verdict *row)
{
    row->control = (struct change){0};
    row->missing[ARM_CONTROL] = 7;
}

static void identical(struct config_verdict *row)
{
    row->change = row->control = (struct change){0};
}

static void test_table_warns(void)
{
    tap_case("the table says where today's anchor is far from what was recorded");
    static const char drift[] = "    today's anchor reads +2813.00% against its stored samples\n";
    table_says(drifted, drift, true);
    table_says(no_change, "today's anchor", false);
    table_says(drifts_a_little, "today's anchor", false);
    tap_case("… and where no control says what bias there is");
    table_says(without_control, "anchor   8 (no control)\n", true);
    table_says(no_change, "no control", false);
    table_says(control_missing, "no control", false);
    table_says(control_missing, "8 (control is missing in 7 of 8 replicates)\n", true);
    table_says(identical, "no control", false);
}

static void says(const struct comparison *comparison, const char *json, const char *table)
{
    struct err err = {0};
    COMPARISON_AUTO read = {0};
    BUF_AUTO text, again, lines;
    buf_init(&text, 4096);
    buf_init(&again, 4096);
    buf_init(&lines, 4096);
    OK(verdict_format_json(comparison, &text, &err) == 0);
    if (json == NULL)
        OK(strstr(text.data, "cost") == NULL);
    else
        HAS(text.data, json);
    OK(verdict_parse_json(text.data, text.len, "v.json", &read, &err) == 0);
    OK(verdict_format_json(&read, &again, &err) == 0);
    EQ_STR(again.data, text.data);
    verdict_format_table(&read, &lines);
    if (table == NULL)
        OK(strstr(lines.data, "device held") == NULL);
    else
        HAS(lines.data, table);
}

static void test_cost(void)
{
    struct comparison comparison = {.device = {.slug = "cpu"}, .reason = "kernel not touched"};
    struct spent *spent = &comparison.spent;
    tap_case("what is not known is not told");
    spent->price = (struct price){720000, "USD"};
    says(&comparison, NULL, NULL);
    tap_case("no price, no money");
    *spent = (struct spent){.known = true, .device_ms = 16512};
    says(&comparison, "\n  \"cost\": {\"device_seconds\": 16.512},\n", "\ndevice held for 16.512 s\n");
    tap_case("with a price");
    spent->price = (struct price){720000, "USD"};
    says(&comparison,
         "\n  \"cost\": {\"device_seconds\": 16.512, \"price_per_hour\": 0.72, \"currency\": "
         "\"USD\", \"amount\": 0.003302},\n",
         "\ndevice held for 16.512 s, 0.003302 USD at 0.72 USD an hour\n");
    tap_case("nothing was held");
    spent->device_ms = 0;
    says(&comparison, "{\"device_seconds\": 0, \"price_per_hour\": 0.72, \"currency\": \"USD\", "
         "\"amount\": 0}", NULL);
    tap_case("exact, and as much as there can be");
    static const struct {
        unsigned long long micro, ms, cost;
    } table[] = {{3600000000, 1, 1000}, {1, 3600000, 1}, {1, 3599999, 0}, {100000, 3600000, 100000},
                 {4350001, 7200000, 8700002}, {PRICE_MICRO_MAX, 1000000000000, 2777777777777777777},
                 {PRICE_MICRO_MAX, 3600000, PRICE_MICRO_MAX}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        *spent = (struct spent){true, table[i].ms, {table[i].micro, "USD"}};
        EQ_INT(comparison_cost_micro(&comparison), table[i].cost);
    }
}

int main(void)
{
    test_cost();
    test_roll_up();
    test_json();
    test_part();
    test_broken();
    test_table();
    test_table_warns();
    return tap_done();
}
