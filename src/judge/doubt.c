/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which unclear verdicts `unclear = pass` passes.
 *
 * Threat model. Head's author wants a regression to pass. Without tricks his head would be
 * called regressed by a clear margin; he may only make it worse. What he can choose:
 *   - head's times: delays, in replicates and samples of his choice, so that head scatters and
 *     its interval straddles a line;
 *   - when head is missing: in the replicates, or the samples, where it was slow;
 *   - killing his process as if the host had done it: that replicate is taken again;
 *   - marks: he loads the machine while head runs, so that a slow replicate is left out;
 *   - failing, in some replicates or in all;
 *   - how long his own arm takes, so that a time budget is spent before he is found out.
 * He does not choose the times of main's arms: anchor, base and control run main's code.
 * (A head that times itself faster than it is, or slows main's arms from within their process, is
 * another threat: measure/ and verification.)
 *
 * So a doubt passes only if it is one that the machine can have made, not head:
 *   - it is a doubt about the line itself, made of enough replicates: `straddles`, or
 *     `own-unclear`. Gaps, marks that left too few, no samples, any failure never pass;
 *   - no time budget cut it short: more replicates could have shown a regression;
 *   - few were left out: at most one for two that were judged, and at most one in ten for
 *     anything but a mark (else it is `gaps`);
 *   - head scatters no more than three times as far as the same binary does against itself:
 *     what straddles because of head's own scatter is head's doing;
 *   - it would not be regressed if head scattered as control does, and every replicate that was
 *     left out were the worst that is left: no delay, gap or mark can buy more than that.
 * Delays raise the estimate, and the two that are left out of it, scatter and absence, are
 * bounded by what main's own code shows on this machine.
 *
 * "As control does" is its scatter against the anchor; without a control, base's against the
 * anchor; where stored samples decide, theirs; never less than a tenth of the threshold, a margin
 * that nobody has to fear, nor than a tick of the clock makes. Without any it is that tenth. The
 * other configs are no help: head runs there, too. */
#include "judge/compare_internal.h"

#include "judge/num.h"

enum { LEFT_OUT_ONE_IN = 2, SCATTER_TIMES = 3, THRESHOLD_PARTS = 10 };

static double scatter_of_logs(const double *values, size_t count)
{
    double mean = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        mean += num_log(values[i]) / (double)count;
    for (size_t i = 0; i < count; i++) {
        double off = num_log(values[i]) - mean;
        sum += off * off;
    }
    return count < 2 ? 0 : num_sqrt(sum / (double)(count - 1));
}

/* How far ratios scatter here without head's doing. */
static double machine_scatter(const struct judged *judged, const struct estimate *estimate)
{
    const struct config_log *log = judged->log;
    double least = judged->rule->threshold / THRESHOLD_PARTS;
    double scatter = judged->out->against == AGAINST_STORED
                         ? scatter_of_logs(log->stored_medians, log->stored_count)
                         : log->main_scatter;
    if (scatter < least)
        scatter = least;
    double rounding = estimate->workings.tick_scatter;
    return scatter > rounding ? scatter : rounding;
}

bool head_scatters(const struct judged *judged, const struct estimate *estimate)
{
    return estimate->scatter > SCATTER_TIMES * machine_scatter(judged, estimate);
}

/* Would it be wholly above `floor`, if head scattered as the machine does? */
static bool above(const struct estimate *estimate, size_t left_out, double scatter,
                  double floor)
{
    double worst = estimate->logs[0];
    for (size_t i = 1; i < estimate->replicates; i++)
        if (estimate->logs[i] > worst)
            worst = estimate->logs[i];
    const struct missing missing = {left_out, worst};
    return change_family_low(estimate, &missing, scatter) > floor;
}

static const char *refusal(const struct judged *judged)
{
    const struct config_verdict *out = judged->out;
    const struct estimate *estimate = deciding(judged);
    const struct estimate *own = &judged->log->base;
    /* A process that was killed left an attempt, and no replicate. */
    size_t taken = judged->samples->attempts > judged->samples->count
                       ? judged->samples->attempts
                       : judged->samples->count;
    size_t left_out = taken - estimate->replicates;
    bool has_own = out->against != AGAINST_BASE && own->change.known;
    double scatter = machine_scatter(judged, estimate);
    if (judged->samples->out_of_time)
        return "the time budget cut it short";
    if (LEFT_OUT_ONE_IN * left_out > estimate->replicates)
        return "too many replicates were left out";
    if (head_scatters(judged, estimate) ||
        (out->clause == CLAUSE_OWN_UNCLEAR && head_scatters(judged, own)))
        return "head scatters more than three times as far as the machine does";
    if (above(estimate, left_out, scatter, judged->rule->threshold) &&
        (!has_own || above(own, left_out, scatter, judged->rule->own_floor)))
        return "it would be regressed if head scattered as the machine does";
    return NULL;
}

bool doubt_passes(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    if (out->clause != CLAUSE_STRADDLES && out->clause != CLAUSE_OWN_UNCLEAR)
        return false;
    const char *why = refusal(judged);
    if (why != NULL && judged->rule->unclear_passes)
        add_reason(out, "; `unclear = pass` does not pass it: %s", why);
    return why == NULL;
}
