/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the resampling and the two kinds of interval. */
#include "judge/bootstrap.h"

#include "judge/dist.h"
#include "judge/num.h"
#include "judge/random.h"

#include <stdlib.h>

/* The `size` smallest values seen, as a heap whose root is the largest of them: a stream
 * of ten thousand is searched for a quantile near its end at one comparison a value. */
struct tail {
    double *values; /* owned */
    size_t size;
    size_t count;
};

static void free_tail(struct tail *tail)
{
    free(tail->values);
}

static void sift_down(double *heap, size_t size, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= size)
            return;
        if (child + 1 < size && heap[child + 1] > heap[child])
            child++;
        if (heap[at] >= heap[child])
            return;
        double value = heap[at];
        heap[at] = heap[child];
        heap[child] = value;
        at = child;
    }
}

static inline void tail_add(struct tail *tail, double value)
{
    if (tail->count == tail->size) {
        if (value < tail->values[0]) {
            tail->values[0] = value;
            sift_down(tail->values, tail->size, 0);
        }
        return;
    }
    tail->values[tail->count++] = value;
    if (tail->count == tail->size)
        for (size_t at = tail->size / 2; at-- > 0;)
            sift_down(tail->values, tail->size, at);
}

/* The quantile whose order statistics are the two largest of the tail, `part` of the way
 * from the lower to the upper (Hyndman and Fan's type 7, as in numpy.percentile). */
static double tail_quantile(struct tail *tail, double part)
{
    double upper = tail->values[0];
    if (tail->size == 1)
        return upper;
    double lower = tail->values[1];
    if (tail->size > 2 && tail->values[2] > lower)
        lower = tail->values[2];
    return lower + num_mul(part, upper - lower);
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
        squares += num_mul(off, off);
    }
    return squares / num_mul((double)(sample.count - 1), (double)sample.count);
}

static inline double resampled_mean(struct random *random, struct sample sample,
                                    uint32_t surplus)
{
    uint32_t bound = (uint32_t)sample.count;
    const double *values = sample.values;
    uint32_t at[4];
    double sum = 0;
    size_t left = sample.count;
    for (; left >= 4; left -= 4) {
        random_four(random, bound, surplus, at);
        sum += (values[at[0]] + values[at[1]]) + (values[at[2]] + values[at[3]]);
    }
    if (left > 0)
        random_four(random, bound, surplus, at);
    for (size_t i = 0; i < left; i++)
        sum += values[at[i]];
    return sum / (double)sample.count;
}

/* Fill both tails: the smallest means, and the smallest of the negated ones. Group b
 * draws from its own stream, or groups of one size would be resampled in step. */
static void resample(struct sample a, struct sample b, const struct bootstrap *settings,
                     struct tail *low, struct tail *high)
{
    struct random random_a;
    struct random random_b;
    random_seed(&random_a, settings->seed, 0);
    random_seed(&random_b, settings->seed, 1);
    uint32_t surplus_a = random_surplus((uint32_t)a.count);
    uint32_t surplus_b = b.count != 0 ? random_surplus((uint32_t)b.count) : 0;
    for (unsigned i = 0; i < settings->resamples; i++) {
        double mean = resampled_mean(&random_a, a, surplus_a);
        if (b.count != 0)
            mean -= resampled_mean(&random_b, b, surplus_b);
        tail_add(low, mean);
        tail_add(high, -mean);
    }
}

/* Each side at least `half` away from the estimate. */
static struct interval at_least(struct interval interval, double estimate, double half)
{
    if (interval.low > estimate - half)
        interval.low = estimate - half;
    if (interval.high < estimate + half)
        interval.high = estimate + half;
    return interval;
}

int bootstrap_mean(struct sample a, struct sample b, const struct bootstrap *settings,
                   struct bootstrap_result *out, struct err *err)
{
    if (a.count < 2 || b.count == 1 || settings->resamples < 2 || a.count > UINT16_MAX ||
        b.count > UINT16_MAX)
        return err_set(err, ERR_INTERNAL, "bootstrap of %zu and %zu values", a.count,
                       b.count);
    size_t n = b.count != 0 && b.count < a.count ? b.count : a.count;
    double t = dist_student_quantile((1 - settings->confidence) / 2, (unsigned)n - 1);
    double expanded = dist_normal_cdf(-num_mul(num_sqrt((double)n / (double)(n - 1)), t));
    double rank = num_mul(expanded, settings->resamples - 1.0); /* counted from 0 */
    size_t whole = (size_t)rank;
    size_t size = whole + 2 <= settings->resamples ? whole + 2 : settings->resamples;
    __attribute__((cleanup(free_tail))) struct tail low = {.size = size};
    __attribute__((cleanup(free_tail))) struct tail high = {.size = size};
    low.values = calloc(size, sizeof *low.values);
    high.values = calloc(size, sizeof *high.values);
    if (low.values == NULL || high.values == NULL)
        return err_set(err, ERR_HOST, "bootstrap: out of memory");
    resample(a, b, settings, &low, &high);

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
    struct interval percentile = {tail_quantile(&low, part), -tail_quantile(&high, part)};
    *out = (struct bootstrap_result){
        .estimate = estimate,
        .plain = at_least(percentile, estimate, num_mul(t, standard_error)),
        .standard_error = standard_error,
        .df = (unsigned)n - 1,
        .t = t};
    return 0;
}

struct interval bootstrap_stretch(const struct bootstrap_result *result,
                                  double confidence, double comparisons, double scatter)
{
    double tail = (1 - confidence) / 2;
    double t = dist_student_quantile(tail / comparisons, result->df);
    double factor = t / result->t;
    double estimate = result->estimate;
    double least = scatter / num_sqrt(result->df + 1.0);
    double error = result->standard_error > least ? result->standard_error : least;
    struct interval stretched = {
        estimate - num_mul(factor, estimate - result->plain.low),
        estimate + num_mul(factor, result->plain.high - estimate),
    };
    return at_least(stretched, estimate, num_mul(t, error));
}
