/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/schedule: which job steps next, what is looked at for that, and when it is looked at again. */
#include "base/proc.h"
#include "daemon/schedule_internal.h"
#include "daemon/store.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <unistd.h>

enum { OWED = 1000 };
static char folder[] = "/tmp/ratchet-test-schedule-XXXXXX";
static struct host host;

/* ---- in place of the real ones (-Wl,--wrap) ---- */

static long long started[LANES_MAX];
static size_t start_count;
static bool cannot_start;

int __wrap_lanes_start(struct lanes *lanes, struct lane *lane, long long job, const char *token,
                       struct err *err);
int __wrap_lanes_start(struct lanes *lanes, struct lane *lane, long long job, const char *token,
                       struct err *err)
{
    (void)lanes, (void)token;
    if (cannot_start)
        return err_set(err, ERR_HOST, "no process for it");
    started[start_count++] = job;
    lane->pid = getpid(); /* so that it is busy; nobody signals it */
    lane->job = job;
    return 0;
}

static size_t rows;

int __real_queue_next(struct db *db, const char *device, enum job_state state, long long after,
                      struct queue_entry *out, struct err *err);
int __wrap_queue_next(struct db *db, const char *device, enum job_state state, long long after,
                      struct queue_entry *out, struct err *err);
int __wrap_queue_next(struct db *db, const char *device, enum job_state state, long long after,
                      struct queue_entry *out, struct err *err)
{
    rows++;
    return __real_queue_next(db, device, state, after, out, err);
}

int __real_queue_next_of(struct db *db, const char *repository, enum job_state state,
                         long long after, struct queue_entry *out, struct err *err);
int __wrap_queue_next_of(struct db *db, const char *repository, enum job_state state,
                         long long after, struct queue_entry *out, struct err *err);
int __wrap_queue_next_of(struct db *db, const char *repository, enum job_state state,
                         long long after, struct queue_entry *out, struct err *err)
{
    rows++;
    return __real_queue_next_of(db, repository, state, after, out, err);
}

/* ---- a daemon's schedule ---- */

static struct schedule *open_schedule(bool host_tokens)
{
    static unsigned count;
    struct err err = {0};
    struct db *db = NULL;
    struct schedule *schedule = NULL;
    const struct schedule_watch watch = {0};
    host = (struct host){.limits = limits_default(), .device_count = 1, .repository_count = 3};
    snprintf(host.state, sizeof host.state, "%s/%u", folder, ++count);
    snprintf(host.devices[0].slug, sizeof host.devices[0].slug, "cpu");
    host.devices[0].lane_count = 1;
    for (size_t i = 0; i < host.repository_count; i++) {
        snprintf(host.repositories[i].name, sizeof host.repositories[i].name, "octo/%c",
                 (char)('a' + i));
        host.repositories[i].credential = host_tokens ? CREDENTIAL_HOST : CREDENTIAL_JOB;
    }
    if (file_mkdirs(host.state, 0700, &err) != 0 || store_open_first(&host, &db, &err) != 0 ||
        schedule_open(&host, NULL, db, &watch, &schedule, &err) != 0) {
        printf("# %s\n", err.text);
        exit(1);
    }
    start_count = 0;
    return schedule;
}

static void close_schedule(struct schedule *schedule)
{
    struct db *db = schedule->db;
    for (size_t i = 0; i < schedule->lanes.count; i++)
        schedule->lanes.lane[i].pid = 0;
    schedule_close(&schedule);
    db_close(&db);
}

/* So many jobs of a repository. */
static void add(struct schedule *schedule, const char *repository, const char *state, int count)
{
    struct err err = {0};
    OK(db_run(schedule->db, &err,
              "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
              " INSERT INTO job (kind, repository, device, key, pr, base_ref, head, base, merge,"
              " run_url, state, accepted_s)"
              " SELECT 0, ?, 'cpu', hex(randomblob(8)), i, 'main', 'h', 'b', 'm', '', ?, 1 FROM n",
              "itt", (long long)count, repository, state) == 0);
}

static bool about(uint64_t due_ns, uint64_t seconds, uint64_t from_ns)
{
    return due_ns >= from_ns + seconds * 1000000000u &&
           due_ns <= proc_now_ns() + (seconds + 1) * 1000000000u;
}

static void test_away(void)
{
    tap_case("a thousand are owed by a repository that GitHub wants to leave alone");
    struct schedule *schedule = open_schedule(true);
    add(schedule, "octo/a", "judged", OWED);
    add(schedule, "Octo/B", "judged", 2);
    add(schedule, "octo/c", "accepted", 1);
    uint64_t then_ns = schedule_in_seconds(500);
    schedule_place_of(schedule, &host.repositories[0])->not_before_ns = then_ns;
    rows = 0;
    OK(schedule_start(schedule) == then_ns);
    EQ_INT(start_count, 2);
    EQ_INT(started[0], OWED + 1); /* the older of its repository; one at a time */
    EQ_INT(started[1], OWED + 3);
    OK(rows < 50);
    close_schedule(schedule);
}

static void test_order(void)
{
    tap_case("of several repositories the oldest goes first");
    struct schedule *schedule = open_schedule(true);
    add(schedule, "octo/c", "accepted", 1);
    add(schedule, "octo/b", "judged", 1);
    add(schedule, "octo/a", "judged", 1);
    add(schedule, "octo/a", "ending", 1);
    OK(schedule_start(schedule) == UINT64_MAX);
    EQ_INT(start_count, 4);
    EQ_INT(started[0], 4); /* what only ends asks no server */
    EQ_INT(started[1], 2);
    EQ_INT(started[2], 3);
    EQ_INT(started[3], 1);
    close_schedule(schedule);
    tap_case("one that did not answer does not get the last clerk");
    schedule = open_schedule(true);
    add(schedule, "octo/a", "judged", 1);
    add(schedule, "octo/b", "ending", LANES_CLERKS - 1);
    schedule_place_of(schedule, &host.repositories[0])->away = true;
    OK(schedule_start(schedule) == UINT64_MAX);
    EQ_INT(start_count, LANES_CLERKS - 1);
    close_schedule(schedule);
}

static void test_tokens(void)
{
    tap_case("a thousand are owed, and no token is left to tell them with");
    struct schedule *schedule = open_schedule(false);
    const struct host_repository *b = &host.repositories[1];
    add(schedule, "octo/a", "judged", OWED);
    rows = 0;
    OK(schedule_start(schedule) == UINT64_MAX);
    OK(rows < 50);
    tap_case("a token's limit");
    add(schedule, "octo/b", "judged", 1);
    tokens_add(&schedule->tokens, b, OWED + 1, "secret");
    uint64_t then_ns = schedule_in_seconds(300);
    tokens_limit(&schedule->tokens, 1, then_ns);
    OK(schedule_start(schedule) == then_ns);
    EQ_INT(start_count, 0);
    tokens_limit(&schedule->tokens, 1, 0);
    OK(schedule_start(schedule) == UINT64_MAX);
    EQ_INT(start_count, 1);
    EQ_INT(started[0], OWED + 1);
    close_schedule(schedule);
    tap_case("a job waits so long for its token, then it ends");
    schedule = open_schedule(false);
    add(schedule, "octo/a", "accepted", 1);
    add(schedule, "octo/a", "pinned", 1);
    uint64_t begin_ns = proc_now_ns();
    OK(about(schedule_start(schedule), host.limits.token_wait_ms / 1000, begin_ns));
    EQ_INT(start_count, 0);
    /* wraps where the host has not been up for so long: only the difference counts */
    uint64_t long_ago_ns = proc_now_ns() - 1000000u * (host.limits.token_wait_ms + 1);
    schedule_find_note(schedule, 1)->since_ns = long_ago_ns;
    schedule_find_note(schedule, 2)->since_ns = long_ago_ns;
    OK(schedule_start(schedule) <= proc_now_ns());
    OK(schedule_start(schedule) == UINT64_MAX);
    EQ_INT(start_count, 2);
    close_schedule(schedule);
}

static void test_pauses(void)
{
    tap_case("a job's own pause");
    struct schedule *schedule = open_schedule(true);
    add(schedule, "octo/a", "pinned", 2);
    uint64_t first_ns = schedule_in_seconds(20), second_ns = schedule_in_seconds(10);
    schedule_take_note(schedule, 1)->not_before_ns = first_ns;
    schedule_take_note(schedule, 2)->not_before_ns = second_ns;
    OK(schedule_start(schedule) == second_ns);
    schedule_take_note(schedule, 2)->not_before_ns = 0;
    OK(schedule_start(schedule) == first_ns);
    EQ_INT(start_count, 1);
    OK(schedule_start(schedule) == UINT64_MAX); /* its lane is busy: that end wakes */
    close_schedule(schedule);
    tap_case("where no process can be started it is tried again");
    schedule = open_schedule(true);
    add(schedule, "octo/a", "pinned", 1);
    cannot_start = true;
    uint64_t begin_ns = proc_now_ns();
    OK(about(schedule_start(schedule), 1, begin_ns));
    cannot_start = false;
    OK(schedule_start(schedule) == UINT64_MAX);
    EQ_INT(start_count, 1);
    close_schedule(schedule);
}

int main(void)
{
    struct err err;
    if (mkdtemp(folder) == NULL)
        return 1;
    test_away();
    test_order();
    test_tokens();
    test_pauses();
    OK(file_remove_tree(folder, &err) == 0);
    return tap_done();
}
