/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the drawing of checks and the counting of verdicts. */
#include "lab/simulate.h"

#include "judge/compare.h"
#include "judge/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct scenario scenarios[SCENARIOS] = {
    {"nothing changed", 0, POOL_0, POOL_ANCHOR, -1},
    {"0.2% slower", 0.002, POOL_0_2, POOL_ANCHOR, -1},
    {"0.5% slower", 0.005, POOL_0_5, POOL_ANCHOR, -1},
    {"1% slower", 0.01, POOL_1, POOL_ANCHOR, -1},
    {"2% slower", 0.02, POOL_2, POOL_ANCHOR, -1},
    {"exactly 3% slower", 0.03, POOL_3, POOL_ANCHOR, -1},
    {"4% slower", 0.04, POOL_4, POOL_ANCHOR, -1},
    {"5% slower", 0.05, POOL_5, POOL_ANCHOR, -1},
    {"10% slower", 0.10, POOL_10, POOL_ANCHOR, -1},
    {"1% faster", 1 / 1.01 - 1, POOL_0, POOL_1, -1},
    {"2% faster", 1 / 1.02 - 1, POOL_0, POOL_2, -1},
    {"exactly 3% faster", -0.03, POOL_0, POOL_3_97, -1},
    {"4% faster", -0.04, POOL_0, POOL_4_96, -1},
    {"5% faster", 1 / 1.05 - 1, POOL_0, POOL_5, -1},
    {"9% faster", 1 / 1.10 - 1, POOL_0, POOL_10, -1},
    {"main 5% off its anchor, nothing changed", 0.05, POOL_5, POOL_ANCHOR, POOL_BASE_5},
};

const double press_changes[PRESS_CHANGES] = {0, 0.031, 0.035};

void figures_free(struct figures *figures)
{
    free(figures->readings);
    figures->readings = NULL;
}

/* ---- drawing ---- */

/* Processes in random order, each once: those before `used` were drawn. */
struct deck {
    size_t *order; /* owned */
    size_t count, used;
};

static size_t below(struct random *random, size_t bound)
{
    uint64_t reach = UINT64_MAX - UINT64_MAX % bound;
    uint64_t word = random_next(random);
    while (word >= reach)
        word = random_next(random);
    return (size_t)(word % bound);
}

static size_t deal(struct deck *deck, struct random *random)
{
    size_t pick = deck->used + below(random, deck->count - deck->used);
    size_t process = deck->order[pick];
    deck->order[pick] = deck->order[deck->used];
    deck->order[deck->used++] = process;
    return process;
}

/* One simulation: what all of its checks share. */
struct lab {
    const struct pool *pool;
    const struct rule *rule;
    const double *factors; /* of head's times, for each config; NULL: as they are */
    struct deck deck;
    struct random random;
};

static int put(struct replicate *replicate, enum arm arm, double ns)
{
    return series_add(&replicate->arms[arm], ns);
}

/* One process as one replicate of one config. Where the anchor is a slowed arm, so is its
 * control: as far from it as the pool's own pair is. */
static int add(const struct scenario *scenario, const struct pool_row *row, double factor,
               struct config_samples *out)
{
    struct replicate *replicate = config_samples_add(out);
    if (replicate == NULL)
        return -1;
    double anchor = row->ns[scenario->anchor];
    replicate->marks = row->marks;
    replicate->clock[ARM_HEAD] = row->clock[scenario->head];
    replicate->clock[ARM_ANCHOR] = row->clock[scenario->anchor];
    replicate->clock[ARM_CONTROL] = row->clock[POOL_CONTROL];
    if (scenario->base >= 0)
        replicate->clock[ARM_BASE] = row->clock[scenario->base];
    out->attempts = out->count;
    return put(replicate, ARM_HEAD, factor * row->ns[scenario->head]) |
           put(replicate, ARM_ANCHOR, anchor) |
           put(replicate, ARM_CONTROL, anchor * row->ns[POOL_CONTROL] / row->ns[POOL_ANCHOR]) |
           (scenario->base < 0 ? 0 : put(replicate, ARM_BASE, row->ns[scenario->base]));
}

static int begin(const struct pool *pool, struct samples *samples)
{
    samples->device = pool->device;
    for (size_t i = 0; i < pool->config_count; i++) {
        struct config_samples *config = samples_add(samples);
        if (config == NULL)
            return -1;
        config->config = pool->configs[i].config;
        config->clock_resolution_ns = pool->configs[i].tick_ns;
    }
    return 0;
}

/* As in pipeline/looks.c: marked replicates are taken again, up to as many as were planned. */
static bool wanted(const struct lab *lab, const struct config_samples *config, bool open,
                   size_t target)
{
    size_t most = 2 * (size_t)lab->rule->looks[lab->rule->look_count - 1];
    unsigned runs = config->earlier_count;
    size_t before = runs == 0 ? 0 : config_samples_until(config, runs - 1);
    return open && config->count - before < most &&
           config_samples_unmarked_now(config) < target;
}

/* Deal processes until every open config has its replicates, or no process is left. */
static int measure(struct lab *lab, const struct scenario *scenario, const bool *open,
                   size_t target, struct samples *samples)
{
    while (lab->deck.used < lab->deck.count) {
        bool any = false;
        bool want[MODEL_CONFIGS_MAX];
        for (size_t i = 0; i < samples->count; i++) {
            want[i] = wanted(lab, &samples->configs[i], open[i], target);
            any = any || want[i];
        }
        if (!any)
            break;
        const struct pool_row *rows =
            lab->pool->processes[deal(&lab->deck, &lab->random)].rows;
        for (size_t i = 0; i < samples->count; i++)
            if (want[i] && add(scenario, &rows[i], lab->factors == NULL ? 1 : lab->factors[i],
                               &samples->configs[i]) != 0)
                return -1;
    }
    return 0;
}

/* ---- checks ---- */

/* Of those that may be measured, measure until the rule is satisfied, from what the deck still
 * holds. */
static int look(struct lab *lab, const struct scenario *scenario, const bool *may,
                struct samples *samples, struct comparison *out, struct err *err)
{
    bool open[MODEL_CONFIGS_MAX];
    memcpy(open, may, sizeof open);
    for (unsigned look = 0; look < lab->rule->look_count; look++) {
        if (measure(lab, scenario, open, lab->rule->looks[look], samples) != 0)
            return err_set(err, ERR_HOST, "out of memory for a check");
        comparison_free(out);
        if (compare_samples(samples, NULL, lab->rule, out, err) != 0)
            return -1;
        bool any = false;
        for (size_t i = 0; i < out->count; i++) {
            open[i] = may[i] && out->configs[i].wants_more;
            any = any || open[i];
        }
        if (!any)
            break;
    }
    return 0;
}

/* One check from what the deck still holds. */
static int check(struct lab *lab, const struct scenario *scenario, struct tally *tally,
                 struct err *err)
{
    bool open[MODEL_CONFIGS_MAX];
    SAMPLES_AUTO samples = {0};
    COMPARISON_AUTO comparison = {0};
    size_t used = lab->deck.used;
    memset(open, true, sizeof open);
    if (begin(lab->pool, &samples) != 0)
        return err_set(err, ERR_HOST, "out of memory for a check");
    if (look(lab, scenario, open, &samples, &comparison, err) != 0)
        return -1;
    tally->checks++;
    tally->whole[comparison.verdict]++;
    for (size_t i = 0; i < comparison.count; i++)
        tally->configs[comparison.configs[i].verdict]++;
    tally->replicates += lab->deck.used - used;
    return 0;
}

static int run_checks(struct lab *lab, const struct scenario *scenario, size_t checks,
                      struct tally *tally, struct err *err)
{
    for (size_t i = 0; i < checks; i++) {
        lab->deck.used = 0;
        if (check(lab, scenario, tally, err) != 0)
            return -1;
    }
    return 0;
}

/* One deal of the whole deck, for as long as it can serve a first look. */
static int run_disjoint(struct lab *lab, struct tally *tally, struct err *err)
{
    lab->deck.used = 0;
    while (lab->deck.count - lab->deck.used >= lab->rule->looks[0])
        if (check(lab, &scenarios[0], tally, err) != 0)
            return -1;
    return 0;
}

/* ---- re-runs ---- */

static bool is_wrong(const struct comparison *comparison)
{
    return comparison->verdict == VERDICT_IMPROVED || comparison->verdict == VERDICT_REGRESSED;
}

static bool is_green(const struct comparison *comparison)
{
    return comparison->verdict == VERDICT_HELD || comparison->verdict == VERDICT_IMPROVED;
}

/* As in pipeline/attempts.c: what is final is measured no more. */
static void run_again(const struct comparison *comparison, struct samples *samples, bool *open)
{
    for (size_t i = 0; i < samples->count; i++)
        open[i] = !config_verdict_final(&comparison->configs[i]) &&
                  config_samples_run_again(&samples->configs[i]);
}

/* One check, run again until it is green, RUNS_MAX times at most. */
static int press(struct lab *lab, bool pooled, struct presses *out, struct err *err)
{
    bool open[MODEL_CONFIGS_MAX], called = false;
    SAMPLES_AUTO samples = {0};
    COMPARISON_AUTO comparison = {0};
    lab->deck.used = 0;
    memset(open, true, sizeof open);
    for (unsigned run = 0; run < RUNS_MAX; run++) {
        if (run > 0 && pooled)
            run_again(&comparison, &samples, open);
        else {
            samples_free(&samples);
            memset(open, true, sizeof open);
            if (begin(lab->pool, &samples) != 0)
                return err_set(err, ERR_HOST, "out of memory for a check");
        }
        if (look(lab, &scenarios[0], open, &samples, &comparison, err) != 0)
            return -1;
        called = called || is_wrong(&comparison);
        if (!is_green(&comparison))
            continue;
        for (unsigned i = run; i < RUNS_MAX; i++)
            out->green[i]++;
        break;
    }
    out->called += called;
    out->replicates += lab->deck.used;
    return 0;
}

static void read_pool(const struct pool *pool, size_t config, const struct scenario *scenario,
                      struct reading *out);

/* One config in turn changes, by exactly so much over the whole pool. */
static int run_presses(struct lab *lab, size_t checks, struct figures *out, struct err *err)
{
    double factors[MODEL_CONFIGS_MAX];
    out->press_checks = checks;
    for (size_t at = 0; at < PRESS_CHANGES; at++)
        for (size_t i = 0; i < checks; i++) {
            size_t config = i % lab->pool->config_count;
            struct reading reading = {0};
            for (size_t k = 0; k < lab->pool->config_count; k++)
                factors[k] = 1;
            read_pool(lab->pool, config, &scenarios[0], &reading);
            factors[config] = (1 + press_changes[at]) / (1 + reading.mean);
            lab->factors = factors;
            int rc = press(lab, false, &out->anew[at], err);
            rc = rc != 0 ? rc : press(lab, true, &out->pooled[at], err);
            lab->factors = NULL;
            if (rc != 0)
                return -1;
        }
    return 0;
}

/* ---- intervals at fixed counts ---- */

static double log_change(const struct scenario *scenario, const struct pool_row *row)
{
    return log(row->ns[scenario->head] / row->ns[scenario->anchor]);
}

static void read_pool(const struct pool *pool, size_t config, const struct scenario *scenario,
                      struct reading *out)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t i = 0; i < pool->process_count; i++) {
        const struct pool_row *row = &pool->processes[i].rows[config];
        if (row->marks != 0)
            continue;
        sum += log_change(scenario, row);
        count++;
    }
    for (size_t i = 0; i < pool->process_count; i++) {
        const struct pool_row *row = &pool->processes[i].rows[config];
        double off = row->marks != 0 ? 0 : log_change(scenario, row) - sum / count;
        squares += off * off;
    }
    out->mean = count > 0 ? expm1(sum / count) : 0;
    out->sd = count > 1 ? sqrt(squares / (count - 1)) : 0;
}

static int run_fixed(struct lab *lab, size_t scenario, size_t at, struct figures *figures,
                     struct err *err)
{
    bool open[MODEL_CONFIGS_MAX];
    struct rule fixed = *lab->rule;
    struct lab one = *lab;
    memset(open, true, sizeof open);
    fixed.looks[0] = figures->counts[at];
    fixed.look_count = 1;
    one.rule = &fixed;
    one.deck.used = 0;
    SAMPLES_AUTO samples = {0};
    COMPARISON_AUTO comparison = {0};
    if (begin(lab->pool, &samples) != 0 ||
        measure(&one, &scenarios[scenario], open, fixed.looks[0], &samples) != 0)
        return err_set(err, ERR_HOST, "out of memory for a check");
    lab->random = one.random;
    if (compare_samples(&samples, NULL, &fixed, &comparison, err) != 0)
        return -1;
    for (size_t i = 0; i < comparison.count; i++) {
        const struct change *change = &comparison.configs[i].change;
        struct reading *reading = &figures->readings[i][scenario];
        reading->covered[at] += change->known && change->ci.low <= reading->mean &&
                                reading->mean <= change->ci.high;
        if (at + 1 == figures->count_count)
            reading->seen += change->known && (change->ci.low > 0 || change->ci.high < 0);
    }
    return 0;
}

static int run_readings(struct lab *lab, size_t checks, struct figures *out, struct err *err)
{
    out->readings = calloc(lab->pool->config_count, sizeof *out->readings);
    if (out->readings == NULL)
        return err_set(err, ERR_HOST, "out of memory for the figures");
    out->readings_checks = checks;
    for (size_t s = 0; s < SCENARIOS; s++) {
        for (size_t i = 0; i < lab->pool->config_count; i++)
            read_pool(lab->pool, i, &scenarios[s], &out->readings[i][s]);
        for (size_t at = 0; at < out->count_count; at++)
            for (size_t i = 0; i < checks; i++)
                if (run_fixed(lab, s, at, out, err) != 0)
                    return -1;
    }
    return 0;
}

double figures_smallest(const struct figures *figures, size_t configs)
{
    double smallest = 0;
    for (size_t s = SCENARIOS; s-- > 1;) {
        if (scenarios[s].change <= 0 || scenarios[s].base >= 0)
            continue;
        for (size_t i = 0; i < configs; i++)
            if ((double)figures->readings[i][s].seen < 0.95 * (double)figures->readings_checks)
                return smallest;
        smallest = scenarios[s].change;
    }
    return smallest;
}

/* ---- all of it ---- */

/* A check's process has the same beginning and end, and three arms in place of the pool's. */
static double replicate_seconds(const struct pool *pool)
{
    double sum = 0;
    for (size_t i = 0; i < pool->process_count; i++) {
        double turns = 0;
        for (size_t c = 0; c < pool->config_count; c++)
            turns += pool->processes[i].rows[c].seconds;
        sum += pool->processes[i].seconds - turns * (1 - 3.0 / POOL_ENTRIES);
    }
    return sum / (double)pool->process_count;
}

static int run_all(struct lab *lab, size_t checks, struct figures *out, struct err *err)
{
    for (size_t s = 0; s < SCENARIOS; s++)
        if (run_checks(lab, &scenarios[s], s == 0 ? checks : (checks + 4) / 5,
                       &out->tallies[s], err) != 0)
            return -1;
    if (run_disjoint(lab, &out->disjoint, err) != 0)
        return -1;
    return run_readings(lab, (checks + 9) / 10, out, err) != 0
               ? -1
               : run_presses(lab, (checks + 1) / 2, out, err);
}

int simulate(const struct pool *pool, const struct rule *rule, size_t checks,
             unsigned long long seed, struct figures *out, struct err *err)
{
    unsigned last = rule->looks[rule->look_count - 1];
    if (pool->process_count < last)
        return err_set(
            err, ERR_INPUT,
            "the pool has %zu processes, expected at least %u, the rule's last look",
            pool->process_count, last);
    struct lab lab = {.pool = pool, .rule = rule, .deck = {.count = pool->process_count}};
    struct figures figures = {.processes = pool->process_count,
                              .count_count = rule->look_count,
                              .replicate_seconds = replicate_seconds(pool)};
    memcpy(figures.counts, rule->looks, sizeof figures.counts);
    lab.deck.order = calloc(pool->process_count, sizeof *lab.deck.order);
    if (lab.deck.order == NULL)
        return err_set(err, ERR_HOST, "out of memory for the deck");
    for (size_t i = 0; i < pool->process_count; i++)
        lab.deck.order[i] = i;
    random_seed(&lab.random, seed, 0);
    int rc = run_all(&lab, checks, &figures, err);
    free(lab.deck.order);
    if (rc != 0) {
        figures_free(&figures);
        return -1;
    }
    *out = figures;
    return 0;
}
