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

static const double claim_tolerance = 0.03;
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

/* The slope of one arm over its replicates. */
struct claim {
    double slope, error;
    unsigned long long freedom; /* of the error; 0: not known */
};

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

/* Of what passes while one arm claims a second, how much passes while another does, as an interval. */
struct disagreement {
    enum arm arm, other;
    double ratio, reach;
};

/* True where they disagree. The error of a ratio is that of its logarithm, to the first order. */
static bool disagree(const struct claim claims[ARM_COUNT], enum arm arm, enum arm other,
                     double tail, struct disagreement *out)
{
    enum { FREEDOM_MAX = 1000 };
    const struct claim *a = &claims[arm], *b = &claims[other];
    if (a->freedom == 0 || b->freedom == 0 || !(a->slope > 0) || !(b->slope > 0))
        return false;
    unsigned long long freedom = a->freedom < b->freedom ? a->freedom : b->freedom;
    double of_a = a->error / a->slope, of_b = b->error / b->slope;
    double ratio = a->slope / b->slope;
    *out = (struct disagreement){arm, other, ratio,
                                 ratio * num_sqrt(of_a * of_a + of_b * of_b) *
                                     dist_student_quantile(tail, freedom < FREEDOM_MAX
                                                                     ? (unsigned)freedom
                                                                     : FREEDOM_MAX)};
    return ratio - out->reach > 1 + claim_tolerance;
}

static bool accuse(struct judged *judged, const struct disagreement *seen, enum fault fault)
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

/* A clock that could hide so much and not be seen is none to go green by. */
static const double claim_unseen = 0.25;

/* The main arm whose slope is known best; ARM_COUNT: of none. */
static enum arm best_known(const struct claim claims[ARM_COUNT])
{
    enum arm best = ARM_COUNT;
    for (int arm = ARM_HEAD + 1; arm < ARM_OTHER; arm++)
        if (claims[arm].freedom > 0 &&
            (best == ARM_COUNT || claims[arm].error < claims[best].error))
            best = (enum arm)arm;
    return best;
}

void judge_unseen(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    size_t least = judged->rule->min_replicates;
    struct claim claims[ARM_COUNT];
    struct disagreement seen;
    if (out->verdict != VERDICT_HELD && out->verdict != VERDICT_IMPROVED)
        return;
    for (int arm = 0; arm < ARM_OTHER; arm++)
        claims[arm] = claim_of(judged->samples, (enum arm)arm, least);
    enum arm other = best_known(claims);
    if (other == ARM_COUNT) { /* against the stored samples: it has to be true by itself */
        other = ARM_ANCHOR;
        claims[other] = (struct claim){1, 0, claims[ARM_HEAD].freedom};
    }
    if (claims[ARM_HEAD].freedom == 0)
        return;
    (void)disagree(claims, ARM_HEAD, other, UNSEEN_TAIL, &seen);
    if (claims[ARM_HEAD].slope > 0 && seen.ratio + seen.reach <= 1 + claim_unseen)
        return;
    bool heads = claims[ARM_HEAD].error > WIDER_TIMES * claims[other].error;
    set_verdict(judged, CLAUSE_IMPLAUSIBLE, VERDICT_UNCLEAR, heads ? FAULT_PR : FAULT_HOST);
    add_reason(out,
               "; but by this host's clock head may take %.3g%% longer than its samples claim",
               100 * (seen.ratio + seen.reach - 1));
}

/* Whose doing it is. Head's library runs beside the others and gains where it looks fast beside them:
 * where it claims less than one of them, or where the anchor's own copy does not claim what the
 * anchor does. That main's arms claim less than head's is nothing that head would do. */
bool judge_claims(struct judged *judged)
{
    enum { PAIRS = ARM_OTHER * (ARM_OTHER - 1) };
    struct claim claims[ARM_COUNT];
    struct disagreement seen;
    double tail = false_accusations / (PAIRS * judged->levels->family);
    for (int arm = 0; arm < ARM_OTHER; arm++)
        claims[arm] = claim_of(judged->samples, (enum arm)arm, judged->rule->min_replicates);
    for (int other = ARM_HEAD + 1; other < ARM_OTHER; other++)
        if (disagree(claims, ARM_HEAD, (enum arm)other, tail, &seen))
            return accuse(judged, &seen, FAULT_PR);
    if (disagree(claims, ARM_ANCHOR, ARM_CONTROL, tail, &seen) ||
        disagree(claims, ARM_CONTROL, ARM_ANCHOR, tail, &seen))
        return accuse(judged, &seen, FAULT_PR);
    for (int arm = ARM_HEAD + 1; arm < ARM_OTHER; arm++)
        for (int other = 0; other < ARM_OTHER; other++)
            if (other != arm && disagree(claims, (enum arm)arm, (enum arm)other, tail, &seen))
                return accuse(judged, &seen, FAULT_BASE);
    return false;
}
