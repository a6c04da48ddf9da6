/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whether a fork's code may run here: by the host's configuration, and by the word of a person who
 * may write, for that very head. GitHub is asked each time; nothing that a step says counts. */
#include "pipeline/word.h"

#include "command.h"

#include <stdio.h>
#include <string.h>

int word_ask(struct pipeline *pipeline, const struct github *github,
             const struct github_pull *pull, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct job *job = &measurement->job;
    struct github_trouble *trouble = &pipeline->origin.trouble;
    const char *fork = pull->head_repository[0] == '\0' ? "(deleted)" : pull->head_repository;
    struct github_word word = {.login = ""};
    struct err problem = {0};
    job->approved_by[0] = '\0';
    if (!measurement->repository->approve_forks)
        return err_set(
            err, ERR_INPUT,
            "pull request #%d comes from the fork `%s`: code of forks is not run on "
            "this host (ratchetd.conf: forks = approved)",
            job->pr, fork);
    if (github_find_word(github, pull, &word, &problem) != 0) {
        if (github_may_pass(trouble, problem.class)) {
            *err = problem;
            return -1;
        }
        /* Whatever else GitHub refuses, such as what a token may not ask, is final. */
        bool not_allowed = github->borrowed && trouble->status == 403;
        word.login[0] = '\0';
        snprintf(word.why_not, sizeof word.why_not, "%.*s", (int)sizeof word.why_not - 1,
                 not_allowed ? "this job's token may not ask who said what" : problem.text);
        *trouble = (struct github_trouble){0};
    }
    if (word.login[0] == '\0') {
        pipeline->awaits_word = true;
        return err_set(
            err, ERR_INPUT,
            "waits for the comment `" COMMAND_RUN
            " %s` of somebody who may write here, as it comes from the fork `%s`%s%s",
            pull->head, fork,
            word.why_not[0] == '\0' ? "" : "; what does not count: ", word.why_not);
    }
    memcpy(job->approved_by, word.login, sizeof job->approved_by);
    measurement_say(measurement, "the fork `%s` at %.*s may run here: %s let it", fork,
                    SHORT_SHA, pull->head, word.login);
    return 0;
}
