/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of attempts: how often the same code was measured. */
#include "pipeline/attempts_internal.h"

#include "base/name.h"
#include "base/proc.h"
#include "judge/environment.h"
#include "judge/samples.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char attempts_schema[] =
    "CREATE TABLE attempt ("
    " id INTEGER PRIMARY KEY,"
    " repository TEXT NOT NULL,"
    " branch TEXT NOT NULL,"
    " device TEXT NOT NULL,"
    " pr INTEGER NOT NULL,"
    " config TEXT NOT NULL,"
    " code TEXT NOT NULL," /* of all that follows up to `card`, the four above but for pr, and
                              the environment */
    " head TEXT NOT NULL,"
    " base TEXT NOT NULL,"
    " anchor TEXT NOT NULL,"
    " rule TEXT NOT NULL,"
    " card TEXT NOT NULL,"
    " who TEXT NOT NULL,"
    " samples TEXT," /* samples.json of this config, of all its runs; NULL: none came of it */
    " begun_s INTEGER NOT NULL,"
    " UNIQUE (code, who));"
    "CREATE INDEX attempt_pr ON attempt (repository, branch, device, pr, config, id);";

/* A row of before says nothing: no series goes on from it. */
const char attempts_schema_2[] =
    "ALTER TABLE attempt ADD COLUMN environment TEXT NOT NULL DEFAULT '';";

/* spoiled: it ended as the control differed, before it said anything of head, which may have seen to that. */
const char attempts_schema_3[] =
    "ALTER TABLE attempt ADD COLUMN spoiled INTEGER NOT NULL DEFAULT 0;";

/* partial: samples.json of what was measured before a first look, of a check that has ended or is at it.
 * regressed: what the samples said last. */
const char attempts_schema_4[] = "ALTER TABLE attempt ADD COLUMN partial TEXT;"
                                 "ALTER TABLE attempt ADD COLUMN regressed INTEGER NOT NULL"
                                 " DEFAULT 0;";

enum { SPOILED_MAX = 8, SPOILED_TOLD = 3 };

static struct row row_of(struct measurement *measurement, const struct attempts *attempts,
                         size_t i)
{
    struct row row = {.measurement = measurement,
                      .config = &measurement->samples.configs[i],
                      .code = attempts->codes[i],
                      .who = attempts->who,
                      .environment = attempts->environment.data};
    name_fold(measurement->job.repository, row.repository, sizeof row.repository);
    attempts_rule_key(&measurement->config.rule, row.rule);
    return row;
}

/* ---- what was before ---- */

/* The line at `*at`, which moves on. */
static size_t next_line(const char **at, const char **line)
{
    size_t len = strcspn(*at, "\n");
    *line = *at;
    *at += len + ((*at)[len] == '\n');
    return len;
}

/* The first line of `some` that `others` does not have; NULL: there is none. */
static const char *missing_line(const char *some, const char *others)
{
    const char *line, *other;
    while (*some != '\0') {
        size_t len = next_line(&some, &line);
        bool found = false;
        for (const char *at = others; *at != '\0' && !found;)
            found = next_line(&at, &other) == len && memcmp(line, other, len) == 0;
        if (!found)
            return line;
    }
    return NULL;
}

/* " (driver)": the first fact that is another; "" where nothing is known of before. */
static void name_fact(const char *then, const char *now, char out[64])
{
    const char *line = missing_line(now, then);
    if (line == NULL)
        line = missing_line(then, now);
    out[0] = '\0';
    if (line != NULL && then[0] != '\0')
        snprintf(out, 64, " (%.*s)", (int)strcspn(line, "="), line);
}

/* Nothing is known of this code: what is another than when this pull request was measured last? */
static int note_change(const struct row *row, struct err *err)
{
    static const char *const words[] = {"Base moved: its code is another",
                                        "Base moved: the anchor's code is another",
                                        "The rule is another",
                                        "The card is another",
                                        "The environment is another",
                                        "This pull request's code is another"};
    enum { ENVIRONMENT = 4, WORDS = sizeof words / sizeof words[0] };
    const struct job *job = &row->measurement->job;
    const char *now[] = {attempts_arm_code(row, ARM_BASE),
                         attempts_arm_code(row, ARM_ANCHOR),
                         row->rule,
                         row->measurement->samples.device.name,
                         row->environment,
                         attempts_arm_code(row, ARM_HEAD)};
    DB_STMT_AUTO *stmt = NULL;
    char fact[64] = "";
    if (db_prepare(row->measurement->store, &stmt, err,
                   "SELECT base, anchor, rule, card, environment, head FROM attempt"
                   " WHERE repository = ? AND branch = ? AND device = ? AND pr = ?"
                   " AND config = ? AND code <> ? ORDER BY id DESC LIMIT 1",
                   "tttitt", row->repository, job->base_ref, job->device, (long long)job->pr,
                   row->config->config.name, row->code) != 0)
        return -1;
    int found = db_step(stmt, err);
    int at = 0; /* where main moved, head's code, which is merged into it, moves as well */
    while (found > 0 && at < WORDS && strcmp(db_text(stmt, at), now[at]) == 0)
        at++;
    if (found > 0 && at == ENVIRONMENT)
        name_fact(db_text(stmt, at), now[at], fact);
    if (found > 0 && at < WORDS)
        measurement_note(row->measurement, "%s%s than in the check before: measured anew.",
                         words[at], fact);
    return found < 0 ? -1 : 0;
}

/* ---- taking up ---- */

static int begin_row(const struct row *row, struct err *err)
{
    const struct measurement *measurement = row->measurement;
    const struct job *job = &measurement->job;
    return db_run(
        measurement->store, err,
        "INSERT OR IGNORE INTO attempt (repository, branch, device, pr, config, code,"
        " head, base, anchor, rule, card, environment, who, begun_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "tttittttttttti", row->repository, job->base_ref, job->device, (long long)job->pr,
        row->config->config.name, row->code, attempts_arm_code(row, ARM_HEAD),
        attempts_arm_code(row, ARM_BASE), attempts_arm_code(row, ARM_ANCHOR), row->rule,
        measurement->samples.device.name, row->environment, row->who, (long long)time(NULL));
}

/* All attempts were made, and nothing is left of them. */
static void set_lost(struct config_samples *config, bool spoiled)
{
    config->fault = FAULT_HOST;
    config->clause = CLAUSE_HOST_FAILED;
    if (spoiled)
        snprintf(config->failure, sizeof config->failure,
                 "in %d checks of this code the control differed from the anchor: it is not "
                 "measured any more",
                 SPOILED_MAX);
    else
        snprintf(config->failure, sizeof config->failure,
                 "three attempts of this code were measured, and their samples are lost");
}

static void note_spoiled(const struct row *row, long long spoiled)
{
    if (spoiled >= SPOILED_TOLD)
        measurement_note(
            row->measurement,
            "%s: in %lld checks of this code the control differed from the anchor. "
            "After %d it is measured no more until it changes.",
            row->config->config.name, spoiled, SPOILED_MAX);
}

/* Of what an earlier run left, what this one decides anew. */
static void open_run(struct config_samples *config, long long others)
{
    config->fault = FAULT_NONE;
    config->clause = CLAUSE_NONE;
    config->failure[0] = '\0';
    config->out_of_time = false;
    while (config->earlier_count < others && config_samples_run_again(config))
        ;
}

/* What was loaded: is it final? By the judge, of all configs together. */
static int find_final(struct measurement *measurement, bool *final, struct err *err)
{
    if (measurement_compare(measurement, err) != 0)
        return -1;
    for (size_t i = 0; i < measurement->samples.count; i++)
        final[i] = config_verdict_final(&measurement->comparison.configs[i]) &&
                   !measurement->comparison.configs[i].wants_without_head;
    return 0;
}

struct found {
    long long others[MODEL_CONFIGS_MAX], spoiled[MODEL_CONFIGS_MAX];
    bool own[MODEL_CONFIGS_MAX], known[MODEL_CONFIGS_MAX];
};

static int find(struct measurement *measurement, struct attempts *out, struct found *found,
                struct err *err)
{
    for (size_t i = 0; i < measurement->samples.count; i++) {
        struct row row = row_of(measurement, out, i);
        if (row.code[0] == '\0')
            continue;
        struct attempts_before before;
        if (attempts_load(&row, &before, err) != 0)
            return -1;
        note_spoiled(&row, before.spoiled);
        if (!before.any && before.others == 0 && note_change(&row, err) != 0)
            return -1;
        found->others[i] = before.others;
        found->spoiled[i] = before.spoiled;
        found->own[i] = before.own;
        found->known[i] = before.counts;
    }
    return 0;
}

/* Which configs are open, with a new run of each. */
static int open_all(struct measurement *measurement, struct attempts *out,
                    const struct found *found, const bool *final, struct err *err)
{
    bool remembered = false, open = false;
    for (size_t i = 0; i < measurement->samples.count; i++) {
        const struct row row = row_of(measurement, out, i);
        long long others = found->others[i];
        bool known = found->known[i], spoiled = found->spoiled[i] >= SPOILED_MAX;
        out->open[i] = !(known && final[i]) && !spoiled &&
                       (found->own[i] || others < RUNS_MAX);
        if (row.code[0] != '\0' && out->open[i]) {
            open_run(row.config, others);
            if (begin_row(&row, err) != 0)
                return -1;
        } else if (row.code[0] != '\0' && !known) {
            set_lost(row.config, spoiled);
        }
        remembered = remembered || row.code[0] != '\0';
        open = open || (row.code[0] != '\0' && out->open[i]);
        if (row.code[0] != '\0' && !out->open[i] && !found->own[i] && !spoiled)
            measurement_note(measurement,
                             final[i]
                                 ? "%s: the same code was measured before. What was found "
                                   "is final, and nothing was measured."
                                 : "%s: three attempts of this code were measured. The "
                                   "verdict stands, and nothing was measured.",
                             row.config->config.name);
    }
    out->settled = remembered && !open;
    return 0;
}

/* What is remembered of each config, by what name. */
static void name_codes(struct measurement *measurement, struct attempts *out)
{
    for (size_t i = 0; i < measurement->samples.count; i++) {
        struct row row = row_of(measurement, out, i);
        if (!row.config->identical && row.config->fault == FAULT_NONE &&
            attempts_arm_code(&row, ARM_HEAD)[0] != '\0')
            attempts_code_key(&row, out->codes[i]);
    }
}

static int take_up(struct measurement *measurement, struct attempts *out, struct err *err)
{
    struct found found = {0};
    bool final[MODEL_CONFIGS_MAX] = {false};
    return find(measurement, out, &found, err) != 0 ||
                   find_final(measurement, final, err) != 0 ||
                   open_all(measurement, out, &found, final, err) != 0
               ? -1
               : 0;
}

void attempts_free(struct attempts *attempts)
{
    buf_free(&attempts->environment);
    if (attempts->lock >= 0)
        close(attempts->lock);
}

int attempts_take_up(struct measurement *measurement, struct attempts *out, struct err *err)
{
    const struct job *job = &measurement->job;
    *out = (struct attempts){.who = "", .lock = -1};
    memset(out->open, true, sizeof out->open);
    buf_init(&out->environment, ENVIRONMENT_MAX_BYTES);
    if (measurement->store == NULL || job->kind != JOB_CHECK ||
        (job->pr == 0 && job->group[0] == '\0') || choices_partial(&job->choices))
        return 0;
    if (job->id != 0)
        snprintf(out->who, sizeof out->who, "job %lld", job->id);
    else
        snprintf(out->who, sizeof out->who, "run %lld %lld %llu", (long long)time(NULL),
                 (long long)getpid(), (unsigned long long)proc_now_ns());
    if (attempts_put_environment(&measurement->samples.environment, &out->environment, err) !=
        0)
        return -1;
    name_codes(measurement, out);
    if (attempts_lock(measurement, out, err) != 0 || db_begin(measurement->store, err) != 0)
        return -1;
    return db_end(measurement->store, take_up(measurement, out, err), err);
}

/* ---- keeping ---- */

/* Of this code nothing is gone on with that came to no look. */
static int forget_partial(const struct row *row, struct err *err)
{
    return db_run(row->measurement->store, err,
                  "UPDATE attempt SET partial = NULL WHERE code = ?", "t", row->code);
}

/* `verdict` NULL: no look has come of it, it is no attempt yet. At a look all others of this code that came to none are
 * part of it, or of nothing. */
static int keep(const struct row *row, const struct config_verdict *verdict, struct err *err)
{
    const struct measurement *measurement = row->measurement;
    const struct samples one = {
        .device = measurement->samples.device, .configs = row->config, .count = 1};
    BUF_AUTO text;
    buf_init(&text, measurement->host->limits.samples_bytes);
    if (samples_format(&one, &text, err) != 0)
        return -1;
    if (verdict == NULL)
        return db_run(measurement->store, err,
                      "UPDATE attempt SET partial = ? WHERE code = ? AND who = ?", "ttt",
                      text.data, row->code, row->who);
    return db_run(measurement->store, err,
                  "UPDATE attempt SET samples = ?, regressed = ? WHERE code = ? AND who = ?",
                  "titt", text.data, (long long)(verdict->verdict == VERDICT_REGRESSED),
                  row->code, row->who) != 0
               ? -1
               : forget_partial(row, err);
}

static void note_runs(struct measurement *measurement, const struct config_verdict *verdict)
{
    BUF_AUTO counts;
    BUF_AUTO changes;
    buf_init(&counts, MODEL_TEXT_BYTES);
    buf_init(&changes, MODEL_TEXT_BYTES);
    for (unsigned i = 0; i < verdict->run_count; i++) {
        const struct run_change *run = &verdict->runs[i];
        buf_addf(&counts, "%s%zu", i == 0 ? "" : " + ", run->replicates);
        if (run->known)
            buf_addf(&changes, "%s%+.2f%%", changes.len == 0 ? "" : ", ", 100 * run->change);
    }
    if (verdict->run_count > 1)
        measurement_note(
            measurement, "%s: attempt %u of %d, %s replicates; each attempt by itself: %s.",
            verdict->config.name, verdict->run_count, RUNS_MAX, counts.data, changes.data);
}

/* What said nothing of head is no attempt. What it measured is gone on with, unless it came to a look that way: the
 * same look would say the same again. What came to one that counts before it ended so stays. */
static int drop(const struct row *row, bool judged, bool spoiled, struct err *err)
{
    const struct rule *rule = &row->measurement->config.rule;
    bool looked = judged && config_samples_unmarked_now(row->config) >= rule->looks[0];
    if ((spoiled || looked) && forget_partial(row, err) != 0)
        return -1;
    return db_run(row->measurement->store, err,
                  spoiled ? "UPDATE attempt SET spoiled = 1"
                            " WHERE code = ? AND who = ? AND samples IS NULL"
                          : "DELETE FROM attempt WHERE code = ? AND who = ?"
                            " AND samples IS NULL AND partial IS NULL",
                  "tt", row->code, row->who);
}

/* `ended`: there comes no more. */
static int keep_all(struct measurement *measurement, struct attempts *attempts, bool judged,
                    bool ended, struct err *err)
{
    for (size_t i = 0; i < measurement->samples.count; i++) {
        const struct row row = row_of(measurement, attempts, i);
        const struct config_verdict *verdict = judged ? &measurement->comparison.configs[i]
                                                      : NULL;
        if (row.code[0] == '\0' || !attempts->open[i])
            continue;
        bool counts = judged && (verdict->verdict != VERDICT_UNMEASURED ||
                                 (ended && verdict->fault == FAULT_PR));
        /* At its end once more: processes without head are no attempts, and they decide. */
        if (counts && (ended || attempts->kept[i] != row.config->attempts) &&
            keep(&row, verdict, err) != 0)
            return -1;
        if (counts)
            attempts->kept[i] = row.config->attempts;
        else if (ended && drop(&row, judged,
                               judged && verdict->clause == CLAUSE_CONTROL_BIASED, err) != 0)
            return -1;
    }
    return 0;
}

static int put(struct measurement *measurement, struct attempts *attempts, bool judged,
               bool ended, struct err *err)
{
    if (attempts->who[0] == '\0')
        return 0;
    if (db_begin(measurement->store, err) != 0)
        return -1;
    return db_end(measurement->store, keep_all(measurement, attempts, judged, ended, err),
                  err);
}

int attempts_save_round(struct measurement *measurement, const struct attempts *attempts,
                        const bool *measured, struct err *err)
{
    if (attempts->who[0] == '\0')
        return 0;
    if (db_begin(measurement->store, err) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < measurement->samples.count && result == 0; i++) {
        const struct row row = row_of(measurement, attempts, i);
        if (measured[i] && attempts->open[i] && row.code[0] != '\0')
            result = keep(&row, NULL, err);
    }
    return db_end(measurement->store, result, err);
}

int attempts_save(struct measurement *measurement, struct attempts *attempts, struct err *err)
{
    return put(measurement, attempts, true, false, err);
}

int attempts_keep(struct measurement *measurement, struct attempts *attempts, bool judged,
                  struct err *err)
{
    for (size_t i = 0; judged && attempts->who[0] != '\0' && i < measurement->samples.count;
         i++)
        note_runs(measurement, &measurement->comparison.configs[i]);
    return put(measurement, attempts, judged, true, err);
}

int attempts_collect(struct db *db, long long before_s, struct err *err)
{
    return db_run(db, err, "DELETE FROM attempt WHERE begun_s < ?", "i", before_s);
}
