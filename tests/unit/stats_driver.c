/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's figures on demand: one question a line on stdin, the answer's doubles as hex on
 * stdout, so that another program can check each bit. check_stats.py asks and compares with
 * SciPy; test_bits.py asks the same of several builds.
 *
 *     log X | exp X | phi X | tail T DF | quantile P DF
 *     median N X… | interval CONFIDENCE N X…
 *     g N X… M X… | delta N X… M X… | p N X… M X…
 *     digamma X | trigamma X | spread N VARIANCE… M DF…
 *     boot SEED RESAMPLES CONFIDENCE COMPARISONS SCATTER DF₀ VARIANCE₀ N X… M X…
 *     judge SAMPLES-FILE BASELINE-FILE-OR-DASH        (the verdict JSON follows) */
#include "judge/baseline.h"
#include "judge/bootstrap.h"
#include "judge/compare.h"
#include "judge/dist.h"
#include "judge/num.h"
#include "judge/samples.h"
#include "judge/spread.h"
#include "judge/stats.h"
#include "judge/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 4096 };

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "stats_driver: %s\n", what);
    exit(1);
}

static double number(void)
{
    char text[64];
    if (scanf("%63s", text) != 1)
        die("a number is missing");
    return strtod(text, NULL);
}

static size_t values(double *out)
{
    size_t count = (size_t)number();
    if (count > VALUES_MAX)
        die("too many values");
    for (size_t i = 0; i < count; i++)
        out[i] = number();
    return count;
}

static void answer(double value)
{
    printf("%a ", value);
}

static double one[VALUES_MAX];
static double other[VALUES_MAX];

static void ask_distribution(const char *what)
{
    double x = number();
    if (strcmp(what, "log") == 0)
        answer(num_log(x));
    else if (strcmp(what, "exp") == 0)
        answer(num_exp(x));
    else if (strcmp(what, "phi") == 0)
        answer(dist_normal_cdf(x));
    else if (strcmp(what, "tail") == 0)
        answer(dist_student_tail(x, (unsigned)number()));
    else if (strcmp(what, "quantile") == 0)
        answer(dist_student_quantile(x, (unsigned)number()));
    else if (strcmp(what, "digamma") == 0)
        answer(spread_digamma(x));
    else if (strcmp(what, "trigamma") == 0)
        answer(spread_trigamma(x));
    else
        die(what);
}

static void ask_spread(void)
{
    size_t count = values(one);
    values(other);
    struct spread spread = spread_of(one, other, count);
    answer(spread.df);
    answer(spread.variance);
}

static void ask_two_groups(const char *what)
{
    size_t n = values(one);
    size_t m = values(other);
    if (strcmp(what, "g") == 0)
        answer(stats_hedges_g(one, n, other, m));
    else if (strcmp(what, "delta") == 0)
        answer(stats_cliffs_delta(one, n, other, m));
    else
        answer(stats_mann_whitney_p(one, n, other, m));
}

static void ask_bootstrap(void)
{
    struct bootstrap settings;
    settings.seed = (uint64_t)number();
    settings.resamples = (unsigned)number();
    settings.confidence = number();
    double comparisons = number();
    double scatter = number();
    struct spread others = {.df = number()};
    others.variance = number();
    size_t n = values(one);
    size_t m = values(other);
    struct bootstrap_result result;
    struct err err = {0};
    if (bootstrap_mean((struct sample){one, n}, (struct sample){other, m}, &settings,
                       &result, &err) != 0)
        die(err.text);
    struct interval corrected =
        bootstrap_correct(&result, settings.confidence, comparisons, scatter, &others).interval;
    answer(result.estimate);
    answer(result.plain.low);
    answer(result.plain.high);
    answer(result.standard_error);
    answer(corrected.low);
    answer(corrected.high);
}

static void read_file(const char *path, struct buf *out)
{
    buf_init(out, 64u << 20);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path);
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_add(out, chunk, got);
    fclose(file);
}

static void ask_judge(void)
{
    char path[2][1024];
    if (scanf("%1023s %1023s", path[0], path[1]) != 2)
        die("two files are needed");
    const struct limits limits = limits_default();
    struct rule rule = rule_default();
    struct samples samples = {0};
    struct baseline baseline = {0};
    struct comparison comparison = {0};
    struct buf text;
    struct err err = {0};
    bool with_baseline = strcmp(path[1], "-") != 0;
    read_file(path[0], &text);
    int failed = samples_parse(text.data, text.len, path[0], &limits, &samples, &err);
    buf_free(&text);
    if (failed == 0 && with_baseline) {
        read_file(path[1], &text);
        failed = baseline_parse(text.data, text.len, path[1], &limits, &baseline, &err);
        buf_free(&text);
    }
    buf_init(&text, 64u << 20);
    if (failed != 0 ||
        compare_samples(&samples, with_baseline ? &baseline : NULL, &rule, &comparison,
                        &err) != 0 ||
        verdict_format_json(&comparison, &text, &err) != 0)
        die(err.text);
    fputs(text.data, stdout);
    buf_free(&text);
    samples_free(&samples);
    baseline_free(&baseline);
    comparison_free(&comparison);
}

int main(void)
{
    char what[16];
    while (scanf("%15s", what) == 1) {
        if (strcmp(what, "median") == 0) {
            size_t count = values(one);
            answer(stats_median(one, count));
        } else if (strcmp(what, "interval") == 0) {
            double confidence = number();
            size_t count = values(one);
            struct interval interval = stats_median_interval(one, count, confidence);
            answer(interval.low);
            answer(interval.high);
        } else if (strcmp(what, "g") == 0 || strcmp(what, "delta") == 0 ||
                   strcmp(what, "p") == 0) {
            ask_two_groups(what);
        } else if (strcmp(what, "boot") == 0) {
            ask_bootstrap();
        } else if (strcmp(what, "spread") == 0) {
            ask_spread();
        } else if (strcmp(what, "judge") == 0) {
            ask_judge();
        } else {
            ask_distribution(what);
        }
        putchar('\n');
    }
    return 0;
}
