/* SPDX-License-Identifier: Apache-2.0 */
/* intake/queue: accepted once per key, states in order, nothing lost to a kill. */
#include "base/db.h"
#include "intake/queue.h"
#include "tests/tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/ratchet-test-queue-XXXXXX";
static char path[128];
static struct limits limits;
static const char *const schema[] = {queue_schema_1, queue_schema_2, queue_schema_3, queue_schema_4, queue_schema_5, queue_schema_6, queue_schema_7, NULL};
static const struct queue_owner owner = {.uid = 1000, .secret = "0123456789abcdef0123456789abcdef"};

static struct job job_of(const char *key, const char *device, int pr)
{
    struct job job = {.kind = JOB_CHECK, .pr = pr};
    snprintf(job.repository, sizeof job.repository, "owner/name");
    snprintf(job.device, sizeof job.device, "%s", device);
    snprintf(job.key, sizeof job.key, "%s", key);
    snprintf(job.run_url, sizeof job.run_url, "https://example.org/runs/1");
    return job;
}

static struct db *open_queue(const char *name)
{
    struct err err = {0};
    struct db *queue = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!OK(db_open(path, schema, &queue, &err) == 0)) {
        printf("# %s\n", err.text);
        exit(1);
    }
    return queue;
}

static long long accept(struct db *queue, const char *key, const char *device,
                        bool *known)
{
    struct err err;
    struct job job = job_of(key, device, 7);
    if (queue_accept(queue, &job, &owner, &limits, known, &err) < 0)
        return err.class == ERR_LIMIT ? -2 : -1;
    return job.id;
}

static void test_choices(void)
{
    struct err err;
    bool known;
    struct queue_entry entry;
    struct db *queue = open_queue("choices");
    struct job job = job_of("1/2/1/check", "cpu", 7);
    tap_case("choices come back, as they were asked for and then as they are taken");
    job.choices = (struct choices){.configs = "a b*", .budget_s = 60, .profile = true};
    OK(queue_accept(queue, &job, &owner, &limits, &known, &err) == 0);
    OK(queue_get(queue, job.id, &entry, &err) == 0);
    EQ_STR(entry.job.choices.configs, "a b*");
    EQ_INT(entry.job.choices.budget_s, 60);
    OK(entry.job.choices.profile);
    EQ_STR(entry.job.choices.refused, "");
    job.choices = (struct choices){.refused = "mallory may not write"};
    OK(queue_pin(queue, &job, &err) == 0);
    OK(queue_get(queue, job.id, &entry, &err) == 0);
    OK(!choices_any(&entry.job.choices));
    EQ_STR(entry.job.choices.refused, "mallory may not write");
    tap_case("also of a job that was never pinned");
    struct job other = job_of("1/2/2/check", "cpu", 7);
    other.choices.budget_s = 60;
    OK(queue_accept(queue, &other, &owner, &limits, &known, &err) == 0);
    other.choices = (struct choices){.refused = "no"};
    OK(queue_judged(queue, &other, "unmeasured", EXIT_UNMEASURED, &err) == 0);
    OK(queue_get(queue, other.id, &entry, &err) == 0);
    EQ_INT(entry.job.choices.budget_s, 0);
    EQ_STR(entry.job.choices.refused, "no");
    db_close(&queue);
}

static void test_accept(void)
{
    struct err err;
    bool known = true;
    struct db *queue = open_queue("accept");
    tap_case("a key is accepted once");
    long long first = accept(queue, "1/2/1/check", "cpu", &known);
    OK(first > 0);
    OK(!known);
    EQ_INT(accept(queue, "1/2/1/check", "cpu", &known), first);
    OK(known);
    tap_case("another attempt, another device, another pull request are other jobs");
    OK(accept(queue, "1/2/2/check", "cpu", &known) != first);
    OK(!known);
    OK(accept(queue, "1/2/1/check", "nvidia-l4", &known) != first);
    OK(!known);
    struct job other = job_of("1/2/1/check", "cpu", 8);
    OK(queue_accept(queue, &other, &owner, &limits, &known, &err) == 0);
    OK(!known);
    OK(other.id != first);
    tap_case("what was accepted comes back whole");
    struct queue_entry entry;
    OK(queue_get(queue, other.id, &entry, &err) == 0);
    EQ_STR(entry.job.key, "1/2/1/check");
    EQ_STR(entry.job.repository, "owner/name");
    EQ_STR(entry.job.device, "cpu");
    EQ_STR(entry.job.run_url, "https://example.org/runs/1");
    EQ_STR(entry.job.head, "");
    EQ_INT(entry.job.pr, 8);
    EQ_INT(entry.job.id, other.id);
    EQ_INT(entry.state, JOB_ACCEPTED);
    OK(entry.accepted_s > 1700000000);
    EQ_INT(entry.finished_s, 0);
    tap_case("no key, no job");
    struct job nameless = job_of("", "cpu", 1);
    OK(queue_accept(queue, &nameless, &owner, &limits, &known, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    EQ_INT(nameless.id, 0);
    db_close(&queue);
    db_close(&queue);
}

/* A verdict for a job, whatever its state; 0, or -1. */
static int judge(struct db *queue, long long id, const char *verdict, int exit_code,
                 struct err *err)
{
    struct job job = job_of("", "cpu", 7);
    job.id = id;
    snprintf(job.head, sizeof job.head, "%040d", 4);
    return queue_judged(queue, &job, verdict, exit_code, err);
}

static void test_full(void)
{
    struct err err;
    bool known = false;
    struct db *queue = open_queue("full");
    limits.queue_jobs = 2;
    tap_case("a full queue refuses new jobs of its device alone");
    long long first = accept(queue, "a", "cpu", &known);
    OK(accept(queue, "b", "cpu", &known) > 0);
    EQ_INT(accept(queue, "c", "cpu", &known), -2);
    EQ_INT(accept(queue, "a", "cpu", &known), first);
    OK(known);
    OK(accept(queue, "c", "nvidia-l4", &known) > 0);
    tap_case("a job that is judged takes nobody's place, however long GitHub is away");
    OK(judge(queue, first, "held", 0, &err) == 0);
    OK(accept(queue, "c", "cpu", &known) > 0);
    limits = limits_default();
    db_close(&queue);
}

static enum job_state state_of(struct db *queue, long long id)
{
    struct queue_entry entry = {0};
    struct err err;
    OK(queue_get(queue, id, &entry, &err) == 0);
    return entry.state;
}

static void test_road(void)
{
    struct err err;
    bool known = false;
    struct queue_entry entry;
    struct db *queue = open_queue("road");
    long long id = accept(queue, "a", "cpu", &known);
    tap_case("accepted, pinned, running, judged, done");
    OK(queue_next(queue, "cpu", JOB_ACCEPTED, 0, &entry, &err) == 0);
    EQ_INT(entry.job.id, id);
    OK(queue_start(queue, id, "", &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    HAS(err.text, "accepted");
    snprintf(entry.job.head, sizeof entry.job.head, "%040d", 1);
    snprintf(entry.job.base, sizeof entry.job.base, "%040d", 2);
    snprintf(entry.job.merge, sizeof entry.job.merge, "%040d", 3);
    snprintf(entry.job.base_ref, sizeof entry.job.base_ref, "main");
    OK(queue_pin(queue, &entry.job, &err) == 0);
    OK(queue_next(queue, "cpu", JOB_ACCEPTED, 0, &entry, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    OK(queue_next(queue, "cpu", JOB_PINNED, 0, &entry, &err) == 0);
    EQ_STR(entry.job.base_ref, "main");
    EQ_INT(entry.job.merge[39], '3');
    OK(queue_start(queue, id, "", &err) == 0);
    EQ_INT(state_of(queue, id), JOB_RUNNING);
    OK(queue_done(queue, id, &err) < 0);
    OK(judge(queue, id, "regressed", 1, &err) == 0);
    OK(judge(queue, id, "held", 0, &err) < 0);
    OK(queue_pin(queue, &entry.job, &err) < 0);
    OK(queue_next(queue, "cpu", JOB_JUDGED, 0, &entry, &err) == 0);
    EQ_STR(entry.verdict, "regressed");
    EQ_INT(entry.exit_code, 1);
    EQ_INT(entry.attempts, 1);
    EQ_INT(entry.job.head[39], '4');
    OK(queue_end(queue, id, CLAUSE_CANCELLED, "too late", &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    OK(queue_done(queue, id, &err) == 0);
    OK(queue_end(queue, id, CLAUSE_CANCELLED, "too late", &err) < 0);
    OK(queue_get(queue, id, &entry, &err) == 0);
    OK(entry.finished_s >= entry.accepted_s);
    OK(queue_start(queue, 4711, "", &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    db_close(&queue);
}

static void test_order(void)
{
    struct err err;
    bool known = false;
    struct queue_entry list[4];
    size_t count = 99;
    struct db *queue = open_queue("order");
    tap_case("oldest first, one lane per device, ids skipped as asked");
    long long one = accept(queue, "a", "cpu", &known);
    long long gpu = accept(queue, "b", "nvidia-l4", &known);
    long long two = accept(queue, "c", "cpu", &known);
    OK(queue_next(queue, "cpu", JOB_ACCEPTED, 0, &list[0], &err) == 0);
    EQ_INT(list[0].job.id, one);
    OK(queue_next(queue, "cpu", JOB_ACCEPTED, one, &list[0], &err) == 0);
    EQ_INT(list[0].job.id, two);
    OK(queue_next(queue, "cpu", JOB_ACCEPTED, two, &list[0], &err) < 0);
    OK(queue_next(queue, "nvidia-l4", JOB_ACCEPTED, 0, &list[0], &err) == 0);
    EQ_INT(list[0].job.id, gpu);
    tap_case("a place is among those that wait for the same device");
    size_t place = 0;
    struct job pinned = {.id = one, .device = "cpu"};
    OK(queue_pin(queue, &pinned, &err) == 0);
    pinned.id = two;
    OK(queue_pin(queue, &pinned, &err) == 0);
    OK(queue_get(queue, one, &list[0], &err) == 0 &&
       queue_place(queue, &list[0], &place, &err) == 0);
    EQ_INT(place, 1);
    OK(queue_get(queue, two, &list[0], &err) == 0 &&
       queue_place(queue, &list[0], &place, &err) == 0);
    EQ_INT(place, 2);
    OK(queue_start(queue, one, "", &err) == 0);
    OK(queue_place(queue, &list[0], &place, &err) == 0);
    EQ_INT(place, 1);
    tap_case("the list is newest first and stops where asked");
    OK(queue_list(queue, 4, list, &count, &err) == 0);
    EQ_INT(count, 3);
    EQ_INT(list[0].job.id, two);
    EQ_INT(list[2].job.id, one);
    OK(queue_list(queue, 2, list, &count, &err) == 0);
    EQ_INT(count, 2);
    OK(queue_list(queue, 0, list, &count, &err) == 0);
    EQ_INT(count, 0);
    tap_case("a job that ends is not measured, and says why");
    OK(queue_end(queue, one, CLAUSE_CANCELLED, "nobody wants it", &err) == 0);
    OK(queue_next(queue, "cpu", JOB_PINNED, 0, &list[0], &err) == 0);
    EQ_INT(list[0].job.id, two);
    OK(queue_next(queue, NULL, JOB_ENDING, 0, &list[0], &err) == 0);
    EQ_INT(list[0].job.id, one);
    EQ_INT(list[0].clause, CLAUSE_CANCELLED);
    EQ_STR(list[0].why, "nobody wants it");
    OK(queue_start(queue, one, "", &err) < 0);
    OK(judge(queue, one, "unmeasured", 3, &err) == 0);
    tap_case("a job whose repository is gone is over, whatever its state");
    OK(queue_abandon(queue, two, &err) == 0);
    EQ_INT(state_of(queue, two), JOB_DONE);
    tap_case("its owner is kept");
    EQ_INT(list[0].uid, 1000);
    EQ_STR(list[0].secret, owner.secret);
    db_close(&queue);
}

static void test_recover(void)
{
    struct err err;
    bool known = false;
    struct queue_entry entry;
    struct db *queue = open_queue("recover");
    tap_case("a job that ran when the daemon died is taken again, its starts counted");
    long long id = accept(queue, "a", "cpu", &known);
    struct job job = job_of("a", "cpu", 7);
    job.id = id;
    OK(queue_pin(queue, &job, &err) == 0);
    for (unsigned start = 1; start <= 3; start++) {
        OK(queue_start(queue, id, "", &err) == 0);
        db_close(&queue);
        queue = open_queue("recover");
        OK(queue_recover(queue, &err) == 0);
        OK(queue_next(queue, "cpu", JOB_PINNED, 0, &entry, &err) == 0);
        EQ_INT(entry.attempts, start);
    }
    tap_case("a planned rest is not counted as a start, another is");
    OK(queue_rest(queue, id, true, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    for (unsigned planned = 0; planned < 2; planned++) {
        OK(queue_start(queue, id, "", &err) == 0);
        OK(queue_rest(queue, id, planned == 1, &err) == 0);
        OK(queue_next(queue, "cpu", JOB_PINNED, 0, &entry, &err) == 0);
        EQ_INT(entry.attempts, 4);
    }
    tap_case("recovery leaves the others alone");
    long long waiting = accept(queue, "b", "cpu", &known);
    OK(judge(queue, id, "unmeasured", 3, &err) == 0);
    OK(queue_recover(queue, &err) == 0);
    EQ_INT(state_of(queue, id), JOB_JUDGED);
    EQ_INT(state_of(queue, waiting), JOB_ACCEPTED);
    db_close(&queue);
}

struct collected {
    long long ids[8];
    size_t count;
    long long fail_at;
};

static int collect(void *context, long long id)
{
    struct collected *collected = context;
    if (id == collected->fail_at)
        return -1;
    collected->ids[collected->count++] = id;
    return 0;
}

static void test_collect(void)
{
    struct err err;
    bool known = false;
    struct db *queue = open_queue("collect");
    long long ids[4];
    const char *const keys[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        ids[i] = accept(queue, keys[i], "cpu", &known);
    OK(judge(queue, ids[0], "unmeasured", 3, &err) == 0);
    OK(queue_done(queue, ids[0], &err) == 0);
    OK(judge(queue, ids[2], "held", 0, &err) == 0);
    OK(queue_done(queue, ids[2], &err) == 0);
    OK(judge(queue, ids[3], "held", 0, &err) == 0);
    struct collected collected = {0};
    long long future = 1ll << 40;
    tap_case("nothing is old enough");
    OK(queue_collect(queue, 1000, 1000, collect, &collected, &err) == 0);
    EQ_INT(collected.count, 0);
    tap_case("what is owed is not old by a clock that jumps, but where it was tried for long");
    OK(queue_note_tried(queue, 600, &err) == 0);
    OK(queue_collect(queue, 1000, 1000, collect, &collected, &err) == 0);
    EQ_INT(collected.count, 0);
    EQ_INT(state_of(queue, ids[3]), JOB_JUDGED);
    OK(queue_note_tried(queue, 600, &err) == 0);
    tap_case("a folder that could not be removed keeps its row, and is in nobody's way");
    collected.fail_at = ids[2];
    OK(queue_collect(queue, future, 1000, collect, &collected, &err) < 0);
    EQ_INT(collected.count, 2); /* what GitHub could not be told for so long is given up */
    struct queue_entry entry;
    OK(queue_get(queue, ids[0], &entry, &err) < 0);
    OK(queue_get(queue, ids[3], &entry, &err) < 0);
    OK(queue_get(queue, ids[2], &entry, &err) == 0);
    tap_case("finished jobs go, the others stay");
    collected = (struct collected){0};
    OK(queue_collect(queue, future, 1000, collect, &collected, &err) == 0);
    EQ_INT(collected.count, 1);
    EQ_INT(collected.ids[0], ids[2]);
    EQ_INT(state_of(queue, ids[1]), JOB_ACCEPTED);
    tap_case("an id is never given twice");
    OK(judge(queue, ids[1], "held", 0, &err) == 0);
    OK(queue_done(queue, ids[1], &err) == 0);
    OK(queue_collect(queue, future, 1000, collect, &collected, &err) == 0);
    OK(accept(queue, "a", "cpu", &known) > ids[3]);
    OK(!known);
    db_close(&queue);
}

/* What the killed child reports after each call that returned: it is on disk then. */
struct note {
    long long id;
    enum job_state state;
};

static int take_step(struct db *queue, enum job_state to, struct job *job,
                     const struct limits *many)
{
    struct err err;
    bool known = false;
    switch (to) {
    case JOB_ACCEPTED:
        return queue_accept(queue, job, &owner, many, &known, &err);
    case JOB_PINNED:
        return queue_pin(queue, job, &err);
    case JOB_RUNNING:
        return queue_start(queue, job->id, "", &err);
    case JOB_ENDING:
        return queue_end(queue, job->id, CLAUSE_CANCELLED, "no more", &err);
    case JOB_JUDGED:
        return judge(queue, job->id, "held", 0, &err);
    default:
        return queue_done(queue, job->id, &err);
    }
}

/* Accept and move jobs for ever, each step reported; the parent kills us somewhere. */
static void work_until_killed(const char *file, int round, int fd)
{
    struct err err;
    struct db *queue = NULL;
    if (db_open(file, schema, &queue, &err) < 0)
        _exit(1);
    struct limits many = limits_default();
    many.queue_jobs = 1000000;
    for (int i = 0;; i++) {
        char key[32];
        snprintf(key, sizeof key, "%d/%d", round, i);
        struct job job = job_of(key, "cpu", 7);
        for (int step = JOB_ACCEPTED; step <= JOB_DONE; step++) {
            int failed = take_step(queue, (enum job_state)step, &job, &many);
            struct note note = {.id = job.id, .state = (enum job_state)step};
            if (failed != 0 || write(fd, &note, sizeof note) != (ssize_t)sizeof note)
                _exit(1);
        }
    }
}

/* The last thing said before the kill must be there, or the step under way then. */
static void check_after_kill(const char *name, struct note last, long long known_id)
{
    struct err err;
    struct queue_entry entry;
    size_t count = 0;
    struct db *queue = open_queue(name);
    OK(queue_get(queue, last.id, &entry, &err) == 0);
    OK(entry.state == last.state || entry.state == last.state + 1);
    EQ_INT(entry.attempts, entry.state >= JOB_RUNNING ? 1 : 0);
    OK(queue_list(queue, 1, &entry, &count, &err) == 0);
    OK(entry.job.id == last.id
       || (last.state == JOB_DONE && entry.job.id == last.id + 1));
    if (known_id != 0)
        EQ_INT(state_of(queue, known_id), JOB_DONE);
    db_close(&queue);
}

static void test_killed(void)
{
    long long finished = 0;
    tap_case("killed at any moment: what was said to be done is done");
    for (int round = 0; round < 12; round++) {
        int fds[2];
        OK(pipe(fds) == 0);
        snprintf(path, sizeof path, "%s/killed", folder);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            work_until_killed(path, round, fds[1]);
        }
        close(fds[1]);
        struct note last = {0};
        struct note note;
        for (int steps = 3 + round; steps > 0; steps--) {
            OK(read(fds[0], &note, sizeof note) == (ssize_t)sizeof note);
            last = note;
        }
        kill(child, SIGKILL);
        OK(waitpid(child, NULL, 0) == child);
        while (read(fds[0], &note, sizeof note) == (ssize_t)sizeof note)
            last = note; /* what it still got done before the kill reached it */
        close(fds[0]);
        check_after_kill("killed", last, finished);
        if (last.state == JOB_DONE)
            finished = last.id;
    }
}

/* A database of version 1, with a job in each state. */
static void test_older(void)
{
    struct err err;
    struct db *db = NULL;
    static const char *const first[] = {queue_schema_1, NULL};
    static const char *const states[] = {"accepted", "pinned", "running",
                                         "judged",   "done",   "cancelled"};
    static const enum job_state now[] = {JOB_ACCEPTED, JOB_PINNED, JOB_RUNNING,
                                         JOB_PINNED,   JOB_DONE,   JOB_DONE};
    tap_case("a database of version 1 goes on: what it owed GitHub is measured again");
    snprintf(path, sizeof path, "%s/older", folder);
    OK(db_open(path, first, &db, &err) == 0);
    for (int i = 0; i < 6; i++)
        OK(db_run(db, &err,
                  "INSERT INTO job (kind, repository, device, key, pr, base_ref, head, base,"
                  " merge, run_url, state, accepted_s) VALUES (0, 'o/n', 'cpu', ?, 7, 'main',"
                  " 'h', 'b', 'm', '', ?, 1)",
                  "tt", states[i], states[i]) == 0);
    OK(db_run(db, &err, "DELETE FROM job WHERE id = 6", "") == 0);
    OK(db_run(db, &err,
              "INSERT INTO job (kind, repository, device, key, pr, base_ref, head, base, merge,"
              " run_url, state, accepted_s) VALUES (0, 'o/n', 'cpu', 'x', 7, '', '', '', '', '',"
              " 'cancelled', 1)",
              "") == 0);
    db_close(&db);
    db = open_queue("older");
    for (int i = 0; i < 5; i++)
        EQ_INT(state_of(db, i + 1), now[i]);
    EQ_INT(state_of(db, 7), JOB_DONE);
    bool known;
    tap_case("and its ids are not given again");
    OK(accept(db, "new", "cpu", &known) > 7);
    tap_case("not even if the database was lost");
    OK(queue_start_ids(db, 100, &err) == 0);
    EQ_INT(accept(db, "newer", "cpu", &known), 101);
    OK(queue_start_ids(db, 50, &err) == 0);
    EQ_INT(accept(db, "newest", "cpu", &known), 102);
    db_close(&db);
    db = open_queue("lost");
    OK(queue_start_ids(db, 41, &err) == 0);
    EQ_INT(accept(db, "a", "cpu", &known), 42);
    tap_case("a repository is one, however its name is spelled");
    struct job job = job_of("a", "cpu", 7);
    snprintf(job.repository, sizeof job.repository, "Owner/Name");
    OK(queue_accept(db, &job, &owner, &limits, &known, &err) == 0);
    OK(known);
    db_close(&db);
}

static void test_refused_file(void)
{
    struct err err;
    struct db *queue = NULL;
    struct db *db = NULL;
    tap_case("a database of a later version is refused by name");
    snprintf(path, sizeof path, "%s/later", folder);
    static const char *const later[] = {"CREATE TABLE job (id INTEGER);", "", "", "", "", "", "", "", "",
                                        NULL};
    OK(db_open(path, later, &db, &err) == 0);
    db_close(&db);
    OK(db_open(path, schema, &queue, &err) < 0);
    OK(queue == NULL);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "/later");
    tap_case("states have names, also one that does not exist");
    EQ_STR(job_state_name(JOB_ENDING), "ending");
    EQ_STR(job_state_name((enum job_state)77), "?");
}

int main(void)
{
    limits = limits_default();
    if (mkdtemp(folder) == NULL)
        return 99;
    test_accept();
    test_choices();
    test_full();
    test_road();
    test_order();
    test_recover();
    test_collect();
    test_killed();
    test_older();
    test_refused_file();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    OK(system(command) == 0);
    return tap_done();
}
