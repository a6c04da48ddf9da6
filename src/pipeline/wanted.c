/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the second look at a job that had to wait: does anybody still need what it would measure,
 * and may a fork's code still run? */
#include "pipeline/pipeline.h"

#include "pipeline/credential.h"
#include "pipeline/word.h"

#include <string.h>

/* Once, and at once: a lane waits for it. */
static struct github in_haste(const struct github *github, struct limits *limits)
{
    struct github here = *github;
    *limits = limits_once(github->limits);
    here.limits = limits;
    here.no_wait = true;
    return here;
}

static bool group_is_gone(const struct github *github, const struct job *job, struct err *why)
{
    bool ignored;
    return github_find_group(github, job->base_ref, job->group, job->head, job->base, &ignored,
                             why) != 0 &&
           why->class == ERR_NOT_FOUND;
}

bool pipeline_is_wanted(struct pipeline *pipeline, struct err *why)
{
    const struct job *job = &pipeline->measurement.job;
    struct limits limits;
    struct github_pull pull;
    struct err trouble;
    struct github github = in_haste(&pipeline->origin.github, &limits);
    if (credential_take(pipeline, &limits, &trouble) != 0)
        return true; /* who cannot be asked has not said no */
    if (job->group[0] != '\0')
        return !group_is_gone(&github, job, why);
    if (job->kind != JOB_CHECK || job->pr == 0 ||
        github_get_pull(&github, job->pr, &pull, &trouble) != 0)
        return true; /* who cannot be asked has not said no */
    if (!pull.open)
        err_set(why, ERR_INPUT, "pull request #%d was %s while this waited", job->pr,
                pull.merged ? "merged" : "closed");
    else if (strcmp(pull.head, job->head) != 0)
        err_set(why, ERR_INPUT, "superseded by %.*s", SHORT_SHA, pull.head);
    else if (strcmp(pull.base_ref, job->base_ref) != 0)
        err_set(why, ERR_INPUT, "the pull request goes to `%.200s` now", pull.base_ref);
    else
        return true;
    return false;
}

int pipeline_ask_word(struct pipeline *pipeline, struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    struct limits limits;
    struct github_pull pull;
    struct github github = in_haste(&pipeline->origin.github, &limits);
    pipeline->awaits_word = false;
    if (credential_take(pipeline, &limits, err) != 0)
        return -1;
    if (github_get_pull(&github, job->pr, &pull, err) != 0)
        return -1;
    if (strcmp(pull.head, job->head) != 0)
        return err_set(err, ERR_INPUT, "superseded by %.*s", SHORT_SHA, pull.head);
    return word_ask(pipeline, &github, &pull, err);
}
