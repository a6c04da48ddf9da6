/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the search for anchors of before in the history of baseline.json. */
#include "pipeline/anchor_again.h"

#include "pipeline/promoted.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <string.h>

enum { COMMITS_MAX = 1000, BASELINES_MAX = 50 };

static const char *code_of_head(const struct measurement *measurement, const char *name)
{
    const struct config_samples *samples = samples_find(&measurement->samples, name);
    return samples == NULL ? "" : samples->arms[ARM_HEAD].code;
}

/* Slower than today's anchor, and of other code than it. */
static bool is_open(const struct measurement *measurement, const struct anchors_again *found,
                    const struct config_verdict *row)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->configs[i].name, row->config.name) == 0)
            return false;
    const struct baseline_config *now = baseline_find(&measurement->baseline,
                                                      row->config.name);
    const char *code = code_of_head(measurement, row->config.name);
    return row->verdict == VERDICT_REGRESSED && row->against == AGAINST_ANCHOR &&
           now != NULL && code[0] != '\0' && strcmp(code, now->code) != 0;
}

static bool is_behind(const struct measurement *measurement, const char *commit,
                      const char *at)
{
    bool yes = false;
    struct err ignored;
    return git_is_ancestor(measurement->repo, commit, at, &yes, &ignored) == 0 && yes;
}

/* `at`: a commit with `earlier`, which we pushed; what it names was measured before it. */
static void look_into(const struct measurement *measurement, const struct baseline *earlier,
                      const char *at, struct anchors_again *out)
{
    for (size_t i = 0; i < measurement->comparison.count; i++) {
        const struct config_verdict *row = &measurement->comparison.configs[i];
        const struct baseline_config *then = baseline_find(earlier, row->config.name);
        if (then == NULL || !is_open(measurement, out, row) ||
            !problem_equal(&then->config.problem, &row->config.problem) ||
            strcmp(then->code, code_of_head(measurement, row->config.name)) != 0 ||
            !is_behind(measurement, then->commit, at))
            continue;
        struct baseline_earlier *config = &out->configs[out->count++];
        snprintf(config->name, sizeof config->name, "%s", row->config.name);
        snprintf(config->commit, sizeof config->commit, "%s", then->commit);
    }
}

static bool any_open(const struct measurement *measurement, const struct anchors_again *found)
{
    for (size_t i = 0; i < measurement->comparison.count; i++)
        if (is_open(measurement, found, &measurement->comparison.configs[i]))
            return true;
    return false;
}

/* A host that is new, or was given a new state folder. */
static void note_unknown(struct measurement *measurement, const struct anchors_again *found)
{
    if (measurement->job.kind == JOB_PROMOTE && any_open(measurement, found))
        measurement_note(measurement,
                         "Whether this takes back what was promoted before is not known: this "
                         "host remembers no promotion of its own.");
}

void anchors_again_find(struct measurement *measurement, const char *tip,
                        struct anchors_again *out)
{
    char path[FILE_PATH_BYTES], at[GIT_SHA_BYTES];
    struct err ignored;
    struct git_commit_info commit;
    size_t read = 0;
    out->count = 0;
    if (!measurement->has_baseline ||
        file_path(path, &ignored, "baselines/%s/baseline.json", measurement->job.device) != 0)
        return;
    if (!promoted_any(measurement)) {
        note_unknown(measurement, out);
        return;
    }
    const char *const paths[] = {path};
    snprintf(at, sizeof at, "%s", tip);
    for (int i = 0; i < COMMITS_MAX && read < BASELINES_MAX && any_open(measurement, out);
         i++) {
        bool differs = false;
        if (git_read_commit(measurement->repo, at, &commit, &ignored) != 0 ||
            commit.parents[0][0] == '\0' ||
            git_differs(measurement->repo, commit.parents[0], at, paths, 1, &differs, NULL,
                        &ignored) != 0)
            return;
        BASELINE_AUTO earlier = {0};
        bool found = false;
        if (differs && promoted_knows(measurement, at) &&
            rules_read_baseline(measurement, at, &earlier, &found, &ignored) != 0)
            return;
        read += found;
        if (found)
            look_into(measurement, &earlier, at, out);
        memcpy(at, commit.parents[0], sizeof at);
    }
}
