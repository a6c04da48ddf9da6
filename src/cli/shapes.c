/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how shapes on the command line become configs. Measures nothing. */
#include "cli/shapes.h"

#include "intake/values.h"

#include <stdio.h>
#include <string.h>

enum { SHAPES_LIST_MAX = 16 };

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

static bool shapes_given(const struct shapes *given)
{
    return given->seq != NULL || given->batch != NULL || given->heads != NULL ||
           given->dim != NULL || given->dtype != NULL || given->causal ||
           given->heads_kv != NULL || given->seq_k != NULL;
}

/* The shapes of the command line in place of those of ci/ratchet.conf, whose first one says what
 * is not given: every batch with every length and every dimension. */
static int override_shapes(const struct shapes *given, struct ratchet_config *config,
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
                  given->heads != NULL ? heads[0] : shape.heads_kv, heads_kv, &count,
                  err) != 0 ||
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

int shapes_apply(const struct shapes *given, unsigned replicates, unsigned samples,
                 struct ratchet_config *config, struct err *err)
{
    long long looks = replicates, iterations = samples, warmup = config->bench.warmup;
    if ((given->replicates != NULL &&
         value_int(given->replicates, 1, 64, "--replicates", &looks, err) != 0) ||
        (given->iterations != NULL &&
         value_int(given->iterations, 1, 4096, "--iterations", &iterations, err) != 0) ||
        (given->warmup != NULL &&
         value_int(given->warmup, 0, 4096, "--warmup", &warmup, err) != 0) ||
        choose_configs(given->configs, config, err) != 0 ||
        override_shapes(given, config, err) != 0)
        return -1;
    config->rule.looks[0] = (unsigned)looks;
    config->rule.look_count = 1;
    config->bench.samples = (unsigned)iterations;
    config->bench.warmup = (unsigned)warmup;
    return 0;
}
