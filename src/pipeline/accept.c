/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which pull requests may have made a loss of main, and whether each was accepted for the head that was merged. */
#include "pipeline/accept.h"

#include "base/db.h"
#include "pipeline/paths.h"
#include "publish/push_baseline.h"

#include <stdio.h>
#include <string.h>

enum { COMMITS_MAX = 1000, ASKED_MAX = 60 };

/* The commit of main at which a config was last measured, and not lost. */
const char accept_schema[] =
    "CREATE TABLE good ("
    " repository TEXT NOT NULL COLLATE NOCASE,"
    " branch TEXT NOT NULL,"
    " device TEXT NOT NULL,"
    " config TEXT NOT NULL,"
    " sha TEXT NOT NULL,"
    " PRIMARY KEY (repository, branch, device, config)) WITHOUT ROWID;";

/* ---- since when ---- */

void accept_note_good(struct measurement *measurement)
{
    const struct job *job = &measurement->job;
    struct err problem;
    for (size_t i = 0; measurement->store != NULL && i < measurement->comparison.count; i++) {
        const struct config_verdict *row = &measurement->comparison.configs[i];
        bool good = row->verdict == VERDICT_IMPROVED ||
                    (row->verdict == VERDICT_HELD && row->clause != CLAUSE_LOST_ON_MAIN);
        if (good && db_run(measurement->store, &problem,
                           "INSERT OR REPLACE INTO good VALUES (?, ?, ?, ?, ?)", "ttttt",
                           job->repository, job->base_ref, job->device, row->config.name,
                           job->head) != 0)
            measurement_say(measurement, "the verdict of a promotion is not kept: %s",
                            problem.text);
    }
}

/* Since which commit of main a config may be lost: where nothing is remembered, its anchor. "": not known. */
static void find_good(const struct measurement *measurement, const char *config,
                      char out[GIT_SHA_BYTES])
{
    const struct job *job = &measurement->job;
    const struct baseline_config *row = measurement->has_baseline
                                            ? baseline_find(&measurement->baseline, config)
                                            : NULL;
    DB_STMT_AUTO *stmt = NULL;
    struct err ignored;
    snprintf(out, GIT_SHA_BYTES, "%s", row == NULL ? "" : row->commit);
    if (measurement->store != NULL &&
        db_prepare(measurement->store, &stmt, &ignored,
                   "SELECT sha FROM good WHERE repository = ? AND branch = ? AND device = ?"
                   " AND config = ?",
                   "tttt", job->repository, job->base_ref, job->device, config) == 0 &&
        db_step(stmt, &ignored) > 0)
        snprintf(out, GIT_SHA_BYTES, "%s", db_text(stmt, 0));
}

/* ---- one pull request ---- */

struct question {
    struct pipeline *pipeline;
    int pulls[ASKED_MAX]; /* of each commit that was asked about; 0: of none */
    size_t count;
    bool labeled; /* one of them, at least */
    bool
        away; /* GitHub gave no answer: it is asked no more, as each question would wait as long */
    struct buf missing; /* whose word is: "#3, #5" */
    char who[MODEL_WHO_BYTES];
};

static void miss(struct question *question, const char *what)
{
    buf_addf(&question->missing, "%s%s", question->missing.len > 0 ? ", " : "", what);
}

/* A loss is accepted of the head that somebody saw: what was pushed after the label is another one. */
static bool is_for_head(struct question *question, const struct github_pull *pull,
                        const char *labeled_at)
{
    struct pipeline *pipeline = question->pipeline;
    struct measurement *measurement = &pipeline->measurement;
    char pushed_at[GITHUB_TIME_BYTES];
    struct err problem = {0};
    if (github_head_pushed_at(&pipeline->origin.github, pull, false, pushed_at, &problem) !=
        0) {
        measurement_note(measurement,
                         "The label %s on #%d is not counted: when its head %.*s was pushed "
                         "could not be read: %s",
                         ACCEPT_LABEL, pull->number, SHORT_SHA, pull->head, problem.text);
        question->away = github_may_pass(&pipeline->origin.trouble, problem.class);
        return false;
    }
    if (strcmp(labeled_at, pushed_at) > 0) /* in one second nobody sees what was pushed */
        return true;
    measurement_note(
        measurement,
        "The label %s on #%d is not counted: it was put there at %s, not after the "
        "head that was merged, %.*s, was pushed at %s",
        ACCEPT_LABEL, pull->number, labeled_at[0] == '\0' ? "?" : labeled_at, SHORT_SHA,
        pull->head, pushed_at);
    return false;
}

static bool is_named(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at++)
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
            return true;
    return false;
}

/* It carries the label, put there by somebody who may write, for its last head. */
static bool is_accepted(struct question *question, const struct github_pull *pull)
{
    struct pipeline *pipeline = question->pipeline;
    struct measurement *measurement = &pipeline->measurement;
    char who[64], when[GITHUB_TIME_BYTES];
    struct err problem = {0};
    bool may_write = false;
    if (!github_has_label(pull, ACCEPT_LABEL))
        return false;
    question->labeled = true;
    if (strcmp(pull->base_ref, measurement->job.base_ref) != 0) {
        measurement_note(measurement,
                         "The label %s on #%d is not counted: it accepted a loss on %.100s",
                         ACCEPT_LABEL, pull->number, pull->base_ref);
        return false;
    }
    if (github_who_labeled(&pipeline->origin.github, pull->number, ACCEPT_LABEL, who, when,
                           &may_write, &problem) != 0) {
        measurement_note(measurement, "Who put the label %s on #%d could not be read: %s",
                         ACCEPT_LABEL, pull->number, problem.text);
        question->away = github_may_pass(&pipeline->origin.trouble, problem.class);
        return false;
    }
    if (!may_write)
        measurement_note(measurement,
                         "The label %s on #%d was put there by %s, who may not write here",
                         ACCEPT_LABEL, pull->number, who);
    if (!may_write || !is_for_head(question, pull, when))
        return false;
    size_t used = strlen(question->who);
    if (!is_named(question->who, who) && used + strlen(who) + 2 < sizeof question->who)
        snprintf(question->who + used, sizeof question->who - used, "%s%s",
                 used > 0 ? ", " : "", who);
    return true;
}

static void ask(struct question *question, const char *commit)
{
    struct pipeline *pipeline = question->pipeline;
    struct github_pull pull;
    struct err problem = {0};
    char name[32];
    question->pulls[question->count++] = 0;
    if (github_pull_of_commit(&pipeline->origin.github, commit, &pull, &problem) != 0) {
        if (problem.class != ERR_NOT_FOUND)
            measurement_note(&pipeline->measurement, "Labels could not be read: %s",
                             problem.text);
        question->away = github_may_pass(&pipeline->origin.trouble, problem.class);
        snprintf(name, sizeof name, "%.*s (of no pull request)", SHORT_SHA, commit);
        miss(question, name);
        return;
    }
    for (size_t i = 0; i < question->count; i++)
        if (question->pulls[i] == pull.number)
            return;
    question->pulls[question->count - 1] = pull.number;
    snprintf(name, sizeof name, "#%d", pull.number);
    if (!is_accepted(question, &pull))
        miss(question, name);
}

/* ---- all that were merged since ---- */

/* Kernel, recipe, or rules. What cannot be told is another; so is all that was merged before
 * ci/ratchet.conf became what it is: it may have named other paths. */
static bool is_touched(struct measurement *measurement, const char *before, const char *commit)
{
    const char *const conf[] = {CONFIG_PATH};
    char first[256];
    bool same = false, differs = true, moved = true;
    struct err ignored;
    return git_differs(measurement->repo, before, measurement->job.head, conf, 1, &moved, NULL,
                       &ignored) != 0 ||
           moved ||
           paths_same(measurement, &measurement->config.source, before, commit, &same, first,
                      &ignored) != 0 ||
           !same ||
           git_differs(measurement->repo, before, commit, conf, 1, &differs, NULL, &ignored) !=
               0 ||
           differs;
}

/* From main's tip back along main itself, until all of `since` lie behind. */
static void ask_all(struct question *question, char (*since)[GIT_SHA_BYTES], size_t count)
{
    struct measurement *measurement = &question->pipeline->measurement;
    char at[GIT_SHA_BYTES];
    struct git_commit_info commit;
    struct err ignored;
    snprintf(at, sizeof at, "%s", measurement->job.head);
    for (int i = 0; i < COMMITS_MAX; i++) {
        for (size_t k = count; k > 0; k--)
            if (strcmp(since[k - 1], at) == 0)
                memmove(since[k - 1], since[--count], GIT_SHA_BYTES); /* may be the same */
        if (count == 0)
            return;
        if (question->count == ASKED_MAX || question->away ||
            git_read_commit(measurement->repo, at, &commit, &ignored) != 0 ||
            commit.parents[0][0] == '\0')
            break;
        if (is_touched(measurement, commit.parents[0], at))
            ask(question, at);
        memcpy(at, commit.parents[0], sizeof at);
    }
    miss(question, question->away
                       ? "and what was merged before, which GitHub was not asked about"
                       : "and what was merged before, as it was never measured without this "
                         "loss by this host, or not lately");
}

/* Whoever put a label somewhere hears why it does nothing; without any, that is plain. */
static void say_missing(const struct question *question)
{
    const struct pipeline *pipeline = question->pipeline;
    struct github_pull pull;
    struct err ignored;
    if (question->labeled || question->away ||
        (github_pull_of_commit(&pipeline->origin.github, pipeline->measurement.job.head, &pull,
                               &ignored) == 0 &&
         github_has_label(&pull, ACCEPT_LABEL)))
        measurement_note(
            &question->pipeline->measurement,
            "No loss is accepted by label: of all that touched kernel or " CONFIG_PATH
            " since it was measured without this loss, the label %s is missing, or is not "
            "counted, on %s.",
            ACCEPT_LABEL, question->missing.data);
}

static void add_config(struct promotion_accept *accept, const char *name)
{
    if (accept->count < MODEL_CONFIGS_MAX)
        snprintf(accept->configs[accept->count++], MODEL_NAME_BYTES, "%s", name);
}

void accept_find(struct pipeline *pipeline, const struct forgotten *forgotten,
                 struct promotion_accept *accept)
{
    static char since[MODEL_CONFIGS_MAX][GIT_SHA_BYTES];
    static struct promotion_accept lost;
    const struct measurement *measurement = &pipeline->measurement;
    const struct comparison *comparison = &measurement->comparison;
    struct question question = {.pipeline = pipeline};
    if (accept->count > 0 || measurement->repository == NULL)
        return;
    lost.count = 0;
    for (size_t i = 0; i < forgotten->count; i++)
        add_config(&lost, forgotten->configs[i]);
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->configs[i].verdict == VERDICT_REGRESSED)
            add_config(&lost, comparison->configs[i].config.name);
    for (size_t i = 0; i < lost.count; i++)
        find_good(measurement, lost.configs[i], since[i]);
    if (lost.count == 0)
        return;
    buf_init(&question.missing, MODEL_TEXT_BYTES / 2);
    ask_all(&question, since, lost.count);
    if (question.missing.len > 0 || question.missing.failed) {
        say_missing(&question);
    } else if (question.count > 0) {
        *accept = lost;
        memcpy(accept->who, question.who, sizeof accept->who);
    }
    buf_free(&question.missing);
}
