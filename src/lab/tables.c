/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words and the rounding of a calibration's figures. */
#include "lab/tables.h"

#include "judge/calibration.h"
#include "judge/text.h"
#include "lab/share.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1 << 20 };

static double share(size_t hits, size_t trials)
{
    return trials == 0 ? 0 : (double)hits / (double)trials;
}

static size_t wrong(const struct tally *tally)
{
    return tally->whole[VERDICT_REGRESSED] + tally->whole[VERDICT_IMPROVED];
}

/* ---- calibration.json ---- */

static void put_shares(struct buf *out, const size_t *counts, size_t trials)
{
    buf_addc(out, '{');
    for (int verdict = 0; verdict < SIMULATE_VERDICTS; verdict++) {
        struct interval bounds = share_bounds(counts[verdict], trials);
        buf_addf(out, "%s\"%s\": [%.6g, %.6g, %.6g]", verdict == 0 ? "" : ", ",
                 verdict_name((enum verdict)verdict), share(counts[verdict], trials),
                 bounds.low, bounds.high);
    }
    buf_addc(out, '}');
}

static void put_tally(struct buf *out, size_t s, const struct tally *tally, size_t configs)
{
    buf_addf(out, "    {\"what\": \"%s\", \"change\": %.6g, \"checks\": %zu, ",
             scenarios[s].what, scenarios[s].change, tally->checks);
    buf_addf(out, "\"replicates\": %.4g,\n     \"verdicts\": ",
             share(tally->replicates, tally->checks));
    put_shares(out, tally->whole, tally->checks);
    buf_adds(out, ",\n     \"of_configs\": ");
    put_shares(out, tally->configs, tally->checks * configs);
    buf_adds(out, s + 1 == SCENARIOS ? "}\n" : "},\n");
}

static void put_reading(struct buf *out, const struct figures *figures, size_t s,
                        const struct reading *reading)
{
    size_t checks = figures->readings_checks;
    buf_addf(out, "      {\"change\": %.6g, \"mean\": %.6f, \"sd\": %.6f, \"coverage\": {",
             scenarios[s].change, reading->mean, reading->sd);
    for (unsigned i = 0; i < figures->count_count; i++)
        buf_addf(out, "%s\"%u\": %.4g", i == 0 ? "" : ", ", figures->counts[i],
                 share(reading->covered[i], checks));
    buf_addf(out, "}, \"seen\": %.4g}%s\n", share(reading->seen, checks),
             s + 1 == SCENARIOS ? "" : ",");
}

static void put_pressed(struct buf *out, const char *key, const struct presses *presses,
                        size_t checks)
{
    buf_addf(out, "     \"%s\": {\"green\": [", key);
    for (int run = 0; run < RUNS_MAX; run++)
        buf_addf(out, "%s%.6g", run == 0 ? "" : ", ", share(presses->green[run], checks));
    buf_addf(out,
             "], \"green_upper\": %.6g, \"called\": %.6g, \"called_upper\": %.6g, "
             "\"replicates\": %.4g}",
             share_bounds(presses->green[RUNS_MAX - 1], checks).high,
             share(presses->called, checks), share_bounds(presses->called, checks).high,
             share(presses->replicates, checks));
}

static void put_presses(struct buf *out, const struct figures *figures)
{
    size_t checks = figures->press_checks;
    buf_adds(out, "  \"reruns\": [\n");
    for (size_t i = 0; i < PRESS_CHANGES; i++) {
        buf_addf(out, "    {\"change\": %.6g, \"checks\": %zu,\n", press_changes[i], checks);
        put_pressed(out, "anew", &figures->anew[i], checks);
        buf_adds(out, ",\n");
        put_pressed(out, "pooled", &figures->pooled[i], checks);
        buf_adds(out, i + 1 == PRESS_CHANGES ? "}\n" : "},\n");
    }
    buf_adds(out, "  ],\n");
}

static void put_more(const struct pool *pool, const struct figures *figures, struct buf *out)
{
    const struct tally *disjoint = &figures->disjoint;
    buf_adds(out, ",\n  \"kernel\": {\"commit\": ");
    text_string(out, pool->commit);
    buf_adds(out, ", \"code\": ");
    text_string(out, pool->code);
    buf_addf(out, "},\n  \"samples\": %u,\n  \"replicate_seconds\": %.3g,\n", pool->samples,
             figures->replicate_seconds);
    buf_addf(out,
             "  \"disjoint\": {\"checks\": %zu, \"wrong\": %zu, \"wrong_upper\": %.4g},\n",
             disjoint->checks, wrong(disjoint),
             share_bounds(wrong(disjoint), disjoint->checks).high);
    put_presses(out, figures);
    buf_adds(out, "  \"checks\": [\n");
    for (size_t s = 0; s < SCENARIOS; s++)
        put_tally(out, s, &figures->tallies[s], pool->config_count);
    buf_adds(out, "  ],\n  \"configs\": [\n");
    for (size_t i = 0; i < pool->config_count; i++) {
        buf_adds(out, "    {\"name\": ");
        text_string(out, pool->configs[i].config.name);
        buf_adds(out, ", \"readings\": [\n");
        for (size_t s = 0; s < SCENARIOS; s++)
            put_reading(out, figures, s, &figures->readings[i][s]);
        buf_adds(out, i + 1 == pool->config_count ? "    ]}\n" : "    ]},\n");
    }
    buf_adds(out, "  ]");
}

int tables_json(const struct pool *pool, const struct rule *rule,
                const struct figures *figures, struct buf *out, struct err *err)
{
    const struct tally *same = &figures->tallies[0];
    struct calibration calibration = {
        .device = pool->device,
        .threshold = rule->threshold,
        .confidence = rule->confidence,
        .budget = rule->looks[rule->look_count - 1],
        .processes = (unsigned)figures->processes,
        .checks = same->checks,
        .wrong = wrong(same),
        .wrong_upper = share_bounds(wrong(same), same->checks).high,
        .smallest_change = figures_smallest(figures, pool->config_count)};
    memcpy(calibration.protocol, pool->protocol, sizeof calibration.protocol);
    memcpy(calibration.recorded, pool->processes[pool->process_count - 1].ended,
           sizeof calibration.recorded);
    BUF_AUTO more;
    buf_init(&more, TEXT_BYTES);
    put_more(pool, figures, &more);
    if (buf_check(&more, "calibration", err) != 0)
        return -1;
    return calibration_format(&calibration, more.data, out, err);
}

/* ---- Markdown ---- */

/* "99.85% (99.6–99.9)"; what did not happen says only how often it may. */
static void cell(struct buf *out, size_t hits, size_t trials)
{
    struct interval bounds = share_bounds(hits, trials);
    if (hits == 0)
        buf_addf(out, " 0 (≤ %.2f%%) |", 100 * bounds.high);
    else if (hits == trials)
        buf_addf(out, " 100%% (≥ %.2f%%) |", 100 * bounds.low);
    else
        buf_addf(out, " %.2f%% (%.2f–%.2f) |", 100 * share(hits, trials), 100 * bounds.low,
                 100 * bounds.high);
}

static void put_checks(const struct pool *pool, const struct figures *figures, struct buf *out)
{
    static const enum verdict order[SIMULATE_VERDICTS] = {VERDICT_HELD, VERDICT_IMPROVED,
                                                          VERDICT_REGRESSED, VERDICT_UNCLEAR,
                                                          VERDICT_UNMEASURED};
    buf_adds(out, "| what is true of every config | checks | held | improved | regressed |"
                  " unclear | unmeasured | processes | seconds |\n"
                  "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t s = 0; s < SCENARIOS; s++) {
        const struct tally *tally = &figures->tallies[s];
        double replicates = share(tally->replicates, tally->checks);
        buf_addf(out, "| %s | %zu |", scenarios[s].what, tally->checks);
        for (size_t i = 0; i < SIMULATE_VERDICTS; i++)
            cell(out, tally->whole[order[i]], tally->checks);
        buf_addf(out, " %.2f | %.1f |\n", replicates, replicates * figures->replicate_seconds);
    }
    buf_addf(out,
             "\n%zu configs a check. Bounds: Clopper and Pearson's 95%%, of the drawing; the"
             " checks share %zu independent processes. %zu checks that share none: %zu"
             " wrong, at most %.1f%%. Seconds: of processes with three arms, computed from"
             " the pool's.\n",
             pool->config_count, figures->processes, figures->disjoint.checks,
             wrong(&figures->disjoint),
             100 * share_bounds(wrong(&figures->disjoint), figures->disjoint.checks).high);
}

static void put_reruns(const struct figures *figures, struct buf *out)
{
    buf_addf(
        out,
        "\nRun again until it is green, %d runs at most; one config is changed, the others "
        "not. Pooled: as it is judged, all runs are one series. Anew: were each new "
        "dice.\n\n| true | checks | |",
        RUNS_MAX);
    for (int run = 0; run < RUNS_MAX; run++)
        buf_addf(out, " green within %d |", run + 1);
    buf_adds(out, " regressed or improved in any | processes |\n|---|---|---|");
    for (int run = 0; run < RUNS_MAX; run++)
        buf_adds(out, "---|");
    buf_adds(out, "---|---|\n");
    for (size_t i = 0; i < 2 * (size_t)PRESS_CHANGES; i++) {
        const struct presses *presses = i % 2 == 0 ? &figures->anew[i / 2]
                                                   : &figures->pooled[i / 2];
        buf_addf(out, "| %+.2f%% | %zu | %s |", 100 * press_changes[i / 2],
                 figures->press_checks, i % 2 == 0 ? "anew" : "pooled");
        for (int run = 0; run < RUNS_MAX; run++)
            cell(out, presses->green[run], figures->press_checks);
        cell(out, presses->called, figures->press_checks);
        buf_addf(out, " %.2f |\n", share(presses->replicates, figures->press_checks));
    }
}

static void put_config(const struct figures *figures, const struct reading *readings,
                       const char *name, struct buf *out)
{
    size_t checks = figures->readings_checks;
    buf_addf(out, "\n`%s`\n\n| true | read, mean of the processes | sd |", name);
    for (unsigned i = 0; i < figures->count_count; i++)
        buf_addf(out, " coverage, %u |", figures->counts[i]);
    buf_addf(out, " zero left out, %u |\n|---|---|---|---|",
             figures->counts[figures->count_count - 1]);
    for (unsigned i = 0; i < figures->count_count; i++)
        buf_adds(out, "---|");
    buf_addc(out, '\n');
    for (size_t s = 0; s < SCENARIOS; s++) {
        const struct reading *reading = &readings[s];
        if (scenarios[s].base >= 0)
            continue;
        buf_addf(out, "| %+.2f%% | %+.3f%% | %.3f%% |", 100 * scenarios[s].change,
                 100 * reading->mean, 100 * reading->sd);
        for (unsigned i = 0; i < figures->count_count; i++)
            buf_addf(out, " %.1f%% |", 100 * share(reading->covered[i], checks));
        buf_addf(out, " %.1f%% |\n", 100 * share(reading->seen, checks));
    }
}

void tables_markdown(const struct pool *pool, const struct rule *rule,
                     const struct figures *figures, struct buf *out)
{
    buf_addf(out,
             "Calibration of %s (%s): %zu processes of %zu configs, %u samples an arm; rule"
             " ±%.2f%%, at most %u replicates.\n\n",
             pool->device.slug, pool->device.name, figures->processes, pool->config_count,
             pool->samples, 100 * rule->threshold, rule->looks[rule->look_count - 1]);
    put_checks(pool, figures, out);
    put_reruns(figures, out);
    buf_addf(out,
             "\nCoverage: of %zu checks with so many replicates, how many 95%% intervals hold"
             " the mean that all processes of the pool read.\n",
             figures->readings_checks);
    for (size_t i = 0; i < pool->config_count; i++)
        put_config(figures, figures->readings[i], pool->configs[i].config.name, out);
}
