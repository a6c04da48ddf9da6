/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the step from medians to logs of ratios, and from intervals of these back to relative
 * changes. */
#include "judge/change.h"

#include "judge/num.h"
#include "judge/numbers.h"
#include "judge/stats.h"

#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_HOST, "judge: out of memory");
}

/* Beyond this nobody measured anything: a time is at most 1e15 ns. It keeps every number
 * finite, whatever the samples. */
static const double most = 1e15;

static double at_most(double number)
{
    return number < most ? number : most; /* also for NaN */
}

static double relative(double log_ratio)
{
    return at_most(num_exp(log_ratio) - 1);
}

/* Back from logs, then at least half a tick and the margin on either side. */
static struct interval finish(struct interval logs, struct bounds *bounds, double change,
                              double half_tick, double margin)
{
    struct interval interval = {relative(logs.low), relative(logs.high)};
    if (interval.low > change - half_tick) {
        interval.low = change - half_tick;
        bounds->low = BOUND_TICK;
    }
    if (interval.high < change + half_tick) {
        interval.high = change + half_tick;
        bounds->high = BOUND_TICK;
    }
    interval.low -= margin;
    interval.high += margin;
    return interval;
}

static const double per_sqrt6 = 0x1.a20bd700c2c3ep-2; /* 1 / √6 */

/* The estimate of a (or a − b) with its three intervals. `tick` is relative. */
static int estimate_from(struct sample a, struct sample b, double tick, double margin,
                         double scatter, bool shrink, const struct levels *levels,
                         struct estimate *out, struct err *err)
{
    struct workings *workings = &out->workings;
    struct bootstrap_result result;
    if (bootstrap_mean(a, b, &levels->bootstrap, &result, err) != 0)
        return -1;
    double confidence = levels->bootstrap.confidence;
    double half_tick = 0.5 * tick;
    double rounding = tick * per_sqrt6;
    double change = relative(result.estimate);
    double least = scatter > rounding ? scatter : rounding;
    const struct spread *others = shrink ? &levels->spread : NULL;
    struct corrected looks = bootstrap_correct(&result, confidence, levels->looks, least,
                                               others);
    struct corrected family = bootstrap_correct(&result, confidence, levels->family, least,
                                                others);
    *workings = (struct workings){.result = result,
                                  .looks = looks,
                                  .family = family,
                                  .plain_bounds = result.bounds,
                                  .looks_bounds = looks.bounds,
                                  .family_bounds = family.bounds,
                                  .half_tick = half_tick,
                                  .margin = margin,
                                  .scatter = least,
                                  .tick_scatter = rounding};
    out->change = (struct change){
        .known = true,
        .change = change,
        .ci = finish(result.plain, &workings->plain_bounds, change, half_tick, margin),
        .ci_decision = finish(looks.interval, &workings->looks_bounds, change, half_tick,
                              margin)};
    out->family = finish(family.interval, &workings->family_bounds, change, half_tick, margin);
    out->replicates = a.count;
    out->scatter = result.standard_error * num_sqrt((double)a.count);
    return 0;
}

void estimate_free(struct estimate *estimate)
{
    free(estimate->logs);
    estimate->logs = NULL;
}

static double log_ratio(double time, double other)
{
    double ratio = at_most(time / other);
    return num_log(ratio > 1 / most ? ratio : 1 / most);
}

/* The logs of a pair's ratios, with room for those that are missing, and a tick relative to
 * the other's median (0 where there are fewer than two). The caller frees *out. */
static int log_ratios(const struct medians *medians, const struct pair *pair, double **out,
                      size_t *count, double *tick, struct err *err)
{
    size_t missing = pair->missing == NULL ? 0 : pair->missing->count;
    NUMBERS_AUTO *logs = numbers_new(medians->count + missing);
    NUMBERS_AUTO *others = numbers_new(medians->count);
    if (logs == NULL || others == NULL)
        return no_memory(err);
    *count = medians_column(medians, pair->arm, pair->other, logs);
    medians_column(medians, pair->other, pair->arm, others);
    for (size_t i = 0; i < *count; i++)
        logs[i] = log_ratio(logs[i], others[i]);
    *tick = *count < 2 ? 0 : at_most(pair->tick_ns / stats_median(others, *count));
    *out = logs;
    logs = NULL;
    return 0;
}

static size_t fill(double *values, size_t count, const struct missing *missing)
{
    for (size_t i = 0; missing != NULL && i < missing->count; i++)
        values[count++] = missing->log;
    return count;
}

int change_paired(const struct medians *medians, const struct pair *pair,
                  const struct levels *levels, struct estimate *out, struct err *err)
{
    NUMBERS_AUTO *logs = NULL;
    size_t count;
    double tick;
    if (log_ratios(medians, pair, &logs, &count, &tick, err) != 0)
        return -1;
    count = fill(logs, count, pair->missing);
    *out = (struct estimate){.replicates = count};
    if (count < 2)
        return 0;
    if (estimate_from((struct sample){logs, count}, (struct sample){0}, tick, 0, pair->scatter,
                      pair->shrink, levels, out, err) != 0)
        return -1;
    out->logs = logs;
    logs = NULL;
    return 0;
}

int change_variance(const struct medians *medians, const struct pair *pair, double *variance,
                    double *df, struct err *err)
{
    NUMBERS_AUTO *logs = NULL;
    size_t count;
    double tick;
    if (log_ratios(medians, pair, &logs, &count, &tick, err) != 0)
        return -1;
    *variance = *df = 0;
    if (count < 2)
        return 0;
    double mean = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        mean += logs[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        sum += (logs[i] - mean) * (logs[i] - mean);
    double rounding = tick * per_sqrt6;
    double least = rounding * rounding;
    *df = (double)count - 1;
    *variance = sum / *df > least ? sum / *df : least;
    return 0;
}

int change_stored(const struct medians *medians, const double *stored, size_t count,
                  double tick_ns, double margin, const struct missing *missing,
                  const struct levels *levels, struct estimate *out, struct err *err)
{
    size_t extra = missing == NULL ? 0 : missing->count;
    NUMBERS_AUTO *head = numbers_new(medians->count + extra);
    NUMBERS_AUTO *base = numbers_new(count);
    if (head == NULL || base == NULL)
        return no_memory(err);
    size_t head_count = medians_column(medians, ARM_HEAD, ARM_HEAD, head);
    for (size_t i = 0; i < head_count; i++)
        head[i] = num_log(head[i]);
    head_count = fill(head, head_count, missing);
    *out = (struct estimate){.replicates = head_count};
    if (head_count < 2 || count < 2)
        return 0;
    memcpy(base, stored, count * sizeof *base);
    double tick = at_most(tick_ns / stats_median(base, count));
    for (size_t i = 0; i < count; i++)
        base[i] = num_log(stored[i]); /* in their own order: the median took another */
    if (estimate_from((struct sample){head, head_count}, (struct sample){base, count}, tick,
                      margin, 0, false, levels, out, err) != 0)
        return -1;
    out->logs = head;
    head = NULL;
    return 0;
}

/* The mean of the logs, those that are missing among them. */
static double filled_estimate(const struct estimate *estimate, const struct missing *missing)
{
    double n = (double)estimate->replicates;
    double share = (double)missing->count / (n + (double)missing->count);
    double mean = 0;
    for (size_t i = 0; i < estimate->replicates; i++)
        mean += estimate->logs[i] / n;
    return estimate->workings.result.estimate + share * (missing->log - mean);
}

double change_of_log(const struct estimate *estimate, double mean)
{
    double all = 0;
    for (size_t i = 0; i < estimate->replicates; i++)
        all += estimate->logs[i] / (double)estimate->replicates;
    return relative(estimate->workings.result.estimate + mean - all);
}

double change_mean(const struct estimate *estimate, const struct missing *missing)
{
    return relative(filled_estimate(estimate, missing));
}

double change_family_low(const struct estimate *estimate, const struct missing *missing,
                         double scatter)
{
    const struct workings *workings = &estimate->workings;
    double error = scatter / num_sqrt(workings->result.df + 1.0);
    double low = filled_estimate(estimate, missing) - workings->family.t * error;
    return relative(low) - workings->half_tick - workings->margin;
}

static double mean_log(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += num_log(values[i]);
    return sum / (double)count;
}

double change_of_means(const double *a, size_t n, const double *b, size_t m)
{
    return relative(mean_log(a, n) - mean_log(b, m));
}
