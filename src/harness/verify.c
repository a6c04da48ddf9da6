/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reference and the comparison. Every comparison is written so that NaN fails. */
#include "harness/verify.h"

#include "harness/storage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verifier {
    const struct attention_problem *problem;
    struct verify_reference reference;
    bool loaded;      /* `keys` and `values` hold head `head` of seeds and kind */
    size_t head;      /* over batch * heads_kv */
    uint64_t seed[2]; /* of keys and values */
    enum inputs_kind kind;
    float *query; /* head_dim */
    float *keys;  /* seq_k * head_dim */
    float *values;
    double *weights; /* seq_k: scores, then weights */
    double *sums;    /* VERIFY_SUMS(head_dim) */
};

void verifier_close(struct verifier *verifier)
{
    if (verifier == NULL)
        return;
    free(verifier->reference.out);
    free(verifier->reference.tolerance);
    free(verifier->query);
    free(verifier->keys);
    free(verifier->values);
    free(verifier->weights);
    free(verifier->sums);
    free(verifier);
}

int verifier_open(const struct attention_problem *problem, struct verifier **out,
                  struct err *err)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL)
        return err_set(err, ERR_HOST, "no memory for the reference");
    size_t dim = (size_t)problem->head_dim;
    size_t seq = (size_t)problem->seq_k;
    verifier->problem = problem;
    verifier->reference.out = calloc(dim, sizeof(double));
    verifier->reference.tolerance = calloc(dim, sizeof(double));
    verifier->query = calloc(dim, sizeof(float));
    verifier->keys = calloc(seq * dim, sizeof(float));
    verifier->values = calloc(seq * dim, sizeof(float));
    verifier->weights = calloc(seq, sizeof(double));
    verifier->sums = calloc(VERIFY_SUMS(dim), sizeof(double));
    if (verifier->reference.out == NULL || verifier->reference.tolerance == NULL ||
        verifier->query == NULL || verifier->keys == NULL || verifier->values == NULL ||
        verifier->weights == NULL || verifier->sums == NULL) {
        verifier_close(verifier);
        return err_set(err, ERR_HOST, "no memory for the reference");
    }
    *out = verifier;
    return 0;
}

static void load_head(struct verifier *verifier, const struct inputs *inputs, size_t head)
{
    if (verifier->loaded && verifier->head == head && verifier->kind == inputs->kind &&
        verifier->seed[0] == inputs->seed[INPUTS_K] &&
        verifier->seed[1] == inputs->seed[INPUTS_V])
        return;
    size_t dim = (size_t)verifier->problem->head_dim;
    size_t seq = (size_t)verifier->problem->seq_k;
    for (size_t j = 0; j < seq; j++) {
        inputs_row(inputs, INPUTS_K, head * seq + j, verifier->keys + j * dim);
        inputs_row(inputs, INPUTS_V, head * seq + j, verifier->values + j * dim);
    }
    verifier->loaded = true;
    verifier->head = head;
    verifier->seed[0] = inputs->seed[INPUTS_K];
    verifier->seed[1] = inputs->seed[INPUTS_V];
    verifier->kind = inputs->kind;
}

/* Keys that query i sees: the mask is aligned to the bottom right corner. */
static size_t visible_keys(const struct attention_problem *problem, size_t i)
{
    if (!problem->causal)
        return (size_t)problem->seq_k;
    long long seen = (long long)i + problem->seq_k - problem->seq_q + 1;
    return seen > 0 ? (size_t)seen : 0;
}

/* Scores into `weights`; the largest sum of |terms| of a score is returned. */
static double scores(struct verifier *verifier, size_t visible, double *highest)
{
    const struct attention_problem *problem = verifier->problem;
    size_t dim = (size_t)problem->head_dim;
    double scale = problem->scale != 0.0F ? (double)problem->scale : 1.0 / sqrt((double)dim);
    double top = -INFINITY;
    double largest = 0.0;
    for (size_t j = 0; j < visible; j++) {
        const float *key = verifier->keys + j * dim;
        double dot = 0.0;
        double terms = 0.0;
        for (size_t e = 0; e < dim; e++) {
            double term = (double)verifier->query[e] * (double)key[e];
            dot += term;
            terms += fabs(term);
        }
        verifier->weights[j] = scale * dot;
        top = fmax(top, scale * dot);
        largest = fmax(largest, fabs(scale) * terms);
    }
    *highest = top;
    return largest;
}

static void mix_values(struct verifier *verifier, size_t visible, double sum)
{
    size_t dim = (size_t)verifier->problem->head_dim;
    double *out = verifier->sums + 4;
    for (size_t j = 0; j < visible; j++) {
        const float *value = verifier->values + j * dim;
        double weight = verifier->weights[j] / sum;
        for (size_t e = 0; e < dim; e++) {
            double term = weight * (double)value[e];
            out[e] += term;
            out[dim + e] += term * term;
            out[2 * dim + e] += fabs(term);
            out[3 * dim + e] += (double)value[e] * (double)value[e];
        }
    }
}

const struct verify_reference *verifier_from_sums(struct verifier *verifier,
                                                  const double *sums)
{
    const struct attention_problem *problem = verifier->problem;
    struct verify_reference *reference = &verifier->reference;
    size_t dim = (size_t)problem->head_dim;
    reference->masked = sums[0] == 0.0;
    if (reference->masked) {
        memset(reference->out, 0, dim * sizeof(double));
        memset(reference->tolerance, 0, dim * sizeof(double));
        reference->lse = -INFINITY;
        reference->lse_tolerance = 0.0;
        return reference;
    }
    double score = sums[2];
    reference->lse = sums[1];
    reference->lse_tolerance = attention_lse_tolerance(problem->dtype, problem->seq_k,
                                                       reference->lse, score);
    const double *out = sums + 4;
    for (size_t e = 0; e < dim; e++) {
        double spread = sqrt(out[dim + e]);
        double reach = sums[3] * sqrt(out[3 * dim + e]);
        reference->out[e] = out[e];
        reference->tolerance[e] = attention_tolerance(problem->dtype, problem->seq_k, out[e],
                                                      spread, out[2 * dim + e], reach, score);
    }
    return reference;
}

const struct verify_reference *verifier_reference(struct verifier *verifier,
                                                  const struct inputs *inputs, size_t row)
{
    const struct attention_problem *problem = verifier->problem;
    size_t heads = (size_t)problem->heads;
    size_t group = heads / (size_t)problem->heads_kv;
    size_t head = row / (size_t)problem->seq_q; /* over batch * heads */
    size_t visible = visible_keys(problem, row % (size_t)problem->seq_q);
    double *sums = verifier->sums;
    memset(sums, 0, VERIFY_SUMS(problem->head_dim) * sizeof *sums);
    if (visible == 0)
        return verifier_from_sums(verifier, sums);

    load_head(verifier, inputs,
              head / heads * (size_t)problem->heads_kv + head % heads / group);
    inputs_row(inputs, INPUTS_Q, row, verifier->query);
    double highest;
    sums[0] = 1.0;
    sums[2] = scores(verifier, visible, &highest);
    double sum = 0.0;
    for (size_t j = 0; j < visible; j++) {
        verifier->weights[j] = exp(verifier->weights[j] - highest);
        sum += verifier->weights[j];
    }
    sums[1] = highest + log(sum);
    sums[3] = 1.0 / sum;
    mix_values(verifier, visible, sum);
    return verifier_from_sums(verifier, sums);
}

/* "batch 0 head 3 row 17" */
static void name_row(const struct attention_problem *problem, size_t row, char out[96])
{
    size_t seq = (size_t)problem->seq_q;
    size_t heads = (size_t)problem->heads;
    snprintf(out, 96, "batch %zu head %zu row %zu", row / seq / heads, row / seq % heads,
             row % seq);
}

static bool close_enough(double got, double want, double tolerance, double *worst)
{
    if (got == want)
        return true;
    double error = fabs(got - want);
    if (!(error <= tolerance))
        return false;
    *worst = fmax(*worst, error / tolerance);
    return true;
}

bool verify_row(const struct attention_problem *problem,
                const struct verify_reference *reference, size_t row, const float *out,
                float lse, double *worst, char *text, size_t size)
{
    char where[96];
    name_row(problem, row, where);
    for (size_t e = 0; e < (size_t)problem->head_dim; e++) {
        if (close_enough((double)out[e], reference->out[e], reference->tolerance[e], worst))
            continue;
        if (storage_is_poison(out[e]))
            snprintf(text, size, "out at %s column %zu was not written", where, e);
        else
            snprintf(text, size, "out at %s column %zu is %.9g, expected %.9g within %.3g",
                     where, e, (double)out[e], reference->out[e], reference->tolerance[e]);
        return false;
    }
    if (close_enough((double)lse, reference->lse, reference->lse_tolerance, worst))
        return true;
    if (storage_is_poison(lse))
        snprintf(text, size, "lse at %s was not written", where);
    else
        snprintf(text, size, "lse at %s is %.9g, expected %.9g within %.3g", where,
                 (double)lse, reference->lse, reference->lse_tolerance);
    return false;
}

void verify_describe_out(const struct attention_problem *problem, size_t index, float value,
                         double largest, char *text, size_t size)
{
    size_t dim = (size_t)problem->head_dim;
    char where[96];
    name_row(problem, index / dim, where);
    if (storage_is_poison(value))
        snprintf(text, size, "out at %s column %zu was not written", where, index % dim);
    else
        snprintf(text, size, "out at %s column %zu is %.9g, and no |v| is above %.9g", where,
                 index % dim, (double)value, largest);
}

static bool is_masked(const struct attention_problem *problem, size_t row)
{
    return visible_keys(problem, row % (size_t)problem->seq_q) == 0;
}

void verify_describe_lse(const struct attention_problem *problem, size_t row, float value,
                         char *text, size_t size)
{
    char where[96];
    name_row(problem, row, where);
    if (storage_is_poison(value))
        snprintf(text, size, "lse at %s was not written", where);
    else
        snprintf(text, size, "lse at %s is %.9g, expected %s", where, (double)value,
                 is_masked(problem, row) ? "-infinity" : "a finite number");
}

bool verify_whole(const struct attention_problem *problem, const float *out, const float *lse,
                  double largest, char *text, size_t size)
{
    size_t rows = inputs_rows(problem, INPUTS_Q);
    size_t dim = (size_t)problem->head_dim;
    for (size_t i = 0; i < rows * dim; i++) {
        if (fabs((double)out[i]) <= VERIFY_BOUND(largest))
            continue;
        verify_describe_out(problem, i, out[i], largest, text, size);
        return false;
    }
    for (size_t row = 0; row < rows; row++) {
        if (is_masked(problem, row) ? (double)lse[row] == -INFINITY : isfinite(lse[row]))
            continue;
        verify_describe_lse(problem, row, lse[row], text, size);
        return false;
    }
    return true;
}
