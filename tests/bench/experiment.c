/* SPDX-License-Identifier: Apache-2.0 */
/* `make bench`: how often the judge is right, measured on recorded traces, with every rule
 * that others judge by put to the same samples. Prints Markdown; exit 1 when a goal is
 * missed. Deterministic: one seed, every draw from it.
 *
 *     experiment FOLDER-OF-TRACES [CHECKS]      the tables
 *     experiment --speed SAMPLES.JSON ROUNDS    nanoseconds a config takes to be judged
 *
 * What a share's bound says: how well the share is known for checks drawn from these
 * processes. It says nothing of processes that were not recorded, whose number stands
 * beside it. */
#include "base/buf.h"
#include "base/file.h"
#include "bench/check.h"
#include "bench/rivals.h"
#include "bench/trace.h"
#include "judge/compare.h"
#include "judge/dist.h"
#include "judge/samples.h"
#include "judge/stats.h"
#include "lab/share.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHECKS_USUAL = 4000, COUNT_FIRST = 6, COUNT_LAST = 16, LONG_SEQUENCE = 512 };

static struct random dice;
static size_t checks = CHECKS_USUAL;
static unsigned missed; /* goals */
static struct buf missed_words;

static _Noreturn void die(const struct err *err)
{
    fprintf(stderr, "experiment: %s\n", err->text);
    exit((int)err_exit_code(err->class));
}

static bool is_long(const struct trace *trace)
{
    return trace->config->config.problem.seq_q >= LONG_SEQUENCE;
}

static const char *name_of(const struct trace *trace)
{
    return trace->config->config.name;
}

/* Say whether a goal is met. Missed is what the bound excludes or the share itself fails;
 * met is what the share reaches, shown where the bound does, too. */
static const char *mark(const struct trace *trace, const char *what, double share,
                        struct interval bounds, double low, double high)
{
    if (share >= low && share <= high)
        return bounds.low >= low && bounds.high <= high ? "met" : "met, bound wider";
    missed++;
    buf_addf(&missed_words, "- %s, %s: %.2f%%\n", name_of(trace), what, 100 * share);
    return "**missed**";
}

/* ---- figures of whole checks ---- */

enum counted { CALLED, REGRESSED, IMPROVED, HELD };

struct figure {
    const char *what;
    struct truth truth;
    enum counted counted;
    size_t most;             /* replicates */
    double low[2], high[2];  /* goal: the share lies within; [1] for long sequences */
};

#define AT_MOST(share) {0, 0}, {(share), (share)}
#define AT_LEAST(short, long) {(short), (long)}, {1, 1}

static const struct figure figures[] = {
    {"same binary: regressed or improved", {5, 0, 0, 0, false, CALM}, CALLED, 16,
     AT_MOST(0.001)},
    {"same binary, with base: regressed or improved", {5, 0, 0, 0, true, CALM}, CALLED, 16,
     AT_MOST(0.001)},
    {"true 0: held", {5, 0, 0, 0, false, CALM}, HELD, 8, AT_LEAST(0.95, 0.99)},
    {"true +1%: held", {5, 0.01, 0.01, 0, false, CALM}, HELD, 8, AT_LEAST(0.95, 0.99)},
    {"true −1%: held", {5, -0.01, -0.01, 0, false, CALM}, HELD, 8, AT_LEAST(0.95, 0.99)},
    {"true +4%, the only config: regressed", {1, 0.04, 0, 0, false, CALM}, REGRESSED, 8,
     AT_LEAST(0.99, 0.99)},
    {"true −4%, the only config: improved", {1, -0.04, 0, 0, false, CALM}, IMPROVED, 8,
     AT_LEAST(0.99, 0.99)},
    {"true +4%, one config of 5: regressed", {5, 0.04, 0, 0, false, CALM}, REGRESSED, 8,
     AT_LEAST(0.99, 0.99)},
    {"true −4%, one config of 5: improved", {5, -0.04, 0, 0, false, CALM}, IMPROVED, 8,
     AT_LEAST(0.99, 0.99)},
    {"the same, within the budget of 16: regressed", {5, 0.04, 0, 0, false, CALM},
     REGRESSED, 16, AT_LEAST(0.99, 0.99)},
    {"exactly +3%, all 5: regressed or improved", {5, 0.03, 0.03, 0, false, CALM}, CALLED,
     16, AT_MOST(0.025)},
    {"exactly −3%, all 5: regressed or improved", {5, -0.03, -0.03, 0, false, CALM},
     CALLED, 16, AT_MOST(0.025)},
    {"main 5% off its anchor, neutral PR: regressed", {5, 0.05, 0.05, 0.05, true, CALM},
     REGRESSED, 16, AT_MOST(0.001)},
    {"same binary, bursts of another process: regressed or improved",
     {5, 0, 0, 0, false, BURSTS}, CALLED, 16, AT_MOST(0.001)},
    {"same binary, starved queue that nobody marked: regressed or improved",
     {5, 0, 0, 0, false, STARVED}, CALLED, 16, AT_MOST(0.001)},
    {"same binary, ±2% drift in the middle of a check: regressed or improved",
     {5, 0, 0, 0, false, DRIFT}, CALLED, 16, AT_MOST(0.001)},
    {"same binary, one process ±10% in one arm: regressed or improved",
     {5, 0, 0, 0, false, OUTLIER}, CALLED, 16, AT_MOST(0.001)},
};

static bool counts(const struct outcome *outcome, const struct figure *figure)
{
    static const enum verdict wanted[] = {[REGRESSED] = VERDICT_REGRESSED,
                                          [IMPROVED] = VERDICT_IMPROVED,
                                          [HELD] = VERDICT_HELD};
    if (figure->counted != CALLED)
        return outcome->whole == wanted[figure->counted];
    for (size_t i = 0; i < figure->truth.configs; i++)
        if (outcome->configs[i] == VERDICT_REGRESSED ||
            outcome->configs[i] == VERDICT_IMPROVED)
            return true;
    return false;
}

static void put_figure(const struct trace *trace, const struct figure *figure)
{
    const struct rule rule = rule_default();
    struct err err = {0};
    size_t hits = 0;
    size_t trials = figure->low[0] > 0 ? checks / 2 : checks; /* rare ones need more */
    for (size_t i = 0; i < trials; i++) {
        struct outcome outcome = {0};
        if (check_run(trace, &figure->truth, &rule, figure->most, &dice, &outcome, &err) !=
            0)
            die(&err);
        hits += counts(&outcome, figure);
    }
    double share = (double)hits / (double)trials;
    struct interval bounds = share_bounds(hits, trials);
    double low = figure->low[is_long(trace)];
    double high = figure->high[is_long(trace)];
    printf("| %s | ≤ %zu | %zu | %.2f%% | %.2f–%.2f%% | %s %g%% | %s |\n", figure->what,
           figure->most, trials, 100 * share, 100 * bounds.low, 100 * bounds.high,
           low > 0 ? "≥" : "≤", 100 * (low > 0 ? low : high),
           mark(trace, figure->what, share, bounds, low, high));
    fflush(stdout);
}

static void put_figures(const struct trace *trace)
{
    printf("\n### `%s`: the rule\n\n"
           "%zu independent processes of %zu arms; %zu samples of each arm a replicate, "
           "the clock ticks in %g ns.\n\n"
           "| figure | replicates | checks | share | Clopper–Pearson 95%% | goal | |\n"
           "|---|---|---|---|---|---|---|\n",
           name_of(trace), trace->config->count, trace->arms,
           trace->shortest < CHECK_SAMPLES ? trace->shortest : (size_t)CHECK_SAMPLES,
           trace->config->clock_resolution_ns);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        put_figure(trace, &figures[i]);
}

/* ---- coverage and the smallest change ---- */

static void one_change(const struct trace *trace, double truth, size_t count,
                       struct change *out)
{
    struct rule rule = rule_default();
    rule.looks[0] = (unsigned)count;
    rule.look_count = 1;
    const struct truth check = {.configs = 1, .first = truth};
    struct outcome outcome = {0};
    struct err err = {0};
    if (check_run(trace, &check, &rule, count, &dice, &outcome, &err) != 0)
        die(&err);
    *out = outcome.change;
}

static void put_coverage(const struct trace *trace)
{
    static const double changes[] = {0, 0.01, -0.01, 0.03, -0.03, 0.10, -0.10};
    size_t trials = checks / 5;
    printf("\n### `%s`: coverage of the reported 95%% interval\n\n"
           "%zu comparisons a cell; goal 93–97%%.\n\n| true change |",
           name_of(trace), trials);
    for (int count = COUNT_FIRST; count <= COUNT_LAST; count++)
        printf(" n = %d |", count);
    printf("\n|---|");
    for (int count = COUNT_FIRST; count <= COUNT_LAST; count++)
        printf("---|");
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        printf("\n| %+g%% |", 100 * changes[i]);
        for (size_t count = COUNT_FIRST; count <= COUNT_LAST; count++) {
            size_t hits = 0;
            for (size_t trial = 0; trial < trials; trial++) {
                struct change change;
                one_change(trace, changes[i], count, &change);
                hits += change.known && change.ci.low <= changes[i] &&
                        changes[i] <= change.ci.high;
            }
            struct interval bounds = share_bounds(hits, trials);
            double share = (double)hits / (double)trials;
            bool off = bounds.high < 0.93 || bounds.low > 0.97;
            printf(off ? " **%.1f%%** |" : " %.1f%% |", 100 * share);
            if (off) {
                missed++;
                buf_addf(&missed_words, "- %s, coverage at %zu replicates of %+g%%: %.1f%%\n",
                         name_of(trace), count, 100 * changes[i], 100 * share);
            }
        }
        fflush(stdout);
    }
    putchar('\n');
}

/* In logs a true change shifts an interval and does nothing else, so one run without a
 * change says how far the shift must be: as far as zero lies inside. */
static void put_smallest(const struct trace *trace)
{
    size_t trials = checks / 2;
    size_t count = (size_t)(60 / trace->replicate_seconds);
    count = count < 6 ? 6 : count > 64 ? 64 : count;
    double *needed = calloc(trials, sizeof *needed);
    if (needed == NULL)
        abort();
    for (size_t trial = 0; trial < trials; trial++) {
        struct change change;
        one_change(trace, 0, count, &change);
        needed[trial] = -log1p(change.ci.low);
    }
    size_t rank = (size_t)ceil(0.95 * (double)trials) - 1;
    size_t margin = (size_t)(1.96 * sqrt(0.95 * 0.05 * (double)trials)) + 1;
    size_t top = rank + margin < trials ? rank + margin : trials - 1;
    double share = expm1(stats_select(needed, trials, rank));
    double upper = expm1(stats_select(needed, trials, top));
    free(needed);
    double goal = is_long(trace) ? 0.002 : 0.005;
    struct interval bounds = {share, upper};
    printf("\n`%s`: the smallest true change whose interval excludes 0 in 95%% of checks, "
           "with one GPU-minute a config (%zu replicates of %g s): **%.3f%%**, at most "
           "%.3f%% (95%%); goal ≤ %g%%: %s.\n",
           name_of(trace), count, trace->replicate_seconds, 100 * share, 100 * upper,
           100 * goal, mark(trace, "smallest change seen", share, bounds, 0, goal));
}

/* ---- the others ---- */

static const double rival_changes[] = {0, 0.03, 0.04, 0.10};
enum { RIVAL_CHANGES = 4, RIVAL_TRIALS = 300, RIVAL_REPLICATES = 8, STUDENT_REPLICATES = 5 };

/* One process a side, 100 samples each, as these tools are used. */
static void fill_single(const struct trace *trace, double change, double *base, double *head,
                        struct sides *out)
{
    size_t processes = trace->config->count;
    size_t count = CHECK_SAMPLES < trace->shortest ? CHECK_SAMPLES : trace->shortest;
    size_t one = draw_below(&dice, processes);
    size_t other = (one + 1 + draw_below(&dice, processes - 1)) % processes;
    trace_single(trace, one, draw_below(&dice, trace->arms), count, 1, &dice, base);
    trace_single(trace, other, draw_below(&dice, trace->arms), count, 1 + change,
                 &dice, head);
    *out = (struct sides){base, head, count, count};
}

static void draw_replicates(const struct trace *trace, double change, size_t count,
                            struct config_samples *out)
{
    const struct draw draw = {.samples = CHECK_SAMPLES, .head = change};
    for (size_t i = 0; i < count; i++)
        if (trace_draw(trace, &draw, &dice, out) != 0)
            abort();
}

/* Exactly what ours gets: interleaved replicates, poured together. */
static void fill_pooled(const struct trace *trace, double change, double *base, double *head,
                        struct sides *out)
{
    __attribute__((cleanup(config_samples_free))) struct config_samples drawn = {0};
    draw_replicates(trace, change, RIVAL_REPLICATES, &drawn);
    *out = (struct sides){base, head, 0, 0};
    for (size_t i = 0; i < drawn.count; i++) {
        const struct series *anchor = &drawn.replicates[i].arms[ARM_ANCHOR];
        const struct series *mine = &drawn.replicates[i].arms[ARM_HEAD];
        memcpy(base + out->base_count, anchor->ns, anchor->count * sizeof *base);
        memcpy(head + out->head_count, mine->ns, mine->count * sizeof *head);
        out->base_count += anchor->count;
        out->head_count += mine->count;
    }
}

typedef void fill_function(const struct trace *trace, double change, double *base,
                           double *head, struct sides *out);

/* Student's interval of the mean log ratio of five interleaved processes, beyond 3%. */
static bool student_slower(const struct trace *trace, double change)
{
    __attribute__((cleanup(config_samples_free))) struct config_samples drawn = {0};
    draw_replicates(trace, change, STUDENT_REPLICATES, &drawn);
    double logs[STUDENT_REPLICATES];
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < STUDENT_REPLICATES; i++) {
        struct series *arms = drawn.replicates[i].arms;
        logs[i] = log(stats_median(arms[ARM_HEAD].ns, arms[ARM_HEAD].count) /
                      stats_median(arms[ARM_ANCHOR].ns, arms[ARM_ANCHOR].count));
        sum += logs[i];
    }
    double mean = sum / STUDENT_REPLICATES;
    for (size_t i = 0; i < STUDENT_REPLICATES; i++)
        squares += (logs[i] - mean) * (logs[i] - mean);
    double error = sqrt(squares / (STUDENT_REPLICATES - 1) / STUDENT_REPLICATES);
    double t = dist_student_quantile(0.025, STUDENT_REPLICATES - 1);
    return mean - t * error > log(1.03);
}

static bool ours_slower(const struct trace *trace, double change)
{
    const struct rule rule = rule_default();
    const struct truth truth = {.configs = 1, .first = change};
    struct outcome outcome = {0};
    struct err err = {0};
    if (check_run(trace, &truth, &rule, RIVAL_REPLICATES, &dice, &outcome, &err) != 0)
        die(&err);
    return outcome.whole == VERDICT_REGRESSED;
}

static void put_share(size_t hits, size_t trials)
{
    struct interval bounds = share_bounds(hits, trials);
    printf(" %.1f%% (%.1f–%.1f) |", 100 * (double)hits / (double)trials, 100 * bounds.low,
           100 * bounds.high);
}

static void put_rivals(const struct trace *trace, const char *how, fill_function *fill)
{
    static double base[RIVALS_MAX];
    static double head[RIVALS_MAX];
    printf("\n`%s`, %s; %zu processes, %d comparisons a cell:\n\n"
           "| rule | same binary | +3%% | +4%% | +10%% |\n|---|---|---|---|---|\n",
           name_of(trace), how, trace->config->count, RIVAL_TRIALS);
    for (size_t i = 0; i < rival_count; i++) {
        printf("| %s |", rivals[i].name);
        for (size_t k = 0; k < RIVAL_CHANGES; k++) {
            size_t hits = 0;
            for (size_t trial = 0; trial < RIVAL_TRIALS; trial++) {
                struct sides sides;
                fill(trace, rival_changes[k], base, head, &sides);
                hits += rivals[i].slower(&sides, &dice);
            }
            put_share(hits, RIVAL_TRIALS);
        }
        putchar('\n');
        fflush(stdout);
    }
}

static void put_ours(const struct trace *trace)
{
    static const struct {
        const char *name;
        bool (*slower)(const struct trace *trace, double change);
    } rules[] = {{"Student's t on 5 interleaved processes, beyond 3%", student_slower},
                 {"**ratchet**, at most 8 interleaved processes", ours_slower}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        printf("| %s |", rules[i].name);
        for (size_t k = 0; k < RIVAL_CHANGES; k++) {
            size_t hits = 0;
            for (size_t trial = 0; trial < checks / 2; trial++)
                hits += rules[i].slower(trace, rival_changes[k]);
            put_share(hits, checks / 2);
        }
        putchar('\n');
    }
}

static void put_comparison(const struct traces *traces)
{
    printf("\n## Called slower, by rule\n\nA share at \"same binary\" is a false alarm; "
           "exactly +3%% is on our line, where the right share is small. In brackets "
           "Clopper–Pearson 95%%.\n\nWhere the rules are written down:\n\n");
    for (size_t i = 0; i < rival_count; i++)
        printf("- %s: %s\n", rivals[i].name, rivals[i].source);
    for (size_t i = 0; i < traces->count; i++) {
        const struct trace *trace = &traces->items[i];
        if (trace->arms < 2) {
            put_rivals(trace, "one process a side, 100 samples each", fill_single);
            continue;
        }
        put_rivals(trace, "one process a side, 100 samples each", fill_single);
        put_rivals(trace, "8 interleaved processes poured together", fill_pooled);
        put_ours(trace);
    }
}

/* ---- speed ---- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int speed(const char *path, size_t rounds)
{
    const struct limits limits = limits_default();
    const struct rule rule = rule_default();
    struct err err = {0};
    __attribute__((cleanup(samples_free))) struct samples samples = {0};
    BUF_AUTO text;
    buf_init(&text, limits.samples_bytes);
    if (file_read(path, &text, &err) != 0 ||
        samples_parse(text.data, text.len, path, &limits, &samples, &err) != 0)
        die(&err);
    for (size_t round = 0; round < rounds; round++) {
        __attribute__((cleanup(comparison_free))) struct comparison comparison = {0};
        double before = seconds();
        if (compare_samples(&samples, NULL, &rule, &comparison, &err) != 0)
            die(&err);
        printf("%.0f\n", 1e9 * (seconds() - before) / (double)samples.count);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--speed") == 0)
        return speed(argv[2], (size_t)strtoul(argv[3], NULL, 10));
    if (argc != 2 && argc != 3) {
        fputs("usage: experiment TRACES [CHECKS] | --speed SAMPLES ROUNDS\n", stderr);
        return EXIT_USAGE;
    }
    if (argc == 3)
        checks = (size_t)strtoul(argv[2], NULL, 10);
    __attribute__((cleanup(traces_free))) struct traces traces = {0};
    struct err err = {0};
    buf_init(&missed_words, 1u << 16);
    random_seed(&dice, 20261121, 0);
    if (checks < 100 || traces_load(argv[1], &traces, &err) != 0)
        die(&err);
    printf("## The judge on recorded traces\n");
    size_t interleaved = 0;
    for (size_t i = 0; i < traces.count; i++) {
        if (traces.items[i].arms < 2)
            continue;
        interleaved++;
        put_figures(&traces.items[i]);
        put_coverage(&traces.items[i]);
        put_smallest(&traces.items[i]);
    }
    put_comparison(&traces);
    if (interleaved == 0) { /* nothing shown is not everything met */
        missed++;
        buf_adds(&missed_words, "- no trace has two arms\n");
    }
    printf("\n%u goals missed%s\n%s", missed, missed > 0 ? ":\n" : "", missed_words.data);
    buf_free(&missed_words);
    return missed > 0 ? 1 : 0;
}
