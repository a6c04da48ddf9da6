/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what all parts of a report share: the view (the configs, worst first), what can be
 * said of one config, and foreign text in short. No sentence of a report stands here. */
#include "publish/report_parts.h"

#include "base/name.h"
#include "publish/markdown.h"

#include <math.h>
#include <string.h>

const struct config_samples *parts_samples(const struct report_view *view,
                                           const struct config_verdict *row)
{
    const struct samples *samples = view->report->samples;
    return samples == NULL ? NULL : samples_find(samples, row->config.name);
}

/* The entry of that name in the baseline of this device. */
static const struct baseline_config *find_stored(const struct report_view *view,
                                                 const struct config_verdict *row)
{
    const struct report *report = view->report;
    return report->baseline == NULL ||
                   strcmp(report->baseline->device.slug, report->comparison->device.slug) != 0
               ? NULL
               : baseline_find(report->baseline, row->config.name);
}

const struct baseline_config *parts_stored(const struct report_view *view,
                                           const struct config_verdict *row)
{
    const struct baseline_config *stored = find_stored(view, row);
    return stored != NULL && problem_matches(&stored->config.problem, &row->config.problem)
               ? stored
               : NULL;
}

bool parts_other_problem(const struct report_view *view, const struct config_verdict *row)
{
    return find_stored(view, row) != NULL && parts_stored(view, row) == NULL;
}

bool parts_by_interval(enum clause clause)
{
    return clause == CLAUSE_BEYOND || clause == CLAUSE_STRADDLES ||
           clause == CLAUSE_LOST_ON_MAIN || clause == CLAUSE_OWN_UNCLEAR;
}

enum clause parts_clause(const struct report_view *view, const struct config_verdict *row)
{
    if (row->clause != CLAUSE_NONE || row->verdict != VERDICT_HELD)
        return row->clause;
    const struct config_samples *samples = parts_samples(view, row);
    if (samples != NULL ? samples->identical : row->replicates == 0 && !row->change.known)
        return CLAUSE_IDENTICAL_CODE;
    if (!row->change.known)
        return CLAUSE_RECORDED;
    return view->threshold > 0 && row->change.ci_decision.low > view->threshold
               ? CLAUSE_LOST_ON_MAIN
               : CLAUSE_WITHIN;
}

bool parts_identical(const struct report_view *view, const struct config_verdict *row)
{
    return parts_clause(view, row) == CLAUSE_IDENTICAL_CODE;
}

bool parts_already_lost(const struct report_view *view, const struct config_verdict *row)
{
    return parts_clause(view, row) == CLAUSE_LOST_ON_MAIN;
}

const struct config_verdict *parts_drifted(const struct report_view *view, size_t *count)
{
    const struct config_verdict *worst = NULL;
    size_t drifted = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_verdict *row = view->rows[i];
        if (!row->anchor_drifted || !isfinite(row->anchor_drift))
            continue;
        drifted++;
        if (worst == NULL || fabs(row->anchor_drift) > fabs(worst->anchor_drift))
            worst = row;
    }
    if (count != NULL)
        *count = drifted;
    return worst;
}

bool parts_missing(const struct config_verdict *row, struct buf *out)
{
    bool any = false;
    for (int arm = 0; arm < ARM_OTHER; arm++) {
        if (row->missing[arm] == 0)
            continue;
        buf_addf(out, "%s%s in %zu", any ? ", " : "", arm_name((enum arm)arm),
                 row->missing[arm]);
        if (!any)
            buf_addf(out, " of %zu rounds", row->rounds);
        any = true;
    }
    return any;
}

size_t parts_names(const struct report_view *view, enum clause wanted, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (parts_clause(view, view->rows[i]) != wanted || count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, count > 1 ? ", " : "");
        parts_name(out, view->rows[i]->config.name);
    }
    if (count > PARTS_LISTED)
        buf_addf(out, " and %zu more", count - PARTS_LISTED);
    return count;
}

/* Through `escape`, "…" behind a cut. */
static void put_cut(struct buf *out, const char *text, size_t max,
                    void (*escape)(struct buf *out, const char *text))
{
    size_t len = strlen(text);
    if (len <= max) {
        escape(out, text);
        return;
    }
    BUF_AUTO cut;
    buf_init(&cut, max + 8);
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--; /* not inside a character */
    buf_add(&cut, text, max);
    buf_adds(&cut, "…");
    buf_note_loss(out, &cut);
    escape(out, cut.data);
}

void parts_text(struct buf *out, const char *text, size_t max)
{
    put_cut(out, text, max, markdown_text);
}

void parts_code(struct buf *out, const char *text, size_t max)
{
    size_t before = out->len;
    put_cut(out, text, max, markdown_code);
    if (out->len == before)
        buf_adds(out, "–");
}

void parts_name(struct buf *out, const char *name)
{
    size_t before = out->len;
    markdown_code(out, name);
    if (out->len == before)
        buf_addc(out, '?');
}

void parts_commit(struct buf *out, const char *sha)
{
    if (name_is_sha(sha))
        buf_add(out, sha, PARTS_SHORT_SHA);
    else
        buf_addc(out, '?');
}

/* ---- the view ---- */

void parts_view(struct report_view *view, const struct report *report)
{
    const struct comparison *comparison = report->comparison;
    *view = (struct report_view){.report = report};
    view->threshold = report->rule == NULL ? 0 : report->rule->threshold;
    for (size_t i = 0; i < comparison->count && i < MODEL_CONFIGS_MAX; i++) {
        const struct config_verdict *row = &comparison->configs[i];
        size_t at = view->count++;
        for (; at > 0 && config_verdict_before(row, view->rows[at - 1]); at--)
            view->rows[at] = view->rows[at - 1];
        view->rows[at] = row;
        view->of_verdict[row->verdict]++;
    }
}

bool parts_is_pull_request(const struct report_view *view)
{
    return view->report->job != NULL && view->report->job->pr > 0;
}

bool parts_is_promotion(const struct report_view *view)
{
    return view->report->job != NULL && view->report->job->kind == JOB_PROMOTE;
}

const char *parts_subject(const struct report_view *view)
{
    if (parts_is_pull_request(view))
        return "this pull request";
    return parts_is_promotion(view) ? "the branch" : "the head commit";
}

void parts_branch(const struct report_view *view, struct buf *out)
{
    const char *name = view->report->job == NULL ? "" : view->report->job->base_ref;
    if (name[0] == '\0' || strcmp(name, "main") == 0)
        buf_adds(out, name[0] == '\0' ? "base" : name);
    else
        parts_name(out, name);
}

bool parts_is_whole(const struct report_view *view)
{
    return view->count == 0 || view->rows[0]->verdict != view->report->comparison->verdict;
}

bool parts_all_identical(const struct report_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (!parts_identical(view, view->rows[i]))
            return false;
    return view->count > 0;
}

static bool is_plain(const char *line)
{
    return line[strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             " ,;:()-.%")] == '\0';
}

void parts_fold(struct buf *out, const char *title, const char *line)
{
    bool plain = is_plain(line);
    buf_addf(out, "\n<details><summary>%s%s%s</summary>\n", title, plain ? ": " : "",
             plain ? line : "");
}
