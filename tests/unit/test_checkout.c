/* SPDX-License-Identifier: Apache-2.0 */
/* Which commits are measured: the merge that the other side made if it is the right one,
 * ours if not, and what happens when things moved. */
#include "measure/checkout.h"

#include "base/name.h"
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
    EQ_INT(err.class, ERR_INPUT);
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
    OK(name_is_sha(job.merge));

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
    static const char *const all[] = {""};
    struct git_part part = {.paths = all, .path_count = 1};
    EQ_INT(checkout_tree(repo, job.merge, &part, "out", &limits, &err), 0);
    EQ_STR(box_line("cat out/a out/b | tr '\\n' ' '"), "2 7 ");
    limits.tree_entries = 1;
    OK(checkout_tree(repo, job.merge, &part, "out2", &limits, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
}

/* ---- submodules ---- */

static char vendored[GIT_SHA_BYTES], later[GIT_SHA_BYTES];

/* vendor: lib/a.h, lib/b.h and a submodule of its own on branch `nested`; the branch
 * `vendoring` of work has it at kernels/vendor, and elsewhere/vendor outside of kernels. */
static void make_vendor(void)
{
    box_run("git init -q -b main vendor; cd vendor; mkdir lib; echo a > lib/a.h;"
            "echo b > lib/b.h; git add -A; git commit -qm one; echo A > lib/a.h;"
            "git commit -qam two; git checkout -q -b nested;"
            "git update-index --add --cacheinfo 160000,$(printf '%%040d' 1),lib/more;"
            "git commit -qm nested; git checkout -q -f main; cd ../work;"
            "git checkout -q -b vendoring main; mkdir kernels; echo k > kernels/k.c");
    snprintf(vendored, sizeof vendored, "%s", box_line("git -C vendor rev-parse main~1"));
    snprintf(later, sizeof later, "%s", box_line("git -C vendor rev-parse main"));
}

/* A commit of `vendoring` with kernels/vendor at a commit of vendor, fetched. */
static const char *vendoring(const char *pinned)
{
    static char sha[GIT_SHA_BYTES];
    struct err err = {0};
    struct git_remote_spec work = box_remote("work");
    box_run("cd work; git checkout -q -f vendoring; echo k > kernels/k.c; git add -A kernels;"
            "git update-index --add --cacheinfo 160000,%s,kernels/vendor;"
            "git update-index --add --cacheinfo 160000,$(printf '%%040d' 7),elsewhere/vendor;"
            "git commit -q --allow-empty -m vendoring", pinned);
    EQ_INT(git_fetch(repo, &work, "refs/heads/vendoring", sha, &err), 0);
    return sha;
}

static int take(struct checkout_submodules *submodules, const char *commit, const char *path,
                struct err *err)
{
    struct limits limits = limits_default();
    *err = (struct err){0};
    return checkout_submodules(submodules, repo, commit, &path, 1, &limits, err);
}

static void test_submodules(void)
{
    struct err err = {0};
    struct git_remote_spec remote = box_remote("vendor");
    struct checkout_submodules submodules = {.address_count = 0};
    struct limits limits = limits_default();
    char one[GIT_SHA_BYTES], two[GIT_SHA_BYTES];
    snprintf(submodules.folder, sizeof submodules.folder, "%s/caches", box);
    snprintf(one, sizeof one, "%s", vendoring(vendored));
    snprintf(two, sizeof two, "%s", vendoring(later));

    tap_case("a submodule without an address is refused by name");
    OK(take(&submodules, one, "kernels", &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    EQ_STR(err.text, "submodule `kernels/vendor` under [kernel] path: ratchetd.conf names no "
                     "address for it (`submodule = kernels/vendor https://…` in [repository])");
    OK(access("caches", F_OK) != 0);

    tap_case("one outside the paths is not looked at");
    EQ_INT(take(&submodules, one, "a", &err), 0);
    EQ_INT(take(&submodules, one, "kernels/k.c", &err), 0);
    EQ_INT(submodules.count, 0);

    tap_case("one with an address comes at its pinned commit, and is written with the rest");
    submodules.addresses[0] = (struct checkout_address){"kernels/vendor", remote.url};
    submodules.address_count = 1;
    OK(take(&submodules, one, "kernels", &err) < 0); /* nobody said that it may be fetched */
    HAS(err.text, "submodule `kernels/vendor`: no commit ");
    submodules.may_fetch = true;
    EQ_INT(take(&submodules, one, "kernels", &err), 0);
    EQ_INT(submodules.count, 1);
    EQ_INT(take(&submodules, two, "kernels/", &err), 0);
    EQ_INT(submodules.count, 1);
    const char *paths[] = {"kernels"};
    struct git_part part = {.paths = paths, .path_count = 1, .submodules = submodules.list,
                            .submodule_count = submodules.count};
    EQ_INT(checkout_tree(repo, one, &part, "sub1", &limits, &err), 0);
    EQ_INT(checkout_tree(repo, two, &part, "sub2", &limits, &err), 0);
    EQ_STR(box_line("cd sub1; find . -type f | sort | tr '\n' ' '; cat */vendor/lib/a.h"),
           "./kernels/k.c ./kernels/vendor/lib/a.h ./kernels/vendor/lib/b.h a");
    EQ_STR(box_line("cat sub2/kernels/vendor/lib/a.h"), "A");

    tap_case("a path into it writes that alone");
    paths[0] = "kernels/vendor/lib/b.h";
    EQ_INT(take(&submodules, one, paths[0], &err), 0);
    EQ_INT(checkout_tree(repo, one, &part, "sub3", &limits, &err), 0);
    EQ_STR(box_line("cd sub3; find . -type f | tr '\n' ' '"), "./kernels/vendor/lib/b.h ");
    OK(take(&submodules, one, "kernels/vendor/lib/c.h", &err) < 0);
    EQ_STR(err.text, "[kernel] path `kernels/vendor/lib/c.h` is no file or folder of submodule "
                     "`kernels/vendor`");

    tap_case("the limits count across");
    paths[0] = "kernels";
    limits.tree_entries = 5;
    OK(checkout_tree(repo, one, &part, "sub4", &limits, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    limits.tree_entries = 6;
    EQ_INT(checkout_tree(repo, one, &part, "sub4", &limits, &err), 0);

    limits = limits_default();
    tap_case("one that is not on the list is never passed over");
    part.submodule_count = 0;
    OK(checkout_tree(repo, one, &part, "sub5", &limits, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "submodule `kernels/vendor` is not here");
    OK(access("sub5", F_OK) != 0);
    part.submodule_count = submodules.count;

    tap_case("a commit that is not at the address, and an address that is not there");
    char odd[GIT_SHA_BYTES];
    snprintf(odd, sizeof odd, "%s", vendoring("1111111111111111111111111111111111111111"));
    OK(take(&submodules, odd, "kernels", &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "submodule `kernels/vendor`: no commit 1111111111");
    HAS(err.text, remote.url);

    tap_case("a submodule of a submodule");
    snprintf(odd, sizeof odd, "%s", vendoring(box_line("git -C vendor rev-parse nested")));
    EQ_INT(take(&submodules, odd, "kernels", &err), 0);
    OK(checkout_tree(repo, odd, &part, "sub6", &limits, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "submodule `kernels/vendor/lib/more` lies in another submodule");
    checkout_submodules_free(&submodules);
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
    make_vendor();
    test_submodules();
    git_close(&repo);
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
