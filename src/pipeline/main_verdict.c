/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is remembered of main's own verdicts: the file, since when a loss is there, and how
 * a check that measured nothing quotes it. Judges nothing. */
#include "pipeline/main_verdict.h"

#include "pipeline/paths.h"
#include "pipeline/rules.h"

#include "base/json.h"
#include "base/name.h"
#include "judge/verdict.h"
#include "publish/figures.h"

#include <stdio.h>
#include <string.h>

static const char schema[] = "ratchet.main/1";
enum { FILE_BYTES = 32 << 20, QUOTED = 3 };

void main_verdict_free(struct main_verdict *verdict)
{
    comparison_free(&verdict->comparison);
    *verdict = (struct main_verdict){0};
}

/* ---- the file ---- */

static int path_of(const struct host *host, const char *repository, const char *device,
                   char out[FILE_PATH_BYTES], struct err *err)
{
    char name[JOB_REPOSITORY_BYTES], key[FILE_KEY_BYTES];
    name_fold(repository, name, sizeof name);
    file_key(name, key);
    return file_path(out, err, "%s/main/%s-%s.json", host->state, key, device);
}

static json_t *losses_json(const struct main_verdict *verdict, bool *failed)
{
    json_t *losses = json_object();
    for (size_t i = 0; i < verdict->loss_count; i++)
        json_put(losses, verdict->losses[i].config, json_string(verdict->losses[i].since),
                 failed);
    return losses;
}

static int format(const char *repository, const struct main_verdict *verdict, struct buf *out,
                  struct err *err)
{
    BUF_AUTO text;
    JSON_AUTO *json = json_object();
    json_t *comparison = NULL;
    bool failed = json == NULL;
    buf_init(&text, FILE_BYTES);
    if (verdict_format_json(&verdict->comparison, &text, err) != 0 ||
        json_parse(text.data, text.len, "verdict", &comparison, err) != 0)
        return -1;
    json_put(json, "schema", json_string(schema), &failed);
    json_put(json, "repository", json_string(repository), &failed);
    json_put(json, "commit", json_string(verdict->commit), &failed);
    json_put(json, "losses", losses_json(verdict, &failed), &failed);
    json_put(json, "verdict", comparison, &failed);
    if (failed)
        return err_set(err, ERR_HOST, "out of memory for a verdict");
    return json_print(json, 1, out, err);
}

int main_verdict_keep(const struct host *host, const char *repository,
                      const struct main_verdict *verdict, struct err *err)
{
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, FILE_BYTES);
    if (format(repository, verdict, &text, err) != 0 ||
        file_path(folder, err, "%s/main", host->state) != 0 ||
        file_mkdirs(folder, 0700, err) != 0 ||
        path_of(host, repository, verdict->comparison.device.slug, path, err) != 0)
        return -1;
    return file_write(path, text.data, text.len, 0600, err);
}

static int read_losses(json_t *losses, const struct json_at *at, struct main_verdict *out,
                       struct err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(losses, name, value)
    {
        if (!model_name_ok(name) || out->loss_count == MODEL_CONFIGS_MAX)
            return json_error(at, err, "expected at most %d configs and their commits",
                              MODEL_CONFIGS_MAX);
        struct main_loss *loss = &out->losses[out->loss_count++];
        snprintf(loss->config, sizeof loss->config, "%s", name);
        if (json_get_sha(losses, name, at, loss->since, err) != 0)
            return -1;
    }
    return 0;
}

static int parse(const struct buf *text, const char *path, struct main_verdict *out,
                 struct err *err)
{
    JSON_AUTO *json = NULL;
    json_t *losses = NULL, *comparison = NULL;
    char word[sizeof schema + 16];
    struct json_at root = {.key = path}, at = {.parent = &root, .key = "losses"};
    BUF_AUTO verdict;
    buf_init(&verdict, FILE_BYTES);
    if (json_parse(text->data, text->len, path, &json, err) != 0 ||
        json_get_string(json, "schema", &root, word, sizeof word, err) != 0)
        return -1;
    if (strcmp(word, schema) != 0)
        return err_set(err, ERR_INPUT, "%s: schema: expected `%s`, not `%s`", path, schema,
                       word);
    if (json_get_sha(json, "commit", &root, out->commit, err) != 0 ||
        json_get_object(json, "losses", &root, &losses, err) != 0 ||
        read_losses(losses, &at, out, err) != 0 ||
        json_get_object(json, "verdict", &root, &comparison, err) != 0 ||
        json_print(comparison, 0, &verdict, err) != 0)
        return -1;
    return verdict_parse_json(verdict.data, verdict.len, path, &out->comparison, err);
}

int main_verdict_find(const struct host *host, const char *repository, const char *device,
                      struct main_verdict *out, bool *found, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct err problem = {0};
    MAIN_VERDICT_AUTO read = {0};
    BUF_AUTO text;
    buf_init(&text, FILE_BYTES);
    if (path_of(host, repository, device, path, err) != 0)
        return -1;
    if (file_read(path, &text, &problem) != 0) {
        *found = false;
        if (problem.class == ERR_NOT_FOUND)
            return 0;
        *err = problem;
        return -1;
    }
    if (parse(&text, path, &read, err) != 0)
        return -1;
    if (strcmp(read.comparison.device.slug, device) != 0)
        return err_set(err, ERR_INPUT, "%s: of device `%s`, expected `%s`", path,
                       read.comparison.device.slug, device);
    *out = read;
    *found = true;
    read = (struct main_verdict){0};
    return 0;
}

static bool load(const struct measurement *measurement, const char *repository,
                 struct main_verdict *out)
{
    struct err problem = {0};
    bool found = false;
    if (main_verdict_find(measurement->host, repository, measurement->job.device, out, &found,
                          &problem) == 0)
        return found;
    measurement_say(measurement, "the last verdict on `%s` is not known: %s",
                    measurement_branch(measurement), problem.text);
    return false;
}

bool main_verdict_load(const struct measurement *measurement, struct main_verdict *out)
{
    return load(measurement, measurement->repository->name, out);
}

/* ---- keeping ---- */

static bool is_lost(const struct config_verdict *row)
{
    return row->verdict == VERDICT_REGRESSED ||
           (row->verdict == VERDICT_HELD && row->clause == CLAUSE_LOST_ON_MAIN);
}

static void add_loss(struct main_verdict *verdict, const char *config, const char *since)
{
    if (verdict->loss_count == MODEL_CONFIGS_MAX)
        return;
    struct main_loss *loss = &verdict->losses[verdict->loss_count++];
    snprintf(loss->config, sizeof loss->config, "%s", config);
    memcpy(loss->since, since, sizeof loss->since);
}

/* A loss is over once its config was measured and is not lost; not by being unmeasured. */
static void find_losses(const struct main_verdict *before, struct main_verdict *now)
{
    for (size_t i = 0; i < before->loss_count; i++) {
        const struct main_loss *loss = &before->losses[i];
        const struct config_verdict *row = comparison_find(&now->comparison, loss->config);
        if (row == NULL ? now->comparison.count == 0
                        : is_lost(row) || row->verdict == VERDICT_UNMEASURED ||
                              row->verdict == VERDICT_UNCLEAR)
            add_loss(now, loss->config, loss->since);
    }
    size_t known = now->loss_count;
    for (size_t i = 0; i < now->comparison.count; i++) {
        const struct config_verdict *row = &now->comparison.configs[i];
        bool is_new = is_lost(row);
        for (size_t k = 0; k < known && is_new; k++)
            is_new = strcmp(now->losses[k].config, row->config.name) != 0;
        if (is_new)
            add_loss(now, row->config.name, now->commit);
    }
}

static void note_losses(struct measurement *measurement, const struct main_verdict *now)
{
    for (size_t i = 0; i < now->loss_count; i++) {
        const struct main_loss *loss = &now->losses[i];
        const struct config_verdict *row = comparison_find(&now->comparison, loss->config);
        if (row != NULL && is_lost(row) && strcmp(loss->since, now->commit) != 0)
            measurement_note(measurement, "%s: lost since %.*s", loss->config, SHORT_SHA,
                             loss->since);
    }
}

void main_verdict_after(struct measurement *measurement)
{
    const struct comparison *comparison = &measurement->comparison;
    struct err problem = {0};
    MAIN_VERDICT_AUTO before = {0};
    struct main_verdict now = {.comparison = *comparison}; /* borrowed */
    if (measurement->repository == NULL || !name_is_sha(measurement->job.head) ||
        (comparison->verdict == VERDICT_UNMEASURED &&
         (comparison->fault == FAULT_HOST || comparison->fault == FAULT_US)))
        return;
    memcpy(now.commit, measurement->job.head, sizeof now.commit);
    if (!main_verdict_load(measurement, &before))
        before = (struct main_verdict){0};
    find_losses(&before, &now);
    note_losses(measurement, &now);
    if (main_verdict_keep(measurement->host, measurement->repository->name, &now, &problem) !=
        0)
        measurement_say(measurement, "the verdict on `%s` is not kept: %s",
                        measurement_branch(measurement), problem.text);
}

/* ---- quoting ---- */

/* Has the base of this check the kernel that the verdict is of? */
static bool same_kernel(struct measurement *measurement, const char *commit)
{
    struct err problem = {0};
    struct kernel_source source;
    const struct kernel_source *base = &measurement->config.source;
    char first[256];
    bool same = false;
    if (strcmp(commit, measurement->job.base) == 0)
        return true;
    return rules_read_source(measurement, commit, &source, &problem) == 0 &&
           kernel_source_equal(&source, base) &&
           paths_same(measurement, base, commit, measurement->job.base, &same, first,
                      &problem) == 0 &&
           same;
}

/* A verdict of main on base's own kernel. A local repository has no name here: a commit that is
 * in it means the same under any. */
static bool find_kept(struct measurement *measurement, struct main_verdict *out)
{
    const struct host *host = measurement->host;
    for (size_t i = 0; i < host->repository_count; i++) {
        const struct host_repository *repository = &host->repositories[i];
        if (measurement->repository != NULL && repository != measurement->repository)
            continue;
        if (load(measurement, repository->name, out) && same_kernel(measurement, out->commit))
            return true;
        main_verdict_free(out);
    }
    return false;
}

/* A config that the baseline lacks has base for its anchor. */
static bool base_is_anchor(const struct measurement *measurement, const char *config)
{
    const struct config_samples *samples = samples_find(&measurement->samples, config);
    return samples != NULL &&
           strcmp(samples->arms[ARM_ANCHOR].commit, measurement->job.base) == 0;
}

/* Was this config of main not measured here, because head has base's kernel? */
static bool stands_for_base(const struct measurement *measurement, const char *config)
{
    const struct comparison *check = &measurement->comparison;
    if (check->count == 0)
        return check->clause == CLAUSE_NOT_TOUCHED;
    const struct config_verdict *row = comparison_find(check, config);
    return row != NULL && row->clause == CLAUSE_IDENTICAL_CODE &&
           (row->against == AGAINST_BASE || base_is_anchor(measurement, config));
}

static bool anything_stands_for_base(const struct measurement *measurement)
{
    const struct comparison *check = &measurement->comparison;
    for (size_t i = 0; i < check->count; i++)
        if (stands_for_base(measurement, check->configs[i].config.name))
            return true;
    return check->count == 0 && stands_for_base(measurement, "");
}

static void quote_loss(struct measurement *measurement, const struct config_verdict *row,
                       const char *commit)
{
    char percent[FIGURE_BYTES], times[32] = "";
    if (row->change.known && row->change.change >= 1)
        snprintf(times, sizeof times, "%.1f times ", 1 + row->change.change);
    measurement_note(measurement,
                     "`%s` already lost %son `%s` (%s against its anchor, measured at %.*s): "
                     "not this %s's.",
                     measurement_branch(measurement), times, row->config.name,
                     row->change.known ? figure_percent(percent, row->change.change)
                                       : "slower",
                     SHORT_SHA, commit, measurement_change(measurement));
}

static void quote_unmeasured(struct measurement *measurement, const struct config_verdict *row,
                             const char *commit)
{
    measurement_note(
        measurement,
        "`%s`'s own last verdict on `%s` is unmeasured (at %.*s): %.200s. Not this %s's.",
        measurement_branch(measurement), row->config.name, SHORT_SHA, commit, row->reason,
        measurement_change(measurement));
}

/* The worst that was not quoted yet: losses by their change, then what is unmeasured. */
static const struct config_verdict *next_bad(const struct measurement *measurement,
                                             const struct comparison *main, bool *quoted)
{
    const struct config_verdict *worst = NULL;
    for (size_t i = 0; i < main->count; i++) {
        const struct config_verdict *row = &main->configs[i];
        if (quoted[i] || !(is_lost(row) || row->verdict == VERDICT_UNMEASURED) ||
            !stands_for_base(measurement, row->config.name))
            continue;
        if (worst == NULL || is_lost(row) > is_lost(worst) ||
            (is_lost(row) == is_lost(worst) && row->change.change > worst->change.change))
            worst = row;
    }
    if (worst != NULL)
        quoted[worst - main->configs] = true;
    return worst;
}

static void quote(struct measurement *measurement, const struct main_verdict *main)
{
    bool quoted[MODEL_CONFIGS_MAX] = {false};
    size_t more = 0;
    const struct comparison *check = &measurement->comparison;
    if (main->comparison.count == 0 && main->comparison.verdict == VERDICT_UNMEASURED &&
        (check->count == 0 || check->clause == CLAUSE_IDENTICAL_CODE))
        measurement_note(
            measurement, "`%s`'s own last verdict is unmeasured (at %.*s): %.300s.",
            measurement_branch(measurement), SHORT_SHA, main->commit, main->comparison.reason);
    for (size_t i = 0; i < MODEL_CONFIGS_MAX; i++) {
        const struct config_verdict *row = next_bad(measurement, &main->comparison, quoted);
        if (row == NULL)
            break;
        if (i >= QUOTED)
            more++;
        else if (is_lost(row))
            quote_loss(measurement, row, main->commit);
        else
            quote_unmeasured(measurement, row, main->commit);
    }
    if (more > 0)
        measurement_note(measurement,
                         "`%s` lost or could not be measured on %zu configs more.",
                         measurement_branch(measurement), more);
}

void main_verdict_quote(struct measurement *measurement)
{
    MAIN_VERDICT_AUTO kept = {0};
    if (!measurement->has_config || !anything_stands_for_base(measurement))
        return;
    if (find_kept(measurement, &kept))
        quote(measurement, &kept);
    else if (measurement->repository == NULL &&
             measurement->comparison.clause != CLAUSE_NOT_TOUCHED)
        measurement_note(measurement,
                         "Head's machine code is that of base: whether it is right and is as "
                         "fast as its baseline was not looked at.");
    else if (measurement->repository == NULL)
        measurement_note(
            measurement,
            "Head has base's kernel: whether that builds, is right and is as fast "
            "as its baseline was not looked at.");
    else
        measurement_note(measurement,
                         "`%s`'s own verdict on base's kernel is not known here. Head has the "
                         "same one; whether that %sis right and is as fast as its baseline "
                         "was not looked at.",
                         measurement_branch(measurement),
                         measurement->comparison.clause == CLAUSE_NOT_TOUCHED ? "builds, "
                                                                              : "");
}
