/* SPDX-License-Identifier: Apache-2.0 */
/* Which checks of the same code are attempts, and what of them the next goes on with. The samples are made here; table,
 * judge and order of calls are those of a check. */
#include "pipeline/attempts.h"

#include "base/file.h"
#include "tests/tap.h"
#include "tests/unit/judge.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const schema[] = {attempts_schema, attempts_schema_2, attempts_schema_3, attempts_schema_4, NULL};
static const struct changes fair = {0.03, 0, 0, 0}, biased = {0.03, 0, 0.02, 0};
static struct host host;
static struct db *store;
static struct err err;
static long long jobs;

static long long ask(const char *sql)
{
    DB_STMT_AUTO *stmt = NULL;
    OK(db_prepare(store, &stmt, &err, sql, "") == 0 && db_step(stmt, &err) > 0);
    return db_int(stmt, 0);
}

static void begin(struct measurement *measurement)
{
    *measurement = (struct measurement){.host = &host, .store = store};
    measurement->job = (struct job){.id = ++jobs,
                                    .kind = JOB_CHECK,
                                    .pr = 1,
                                    .repository = "octo/kernels",
                                    .base_ref = "main",
                                    .device = "cpu"};
    measurement->config.rule = rule_default();
    snprintf(measurement->samples.device.slug, sizeof measurement->samples.device.slug, "cpu");
    struct config_samples *config = add_config(&measurement->samples, "line");
    snprintf(config->arms[ARM_HEAD].code, MODEL_CODE_BYTES, "sha256:head");
    snprintf(config->arms[ARM_ANCHOR].code, MODEL_CODE_BYTES, "sha256:anchor");
}

static void end(struct measurement *measurement, struct attempts *attempts)
{
    attempts_free(attempts);
    samples_free(&measurement->samples);
    comparison_free(&measurement->comparison);
}

/* More replicates, and a look at them. */
static void look(struct measurement *measurement, struct attempts *attempts, size_t count,
                 struct changes changes)
{
    add_replicates(&measurement->samples.configs[0], count, changes);
    OK(measurement_compare(measurement, &err) == 0);
    OK(attempts_save(measurement, attempts, &err) == 0);
}

/* A check with a look at six replicates and one at eight; is it measured at all? */
static bool check(struct changes first, struct changes then, struct measurement *measurement)
{
    struct attempts attempts;
    begin(measurement);
    OK(attempts_take_up(measurement, &attempts, &err) == 0);
    bool open = !attempts.settled;
    if (open) {
        look(measurement, &attempts, 6, first);
        look(measurement, &attempts, 2, then);
        OK(attempts_keep(measurement, &attempts, true, &err) == 0);
    }
    end(measurement, &attempts);
    return open;
}

static void test_killed(void)
{
    struct measurement measurement;
    struct attempts attempts;
    tap_case("what was measured till a look is kept, whatever comes then");
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    EQ_INT(ask("SELECT count(*) FROM attempt WHERE samples IS NULL"), 1);
    look(&measurement, &attempts, 6, fair);
    EQ_INT(ask("SELECT count(samples) FROM attempt"), 1);
    tap_case("once: with nothing new it is not written again");
    OK(db_run(store, &err, "UPDATE attempt SET samples = 'seen'", "") == 0);
    OK(attempts_save(&measurement, &attempts, &err) == 0);
    EQ_INT(ask("SELECT samples = 'seen' FROM attempt"), 1);
    attempts.kept[0] = 0;
    OK(attempts_save(&measurement, &attempts, &err) == 0);
    EQ_INT(ask("SELECT samples = 'seen' FROM attempt"), 0);
    tap_case("what is kept is what the next check goes on with");
    end(&measurement, &attempts); /* killed */
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    EQ_INT(measurement.samples.configs[0].count, 6);
    EQ_INT(measurement.samples.configs[0].earlier_count, 1);
    tap_case("nor is that forgotten where the check ends badly after it");
    look(&measurement, &attempts, 6, fair);
    OK(attempts_keep(&measurement, &attempts, false, &err) == 0);
    EQ_INT(ask("SELECT count(samples) FROM attempt"), 2);
    end(&measurement, &attempts);
}

/* A check that takes `count` replicates, and ends before its first look: `judged`, or killed; what it went on from. */
static size_t cut_off(size_t count, struct changes changes, bool judged)
{
    struct measurement measurement;
    struct attempts attempts;
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    struct config_samples *config = &measurement.samples.configs[0];
    size_t before = config->count;
    EQ_INT(config->earlier_count, 0);
    for (size_t i = 0; i < count; i++) {
        add_replicates(config, 1, changes);
        OK(attempts_save_round(&measurement, &attempts, &(bool){true}, &err) == 0);
    }
    if (judged) {
        OK(measurement_compare(&measurement, &err) == 0);
        OK(attempts_keep(&measurement, &attempts, true, &err) == 0);
    }
    end(&measurement, &attempts);
    return before;
}

static void test_cut_off(void)
{
    OK(db_run(store, &err, "DELETE FROM attempt", "") == 0);
    tap_case("before a first look: no attempt, and the next goes on from there");
    EQ_INT(cut_off(2, fair, false), 0);
    EQ_INT(cut_off(0, fair, false), 2);
    EQ_INT(cut_off(1, fair, false), 2);
    EQ_INT(ask("SELECT count(samples) FROM attempt"), 0);
    tap_case("also where it was judged to be unmeasured, and not by the pull request's fault");
    EQ_INT(cut_off(1, fair, true), 3);
    EQ_INT(cut_off(0, fair, false), 4);
    tap_case("with a control that differs nothing is gone on with");
    OK(db_run(store, &err, "DELETE FROM attempt", "") == 0);
    EQ_INT(cut_off(8, biased, true), 0);
    EQ_INT(ask("SELECT sum(spoiled) FROM attempt"), 1);
    EQ_INT(cut_off(1, fair, false), 0);
    tap_case("a cut-off that cannot be read is none");
    OK(db_run(store, &err, "UPDATE attempt SET partial = '{'", "") == 0);
    EQ_INT(cut_off(0, fair, false), 0);
}

/* The check that comes next finds six replicates, and that they are regressed. */
static void regressed_stands(void)
{
    struct measurement measurement;
    struct attempts attempts;
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    OK(measurement_compare(&measurement, &err) == 0);
    EQ_INT(measurement.samples.configs[0].count, 6);
    EQ_INT(measurement.comparison.verdict, VERDICT_REGRESSED);
    end(&measurement, &attempts);
}

/* A check that came to a look beside another: it knew nothing of that. */
static void beside(size_t count, struct changes changes)
{
    struct measurement measurement;
    struct attempts attempts;
    OK(db_run(store, &err, "UPDATE attempt SET code = 'hidden ' || code", "") == 0);
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    look(&measurement, &attempts, count, changes);
    OK(attempts_keep(&measurement, &attempts, true, &err) == 0);
    end(&measurement, &attempts);
    OK(db_run(store, &err, "UPDATE attempt SET code = replace(code, 'hidden ', '')", "") == 0);
}

/* Two lanes, or a job that rested while another of the same code ended. */
static void test_beside(void)
{
    static const struct changes slow = {0.10, 0, 0, 0};
    OK(db_run(store, &err, "DELETE FROM attempt", "") == 0);
    tap_case("one that was cut off beside a final verdict takes it from nobody");
    EQ_INT(cut_off(1, fair, false), 0);
    beside(6, slow);
    regressed_stands();
    tap_case("regressed is final, whatever else was measured beside it");
    beside(8, fair);
    regressed_stands();
    tap_case("also for a job that comes back");
    OK(db_run(store, &err, "DELETE FROM attempt", "") == 0);
    EQ_INT(cut_off(2, fair, false), 0);
    beside(6, slow);
    jobs -= 2; /* the one that was cut off */
    regressed_stands();
    jobs += 2;
}

/* Head's own clock is right, base's is not: main's fault, which six more replicates may not show. */
static void base_lies(struct config_samples *config)
{
    for (size_t i = 0; i < config->count; i++)
        for (int arm = 0; arm < ARM_OTHER; arm++)
            config->replicates[i].clock[arm] =
                (struct clock_slope){arm == ARM_BASE ? 1.3 : 1.0, 0.002, 20};
}

static void test_looked(void)
{
    struct measurement measurement;
    struct attempts attempts;
    OK(db_run(store, &err, "DELETE FROM attempt", "") == 0);
    tap_case("what said nothing at a look is not gone on with: it would say so for ever");
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    add_replicates(&measurement.samples.configs[0], 6, fair);
    base_lies(&measurement.samples.configs[0]);
    OK(attempts_save_round(&measurement, &attempts, &(bool){true}, &err) == 0);
    OK(measurement_compare(&measurement, &err) == 0);
    EQ_INT(measurement.comparison.verdict, VERDICT_UNMEASURED);
    OK(measurement.comparison.fault != FAULT_PR);
    OK(attempts_save(&measurement, &attempts, &err) == 0);
    OK(attempts_keep(&measurement, &attempts, true, &err) == 0);
    end(&measurement, &attempts);
    EQ_INT(cut_off(0, fair, false), 0);
    tap_case("nor what was cut off before, where a later one was spoiled by it");
    EQ_INT(cut_off(5, biased, false), 0);
    EQ_INT(cut_off(3, biased, true), 5);
    EQ_INT(ask("SELECT sum(spoiled) FROM attempt"), 1);
    EQ_INT(cut_off(0, fair, false), 0);
}

static void test_spoiled(void)
{
    struct measurement measurement;
    OK(db_run(store, &err, "DELETE FROM attempt", "") == 0);
    tap_case("a check whose control differs is no attempt, but is remembered");
    for (int i = 0; i < 7; i++)
        OK(check(biased, biased, &measurement));
    EQ_INT(ask("SELECT count(samples) FROM attempt"), 0);
    EQ_INT(ask("SELECT sum(spoiled) FROM attempt"), 7);
    tap_case("one that came to a look before is an attempt, and its samples pool");
    OK(check(fair, (struct changes){0.03, 0, 0.2, 0}, &measurement));
    EQ_INT(ask("SELECT count(samples) FROM attempt"), 1);
    EQ_INT(ask("SELECT sum(spoiled) FROM attempt"), 7);
    tap_case("after eight of them the code is measured no more");
    OK(db_run(store, &err, "UPDATE attempt SET spoiled = 1, samples = NULL", "") == 0);
    struct attempts attempts;
    begin(&measurement);
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    OK(attempts.settled);
    OK(measurement_compare(&measurement, &err) == 0);
    EQ_INT(measurement.comparison.verdict, VERDICT_UNMEASURED);
    EQ_INT(measurement.comparison.fault, FAULT_HOST);
    HAS(measurement.comparison.reason, "in 8 checks of this code the control differed");
    end(&measurement, &attempts);
    tap_case("other code is");
    begin(&measurement);
    snprintf(measurement.samples.configs[0].arms[ARM_HEAD].code, MODEL_CODE_BYTES, "sha256:other");
    OK(attempts_take_up(&measurement, &attempts, &err) == 0);
    OK(!attempts.settled);
    end(&measurement, &attempts);
}

int main(void)
{
    char folder[] = "/tmp/ratchet-test-XXXXXX", path[64];
    host.limits = limits_default();
    if (mkdtemp(folder) == NULL)
        return 99;
    snprintf(path, sizeof path, "%s/db", folder);
    OK(db_open(path, schema, &store, &err) == 0);
    snprintf(host.state, sizeof host.state, "%s", folder);
    test_killed();
    test_cut_off();
    test_beside();
    test_looked();
    test_spoiled();
    db_close(&store);
    OK(file_remove_tree(folder, &err) == 0);
    return tap_done();
}
