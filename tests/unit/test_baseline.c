/* SPDX-License-Identifier: Apache-2.0 */
/* baseline.json: both ways, broken input, and what a promotion may move. */
#include "tap.h"

#include "judge/baseline.h"
#include "judge/compare.h"
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct limits limits = {
    .baseline_bytes = 1 << 20, .replicates = 16, .samples = 8};

static const char example[] =
    "{\"schema\": \"ratchet.baseline/1\", \"device\": {\"slug\": \"cpu\"},\n"
    " \"configs\": [{\"name\": \"b\", \"unit\": \"ns\", \"clock_resolution_ns\": 32,\n"
    "  \"problem\": {\"batch\": 1, \"heads\": 4, \"heads_kv\": 4, \"seq_q\": 256,\n"
    "   \"seq_k\": 256, \"head_dim\": 64, \"dtype\": \"fp32\", \"causal\": true},\n"
    "  \"commit\": \"0123456789012345678901234567890123456789\",\n"
    "  \"code\": \"sha256:00\", \"recorded\": \"2026-11-21T01:10:20Z\", \"why\": "
    "\"accepted\",\n"
    "  \"who\": \"octocat\", \"environment\": {\"driver\": \"580\"},\n"
    "  \"replicates\": [[71584, 71360.5], [71552]]}]}";

static int parse(const char *text, struct baseline *out, struct err *err)
{
    return baseline_parse(text, strlen(text), "baseline.json", &limits, out, err);
}

static void test_both_ways(void)
{
    tap_case("there and back");
    struct baseline baseline = {0};
    struct err err = {0};
    if (!OK(parse(example, &baseline, &err) == 0))
        printf("# %s\n", err.text);
    const struct baseline_config *config = baseline_find(&baseline, "b");
    OK(config != NULL && baseline_find(&baseline, "c") == NULL);
    EQ_STR(config->who, "octocat");
    EQ_STR(config->recorded, "2026-11-21T01:10:20Z");
    EQ_STR(environment_get(&config->environment, "driver"), "580");
    EQ_INT(config->count, 2);
    NEAR(config->replicates[0].ns[1], 71360.5, 0);
    OK(config->config.problem.causal);
    NEAR(config->clock_resolution_ns, 32, 0);
    struct buf text;
    struct buf again;
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    OK(baseline_format(&baseline, &text, &err) == 0);
    struct baseline read = {0};
    OK(parse(text.data, &read, &err) == 0);
    OK(baseline_format(&read, &again, &err) == 0);
    EQ_STR(again.data, text.data);
    HAS(text.data,
        "\"replicates\": [\n        [71584, 71360.5],\n        [71552]\n      ]");
    baseline_free(&read);

    tap_case("rows are sorted by name, whatever their order was");
    struct baseline two = {.device = baseline.device};
    two.configs = calloc(2, sizeof *two.configs);
    if (two.configs == NULL)
        exit(1);
    two.count = 2;
    two.configs[0] = baseline.configs[0];
    two.configs[1] = baseline.configs[0];
    strcpy(two.configs[1].config.name, "a");
    buf_clear(&text);
    OK(baseline_format(&two, &text, &err) == 0);
    const char *a = strstr(text.data, "\"a\"");
    const char *b = strstr(text.data, "\"b\"");
    OK(a != NULL && b != NULL && a < b);
    free(two.configs);
    buf_free(&text);
    buf_free(&again);
    baseline_free(&baseline);
}

static const struct {
    const char *what, *from, *to, *error;
} broken[] = {
    {"truncated", "[71552]]}]}", "", "not JSON"},
    {"unknown schema", "baseline/1", "samples/1",
     "schema: `ratchet.samples/1` is not known"},
    {"no replicates", "[[71584, 71360.5], [71552]]", "[]",
     "configs[0].replicates: 0 replicates"},
    {"an empty replicate", "[71552]", "[]",
     "configs[0].replicates[1]: expected an array"},
    {"a number for a replicate", "[71552]", "71552",
     "configs[0].replicates[1]: expected"},
    {"negative", "71552", "-1", "configs[0].replicates[1][0]: expected a time"},
    {"zero", "71552", "0", "configs[0].replicates[1][0]: expected a time"},
    {"NaN as a string", "71552", "\"NaN\"",
     "configs[0].replicates[1][0]: expected a time"},
    {"1e999", "71552", "1e999", "not JSON"},
    {"too many samples", "71552", "1,2,3,4,5,6,7,8,9",
     "configs[0].replicates[1]: 9 samples"},
    {"duplicate key", "\"why\"", "\"who\"", "duplicate"},
    {"a time that is none", "2026-11-21T", "yesterday, ",
     "configs[0].recorded: expected a time"},
    {"an unknown reason", "accepted", "because",
     "configs[0].why: `because` is not known"},
    {"no commit", "\"commit\"", "\"comet\"", "configs[0].commit: missing"},
    {"a commit of a number", "\"0123456789012345678901234567890123456789\"", "1",
     "configs[0].commit: expected a string"},
    {"a name with a slash", "\"b\"", "\"../b\"", "configs[0].name"},
    {"configs missing", "\"configs\"", "\"config\"", "configs: missing"},
};

static void test_broken(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tap_case(broken[i].what);
        const char *at = strstr(example, broken[i].from);
        char text[2048];
        if (!OK(at != NULL))
            continue;
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - example), example,
                 broken[i].to, at + strlen(broken[i].from));
        struct baseline baseline = {.count = 77};
        struct err err = {0};
        OK(parse(text, &baseline, &err) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, "baseline.json: ");
        HAS(err.text, broken[i].error);
        EQ_INT(baseline.count, 77);
    }
    tap_case("cut anywhere: refused");
    struct err err = {0};
    struct baseline baseline = {0};
    size_t accepted = 0;
    for (size_t len = 0; len < sizeof example - 1; len++) {
        char *cut = malloc(len + 1);
        if (cut == NULL)
            exit(1);
        memcpy(cut, example, len);
        accepted +=
            baseline_parse(cut, len, "baseline.json", &limits, &baseline, &err) == 0;
        free(cut);
    }
    EQ_INT(accepted, 0);
}

/* ---- promotion ---- */

enum { RUNS = 2 };

/* Two runs of the configs a…, each with its own change against the anchor. */
struct runs {
    struct samples samples[RUNS];
    struct comparison verdicts[RUNS];
    struct promotion_move moves[MODEL_CONFIGS_MAX];
    size_t move_count, moved;
    struct baseline out;
};

static void judge(struct runs *runs, const struct baseline *old)
{
    struct rule rule = rule_default();
    struct err err = {0};
    for (int run = 0; run < RUNS; run++) {
        comparison_free(&runs->verdicts[run]);
        OK(compare_samples(&runs->samples[run], old, &rule, &runs->verdicts[run], &err) ==
           0);
    }
}

static struct runs make_runs(const double changes[][RUNS], size_t count)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct runs runs = {0};
    for (int run = 0; run < RUNS; run++) {
        strcpy(runs.samples[run].device.slug, "cpu");
        OK(environment_set(&runs.samples[run].environment, "run", run == 0 ? "1" : "2") ==
           0);
        for (size_t i = 0; i < count; i++) {
            struct config_samples *config = add_config(&runs.samples[run], names[i]);
            strcpy(config->arms[ARM_HEAD].code, "sha256:11");
            add_replicates(config, 6, (struct changes){changes[i][run], NAN, 0, 0});
        }
    }
    return runs;
}

static void free_runs(struct runs *runs)
{
    for (int run = 0; run < RUNS; run++) {
        samples_free(&runs->samples[run]);
        comparison_free(&runs->verdicts[run]);
    }
    baseline_free(&runs->out);
}

/* A baseline with the configs named, 6 replicates of 100 µs each. */
static struct baseline make_baseline(const char *const *names, size_t count)
{
    struct baseline baseline = {.device = {.slug = "cpu"}, .count = count};
    baseline.configs = calloc(count, sizeof *baseline.configs);
    for (size_t i = 0; i < count; i++) {
        struct baseline_config *config = &baseline.configs[i];
        strcpy(config->config.name, names[i]);
        config->config.problem =
            (struct problem){1, 4, 4, 256, 256, 64, DTYPE_FP32, false};
        strcpy(config->commit, "old");
        strcpy(config->recorded, "2026-01-01T00:00:00Z");
        strcpy(config->why, "new");
        config->replicates = calloc(6, sizeof *config->replicates);
        config->count = 6;
        for (size_t k = 0; k < 6; k++)
            OK(series_add(&config->replicates[k], 100000 * (1 + wobble(k))) == 0);
    }
    return baseline;
}

static int promote(struct runs *runs, const struct baseline *old,
                   const char *const *accepted, size_t accepted_count, struct err *err)
{
    struct promotion_request request = {
        .old = old,
        .first = &runs->samples[0],
        .second = &runs->samples[1],
        .first_verdict = &runs->verdicts[0],
        .second_verdict = &runs->verdicts[1],
        .accepted = accepted,
        .accepted_count = accepted_count,
        .who = "octocat",
        .commit = "0123456789012345678901234567890123456789",
        .now = "2026-11-21T01:10:20Z",
    };
    baseline_free(&runs->out);
    return baseline_promote(&request, &runs->out, runs->moves, &runs->move_count,
                            &runs->moved, err);
}

static const struct promotion_move *move_of(const struct runs *runs, const char *name)
{
    static const struct promotion_move none = {.reason = "(no line)"};
    for (size_t i = 0; i < runs->move_count; i++)
        if (strcmp(runs->moves[i].name, name) == 0)
            return &runs->moves[i];
    return &none;
}

static void test_first_baseline(void)
{
    tap_case("the first baseline: everything measured is new");
    struct runs runs = make_runs((const double[][RUNS]){{0, 0}, {0, 0}}, 2);
    struct err err = {0};
    /* only a head, as on a main without a baseline; a marked replicate is left out */
    for (int run = 0; run < RUNS; run++)
        for (int config = 0; config < 2; config++)
            for (size_t i = 0; i < 6; i++)
                for (int arm = ARM_BASE; arm < ARM_COUNT; arm++)
                    runs.samples[run].configs[config].replicates[i].arms[arm].count = 0;
    runs.samples[0].configs[0].replicates[2].marks = MARK_SHARED;
    judge(&runs, NULL);
    EQ_INT(runs.verdicts[0].verdict, VERDICT_UNMEASURED); /* and yet it was measured */
    OK(promote(&runs, NULL, NULL, 0, &err) == 0);
    EQ_INT(runs.moved, 2);
    EQ_INT(runs.out.count, 2);
    EQ_STR(move_of(&runs, "a")->why, "new");
    const struct baseline_config *row = baseline_find(&runs.out, "a");
    EQ_INT(row->count, 11);
    EQ_STR(row->commit, "0123456789012345678901234567890123456789");
    EQ_STR(row->code, "sha256:11");
    EQ_STR(row->recorded, "2026-11-21T01:10:20Z");
    EQ_STR(row->who, "");
    EQ_STR(environment_get(&row->environment, "run"), "2");
    NEAR(row->replicates[0].ns[0], runs.samples[0].configs[0].replicates[0].arms[0].ns[0],
         0);
    NEAR(row->replicates[10].ns[2],
         runs.samples[1].configs[0].replicates[5].arms[0].ns[2], 0);

    tap_case("new, but wrong, absent or too little in one run: not recorded");
    runs.samples[1].configs[0].fault = FAULT_PR;
    strcpy(runs.samples[1].configs[0].failure, "wrong result");
    for (size_t i = 1; i < 6; i++)
        for (int run = 0; run < RUNS; run++)
            runs.samples[run].configs[1].replicates[i].marks = MARK_THROTTLED;
    judge(&runs, NULL);
    OK(promote(&runs, NULL, NULL, 0, &err) == 0);
    EQ_INT(runs.moved, 0);
    EQ_INT(runs.out.count, 0);
    HAS(move_of(&runs, "a")->reason, "stays: unmeasured in the second run: wrong result");
    HAS(move_of(&runs, "b")->reason, "2 unmarked replicates in both runs");
    free_runs(&runs);
}

static void test_moves(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "gone"};
    struct baseline old = make_baseline(names, 5);
    struct err err = {0};
    /* a improved twice, b once, c lost 5%, d stayed, e is new */
    struct runs runs = make_runs(
        (const double[][RUNS]){{-0.1, -0.1}, {-0.1, 0}, {0.05, 0.05}, {0, 0}, {0, 0}}, 5);
    judge(&runs, &old);
    tap_case("only what improved in both runs, and what is new, moves");
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    EQ_INT(runs.moved, 2);
    EQ_INT(runs.move_count, 6);
    EQ_INT(runs.out.count, 6);
    EQ_STR(move_of(&runs, "a")->why, "improved");
    EQ_STR(move_of(&runs, "b")->why, "");
    EQ_STR(move_of(&runs, "c")->why, "");
    EQ_STR(move_of(&runs, "d")->why, "");
    EQ_STR(move_of(&runs, "e")->why, "new");
    HAS(move_of(&runs, "a")->reason, "improved: -10.");
    HAS(move_of(&runs, "b")->reason, "stays: improved -10.");
    HAS(move_of(&runs, "c")->reason, "stays: regressed +5.");
    HAS(move_of(&runs, "gone")->reason, "stays: not measured in the first run");
    EQ_STR(baseline_find(&runs.out, "b")->commit, "old");
    EQ_STR(baseline_find(&runs.out, "c")->commit, "old");
    EQ_INT(baseline_find(&runs.out, "gone")->count, 6);
    EQ_INT(baseline_find(&runs.out, "a")->count, 12);
    OK(baseline_find(&runs.out, "a")->replicates[0].ns[0] < 95000);

    tap_case("a loss accepted by name moves, with the name; an improvement elsewhere "
             "does not help");
    const char *const accepted[] = {"c", "nobody", "gone"};
    OK(promote(&runs, &old, accepted, 3, &err) == 0);
    EQ_INT(runs.moved, 3);
    EQ_STR(move_of(&runs, "c")->why, "accepted");
    HAS(move_of(&runs, "c")->reason, "accepted by octocat: +5.");
    EQ_STR(baseline_find(&runs.out, "c")->who, "octocat");
    EQ_STR(baseline_find(&runs.out, "a")->who, "");
    EQ_STR(baseline_find(&runs.out, "d")->commit, "old");
    HAS(move_of(&runs, "nobody")->reason, "not measured");
    EQ_STR(baseline_find(&runs.out, "gone")->commit, "old");

    tap_case("what main's ci/ratchet.conf lists no more is retired by name: a move");
    old.configs[4].retired = true;
    old.configs[3].retired = true; /* was measured all the same: nothing to retire */
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    EQ_INT(runs.moved, 3);
    EQ_STR(move_of(&runs, "gone")->why, "retired");
    HAS(move_of(&runs, "gone")->reason, "ci/ratchet.conf lists it no more");
    OK(baseline_find(&runs.out, "gone") == NULL);
    EQ_STR(move_of(&runs, "d")->why, "");
    EQ_STR(baseline_find(&runs.out, "d")->commit, "old");
    old.configs[4].retired = old.configs[3].retired = false;

    tap_case("what is left of a run with gaps is no baseline");
    for (size_t i = 0; i < 6; i++)
        add_replicates(&runs.samples[1].configs[4], 1, (struct changes){0, NAN, 0, 0});
    for (size_t i = 0; i < 2; i++)
        runs.samples[1].configs[4].replicates[i].arms[ARM_HEAD].count = 0;
    judge(&runs, &old);
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    EQ_STR(move_of(&runs, "e")->why, "");
    HAS(move_of(&runs, "e")->reason, "head is missing in 2 of 12 replicates of the second run");
    add_replicates(&runs.samples[1].configs[4], 8, (struct changes){0, NAN, 0, 0});
    judge(&runs, &old);
    OK(promote(&runs, &old, NULL, 0, &err) == 0); /* 2 of 20 are borne */
    EQ_STR(move_of(&runs, "e")->why, "new");

    tap_case("a biased control is not measured");
    struct samples *second = &runs.samples[1];
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 3; k++)
            second->configs[0].replicates[i].arms[ARM_CONTROL].ns[k] *= 1.05;
    judge(&runs, &old);
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    EQ_STR(move_of(&runs, "a")->why, "");
    HAS(move_of(&runs, "a")->reason, "control biased");

    tap_case("two builds of different code do not make one row");
    strcpy(second->configs[4].arms[ARM_HEAD].code, "sha256:22");
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    HAS(move_of(&runs, "e")->reason, "different machine code");
    OK(baseline_find(&runs.out, "e") == NULL);

    tap_case("a name that stands for another problem now is new");
    runs.samples[0].configs[3].config.problem.batch = 2;
    second->configs[3].config.problem.batch = 2;
    judge(&runs, &old);
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    EQ_STR(move_of(&runs, "d")->why, "new");
    EQ_INT(baseline_find(&runs.out, "d")->config.problem.batch, 2);

    tap_case("another device's baseline is refused");
    size_t before = runs.out.count;
    strcpy(old.device.slug, "nvidia-l4");
    struct promotion_request request = {
        .old = &old, .first = &runs.samples[0], .second = second};
    OK(baseline_promote(&request, &runs.out, runs.moves, &runs.move_count, &runs.moved,
                        &err) == -1);
    HAS(err.text, "`nvidia-l4`");
    EQ_INT(runs.out.count, before);
    baseline_free(&old);
    free_runs(&runs);
}

static void test_stays_byte_identical(void)
{
    tap_case("when nothing moves the file stays the same bytes");
    static const char *const names[] = {"b", "a"};
    struct baseline old = make_baseline(names, 2);
    struct runs runs = make_runs((const double[][RUNS]){{0, 0}, {0.05, 0.05}}, 2);
    struct err err = {0};
    judge(&runs, &old);
    OK(promote(&runs, &old, NULL, 0, &err) == 0);
    EQ_INT(runs.moved, 0);
    struct buf before;
    struct buf after;
    buf_init(&before, 1 << 20);
    buf_init(&after, 1 << 20);
    OK(baseline_format(&old, &before, &err) == 0);
    OK(baseline_format(&runs.out, &after, &err) == 0);
    EQ_STR(after.data, before.data);
    buf_free(&before);
    buf_free(&after);
    baseline_free(&old);
    free_runs(&runs);
}

int main(void)
{
    test_both_ways();
    test_broken();
    test_first_baseline();
    test_moves();
    test_stays_byte_identical();
    return tap_done();
}
