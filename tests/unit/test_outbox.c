/* SPDX-License-Identifier: Apache-2.0 */
/* publish/outbox: which words stand in a place in the end, whoever speaks when. Sending them, to a server that answers
 * late or never: tests/e2e/test_endings.py. */
#include "publish/outbox.h"
#include "tests/tap.h"

#include <string.h>

#define SHA "0123456789abcdef0123456789abcdef01234567"

static const char *const steps[] = {outbox_schema, outbox_schema_2, outbox_schema_3,
                                    outbox_schema_4, NULL};
static const char repository[] = "octo/kernels", context[] = "ratchet/cpu";
static struct db *db;
static struct err err;

static void anew(void)
{
    OK(db_run(db, &err, "DELETE FROM message", "") == 0);
    OK(db_run(db, &err, "DELETE FROM said", "") == 0);
}

static void put(long long job, const char *sha, const char *state, bool weak)
{
    OK(outbox_put_status(db, job, repository, sha, context, state, state, "", weak, &err) == 0);
}

/* "job:state" of each status that waits, oldest job first. */
static const char *waiting(void)
{
    static char out[256];
    size_t len = 0;
    DB_STMT_AUTO *stmt = NULL;
    out[0] = '\0';
    OK(db_prepare(db, &stmt, &err, "SELECT job, state FROM message WHERE subject <> '' ORDER BY job",
                  "") == 0);
    while (db_step(stmt, &err) > 0 && len < sizeof out)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%lld:%s", len == 0 ? "" : " ",
                                db_int(stmt, 0), db_text(stmt, 1));
    return out;
}

static void sent(void)
{
    OK(db_run(db, &err, "DELETE FROM message", "") == 0);
}

static void test_announced(void)
{
    tap_case("a newer verdict is said again at the end of an older job that has announced one there");
    anew();
    EQ_INT(outbox_announce(db, 1, repository, SHA, context, &err), 0);
    put(2, SHA, "success", false);
    EQ_STR(waiting(), "2:success");
    sent();
    put(1, SHA, "failure", false);
    EQ_STR(waiting(), "1:success");
    sent();
    put(1, SHA, "failure", false);
    EQ_STR(waiting(), ""); /* once */
    tap_case("also where that job did not run in the end");
    EQ_INT(outbox_announce(db, 3, repository, SHA, context, &err), 0);
    put(4, SHA, "failure", false);
    sent();
    put(3, SHA, "error", true);
    EQ_STR(waiting(), "3:failure");
    tap_case("without that an older job says nothing");
    sent();
    put(1, SHA, "success", false);
    EQ_STR(waiting(), "");
    EQ_INT(outbox_announce(db, 1, repository, SHA, context, &err), 1);
}

static void test_named_later(void)
{
    tap_case("a verdict whose commit was told later is a verdict as any other");
    anew();
    put(1, "", "failure", false);
    EQ_STR(waiting(), "");
    OK(outbox_name_head(db, 1, repository, SHA, context, &err) == 0);
    EQ_STR(waiting(), "1:failure");
    sent();
    EQ_INT(outbox_announce(db, 2, repository, SHA, context, &err), 0);
    put(2, SHA, "error", true);
    EQ_STR(waiting(), "2:failure"); /* job 2 did not run */
}

static long long lost(void)
{
    DB_STMT_AUTO *stmt = NULL;
    OK(db_prepare(db, &stmt, &err, "SELECT lost FROM said", "") == 0 && db_step(stmt, &err) > 0);
    return db_int(stmt, 0);
}

static void begin_post(long long job)
{
    OK(outbox_begin_post(db, job, repository, SHA, context, &err) == 0);
}

static void end_post(long long job)
{
    OK(outbox_end_post(db, job, repository, SHA, context, &err) == 0);
}

static void test_unanswered(void)
{
    tap_case("a request that was answered leaves nothing");
    anew();
    EQ_INT(outbox_announce(db, 1, repository, SHA, context, &err), 0);
    begin_post(1);
    end_post(1);
    EQ_INT(lost(), 0);
    tap_case("one that was not is not forgotten for another that was");
    begin_post(1);
    begin_post(1);
    end_post(1);
    OK(lost() != 0);
    tap_case("nor for another job's");
    anew();
    EQ_INT(outbox_announce(db, 1, repository, SHA, context, &err), 0);
    begin_post(1);
    begin_post(2);
    end_post(2);
    OK(lost() != 0);
    end_post(1); /* whoever was it, two were on their way */
    OK(lost() != 0);
}

int main(void)
{
    OK(db_open(":memory:", steps, &db, &err) == 0);
    test_announced();
    test_named_later();
    test_unanswered();
    db_close(&db);
    return tap_done();
}
