/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernel against fp64, over shapes nobody chose by hand, and the tolerance of
 * attention.h against mistakes that it must see. Includes the kernel's source, so that
 * test_kernel_portable.c can run the same checks without AVX2. */
#include "attention_cpu.c"

#include "tests/tap.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum {
    RANDOM_SHAPES = 240,
    GUARD = 64 /* floats behind each output that must not change */
};

/* ---- inputs ---- */

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t x = random_state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int random_int(int low, int high)
{
    return low + (int)(random_next() % (uint64_t)(high - low + 1));
}

/* Symmetric about 0 with variance 1: the sum of twelve uniforms, less six. */
static double random_normal(void)
{
    double sum = -6.0;
    for (int i = 0; i < 12; i++)
        sum += (double)(random_next() >> 11) / 9007199254740992.0;
    return sum;
}

/* A problem and its buffers, every one aligned as the ABI says. */
struct trial {
    struct attention_problem problem;
    struct attention_cpu_stream stream;
    size_t q_count, kv_count, rows;
    float *q, *k, *v, *out, *lse;
};

static float *trial_alloc(size_t count)
{
    size_t bytes = (count * sizeof(float) + 255) / 256 * 256;
    float *data = aligned_alloc(ATTENTION_ALIGNMENT, bytes);
    if (data == NULL)
        abort();
    return data;
}

static void trial_fill(float *data, size_t count, double size)
{
    for (size_t i = 0; i < count; i++)
        data[i] = (float)(random_normal() * size);
}

/* Outputs start as NaN, so that an element left out is an element found out. */
static void trial_poison(struct trial *t)
{
    for (size_t i = 0; i < t->q_count + GUARD; i++)
        t->out[i] = NAN;
    for (size_t i = 0; i < t->rows + GUARD; i++)
        t->lse[i] = NAN;
}

static struct trial trial_new(struct attention_problem problem, int threads)
{
    struct trial t = {.problem = problem, .stream = {.threads = threads}};
    t.rows = (size_t)problem.batch * (size_t)problem.heads * (size_t)problem.seq_q;
    t.q_count = t.rows * (size_t)problem.head_dim;
    t.kv_count = (size_t)problem.batch * (size_t)problem.heads_kv *
                 (size_t)problem.seq_k * (size_t)problem.head_dim;
    t.q = trial_alloc(t.q_count);
    t.k = trial_alloc(t.kv_count);
    t.v = trial_alloc(t.kv_count);
    t.out = trial_alloc(t.q_count + GUARD);
    t.lse = trial_alloc(t.rows + GUARD);
    trial_fill(t.q, t.q_count, 1.0);
    trial_fill(t.k, t.kv_count, 1.0);
    trial_fill(t.v, t.kv_count, 1.0);
    trial_poison(&t);
    return t;
}

static void trial_free(struct trial *t)
{
    free(t->q);
    free(t->k);
    free(t->v);
    free(t->out);
    free(t->lse);
}
#define TRIAL_AUTO __attribute__((cleanup(trial_free))) struct trial

static int trial_run(struct trial *t)
{
    return attention_kernel()->forward(&t->problem, t->q, t->k, t->v, t->out, t->lse,
                                       NULL, &t->stream);
}

/* ---- the reference, in fp64 and as slow as it likes ---- */

/* Deliberate mistakes of the reference: the tolerance must tell each from the truth. */
struct mistake {
    int drop_key;     /* weight of this key is 0; -1: none */
    double scale;     /* factor on the scale; 1: none */
    bool top_left;    /* causal mask aligned to the other corner */
    bool no_mask;     /* causal mask left out */
    bool first_group; /* every query head reads K/V head 0 */
};
static const struct mistake no_mistake = {.drop_key = -1, .scale = 1.0};

struct row {
    int visible; /* keys */
    double lse, score;
    double out[HEAD_DIM_MAX], spread[HEAD_DIM_MAX], mass[HEAD_DIM_MAX], reach[HEAD_DIM_MAX];
};

static int reference_visible(const struct attention_problem *p, int query,
                             const struct mistake *mistake)
{
    if (!p->causal || mistake->no_mask)
        return p->seq_k;
    int last = mistake->top_left ? query : query + p->seq_k - p->seq_q;
    return last + 1 < 0 ? 0 : last + 1 > p->seq_k ? p->seq_k : last + 1;
}

/* Scores of a row into `scores`; returns the largest. */
static double reference_scores(const struct trial *t, const float *q, const float *k,
                               const struct mistake *mistake, struct row *row,
                               double *scores)
{
    int dim = t->problem.head_dim;
    double scale = t->problem.scale != 0.0f ? (double)t->problem.scale : 1.0 / sqrt(dim);
    double max = -INFINITY;
    row->score = 0.0;
    for (int j = 0; j < row->visible; j++) {
        double sum = 0.0, size = 0.0;
        for (int e = 0; e < dim; e++) {
            double product = (double)q[e] * (double)k[(ptrdiff_t)j * dim + e];
            sum += product;
            size += fabs(product);
        }
        scores[j] = sum * scale * mistake->scale;
        if (j == mistake->drop_key)
            scores[j] = -INFINITY;
        max = fmax(max, scores[j]);
        row->score = fmax(row->score, fabs(scale) * size);
    }
    return max;
}

static void reference_row(const struct trial *t, size_t index,
                          const struct mistake *mistake, struct row *row)
{
    const struct attention_problem *p = &t->problem;
    int dim = p->head_dim;
    size_t head = index / (size_t)p->seq_q;
    size_t batch = head / (size_t)p->heads;
    size_t kv = head % (size_t)p->heads / (size_t)(p->heads / p->heads_kv);
    if (mistake->first_group)
        kv = 0;
    size_t keys = (batch * (size_t)p->heads_kv + kv) * (size_t)p->seq_k * (size_t)dim;
    memset(row, 0, sizeof *row);
    row->visible = reference_visible(p, (int)(index % (size_t)p->seq_q), mistake);
    row->lse = -INFINITY;
    if (row->visible == 0)
        return;
    double *scores = malloc((size_t)row->visible * sizeof *scores);
    double max = reference_scores(t, t->q + index * (size_t)dim, t->k + keys, mistake,
                                  row, scores);
    double sum = 0.0;
    for (int j = 0; j < row->visible; j++)
        sum += scores[j] = exp(scores[j] - max);
    row->lse = max + log(sum);
    for (int j = 0; j < row->visible; j++)
        for (int e = 0; e < dim; e++) {
            double part = scores[j] / sum *
                          (double)t->v[keys + (size_t)j * (size_t)dim + (size_t)e];
            row->out[e] += part;
            row->mass[e] += fabs(part);
            double value = (double)t->v[keys + (size_t)j * (size_t)dim + (size_t)e];
            row->spread[e] += part * part;
            row->reach[e] += value * value;
        }
    for (int e = 0; e < dim; e++) {
        row->spread[e] = sqrt(row->spread[e]);
        row->reach[e] = sqrt(row->reach[e]) / sum;
    }
    free(scores);
}

static double row_tolerance(const struct trial *t, const struct row *row, int e,
                            int dtype)
{
    return attention_tolerance(dtype, t->problem.seq_k, row->out[e], row->spread[e],
                               row->mass[e], row->reach[e], row->score);
}

/* Does row `index` of the outputs agree with the fp64 reference? `used` collects the
 * largest share of the tolerance that was used up. */
static bool row_agrees(const struct trial *t, size_t index, double *used)
{
    struct row row;
    reference_row(t, index, &no_mistake, &row);
    const float *out = t->out + index * (size_t)t->problem.head_dim;
    for (int e = 0; e < t->problem.head_dim; e++) {
        double error = fabs((double)out[e] - row.out[e]);
        double tolerance =
            row.visible == 0 ? 0.0 : row_tolerance(t, &row, e, ATTENTION_FP32);
        if (!(error <= tolerance))
            return false;
        if (tolerance > 0.0)
            *used = fmax(*used, error / tolerance);
    }
    if (row.visible == 0)
        return t->lse[index] == -INFINITY;
    double tolerance =
        attention_lse_tolerance(ATTENTION_FP32, t->problem.seq_k, row.lse, row.score);
    return fabs((double)t->lse[index] - row.lse) <= tolerance;
}

static bool guard_untouched(const struct trial *t)
{
    for (size_t i = 0; i < GUARD; i++)
        if (!isnan(t->out[t->q_count + i]) || !isnan(t->lse[t->rows + i]))
            return false;
    return true;
}

/* Run, and compare every row or a sample of many. Prints the problem that disagrees. */
static bool trial_agrees(struct trial *t, double *used)
{
    const struct attention_problem *p = &t->problem;
    bool ok = trial_run(t) == ATTENTION_OK && guard_untouched(t);
    size_t step = t->rows * (size_t)p->seq_k * (size_t)p->head_dim / 1000000 + 1;
    for (size_t index = 0; ok && index < t->rows; index += step)
        ok = row_agrees(t, index, used);
    for (size_t i = 0; ok && i < t->q_count; i++)
        ok = !isnan(t->out[i]);
    if (!ok)
        printf("# batch %d heads %d/%d seq %d/%d dim %d causal %d scale %g threads %d\n",
               p->batch, p->heads, p->heads_kv, p->seq_q, p->seq_k, p->head_dim,
               p->causal, (double)p->scale, t->stream.threads);
    return ok;
}

static struct attention_problem shape(int batch, int heads, int heads_kv, int seq_q,
                                      int seq_k, int head_dim, int causal)
{
    return (struct attention_problem){.batch = batch,
                                      .heads = heads,
                                      .heads_kv = heads_kv,
                                      .seq_q = seq_q,
                                      .seq_k = seq_k,
                                      .head_dim = head_dim,
                                      .dtype = ATTENTION_FP32,
                                      .causal = causal};
}

/* ---- tests ---- */

static void test_table(void)
{
    tap_case("table");
    const struct attention_kernel *kernel = attention_kernel();
    EQ_INT(kernel->abi, ATTENTION_ABI);
    EQ_INT(kernel->device, ATTENTION_CPU);
    EQ_STR(kernel->name, "attention_cpu");
    struct attention_problem good = shape(1, 4, 2, 16, 16, 64, 1);
    EQ_INT(kernel->supports(&good), 1);
    EQ_INT(kernel->workspace_bytes(&good), 0);
#ifdef ATTENTION_CPU_PORTABLE
    EQ_STR(choose_engine()->name, "portable");
#elif USE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        EQ_STR(choose_engine()->name, "avx2");
    else
        tap_skip("this processor has no AVX2 with FMA");
#endif
}

static void test_refusals(void)
{
    static const struct {
        const char *what;
        struct attention_problem problem;
    } bad[] = {
        {"no batch", {0, 1, 1, 1, 1, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"negative heads", {1, -1, 1, 1, 1, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"no K/V heads", {1, 1, 0, 1, 1, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"heads not grouped", {1, 4, 3, 1, 1, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"no queries", {1, 1, 1, 0, 1, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"no keys", {1, 1, 1, 1, 0, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"no head_dim", {1, 1, 1, 1, 1, 0, ATTENTION_FP32, 0, 0, {0}}},
        {"long head_dim", {1, 1, 1, 1, 1, 257, ATTENTION_FP32, 0, 0, {0}}},
        {"fp16", {1, 1, 1, 1, 1, 64, ATTENTION_FP16, 0, 0, {0}}},
        {"bf16", {1, 1, 1, 1, 1, 64, ATTENTION_BF16, 0, 0, {0}}},
        {"causal 2", {1, 1, 1, 1, 1, 64, ATTENTION_FP32, 2, 0, {0}}},
        {"scale inf", {1, 1, 1, 1, 1, 64, ATTENTION_FP32, 0, INFINITY, {0}}},
        {"reserved", {1, 1, 1, 1, 1, 64, ATTENTION_FP32, 0, 0, {0, 0, 1}}},
        {"last key", {1, 1, 1, 1, INT32_MAX, 64, ATTENTION_FP32, 0, 0, {0}}},
        {"overflow", {1 << 30, 1 << 30, 1, 1 << 30, 1, 256, ATTENTION_FP32, 0, 0, {0}}},
    };
    static float data[256] __attribute__((aligned(256)));
    const struct attention_kernel *kernel = attention_kernel();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tap_case(bad[i].what);
        EQ_INT(kernel->supports(&bad[i].problem), 0);
        EQ_INT(kernel->forward(&bad[i].problem, data, data, data, data, NULL, NULL, NULL),
               ATTENTION_UNSUPPORTED);
    }
    tap_case("invalid arguments");
    struct attention_problem one = shape(1, 1, 1, 1, 1, 1, 0);
    struct attention_cpu_stream none = {.threads = 0};
    EQ_INT(kernel->forward(&one, NULL, data, data, data, NULL, NULL, NULL),
           ATTENTION_INVALID);
    EQ_INT(kernel->forward(&one, data, data, data, NULL, NULL, NULL, NULL),
           ATTENTION_INVALID);
    EQ_INT(kernel->forward(&one, data, data, data, data, NULL, NULL, &none),
           ATTENTION_INVALID);
}

/* Lengths that matter are those around the tiles; the rest are drawn. */
static int random_length(void)
{
    static const int edges[] = {1,          2,           LANES - 1,  LANES,
                                LANES + 1,  BLOCK_Q - 1, BLOCK_Q,    BLOCK_Q + 1,
                                TILE_K - 1, TILE_K,      TILE_K + 1, 2 * TILE_K};
    int count = (int)(sizeof edges / sizeof edges[0]);
    return random_int(0, 2) == 0 ? edges[random_int(0, count - 1)] : random_int(1, 210);
}

static struct attention_problem random_shape(void)
{
    static const int dims[] = {1, 2, 3, 5, 6, 7, 31, 32, 64, 65, 80, 96, 128, 255, 256};
    int heads_kv = random_int(1, 3);
    int dim = random_int(0, 1) ? dims[random_int(0, 14)] : random_int(1, 256);
    struct attention_problem problem =
        shape(random_int(1, 2), heads_kv * random_int(1, 3), heads_kv, random_length(),
              random_length(), dim, random_int(0, 1));
    if (random_int(0, 3) == 0)
        problem.scale = (float)(random_normal() * 0.3);
    return problem;
}

static void test_random(void)
{
    tap_case("random shapes");
    int wrong = 0, unseen = 0, grouped = 0, unequal = 0;
    double used = 0.0;
    for (int i = 0; i < RANDOM_SHAPES; i++) {
        random_state = (uint64_t)i;
        struct attention_problem problem = random_shape();
        TRIAL_AUTO t = trial_new(problem, i % 2 == 0 ? 1 : 3);
        wrong += !trial_agrees(&t, &used);
        unseen += problem.causal && problem.seq_k < problem.seq_q;
        grouped += problem.heads != problem.heads_kv;
        unequal += problem.seq_q != problem.seq_k;
    }
    EQ_INT(wrong, 0);
    printf("# at most %.0f%% of the tolerance used\n", used * 100.0);
    /* The sweep is only worth its name if it meets what it is meant to meet. */
    OK(unseen > 20 && grouped > 50 && unequal > 150);
}

static void test_edges(void)
{
    static const struct {
        const char *what;
        struct attention_problem problem;
    } edges[] = {
        {"one row, one key, one number", {1, 1, 1, 1, 1, 1, ATTENTION_FP32, 0, 0, {0}}},
        {"one row", {1, 2, 1, 1, 333, 64, ATTENTION_FP32, 1, 0, {0}}},
        {"one key", {2, 2, 2, 77, 1, 64, ATTENTION_FP32, 0, 0, {0}}},
        {"one key, causal", {1, 1, 1, 77, 1, 64, ATTENTION_FP32, 1, 0, {0}}},
        {"rows without keys", {1, 2, 2, 150, 40, 33, ATTENTION_FP32, 1, 0, {0}}},
        {"a whole block without keys", {1, 1, 1, 300, 3, 16, ATTENTION_FP32, 1, 0, {0}}},
        {"more keys than queries", {1, 1, 1, 5, 400, 48, ATTENTION_FP32, 1, 0, {0}}},
        {"the demo's", {1, 4, 4, 256, 256, 64, ATTENTION_FP32, 0, 0, {0}}},
        {"the demo's, causal", {1, 4, 4, 256, 256, 64, ATTENTION_FP32, 1, 0, {0}}},
        {"many keys", {1, 1, 1, 3, 20011, 40, ATTENTION_FP32, 0, 0, {0}}},
        {"one key of weight", {1, 1, 1, 20, 100, 64, ATTENTION_FP32, 0, 30.0f, {0}}},
        {"negative scale", {1, 1, 1, 20, 100, 64, ATTENTION_FP32, 1, -0.5f, {0}}},
    };
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        tap_case(edges[i].what);
        random_state = 1000 + i;
        double used = 0.0;
        TRIAL_AUTO t = trial_new(edges[i].problem, 1 + (int)(i % 3));
        OK(trial_agrees(&t, &used));
    }
}

static void test_values(void)
{
    static const struct {
        const char *what;
        double q, k, v;
    } sizes[] = {
        {"huge scores", 100.0, 100.0, 1.0}, {"tiny scores", 1e-20, 1e-15, 1.0},
        {"all scores 0", 0.0, 1.0, 1.0},    {"huge values", 1.0, 1.0, 1e36},
        {"tiny values", 1.0, 1.0, 1e-36},   {"scores near the ceiling", 1e18, 1e17, 1.0},
        {"values of 0", 1.0, 1.0, 0.0},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tap_case(sizes[i].what);
        random_state = 2000 + i;
        double used = 0.0;
        TRIAL_AUTO t = trial_new(shape(1, 2, 1, 70, 130, 24, 1), 1);
        trial_fill(t.q, t.q_count, sizes[i].q);
        trial_fill(t.k, t.kv_count, sizes[i].k);
        trial_fill(t.v, t.kv_count, sizes[i].v);
        OK(trial_agrees(&t, &used));
    }
    tap_case("a first tile far below the second");
    TRIAL_AUTO t = trial_new(shape(1, 1, 1, 40, 3 * TILE_K, 8, 0), 1);
    for (size_t i = 0; i < t.kv_count; i++)
        t.k[i] *= (float)(i / (TILE_K * 8)) * 40.0f;
    double used = 0.0;
    OK(trial_agrees(&t, &used));
}

static void test_exp2(void)
{
    tap_case("2^x");
    double worst = 0.0;
    for (double x = -124.9; x <= 0.0; x += 0.0037) {
        double got = (double)portable_exp2((float)x), want = exp2((double)(float)x);
        worst = fmax(worst, fabs(got - want) / want);
    }
    OK(worst < 4.0 / 16777216.0);
    printf("# worst relative error %.2f units of roundoff\n", worst * 16777216.0);
    OK(portable_exp2(0.0f) == 1.0f);
    OK(portable_exp2(-INFINITY) == 0.0f);
    OK(portable_exp2(-126.0f) == 0.0f);
    OK(isnan(portable_exp2(NAN)));
}

static void test_nan_is_seen(void)
{
    tap_case("a NaN of the input is not swallowed");
    TRIAL_AUTO t = trial_new(shape(1, 1, 1, 20, 150, 64, 0), 1);
    t.k[3 * 64 + 5] = NAN;
    EQ_INT(trial_run(&t), ATTENTION_OK);
    int seen = 0;
    for (size_t i = 0; i < t.q_count; i++)
        seen += isnan(t.out[i]);
    EQ_INT(seen, t.q_count);
}

static void test_without_lse(void)
{
    tap_case("lse and stream may be left out");
    TRIAL_AUTO t = trial_new(shape(2, 2, 1, 65, 97, 20, 1), 1);
    TRIAL_AUTO with = trial_new(t.problem, 3);
    memcpy(with.q, t.q, t.q_count * sizeof(float));
    memcpy(with.k, t.k, t.kv_count * sizeof(float));
    memcpy(with.v, t.v, t.kv_count * sizeof(float));
    EQ_INT(trial_run(&with), ATTENTION_OK);
    EQ_INT(
        attention_kernel()->forward(&t.problem, t.q, t.k, t.v, t.out, NULL, NULL, NULL),
        ATTENTION_OK);
    OK(isnan(t.lse[0]));
    OK(memcmp(t.out, with.out, t.q_count * sizeof(float)) == 0);
}

static int count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    int count = 0;
    if (folder == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* A joined thread is gone for us a moment before it is gone from /proc. */
static int threads_left(int expected)
{
    int count = count_threads();
    for (int tries = 0; count != expected && tries < 2000; tries++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        count = count_threads();
    }
    return count;
}

static void test_threads(void)
{
    static const int32_t impossible[] = {0, 1023, -5, INT32_MAX};
    static const int counts[] = {1, 2, 3, 4, 1000};
    int before = count_threads();
    TRIAL_AUTO one = trial_new(shape(1, 3, 3, 200, 190, 40, 1), 1);
    EQ_INT(trial_run(&one), ATTENTION_OK);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        TRIAL_AUTO t = trial_new(one.problem, counts[i]);
        memcpy(t.q, one.q, t.q_count * sizeof(float));
        memcpy(t.k, one.k, t.kv_count * sizeof(float));
        memcpy(t.v, one.v, t.kv_count * sizeof(float));
        if (counts[i] == 4)
            t.stream.cpus = impossible;
        tap_case("any number of threads gives the same bits");
        EQ_INT(trial_run(&t), ATTENTION_OK);
        OK(memcmp(t.out, one.out, t.q_count * sizeof(float)) == 0);
        OK(memcmp(t.lse, one.lse, t.rows * sizeof(float)) == 0);
        tap_case("no thread is left behind");
        EQ_INT(threads_left(before), before);
    }
}

/* ---- the tolerance ---- */

/* Elements of the outputs where the tolerance of each dtype sees the mistake. */
static void mistake_seen(const struct trial *t, const struct mistake *mistake,
                         int seen[ATTENTION_DTYPES])
{
    for (size_t index = 0; index < t->rows; index++) {
        struct row right, wrong;
        reference_row(t, index, &no_mistake, &right);
        reference_row(t, index, mistake, &wrong);
        for (int e = 0; e < t->problem.head_dim; e++)
            for (int dtype = 0; dtype < ATTENTION_DTYPES; dtype++)
                seen[dtype] += !(fabs(wrong.out[e] - right.out[e]) <=
                                 row_tolerance(t, &right, e, dtype));
    }
}

static void test_tolerance(void)
{
    static const struct {
        const char *what;
        struct mistake mistake;
    } mistakes[] = {
        {"first key dropped", {.drop_key = 0, .scale = 1.0}},
        {"late key dropped", {.drop_key = 1000, .scale = 1.0}},
        {"scale off by a twentieth", {.drop_key = -1, .scale = 1.05}},
        {"scale of another head_dim", {.drop_key = -1, .scale = 0.7071}},
        {"mask of the other corner", {.drop_key = -1, .scale = 1.0, .top_left = true}},
        {"no mask", {.drop_key = -1, .scale = 1.0, .no_mask = true}},
        {"wrong K/V head", {.drop_key = -1, .scale = 1.0, .first_group = true}},
    };
    random_state = 5;
    TRIAL_AUTO t = trial_new(shape(1, 2, 2, 24, 1024, 64, 1), 1);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        int seen[ATTENTION_DTYPES] = {0};
        mistake_seen(&t, &mistakes[i].mistake, seen);
        tap_case(mistakes[i].what);
        OK(seen[ATTENTION_FP16] > 0);
        OK(seen[ATTENTION_BF16] > 0);
        OK(seen[ATTENTION_FP32] > 0);
    }
    tap_case("NaN is no answer");
    OK(!((double)NAN <= attention_tolerance(ATTENTION_FP16, 1, 1.0, 1.0, 1.0, 1.0, 1.0)));
}

/* A float rounded to `bits` bits of significand, as the narrow storage types do. */
static double round_to(double x, int bits)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    return ldexp(nearbyint(ldexp(mantissa, bits)), exponent - bits);
}

/* Row `index` as a right kernel on tensor cores computes it: scale * log2(e) folded into
 * Q, Q, weights and result rounded to `bits`, the sum taken of the weights before
 * rounding. `max` is in units of log 2. */
static void narrow_row(const struct trial *t, size_t index, int visible, double max,
                       int bits, double out[HEAD_DIM_MAX])
{
    const struct attention_problem *p = &t->problem;
    size_t dim = (size_t)p->head_dim;
    size_t head = index / (size_t)p->seq_q / (size_t)(p->heads / p->heads_kv);
    const float *q = t->q + index * dim;
    const float *k = t->k + head * (size_t)p->seq_k * dim;
    const float *v = t->v + head * (size_t)p->seq_k * dim;
    double fold = 1.44269504088896340736 / sqrt((double)dim), sum = 0.0;
    memset(out, 0, sizeof(double) * HEAD_DIM_MAX);
    for (int j = 0; j < visible; j++, k += dim, v += dim) {
        double score = 0.0;
        for (size_t e = 0; e < dim; e++)
            score += round_to((double)q[e] * fold, bits) * (double)k[e];
        double weight = exp2(score - max);
        sum += weight;
        for (size_t e = 0; e < dim; e++)
            out[e] += round_to(weight, bits) * (double)v[e];
    }
    for (size_t e = 0; e < dim; e++)
        out[e] = round_to(out[e] / sum, bits);
}

static void round_all(float *data, size_t count, int bits)
{
    for (size_t i = 0; i < count; i++)
        data[i] = (float)round_to((double)data[i], bits);
}

/* The tolerance must let such a kernel through on every row. */
static void test_tolerance_is_fair(void)
{
    static const struct {
        const char *what;
        int dtype, bits;
    } types[] = {{"fp16 is let through", ATTENTION_FP16, 11},
                 {"bf16 is let through", ATTENTION_BF16, 8}};
    for (size_t n = 0; n < 2; n++) {
        random_state = 70 + n;
        TRIAL_AUTO t = trial_new(shape(1, 4, 2, 60, 300, 64, 1), 1);
        round_all(t.q, t.q_count, types[n].bits);
        round_all(t.k, t.kv_count, types[n].bits);
        round_all(t.v, t.kv_count, types[n].bits);
        int wrong = 0;
        double used = 0.0;
        for (size_t index = 0; index < t.rows; index++) {
            struct row row;
            double out[HEAD_DIM_MAX];
            reference_row(&t, index, &no_mistake, &row);
            narrow_row(&t, index, row.visible, row.lse * 1.44269504088896340736,
                       types[n].bits, out);
            for (int e = 0; e < t.problem.head_dim; e++) {
                double error = fabs(out[e] - row.out[e]);
                double tolerance = row_tolerance(&t, &row, e, types[n].dtype);
                wrong += !(error <= tolerance);
                used = fmax(used, error / tolerance);
            }
        }
        tap_case(types[n].what);
        EQ_INT(wrong, 0);
        printf("# at most %.0f%% of the tolerance used\n", used * 100.0);
    }
}

int main(void)
{
    test_table();
    test_refusals();
    test_exp2();
    test_edges();
    test_values();
    test_random();
    test_nan_is_seen();
    test_without_lse();
    test_threads();
    test_tolerance();
    test_tolerance_is_fair();
    return tap_done();
}
