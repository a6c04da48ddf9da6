/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whether what head is compared with takes as long without head as beside it: a library that
 * slows the others looks fast. Where the stored samples say what it takes, they are asked. Where it is
 * slower than they say, or there are none, some processes run without head.
 *
 * Logarithms of medians, one for each process; a two-sample interval with a pooled variance (Student
 * 1908). Head is accused where the interval is wholly above 10%, and so wide that of 10 000 honest
 * checks at most one is accused. Where no more than the usual interval is above 0, and the difference
 * above 5%, nothing is decided. */
#include "judge/compare_internal.h"
#include "judge/dist.h"
#include "judge/num.h"
#include "judge/numbers.h"
#include "judge/text.h"

/* A host may have become faster since, for the processes without head come last: so the lines
 * BESIDE_TOLERANCE and BESIDE_DOUBT. */
static const double false_accusations = 1e-4; /* of honest checks */

/* Numbers of one side, summed up. */
struct side {
    double mean, squares; /* of the deviations from it */
    size_t count;
};

static struct side side_of(const double *ns, size_t count)
{
    struct side side = {.count = count};
    for (size_t i = 0; i < count; i++)
        side.mean += num_log(ns[i]) / (double)count;
    for (size_t i = 0; i < count; i++) {
        double off = num_log(ns[i]) - side.mean;
        side.squares += off * off;
    }
    return side;
}

/* Is there a reason to look? What is compared with is slower than its stored samples, or has none. */
static bool is_open(const struct judged *judged)
{
    const struct config_verdict *out = judged->out;
    if (out->verdict != VERDICT_HELD && out->verdict != VERDICT_IMPROVED)
        return false;
    if (out->against == AGAINST_BASE || !out->anchor_drift_known)
        return out->against != AGAINST_STORED;
    return out->against == AGAINST_ANCHOR && out->anchor_drifted && out->anchor_drift > 0;
}

int judge_beside(struct judged *judged, struct err *err)
{
    struct config_verdict *out = judged->out;
    const struct medians *medians = &judged->log->medians;
    const struct series *without = &judged->samples->without_head;
    enum arm arm = out->against == AGAINST_BASE ? ARM_BASE : ARM_ANCHOR;
    if (!is_open(judged))
        return 0;
    out->wants_without_head = without->count < WITHOUT_HEAD_PROCESSES;
    NUMBERS_AUTO *column = numbers_new(medians->count + 1);
    if (column == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    size_t beside_count = medians_column(medians, arm, arm, column);
    struct side beside = side_of(column, beside_count);
    struct side alone = side_of(without->ns, without->count);
    struct beside_log *log = &judged->log->beside;
    *log = (struct beside_log){
        .wanted = true, .arm = arm, .beside = beside.count, .without = alone.count};
    if (alone.count < 2 && judged->samples->out_of_time) {
        set_verdict(judged, CLAUSE_BUDGET, VERDICT_UNCLEAR, FAULT_NONE);
        add_reason(out, "; but no time was left to see whether %s takes as long without head",
                   arm_name(arm));
    }
    if (beside.count < 2 || alone.count < 2)
        return 0;
    unsigned df = (unsigned)(beside.count + alone.count - 2);
    double more = beside.mean - alone.mean;
    double error = num_sqrt((beside.squares + alone.squares) / df *
                            (1 / (double)beside.count + 1 / (double)alone.count));
    double tail = false_accusations / (2 * judged->levels->family);
    log->known = true;
    log->more = more;
    log->error = error;
    log->surely = more - error * dist_student_quantile(tail, df);
    log->likely = more - error * dist_student_quantile(0.025, df);
    bool certain = log->surely > BESIDE_TOLERANCE;
    bool likely = more > BESIDE_DOUBT && log->likely > 0;
    if (!certain && !likely)
        return 0;
    set_verdict(judged, CLAUSE_DISTURBS, certain ? VERDICT_UNMEASURED : VERDICT_UNCLEAR,
                certain ? FAULT_PR : FAULT_HOST);
    add_reason(out, "; but %s takes %+.3g%% beside head against %zu processes without it%s",
               arm_name(arm), 100 * (num_exp(more) - 1), alone.count,
               certain ? "" : ", which may be chance");
    return 0;
}
