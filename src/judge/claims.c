/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whether the times that arms claim can be believed: the slopes that they have against the
 * host's clock (measure/agree.h), over all replicates, held against each other. Against each other
 * and not against 1, since on a busy host all of them are steeper: who has computed for long waits for
 * long, and some of that between samples. What all arms have in common is no lie that helps one.
 *
 * Each replicate's slope is weighed by 1 / error^2. Where they lie further apart than their errors
 * say, the error of the mean is widened by how far (Birge's ratio, Phys. Rev. 40, 207, 1932). Two arms
 * disagree only where the interval of the ratio of their slopes is wholly outside 1 ± 3%. It is so
 * wide that of 10 000 checks with honest arms at most one disagrees, over all its configs, pairs and
 * looks. Where head could hide 25% and not be seen, a green becomes unclear. */
#include "judge/compare_internal.h"
#include "judge/dist.h"
#include "judge/levels.h"
#include "judge/num.h"

#include <string.h>

#define UNSEEN_TAIL 0.025 /* the usual 95% interval's */
enum { WIDER_TIMES = 3 }; /* an error that is head's own */

static const double false_accusations = 1e-4; /* of honest checks */

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* What a replicate's slope weighs; 0: it does not count. */
static double weight_of(const struct replicate *replicate, enum arm arm)
{
    const struct clock_slope *clock = &replicate->clock[arm];
    return replicate->marks != 0 || clock->freedom == 0
               ? 0
               : 1 / larger(clock->error * clock->error, 1e-12);
}

/* Over fewer replicates than a verdict needs nothing is known. */
static struct claim claim_of(const struct config_samples *samples, enum arm arm, size_t least)
{
    struct claim claim = {0};
    double weights = 0, sum = 0, apart = 0;
    size_t count = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct clock_slope *clock = &samples->replicates[i].clock[arm];
        double weight = weight_of(&samples->replicates[i], arm);
        weights += weight;
        sum += weight * clock->slope;
        claim.freedom += weight > 0 ? clock->freedom : 0;
        count += weight > 0;
    }
    if (count < least || count == 0)
        return (struct claim){.freedom = 0};
    claim.slope = sum / weights;
    for (size_t i = 0; i < samples->count; i++) {
        double off = samples->replicates[i].clock[arm].slope - claim.slope;
        apart += weight_of(&samples->replicates[i], arm) * off * off;
    }
    double birge = count > 1 ? larger(1, apart / (double)(count - 1)) : 1;
    claim.error = num_sqrt(birge / weights);
    return claim;
}

/* False where one is not known. The error of a ratio is that of its logarithm, to the first order. */
static bool hold(const struct claim claims[ARM_OTHER], enum arm arm, enum arm other,
                 double tail, struct claim_pair *out)
{
    enum { FREEDOM_MAX = 1000 };
    const struct claim *a = &claims[arm], *b = &claims[other];
    if (a->freedom == 0 || b->freedom == 0 || !(a->slope > 0) || !(b->slope > 0))
        return false;
    unsigned long long freedom = a->freedom < b->freedom ? a->freedom : b->freedom;
    double of_a = a->error / a->slope, of_b = b->error / b->slope;
    double ratio = a->slope / b->slope;
    double reach = ratio * num_sqrt(of_a * of_a + of_b * of_b) *
                   dist_student_quantile(tail, freedom < FREEDOM_MAX ? (unsigned)freedom
                                                                     : FREEDOM_MAX);
    *out = (struct claim_pair){arm, other, ratio, reach, ratio - reach > 1 + CLAIM_TOLERANCE};
    return true;
}

static bool accuse(struct judged *judged, const struct claim_pair *seen, enum fault fault)
{
    set_verdict(judged, CLAUSE_IMPLAUSIBLE, VERDICT_UNMEASURED, fault);
    add_reason(
        judged->out,
        "by this host's clock the samples of %s claim %.3g%% [%.3g, %.3g] of the time that "
        "passed, where those of %s claim 100%%",
        arm_name(seen->arm), 100 / seen->ratio, 100 / (seen->ratio + seen->reach),
        100 / (seen->ratio - seen->reach), arm_name(seen->other));
    if (fault == FAULT_PR && seen->arm != ARM_HEAD)
        add_reason(judged->out, ", the same code; head is loaded beside them");
    return true;
}

/* The main arm whose slope is known best; ARM_OTHER: of none. */
static enum arm best_known(const struct claim claims[ARM_OTHER])
{
    enum arm best = ARM_OTHER;
    for (int arm = ARM_HEAD + 1; arm < ARM_OTHER; arm++)
        if (claims[arm].freedom > 0 &&
            (best == ARM_OTHER || claims[arm].error < claims[best].error))
            best = (enum arm)arm;
    return best;
}

void judge_unseen(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    struct claim claims[ARM_OTHER];
    struct claim_pair seen = {.ratio = 0};
    if (out->verdict != VERDICT_HELD && out->verdict != VERDICT_IMPROVED)
        return;
    memcpy(claims, judged->log->claims, sizeof claims);
    enum arm other = best_known(claims);
    bool by_itself = other == ARM_OTHER;
    if (by_itself) { /* against the stored samples: it has to be true by itself */
        other = ARM_ANCHOR;
        claims[other] = (struct claim){1, 0, claims[ARM_HEAD].freedom};
    }
    if (claims[ARM_HEAD].freedom == 0)
        return;
    (void)hold(claims, ARM_HEAD, other, UNSEEN_TAIL, &seen);
    judged->log->unseen = seen;
    if (by_itself)
        judged->log->unseen.other = ARM_OTHER;
    if (claims[ARM_HEAD].slope > 0 && seen.ratio + seen.reach <= 1 + CLAIM_UNSEEN)
        return;
    bool heads = claims[ARM_HEAD].error > WIDER_TIMES * claims[other].error;
    set_verdict(judged, CLAUSE_IMPLAUSIBLE, VERDICT_UNCLEAR, heads ? FAULT_PR : FAULT_HOST);
    add_reason(out,
               "; but by this host's clock head may take %.3g%% longer than its samples claim",
               100 * (seen.ratio + seen.reach - 1));
}

/* Whose doing it is. Head's library runs beside the others and gains where it looks fast beside them:
 * where it claims less than one of them, or where the anchor's own copy does not claim what the
 * anchor does. That main's arms claim less than head's is nothing that head would do. The first pair
 * that disagrees is named. */
bool judge_claims(struct judged *judged)
{
    static const struct {
        enum arm arm, other;
        enum fault fault;
    } pairs[CLAIM_PAIRS] = {
        {ARM_HEAD, ARM_BASE, FAULT_PR},      {ARM_HEAD, ARM_ANCHOR, FAULT_PR},
        {ARM_HEAD, ARM_CONTROL, FAULT_PR},   {ARM_ANCHOR, ARM_CONTROL, FAULT_PR},
        {ARM_CONTROL, ARM_ANCHOR, FAULT_PR}, {ARM_BASE, ARM_HEAD, FAULT_BASE},
        {ARM_BASE, ARM_ANCHOR, FAULT_BASE},  {ARM_BASE, ARM_CONTROL, FAULT_BASE},
        {ARM_ANCHOR, ARM_HEAD, FAULT_BASE},  {ARM_ANCHOR, ARM_BASE, FAULT_BASE},
        {ARM_CONTROL, ARM_HEAD, FAULT_BASE}, {ARM_CONTROL, ARM_BASE, FAULT_BASE},
    };
    struct config_log *log = judged->log;
    const struct claim_pair *first = NULL;
    enum fault fault = FAULT_NONE;
    double tail = false_accusations / (CLAIM_PAIRS * judged->levels->family);
    for (int arm = 0; arm < ARM_OTHER; arm++)
        log->claims[arm] = claim_of(judged->samples, (enum arm)arm,
                                    judged->rule->min_replicates);
    for (size_t i = 0; i < CLAIM_PAIRS; i++) {
        struct claim_pair *pair = &log->pairs[log->pair_count];
        if (!hold(log->claims, pairs[i].arm, pairs[i].other, tail, pair))
            continue;
        log->pair_count++;
        if (first == NULL && pair->disagrees) {
            first = pair;
            fault = pairs[i].fault;
        }
    }
    return first != NULL && accuse(judged, first, fault);
}
