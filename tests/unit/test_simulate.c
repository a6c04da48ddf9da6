/* SPDX-License-Identifier: Apache-2.0 */
/* lab/simulate, lab/share and lab/pool on pools whose figures are known beforehand. */
#include "lab/pool.h"
#include "lab/share.h"
#include "lab/simulate.h"
#include "lab/tables.h"

#include "tap.h"

#include <stdlib.h>

static const struct limits limits_all = {.samples = 4096, .calibration_bytes = 1 << 20};

/* Made-up noise that is the same everywhere: in [-1, 1). */
static double noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (1 << 23) - 1;
}

/* Every entry as slow as it says, and `scatter` of its own besides. */
static struct pool make_pool(size_t processes, size_t configs, double scatter)
{
    struct pool pool = {.protocol = "2", .samples = 60, .config_count = configs};
    unsigned state = 7;
    snprintf(pool.device.slug, sizeof pool.device.slug, "cpu");
    snprintf(pool.device.name, sizeof pool.device.name, "a CPU");
    memset(pool.commit, 'a', 40);
    snprintf(pool.code, sizeof pool.code, "sha256:%064d", 1);
    pool.configs = calloc(configs, sizeof *pool.configs);
    for (size_t i = 0; i < configs; i++) {
        snprintf(pool.configs[i].config.name, MODEL_NAME_BYTES, "c%zu", i);
        pool.configs[i].config.problem =
            (struct problem){1, 1, 1, 64, 64, 64, DTYPE_FP16, false};
        pool.configs[i].tick_ns = 1;
    }
    for (size_t p = 0; p < processes; p++) {
        struct pool_process *process = pool_add(&pool);
        snprintf(process->ended, sizeof process->ended, "2026-11-21T01:10:20Z");
        process->seconds = 6;
        for (size_t i = 0; i < configs; i++) {
            process->rows[i].seconds = 1;
            for (size_t entry = 0; entry < POOL_ENTRIES; entry++)
                process->rows[i].ns[entry] = 50000 *
                                             (1 + pool_entries.entries[entry].slower) *
                                             (1 + scatter * noise(&state));
        }
    }
    return pool;
}

static size_t scenario_of(double change)
{
    for (size_t s = 0; s < SCENARIOS; s++)
        if (fabs(scenarios[s].change - change) < 1e-9)
            return s;
    return SCENARIOS;
}

static void all_are(const struct figures *figures, double change, enum verdict verdict)
{
    const struct tally *tally = &figures->tallies[scenario_of(change)];
    OK(tally->checks > 0);
    EQ_INT((long long)tally->whole[verdict], (long long)tally->checks);
}

static void known_verdicts(void)
{
    struct rule rule = rule_default();
    struct pool pool = make_pool(40, 2, 0.001);
    struct figures figures = {0};
    struct err err = {0};
    tap_case("a quiet device: every verdict is the right one");
    OK(simulate(&pool, &rule, 200, 1, &figures, &err) == 0);
    EQ_INT((long long)figures.tallies[0].checks, 200);
    EQ_INT((long long)figures.tallies[1].checks, 40);
    all_are(&figures, 0, VERDICT_HELD);
    all_are(&figures, 0.02, VERDICT_HELD);
    all_are(&figures, 0.04, VERDICT_REGRESSED);
    all_are(&figures, 0.10, VERDICT_REGRESSED);
    all_are(&figures, -0.04, VERDICT_IMPROVED);
    all_are(&figures, 1 / 1.1 - 1, VERDICT_IMPROVED);
    const struct tally *lost = &figures.tallies[SCENARIOS - 1];
    EQ_INT((long long)lost->whole[VERDICT_HELD], (long long)lost->checks);
    EQ_INT((long long)figures.disjoint.checks, 40 / 6);
    EQ_INT((long long)figures.tallies[0].replicates, 200 * 6);

    tap_case("what the pool reads");
    NEAR(figures.readings[1][scenario_of(0.10)].mean, 0.10, 0.001);
    NEAR(figures.readings[1][scenario_of(-0.03)].mean, -0.03, 0.001);
    OK(figures.readings[0][0].sd > 0.0004 && figures.readings[0][0].sd < 0.0016);
    NEAR(figures_smallest(&figures, 2), 0.002, 1e-12);
    size_t covered = 0;
    for (size_t s = 0; s < SCENARIOS; s++)
        covered += figures.readings[0][s].covered[0] + figures.readings[1][s].covered[2];
    EQ_INT((long long)figures.readings_checks, 20);
    OK(covered > 2 * SCENARIOS * 20 * 9 / 10 && covered < 2 * SCENARIOS * 20);
    NEAR(figures.replicate_seconds, 6 - 2 * (1 - 3.0 / POOL_ENTRIES), 1e-9);

    tap_case("the same seed, the same figures; another, others");
    struct figures again = {0}, other = {0};
    OK(simulate(&pool, &rule, 200, 1, &again, &err) == 0);
    OK(simulate(&pool, &rule, 200, 2, &other, &err) == 0);
    OK(memcmp(again.tallies, figures.tallies, sizeof figures.tallies) == 0);
    OK(memcmp(again.readings, figures.readings, 2 * sizeof *figures.readings) == 0);
    OK(memcmp(other.readings, figures.readings, 2 * sizeof *figures.readings) != 0);
    figures_free(&again);
    figures_free(&other);
    figures_free(&figures);
    pool_free(&pool);
}

static void wild(void)
{
    struct rule rule = rule_default();
    struct pool pool = make_pool(60, 1, 0.2);
    struct figures figures = {0};
    struct err err = {0};
    tap_case("a wild device: unclear, after the whole budget");
    OK(simulate(&pool, &rule, 100, 1, &figures, &err) == 0);
    EQ_INT((long long)(figures.tallies[0].whole[VERDICT_UNCLEAR] +
                       figures.tallies[0].whole[VERDICT_UNMEASURED]),
           100); /* a control may seem biased */
    OK(figures.tallies[0].replicates > 15 * figures.tallies[0].checks);
    NEAR(figures_smallest(&figures, 1), 0, 0);
    figures_free(&figures);

    tap_case("marked processes are drawn, not judged, and taken again");
    pool_free(&pool);
    pool = make_pool(60, 1, 0.001);
    for (size_t i = 0; i < 60; i += 2)
        pool.processes[i].rows[0].marks = MARK_SHARED;
    OK(simulate(&pool, &rule, 100, 1, &figures, &err) == 0);
    EQ_INT((long long)figures.tallies[0].whole[VERDICT_HELD], 100);
    OK(figures.tallies[0].replicates > 800 && figures.tallies[0].replicates < 1600);
    figures_free(&figures);
    pool_free(&pool);

    tap_case("too few processes");
    pool = make_pool(15, 1, 0.001);
    OK(simulate(&pool, &rule, 100, 1, &figures, &err) == -1);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "15 processes, expected at least 16");
    pool_free(&pool);
}

/* R: binom.test(x, n)$conf.int */
static void shares(void)
{
    tap_case("Clopper and Pearson");
    NEAR(share_bounds(0, 10).low, 0, 0);
    NEAR(share_bounds(0, 10).high, 0.3084971, 1e-7);
    NEAR(share_bounds(10, 10).low, 0.6915029, 1e-7);
    NEAR(share_bounds(10, 10).high, 1, 0);
    NEAR(share_bounds(5, 10).low, 0.1870860, 1e-7);
    NEAR(share_bounds(5, 10).high, 0.8129140, 1e-7);
    NEAR(share_bounds(0, 10000).high, 3.688199e-4, 1e-9);
    NEAR(share_bounds(9500, 10000).low, 0.9455460, 1e-6);
}

static void text(void)
{
    struct pool pool = make_pool(3, 2, 0.01), read = {0};
    struct err err = {0};
    size_t used;
    BUF_AUTO out;
    BUF_AUTO again;
    buf_init(&out, 1 << 20);
    buf_init(&again, 1 << 20);
    pool.processes[1].rows[1].marks = MARK_SHARED | MARK_STARVED;
    tap_case("a pool there and back");
    OK(pool_format_head(&pool, &out, &err) == 0);
    for (size_t i = 0; i < 3; i++)
        OK(pool_format_process(&pool, &pool.processes[i], &out, &err) == 0);
    OK(pool_parse(out.data, out.len, "p", &limits_all, &read, &used, &err) == 0);
    EQ_INT((long long)used, (long long)out.len);
    EQ_INT((long long)read.process_count, 3);
    EQ_INT(read.processes[1].rows[1].marks, MARK_SHARED | MARK_STARVED);
    OK(pool_format_head(&read, &again, &err) == 0);
    for (size_t i = 0; i < 3; i++)
        OK(pool_format_process(&read, &read.processes[i], &again, &err) == 0);
    EQ_STR(again.data, out.data);
    OK(pool_same(&pool, &read, "p", &err) == 0);
    read.samples = 61;
    OK(pool_same(&pool, &read, "p", &err) == -1);
    HAS(err.text, "p: samples");
    pool_free(&read);

    tap_case("a line that was cut off is left over");
    OK(pool_parse(out.data, out.len - 5, "p", &limits_all, &read, &used, &err) == 0);
    EQ_INT((long long)read.process_count, 2);
    OK(used < out.len - 5 && out.data[used - 1] == '\n');
    pool_free(&read);
    OK(pool_parse(out.data, 20, "p", &limits_all, &read, &used, &err) == -1);
    HAS(err.text, "expected a first line");
    pool_free(&pool);
}

/* Replace the first `from` of a good pool, and parse. */
static void refused(const char *from, const char *to, const char *says)
{
    struct pool pool = make_pool(1, 1, 0), read = {0};
    struct err err = {0};
    size_t used;
    BUF_AUTO good;
    BUF_AUTO bad;
    buf_init(&good, 1 << 20);
    buf_init(&bad, 1 << 20);
    OK(pool_format_head(&pool, &good, &err) == 0 &&
       pool_format_process(&pool, &pool.processes[0], &good, &err) == 0);
    const char *at = strstr(good.data, from);
    OK(at != NULL);
    if (at != NULL) {
        buf_add(&bad, good.data, (size_t)(at - good.data));
        buf_adds(&bad, to);
        buf_adds(&bad, at + strlen(from));
        OK(pool_parse(bad.data, bad.len, "p", &limits_all, &read, &used, &err) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, says);
    }
    pool_free(&pool);
}

static void hostile(void)
{
    tap_case("what a pool may not say");
    refused("ratchet.pool/1", "ratchet.pool/2", "schema");
    refused("[\"head\", 0.04]", "[\"head\", 0.05]", "p: line 1: entries[10]: expected [\"head\"");
    refused("[\"anchor\", 0], ", "", "expected 14 entries");
    refused("\"entries\": [[", "\"entries\": [7, [", "expected 14 entries");
    refused("aaaaaaaa", "AAAAAAAA", "commit: expected 40 hex digits");
    refused("\"samples\": 60", "\"samples\": 0", "samples");
    refused("\"configs\": [{\"name\"", "\"configs\": [1, {\"name\"", "configs[0]");
    refused("\"seconds\": 6.000", "\"seconds\": -6", "p: line 2: seconds");
    refused("\"ns\": [50000, ", "\"ns\": [", "ns: expected 14 times");
    refused("\"ns\": [50000, ", "\"ns\": [0, ", "ns[0]");
    refused("\"ns\": [50000, ", "\"ns\": [1e400, ", "p: line 2");
    refused("{\"seconds\": 1.000", "{\"marks\": [\"odd\"], \"seconds\": 1.000", "marks[0]: not a mark of this version");
    refused("2026-11-21T01:10:20Z", "yesterday", "ended");
}

static void tables(void)
{
    struct rule rule = rule_default();
    struct pool pool = make_pool(20, 1, 0.001);
    struct figures figures = {0};
    struct err err = {0};
    BUF_AUTO json;
    BUF_AUTO markdown;
    buf_init(&json, 1 << 20);
    buf_init(&markdown, 1 << 20);
    tap_case("the tables");
    OK(simulate(&pool, &rule, 100, 1, &figures, &err) == 0);
    OK(tables_json(&pool, &rule, &figures, &json, &err) == 0);
    HAS(json.data, "\"identical\": {\"checks\": 100, \"wrong\": 0, \"wrong_upper\": 0.036");
    HAS(json.data, "\"disjoint\": {\"checks\": 3, \"wrong\": 0, \"wrong_upper\": 0.7076}");
    HAS(json.data, "\"verdicts\": {\"held\": [1, 0.963783, 1], ");
    tables_markdown(&pool, &rule, &figures, &markdown);
    HAS(markdown.data, "| nothing changed | 100 | 100% (≥ 96.38%) | 0 (≤ 3.62%) |");
    HAS(markdown.data, "20 independent processes. 3 checks that share none: 0 wrong");
    figures_free(&figures);
    pool_free(&pool);
}

/* Single ratios scatter farther than the lines lie apart. */
static void pressed(void)
{
    struct rule rule = rule_default();
    rule.resamples = 1000;
    struct pool pool = make_pool(200, 1, 0.045);
    struct figures figures = {0};
    struct err err = {0};
    tap_case("run again until it is green: what is slower stays red, what is not gets green");
    OK(simulate(&pool, &rule, 1000, 1, &figures, &err) == 0);
    size_t checks = figures.press_checks;
    EQ_INT((long long)checks, 500);
    for (size_t i = 1; i < PRESS_CHANGES; i++)
        OK(40 * figures.pooled[i].green[RUNS_MAX - 1] <= checks);
    OK(40 * figures.pooled[0].called <= checks);
    OK(figures.pooled[0].green[0] < checks / 2);
    OK(figures.pooled[0].green[RUNS_MAX - 1] > checks * 9 / 10);
    OK(figures.anew[0].green[RUNS_MAX - 1] < checks * 6 / 10);
    figures_free(&figures);
    pool_free(&pool);
}

int main(void)
{
    known_verdicts();
    pressed();
    wild();
    shares();
    text();
    hostile();
    tables();
    return tap_done();
}
