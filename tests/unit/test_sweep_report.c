/* SPDX-License-Identifier: Apache-2.0 */
/* What is written of a sweep, byte for byte against tests/data/sweep (tests/e2e/test_charts.py looks at its page),
 * and who is called the fastest. `RATCHET_GOLDEN=1` writes the expected files anew: read them then. */
#include "tap.h"

#include "base/file.h"
#include "judge/compare.h"
#include "lab/sweep_data.h"
#include "lab/sweep_figures.h"
#include "lab/sweep_report.h"
#include "lab/sweep_result.h"

#include <limits.h>
#include <stdlib.h>

enum { PROCESSES = 6, TEXT_BYTES = 1 << 22 };

static const double drift[PROCESSES] = {1, 1.01, 0.99, 1.02, 1, 0.98};
static const double jitter[PROCESSES] = {1.002, 0.998, 1.001, 0.999, 1.0005, 0.9995};

static void add_sample(struct replicate *replicate, enum arm arm, double ns)
{
    for (int i = -1; i <= 1; i++)
        if (series_add(&replicate->arms[arm], ns * (1 + 0.001 * i)) != 0)
            abort();
}

/* A shape whose arms take head's time times `factors`, head's first; 0: no samples. */
static struct config_samples *add_shape(struct samples *samples, const struct problem *problem,
                                        const char *name, double ns, const double factors[3])
{
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        abort();
    snprintf(config->config.name, sizeof config->config.name, "%s", name);
    config->config.problem = *problem;
    config->clock_resolution_ns = 1;
    config->arms[ARM_HEAD] = (struct arm_info){true, "", "sha256:00"};
    config->attempts = PROCESSES;
    for (size_t i = 0; i < PROCESSES; i++) {
        struct replicate *replicate = config_samples_add(config);
        if (replicate == NULL)
            abort();
        add_sample(replicate, ARM_HEAD, ns * drift[i]);
        for (int a = 1; a < 3; a++)
            if (factors[a] > 0)
                add_sample(replicate, (enum arm)(ARM_OTHER + a - 1),
                           ns * drift[i] * factors[a] * jitter[(i + (size_t)a) % PROCESSES]);
    }
    return config;
}

static void set_fact(struct samples *samples, const char *name, const char *value)
{
    if (environment_set(&samples->environment, name, value) != 0)
        abort();
}

/* flash is slower at 512, as fast as sm90 at 1024, faster at 2048; math is wrong at 2048. */
static void fill(struct samples *samples)
{
    static const double factors[][3] = {
        {1, 1.3, 5}, {1, 1.0008, 6}, {1, 0.9, 0}, {1, 1.002, 2}};
    struct problem problem = {32, 8, 8, 512, 512, 64, DTYPE_FP16, true};
    *samples = (struct samples){.device = {"nvidia-h200", "NVIDIA H200"}};
    snprintf(samples->others[0], MODEL_NAME_BYTES, "flash");
    snprintf(samples->others[1], MODEL_NAME_BYTES, "math");
    set_fact(samples, SWEEP_FACT_FIRST, "sm90");
    set_fact(samples, "driver", "580.159.04");
    set_fact(samples, SWEEP_FACT_VERSION "flash", "PyTorch 2.8.0, CUDA 12.8");
    set_fact(samples, SWEEP_FACT_ABSENT "xformers",
             "not installed: No module named 'xformers' <b>|</b>");
    for (int i = 0; i < 3; i++) {
        char name[MODEL_NAME_BYTES];
        problem.seq_q = problem.seq_k = 512 << i;
        snprintf(name, sizeof name, "b32_h8_s%d_d64_fp16_causal", problem.seq_q);
        struct config_samples *config =
            add_shape(samples, &problem, name, 4e4 * (1 << 2 * i), factors[i]);
        if (i == 2)
            snprintf(config->left_out[1], sizeof config->left_out[1],
                     "wrong result: out[0] is nan");
    }
    problem = (struct problem){4, 16, 16, 2048, 2048, 128, DTYPE_FP16, false};
    add_shape(samples, &problem, "b4_h16_s2048_d128_fp16", 2e5, factors[3]);
    problem = (struct problem){256, 32, 32, 128, 128, 128, DTYPE_FP16, false};
    add_shape(samples, &problem, SWEEP_COPY, 2.7e5, (const double[3]){1, 0, 0});
    problem = (struct problem){8, 32, 32, 4096, 4096, 128, DTYPE_FP16, false};
    add_shape(samples, &problem, SWEEP_MATRIX, 3.2e6, (const double[3]){1, 0, 0});
}

static void golden(const struct buf *got, const char *name)
{
    char path[PATH_MAX];
    const char *top = getenv("top_srcdir");
    struct err err = {0};
    BUF_AUTO want;
    buf_init(&want, TEXT_BYTES);
    tap_case(name);
    snprintf(path, sizeof path, "%s/tests/data/sweep/%s", top == NULL ? "." : top, name);
    if (getenv("RATCHET_GOLDEN") != NULL)
        OK(file_write(path, got->data, got->len, 0644, &err) == 0);
    if (OK(file_read(path, &want, &err) == 0))
        EQ_STR(got->data, want.data);
}

static void golden_report(const struct sweep_result *result,
                          const struct sweep_figures *figures, enum document_kind kind,
                          const char *name)
{
    struct err err;
    BUF_AUTO out;
    buf_init(&out, TEXT_BYTES);
    OK(sweep_report(result, figures, kind, &out, &err) == 0);
    golden(&out, name);
}

static void test_files(const struct sweep_result *result)
{
    struct sweep_figures figures = {.list = NULL};
    struct err err;
    BUF_AUTO json;
    BUF_AUTO csv;
    buf_init(&json, TEXT_BYTES);
    buf_init(&csv, TEXT_BYTES);
    OK(sweep_json(result, &json, &err) == 0);
    golden(&json, "sweep.json");
    OK(sweep_csv(result, &csv, &err) == 0);
    golden(&csv, "sweep.csv");
    OK(sweep_figures_of(result, &figures, &err) == 0);
    tap_case("four figures of three lengths, one of a single length, one roofline");
    EQ_INT(figures.count, 6);
    EQ_STR(figures.list[0].name, "latency_b32_h8_d64_fp16_causal");
    EQ_STR(figures.list[5].name, "roofline_fp16");
    golden_report(result, &figures, DOCUMENT_MARKDOWN, "sweep.md");
    golden_report(result, &figures, DOCUMENT_HTML, "sweep.html");
    sweep_figures_free(&figures);
}

static void told(const struct sweep_result *result, size_t row, const char *want)
{
    char text[MODEL_TEXT_BYTES];
    sweep_winner_text(result, &result->rows[row], text, sizeof text);
    EQ_STR(text, want);
}

static int result_of(const struct samples *samples, const struct rule *rule,
                     struct comparison *comparison, struct sweep_result *out)
{
    struct err err;
    comparison_free(comparison);
    *comparison = (struct comparison){.configs = NULL};
    return compare_samples(samples, NULL, rule, comparison, &err) != 0
               ? -1
               : sweep_result_of(samples, comparison, rule, out, &err);
}

static void test_claims(void)
{
    const struct rule rule = rule_default();
    struct sweep_result result;
    COMPARISON_AUTO comparison = {.configs = NULL};
    SAMPLES_AUTO samples = {.configs = NULL};
    fill(&samples);
    OK(result_of(&samples, &rule, &comparison, &result) == 0);
    tap_case("ceilings are no shapes");
    EQ_INT(result.row_count, 4);
    OK(result.copy.known && result.matrix.known);
    NEAR(result.copy.rate, 4.0 * 256 * 32 * 128 * 128 * 2 / 2.7e5, 20);
    EQ_INT(result.comparisons, 3 * 4);
    tap_case("the fastest, where every other is slower by more than two copies can be");
    told(&result, 0, "sm90");
    told(&result, 2, "flash");
    tap_case("a tie, however small the interval");
    told(&result, 1, "a tie: sm90, flash");
    told(&result, 3, "a tie: sm90, flash");
    OK(result.rows[1].cells[2].tied == false);
    tap_case("the first arm is the fastest only by its samples");
    EQ_INT(result.rows[2].fastest, 1);
    test_files(&result);
    sweep_result_free(&result);

    tap_case("too few processes tell nothing");
    samples.configs[0].replicates[0].marks = MARK_SHARED;
    OK(result_of(&samples, &rule, &comparison, &result) == 0);
    told(&result, 0, "too few processes to tell");
    OK(!result.rows[0].won);
    tap_case("a marked process is told by its mark");
    struct err err;
    BUF_AUTO json;
    buf_init(&json, TEXT_BYTES);
    OK(sweep_json(&result, &json, &err) == 0);
    HAS(json.data, "\"marked\": 1, \"marks\": [\"shared\"], \"fastest\": null");
    sweep_result_free(&result);
    tap_case("what could not be measured has nobody");
    samples.configs[0].fault = FAULT_PR;
    snprintf(samples.configs[0].failure, MODEL_TEXT_BYTES, "crashed: signal 11");
    OK(result_of(&samples, &rule, &comparison, &result) == 0);
    told(&result, 0, "nobody");
    EQ_STR(result.rows[0].cells[0].missing, "crashed: signal 11");
    sweep_result_free(&result);
}

int main(void)
{
    test_claims();
    return tap_done();
}
