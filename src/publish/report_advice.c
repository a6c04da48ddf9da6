/* SPDX-License-Identifier: Apache-2.0 */
/* Owns "What to do": the next step for each verdict, and for each one whose fault it is. */
#include "publish/push_baseline.h"
#include "base/name.h"
#include "command.h"
#include "publish/report_parts.h"

static void write_reproduce(const struct report_view *view, struct buf *out)
{
    const struct job *job = view->report->job;
    if (job == NULL || job->kind == JOB_PROMOTE || !name_is_sha(job->head) ||
        !name_is_sha(job->base) || !model_name_ok(view->report->comparison->device.slug))
        return;
    buf_addf(out,
             "- See it yourself, on a machine of this kind:\n\n  ```sh\n"
             "  ratchet check --repo . --base %s --head %s --device %s\n  ```\n",
             job->base, job->head, view->report->comparison->device.slug);
}

static void next_regressed(const struct report_view *view, struct buf *out)
{
    if (parts_is_pull_request(view))
        buf_adds(out, "- Mend it and push: the check runs again by itself.\n");
    write_reproduce(view, out);
    if (parts_is_pull_request(view))
        buf_adds(out,
                 "- Worth its price? Somebody who may write to this repository can accept "
                 "the loss with the label `" ACCEPT_LABEL "`. It takes effect at the "
                 "promotion after the merge, under that person's name; this check stays "
                 "regressed.\n");
    else if (parts_is_promotion(view))
        buf_adds(out,
                 "- The baseline stays where it is. To accept the loss, put the label "
                 "`" ACCEPT_LABEL "` on each pull request that touched the kernel since it "
                 "was last measured without the loss, and run this job "
                 "again, or name it: `ratchet promote --accept CONFIG --by NAME`.\n");
}

/* What helps beyond whose fault it is: a sentence for each clause that there is, of the whole or
 * of a config (then behind its name). */
static void write_hints(const struct report_view *view, struct buf *out)
{
    const struct comparison *comparison = view->report->comparison;
    static const struct {
        enum clause clause;
        const char *words;
    } hints[] = {
        {CLAUSE_BUILD_FAILED, "What the build said is at the end of the log"},
        {CLAUSE_BAD_PATH,
         "Each `path` of `[kernel]` in `ci/ratchet.conf` has to name a file or "
         "folder of the commit, letter for letter"},
        {CLAUSE_BAD_RECIPE,
         "`[build]` of `ci/ratchet.conf` is read from the very commit that is "
         "built: mend it there"},
        {CLAUSE_BAD_CONFIG, "`ci/ratchet.conf` is read from the base commit: mend it there"},
        {CLAUSE_NOT_MEASURED, "The baseline has it: measure it, or take it out of base's "
                              "`ci/ratchet.conf`, and the next promotion retires it"},
        {CLAUSE_BELOW_CLOCK, "One launch is shorter than the clock can see: guard a larger "
                             "problem in its place"},
        {CLAUSE_ANCHOR_UNBUILT,
         "No recipe builds the anchor's kernel on this host any more: once "
         "the branch's own is recorded (`ratchet promote --accept CONFIG --by "
         "NAME`), checks decide again"},
        {CLAUSE_BUDGET,
         "The time budget (`budget` of `[bench]` in `ci/ratchet.conf`) was spent "
         "before there were enough processes, with head or without: guard a smaller problem, "
         "or allow "
         "more time"},
        {CLAUSE_DISTURBS, "The other kernels fail or take longer while head's library is "
                          "loaded beside them: look "
                          "for threads, signals, timers and memory that outlive a call"},
        {CLAUSE_IMPLAUSIBLE, "Times that this host's own clock does not bear out, or that no "
                             "such device can reach: "
                             "where head changes no clock, run again on a quiet host"},
        {CLAUSE_GAPS, "A process that ended early has no samples of some arm: look for why in "
                      "the log. New rounds may fill the gaps; gaps that stay never pass"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        BUF_AUTO names;
        buf_init(&names, 8192);
        if (hints[i].clause == CLAUSE_BUILD_FAILED && view->report->log_len == 0)
            continue;
        if (hints[i].clause == CLAUSE_BAD_CONFIG && comparison->fault == FAULT_PR)
            continue; /* its own, which the next check would read */
        if (parts_is_whole(view) ? comparison->clause == hints[i].clause
                                 : parts_names(view, hints[i].clause, &names) > 0)
            buf_addf(out, "- %s%s%s.\n", names.data, names.len > 0 ? ": " : "",
                     hints[i].words);
        buf_note_loss(out, &names);
    }
}

static void next_unclear(const struct report_view *view, struct buf *out)
{
    enum clause clause = view->count > 0 ? view->rows[0]->clause : CLAUSE_NONE;
    if (clause == CLAUSE_MARKED && view->rows[0]->fault == FAULT_PR) {
        buf_addf(out,
                 "- It is %s's own code that disturbs the measuring host, and another run of "
                 "it will show the same: look for threads beyond those it is given, and for "
                 "waiting that keeps a processor busy.\n",
                 parts_subject(view));
    } else if (clause != CLAUSE_ANCHOR_UNBUILT &&
               clause != CLAUSE_BUDGET) { /* these last: see hints */
        buf_adds(out, "- Run this job again for a second look with fresh processes, best when "
                      "nothing else uses the machine.");
        if (view->report->comparison->unclear_passes)
            buf_adds(out, " The rule here lets unclear pass.");
        buf_addc(out, '\n');
    }
    if (clause == CLAUSE_STRADDLES || clause == CLAUSE_OWN_UNCLEAR)
        buf_adds(out, "- If it stays unclear, the change is close to the line: look at the "
                      "interval, not at the colour.\n");
    write_hints(view, out);
    write_reproduce(view, out);
}

/* The line to copy stands by itself, and is about this very commit. */
static void next_word(const struct report_view *view, struct buf *out)
{
    const struct job *job = view->report->job;
    if (job == NULL || !name_is_sha(job->head))
        return;
    buf_addf(out,
             "- Code of a fork runs once somebody who may write to this repository has looked "
             "at it "
             "and says so, in a comment whose first line is this one. It is about this very "
             "commit: "
             "a new push needs a new word.\n\n  ```text\n  " COMMAND_RUN " %s\n  ```\n"
             "- Or with the label `" LABEL_RUN "`, put on after that commit was pushed.\n",
             job->head);
}

static void next_unmeasured(const struct report_view *view, struct buf *out)
{
    const struct comparison *comparison = view->report->comparison;
    const char *subject = parts_subject(view);
    bool pull_request = parts_is_pull_request(view), whole = parts_is_whole(view);
    enum fault fault = whole ? comparison->fault : view->rows[0]->fault;
    enum clause clause = whole ? comparison->clause : view->rows[0]->clause;
    bool lasting = clause == CLAUSE_NOT_MEASURED ||
                   clause == CLAUSE_BELOW_CLOCK; /* see hints */
    if (whole && clause == CLAUSE_NOT_APPROVED) {
        next_word(view, out);
        return;
    }
    switch (fault) {
    case FAULT_NONE:
        buf_adds(out, lasting ? "" : "- Run this job again.\n");
        break;
    case FAULT_PR:
        buf_addf(out, "- Fix it in %s%s.\n", subject,
                 pull_request ? " and push: the check runs again by itself" : "");
        break;
    case FAULT_BASE:
        buf_addf(out, "- The base branch has to be fixed first%s.\n",
                 pull_request
                     ? ": this pull request is not at fault, and cannot be judged until "
                       "then. If it is what mends the base branch, it has to be merged "
                       "past this check, by what is said of it below"
                     : "");
        break;
    case FAULT_HOST:
        buf_addf(out, "- Nothing to fix in %s.%s\n", subject,
                 lasting ? ""
                         : " Run this job again; if it comes back, the host's owner finds the "
                           "cause with `ratchet doctor`.");
        break;
    case FAULT_US:
        buf_addf(out, "- Nothing to fix in %s.%s\n", subject,
                 lasting ? ""
                         : " Please report this as a defect of Ratchet, with the run below.");
        break;
    }
    write_hints(view, out);
    if (fault == FAULT_PR)
        write_reproduce(view, out);
}

static void next_improved(const struct report_view *view, struct buf *out)
{
    if (!parts_is_pull_request(view))
        return;
    buf_adds(out, "- Nothing. After the merge, ");
    parts_branch(view, out);
    buf_adds(out, " is measured again in two runs, and only those move the anchor.\n");
}

static void next_held(const struct report_view *view, struct buf *out)
{
    BUF_AUTO names;
    buf_init(&names, 8192);
    if (parts_names(view, CLAUSE_LOST_ON_MAIN, &names) == 0)
        return;
    buf_adds(out, "- Nobody is blocked for what ");
    parts_branch(view, out);
    buf_addf(out, " has already lost: %s", names.data);
    buf_note_loss(out, &names);
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
    buf_note_loss(out, &steps);
    if (steps.failed)
        out->failed = true;
    if (steps.len == 0)
        return;
    buf_adds(out, "\n**What to do**\n\n");
    buf_add(out, steps.data, steps.len);
}
