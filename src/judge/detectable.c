/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the smallest change that a measurement could have seen. */
#include "judge/detectable.h"

#include "judge/dist.h"
#include "judge/num.h"
#include "judge/numbers.h"

static const double missed = 0.05; /* 1 − power */

double detectable_of(const struct estimate *estimate)
{
    const struct bootstrap_result *result = &estimate->workings.result;
    if (!estimate->change.known)
        return 0;
    double width = (result->plain.high - result->plain.low) / 2;
    double low = 1 - 1 / (4.0 * result->df);
    double log = width * (1 + dist_student_quantile(missed, result->df) / result->t) / low;
    static const double most = 30; /* a factor of 1e13 */
    return num_exp(log < most ? log : most) - 1 + estimate->workings.half_tick +
           estimate->workings.margin;
}

static int estimate_alone(const struct medians *medians, double tick_ns,
                          const struct levels *levels, struct estimate *out, struct err *err)
{
    NUMBERS_AUTO *own = numbers_new(medians->count);
    if (own == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    size_t count = medians_column(medians, ARM_HEAD, ARM_HEAD, own);
    return change_stored(medians, own, count, tick_ns, 0, NULL, levels, out, err);
}

int detectable(const struct config_samples *config, enum arm other, const struct rule *rule,
               double *out, struct err *err)
{
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    struct estimate estimate __attribute__((cleanup(estimate_free))) = {0};
    const struct levels levels = {.bootstrap = {.resamples = rule->resamples,
                                                .seed = rule->seed,
                                                .confidence = rule->confidence},
                                  .looks = 1,
                                  .family = 1};
    const struct pair pair = {
        .arm = ARM_HEAD, .other = other, .tick_ns = config->clock_resolution_ns};
    if (medians_of(config, &medians, err) != 0)
        return -1;
    int result = other == ARM_HEAD
                     ? estimate_alone(&medians, pair.tick_ns, &levels, &estimate, err)
                     : change_paired(&medians, &pair, &levels, &estimate, err);
    *out = result == 0 ? detectable_of(&estimate) : 0;
    return result;
}
