/* SPDX-License-Identifier: Apache-2.0 */
/* Owns "What to do": the next step for each verdict, and for each one whose fault it is. */
#include "publish/report_parts.h"

#include <string.h>

#define ACCEPT_LABEL "ratchet:accept-loss"

static size_t count_lost(const struct report_view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++)
        count += parts_already_lost(view, view->rows[i]);
    return count;
}

/* Names of the rows that `wanted` picks, a few of them. */
static void write_names(const struct report_view *view,
                        bool (*wanted)(const struct report_view *,
                                       const struct config_verdict *),
                        struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (!wanted(view, view->rows[i]) || count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, count > 1 ? ", " : "");
        parts_name(out, view->rows[i]->config.name);
    }
    if (count > PARTS_LISTED)
        buf_addf(out, " and %zu more", count - PARTS_LISTED);
}

static void write_reproduce(const struct report_view *view, struct buf *out)
{
    const struct job *job = view->report->job;
    if (job == NULL || job->kind == JOB_PROMOTE || !parts_is_commit(job->head) ||
        !parts_is_commit(job->base) ||
        !model_name_ok(view->report->comparison->device.slug))
        return;
    buf_addf(out,
             "- See it yourself, on a machine of this kind:\n\n  ```sh\n"
             "  ratchet check --repo . --base %s --head %s --device %s\n  ```\n",
             job->base, job->head, view->report->comparison->device.slug);
}

static void next_regressed(const struct report_view *view, struct buf *out)
{
    write_reproduce(view, out);
    if (parts_is_pull_request(view))
        buf_adds(out, "- Worth its price? Somebody who may write to this repository can accept "
                      "the loss with the label `" ACCEPT_LABEL "`. It takes effect at the "
                      "promotion after the merge, under that person's name; this check stays "
                      "regressed.\n");
    else if (parts_is_promotion(view))
        buf_adds(out, "- The baseline stays where it is. To accept the loss, put the label "
                      "`" ACCEPT_LABEL "` on the pull request that brought it and run this job "
                      "again, or name it: `ratchet promote --accept CONFIG --by NAME`.\n");
}

static void next_unclear(const struct report_view *view, struct buf *out)
{
    buf_adds(out, "- Run this job again for a second look with fresh processes, best when "
                  "nothing else uses the machine.");
    if (view->report->comparison->unclear_passes)
        buf_adds(out, " The rule here lets unclear pass.");
    buf_addc(out, '\n');
    if (view->threshold > 0)
        buf_adds(out, "- If it stays unclear, the change is close to the line: look at the "
                      "interval, not at the colour.\n");
    write_reproduce(view, out);
}

static void next_unmeasured(const struct report_view *view, struct buf *out)
{
    static const char *const advice[] = {
        [FAULT_NONE] = "- Run this job again.\n",
        [FAULT_PR] = "- Fix it in this pull request and push: the check runs again by itself.\n",
        [FAULT_BASE] = "- The base branch has to be fixed first: this pull request is not at "
                       "fault, and cannot be judged until then.\n",
        [FAULT_HOST] = "- Nothing to fix in this pull request. Run this job again; if it comes "
                       "back, the host's owner finds the cause with `ratchet doctor`.\n",
        [FAULT_US] = "- Nothing to fix in this pull request. Please report this as a defect of "
                     "Ratchet, with the run below.\n",
    };
    const struct comparison *comparison = view->report->comparison;
    enum fault fault = view->count > 0 ? view->rows[0]->fault : comparison->fault;
    buf_adds(out, advice[fault]);
    if (fault == FAULT_PR)
        write_reproduce(view, out);
}

static void next_improved(const struct report_view *view, struct buf *out)
{
    if (parts_is_pull_request(view))
        buf_adds(out, "- Nothing. After the merge, main is measured again in two runs, and only "
                      "those move the anchor.\n");
}

static void next_held(const struct report_view *view, struct buf *out)
{
    if (count_lost(view) == 0)
        return;
    buf_adds(out, "- Nobody is blocked for what main has already lost: ");
    write_names(view, parts_already_lost, out);
    buf_adds(out, ". The anchor stays until a config is as fast again, or until its loss is "
                  "accepted by name: `ratchet promote --accept CONFIG --by NAME`.\n");
}

void report_advice(const struct report_view *view, struct buf *out)
{
    static void (*const next[])(const struct report_view *, struct buf *) = {
        [VERDICT_HELD] = next_held,           [VERDICT_IMPROVED] = next_improved,
        [VERDICT_UNCLEAR] = next_unclear,     [VERDICT_UNMEASURED] = next_unmeasured,
        [VERDICT_REGRESSED] = next_regressed,
    };
    BUF_AUTO steps;
    buf_init(&steps, 8192);
    next[view->report->comparison->verdict](view, &steps);
    if (steps.failed)
        out->failed = true;
    if (steps.len == 0)
        return;
    buf_adds(out, "\n**What to do**\n\n");
    buf_add(out, steps.data, steps.len);
}
