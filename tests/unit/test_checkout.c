/* SPDX-License-Identifier: Apache-2.0 */
/* Which commits are measured: the merge that the other side made if it is the right one,
 * ours if not, and what happens when things moved. */
#include "measure/checkout.h"

#include "gitbox.h"
#include "tests/tap.h"

static struct git_repo *repo;
static struct git_remote_spec upstream;

static const char *sha_of(const char *name)
{
    return box_line("git -C work rev-parse '%s^{commit}'", name);
}

/* main: first - second; pull 7: first - seven; pull 8 clashes with second. */
static void make_upstream(void)
{
    box_run(
        "git init -q -b main work; cd work; echo 1 > a; echo 1 > b; git add -A;"
        "git commit -qm first; git checkout -q -b seven; echo 7 > b; git commit -qam seven;"
        "git checkout -q -b eight main; echo 8 > a; git commit -qam eight;"
        "git checkout -q main; echo 2 > a; git commit -qam second;"
        "git checkout -q -b merged main~1; git merge -q --no-edit main;"
        "git checkout -q -b good main; git merge -q --no-ff --no-edit -m good seven;"
        "git checkout -q -b swapped seven; git merge -q --no-edit -m swapped main;"
        "git checkout -q -b stale main~1; git merge -q --no-ff --no-edit -m stale seven;"
        "git checkout -q -b three main; git commit -q --allow-empty -m x;"
        "git checkout -q main; cd ..; git init -q --bare -b main upstream.git; cd work;"
        "git push -q ../upstream.git main seven:refs/pull/7/head eight:refs/pull/8/head;"
        "git update-ref refs/heads/octopus $(echo o | git commit-tree good^{tree} -p main "
        "-p seven -p eight)");
}

static int pin(int pr, const char *head, struct job *job, struct err *err)
{
    *err = (struct err){0};
    *job = (struct job){.pr = pr, .base_ref = "main", .base = "old"};
    snprintf(job->head, sizeof job->head, "%s", head);
    return checkout_pin(repo, &upstream, job, err);
}

static void set_merge_ref(const char *name)
{
    box_run("cd work; git push -q -f ../upstream.git %s:refs/pull/7/merge", name);
}

static void test_merge_ref(void)
{
    struct job job, other;
    struct err err;
    struct git_commit_info info;
    tap_case("without a merge ref the merge is made here");
    EQ_INT(pin(7, sha_of("seven"), &job, &err), 0);
    EQ_STR(job.base, sha_of("main"));
    EQ_INT(git_read_commit(repo, job.merge, &info, &err), 0);
    EQ_STR(info.parents[0], sha_of("main"));
    EQ_STR(info.parents[1], sha_of("seven"));
    EQ_STR(info.tree, box_line("git -C work rev-parse good^{tree}"));

    static const char *const wrong[] = {"swapped", "stale", "octopus",
                                        "main",    "seven", "three"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tap_case(wrong[i]);
        set_merge_ref(wrong[i]);
        EQ_INT(pin(7, sha_of("seven"), &other, &err), 0);
        EQ_STR(other.merge, job.merge);
    }
    tap_case("the right merge ref is taken");
    set_merge_ref("good");
    EQ_INT(pin(7, sha_of("seven"), &other, &err), 0);
    EQ_STR(other.merge, sha_of("good"));

    tap_case("a pull request number without a pull request");
    EQ_INT(pin(0, sha_of("seven"), &other, &err), 0);
    EQ_STR(other.merge, job.merge);
}

static void test_shapes(void)
{
    struct job job;
    struct err err;
    struct git_commit_info info;
    tap_case("a conflict");
    OK(pin(8, sha_of("eight"), &job, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    HAS(err.text, "`a`");
    EQ_STR(job.base, "old");
    EQ_STR(job.merge, "");

    tap_case("head is already in base");
    EQ_INT(pin(9, sha_of("main~1"), &job, &err), 0);
    EQ_STR(job.merge, sha_of("main"));
    EQ_INT(pin(9, sha_of("main"), &job, &err), 0);
    EQ_STR(job.merge, sha_of("main"));

    tap_case("head stands on base");
    box_run("cd work; git push -q ../upstream.git three:refs/heads/three");
    EQ_INT(pin(10, sha_of("three"), &job, &err), 0);
    EQ_INT(git_read_commit(repo, job.merge, &info, &err), 0);
    EQ_STR(info.parents[0], sha_of("main"));
    EQ_STR(info.parents[1], sha_of("three"));

    tap_case("a head that is gone");
    OK(pin(7, "1111111111111111111111111111111111111111", &job, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    HAS(err.text, "moved");
    OK(pin(99, "1111111111111111111111111111111111111111", &job, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);

    tap_case("a base branch that is not there");
    job = (struct job){.base_ref = "develop"};
    snprintf(job.head, sizeof job.head, "%s", sha_of("seven"));
    OK(checkout_pin(repo, &upstream, &job, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    snprintf(job.base_ref, sizeof job.base_ref, "main:refs/heads/x");
    OK(checkout_pin(repo, &upstream, &job, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
}

static void test_local(void)
{
    struct job job = {.pr = 0};
    struct err err = {0};
    struct git_remote_spec none = {0};
    tap_case("two commits of a local repository");
    snprintf(job.base, sizeof job.base, "%s", sha_of("main"));
    snprintf(job.head, sizeof job.head, "%s", sha_of("seven"));
    EQ_INT(checkout_pin(repo, &none, &job, &err), 0);
    OK(git_is_sha(job.merge));

    tap_case("a commit that is needed");
    OK(checkout_need(repo, &none, "2222222222222222222222222222222222222222", &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    box_run("cd work; git checkout -q -b anchor; git commit -q --allow-empty -m anchor;"
            "git push -q ../upstream.git anchor; git checkout -q main");
    OK(checkout_need(repo, &none, sha_of("anchor"), &err) < 0);
    EQ_INT(checkout_need(repo, &upstream, sha_of("anchor"), &err), 0);
    EQ_INT(checkout_need(repo, &none, sha_of("anchor"), &err), 0);
    OK(checkout_need(repo, &upstream, "main", &err) < 0);
    EQ_INT(err.class, ERR_INPUT);

    tap_case("its tree, within the limits");
    struct limits limits = limits_default();
    EQ_INT(checkout_tree(repo, job.merge, "out", &limits, &err), 0);
    EQ_STR(box_line("cat out/a out/b | tr '\\n' ' '"), "2 7 ");
    limits.tree_entries = 1;
    OK(checkout_tree(repo, job.merge, "out2", &limits, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
}

int main(void)
{
    int before = box_descriptors();
    struct err err = {0};
    box_open();
    make_upstream();
    upstream = box_remote("upstream.git");
    OK(git_open("cache.git", &repo, &err) == 0);
    test_merge_ref();
    test_shapes();
    test_local();
    git_close(&repo);
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
