/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what of ci/ratchet.conf is told beside a promotion, and by whom it was changed. */
#include "pipeline/promote_changes.h"

#include "pipeline/rules.h"

#include <stdlib.h>
#include <string.h>

enum { COMMITS_MAX = 1000, NAMED_MAX = 3 };

/* The commit of main that was recorded last; NULL: none. */
static const char *last_recorded(const struct baseline *baseline)
{
    const struct baseline_config *last = NULL;
    for (size_t i = 0; i < baseline->count; i++)
        if (last == NULL || strcmp(baseline->configs[i].recorded, last->recorded) > 0)
            last = &baseline->configs[i];
    return last == NULL ? NULL : last->commit;
}

static void add_name(struct buf *out, const char *name)
{
    buf_addf(out, "%s%s", out->len > 0 ? ", " : "", name);
}

/* The keys that differ, by their names. */
static void name_differences(const struct ratchet_config *old,
                             const struct ratchet_config *now, struct buf *out)
{
#define COMPARE(type, field, word, ...)     \
    if (old->rule.field != now->rule.field) \
        add_name(out, "[rule] " word);
    RULE_TABLE(COMPARE)
#undef COMPARE
    if (old->rule.look_count != now->rule.look_count ||
        memcmp(old->rule.looks, now->rule.looks,
               old->rule.look_count * sizeof old->rule.looks[0]) != 0)
        add_name(out, "[rule] look");
    if (old->rule.unclear_passes != now->rule.unclear_passes)
        add_name(out, "[rule] unclear");
    struct kernel_source same_recipe = old->source;
    same_recipe.recipe = now->source.recipe;
    if (!kernel_source_equal(&same_recipe, &now->source))
        add_name(out, "[kernel] path");
    if (strcmp(old->source.recipe.command, now->source.recipe.command) != 0)
        add_name(out, "[build] command");
    if (strcmp(old->source.recipe.output, now->source.recipe.output) != 0)
        add_name(out, "[build] output");
}

static void name_commit(struct pipeline *pipeline, const struct git_commit_info *commit,
                        struct buf *out)
{
    struct github_pull pull;
    struct err ignored = {0};
    buf_addf(out, "%s%.*s", out->len > 0 ? ", " : "", SHORT_SHA, commit->sha);
    if (pipeline->measurement.repository != NULL &&
        github_pull_of_commit(&pipeline->origin.github, commit->sha, &pull, &ignored) == 0)
        buf_addf(out, " (#%d, by %s)", pull.number, pull.author);
}

/* Main's own commits back to `old`, newest first: those that changed the file. */
static void name_commits(struct pipeline *pipeline, const char *old, struct buf *out)
{
    struct measurement *measurement = &pipeline->measurement;
    const char *const conf[] = {CONFIG_PATH};
    struct git_commit_info commit;
    struct err ignored = {0};
    char at[GIT_SHA_BYTES];
    memcpy(at, measurement->job.head, sizeof at);
    size_t named = 0;
    for (int i = 0; i < COMMITS_MAX && strcmp(at, old) != 0; i++) {
        bool differs = false;
        if (git_read_commit(measurement->repo, at, &commit, &ignored) != 0 ||
            commit.parents[0][0] == '\0' ||
            git_differs(measurement->repo, commit.parents[0], at, conf, 1, &differs, NULL,
                        &ignored) != 0)
            return;
        if (differs && ++named > NAMED_MAX) {
            buf_adds(out, ", and others");
            return;
        }
        if (differs)
            name_commit(pipeline, &commit, out);
        memcpy(at, commit.parents[0], sizeof at);
    }
}

static void free_config(struct ratchet_config **config)
{
    free(*config);
}

void promote_note_changes(struct pipeline *pipeline)
{
    struct measurement *measurement = &pipeline->measurement;
    struct ratchet_config *old __attribute__((cleanup(free_config))) = calloc(1, sizeof *old);
    const char *commit = measurement->has_baseline ? last_recorded(&measurement->baseline)
                                                   : NULL;
    struct err ignored = {0};
    BUF_AUTO keys;
    BUF_AUTO commits;
    buf_init(&keys, MODEL_TEXT_BYTES / 2);
    buf_init(&commits, MODEL_TEXT_BYTES / 2);
    if (old == NULL || commit == NULL || !measurement->has_config ||
        rules_read_config(measurement, commit, old, &ignored) != 0)
        return;
    name_differences(old, &measurement->config, &keys);
    if (keys.len == 0)
        return;
    name_commits(pipeline, commit, &commits);
    measurement_note(measurement, "Changed since %.*s, which was recorded last: %s%s%s.",
                     SHORT_SHA, commit, keys.data, commits.len > 0 ? "; by " : "",
                     commits.data);
}
