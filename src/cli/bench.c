/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet bench` and `ratchet verify`: the kernel of one commit, any shapes, on the same road
 * (sandbox, verification, fresh processes): alone, or with another commit's as an arm. */
#include "cli/bench_table.h"
#include "cli/cli.h"
#include "cli/progress.h"

#include "intake/values.h"
#include "judge/compare.h"
#include "judge/samples.h"
#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPES_LIST_MAX = 16 };

struct bench_options {
    const char *repo, *head, *compare, *against, *device, *config, *output, *replicates;
    const char *iterations, *warmup, *configs;
    const char *batch, *heads, *heads_kv, *seq, *seq_k, *dim, *dtype;
    bool causal, quiet;
};

/* Numbers with commas; `otherwise` alone where nothing is given. */
static int read_list(const char *text, const char *name, int otherwise,
                     int out[SHAPES_LIST_MAX], size_t *count, struct err *err)
{
    *count = 0;
    if (text == NULL) {
        out[(*count)++] = otherwise;
        return 0;
    }
    for (;;) {
        char one[16];
        long long number;
        size_t len = strcspn(text, ",");
        if (len >= sizeof one || *count == SHAPES_LIST_MAX)
            return err_set(err, ERR_USAGE, "%s: expected up to %d numbers with commas", name,
                           SHAPES_LIST_MAX);
        snprintf(one, sizeof one, "%.*s", (int)len, text);
        if (value_int(one, 1, PROBLEM_DIM_MAX, name, &number, err) != 0)
            return -1;
        out[(*count)++] = (int)number;
        if (text[len] == '\0')
            return 0;
        text += len + 1;
    }
}

static int add_shape(struct ratchet_config *config, const struct problem *problem,
                     struct err *err)
{
    if (config->config_count == MODEL_CONFIGS_MAX)
        return err_set(err, ERR_USAGE, "more than %d shapes", MODEL_CONFIGS_MAX);
    struct config *out = &config->configs[config->config_count++];
    out->problem = *problem;
    snprintf(out->name, sizeof out->name, "b%d_h%d_s%d_d%d_%s%s", problem->batch,
             problem->heads, problem->seq_q, problem->head_dim, dtype_name(problem->dtype),
             problem->causal ? "_causal" : "");
    return 0;
}

static bool shapes_given(const struct bench_options *given)
{
    return given->seq != NULL || given->batch != NULL || given->heads != NULL ||
           given->dim != NULL || given->dtype != NULL || given->causal ||
           given->heads_kv != NULL || given->seq_k != NULL;
}

/* The shapes of the command line in place of those of ci/ratchet.conf, whose first one says what
 * is not given: every batch with every length and every dimension. */
static int override_shapes(const struct bench_options *given, struct ratchet_config *config,
                           struct err *err)
{
    struct problem shape = config->configs[0].problem;
    int batches[SHAPES_LIST_MAX], lengths[SHAPES_LIST_MAX], dims[SHAPES_LIST_MAX];
    size_t batch_count, length_count, dim_count, count;
    int keys[SHAPES_LIST_MAX], heads[SHAPES_LIST_MAX], heads_kv[SHAPES_LIST_MAX];
    if (!shapes_given(given))
        return 0;
    if (read_list(given->batch, "--batch", shape.batch, batches, &batch_count, err) != 0 ||
        read_list(given->seq, "--seq", shape.seq_q, lengths, &length_count, err) != 0 ||
        read_list(given->dim, "--dim", shape.head_dim, dims, &dim_count, err) != 0 ||
        read_list(given->heads, "--heads", shape.heads, heads, &count, err) != 0 ||
        read_list(given->heads_kv, "--heads-kv",
                  given->heads != NULL ? heads[0] : shape.heads_kv, heads_kv, &count, err) != 0 ||
        read_list(given->seq_k, "--seq-k", 0, keys, &count, err) != 0)
        return -1;
    if (given->dtype != NULL && dtype_parse(given->dtype, &shape.dtype) != 0)
        return err_set(err, ERR_USAGE, "--dtype: expected fp16, bf16 or fp32, not `%s`",
                       given->dtype);
    shape.heads = heads[0];
    shape.heads_kv = heads_kv[0];
    if (shape.heads % shape.heads_kv != 0)
        return err_set(err, ERR_USAGE, "--heads-kv: %d does not divide %d heads",
                       shape.heads_kv, shape.heads);
    shape.causal = shape.causal || given->causal;
    config->config_count = 0;
    for (size_t i = 0; i < batch_count * length_count * dim_count; i++) {
        shape.batch = batches[i / (length_count * dim_count)];
        shape.seq_q = lengths[i / dim_count % length_count];
        shape.seq_k = given->seq_k != NULL ? keys[0] : shape.seq_q;
        shape.head_dim = dims[i % dim_count];
        if (add_shape(config, &shape, err) != 0)
            return -1;
    }
    return 0;
}

/* Only the configs that --configs names. */
static int choose_configs(const char *names, struct ratchet_config *config, struct err *err)
{
    size_t kept = 0;
    for (const char *name = names; name != NULL && *name != '\0';) {
        size_t len = strcspn(name, ","), i = 0;
        while (i < config->config_count && (strlen(config->configs[i].name) != len ||
                                            strncmp(config->configs[i].name, name, len) != 0))
            i++;
        if (i == config->config_count || i < kept)
            return err_set(err, ERR_USAGE, "--configs: no config `%.*s`, or named twice",
                           (int)(len < 64 ? len : 64), name);
        struct config chosen = config->configs[i];
        config->configs[i] = config->configs[kept];
        config->configs[kept++] = chosen;
        name += len + (name[len] == ',');
    }
    if (kept > 0)
        config->config_count = kept;
    return 0;
}

static int read_settings(const struct bench_options *given, bool verify_only,
                         struct ratchet_config *config, struct err *err)
{
    long long replicates = verify_only ? 1 : 6;
    long long samples = verify_only ? 1 : config->bench.samples;
    long long warmup = config->bench.warmup;
    if ((given->replicates != NULL &&
         value_int(given->replicates, 1, 64, "--replicates", &replicates, err) != 0) ||
        (given->iterations != NULL &&
         value_int(given->iterations, 1, 4096, "--iterations", &samples, err) != 0) ||
        (given->warmup != NULL &&
         value_int(given->warmup, 0, 4096, "--warmup", &warmup, err) != 0) ||
        choose_configs(given->configs, config, err) != 0 ||
        override_shapes(given, config, err) != 0)
        return -1;
    config->rule.looks[0] = (unsigned)replicates;
    config->rule.look_count = 1;
    config->bench.samples = (unsigned)samples;
    config->bench.warmup = (unsigned)warmup;
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

static void print_verified(const struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].fault == FAULT_NONE)
            printf("%-28s right, before and after timing\n", samples->configs[i].config.name);
        else
            printf("%-28s %s: %s\n", samples->configs[i].config.name,
                   fault_name(samples->configs[i].fault), samples->configs[i].failure);
}

static void print_table(const struct pipeline *pipeline, bool compared)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    bench_table(&pipeline->samples, &pipeline->comparison, compared, &text);
    fwrite(text.data, 1, text.len, stdout);
}

/* Every other config set against one of them: in each process both were measured, so that the
 * judge can take the one for the head and the other for the anchor. */
static int print_against(const struct pipeline *pipeline, const char *name, struct err *err)
{
    const struct samples *samples = &pipeline->samples;
    size_t from = 0;
    while (from < samples->count && strcmp(samples->configs[from].config.name, name) != 0)
        from++;
    if (from == samples->count)
        return err_set(err, ERR_USAGE, "--against: no config `%.64s` was measured", name);
    for (size_t i = 0; i < samples->count; i++) {
        struct comparison comparison __attribute__((cleanup(comparison_free))) = {0};
        struct replicate pairs[64] = {0}; /* as many as --replicates may be; series borrowed */
        struct config_samples pair = samples->configs[i];
        const struct config_samples *anchor = &samples->configs[from];
        if (i == from || pair.count != anchor->count || pair.count > 64)
            continue;
        for (size_t r = 0; r < pair.count; r++) {
            pairs[r].arms[ARM_HEAD] = pair.replicates[r].arms[ARM_HEAD];
            pairs[r].arms[ARM_ANCHOR] = anchor->replicates[r].arms[ARM_HEAD];
            pairs[r].marks = pair.replicates[r].marks | anchor->replicates[r].marks;
        }
        pair.replicates = pairs;
        const struct samples one = {
            .device = samples->device, .configs = &pair, .count = 1};
        if (compare_samples(&one, NULL, &pipeline->config.rule, &comparison, err) != 0)
            return -1;
        bench_print_against(&comparison.configs[0], name);
    }
    return 0;
}

/* Exit 3 where anything could not be measured, verification included. */
static int walk(struct pipeline *pipeline, const struct bench_options *given, bool verify_only,
                struct progress *progress, struct err *err)
{
    bool compared = given->compare != NULL;
    if (pipeline_pin(pipeline, err) != 0 ||
        pipeline_read_rules(pipeline, pipeline->job.head, err) != 0 ||
        read_settings(given, verify_only, &pipeline->config, err) != 0)
        return -1;
    pipeline->has_baseline = false; /* what is compared with is named, or nobody */
    progress->all = pipeline->config.config_count * pipeline->config.rule.looks[0];
    int measured = pipeline_measure(pipeline, pipeline->job.head, compared, err);
    progress_end(progress);
    if (measured != 0)
        return -1;
    if (pipeline->samples.count == 0) {
        fprintf(stderr, "ratchet: %s\n%.*s", pipeline->comparison.reason,
                (int)pipeline->log.len, pipeline->log.data);
        return EXIT_UNMEASURED;
    }
    int code = EXIT_HELD;
    for (size_t i = 0; i < pipeline->samples.count; i++)
        if (pipeline->samples.configs[i].fault != FAULT_NONE)
            code = EXIT_UNMEASURED;
    if (verify_only)
        print_verified(&pipeline->samples);
    else
        print_table(pipeline, compared);
    if (given->against != NULL && print_against(pipeline, given->against, err) != 0)
        return -1;
    return write_samples(pipeline, given->output, err) == 0 ? code : -1;
}

static int resolve(const struct bench_options *given, const char *local, struct job *job,
                   struct err *err)
{
    if (cli_resolve(local, given->head, job->head, err) != 0)
        return -1;
    memcpy(job->merge, job->head, sizeof job->merge);
    memcpy(job->base, job->head, sizeof job->base);
    if (given->compare != NULL && cli_resolve(local, given->compare, job->base, err) != 0)
        return -1;
    if (!model_name_ok(given->device))
        return err_set(err, ERR_USAGE, "--device: `%s` is not a slug", given->device);
    snprintf(job->device, sizeof job->device, "%s", given->device);
    return 0;
}

static int run(struct bench_options *given, bool verify_only, struct err *err)
{
    struct host host;
    struct job job = {.kind = JOB_CHECK};
    struct cli_folders folders = {0};
    struct pipeline pipeline = {0};
    struct progress progress;
    char local[FILE_PATH_BYTES];
    progress_begin(&progress, given->quiet);
    if (cli_host(given->config, &host, err) != 0 ||
        cli_real_path(given->repo, local, err) != 0 || resolve(given, local, &job, err) != 0 ||
        cli_folders(&host, NULL, &folders, err) != 0)
        return -1;
    struct pipeline_request request = {.host = &host,
                                       .job = &job,
                                       .local = local,
                                       .folder = folders.results,
                                       .work = folders.scratch,
                                       .progress = progress_line,
                                       .context = &progress};
    int code = pipeline_open(&pipeline, &request, err) == 0
                   ? walk(&pipeline, given, verify_only, &progress, err)
                   : -1;
    progress_end(&progress);
    pipeline_close(&pipeline);
    cli_drop_scratch(&folders);
    return code;
}

static int bench(int argc, char **argv, bool verify_only, struct err *err)
{
    struct bench_options given = {.repo = ".", .head = "HEAD", .device = "cpu"};
    const struct cli_option options[] = {{"repo", &given.repo, NULL},
                                         {"head", &given.head, NULL},
                                         {"compare", &given.compare, NULL},
                                         {"against", &given.against, NULL},
                                         {"device", &given.device, NULL},
                                         {"config", &given.config, NULL},
                                         {"configs", &given.configs, NULL},
                                         {"output", &given.output, NULL},
                                         {"replicates", &given.replicates, NULL},
                                         {"iterations", &given.iterations, NULL},
                                         {"warmup", &given.warmup, NULL},
                                         {"batch", &given.batch, NULL},
                                         {"heads", &given.heads, NULL},
                                         {"heads-kv", &given.heads_kv, NULL},
                                         {"seq", &given.seq, NULL},
                                         {"seq-k", &given.seq_k, NULL},
                                         {"dim", &given.dim, NULL},
                                         {"dtype", &given.dtype, NULL},
                                         {"causal", NULL, &given.causal},
                                         {"quiet", NULL, &given.quiet},
                                         {NULL, NULL, NULL}};
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0)
        return -1;
    return run(&given, verify_only, err);
}

int cli_bench(int argc, char **argv, struct err *err)
{
    return bench(argc, argv, false, err);
}

int cli_verify(int argc, char **argv, struct err *err)
{
    return bench(argc, argv, true, err);
}
