/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is learnt from git's log of baseline.json. Git is the database, and is only read. */
#include "lab/history.h"

#include "base/file.h"
#include "judge/baseline.h"
#include "judge/bootstrap.h"
#include "judge/medians.h"
#include "judge/num.h"
#include "judge/numbers.h"
#include "judge/stats.h"

#include <stdio.h>
#include <string.h>

/* On the way back: the last version that could be read, and the commit that made the file so; "" where
 * the walk has not come to it yet. A version between that cannot be read is passed over. */
struct walk {
    const struct history_git *from;
    struct history *history;
    char path[FILE_PATH_BYTES];
    bool shallow;
    bool known;          /* `now` was read */
    struct baseline now; /* empty: there was none */
    struct git_commit_info since;
    size_t versions;
};

/* ---- one move ---- */

static int set_median(const struct baseline_config *row, struct history_move *move,
                      struct err *err)
{
    const double confidence = rule_default().confidence;
    NUMBERS_AUTO *medians = NULL;
    if (row->count == 0)
        return 0;
    if (medians_stored(row, &medians, err) != 0)
        return -1;
    move->replicates = row->count;
    move->ci = stats_median_interval(medians, row->count, confidence);
    move->ns = stats_median(medians, row->count);
    return 0;
}

/* As it is shown: one that nobody could have written is no name of a protocol. */
static void name_protocol(const struct baseline_config *row, char out[MODEL_PROTOCOL_BYTES])
{
    const char *name = environment_protocol(&row->environment);
    bool ok = model_name_ok(name) && strlen(name) < MODEL_PROTOCOL_BYTES;
    snprintf(out, MODEL_PROTOCOL_BYTES, "%s", ok ? name : "?");
}

static void set_protocols(const struct baseline_config *before,
                          const struct baseline_config *row, struct history_move *move)
{
    name_protocol(row, move->protocol);
    if (before != NULL && before->count > 0 && row->count > 0 &&
        strcmp(environment_protocol(&before->environment),
               environment_protocol(&row->environment)) != 0)
        name_protocol(before, move->before);
}

/* Two recordings, each of its own processes: the ratio of the means of their logs. */
static int set_step(const struct baseline_config *before, const struct baseline_config *row,
                    struct history_move *move, struct err *err)
{
    const struct rule rule = rule_default();
    const struct bootstrap settings = {rule.resamples, rule.seed, rule.confidence};
    struct bootstrap_result result;
    NUMBERS_AUTO *old = NULL;
    NUMBERS_AUTO *now = NULL;
    if (before->count < 2 || row->count < 2 ||
        !problem_matches(&before->config.problem, &row->config.problem) ||
        move->before[0] != '\0')
        return 0;
    if (medians_stored(before, &old, err) != 0 || medians_stored(row, &now, err) != 0)
        return -1;
    for (size_t i = 0; i < before->count; i++)
        old[i] = num_log(old[i]);
    for (size_t i = 0; i < row->count; i++)
        now[i] = num_log(now[i]);
    if (bootstrap_mean((struct sample){now, row->count}, (struct sample){old, before->count},
                       &settings, &result, err) != 0)
        return -1;
    struct interval ci = {num_exp(result.plain.low) - 1, num_exp(result.plain.high) - 1};
    move->step = (struct change){true, num_exp(result.estimate) - 1, ci, ci};
    return 0;
}

static bool is_wanted(const struct walk *walk, const char *config)
{
    return walk->from->config == NULL || strcmp(walk->from->config, config) == 0;
}

/* `before` NULL: the config is new. */
static int add_move(struct walk *walk, const struct baseline_config *row, const char *why,
                    const struct baseline_config *before, struct err *err)
{
    if (!is_wanted(walk, row->config.name) || walk->history->move_count == HISTORY_MOVES_MAX)
        return 0;
    struct history_move *move = history_add_move(walk->history, err);
    if (move == NULL)
        return -1;
    memcpy(move->commit, walk->since.sha, sizeof move->commit);
    move->time = walk->since.time;
    snprintf(move->config, sizeof move->config, "%s", row->config.name);
    snprintf(move->why, sizeof move->why, "%s", why);
    snprintf(move->who, sizeof move->who, "%s", row->who);
    snprintf(move->recorded, sizeof move->recorded, "%s", row->recorded);
    snprintf(move->kernel, sizeof move->kernel, "%s", row->commit);
    if (strcmp(why, "gone") == 0)
        return 0;
    if (set_median(row, move, err) != 0)
        return -1;
    set_protocols(before, row, move);
    return before == NULL ? 0 : set_step(before, row, move, err);
}

static int add_moves(struct walk *walk, const struct baseline *old, struct err *err)
{
    for (size_t i = 0; i < walk->now.count; i++) {
        const struct baseline_config *row = &walk->now.configs[i];
        const struct baseline_config *before = baseline_find(old, row->config.name);
        if ((before == NULL || strcmp(before->recorded, row->recorded) != 0) &&
            add_move(walk, row, row->why, before, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < old->count; i++)
        if (baseline_find(&walk->now, old->configs[i].config.name) == NULL &&
            add_move(walk, &old->configs[i], "gone", NULL, err) != 0)
            return -1;
    return 0;
}

/* What the last commit of a shallow clone has was recorded in it or before. */
static int add_inherited(struct walk *walk, const struct git_commit_info *commit,
                         struct err *err)
{
    const struct baseline none = {0};
    size_t first = walk->history->move_count;
    walk->since = *commit;
    if (add_moves(walk, &none, err) != 0)
        return -1;
    for (size_t i = first; i < walk->history->move_count; i++)
        walk->history->moves[i].inherited = true;
    return history_note(walk->history, err, "the history ends at %.*s: a shallow clone",
                        HISTORY_SHORT_SHA, commit->sha);
}

/* ---- the walk ---- */

/* 1: read, or there is none in that commit; 0: a note says why not. */
static int read_version(struct walk *walk, const char *sha, struct baseline *out,
                        struct err *err)
{
    struct err problem = {0};
    BUF_AUTO text;
    buf_init(&text, walk->from->limits->baseline_bytes);
    walk->versions++;
    if (git_read_file(walk->from->repo, sha, walk->path, &text, &problem) != 0) {
        if (problem.class == ERR_NOT_FOUND)
            return 1;
    } else if (baseline_parse(text.data, text.len, walk->path, walk->from->limits, out,
                              &problem) == 0) {
        return 1;
    }
    baseline_free(out);
    return history_note(walk->history, err, "%.*s: %s", HISTORY_SHORT_SHA, sha, problem.text);
}

/* `commit` has the version that is known, or one that cannot be read; its parent has another. */
static int take_change(struct walk *walk, const struct git_commit_info *commit,
                       const char *parent, struct err *err)
{
    BASELINE_AUTO old = {0};
    if (walk->since.sha[0] == '\0')
        walk->since = *commit;
    int read = read_version(walk, parent, &old, err);
    if (read <= 0)
        return read;
    if (walk->known && add_moves(walk, &old, err) != 0)
        return -1;
    struct baseline passed = walk->now;
    walk->now = old;
    old = passed; /* freed */
    walk->known = true;
    walk->since = (struct git_commit_info){0};
    return 0;
}

/* 1: there is another commit before it, in `commit`; 0: this was the last. */
static int step_back(struct walk *walk, struct git_commit_info *commit, struct err *err)
{
    const char *const paths[] = {walk->path};
    const struct baseline none = {0};
    struct git_commit_info parent;
    struct err problem = {0};
    bool differs = false, root = commit->parent_count == 0;
    bool missing = !root && git_read_commit(walk->from->repo, commit->parents[0], &parent,
                                            &problem) != 0;
    /* libgit2 1.7 gives the last commit of a shallow clone no parent, 1.5 one that is missing. */
    if (walk->shallow && (root || (missing && problem.class == ERR_NOT_FOUND)))
        return add_inherited(walk, commit, err);
    if (root) {
        if (walk->since.sha[0] == '\0')
            walk->since = *commit;
        return add_moves(walk, &none, err);
    }
    if (missing)
        return history_note(walk->history, err, "before %.*s nothing can be read: %s",
                            HISTORY_SHORT_SHA, commit->sha, problem.text);
    if (git_differs(walk->from->repo, parent.sha, commit->sha, paths, 1, &differs, NULL,
                    &problem) != 0)
        return history_note(walk->history, err, "before %.*s nothing can be compared: %s",
                            HISTORY_SHORT_SHA, commit->sha, problem.text);
    if (differs && take_change(walk, commit, parent.sha, err) != 0)
        return -1;
    *commit = parent;
    return 1;
}

static int walk_back(struct walk *walk, struct err *err)
{
    struct git_commit_info commit;
    if (git_read_commit(walk->from->repo, walk->history->head, &commit, err) != 0)
        return -1;
    int read = read_version(walk, commit.sha, &walk->now, err);
    if (read < 0)
        return -1;
    walk->known = read > 0;
    for (int i = 0; i < HISTORY_COMMITS_MAX; i++) {
        if (walk->versions >= HISTORY_BASELINES_MAX ||
            walk->history->move_count == HISTORY_MOVES_MAX)
            return history_note(walk->history, err,
                                "the baseline moved often: nothing before %.*s was looked at",
                                HISTORY_SHORT_SHA, commit.sha);
        int more = step_back(walk, &commit, err);
        if (more <= 0)
            return more;
    }
    return history_note(walk->history, err, "only the last %d commits were looked at",
                        HISTORY_COMMITS_MAX);
}

int history_read_git(const struct history_git *from, struct history *history, struct err *err)
{
    struct walk walk = {.from = from, .history = history};
    if (file_path(walk.path, err, "baselines/%s/baseline.json", history->device) != 0 ||
        git_is_shallow(from->repo, &walk.shallow, err) != 0)
        return -1;
    int rc = walk_back(&walk, err);
    baseline_free(&walk.now);
    return rc;
}
