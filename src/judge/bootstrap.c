/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the resampling and the two kinds of interval. */
#include "judge/bootstrap.h"

#include "judge/dist.h"
#include "judge/num.h"
#include "judge/random.h"
#include "judge/stats.h"

#include <math.h>
#include <stdlib.h>

/* The `size` smallest values seen, and some that were once. What lies below `limit` is
 * appended; when the room for twice the size is full, the larger half goes. So a stream of
 * ten thousand is searched for a quantile near its end at one comparison a value. */
struct tail {
    double *values; /* owned, room for 2 × size */
    size_t size;
    size_t count;
    double limit;
};

static void free_tail(struct tail *tail)
{
    free(tail->values);
}

static void tail_add(struct tail *tail, double value)
{
    if (value >= tail->limit)
        return;
    tail->values[tail->count++] = value;
    if (tail->count == 2 * tail->size) {
        tail->limit = stats_select(tail->values, tail->count, tail->size - 1);
        tail->count = tail->size;
    }
}

/* The values into one tail, and negated into the other. Most belong to neither. */
static void tails_add(struct tail *low, struct tail *high, const double *values, size_t count)
{
    double below = low->limit;
    double above = -high->limit;
    for (size_t i = 0; i < count; i++) {
        if (!((values[i] < below) | (values[i] > above)))
            continue;
        tail_add(low, values[i]);
        tail_add(high, -values[i]);
        below = low->limit;
        above = -high->limit;
    }
}

/* The quantile between the two largest of the `size` smallest, `part` of the way from the
 * lower to the upper (Hyndman and Fan's type 7, as in numpy.percentile). */
static double tail_quantile(struct tail *tail, double part)
{
    double upper = stats_select(tail->values, tail->count, tail->size - 1);
    if (tail->size == 1)
        return upper;
    double lower = stats_select(tail->values, tail->count, tail->size - 2);
    return lower + part * (upper - lower);
}

static double mean_of(struct sample sample)
{
    double sum = 0;
    for (size_t i = 0; i < sample.count; i++)
        sum += sample.values[i];
    return sum / (double)sample.count;
}

/* s² / n */
static double variance_of_mean(struct sample sample, double mean)
{
    double squares = 0;
    for (size_t i = 0; i < sample.count; i++) {
        double off = sample.values[i] - mean;
        squares += off * off;
    }
    return squares / ((double)(sample.count - 1) * (double)sample.count);
}

/* ---- resampling ---- */

enum {
    TUPLES_MAX =
        4096,   /* entries of a table of sums: 32 KiB, what a core's first cache holds */
    LANES = 4,  /* resamples made side by side, one from each quarter of a word */
    CHUNK = 512 /* … and then looked at together: a multiple of LANES */
};

/* Drawing k of n values with replacement is drawing one of the nᵏ ordered k-tuples, all
 * equally likely; so their sums are laid out once and each draw takes k values at a time.
 * The tuple at index i holds the values at the k digits of i in base n. The sums are of
 * values over n, so that adding them up gives means. */
struct tuples {
    double *sums;     /* owned */
    uint32_t bound;   /* nᵏ */
    uint32_t surplus; /* random_surplus(bound) */
};

/* A group as tables: n = `whole` × k + the length of `rest`. */
struct drawn {
    size_t whole;
    struct tuples tuples, rest; /* `rest` has no sums where k divides n */
};

static void free_drawn(struct drawn *drawn)
{
    free(drawn->tuples.sums);
    free(drawn->rest.sums);
}

/* 0, or -1 when memory ran out. */
static int lay_out(struct sample sample, unsigned length, struct tuples *out)
{
    uint32_t n = (uint32_t)sample.count;
    uint32_t bound = 1;
    for (unsigned i = 0; i < length; i++)
        bound *= n;
    double *sums = calloc(bound, sizeof *sums);
    if (sums == NULL)
        return -1;
    /* Tuples of one value more are those of before, each with each value added. */
    for (uint32_t size = 1; size < bound; size *= n)
        for (uint32_t digit = n; digit-- > 0;) {
            double share = sample.values[digit] / n;
            for (uint32_t i = 0; i < size; i++)
                sums[digit * size + i] = sums[i] + share;
        }
    *out = (struct tuples){sums, bound, random_surplus(bound)};
    return 0;
}

static int draw_from(struct sample sample, struct drawn *out)
{
    unsigned length = 1;
    for (size_t bound = sample.count;
         bound * sample.count <= TUPLES_MAX && length < sample.count; bound *= sample.count)
        length++;
    out->whole = sample.count / length;
    unsigned rest = (unsigned)(sample.count % length);
    return lay_out(sample, length, &out->tuples) != 0 ||
                   (rest != 0 && lay_out(sample, rest, &out->rest) != 0)
               ? -1
               : 0;
}

static inline void add_draws(struct random *random, const struct tuples *tuples,
                             double sums[LANES])
{
    uint32_t at[LANES];
    random_four(random, tuples->bound, tuples->surplus, at);
    for (int lane = 0; lane < LANES; lane++)
        sums[lane] += tuples->sums[at[lane]];
}

/* The means of `count` resamples of the group, `count` a multiple of LANES. */
static void resampled_means(struct random *random, const struct drawn *drawn, double *means,
                            size_t count)
{
    struct random state = *random; /* a copy that nobody points to stays in registers */
    for (size_t i = 0; i < count; i += LANES) {
        double sums[LANES] = {0};
        for (size_t draw = 0; draw < drawn->whole; draw++)
            add_draws(&state, &drawn->tuples, sums);
        if (drawn->rest.sums != NULL)
            add_draws(&state, &drawn->rest, sums);
        for (size_t lane = 0; lane < LANES; lane++)
            means[i + lane] = sums[lane];
    }
    *random = state;
}

/* Fill both tails: the smallest means, and the smallest of the negated ones. Group b
 * draws from its own stream, or groups of one size would be resampled in step. */
static void resample(const struct drawn *a, const struct drawn *b,
                     const struct bootstrap *settings, struct tail *low, struct tail *high)
{
    struct random random_a;
    struct random random_b;
    random_seed(&random_a, settings->seed, 0);
    random_seed(&random_b, settings->seed, 1);
    double means[CHUNK] = {0}; /* for clang-tidy: resampled_means fills in what is read */
    double others[CHUNK] = {0};
    for (size_t left = settings->resamples; left > 0;) {
        size_t wanted = left < CHUNK ? left : CHUNK;
        size_t drawn = (wanted + LANES - 1) / LANES * LANES;
        resampled_means(&random_a, a, means, drawn);
        if (b->whole != 0) {
            resampled_means(&random_b, b, others, drawn);
            for (size_t i = 0; i < wanted; i++)
                means[i] -= others[i];
        }
        tails_add(low, high, means, wanted);
        left -= wanted;
    }
}

/* ---- intervals ---- */

/* Each side at least `half` away from the estimate; a side that had to move rests on
 * `reason`. */
static void at_least(struct interval *interval, struct bounds *bounds, double estimate,
                     double half, enum bound reason)
{
    if (interval->low > estimate - half) {
        interval->low = estimate - half;
        bounds->low = reason;
    }
    if (interval->high < estimate + half) {
        interval->high = estimate + half;
        bounds->high = reason;
    }
}

int bootstrap_mean(struct sample a, struct sample b, const struct bootstrap *settings,
                   struct bootstrap_result *out, struct err *err)
{
    if (a.count < 2 || b.count == 1 || settings->resamples < 2 || a.count > UINT16_MAX ||
        b.count > UINT16_MAX)
        return err_set(err, ERR_INTERNAL, "bootstrap of %zu and %zu values", a.count, b.count);
    size_t n = b.count != 0 && b.count < a.count ? b.count : a.count;
    double t = dist_student_quantile((1 - settings->confidence) / 2, (unsigned)n - 1);
    double expanded = dist_normal_cdf(-(num_sqrt((double)n / (double)(n - 1)) * t));
    double rank = expanded * (settings->resamples - 1.0); /* counted from 0 */
    size_t whole = (size_t)rank;
    size_t size = whole + 2 <= settings->resamples ? whole + 2 : settings->resamples;
    __attribute__((cleanup(free_tail))) struct tail low = {.size = size, .limit = INFINITY};
    __attribute__((cleanup(free_tail))) struct tail high = {.size = size, .limit = INFINITY};
    low.values = calloc(2 * size, sizeof *low.values);
    high.values = calloc(2 * size, sizeof *high.values);
    __attribute__((cleanup(free_drawn))) struct drawn drawn_a = {0};
    __attribute__((cleanup(free_drawn))) struct drawn drawn_b = {0};
    if (low.values == NULL || high.values == NULL || draw_from(a, &drawn_a) != 0 ||
        (b.count != 0 && draw_from(b, &drawn_b) != 0))
        return err_set(err, ERR_HOST, "bootstrap: out of memory");
    resample(&drawn_a, &drawn_b, settings, &low, &high);

    double mean_a = mean_of(a);
    double variance = variance_of_mean(a, mean_a);
    double estimate = mean_a;
    if (b.count != 0) {
        double mean_b = mean_of(b);
        estimate -= mean_b;
        variance += variance_of_mean(b, mean_b);
    }
    double part = rank - (double)whole;
    double standard_error = num_sqrt(variance);
    *out = (struct bootstrap_result){
        .estimate = estimate,
        .level = expanded,
        .percentile = {tail_quantile(&low, part), -tail_quantile(&high, part)},
        .standard_error = standard_error,
        .df = (unsigned)n - 1,
        .t = t};
    out->plain = out->percentile;
    at_least(&out->plain, &out->bounds, estimate, t * standard_error, BOUND_STUDENT);
    return 0;
}

/* The standard error of the shrunk variance, (d s² + d₀ s₀²) / (d + d₀), d₀ = `prior_df`. */
static double shrunk_error(const struct bootstrap_result *result, const struct spread *others,
                           unsigned prior_df)
{
    double own = result->standard_error * result->standard_error;
    if (prior_df == 0)
        return result->standard_error;
    double theirs = others->variance / (result->df + 1.0);
    return num_sqrt((result->df * own + prior_df * theirs) / (result->df + prior_df));
}

struct corrected bootstrap_correct(const struct bootstrap_result *result, double confidence,
                                   double comparisons, double scatter,
                                   const struct spread *others)
{
    double tail = (1 - confidence) / 2 / comparisons;
    unsigned prior_df = others == NULL            ? 0
                        : others->df < result->df ? (unsigned)others->df
                                                  : result->df;
    double t = dist_student_quantile(tail, result->df + prior_df);
    double own = shrunk_error(result, others, prior_df);
    double factor = t / result->t;
    if (prior_df > 0 && result->standard_error > 0)
        factor *= own / result->standard_error;
    if (factor < 1)
        factor = 1;
    double estimate = result->estimate;
    double least = scatter / num_sqrt(result->df + 1.0);
    struct corrected out = {
        .interval = {estimate - factor * (estimate - result->plain.low),
                     estimate + factor * (result->plain.high - estimate)},
        .bounds = result->bounds,
        .tail = tail,
        .prior_df = prior_df,
        .t = t,
        .factor = factor,
        .error = own > least ? own : least,
    };
    at_least(&out.interval, &out.bounds, estimate, t * out.error,
             own > least ? BOUND_STUDENT : BOUND_SCATTER);
    return out;
}
