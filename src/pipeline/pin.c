/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which commits a job is about, and that everything which measuring them needs is here: after
 * this nothing is fetched until the verdict is published. */
#include "pipeline/pipeline.h"

#include "pipeline/choices.h"
#include "pipeline/credential.h"
#include "pipeline/paths.h"
#include "pipeline/rules.h"
#include "pipeline/word.h"

#include <stdio.h>
#include <string.h>

/* Whose pull request is it, and may its code run here? */
static int ask_github(struct pipeline *pipeline, struct err *err)
{
    struct job *job = &pipeline->measurement.job;
    struct github_pull pull;
    if (github_get_pull(&pipeline->origin.github, job->pr, &pull, err) != 0)
        return -1;
    if (strcmp(pull.base_repository, job->repository) != 0)
        return err_set(err, ERR_INPUT, "pull request #%d goes to `%s`, not to `%s`", job->pr,
                       pull.base_repository, job->repository);
    /* Whatever else is wrong with it, this is where it is said. */
    memcpy(job->head, pull.head, sizeof job->head);
    memcpy(job->base_ref, pull.base_ref, sizeof job->base_ref);
    if (!pull.open)
        return err_set(err, ERR_INPUT, "pull request #%d is not open", job->pr);
    if (pull.draft && pipeline->measurement.repository->skip_drafts)
        return err_set(err, ERR_INPUT,
                       "pull request #%d is a draft: this host measures it once it is ready "
                       "for review",
                       job->pr);
    return github_is_fork(&pull) ? word_ask(pipeline, &pipeline->origin.github, &pull, err)
                                 : 0;
}

static int pin_branch(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct job *job = &measurement->job;
    char ref[JOB_REF_BYTES + 16];
    snprintf(ref, sizeof ref, "refs/heads/%s", job->base_ref);
    char tip[GIT_SHA_BYTES];
    if (git_fetch(measurement->repo, &pipeline->origin.remote, ref, tip, err) != 0)
        return -1;
    memcpy(job->head, tip, sizeof job->head);
    memcpy(job->base, tip, sizeof job->base);
    memcpy(job->merge, tip, sizeof job->merge);
    return 0;
}

static const struct git_remote_spec here = {.url = NULL};

static int confirm_group(struct pipeline *pipeline, const char *run, struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    struct github_trouble *trouble = &pipeline->origin.trouble;
    struct err why;
    if (github_confirm_group(&pipeline->origin.github, run, job->group, job->head, &why) == 0)
        return 0;
    if (github_may_pass(trouble, why.class)) {
        *err = why; /* no answer */
        return -1;
    }
    *trouble = (struct github_trouble){0};
    return err_set(err, ERR_INPUT,
                   "nothing says that merge group `%s` is the queue's (a job needs `actions: "
                   "read`): %.300s",
                   job->group, why.text);
}

/* May the code of this job's merge group run here? What GitHub says of the group is what is known of
 * it: the step's word alone would set a status on any commit. Writers can push a branch of that name, and so
 * have a head measured against a base of theirs: the run says that the queue made it. */
static int ask_for_group(struct pipeline *pipeline, bool *base_queued, struct err *err)
{
    struct job *job = &pipeline->measurement.job;
    char run[CHOICES_RUN_BYTES];
    if (!choices_run(job, run))
        return err_set(err, ERR_INPUT, "merge group `%s`: the job names no run of Actions",
                       job->group);
    if (github_find_group(&pipeline->origin.github, job->base_ref, job->group, job->event_head,
                          job->event_base, base_queued, err) != 0) {
        if (err->class == ERR_NOT_FOUND)
            err->class = ERR_INPUT;
        return -1;
    }
    memcpy(job->head, job->event_head, sizeof job->head);
    if (!pipeline->measurement.repository->trust_queue)
        return err_set(
            err, ERR_INPUT,
            "merge groups are not measured on this host: in a queue a fork's code is "
            "the repository's own (ratchetd.conf: merge-queue = trust)");
    return confirm_group(pipeline, run, err);
}

/* What the group is judged against, rules and baseline included: the group before it where GitHub's
 * queue has that, too, and this host has found it green, else the branch. A step may name any commit as the base;
 * and behind a red group this one would be green with all that the other lost in it. */
static int choose_base(struct pipeline *pipeline, const char *tip, bool base_queued,
                       struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct job *job = &measurement->job;
    bool current = false, after_tip = false, before_head = false, green = false;
    memcpy(job->base, tip, sizeof job->base);
    if (git_is_ancestor(measurement->repo, tip, job->head, &current, err) != 0)
        return -1;
    if (!current)
        return err_set(err, ERR_INPUT, "merge group `%s` is not built on `%s` as it is now",
                       job->group, job->base_ref);
    if (base_queued &&
        (git_is_ancestor(measurement->repo, tip, job->event_base, &after_tip, err) != 0 ||
         git_is_ancestor(measurement->repo, job->event_base, job->head, &before_head, err) !=
             0 ||
         pipeline_was_green(pipeline, job->event_base, &green, err) != 0))
        return -1;
    if (after_tip && before_head && green)
        memcpy(job->base, job->event_base, sizeof job->base);
    else if (after_tip && before_head)
        measurement_say(measurement,
                        "the group before, %.*s, has no green verdict of this host: measured "
                        "against `%s`, with what that one changes",
                        SHORT_SHA, job->event_base, job->base_ref);
    return 0;
}

/* The group's commit is what the branch will be: nothing is merged here. */
static int pin_group(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct job *job = &measurement->job;
    const struct git_remote_spec *remote = &pipeline->origin.remote;
    bool base_queued = false;
    char ref[JOB_REF_BYTES + 16], tip[GIT_SHA_BYTES];
    snprintf(ref, sizeof ref, "refs/heads/%s", job->base_ref);
    if (ask_for_group(pipeline, &base_queued, err) != 0 ||
        git_fetch(measurement->repo, remote, ref, tip, err) != 0 ||
        checkout_need(measurement->repo, remote, job->head, err) != 0 ||
        (base_queued && checkout_need(measurement->repo, remote, job->event_base, err) != 0) ||
        choose_base(pipeline, tip, base_queued, err) != 0)
        return -1;
    memcpy(job->merge, job->head, sizeof job->merge);
    measurement_say(measurement, "merge group %.*s on %.*s", SHORT_SHA, job->head, SHORT_SHA,
                    job->base);
    return 0;
}

/* Bring base and head here. */
static int need_commits(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const char *const commits[] = {measurement->job.base, measurement->job.head};
    for (size_t i = 0; i < 2; i++)
        if (checkout_need(measurement->repo, &pipeline->origin.remote, commits[i], err) != 0)
            return -1;
    return 0;
}

/* A merge that was pinned before and is not here any more. One that was made here is made again:
 * the same two commits give the same one. One of GitHub's is asked for, and where GitHub has
 * forgotten it, ours has to do. */
static int need_merge(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct job *job = &measurement->job, again = *job;
    struct err why = {0};
    if (checkout_need(measurement->repo, &here, job->merge, &why) == 0)
        return 0;
    if (why.class != ERR_NOT_FOUND) {
        *err = why;
        return -1;
    }
    bool made = checkout_pin(measurement->repo, &here, &again, &why) == 0;
    if (made && strcmp(again.merge, job->merge) == 0)
        return 0;
    if (checkout_need(measurement->repo, &pipeline->origin.remote, job->merge, err) == 0)
        return 0;
    if (!made || err->class != ERR_NOT_FOUND)
        return -1;
    memcpy(job->merge, again.merge, sizeof job->merge);
    return 0;
}

static int pin(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct job *job = &measurement->job;
    if (job->merge[0] != '\0')
        return need_commits(pipeline, err) != 0 ? -1 : need_merge(pipeline, err);
    if (job->kind == JOB_PROMOTE)
        return pin_branch(pipeline, err);
    if (job->group[0] != '\0')
        return pin_group(pipeline, err);
    if (job->pr > 0 && (choices_settle(pipeline, err) != 0 || ask_github(pipeline, err) != 0))
        return -1;
    if (job->pr == 0 && need_commits(pipeline, err) != 0)
        return -1;
    if (checkout_pin(measurement->repo, job->pr == 0 ? &here : &pipeline->origin.remote, job,
                     err) != 0)
        return -1;
    measurement_say(measurement, "head %.*s into base %.*s: measuring %.*s", SHORT_SHA,
                    job->head, SHORT_SHA, job->base, SHORT_SHA, job->merge);
    return 0;
}

/* ---- what measuring will need ---- */

/* The commits that a baseline records, each once. */
static size_t list_anchors(const struct baseline *baseline,
                           const char *commits[MODEL_CONFIGS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < baseline->count && count < MODEL_CONFIGS_MAX; i++) {
        size_t j = 0;
        while (j < count && strcmp(commits[j], baseline->configs[i].commit) != 0)
            j++;
        if (j == count)
            commits[count++] = baseline->configs[i].commit;
    }
    return count;
}

/* A server in trouble may say "not found" of what it has, and then stored samples would decide. So a
 * commit is gone only if the same server, asked for base's branch in between, says so twice. */
static int need_anchor(struct measurement *measurement, const struct git_remote_spec *remote,
                       const char *commit, struct err *err)
{
    char ref[JOB_REF_BYTES + 16], tip[GIT_SHA_BYTES];
    if (checkout_need(measurement->repo, remote, commit, err) == 0)
        return 0;
    if (err->class != ERR_NOT_FOUND || measurement->repository == NULL)
        return -1;
    struct err why = {0};
    snprintf(ref, sizeof ref, "refs/heads/%s", measurement->job.base_ref);
    if (git_fetch(measurement->repo, remote, ref, tip, &why) != 0) {
        *err = why;
        err->class = ERR_HOST; /* no answer about the anchor */
        return -1;
    }
    return checkout_need(measurement->repo, remote, commit, err);
}

/* The anchors of base's baseline. One that cannot be had is remembered: what that means is for
 * whoever measures. A server that was in trouble for as long as we wait is waited for once. */
static void need_anchors(struct pipeline *pipeline)
{
    struct measurement *measurement = &pipeline->measurement;
    struct git_remote_spec remote = pipeline->origin.remote;
    const char *commits[MODEL_CONFIGS_MAX];
    size_t count = list_anchors(&measurement->baseline, commits);
    measurement->gone_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct unfetched *gone = &measurement->gone[measurement->gone_count];
        if (need_anchor(measurement, &remote, commits[i], &gone->why) == 0)
            continue;
        if (gone->why.class == ERR_HOST || gone->why.class == ERR_TIMEOUT)
            remote.retry_ms = 0;
        memcpy(gone->commit, commits[i], sizeof gone->commit);
        measurement->gone_count++;
    }
}

/* The submodules under the paths of a source in one commit. Their trouble is remembered, too. */
static void need_submodules(struct measurement *measurement, const char *commit,
                            const struct kernel_source *source)
{
    const char *paths[MODEL_PATHS_MAX];
    struct err remembered;
    for (size_t i = paths_of(source, paths); i > 0; i--)
        if (checkout_submodules(&measurement->submodules, measurement->repo, commit,
                                &paths[i - 1], 1, &measurement->host->limits,
                                &remembered) != 0)
            continue;
}

/* Each commit is built with its own paths, and looked at with base's and the merge's. */
static void need_all_submodules(struct measurement *measurement)
{
    const struct job *job = &measurement->job;
    struct err ignored;
    struct kernel_source merge, own;
    bool has_merge = rules_read_source(measurement, job->merge, &merge, &ignored) == 0;
    if (measurement->submodules.address_count == 0)
        return;
    const char *commits[MODEL_CONFIGS_MAX + 2] = {job->base, job->merge};
    size_t count = 2 + list_anchors(&measurement->baseline, commits + 2);
    for (size_t i = 0; i < count; i++) {
        need_submodules(measurement, commits[i], &measurement->config.source);
        if (has_merge)
            need_submodules(measurement, commits[i], &merge);
        if (rules_read_source(measurement, commits[i], &own, &ignored) == 0)
            need_submodules(measurement, commits[i], &own);
    }
}

/* ---- whether it is whole ---- */

/* Read what rules and, by `source`, builds read of a commit: a cache that is damaged is found here,
 * and not while others wait for the device. Nothing else is an error: whoever measures says it. What
 * people keep beside the two recorded files, such as studies, may be large and is not read. */
static int read_through(struct measurement *measurement, const char *commit,
                        const struct kernel_source *source, struct err *err)
{
    enum { ALWAYS = 3 };
    char baseline[FILE_PATH_BYTES], calibration[FILE_PATH_BYTES];
    const char *device = measurement->job.device;
    if (file_path(baseline, err, "baselines/%s/baseline.json", device) != 0 ||
        file_path(calibration, err, "baselines/%s/calibration.json", device) != 0)
        return -1;
    const char *paths[MODEL_PATHS_MAX + ALWAYS] = {CONFIG_PATH, baseline, calibration};
    struct git_tree_limits tree = checkout_limits(&measurement->host->limits);
    struct git_part part = {.paths = paths,
                            .path_count = ALWAYS,
                            .submodules = measurement->submodules.list,
                            .submodule_count = measurement->submodules.count};
    if (source != NULL)
        part.path_count += paths_of(source, paths + ALWAYS);
    return git_cache_read(measurement->repo, commit, &part, &tree, err) != 0 &&
                   git_is_damage(err)
               ? -1
               : 0;
}

/* A commit is built with its own paths; where it has none, with base's. */
static int read_all_through(struct measurement *measurement, struct err *err)
{
    const struct job *job = &measurement->job;
    const char *commits[MODEL_CONFIGS_MAX + 2] = {job->base, job->merge};
    size_t count = 2 + list_anchors(&measurement->baseline, commits + 2);
    struct kernel_source own;
    struct err ignored;
    for (size_t i = 0; i < count; i++) {
        bool has_own = rules_read_source(measurement, commits[i], &own, &ignored) == 0;
        if (read_through(measurement, commits[i], has_own ? &own : &measurement->config.source,
                         err) != 0)
            return -1;
    }
    return 0;
}

/* A job that was pinned before has as a rule all that it needs: then a GitHub that is away is no reason
 * not to measure. It is tried once, for a lane waits; what is missing all the same fails by itself. */
static int take_credential(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct err why;
    if (measurement->job.merge[0] == '\0')
        return credential_take(pipeline, NULL, err);
    struct limits once = limits_once(&measurement->host->limits);
    if (credential_take(pipeline, &once, &why) != 0)
        measurement_say(measurement, "%s: it is measured with what was fetched before",
                        why.text);
    return 0;
}

static int fetch_all(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct err ignored; /* whoever measures reads them again, and says what is wrong */
    if (take_credential(pipeline, err) != 0 || pin(pipeline, err) != 0 ||
        read_through(measurement, measurement->job.base, NULL, err) != 0)
        return -1;
    if (rules_read(measurement, measurement->job.base, &ignored) != 0)
        return 0;
    need_anchors(pipeline);
    need_all_submodules(measurement);
    return read_all_through(measurement, err);
}

/* Which of the caches it is that is damaged, nobody asks: to fetch all again costs only time. */
static int fetch_afresh(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct checkout_submodules *submodules = &measurement->submodules;
    if (git_cache_renew(measurement->repo, err) != 0)
        return -1;
    for (size_t i = 0; i < submodules->count; i++)
        if (git_cache_renew(submodules->list[i].repo, err) != 0)
            return -1;
    submodules->unfetched_count = 0;
    return fetch_all(pipeline, err);
}

int pipeline_pin(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct err problem = {0};
    measurement->submodules.may_fetch = true;
    pipeline->awaits_word = false;
    if (git_cache_tidy(measurement->repo, &problem) != 0)
        measurement_say(measurement, "%s", problem.text);
    int fetched = fetch_all(pipeline, &problem);
    if (fetched != 0 && git_is_damage(&problem)) {
        measurement_say(measurement, "the git cache is damaged, all is fetched again: %s",
                        problem.text);
        fetched = fetch_afresh(pipeline, &problem);
    }
    if (fetched != 0) {
        *err = problem;
        return -1;
    }
    measurement->submodules.may_fetch = false;
    return 0;
}

void pipeline_unpinned(struct pipeline *pipeline, const struct err *problem)
{
    struct measurement *measurement = &pipeline->measurement;
    if (pipeline->awaits_word)
        measurement_unmeasured(measurement, FAULT_NONE, CLAUSE_NOT_APPROVED, problem);
    else
        measurement_unmeasured(measurement,
                               measurement->job.kind == JOB_PROMOTE ? FAULT_HOST : FAULT_PR,
                               CLAUSE_NOT_PINNED, problem);
}
