/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words of the decision log. Numbers are looked up, never derived; the only
 * arithmetic is to percent. */
#include "judge/explain.h"

#include "judge/num.h"
#include "judge/text.h"

/* Where one clause has several ways to a verdict, the verdict tells which. */
static const char *clause_words(const struct config_verdict *verdict,
                                const struct config_log *log)
{
    switch (verdict->clause) {
    case CLAUSE_WITHIN:
        return "the interval of the looks is wholly within ±threshold: held";
    case CLAUSE_BEYOND:
        if (verdict->verdict == VERDICT_IMPROVED)
            return "the family-wise interval is wholly below −threshold: improved";
        return log->base.replicates == 0 || verdict->against == AGAINST_BASE
                   ? "the family-wise interval is wholly above threshold, and no base arm can "
                     "tell whether this change did it: regressed"
                   : "the family-wise interval is wholly above threshold, and against base "
                     "wholly above own-floor: regressed";
    case CLAUSE_STRADDLES:
        return "the interval of the looks is not wholly within ±threshold, nor the "
               "family-wise "
               "interval wholly beyond: unclear";
    case CLAUSE_LOST_ON_MAIN:
        return "the family-wise interval is wholly above threshold, but against base not "
               "wholly above own-floor: held, already lost";
    case CLAUSE_OWN_UNCLEAR:
        if (!log->base.change.known)
            return "the family-wise interval is wholly above threshold, but a single "
                   "replicate has base: unclear";
        return verdict->wants_more
                   ? "the family-wise interval is wholly above threshold, against base not "
                     "wholly above own-floor, and replicates are left: unclear"
                   : "the family-wise interval is wholly above threshold, and against base "
                     "not wholly above own-floor because head scatters: unclear";
    case CLAUSE_GAPS:
        return "replicates that are missing could change the verdict: unclear";
    case CLAUSE_BELOW_CLOCK:
        return "half a tick of the clock reaches beyond ±threshold: unmeasured";
    case CLAUSE_NOT_MEASURED:
        return "the baseline has it, and there are no samples of it: unmeasured";
    case CLAUSE_RETIRED:
        return "base dropped it, and nobody measured it: held";
    case CLAUSE_FEW_REPLICATES:
        return "fewer replicates than `min-replicates`: unmeasured";
    case CLAUSE_BUDGET:
        return "the time budget was spent before there were `min-replicates`, or processes "
               "without head: unclear";
    case CLAUSE_MARKED:
        return log->medians.count == 0
                   ? "every replicate with samples of head is marked: unclear"
                   : "fewer than `min-replicates` are left without a mark: unclear";
    case CLAUSE_CONTROL_BIASED:
        return "control lies wholly outside its floor, biased: unmeasured";
    case CLAUSE_NO_SAMPLES:
        return "no replicate has samples of head: unmeasured";
    case CLAUSE_NOTHING_AGAINST:
        return "there is nothing to compare against: unmeasured";
    case CLAUSE_ANCHOR_UNBUILT:
        return "no recipe builds the anchor here, so nothing is decided: unclear";
    case CLAUSE_IDENTICAL_CODE:
        return "the same machine code needs no measuring: held";
    default:
        return verdict->verdict == VERDICT_UNMEASURED ? "it could not be measured: unmeasured"
                                                      : clause_name(verdict->clause);
    }
}

static const char *const bound_words[] = {
    [BOUND_BOOTSTRAP] = "bootstrap",
    [BOUND_STUDENT] = "Student's t",
    [BOUND_SCATTER] = "least scatter",
    [BOUND_TICK] = "half a tick",
};

static void put_interval(struct buf *out, const char *name, struct interval interval,
                         struct bounds bounds)
{
    buf_addf(out, "    %-13s %+.4f%% to %+.4f%%  (low: %s, high: %s)\n", name,
             100 * interval.low, 100 * interval.high, bound_words[bounds.low],
             bound_words[bounds.high]);
}

/* ---- what holds for all configs ---- */

static void put_share(const char *key, double value, struct buf *out)
{
    buf_addf(out, "%s %g%%", key, 100 * value);
}

static void put_count(const char *key, unsigned long long value, struct buf *out)
{
    buf_addf(out, "%s %llu", key, value);
}

/* Every number of the rule, by its key in ratchet.conf. */
static void put_keys(const struct rule *rule, struct buf *out)
{
    const char *before = "rule: ";
#define PUT_KEY(type, field, key, ...)            \
    buf_adds(out, before);                        \
    _Generic((type)0, double                      \
             : put_share, unsigned                \
             : put_count, unsigned long long      \
             : put_count)(key, rule->field, out); \
    before = ", ";
    RULE_TABLE(PUT_KEY)
#undef PUT_KEY
    buf_addc(out, '\n');
}

static void put_shrinkage(const struct levels *levels, size_t family, struct buf *out)
{
    if (levels->spread.df > 0)
        buf_addf(out,
                 "variance shrinkage: prior standard deviation %.6f, prior degrees of freedom "
                 "%g, for a config at most as many as its own\n",
                 num_sqrt(levels->spread.variance), levels->spread.df);
    else if (family >= SPREAD_LEAST)
        buf_adds(out,
                 "variance shrinkage: none, the variances of the configs differ too much\n");
}

static void put_rule(const struct rule *rule, const struct compare_log *log, struct buf *out)
{
    put_keys(rule, out);
    buf_adds(out, "looks: at");
    for (unsigned i = 0; i < rule->look_count; i++)
        buf_addf(out, "%s %u", i == 0 ? "" : ",", rule->looks[i]);
    buf_adds(out, " replicates");
    for (unsigned run = 0; run < log->runs; run++) {
        const struct levels *levels = &log->levels[run];
        if (log->runs > 1)
            buf_addf(out, "%sattempt %u", run == 0 ? "\n" : "", run + 1);
        buf_addf(
            out,
            "%s α is divided by %g (looks, and the re-runs that could come) for `looks`, the "
            "interval that decides held, and by %g (… × %zu configs) for `family`, the "
            "family-wise interval, that decides regressed or improved\n",
            log->runs > 1 ? ":" : ";", levels->looks, levels->family, log->family[run]);
        put_shrinkage(levels, log->family[run], out);
    }
}

/* ---- replicates ---- */

/* A line of the table: the medians that were used, or why there are none. */
static void put_replicate(const struct config_samples *samples, const struct medians *medians,
                          size_t at, size_t row, struct buf *out)
{
    const struct replicate *replicate = &samples->replicates[at];
    buf_addf(out, "    %5zu", at + 1);
    if (row == medians->count || medians->from[row] != at) {
        char marks[TEXT_MARKS_BYTES];
        buf_addf(out, "  left out: %s\n",
                 replicate->marks != 0                  ? text_marks(marks, replicate->marks)
                 : replicate->arms[ARM_HEAD].count == 0 ? "no samples of head"
                                                        : "nothing was compared");
        return;
    }
    for (int arm = 0; arm < ARM_OTHER; arm++) {
        if (medians->rows[row][arm] > 0)
            buf_addf(out, "  %12.3f", medians->rows[row][arm]);
        else
            buf_addf(out, "  %12s", "-");
    }
    buf_addc(out, '\n');
}

static void put_replicates(const struct config_samples *samples, const struct config_log *log,
                           struct buf *out)
{
    if (samples->count == 0)
        return;
    buf_adds(out, "  replicates, medians in ns\n         ");
    for (int arm = 0; arm < ARM_OTHER; arm++)
        buf_addf(out, "  %12s", arm_name((enum arm)arm));
    buf_addc(out, '\n');
    size_t row = 0;
    for (size_t at = 0; at < samples->count; at++) {
        put_replicate(samples, &log->medians, at, row, out);
        row += row < log->medians.count && log->medians.from[row] == at;
    }
}

/* ---- one estimate ---- */

static void put_logs(const struct estimate *estimate, const char *name, struct buf *out)
{
    buf_addf(out, "    %s", name);
    for (size_t i = 0; i < estimate->replicates; i++)
        buf_addf(out, "%s%+.6f", i % 8 == 0 ? "\n      " : " ", estimate->logs[i]);
    buf_addc(out, '\n');
}

static void put_corrected(const char *name, const struct corrected *corrected, struct buf *out)
{
    buf_addf(out, "    %-13s α/2 %.5f, t %.4f, scale factor %.4f, standard error %.6f", name,
             corrected->tail, corrected->t, corrected->factor, corrected->error);
    if (corrected->prior_df > 0)
        buf_addf(out, ", prior degrees of freedom %u", corrected->prior_df);
    buf_addc(out, '\n');
}

/* From values to the three intervals. `scatter` says whose is the least believed. */
static void put_workings(const struct estimate *estimate, const char *values,
                         const char *scatter, struct buf *out)
{
    const struct workings *workings = &estimate->workings;
    const struct bootstrap_result *result = &workings->result;
    put_logs(estimate, values, out);
    buf_addf(out, "    estimate      %+.6f, which is %+.4f%%\n", result->estimate,
             100 * estimate->change.change);
    buf_addf(out, "    standard error %.6f, %u degrees of freedom, t %.4f\n",
             result->standard_error, result->df, result->t);
    buf_addf(out, "    bootstrap     %+.6f to %+.6f, quantiles %.5f and %.5f\n",
             result->percentile.low, result->percentile.high, result->level,
             1 - result->level);
    buf_addf(out, "    least scatter %.6f: %s\n", workings->scatter,
             workings->scatter > workings->tick_scatter ? scatter : "rounding to a tick");
    put_corrected("looks", &workings->looks, out);
    put_corrected("family", &workings->family, out);
    buf_addf(out, "    half a tick   %.4f%%", 100 * workings->half_tick);
    if (workings->margin > 0)
        buf_addf(out, "; then the drift margin, %g%% on either side", 100 * workings->margin);
    buf_addc(out, '\n');
    put_interval(out, "interval", estimate->change.ci, workings->plain_bounds);
    put_interval(out, "looks", estimate->change.ci_decision, workings->looks_bounds);
    put_interval(out, "family", estimate->family, workings->family_bounds);
}

static void put_estimate(const struct estimate *estimate, const char *name, bool decides,
                         const char *values, const char *scatter, struct buf *out)
{
    buf_addf(out, "  %s%s\n", name, decides ? " (decides)" : "");
    if (estimate->change.known)
        put_workings(estimate, values, scatter, out);
    else
        buf_addf(out, "    %zu replicates: no interval\n", estimate->replicates);
}

static void put_stored(const struct config_verdict *verdict, const struct config_log *log,
                       struct buf *out)
{
    if (log->stored_medians == NULL)
        return;
    put_estimate(&log->stored, "head against the stored samples, unpaired",
                 verdict->against == AGAINST_STORED, "ln head", "none", out);
    buf_addf(out, "    stored medians, ns");
    for (size_t i = 0; i < log->stored_count; i++)
        buf_addf(out, "%s%.3f", i % 8 == 0 ? "\n      " : " ", log->stored_medians[i]);
    buf_addc(out, '\n');
    if (verdict->anchor_drift_known)
        buf_addf(out, "    anchor today against stored %+.4f%%\n",
                 100 * verdict->anchor_drift);
}

static void put_estimates(const struct rule *rule, const struct config_verdict *verdict,
                          const struct config_log *log, struct buf *out)
{
    if (log->control.replicates > 0) {
        put_estimate(&log->control, "control against anchor", false, "ln control/anchor",
                     "none", out);
        if (log->control.change.known)
            buf_addf(out, "    biased where `looks` is wholly outside ±%g%%: %s\n",
                     100 * rule->control_floor,
                     verdict->clause == CLAUSE_CONTROL_BIASED ? "yes" : "no");
    }
    static const char control[] = "control's";
    if (log->anchor.replicates > 0)
        put_estimate(&log->anchor, "head against anchor", verdict->against == AGAINST_ANCHOR,
                     "ln head/anchor", control, out);
    if (log->base.replicates > 0) {
        put_estimate(&log->base, "head against base, its own change",
                     verdict->against == AGAINST_BASE, "ln head/base", control, out);
        if (log->base.change.known)
            buf_addf(out, "    adds to it where `family` is wholly above %+g%%: %s\n",
                     100 * rule->own_floor,
                     log->base.family.low > rule->own_floor ? "yes" : "no");
    }
    put_stored(verdict, log, out);
}

/* One estimate made again, with what is missing at the worst that was seen. */
static void put_filled(const struct estimate *filled, const struct missing *missing,
                       const char *name, struct buf *out)
{
    const struct workings *workings = &filled->workings;
    buf_addf(out, "  %s, %zu missing, each at %+.6f\n", name, missing->count, missing->log);
    if (!filled->change.known) {
        buf_addf(out, "    %zu values: no interval\n", filled->replicates);
        return;
    }
    buf_addf(out, "    estimate      %+.6f, which is %+.4f%%\n", workings->result.estimate,
             100 * filled->change.change);
    put_interval(out, "looks", filled->change.ci_decision, workings->looks_bounds);
    put_interval(out, "family", filled->family, workings->family_bounds);
}

static void put_gaps(const struct config_verdict *verdict, const struct config_log *log,
                     struct buf *out)
{
    if (!log->gaps)
        return;
    buf_addf(out,
             "  more than one in ten of %zu unmarked replicates lack an arm: judged again, "
             "each ratio that is missing at the worst seen (ln)\n",
             verdict->rounds);
    put_filled(&log->filled, &log->gap, "the estimate that decides", out);
    if (log->base.replicates > 0 && verdict->against != AGAINST_BASE)
        put_filled(&log->own_filled, &log->own_gap, "head against base", out);
    if (log->control_gap[0].count > 0)
        buf_addf(out, "  control against anchor, %zu missing, each at %+.6f or at %+.6f\n",
                 log->control_gap[0].count, log->control_gap[0].log, log->control_gap[1].log);
}

/* ---- the host's clock, and processes without head ---- */

/* A pair of main's arms that agrees is not told: of those only the anchor and its copy. */
static bool is_told(const struct claim_pair *pair)
{
    return pair->disagrees || pair->arm == ARM_HEAD ||
           (pair->arm == ARM_ANCHOR && pair->other == ARM_CONTROL) ||
           (pair->arm == ARM_CONTROL && pair->other == ARM_ANCHOR);
}

static void put_claims(const struct config_log *log, struct buf *out)
{
    if (log->pair_count == 0)
        return;
    buf_adds(out, "  host's clock: what passes while an arm claims a second\n");
    for (int arm = 0; arm < ARM_OTHER; arm++)
        if (log->claims[arm].freedom > 0)
            buf_addf(out, "    %-14s %.5f s, standard error %.5f, %llu degrees of freedom\n",
                     arm_name((enum arm)arm), log->claims[arm].slope, log->claims[arm].error,
                     log->claims[arm].freedom);
    for (size_t i = 0; i < log->pair_count; i++) {
        const struct claim_pair *pair = &log->pairs[i];
        if (is_told(pair))
            buf_addf(out, "    %7s/%-7s %.4f, %.4f to %.4f%s\n", arm_name(pair->arm),
                     arm_name(pair->other), pair->ratio, pair->ratio - pair->reach,
                     pair->ratio + pair->reach, pair->disagrees ? ": disagree" : "");
    }
    buf_addf(out, "    disagree where a ratio is wholly above %g\n", 1 + CLAIM_TOLERANCE);
    if (log->unseen.ratio > 0)
        buf_addf(out,
                 "    head may take %+.2f%% more than it claims at most, against %s (95%%); a "
                 "green is unclear above %+g%%\n",
                 100 * (log->unseen.ratio + log->unseen.reach - 1),
                 log->unseen.other == ARM_OTHER ? "the clock" : arm_name(log->unseen.other),
                 100 * CLAIM_UNSEEN);
}

static void put_beside(const struct beside_log *beside, struct buf *out)
{
    if (!beside->wanted)
        return;
    buf_addf(out, "  %s beside head against without it: %zu processes against %zu\n",
             arm_name(beside->arm), beside->beside, beside->without);
    if (!beside->known) {
        buf_adds(out, "    too few to tell\n");
        return;
    }
    buf_addf(out, "    difference (ln) %+.6f, standard error %.6f\n", beside->more,
             beside->error);
    buf_addf(out, "    at least %+.6f; head disturbs it where above %+g: %s\n", beside->surely,
             BESIDE_TOLERANCE, beside->surely > BESIDE_TOLERANCE ? "yes" : "no");
    buf_addf(out,
             "    at least %+.6f (95%%); unclear where above 0 and the difference above %+g: "
             "%s\n",
             beside->likely, BESIDE_DOUBT,
             beside->likely > 0 && beside->more > BESIDE_DOUBT ? "yes" : "no");
}

static void put_verdict(const struct config_verdict *verdict, const struct config_log *log,
                        struct buf *out)
{
    buf_addf(out, "  clause: %s\n  %s: ", clause_words(verdict, log),
             verdict_name(verdict->verdict));
    text_plain(out, verdict->reason);
    if (verdict->fault != FAULT_NONE)
        buf_addf(out, " (fault: %s)", fault_name(verdict->fault));
    buf_adds(out, verdict->wants_more ? "; more replicates are wanted\n" : "\n");
}

static void put_config(const struct config_samples *samples, const struct rule *rule,
                       const struct config_verdict *verdict, const struct config_log *log,
                       struct buf *out)
{
    buf_addf(out, "\nconfig %s: %zu replicates used, %zu marked, %zu started\n",
             verdict->config.name, log->medians.count, verdict->marked, verdict->attempts);
    if (log->medians.count > 0)
        buf_addf(out, "  clock ticks in %g ns\n", log->tick_ns);
    put_replicates(samples, log, out);
    put_estimates(rule, verdict, log, out);
    put_gaps(verdict, log, out);
    put_claims(log, out);
    put_beside(&log->beside, out);
    put_verdict(verdict, log, out);
}

void explain_text(const struct samples *samples, const struct rule *rule,
                  const struct comparison *comparison, const struct compare_log *log,
                  struct buf *out)
{
    put_rule(rule, log, out);
    for (size_t i = 0; i < log->count; i++)
        put_config(&samples->configs[i], rule, &comparison->configs[i], &log->configs[i], out);
    for (size_t i = log->count; i < comparison->count; i++) {
        static const struct config_log nothing;
        buf_addf(out, "\nconfig %s: in the baseline alone\n",
                 comparison->configs[i].config.name);
        put_verdict(&comparison->configs[i], &nothing, out);
    }
    buf_addf(out, "\nthe whole is %s: ", verdict_name(comparison->verdict));
    text_plain(out, comparison->reason);
    buf_addc(out, '\n');
}
