/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet bench` and `ratchet verify`: the kernel of one commit alone, any configs, on the
 * same road (sandbox, verification, fresh processes) but with nobody to compare with. */
#include "cli/cli.h"

#include "intake/values.h"
#include "judge/samples.h"
#include "judge/stats.h"
#include "pipeline.h"
#include "publish/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_options {
    const char *repo, *head, *device, *config, *output, *replicates;
    const char *batch, *heads, *heads_kv, *seq, *dim, *dtype;
    bool causal;
};

/* The shape given on the command line, over the first config of ci/ratchet.conf; --seq takes
 * several with commas, one config each. */
static int override_shapes(const struct bench_options *given, struct ratchet_config *config,
                           struct err *err)
{
    if (given->seq == NULL && given->batch == NULL && given->heads == NULL &&
        given->dim == NULL && given->dtype == NULL && !given->causal && given->heads_kv == NULL)
        return 0;
    struct config shape = config->configs[0];
    struct problem *problem = &shape.problem;
    const struct {
        const char *name, *text;
        int *value;
    } numbers[] = {{"--batch", given->batch, &problem->batch},
                   {"--heads", given->heads, &problem->heads},
                   {"--heads-kv", given->heads_kv, &problem->heads_kv},
                   {"--dim", given->dim, &problem->head_dim}};
    long long number;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].text == NULL)
            continue;
        if (value_int(numbers[i].text, 1, PROBLEM_DIM_MAX, numbers[i].name, &number, err) != 0)
            return -1;
        *numbers[i].value = (int)number;
    }
    if (given->heads != NULL && given->heads_kv == NULL)
        problem->heads_kv = problem->heads;
    if (given->dtype != NULL && dtype_parse(given->dtype, &problem->dtype) != 0)
        return err_set(err, ERR_USAGE, "--dtype: expected fp16, bf16 or fp32, not `%s`",
                       given->dtype);
    problem->causal = problem->causal || given->causal;
    char default_seq[16];
    snprintf(default_seq, sizeof default_seq, "%d", problem->seq_q);
    config->config_count = 0;
    for (const char *seq = given->seq == NULL ? default_seq : given->seq; *seq != '\0';) {
        char one[16];
        size_t len = strcspn(seq, ",");
        if (len >= sizeof one || config->config_count == MODEL_CONFIGS_MAX)
            return err_set(err, ERR_USAGE, "--seq: expected numbers with commas");
        snprintf(one, sizeof one, "%.*s", (int)len, seq);
        if (value_int(one, 1, PROBLEM_DIM_MAX, "--seq", &number, err) != 0)
            return -1;
        struct config *out = &config->configs[config->config_count++];
        *out = shape;
        out->problem.seq_q = out->problem.seq_k = (int)number;
        snprintf(out->name, sizeof out->name, "b%d_h%d_s%d_d%d%s", problem->batch,
                 problem->heads, (int)number, problem->head_dim,
                 problem->causal ? "_causal" : "");
        seq += len + (seq[len] == ',');
    }
    return 0;
}

static int print_config(const struct config_samples *config, struct err *err)
{
    if (config->fault != FAULT_NONE) {
        printf("%-28s %s: %s\n", config->config.name, fault_name(config->fault),
               config->failure);
        return 0;
    }
    struct series medians = {0};
    size_t marked = 0;
    double scratch[4096];
    for (size_t i = 0; i < config->count; i++) {
        const struct series *head = &config->replicates[i].arms[ARM_HEAD];
        marked += config->replicates[i].marks != 0;
        if (head->count == 0 || head->count > sizeof scratch / sizeof scratch[0])
            continue;
        memcpy(scratch, head->ns, head->count * sizeof scratch[0]);
        if (series_add(&medians, stats_median(scratch, head->count)) != 0)
            return err_set(err, ERR_HOST, "out of memory");
    }
    if (medians.count == 0) {
        printf("%-28s no samples\n", config->config.name);
        return 0;
    }
    /* Quantiles of so few processes would promise more than they hold: the range is shown. */
    double low = medians.ns[0], high = medians.ns[0];
    for (size_t i = 1; i < medians.count; i++) {
        low = medians.ns[i] < low ? medians.ns[i] : low;
        high = medians.ns[i] > high ? medians.ns[i] : high;
    }
    double median = stats_median(medians.ns, medians.count);
    char time[FIGURE_BYTES], from[FIGURE_BYTES], to[FIGURE_BYTES], rate[FIGURE_BYTES];
    printf("%-28s %s (%s to %s), %s, %zu processes%s\n", config->config.name,
           figure_time(time, median), figure_time(from, low), figure_time(to, high),
           figure_rate(rate, figure_operations(&config->config.problem) / median, "FLOP/s"),
           config->count, marked > 0 ? ", some marked" : "");
    free(medians.ns);
    return 0;
}

static int write_samples(const struct pipeline *pipeline, const char *path, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, pipeline->host->limits.samples_bytes);
    if (path == NULL)
        return 0;
    if (samples_format(&pipeline->samples, &text, err) != 0)
        return -1;
    return file_write(path, text.data, text.len, 0644, err);
}

/* Exit 3 where anything could not be measured, verification included. */
static int walk(struct pipeline *pipeline, const struct bench_options *given, bool verify_only,
                struct err *err)
{
    long long replicates = verify_only ? 1 : 6;
    if (pipeline_pin(pipeline, err) != 0 ||
        pipeline_read_rules(pipeline, pipeline->job.head, err) != 0 ||
        override_shapes(given, &pipeline->config, err) != 0 ||
        (given->replicates != NULL &&
         value_int(given->replicates, 1, 64, "--replicates", &replicates, err) != 0))
        return -1;
    pipeline->has_baseline = false; /* one kernel, nobody to compare with */
    pipeline->config.rule.looks[0] = (unsigned)replicates;
    pipeline->config.rule.look_count = 1;
    if (verify_only)
        pipeline->config.bench.samples = 1;
    if (pipeline_measure(pipeline, pipeline->job.head, false, err) != 0)
        return -1;
    if (pipeline->samples.count == 0) {
        fprintf(stderr, "ratchet: %s\n%.*s", pipeline->comparison.reason,
                (int)pipeline->log.len, pipeline->log.data);
        return EXIT_UNMEASURED;
    }
    int code = EXIT_HELD;
    for (size_t i = 0; i < pipeline->samples.count; i++) {
        const struct config_samples *config = &pipeline->samples.configs[i];
        if (config->fault != FAULT_NONE)
            code = EXIT_UNMEASURED;
        if (verify_only && config->fault == FAULT_NONE)
            printf("%-28s right, before and after timing\n", config->config.name);
        else if (print_config(config, err) != 0)
            return -1;
    }
    return write_samples(pipeline, given->output, err) == 0 ? code : -1;
}

static int bench(int argc, char **argv, bool verify_only, struct err *err)
{
    struct bench_options given = {.repo = ".", .head = "HEAD", .device = "cpu"};
    const struct cli_option options[] = {
        {"repo", &given.repo, NULL},       {"head", &given.head, NULL},
        {"device", &given.device, NULL},   {"config", &given.config, NULL},
        {"output", &given.output, NULL},   {"replicates", &given.replicates, NULL},
        {"batch", &given.batch, NULL},     {"heads", &given.heads, NULL},
        {"heads-kv", &given.heads_kv, NULL}, {"seq", &given.seq, NULL},
        {"dim", &given.dim, NULL},         {"dtype", &given.dtype, NULL},
        {"causal", NULL, &given.causal},   {NULL, NULL, NULL}};
    struct host host;
    struct job job = {.kind = JOB_CHECK};
    struct cli_folders folders = {0};
    struct pipeline pipeline = {0};
    char local[FILE_PATH_BYTES];
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        cli_host(given.config, &host, err) != 0 ||
        cli_real_path(given.repo, local, err) != 0 ||
        cli_resolve(local, given.head, job.head, err) != 0)
        return -1;
    memcpy(job.base, job.head, sizeof job.base);
    if (!model_name_ok(given.device))
        return err_set(err, ERR_USAGE, "--device: `%s` is not a slug", given.device);
    snprintf(job.device, sizeof job.device, "%s", given.device);
    if (cli_folders(&host, NULL, &folders, err) != 0)
        return -1;
    struct pipeline_request request = {.host = &host,
                                       .job = &job,
                                       .local = local,
                                       .folder = folders.results,
                                       .work = folders.scratch,
                                       .progress = cli_say};
    int code = pipeline_open(&pipeline, &request, err) == 0
                   ? walk(&pipeline, &given, verify_only, err)
                   : -1;
    pipeline_close(&pipeline);
    cli_drop_scratch(&folders);
    return code;
}

int cli_bench(int argc, char **argv, struct err *err)
{
    return bench(argc, argv, false, err);
}

int cli_verify(int argc, char **argv, struct err *err)
{
    return bench(argc, argv, true, err);
}
