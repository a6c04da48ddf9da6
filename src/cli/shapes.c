/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how shapes on the command line become configs. Measures nothing. */
#include "cli/shapes.h"

#include "base/buf.h"
#include "cost.h"
#include "intake/values.h"

#include <stdio.h>
#include <string.h>

enum { SHAPES_LIST_MAX = 16 };

struct list {
    int values[SHAPES_LIST_MAX];
    size_t count;
};

/* How one value of a list is read. */
typedef int read_value(const char *text, const char *name, int *out, struct err *err);

static int read_number(const char *text, const char *name, int *out, struct err *err)
{
    long long number;
    if (value_int(text, 1, PROBLEM_DIM_MAX, name, &number, err) != 0)
        return -1;
    *out = (int)number;
    return 0;
}

static int read_dtype(const char *text, const char *name, int *out, struct err *err)
{
    enum dtype dtype;
    if (dtype_parse(text, &dtype) != 0)
        return err_set(err, ERR_USAGE, "%s: expected fp16, bf16 or fp32, not `%s`", name,
                       text);
    *out = (int)dtype;
    return 0;
}

static int read_bool(const char *text, const char *name, int *out, struct err *err)
{
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0)
        return err_set(err, ERR_USAGE, "%s: expected true or false, not `%s`", name, text);
    *out = is_true;
    return 0;
}

static int add_value(struct list *list, int value, const char *name, const char *text,
                     struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->values[i] == value)
            return err_set(err, ERR_USAGE, "%s: `%s` is there twice", name, text);
    list->values[list->count++] = value;
    return 0;
}

/* Values with commas; `otherwise` alone where nothing is given. */
static int read_list(const char *text, const char *name, read_value *read, int otherwise,
                     struct list *out, struct err *err)
{
    *out = (struct list){.values = {otherwise}, .count = text == NULL};
    while (text != NULL) {
        char one[16];
        int value;
        size_t len = strcspn(text, ",");
        if (len >= sizeof one || out->count == SHAPES_LIST_MAX)
            return err_set(err, ERR_USAGE, "%s: expected up to %d values with commas", name,
                           SHAPES_LIST_MAX);
        snprintf(one, sizeof one, "%.*s", (int)len, text);
        if (read(one, name, &value, err) != 0 || add_value(out, value, name, one, err) != 0)
            return -1;
        text = text[len] == '\0' ? NULL : text + len + 1;
    }
    return 0;
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
           given->causals != NULL || given->heads_kv != NULL || given->seq_k != NULL;
}

struct lists {
    struct list batches, heads, lengths, dims, dtypes, causals;
    int heads_kv, seq_k; /* 0: as heads, as the length */
};

/* What is not given is as in `shape`. */
static int read_lists(const struct shapes *given, const struct problem *shape,
                      struct lists *out, struct err *err)
{
    bool kept = given->heads == NULL && shape->heads_kv != shape->heads;
    out->heads_kv = kept ? shape->heads_kv : 0;
    out->seq_k = 0;
    if ((given->heads_kv != NULL &&
         read_number(given->heads_kv, "--heads-kv", &out->heads_kv, err) != 0) ||
        (given->seq_k != NULL && read_number(given->seq_k, "--seq-k", &out->seq_k, err) != 0))
        return -1;
    return read_list(given->batch, "--batch", read_number, shape->batch, &out->batches, err) !=
                       0 ||
                   read_list(given->heads, "--heads", read_number, shape->heads, &out->heads,
                             err) != 0 ||
                   read_list(given->seq, "--seq", read_number, shape->seq_q, &out->lengths,
                             err) != 0 ||
                   read_list(given->dim, "--dim", read_number, shape->head_dim, &out->dims,
                             err) != 0 ||
                   read_list(given->dtype, "--dtype", read_dtype, (int)shape->dtype,
                             &out->dtypes, err) != 0 ||
                   read_list(given->causals, "--causal", read_bool,
                             shape->causal || given->causal, &out->causals, err) != 0
               ? -1
               : 0;
}

/* The value of a list that belongs to combination *i, which goes on to the next list. */
static int pick(const struct list *list, size_t *i)
{
    int value = list->values[*i % list->count];
    *i /= list->count;
    return value;
}

/* The i-th combination: masks change fastest, batches slowest. */
static struct problem combine(const struct lists *lists, size_t i)
{
    struct problem shape = {.causal = pick(&lists->causals, &i) != 0};
    shape.dtype = (enum dtype)pick(&lists->dtypes, &i);
    shape.head_dim = pick(&lists->dims, &i);
    shape.seq_q = pick(&lists->lengths, &i);
    shape.heads = pick(&lists->heads, &i);
    shape.batch = pick(&lists->batches, &i);
    shape.seq_k = lists->seq_k > 0 ? lists->seq_k : shape.seq_q;
    shape.heads_kv = lists->heads_kv > 0 ? lists->heads_kv : shape.heads;
    return shape;
}

/* The shapes of the command line in place of those of ci/ratchet.conf, whose first one says what
 * is not given: every combination. */
static int override_shapes(const struct shapes *given, struct ratchet_config *config,
                           struct err *err)
{
    struct lists lists;
    if (!shapes_given(given))
        return 0;
    if (read_lists(given, &config->configs[0].problem, &lists, err) != 0)
        return -1;
    size_t count = lists.batches.count * lists.heads.count * lists.lengths.count *
                   lists.dims.count * lists.dtypes.count * lists.causals.count;
    config->config_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct problem shape = combine(&lists, i);
        if (shape.heads % shape.heads_kv != 0)
            return err_set(err, ERR_USAGE, "--heads-kv: %d does not divide %d heads",
                           shape.heads_kv, shape.heads);
        if (add_shape(config, &shape, err) != 0)
            return -1;
        if (cost_too_large(&shape))
            return err_set(err, ERR_USAGE, "%s: a tensor has more than %.0f elements",
                           config->configs[i].name, COST_ELEMENTS_MAX);
    }
    return 0;
}

static int no_such_config(const struct ratchet_config *config, const char *option,
                          const char *name, size_t len, struct err *err)
{
    enum { LIST_BYTES = 512 };
    BUF_AUTO list;
    buf_init(&list, LIST_BYTES);
    for (size_t i = 0; i < config->config_count; i++)
        buf_addf(&list, "%s%s", i == 0 ? "" : ", ", config->configs[i].name);
    return err_set(err, ERR_USAGE, "%s: no config `%.*s`; there is %s%s", option,
                   (int)(len < 64 ? len : 64), name, list.data, list.failed ? ", …" : "");
}

/* Only the configs that --configs names. */
static int choose_configs(const char *names, struct ratchet_config *config, struct err *err)
{
    size_t kept = 0;
    if (names != NULL && names[0] == '\0')
        return no_such_config(config, "--configs", names, 0, err);
    for (const char *name = names; name != NULL && *name != '\0';) {
        size_t len = strcspn(name, ","), i = 0;
        while (i < config->config_count && (strlen(config->configs[i].name) != len ||
                                            strncmp(config->configs[i].name, name, len) != 0))
            i++;
        if (i < kept)
            return err_set(err, ERR_USAGE, "--configs: `%.*s` is named twice", (int)len, name);
        if (i == config->config_count)
            return no_such_config(config, "--configs", name, len, err);
        struct config chosen = config->configs[i];
        config->configs[i] = config->configs[kept];
        config->configs[kept++] = chosen;
        name += len + (name[len] == ',');
    }
    if (kept > 0)
        config->config_count = kept;
    return 0;
}

int shapes_check_name(const struct ratchet_config *config, const char *option,
                      const char *name, struct err *err)
{
    for (size_t i = 0; i < config->config_count; i++)
        if (strcmp(config->configs[i].name, name) == 0)
            return 0;
    return no_such_config(config, option, name, strlen(name), err);
}

static int check_dtype(enum dtype dtype, const char *device, struct err *err)
{
    return device_has_dtype(device, dtype)
               ? 0
               : err_set(err, ERR_USAGE, "--dtype: " DEVICE_LACKS_DTYPE, dtype_name(dtype),
                         device, device_dtypes(device));
}

/* Known before anything is built: no fault of the host. */
static int check_dtypes(const struct ratchet_config *config, const char *device,
                        struct err *err)
{
    for (size_t i = 0; i < config->config_count; i++)
        if (check_dtype(config->configs[i].problem.dtype, device, err) != 0)
            return -1;
    return 0;
}

int shapes_check(const struct shapes *given, const char *device, struct err *err)
{
    const struct problem any = {1, 1, 1, 1, 1, 1, DTYPE_FP32, false};
    struct lists lists;
    if (read_lists(given, &any, &lists, err) != 0)
        return -1;
    for (size_t i = 0; given->dtype != NULL && i < lists.dtypes.count; i++)
        if (check_dtype((enum dtype)lists.dtypes.values[i], device, err) != 0)
            return -1;
    return 0;
}

int shapes_apply(const struct shapes *given, const char *device, unsigned replicates,
                 unsigned samples, struct ratchet_config *config, struct err *err)
{
    long long looks = replicates, iterations = samples, warmup = config->bench.warmup;
    if ((given->replicates != NULL &&
         value_int(given->replicates, 1, 64, "--replicates", &looks, err) != 0) ||
        (given->iterations != NULL &&
         value_int(given->iterations, 1, 4096, "--iterations", &iterations, err) != 0) ||
        (given->warmup != NULL &&
         value_int(given->warmup, 0, 4096, "--warmup", &warmup, err) != 0) ||
        choose_configs(given->configs, config, err) != 0 ||
        override_shapes(given, config, err) != 0 || check_dtypes(config, device, err) != 0)
        return -1;
    config->rule.looks[0] = (unsigned)looks;
    config->rule.look_count = 1;
    config->bench.samples = (unsigned)iterations;
    config->bench.warmup = (unsigned)warmup;
    return 0;
}
