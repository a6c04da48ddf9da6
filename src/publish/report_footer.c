/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the last lines of a report: the rule, and how often it errs. */
#include "publish/figures.h"
#include "publish/report_parts.h"

#include <math.h>
#include <string.h>

static void write_rule(const struct rule *rule, struct buf *out)
{
    char text[FIGURE_BYTES];
    buf_addf(out, "Rule: regressed or improved when the %g%% interval, corrected for ",
             100 * rule->confidence);
    if (rule->look_count > 1) {
        buf_adds(out, "looks at ");
        for (unsigned i = 0; i < rule->look_count && i < RULE_LOOKS_MAX; i++)
            buf_addf(out, "%s%u",
                     i == 0                      ? ""
                     : i + 1 == rule->look_count ? " and "
                                                 : ", ",
                     rule->looks[i]);
        buf_adds(out, " replicates and for ");
    }
    buf_addf(out, "the number of configs, is wholly beyond ±%s of the anchor",
             figure_share(text, rule->threshold));
    buf_addf(out, ", and regressed only if the change also adds more than %s to base. ",
             figure_share(text, rule->own_floor));
}

/* A rate of errors in percent, to two digits; a bound is never rounded down. */
static void write_rate(struct buf *out, double rate, bool is_bound)
{
    double percent = 100 * rate;
    if (!(percent > 0)) {
        buf_adds(out, "0%");
        return;
    }
    int decimals = 1 - (int)floor(log10(percent));
    double steps = percent * pow(10, decimals);
    steps = is_bound ? ceil(steps - 1e-6) : round(steps); /* what rounding added is no digit */
    buf_addf(out, "%.*f%%", decimals > 0 ? decimals : 0, steps / pow(10, decimals));
}

static bool same_rule(const struct calibration *calibration, const struct rule *rule)
{
    unsigned budget = rule->look_count > 0 ? rule->looks[rule->look_count - 1] : 0;
    return fabs(calibration->threshold - rule->threshold) < 1e-9 &&
           fabs(calibration->confidence - rule->confidence) < 1e-9 &&
           calibration->budget == budget;
}

/* A time budget changed how this was measured. */
static bool budget_cut(const struct samples *samples)
{
    for (size_t i = 0; samples != NULL && i < samples->count; i++)
        if (samples->configs[i].shortened || samples->configs[i].out_of_time)
            return true;
    return false;
}

/* Were these samples taken as those of the calibration were? */
static bool same_protocol(const struct calibration *calibration, const struct samples *samples)
{
    if (samples == NULL)
        return true;
    const char *then = calibration->protocol;
    return strcmp(then[0] == '\0' ? MODEL_PROTOCOL_FIRST : then,
                  environment_protocol(&samples->environment)) == 0;
}

/* How often the rule errs on this very device: what a reader should know before believing a
 * verdict. It holds for the protocol that it was recorded with, and is quoted for no other. */
static void write_calibration(const struct calibration *calibration, const struct rule *rule,
                              struct buf *out)
{
    char text[FIGURE_BYTES];
    if (rule != NULL && !same_rule(calibration, rule)) {
        buf_addf(out,
                 "Calibration: not quoted; that of %.10s was of another rule: ±%s at %g%%, up "
                 "to %u replicates.",
                 calibration->recorded, figure_share(text, calibration->threshold),
                 100 * calibration->confidence, calibration->budget);
        return;
    }
    buf_addf(out,
             "Calibrated on this device on %.10s: of %llu checks of identical code, drawn "
             "from %u processes, %llu (",
             calibration->recorded, calibration->checks, calibration->processes,
             calibration->wrong);
    write_rate(out, (double)calibration->wrong / (double)calibration->checks, false);
    buf_adds(out, ") read regressed or improved, at most ");
    write_rate(out, calibration->wrong_upper, true);
    buf_adds(out, " by Clopper and Pearson's 95% bound; ");
    if (calibration->smallest_change > 0)
        buf_addf(out, "the smallest change seen in 95%% of checks is %s.",
                 figure_share(text, calibration->smallest_change));
    else
        buf_adds(out, "no change that was tried is seen in 95% of checks.");
}

void report_footer(const struct report_view *view, struct buf *out)
{
    const struct report *report = view->report;
    buf_adds(out, "\n<sub>");
    if (report->rule != NULL)
        write_rule(report->rule, out);
    buf_adds(out, "Positive is slower.");
    if (report->calibration != NULL && budget_cut(report->samples)) {
        buf_addf(out,
                 " Calibration: not quoted; that of %.10s was without the time budget, which "
                 "cut this measurement short.",
                 report->calibration->recorded);
    } else if (report->calibration != NULL &&
               !same_protocol(report->calibration, report->samples)) {
        buf_addf(
            out,
            " Calibration: not quoted; that of %.10s was of measuring protocol %s, which is "
            "not this one: record it again (`ratchet calibrate`).",
            report->calibration->recorded, report->calibration->protocol);
    } else if (report->calibration != NULL) {
        buf_addc(out, ' ');
        write_calibration(report->calibration, report->rule, out);
    } else if (report->calibration_problem != NULL) {
        buf_adds(out, " Not calibrated: ");
        parts_text(out, report->calibration_problem, 300);
        buf_addc(out, '.');
    } else if (report->rule != NULL) {
        buf_adds(out, " Calibration: none recorded for this device yet.");
    }
    buf_adds(out, "</sub>\n");
}
