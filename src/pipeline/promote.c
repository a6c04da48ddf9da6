/* SPDX-License-Identifier: Apache-2.0 */
/* Promotion: main's own tip, measured in two runs some minutes apart, and one commit if
 * anything moves. Nothing a pull request measured is ever used here. Owns what comes after a run:
 * what moves, and the push. This part may ask GitHub and fetch; the runs
 * themselves are promote_runs.c's. */
#include "pipeline/pipeline.h"

#include "base/utc.h"
#include "judge/compare.h"
#include "judge/verdict.h"
#include "pipeline/accept.h"
#include "pipeline/credential.h"
#include "pipeline/main_verdict.h"
#include "pipeline/paths.h"
#include "pipeline/promote_changes.h"
#include "pipeline/promote_runs.h"
#include "pipeline/promoted.h"
#include "pipeline/rules.h"
#include "publish/push_baseline.h"

#include <stdio.h>
#include <string.h>

enum { RACES_MAX = 5 };

/* ---- decide and push ---- */

static bool could_move(const struct measurement *measurement,
                       const struct promotion_accept *accept,
                       const struct anchors_again *again)
{
    if (accept->count > 0 || again->count > 0)
        return true;
    for (size_t i = 0; measurement->has_baseline && i < measurement->baseline.count; i++)
        if (measurement->baseline.configs[i].retired)
            return true;
    for (size_t i = 0; i < measurement->comparison.count; i++) {
        const struct config_verdict *verdict = &measurement->comparison.configs[i];
        const struct baseline_config *entry = measurement->has_baseline
                                                  ? baseline_find(&measurement->baseline,
                                                                  verdict->config.name)
                                                  : NULL;
        if (verdict->verdict == VERDICT_IMPROVED || entry == NULL ||
            !problem_equal(&entry->config.problem, &verdict->config.problem))
            return true;
    }
    return false;
}

/* "baselines: nvidia-l4: a improved, b new", and a line of reason for each config. */
static int write_message(const struct measurement *measurement,
                         const struct promotion_move *moves, size_t count, struct buf *out,
                         struct err *err)
{
    buf_addf(out, "baselines: %s:", measurement->job.device);
    const char *comma = "";
    size_t shown = 0, moved = 0;
    for (size_t i = 0; i < count; i++) {
        if (moves[i].why[0] == '\0')
            continue;
        moved++;
        if (shown == 3)
            continue;
        buf_addf(out, "%s %s %s", comma, moves[i].name, moves[i].why);
        comma = ",";
        shown++;
    }
    if (moved > shown)
        buf_addf(out, ", %zu more", moved - shown);
    buf_adds(out, "\n\n");
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s: %s\n", moves[i].name, moves[i].reason);
    buf_addf(out, "\nMeasured on %s.\n", measurement->job.head);
    return buf_check(out, "the commit message", err);
}

static void say_moves(struct measurement *measurement, const struct promotion_move *moves,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        measurement_note(measurement, "%s: %s", moves[i].name, moves[i].reason);
}

static void say_end(struct measurement *measurement, const struct promote_result *result)
{
    char text[MODEL_TEXT_BYTES];
    if (result->end == PROMOTED)
        snprintf(text, sizeof text, "Baseline promoted: commit %s on %s.", result->commit,
                 measurement->job.base_ref);
    else
        snprintf(
            text, sizeof text,
            "%.40s declined the push (%.200s): the promotion stands on branch %.80s%s%.100s.",
            measurement->job.base_ref, result->declined, result->branch,
            result->pull_url[0] != '\0' ? ", pull request " : "", result->pull_url);
    measurement_note(measurement, "%s", text);
    measurement_say(measurement, "%s", text);
}

/* What moved is settled: a config recorded for the first time had nothing to be compared
 * with, and an accepted loss is no regression any more. Where it only waits on a branch, people may yet decline it,
 * and main has lost until then. */
static void settle_verdicts(struct comparison *comparison, const struct promotion_move *moves,
                            size_t count, bool on_branch)
{
    for (size_t i = 0; i < count; i++) {
        if (on_branch && strcmp(moves[i].why, "new") != 0)
            continue;
        for (size_t c = 0; c < comparison->count; c++) {
            struct config_verdict *verdict = &comparison->configs[c];
            if (moves[i].why[0] == '\0' || strcmp(moves[i].name, verdict->config.name) != 0 ||
                verdict->verdict == VERDICT_IMPROVED || verdict->clause == CLAUSE_RETIRED)
                continue;
            verdict->verdict = VERDICT_HELD;
            verdict->fault = FAULT_NONE;
            verdict->clause = CLAUSE_RECORDED;
            snprintf(verdict->reason, sizeof verdict->reason, "%s", moves[i].reason);
        }
    }
    verdict_roll_up(comparison);
}

static void tell(struct measurement *measurement, const struct promotion_move *moves,
                 size_t count, const struct promote_result *result)
{
    say_moves(measurement, moves, count);
    say_end(measurement, result);
    settle_verdicts(&measurement->comparison, moves, count, result->end == PROMOTED_ON_BRANCH);
}

/* Decide from the tip that was fetched last, and push. */
static int decide_and_push(struct pipeline *pipeline, const struct promote_runs *runs,
                           const struct promotion_accept *accept, enum promote_end *end,
                           struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    static struct promotion_move moves[MODEL_CONFIGS_MAX];
    size_t move_count = 0, moved = 0;
    char now[UTC_BYTES], path[FILE_PATH_BYTES];
    const char *accepted[MODEL_CONFIGS_MAX], *lost[MODEL_CONFIGS_MAX];
    for (size_t i = 0; i < accept->count; i++)
        accepted[i] = accept->configs[i];
    for (size_t i = 0; i < runs->forgotten.count; i++)
        lost[i] = runs->forgotten.configs[i];
    struct promotion_request request = {
        .old = measurement->has_baseline ? &measurement->baseline : NULL,
        .first = &runs->first,
        .second = &measurement->samples,
        .first_verdict = &runs->first_verdict,
        .second_verdict = &measurement->comparison,
        .accepted = accepted,
        .accepted_count = accept->count,
        .lost = lost,
        .lost_count = runs->forgotten.count,
        .earlier = runs->again.configs,
        .earlier_count = runs->again.count,
        .who = accept->who,
        .commit = measurement->job.head,
        .now = utc_now(now)};
    BASELINE_AUTO next = {0};
    BUF_AUTO json, message;
    buf_init(&json, measurement->host->limits.baseline_bytes);
    buf_init(&message, 64 << 10);
    if (baseline_promote(&request, &next, moves, &move_count, &moved, err) != 0)
        return -1;
    *end = PROMOTED;
    if (moved == 0) {
        say_moves(measurement, moves, move_count);
        return 0;
    }
    if (baseline_format(&next, &json, err) != 0 ||
        file_path(path, err, "baselines/%s/baseline.json", measurement->job.device) != 0 ||
        write_message(measurement, moves, move_count, &message, err) != 0 ||
        promoted_remember(measurement, json.data, json.len, err) != 0)
        return -1;
    struct promote_request push = {
        .repo = measurement->repo,
        .remote = &pipeline->origin.remote,
        .github = measurement->repository == NULL ? NULL : &pipeline->origin.github,
        .branch = measurement->job.base_ref,
        .tip = measurement->job.base,
        .path = path,
        .bytes = json.data,
        .len = json.len,
        .device = measurement->job.device,
        .message = message.data};
    struct promote_result result = {0};
    if (promote_push(&push, &result, err) != 0)
        return -1;
    *end = result.end;
    if (result.end != PROMOTE_RACE)
        tell(measurement, moves, move_count, &result);
    return 0;
}

/* Main moved while we measured. If its kernel, rules and device are as before, what we have
 * measured is still main's kernel: decide again from the new tip. */
static int follow_main(struct pipeline *pipeline, bool *same, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const char *const conf[] = {CONFIG_PATH};
    char ref[JOB_REF_BYTES + 16], tip[GIT_SHA_BYTES], first[256];
    snprintf(ref, sizeof ref, "refs/heads/%s", measurement->job.base_ref);
    bool differs;
    if (git_fetch(measurement->repo, &pipeline->origin.remote, ref, tip, err) != 0 ||
        paths_same(measurement, &measurement->config.source, measurement->job.head, tip, same,
                   first, err) != 0 ||
        git_differs(measurement->repo, measurement->job.head, tip, conf, 1, &differs, NULL,
                    err) != 0)
        return -1;
    if (*same && differs)
        snprintf(first, sizeof first, CONFIG_PATH);
    *same = *same && !differs;
    if (!*same) {
        measurement_note(measurement,
                         "`%s` moved on to %.10s, which changes %s: its own push decides.",
                         measurement->job.base_ref, tip, first);
        return 0;
    }
    memcpy(measurement->job.base, tip, sizeof measurement->job.base);
    return rules_read(measurement, tip, err);
}

/* The last run looked at the code of what moved; the same samples are judged again, and nobody looks twice. */
static void keep_whys(const struct comparison *looked, struct comparison *judged)
{
    for (size_t i = 0; i < judged->count; i++) {
        struct config_verdict *row = &judged->configs[i];
        const struct config_verdict *from = comparison_find(looked, row->config.name);
        if (from == NULL || from->verdict != row->verdict || from->against != row->against)
            continue;
        row->code = from->code;
        row->metrics = from->metrics;
    }
}

static int judge_again(struct measurement *measurement, struct err *err)
{
    COMPARISON_AUTO looked = measurement->comparison;
    measurement->comparison = (struct comparison){0};
    if (measurement_compare(measurement, err) != 0)
        return -1;
    keep_whys(&looked, &measurement->comparison);
    return 0;
}

static int settle(struct pipeline *pipeline, struct promote_runs *runs,
                  const struct promotion_accept *accept, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const struct rule *rule = &measurement->config.rule;
    if (credential_take(pipeline, NULL, err) != 0)
        return -1;
    for (int race = 0; race < RACES_MAX; race++) {
        const struct baseline *baseline = measurement->has_baseline ? &measurement->baseline
                                                                    : NULL;
        rules_mark_retired(measurement); /* a loss may be accepted since */
        forgotten_find(measurement, &runs->forgotten);
        forgotten_keep_rows(measurement, &runs->forgotten, accept);
        comparison_free(&runs->first_verdict);
        enum promote_end end;
        if (compare_samples(&runs->first, baseline, rule, &runs->first_verdict, err) != 0 ||
            judge_again(measurement, err) != 0)
            return -1;
        anchors_again_find(measurement, measurement->job.base, &runs->again);
        if (decide_and_push(pipeline, runs, accept, &end, err) != 0)
            return -1;
        bool same = false;
        if (end != PROMOTE_RACE)
            return 0;
        if (follow_main(pipeline, &same, err) != 0)
            return -1;
        if (!same)
            return 0;
    }
    return err_set(err, ERR_HOST, "`%s` moved %d times while the baseline was pushed",
                   pipeline->measurement.job.base_ref, RACES_MAX);
}

static int promote(struct pipeline *pipeline, const struct promotion_accept *given,
                   unsigned *wait_s, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct promote_runs runs __attribute__((cleanup(promote_runs_free))) = {0};
    struct promotion_accept accept = {0};
    if (given != NULL)
        accept = *given;
    for (;;) {
        if (promote_measure(measurement, &accept, &runs, wait_s, err) != 0)
            return -1;
        if (*wait_s > 0)
            return 0;
        /* The run may have outlived an App's token. */
        struct err problem;
        if (credential_take(pipeline, NULL, &problem) != 0)
            measurement_note(measurement, "%s", problem.text);
        accept_find(pipeline, &runs.forgotten, &accept);
        promote_note_changes(pipeline);
        anchors_again_find(measurement, measurement->job.base, &runs.again);
        if (measurement->samples.count == 0)
            return 0; /* it could not be built: the verdict says so */
        if (runs.is_second)
            return settle(pipeline, &runs, &accept, err);
        if (!could_move(measurement, &accept, &runs.again))
            return 0; /* nothing to move: one run tells */
        if (promote_keep_first(measurement, &runs, wait_s, err) != 0)
            return -1;
        if (*wait_s > 0)
            return 0;
    }
}

static void note_main(struct measurement *measurement)
{
    main_verdict_after(measurement);
    accept_note_good(measurement);
}

int pipeline_promote(struct pipeline *pipeline, const struct promotion_accept *accept,
                     unsigned *wait_s, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct err problem = {0};
    *wait_s = 0;
    if (promote(pipeline, accept, wait_s, &problem) != 0) {
        if (problem.class == ERR_NONE)
            return err_set(err, ERR_INTERNAL, "a stage failed without saying why");
        measurement_unmeasured(measurement, FAULT_BASE, measurement->clause_if_input,
                               &problem);
    }
    if (*wait_s > 0)
        measurement_say(measurement, "second run in %u s", *wait_s);
    else
        note_main(measurement);
    return 0;
}
