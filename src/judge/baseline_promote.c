/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which configs of a baseline move after a push to main, and their new rows. Reads
 * no file and no clock; the push is publish/push_baseline's. */
#include "judge/baseline.h"

#include "judge/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both runs together: fewer say nothing about how processes scatter, and the stored
 * comparison needs them. */
enum { PROMOTE_REPLICATES_MIN = 6 };

/* What is known of one config while it is decided on. */
struct candidate {
    const char *name;
    const struct baseline_config *old; /* NULL: none */
    const struct config_samples *runs[2];
    const struct config_verdict *verdicts[2];
    const char *earlier; /* the anchor whose machine code this is again; NULL: none */
    bool accepted, lost;
};

__attribute__((format(printf, 2, 3))) static void say(struct promotion_move *move,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(move->reason, sizeof move->reason, format, args);
    va_end(args);
}

static bool usable(const struct replicate *replicate)
{
    return replicate->marks == 0 && replicate->arms[ARM_HEAD].count != 0;
}

static size_t usable_count(const struct config_samples *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++)
        count += usable(&run->replicates[i]);
    return count;
}

/* Whether both runs measured the config, else why not. A config that had nothing to be
 * compared with was measured all the same: that is how the first baseline begins. */
static bool measured(const struct candidate *candidate, struct promotion_move *move)
{
    static const char *const which[] = {"first", "second"};
    for (int i = 0; i < 2; i++) {
        const struct config_samples *run = candidate->runs[i];
        const struct config_verdict *verdict = candidate->verdicts[i];
        if (run == NULL || verdict == NULL) {
            say(move, "stays: not measured in the %s run", which[i]);
            return false;
        }
        if (run->fault != FAULT_NONE ||
            (verdict->verdict == VERDICT_UNMEASURED && verdict->against != AGAINST_NONE)) {
            say(move, "stays: unmeasured in the %s run: %.400s", which[i],
                run->failure[0] != '\0' ? run->failure : verdict->reason);
            return false;
        }
        if (!gaps_borne(verdict->missing[ARM_HEAD], verdict->rounds)) {
            say(move, "stays: head is missing in %zu of %zu replicates of the %s run",
                verdict->missing[ARM_HEAD], verdict->rounds, which[i]);
            return false;
        }
        if (usable_count(run) == 0) {
            say(move, "stays: %s in the %s run",
                run->identical ? "identical machine code, not measured"
                               : "no unmarked samples",
                which[i]);
            return false;
        }
    }
    const struct config_samples *first = candidate->runs[0];
    const struct config_samples *second = candidate->runs[1];
    size_t count = usable_count(first) + usable_count(second);
    if (count < PROMOTE_REPLICATES_MIN) {
        say(move, "stays: %zu unmarked replicates in both runs, at least %d are needed", count,
            PROMOTE_REPLICATES_MIN);
        return false;
    }
    const char *one = first->arms[ARM_HEAD].code;
    const char *other = second->arms[ARM_HEAD].code;
    if (one[0] != '\0' && other[0] != '\0' && strcmp(one, other) != 0) {
        say(move, "stays: the two runs measured different machine code");
        return false;
    }
    if (!problem_equal(&first->config.problem, &second->config.problem)) {
        say(move, "stays: the two runs measured different problems");
        return false;
    }
    return true;
}

/* "held +0.1%, regressed +4.0%" */
static void say_verdicts(const struct candidate *candidate, struct promotion_move *move)
{
    const struct config_verdict *first = candidate->verdicts[0];
    const struct config_verdict *second = candidate->verdicts[1];
    say(move, "stays: %s %+.1f%% in the first run, %s %+.1f%% in the second",
        verdict_name(first->verdict), 100 * first->change.change,
        verdict_name(second->verdict), 100 * second->change.change);
}

static bool improved_twice(const struct candidate *candidate)
{
    /* An improvement counts against what the baseline records, not against a parent. */
    for (int i = 0; i < 2; i++)
        if (candidate->verdicts[i]->verdict != VERDICT_IMPROVED ||
            (candidate->verdicts[i]->against != AGAINST_ANCHOR &&
             candidate->verdicts[i]->against != AGAINST_STORED))
            return false;
    return true;
}

static bool regressed_twice(const struct candidate *candidate)
{
    for (int i = 0; i < 2; i++)
        if (candidate->verdicts[i]->verdict != VERDICT_REGRESSED ||
            candidate->verdicts[i]->against != AGAINST_ANCHOR)
            return false;
    return true;
}

/* Main's ci/ratchet.conf lists it no more, and nobody measured it. */
static bool is_retired(const struct candidate *candidate)
{
    return candidate->old != NULL && candidate->old->retired && candidate->runs[0] == NULL &&
           candidate->runs[1] == NULL;
}

/* Fill in `move`; true when the config moves. */
static bool decide(const struct promotion_request *request, const struct candidate *candidate,
                   struct promotion_move *move)
{
    *move = (struct promotion_move){0};
    snprintf(move->name, sizeof move->name, "%s", candidate->name);
    if (!measured(candidate, move))
        return false;
    const char *why = "";
    bool other_problem = candidate->old != NULL &&
                         !problem_equal(&candidate->old->config.problem,
                                        &candidate->runs[1]->config.problem);
    if (candidate->lost && (candidate->old == NULL || other_problem)) {
        why = candidate->accepted ? "accepted" : "";
        if (candidate->accepted)
            say(move, "accepted by %s: recorded anew",
                request->who != NULL ? request->who : "nobody named");
        else
            say(move, "stays: it was lost before the baseline forgot it, and nobody has "
                      "accepted that");
    } else if (candidate->old == NULL) {
        why = "new";
        say(move, "new: recorded for the first time");
    } else if (other_problem) {
        why = "new";
        say(move, "new: the name stood for another problem before");
    } else if (improved_twice(candidate)) {
        why = "improved";
        say(move, "improved: %+.1f%% in the first run, %+.1f%% in the second",
            100 * candidate->verdicts[0]->change.change,
            100 * candidate->verdicts[1]->change.change);
    } else if (candidate->accepted) {
        why = "accepted";
        say(move, "accepted by %s: %+.1f%% in the first run, %+.1f%% in the second",
            request->who != NULL ? request->who : "nobody named",
            100 * candidate->verdicts[0]->change.change,
            100 * candidate->verdicts[1]->change.change);
    } else if (candidate->earlier != NULL && regressed_twice(candidate)) {
        why = "reverted";
        say(move,
            "goes back to the anchor of %.10s, whose machine code this is again: %+.1f%% in "
            "the "
            "first run, %+.1f%% in the second",
            candidate->earlier, 100 * candidate->verdicts[0]->change.change,
            100 * candidate->verdicts[1]->change.change);
    } else {
        say_verdicts(candidate, move);
    }
    snprintf(move->why, sizeof move->why, "%s", why);
    return why[0] != '\0';
}

/* ---- rows ---- */

static struct baseline_config *add_row(struct baseline *baseline)
{
    struct baseline_config *grown = realloc(baseline->configs,
                                            (baseline->count + 1) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    baseline->configs = grown;
    grown[baseline->count] = (struct baseline_config){0};
    return &grown[baseline->count++];
}

static int copy_series(const struct series *from, struct series *to)
{
    for (size_t i = 0; i < from->count; i++)
        if (series_add(to, from->ns[i]) != 0)
            return -1;
    return 0;
}

static int keep_row(const struct baseline_config *old, struct baseline *out)
{
    struct baseline_config *row = add_row(out);
    if (row == NULL)
        return -1;
    *row = *old;
    row->environment = (struct environment){0};
    row->count = 0;
    row->replicates = calloc(old->count + 1, sizeof *row->replicates);
    if (row->replicates == NULL || environment_copy(&old->environment, &row->environment) != 0)
        return -1;
    for (size_t i = 0; i < old->count; i++)
        if (copy_series(&old->replicates[i], &row->replicates[row->count++]) != 0)
            return -1;
    return 0;
}

static int new_row(const struct promotion_request *request, const struct candidate *candidate,
                   const struct promotion_move *move, struct baseline *out)
{
    const struct config_samples *first = candidate->runs[0], *second = candidate->runs[1];
    struct baseline_config *row = first == NULL || second == NULL ? NULL : add_row(out);
    if (row == NULL)
        return -1;
    row->config = second->config;
    row->clock_resolution_ns = second->clock_resolution_ns;
    snprintf(row->commit, sizeof row->commit, "%s", request->commit);
    snprintf(row->code, sizeof row->code, "%s", second->arms[ARM_HEAD].code);
    snprintf(row->recorded, sizeof row->recorded, "%s", request->now);
    snprintf(row->why, sizeof row->why, "%s", move->why);
    if (strcmp(move->why, "accepted") == 0 && request->who != NULL)
        snprintf(row->who, sizeof row->who, "%s", request->who);
    if (environment_copy(&request->second->environment, &row->environment) != 0)
        return -1;
    row->replicates = calloc(usable_count(first) + usable_count(second) + 1,
                             sizeof *row->replicates);
    if (row->replicates == NULL)
        return -1;
    for (int run = 0; run < 2; run++)
        for (size_t i = 0; i < candidate->runs[run]->count; i++) {
            const struct replicate *replicate = &candidate->runs[run]->replicates[i];
            if (usable(replicate) &&
                copy_series(&replicate->arms[ARM_HEAD], &row->replicates[row->count++]) != 0)
                return -1;
        }
    return 0;
}

/* ---- the whole ---- */

struct promotion {
    const struct promotion_request *request;
    struct baseline out;
    struct promotion_move *moves; /* MODEL_CONFIGS_MAX */
    size_t count;
    size_t moved;
};

static void free_promotion(struct promotion *promotion)
{
    baseline_free(&promotion->out);
    free(promotion->moves);
}

static bool decided(const struct promotion *promotion, const char *name)
{
    for (size_t i = 0; i < promotion->count; i++)
        if (strcmp(promotion->moves[i].name, name) == 0)
            return true;
    return false;
}

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static const char *earlier_of(const struct promotion_request *request, const char *name)
{
    for (size_t i = 0; i < request->earlier_count; i++)
        if (strcmp(request->earlier[i].name, name) == 0)
            return request->earlier[i].commit;
    return NULL;
}

static int promote_config(struct promotion *promotion, const char *name, struct err *err)
{
    const struct promotion_request *request = promotion->request;
    if (decided(promotion, name))
        return 0;
    if (promotion->count == MODEL_CONFIGS_MAX)
        return err_set(err, ERR_LIMIT, "promotion: more than %d configs", MODEL_CONFIGS_MAX);
    struct candidate candidate = {
        .name = name,
        .old = request->old != NULL ? baseline_find(request->old, name) : NULL,
        .runs = {samples_find(request->first, name), samples_find(request->second, name)},
        .verdicts = {comparison_find(request->first_verdict, name),
                     comparison_find(request->second_verdict, name)},
        .earlier = earlier_of(request, name),
        .accepted = is_among(request->accepted, request->accepted_count, name),
        .lost = is_among(request->lost, request->lost_count, name),
    };
    struct promotion_move *move = &promotion->moves[promotion->count++];
    int failed = 0;
    if (is_retired(&candidate)) {
        *move = (struct promotion_move){.why = "retired"};
        snprintf(move->name, sizeof move->name, "%s", name);
        say(move, "retired: ci/ratchet.conf lists it no more");
        promotion->moved++;
    } else if (decide(request, &candidate, move)) {
        promotion->moved++;
        failed = new_row(request, &candidate, move, &promotion->out);
    } else if (candidate.old != NULL) {
        failed = keep_row(candidate.old, &promotion->out);
    }
    return failed != 0 ? err_set(err, ERR_HOST, "promotion: out of memory") : 0;
}

static int promote_all(struct promotion *promotion, struct err *err)
{
    const struct promotion_request *request = promotion->request;
    for (size_t i = 0; i < request->second->count; i++)
        if (promote_config(promotion, request->second->configs[i].config.name, err) != 0)
            return -1;
    for (size_t i = 0; i < request->first->count; i++)
        if (promote_config(promotion, request->first->configs[i].config.name, err) != 0)
            return -1;
    for (size_t i = 0; request->old != NULL && i < request->old->count; i++)
        if (promote_config(promotion, request->old->configs[i].config.name, err) != 0)
            return -1;
    /* A name that nobody knows is answered, not swallowed. */
    for (size_t i = 0; i < request->accepted_count; i++)
        if (model_name_ok(request->accepted[i]) &&
            promote_config(promotion, request->accepted[i], err) != 0)
            return -1;
    return 0;
}

static int check_devices(const struct promotion_request *request, struct err *err)
{
    const char *slug = request->second->device.slug;
    if (strcmp(request->first->device.slug, slug) != 0)
        return err_set(err, ERR_INPUT,
                       "promotion: the first run is of `%s`, the second of `%s`",
                       request->first->device.slug, slug);
    if (request->old != NULL && strcmp(request->old->device.slug, slug) != 0)
        return err_set(err, ERR_INPUT, "promotion: the baseline is of `%s`, the runs of `%s`",
                       request->old->device.slug, slug);
    return 0;
}

int baseline_promote(const struct promotion_request *request, struct baseline *out,
                     struct promotion_move moves[MODEL_CONFIGS_MAX], size_t *move_count,
                     size_t *moved, struct err *err)
{
    if (check_devices(request, err) != 0)
        return -1;
    __attribute__((cleanup(free_promotion))) struct promotion promotion = {.request = request};
    promotion.moves = calloc(MODEL_CONFIGS_MAX, sizeof *promotion.moves);
    if (promotion.moves == NULL)
        return err_set(err, ERR_HOST, "promotion: out of memory");
    promotion.out.device = request->second->device;
    if (promote_all(&promotion, err) != 0)
        return -1;
    memcpy(moves, promotion.moves, promotion.count * sizeof *moves);
    *move_count = promotion.count;
    *moved = promotion.moved;
    *out = promotion.out;
    promotion.out = (struct baseline){0};
    return 0;
}
