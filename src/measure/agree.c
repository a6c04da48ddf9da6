/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the regression of wall time on claimed time. */
#include "measure/agree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TERMS_MAX = AGREE_ARMS_MAX + 2 /* arms, what a turn costs besides, and waiting */ };

static const double far_deviations = 6.0; /* normal deviations, by the median of residuals */
static const double median_of_normal = 0.6745;

/* The sums of squares and products of least squares, solved in place. */
struct system {
    size_t terms;
    double inverse[TERMS_MAX][TERMS_MAX];
    double value[TERMS_MAX];
};

static size_t width_of(const struct agree *agree)
{
    return agree->arms + 2;
}

bool agree_add(struct agree *agree, const double *claimed_ns, double waited_ns, double wall_ns)
{
    size_t width = width_of(agree);
    double *rows = realloc(agree->rows, (agree->count + 1) * width * sizeof *rows);
    if (rows == NULL)
        return false;
    agree->rows = rows;
    memcpy(rows + agree->count * width, claimed_ns, agree->arms * sizeof *rows);
    rows[agree->count * width + agree->arms] = waited_ns;
    rows[agree->count * width + agree->arms + 1] = wall_ns;
    agree->count++;
    return true;
}

void agree_free(struct agree *agree)
{
    free(agree->rows);
    *agree = (struct agree){0};
}

/* Gauss and Jordan with a pivot for each column. False: the turns do not tell the arms apart. */
static bool invert(double (*a)[TERMS_MAX], size_t n, double (*out)[TERMS_MAX])
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            out[i][j] = i == j;
    for (size_t column = 0; column < n; column++) {
        size_t pivot = column;
        for (size_t row = column; row < n; row++)
            if (fabs(a[row][column]) > fabs(a[pivot][column]))
                pivot = row;
        double scale = a[pivot][column];
        if (!(fabs(scale) > 1e-12))
            return false;
        for (size_t j = 0; j < n; j++) {
            double t = a[column][j];
            a[column][j] = a[pivot][j] / scale;
            a[pivot][j] = pivot == column ? a[pivot][j] : t;
            t = out[column][j];
            out[column][j] = out[pivot][j] / scale;
            out[pivot][j] = pivot == column ? out[pivot][j] : t;
        }
        for (size_t row = 0; row < n; row++) {
            double factor = a[row][column];
            for (size_t j = 0; j < n && row != column; j++) {
                a[row][j] -= factor * a[column][j];
                out[row][j] -= factor * out[column][j];
            }
        }
    }
    return true;
}

/* Terms of a turn: claimed times in units of `unit`, 1, and what was waited. */
static double term(const struct agree *agree, size_t turn, size_t i, double unit)
{
    const double *row = agree->rows + turn * width_of(agree);
    return i == agree->arms ? 1.0 : row[i < agree->arms ? i : agree->arms] / unit;
}

static double wall_of(const struct agree *agree, size_t turn, double unit)
{
    return agree->rows[turn * width_of(agree) + agree->arms + 1] / unit;
}

/* Where waiting was always the same, or is nothing beside a turn, it is what a turn costs besides. */
static bool waits(const struct agree *agree)
{
    double least = INFINITY, most = 0.0, wall = 0.0;
    for (size_t turn = 0; turn < agree->count; turn++) {
        double waited = agree->rows[turn * width_of(agree) + agree->arms];
        least = fmin(least, waited);
        most = fmax(most, waited);
        wall = fmax(wall, wall_of(agree, turn, 1.0));
    }
    return most - least > 1e-3 * wall;
}

/* Weighted least squares; false where the turns do not tell the arms apart. */
static bool solve(const struct agree *agree, const double *weights, double unit,
                  struct system *system)
{
    double square[TERMS_MAX][TERMS_MAX] = {{0}};
    double right[TERMS_MAX] = {0};
    size_t n = system->terms;
    for (size_t turn = 0; turn < agree->count; turn++)
        for (size_t i = 0; i < n; i++) {
            double ti = weights[turn] * term(agree, turn, i, unit);
            for (size_t j = 0; j < n; j++)
                square[i][j] += ti * term(agree, turn, j, unit);
            right[i] += ti * wall_of(agree, turn, unit);
        }
    if (!invert(square, n, system->inverse))
        return false;
    for (size_t i = 0; i < n; i++) {
        system->value[i] = 0.0;
        for (size_t j = 0; j < n; j++)
            system->value[i] += system->inverse[i][j] * right[j];
    }
    return true;
}

static double residual(const struct agree *agree, const struct system *system, size_t turn,
                       double unit)
{
    double left = wall_of(agree, turn, unit);
    for (size_t i = 0; i < system->terms; i++)
        left -= system->value[i] * term(agree, turn, i, unit);
    return left;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of |residual|; `sizes` has all of them then, in order. */
static double median_size(const struct agree *agree, const struct system *system, double unit,
                          double *sizes)
{
    for (size_t turn = 0; turn < agree->count; turn++)
        sizes[turn] = fabs(residual(agree, system, turn, unit));
    qsort(sizes, agree->count, sizeof *sizes, compare_doubles);
    return sizes[agree->count / 2];
}

/* Least absolute deviations, by least squares again and again with weights of 1 / |residual|: turns
 * that are far off have little say in it (Schlossmacher 1973). */
static bool solve_robustly(const struct agree *agree, double unit, double *sizes,
                           double *weights, struct system *system)
{
    enum { ROUNDS = 20 };
    for (size_t turn = 0; turn < agree->count; turn++)
        weights[turn] = 1.0;
    bool solved = solve(agree, weights, unit, system);
    for (int round = 0; solved && round < ROUNDS; round++) {
        double least = fmax(median_size(agree, system, unit, sizes) / 10, 1e-12);
        for (size_t turn = 0; turn < agree->count; turn++)
            weights[turn] = least / fmax(fabs(residual(agree, system, turn, unit)), least);
        solved = solve(agree, weights, unit, system);
    }
    return solved;
}

/* Weights of 1, and of 0 for what lies far beyond the others: a quarter of all at most. */
static void leave_out(const struct agree *agree, const struct system *system, double unit,
                      double *sizes, double *weights)
{
    double far = far_deviations * median_size(agree, system, unit, sizes) / median_of_normal;
    far = fmax(far, sizes[agree->count - agree->count / 4 - 1]);
    for (size_t turn = 0; turn < agree->count; turn++)
        weights[turn] = fabs(residual(agree, system, turn, unit)) <= far;
}

static void tell(const struct agree *agree, const struct system *system, const double *weights,
                 double unit, struct clock_slope *out)
{
    double squares = 0.0, count = 0.0;
    for (size_t turn = 0; turn < agree->count; turn++) {
        double left = residual(agree, system, turn, unit);
        squares += weights[turn] * left * left;
        count += weights[turn];
    }
    if (count <= (double)system->terms)
        return;
    unsigned freedom = (unsigned)count - (unsigned)system->terms;
    double variance = squares / freedom;
    for (size_t arm = 0; arm < agree->arms; arm++)
        out[arm] = (struct clock_slope){system->value[arm],
                                        sqrt(variance * fmax(system->inverse[arm][arm], 0.0)),
                                        freedom};
}

bool agree_slopes(const struct agree *agree, struct clock_slope *out)
{
    enum { FREEDOM_LEAST = 8 }; /* below it an error is not known well enough to accuse by */
    struct system system = {.terms = agree->arms + 1 + waits(agree)};
    for (size_t arm = 0; arm < agree->arms; arm++)
        out[arm] = (struct clock_slope){0};
    if (agree->count < agree->arms + 2 + FREEDOM_LEAST)
        return true;
    double *weights = malloc(agree->count * sizeof *weights);
    double *sizes = malloc(agree->count * sizeof *sizes);
    double unit = 0.0; /* so that numbers are near 1 */
    for (size_t turn = 0; turn < agree->count; turn++)
        unit += wall_of(agree, turn, 1.0) / (double)agree->count;
    bool solved = weights != NULL && sizes != NULL && unit > 0 &&
                  solve_robustly(agree, unit, sizes, weights, &system);
    if (solved) {
        leave_out(agree, &system, unit, sizes, weights);
        solved = solve(agree, weights, unit, &system);
    }
    if (solved)
        tell(agree, &system, weights, unit, out);
    free(weights);
    free(sizes);
    return solved;
}
