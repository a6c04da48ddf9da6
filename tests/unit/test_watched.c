/* SPDX-License-Identifier: Apache-2.0 */
/* intake/watched: what is new becomes a job once, on whichever page of the list it stands. */
#include "base/db.h"
#include "command.h"
#include "intake/queue.h"
#include "intake/watched.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/ratchet-test-watched-XXXXXX";
static const char *const schema[] = {queue_schema_1, queue_schema_2, queue_schema_3, queue_schema_4,
                                     queue_schema_5, queue_schema_6, queue_schema_7, watched_schema,
                                     watched_schema_2, NULL};
static struct host host;
static struct watched watched;
static struct err err;

static void open_new(const char *name, bool skip_drafts)
{
    static char path[160];
    db_close(&watched.db);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    host.limits = limits_default();
    host.device_count = 2;
    snprintf(host.devices[0].slug, sizeof host.devices[0].slug, "cpu");
    snprintf(host.devices[1].slug, sizeof host.devices[1].slug, "nvidia-l4");
    host.repositories[0] = (struct host_repository){.name = "octo/kernels",
                                                    .branch = "main",
                                                    .skip_drafts = skip_drafts,
                                                    .watch = true};
    host.repositories[0].watch_device_count = 1;
    snprintf(host.repositories[0].watch_devices[0], MODEL_NAME_BYTES, "cpu");
    watched = (struct watched){.host = &host, .repository = &host.repositories[0]};
    if (!OK(db_open(path, schema, &watched.db, &err) == 0 && watched_open(&watched, &err) == 0)) {
        printf("# %s\n", err.text);
        exit(1);
    }
}

static struct watched_pull pull_at(int number, char head)
{
    struct watched_pull pull = {.number = number};
    memset(pull.head, head, MODEL_SHA_BYTES - 1);
    return pull;
}

/* How many jobs it makes; -1: error. */
static int see(unsigned page, struct watched_pull pull)
{
    struct watched_jobs jobs;
    return watched_see_pull(&watched, page, &pull, &jobs, &err) == 0 ? (int)jobs.count : -1;
}

static bool see_page(unsigned page, const int *numbers, size_t count)
{
    struct watched_pull pulls[8];
    for (size_t i = 0; i < count; i++)
        pulls[i] = pull_at(numbers[i], 'a');
    return watched_see_page(&watched, page, pulls, count, &err) == 0;
}

static bool settle(unsigned pages)
{
    return watched_settle(&watched, pages, &err) == 0;
}

static void test_heads(void)
{
    open_new("heads", false);
    tap_case("a head is new once");
    EQ_INT(see(1, pull_at(7, 'a')), 1);
    EQ_INT(see(1, pull_at(7, 'a')), 0);
    EQ_INT(see(1, pull_at(8, 'a')), 1);
    tap_case("another head takes the place of one that was not begun");
    EQ_INT(see(1, pull_at(7, 'b')), 1);
    struct queue_entry entry;
    OK(queue_get(watched.db, 1, &entry, &err) == 0);
    EQ_STR(job_state_name(entry.state), "done");
    EQ_STR(entry.verdict, "unmeasured");
    OK(queue_get(watched.db, 2, &entry, &err) == 0);
    EQ_STR(job_state_name(entry.state), "accepted");
    tap_case("a head that a job has found by itself needs no other");
    OK(queue_get(watched.db, 3, &entry, &err) == 0);
    memset(entry.job.head, 'c', MODEL_SHA_BYTES - 1);
    snprintf(entry.job.base_ref, sizeof entry.job.base_ref, "main");
    OK(queue_pin(watched.db, &entry.job, &err) == 0);
    EQ_INT(see(1, pull_at(7, 'c')), 0);
    tap_case("… but one that it had before does, when it comes back");
    EQ_INT(see(1, pull_at(7, 'd')), 1);
    EQ_INT(see(1, pull_at(7, 'c')), 1);
}

static void test_closed(void)
{
    open_new("closed", false);
    tap_case("who goes from the list is closed, and new when he comes back");
    EQ_INT(see(1, pull_at(7, 'a')) + see(1, pull_at(8, 'a')), 2);
    OK(see_page(1, (int[]){8}, 1) && settle(1));
    EQ_INT(see(1, pull_at(7, 'a')), 1);
    tap_case("one that moves to the page before, which was read already, is not closed");
    EQ_INT(see(2, pull_at(9, 'a')), 1);
    OK(see_page(2, (int[]){0}, 0)); /* it stands on the first page now: nothing is settled */
    EQ_INT(see(1, pull_at(9, 'a')), 0);
    OK(see_page(1, (int[]){7, 9}, 2) && see_page(2, (int[]){0}, 0) && settle(2));
    EQ_INT(see(1, pull_at(9, 'a')), 0);
    EQ_INT(see(1, pull_at(8, 'a')), 1);
    tap_case("nor is one closed because a page is there no more, before that is settled");
    EQ_INT(see(3, pull_at(10, 'a')), 1);
    EQ_INT(see(1, pull_at(10, 'a')), 0);
    OK(settle(1));
    EQ_INT(see(1, pull_at(10, 'a')), 0);
}

static void test_drafts(void)
{
    for (int skip = 0; skip < 2; skip++) {
        open_new(skip == 0 ? "drafts" : "drafts-skipped", skip == 1);
        struct watched_pull pull = pull_at(7, 'a');
        pull.draft = true;
        tap_case(skip == 0 ? "a draft that was measured" : "a draft that was skipped");
        EQ_INT(see(1, pull), 1);
        pull.draft = false;
        EQ_INT(see(1, pull), skip);
        EQ_INT(see(1, pull), 0);
    }
}

static void test_room(void)
{
    open_new("room", false);
    host.limits.queue_jobs = 2;
    tap_case("what the queue has no room for is new when it has");
    EQ_INT(see(1, pull_at(1, 'a')) + see(1, pull_at(2, 'a')), 2);
    EQ_INT(see(1, pull_at(3, 'a')), -1);
    EQ_INT(err.class, ERR_LIMIT);
    host.limits.queue_jobs = 3;
    EQ_INT(see(1, pull_at(3, 'a')), 1);
    tap_case("each device has a job, or none has");
    host.repositories[0].watch_device_count = 0;
    host.limits.queue_jobs = 4;
    EQ_INT(see(1, pull_at(4, 'a')), 2);
    EQ_INT(see(1, pull_at(5, 'a')), -1);
    host.limits.queue_jobs = 5;
    EQ_INT(see(1, pull_at(5, 'a')), 2);
}

static void test_branch(void)
{
    struct watched_jobs jobs;
    char tip[MODEL_SHA_BYTES];
    const struct watched_pull first = pull_at(1, 'a'), second = pull_at(1, 'b');
    open_new("branch", false);
    tap_case("a tip is kept; another branch has none");
    OK(watched_see_tip(&watched, first.head, false, &jobs, &err) == 0);
    EQ_INT(jobs.count, 0);
    OK(watched_see_tip(&watched, second.head, true, &jobs, &err) == 0);
    EQ_INT(jobs.count, 1);
    struct queue_entry entry;
    OK(queue_get(watched.db, jobs.id[0], &entry, &err) == 0);
    EQ_INT(entry.job.kind, JOB_PROMOTE);
    EQ_STR(entry.job.base_ref, "main");
    OK(watched_open(&watched, &err) == 0 && watched_tip(&watched, tip, &err) == 0);
    EQ_STR(tip, second.head);
    snprintf(host.repositories[0].branch, JOB_REF_BYTES, "trunk");
    OK(watched_open(&watched, &err) == 0 && watched_tip(&watched, tip, &err) == 0);
    EQ_STR(tip, "");
}

static void test_words(void)
{
    struct watched_jobs jobs;
    long long last;
    char when[32];
    bool same;
    open_new("words", false);
    tap_case("a word is taken once, and with it all before it are old");
    OK(watched_comment(&watched, &last, &err) == 0);
    EQ_INT(last, -1);
    struct watched_word word = {.pr = 7, .comment = 40};
    OK(watched_take_word(&watched, &word, &jobs, &err) == 0);
    EQ_INT(jobs.count, 1);
    OK(watched_take_word(&watched, &word, &jobs, &err) == 0);
    EQ_INT(jobs.count, 0);
    OK(watched_see_comment(&watched, 39, &err) == 0 && watched_comment(&watched, &last, &err) == 0);
    EQ_INT(last, 40);
    tap_case("a label is known by the time at which it was put on");
    EQ_INT(see(1, pull_at(7, 'a')), 1);
    word = (struct watched_word){.pr = 7, .labeled = "2026-01-05T09:00:00Z"};
    OK(watched_take_word(&watched, &word, &jobs, &err) == 0);
    EQ_INT(jobs.count, 1);
    OK(watched_see_label(&watched, 7, "2026-01-05T09:00:01Z", &err) == 0);
    OK(watched_label(&watched, 7, "2026-01-05T09:00:01Z", &same, when, &err) == 0 && same);
    OK(watched_label(&watched, 7, "2026-01-05T09:00:02Z", &same, when, &err) == 0 && !same);
    EQ_STR(when, "2026-01-05T09:00:00Z");
}

static void test_runs(void)
{
    struct watched_jobs jobs;
    bool begun = false;
    open_new("runs", false);
    tap_case("what there was before anybody looked is no news, but a new attempt of it");
    const struct watched_run before[] = {{40, 2}, {39, 1}};
    OK(watched_begin_runs(&watched, before, 2, &begun, &err) == 0 && begun);
    OK(watched_begin_runs(&watched, before, 2, &begun, &err) == 0 && !begun);
    EQ_INT(watched_run_is_news(&watched, &before[0], &err), 0);
    EQ_INT(watched_run_is_news(&watched, &(struct watched_run){39, 2}, &err), 1);
    EQ_INT(watched_run_is_news(&watched, &(struct watched_run){38, 9}, &err), 0);
    EQ_INT(watched_run_is_news(&watched, &(struct watched_run){41, 3}, &err), 1);
    tap_case("none there is to begin with, too");
    open_new("no-runs", false);
    OK(watched_begin_runs(&watched, NULL, 0, &begun, &err) == 0 && begun);
    OK(watched_begin_runs(&watched, NULL, 0, &begun, &err) == 0 && !begun);
    tap_case("each attempt is taken once");
    struct watched_word word = {.pr = 7, .run = {5, 1}};
    EQ_INT(watched_run_is_news(&watched, &word.run, &err), 1);
    OK(watched_take_word(&watched, &word, &jobs, &err) == 0);
    EQ_INT(jobs.count, 1);
    EQ_INT(watched_run_is_news(&watched, &word.run, &err), 0);
    OK(watched_take_word(&watched, &word, &jobs, &err) == 0);
    EQ_INT(jobs.count, 0);
    word.run.attempt = 2;
    EQ_INT(watched_run_is_news(&watched, &word.run, &err), 1);
    OK(watched_take_word(&watched, &word, &jobs, &err) == 0);
    EQ_INT(jobs.count, 1);
    tap_case("an older attempt takes nothing back");
    OK(watched_see_run(&watched, &(struct watched_run){5, 1}, &err) == 0);
    EQ_INT(watched_run_is_news(&watched, &word.run, &err), 0);
    tap_case("what is forgotten is no news");
    OK(watched_see_run(&watched, &(struct watched_run){6, 1}, &err) == 0);
    OK(watched_forget_runs(&watched, 6, &err) == 0);
    EQ_INT(watched_run_is_news(&watched, &(struct watched_run){5, 3}, &err), 0);
    EQ_INT(watched_run_is_news(&watched, &(struct watched_run){6, 2}, &err), 1);
    tap_case("what the queue has no room for is news when it has");
    host.limits.queue_jobs = 2;
    word = (struct watched_word){.pr = 8, .run = {9, 1}};
    OK(watched_take_word(&watched, &word, &jobs, &err) == -1);
    EQ_INT(watched_run_is_news(&watched, &word.run, &err), 1);
}

#define HEAD "0123456789abcdef0123456789abcdef01234567"

static void test_names(void)
{
    static const struct {
        const char *name;
        int pr;
        const char *sha;
    } rows[] = {{"/ratchet run 7", 7, ""},
                {"/ratchet run #7", 7, ""},
                {"/ratchet run 123456789 " HEAD, 123456789, HEAD},
                {"/ratchet run", 0, ""},
                {"/ratchet run ", 0, ""},
                {"/ratchet run 7 ", 0, ""},
                {"/ratchet run  7", 0, ""},
                {"/ratchet run 07", 0, ""},
                {"/ratchet run -7", 0, ""},
                {"/ratchet run ##7", 0, ""},
                {"/ratchet run 7x", 0, ""},
                {"/ratchet run 1234567890", 0, ""},
                {"/ratchet run 7 0123456", 0, ""},
                {"/ratchet run 7 " HEAD "0", 0, ""},
                {"/ratchet run 7 " HEAD " x", 0, ""},
                {"/ratchet running 7", 0, ""},
                {" /ratchet run 7", 0, ""},
                {"/Ratchet run 7", 0, ""},
                {"", 0, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int pr = 0;
        char sha[MODEL_SHA_BYTES] = "untouched";
        tap_case(rows[i].name[0] == '\0' ? "no name" : rows[i].name);
        EQ_INT(command_names_pull(rows[i].name, &pr, sha), rows[i].pr != 0);
        if (rows[i].pr != 0) {
            EQ_INT(pr, rows[i].pr);
            EQ_STR(sha, rows[i].sha);
        }
    }
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    test_heads();
    test_closed();
    test_drafts();
    test_room();
    test_branch();
    test_words();
    test_runs();
    test_names();
    db_close(&watched.db);
    char command[200];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (system(command) != 0)
        return 1;
    return tap_done();
}
