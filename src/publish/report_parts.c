/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what all parts of a report share: the view (the configs, worst first), what can be
 * said of one config, and foreign text in short. No sentence of a report stands here. */
#include "publish/report_parts.h"

#include "publish/markdown.h"

#include <math.h>
#include <string.h>

const struct config_samples *parts_samples(const struct report_view *view,
                                           const struct config_verdict *row)
{
    const struct samples *samples = view->report->samples;
    for (size_t i = 0; samples != NULL && i < samples->count; i++)
        if (strcmp(samples->configs[i].config.name, row->config.name) == 0)
            return &samples->configs[i];
    return NULL;
}

bool parts_identical(const struct report_view *view, const struct config_verdict *row)
{
    if (row->clause != CLAUSE_NONE)
        return row->clause == CLAUSE_IDENTICAL_CODE;
    const struct config_samples *samples = parts_samples(view, row);
    if (samples != NULL)
        return samples->identical && row->verdict == VERDICT_HELD;
    return row->verdict == VERDICT_HELD && row->replicates == 0 && !row->change.known;
}

bool parts_already_lost(const struct report_view *view, const struct config_verdict *row)
{
    if (row->clause != CLAUSE_NONE)
        return row->clause == CLAUSE_LOST_ON_MAIN;
    return row->verdict == VERDICT_HELD && row->change.known && view->threshold > 0 &&
           row->change.ci_decision.low > view->threshold;
}

void parts_text(struct buf *out, const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max) {
        markdown_text(out, text);
        return;
    }
    BUF_AUTO cut;
    buf_init(&cut, max + 8);
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--; /* not inside a character */
    buf_add(&cut, text, max);
    buf_adds(&cut, "…");
    markdown_text(out, cut.data);
}

void parts_name(struct buf *out, const char *name)
{
    size_t before = out->len;
    markdown_code(out, name);
    if (out->len == before)
        buf_addc(out, '?');
}

bool parts_is_commit(const char *sha)
{
    return strspn(sha, "0123456789abcdef") == MODEL_SHA_BYTES - 1 &&
           sha[MODEL_SHA_BYTES - 1] == '\0';
}

void parts_commit(struct buf *out, const char *sha)
{
    if (parts_is_commit(sha))
        buf_add(out, sha, PARTS_SHORT_SHA);
    else
        buf_addc(out, '?');
}
/* ---- the view ---- */

/* Worst verdict first; of those that are alike, what is of more concern. */
static bool comes_before(const struct report_view *view, const struct config_verdict *a,
                         const struct config_verdict *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    bool lost_a = parts_already_lost(view, a), lost_b = parts_already_lost(view, b);
    if (lost_a != lost_b)
        return lost_a;
    if (a->change.known != b->change.known)
        return a->change.known;
    if (!a->change.known || !isfinite(a->change.change) || !isfinite(b->change.change))
        return false;
    if (a->verdict == VERDICT_IMPROVED)
        return a->change.change < b->change.change;
    if (a->verdict == VERDICT_HELD && !lost_a)
        return fabs(a->change.change) > fabs(b->change.change);
    return a->change.change > b->change.change;
}

void parts_view(struct report_view *view, const struct report *report)
{
    const struct comparison *comparison = report->comparison;
    *view = (struct report_view){.report = report};
    view->threshold = report->rule == NULL ? 0 : report->rule->threshold;
    for (size_t i = 0; i < comparison->count && i < MODEL_CONFIGS_MAX; i++) {
        const struct config_verdict *row = &comparison->configs[i];
        size_t at = view->count++;
        for (; at > 0 && comes_before(view, row, view->rows[at - 1]); at--)
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

bool parts_all_identical(const struct report_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (!parts_identical(view, view->rows[i]))
            return false;
    return view->count > 0;
}
