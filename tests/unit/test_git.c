/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories on disk: opening, fetching and pushing between folders, reading,
 * comparing, merging, committing. Hostile trees are test_git_checkout.c's, HTTP
 * test_git_http.py's. */
#include "gitbox.h"
#include "base/name.h"
#include "base/sanitized.h"
#include "tests/tap.h"

#include <sys/resource.h>

static struct git_repo *repo;
static struct git_remote_spec upstream;

/* upstream.git with
 *   main:  first - second          side: first - aside (other file)
 *   clash: first - clash (same file)    pull 7's head = side, tag v1 = first */
static void make_upstream(void)
{
    box_run(
        "git init -q -b main work; cd work; mkdir -p kernels/deep baselines;"
        "printf 'one\\n' > kernels/a.cu; printf '#!/bin/sh\\n' > kernels/deep/run;"
        "chmod +x kernels/deep/run; ln -s /etc/passwd kernels/link; echo x > README;"
        "git add -A; git commit -q -m first; git tag -a v1 -m v1;"
        "git checkout -q -b side; echo other > kernels/b.cu; git add -A;"
        "GIT_COMMITTER_DATE='1700000500 +0200' git commit -q -m \"$(printf 'aside\\tü\\n\\nbody')\";"
        "git checkout -q -b clash main; echo zwei > kernels/a.cu; git commit -qam clash;"
        "git checkout -q main; echo two > kernels/a.cu; git commit -qam second;"
        "git checkout -q --orphan lone; git commit -qm lone; git checkout -q main;"
        "cd ..; git init -q --bare -b main upstream.git; cd work;"
        "git push -q ../upstream.git main side clash v1 side:refs/pull/7/head");
}

static const char *sha_of(const char *name)
{
    return box_line("git -C work rev-parse '%s^{commit}'", name);
}

static int fetch(const char *what, char sha[GIT_SHA_BYTES], struct err *err)
{
    *err = (struct err){0};
    return git_fetch(repo, &upstream, what, sha, err);
}

static void test_names(void)
{
    tap_case("what is a SHA");
    OK(name_is_sha("0123456789abcdef0123456789abcdef01234567"));
    OK(!name_is_sha("0123456789abcdef0123456789abcdef0123456"));
    OK(!name_is_sha("0123456789abcdef0123456789abcdef012345678"));
    OK(!name_is_sha("0123456789ABCDEF0123456789abcdef01234567"));
    OK(!name_is_sha(""));
    OK(!name_is_sha(NULL));
}

static void test_open(void)
{
    struct err err = {0};
    tap_case("a new repository is made, and found again");
    OK(git_open("cache.git", &repo, &err) == 0);
    git_close(&repo);
    OK(repo == NULL);
    OK(git_open("cache.git", &repo, &err) == 0);
    EQ_STR(box_line("git -C cache.git rev-parse --is-bare-repository"), "true");
    EQ_STR(box_line("ls -d *.new-* 2>/dev/null | wc -l"), "0");

    tap_case("what a killed fetch left is swept away, what may be in use is not");
    git_close(&repo);
    box_run(
        "cd cache.git/objects; touch -d '1 day ago' pack/pack_git2_old tmp_object_git2_old "
        "pack/pack-old; touch pack/pack_git2_new");
    OK(git_open("cache.git", &repo, &err) == 0);
    EQ_STR(box_line("cd cache.git/objects; find . -type f | sort | tr '\\n' ' '"),
           "./pack/pack-old ./pack/pack_git2_new ");
    box_run("rm cache.git/objects/pack/*");

    tap_case("what is no repository is refused and left alone");
    struct git_repo *other = NULL;
    box_run("mkdir junk; echo x > junk/file; echo y > plain");
    OK(git_open("junk", &other, &err) < 0 && other == NULL);
    HAS(err.text, "not a git repository");
    EQ_STR(box_line("ls -A junk"), "file");
    OK(git_open("plain", &other, &err) < 0);
    OK(git_open("no/such/folder", &other, &err) < 0);
    EQ_INT(err.class, ERR_HOST);
    EQ_STR(box_line("ls -d *.new-* 2>/dev/null | wc -l"), "0");

    tap_case("borrowed objects are not followed");
    box_run("git clone -q --bare -s upstream.git borrowed.git");
    OK(git_open("borrowed.git", &other, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "alternates");
}

static void expect_existing(const char *path, const char *below_box)
{
    struct err err = {0};
    GIT_AUTO *found = NULL;
    if (!OK(git_open_existing(path, &found, &err) == 0))
        return;
    EQ_STR(git_path(found), box_line("realpath '%s'", below_box));
    char sha[GIT_SHA_BYTES];
    EQ_INT(git_resolve(found, "HEAD", sha, &err), 0);
}

static void test_open_existing(void)
{
    struct err err = {0};
    struct git_repo *none = NULL;
    tap_case("a repository is found from any folder in it");
    expect_existing("work", "work");
    expect_existing("work/kernels/deep", "work");
    expect_existing("work/.git", "work/.git");
    expect_existing("upstream.git", "upstream.git");
    expect_existing("upstream.git/refs/heads", "upstream.git");
    box_run("ln -s work/kernels through; git -C work worktree add -q ../beside side;"
            "mkdir beside/sub");
    expect_existing("through", "work");
    expect_existing("beside/sub", "beside");

    tap_case("and never made");
    box_run("mkdir -p bare/of/all");
    OK(git_open_existing("bare/of/all", &none, &err) < 0 && none == NULL);
    EQ_INT(err.class, ERR_NOT_FOUND);
    EQ_STR(err.text, "bare/of/all is not in a git repository");
    OK(git_open_existing("no/such/folder", &none, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    HAS(err.text, "no/such/folder");
    OK(git_open_existing("work/README", &none, &err) < 0);
    HAS(err.text, "work/README is not a folder");
    EQ_STR(box_line("find bare | wc -l"), "3");
    OK(git_open_existing("borrowed.git", &none, &err) < 0);
    HAS(err.text, "alternates");

    tap_case("whoever owns it");
    if (geteuid() != 0) {
        tap_skip("only root can give a repository away");
        return;
    }
    box_run("cp -r work theirs; cp -r upstream.git theirs.git; chown -R 65534 theirs*");
    expect_existing("theirs/kernels", "theirs");
    expect_existing("theirs.git", "theirs.git");
    struct git_remote_spec remote = box_remote("theirs");
    char sha[GIT_SHA_BYTES];
    EQ_INT(git_fetch(repo, &remote, "refs/heads/main", sha, &err), 0);
}

static void test_fetch(void)
{
    char sha[GIT_SHA_BYTES] = "untouched";
    struct err err;
    tap_case("branches, pull requests, tags and HEAD");
    EQ_INT(fetch("refs/heads/main", sha, &err), 0);
    EQ_STR(sha, sha_of("main"));
    EQ_INT(fetch("refs/pull/7/head", sha, &err), 0);
    EQ_STR(sha, sha_of("side"));
    EQ_INT(fetch("refs/tags/v1", sha, &err), 0);
    EQ_STR(sha, sha_of("v1"));
    EQ_INT(fetch("HEAD", sha, &err), 0);
    EQ_STR(sha, sha_of("main"));

    tap_case("a commit by SHA, named by a ref or not");
    EQ_INT(fetch(sha_of("clash"), sha, &err), 0);
    EQ_STR(sha, sha_of("clash"));
    upstream = box_remote("work/.git");
    EQ_INT(fetch(sha_of("lone"), sha, &err), 0);
    EQ_STR(sha, sha_of("lone"));
    upstream = box_remote("upstream.git");
    EQ_STR(box_line("git -C cache.git rev-parse refs/ratchet/%s", sha), sha);
    EQ_STR(box_line("git -C cache.git fsck --full >/dev/null 2>&1; echo $?"), "0");

    tap_case("again, when everything is there");
    EQ_INT(fetch("refs/heads/main", sha, &err), 0);
    EQ_STR(sha, sha_of("main"));

    tap_case("what is not there");
    memcpy(sha, "untouched", 10);
    OK(fetch("refs/heads/none", sha, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    HAS(err.text, "refs/heads/none");
    OK(fetch("1111111111111111111111111111111111111111", sha, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    EQ_STR(sha, "untouched");
    OK(fetch("refs/heads/../x", sha, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);

    tap_case("a blob is no commit");
    OK(fetch(box_line("git -C work rev-parse main:README"), sha, &err) < 0);

    tap_case("the packs of a child are seen by the parent");
    struct git_commit_info info;
    box_run("cd work; git checkout -q -b late; git commit -q --allow-empty -m late;"
            "git push -q ../upstream.git late; git checkout -q main");
    OK(git_read_commit(repo, sha_of("late"), &info, NULL) < 0);
    EQ_INT(fetch("refs/heads/late", sha, &err), 0);
    EQ_INT(git_read_commit(repo, sha, &info, &err), 0);
}

static void test_fetch_limits(void)
{
    char sha[GIT_SHA_BYTES];
    struct err err;
    tap_case("received bytes have a ceiling");
    box_run("cd work; git checkout -q -b big; head -c 300000 /dev/urandom > noise;"
            "git add noise; git commit -qm big; git push -q ../upstream.git big;"
            "git checkout -q main");
    upstream.max_bytes = 100000;
    OK(fetch("refs/heads/big", sha, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    HAS(err.text, "more than 100000 bytes");
    EQ_STR(box_line(
               "ls cache.git/objects/pack | grep -v '^pack-[0-9a-f]*\\.[a-z]*$' | wc -l"),
           "0");
    upstream.max_bytes = 10 << 20;
    EQ_INT(fetch("refs/heads/big", sha, &err), 0);

    tap_case("addresses that are not spoken to");
    static const char *const urls[] = {"ssh://git@example.org/x",
                                       "git@example.org:x",
                                       "git://example.org/x",
                                       "ext::sh -c id",
                                       "relative/path",
                                       "",
                                       "https://u:p@example.org",
                                       "https://",
                                       "http:///x",
                                       "https://exam ple.org/x",
                                       "https://h/\nHost: x",
                                       "ftp://example.org/x",
                                       "file://host/x",
                                       "HTTPS://example.org/x",
                                       "http://[::1"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct git_remote_spec spec = {
            .url = urls[i], .timeout_ms = 2000, .max_bytes = 1000};
        OK(git_fetch(repo, &spec, "refs/heads/main", sha, &err) < 0);
        if (i < 14 && !EQ_INT(err.class, ERR_INPUT))
            printf("# %s: %s\n", urls[i], err.text);
        OK(strstr(err.text, "u:p") == NULL);
    }
    tap_case("a token is not sent in clear text to another machine");
    static const char *const open_urls[] = {"http://example.org/x",
                                            "http://127.0.0.1.example.org",
                                            "http://localhost.example.org/x"};
    for (size_t i = 0; i < sizeof open_urls / sizeof *open_urls; i++) {
        struct git_remote_spec spec = {
            .url = open_urls[i], .token = "t", .timeout_ms = 2000, .max_bytes = 1000};
        OK(git_fetch(repo, &spec, "refs/heads/main", sha, &err) < 0);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, "unencrypted");
    }
    tap_case("a file:// address is a folder");
    char url[160];
    snprintf(url, sizeof url, "file://%s/upstream.git", box);
    struct git_remote_spec spec = {.url = url, .timeout_ms = 60000, .max_bytes = 1 << 20};
    EQ_INT(git_fetch(repo, &spec, "refs/heads/main", sha, &err), 0);
    EQ_STR(sha, sha_of("main"));
}

static void test_commits(void)
{
    struct err err = {0};
    struct git_commit_info info;
    tap_case("what a commit says");
    EQ_INT(git_read_commit(repo, sha_of("side"), &info, &err), 0);
    EQ_STR(info.sha, sha_of("side"));
    EQ_STR(info.tree, box_line("git -C work rev-parse side^{tree}"));
    EQ_STR(info.parents[0], sha_of("v1"));
    EQ_STR(info.parents[1], "");
    EQ_INT(info.parent_count, 1);
    EQ_INT(info.time, 1700000500);
    EQ_STR(info.author, "A U Thor");
    EQ_STR(info.subject, "aside ü");
    EQ_INT(git_read_commit(repo, sha_of("v1"), &info, &err), 0);
    EQ_INT(info.parent_count, 0);
    OK(git_read_commit(repo, GIT_ZERO_SHA, &info, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    OK(git_read_commit(repo, "main", &info, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);

    tap_case("names of a local repository");
    struct git_repo *work = NULL;
    char sha[GIT_SHA_BYTES];
    EQ_INT(git_open("work", &work, &err), 0);
    static const char *const names[] = {"main", "v1", "HEAD", "refs/heads/side",
                                        "HEAD~1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EQ_INT(git_resolve(work, names[i], sha, &err), 0);
        EQ_STR(sha, sha_of(names[i]));
    }
    EQ_INT(git_resolve(work, box_line("git -C work rev-parse --short=9 side"), sha, &err),
           0);
    EQ_STR(sha, sha_of("side"));
    OK(git_resolve(work, "nothing", sha, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    OK(git_resolve(work, "main:README", sha, &err) < 0);
    OK(git_resolve(work, "", sha, &err) < 0);
    git_close(&work);

    tap_case("ancestors");
    static const struct {
        const char *old, *new;
        bool yes;
    } pairs[] = {{"v1", "main", true},
                 {"main", "v1", false},
                 {"main", "main", true},
                 {"side", "main", false},
                 {"lone", "main", false}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool yes = !pairs[i].yes;
        EQ_INT(
            git_is_ancestor(repo, sha_of(pairs[i].old), sha_of(pairs[i].new), &yes, &err),
            0);
        EQ_INT(yes, pairs[i].yes);
    }
    bool yes;
    OK(git_is_ancestor(repo, GIT_ZERO_SHA, sha_of("main"), &yes, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
}

static void test_files(void)
{
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, 4);
    const char *main_sha = sha_of("main");
    tap_case("bytes of a file");
    EQ_INT(git_read_file(repo, main_sha, "kernels/a.cu", &out, &err), 0);
    EQ_STR(out.data, "two\n");
    buf_clear(&out);
    EQ_INT(git_read_file(repo, sha_of("v1"), "./kernels//a.cu", &out, &err), 0);
    EQ_STR(out.data, "one\n");
    buf_clear(&out);
    OK(git_read_file(repo, main_sha, "kernels/deep/run", &out, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    EQ_INT(out.len, 0);
    static const struct {
        const char *path;
        enum err_class class;
    } wrong[] = {{"kernels/none", ERR_NOT_FOUND},
                 {"none/a.cu", ERR_NOT_FOUND},
                 {"kernels/a.cu/deeper", ERR_NOT_FOUND},
                 {"kernels", ERR_INPUT},
                 {"kernels/link", ERR_INPUT},
                 {"../x", ERR_NOT_FOUND},
                 {"baselines", ERR_NOT_FOUND}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        OK(git_read_file(repo, main_sha, wrong[i].path, &out, &err) < 0);
        EQ_INT(err.class, wrong[i].class);
    }
}

static void expect_differs(const char *old, const char *new, const char *path, bool want,
                           const char *where)
{
    struct err err = {0};
    bool differs = !want;
    char first[256] = "?";
    const char *const paths[] = {"no/such", path};
    EQ_INT(git_differs(repo, sha_of(old), sha_of(new), paths, 2, &differs, first, &err),
           0);
    EQ_INT(differs, want);
    EQ_STR(first, where);
}

static void test_differs(void)
{
    tap_case("which paths differ");
    expect_differs("v1", "main", "kernels", true, "kernels/a.cu");
    expect_differs("v1", "main", "kernels/", true, "kernels/a.cu");
    expect_differs("v1", "main", "kernels/a.cu", true, "kernels/a.cu");
    expect_differs("v1", "main", "kernels/deep", false, "");
    expect_differs("v1", "main", "README", false, "");
    expect_differs("v1", "main", "", true, "kernels/a.cu");
    expect_differs("main", "main", "", false, "");
    expect_differs("v1", "side", "kernels", true, "kernels/b.cu");
    expect_differs("side", "v1", "kernels", true, "kernels/b.cu");

    tap_case("a mode is a difference, a file that became a folder too");
    box_run(
        "cd work; git checkout -q -b odd v1; chmod -x kernels/deep/run;"
        "git commit -qam mode; git checkout -q -b odd2; git rm -q README; mkdir README;"
        "echo 1 > README/x; git add -A; git commit -qm folder; git checkout -q main;"
        "git push -q ../upstream.git odd odd2");
    char sha[GIT_SHA_BYTES];
    struct err err;
    EQ_INT(fetch("refs/heads/odd2", sha, &err), 0);
    expect_differs("v1", "odd", "kernels", true, "kernels/deep/run");
    expect_differs("odd", "odd2", "README", true, "README");
    expect_differs("odd", "odd2", "", true, "README");
    expect_differs("v1", "odd2", "README/x", true, "README/x");
}

static void test_merge(void)
{
    struct err err = {0};
    struct git_commit_info info;
    char sha[GIT_SHA_BYTES], again[GIT_SHA_BYTES];
    tap_case("a merge has both sides, and is the same twice");
    EQ_INT(git_make_merge(repo, sha_of("main"), sha_of("side"), sha, &err), 0);
    EQ_INT(git_make_merge(repo, sha_of("main"), sha_of("side"), again, &err), 0);
    EQ_STR(sha, again);
    EQ_INT(git_read_commit(repo, sha, &info, &err), 0);
    EQ_STR(info.parents[0], sha_of("main"));
    EQ_STR(info.parents[1], sha_of("side"));
    EQ_INT(info.time, 1700000500);
    EQ_STR(
        box_line("git -C cache.git show %s:kernels/a.cu %s:kernels/b.cu | tr '\\n' ' '",
                 sha, sha),
        "two other ");
    EQ_STR(box_line("cd cache.git; git cat-file -p %s | sed -n 's/^committer //p'", sha),
           "ratchet <ratchet@localhost> 1700000500 +0000");

    tap_case("what git itself would make of it");
    EQ_STR(info.tree, box_line("git -C work merge-tree --write-tree main side"));

    tap_case("a conflict names its first path");
    OK(git_make_merge(repo, sha_of("main"), sha_of("clash"), sha, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    HAS(err.text, "kernels/a.cu");
    EQ_STR(sha, again);

    tap_case("head on top of base");
    EQ_INT(git_make_merge(repo, sha_of("v1"), sha_of("main"), sha, &err), 0);
    EQ_INT(git_read_commit(repo, sha, &info, &err), 0);
    EQ_STR(info.tree, box_line("git -C work rev-parse main^{tree}"));

    tap_case("a commit that is not here");
    OK(git_make_merge(repo, sha_of("v1"), GIT_ZERO_SHA, sha, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
}

/* With no more of a resource than so much: the child that merges has the same ceiling. */
static int merge_within(__rlimit_resource_t which, rlim_t most, const char *theirs,
                        struct err *err)
{
    char sha[GIT_SHA_BYTES];
    struct rlimit before, limit;
    if (getrlimit(which, &before) != 0)
        abort();
    limit = (struct rlimit){.rlim_cur = most, .rlim_max = before.rlim_max};
    if (setrlimit(which, &limit) != 0)
        abort();
    int rc = git_make_merge(repo, sha_of("main"), theirs, sha, err);
    if (setrlimit(which, &before) != 0)
        abort();
    return rc;
}

/* Ten folders of ten folders of …: whoever merges it has an entry for each of its files. */
static void test_merge_bomb(void)
{
    struct err err = {0};
    char bomb[GIT_SHA_BYTES];
    box_run("cd work; t=$(printf '100644 blob %%s\\tf\\n' $(git rev-parse HEAD:README) | git mktree);"
            "for level in 1 2 3 4 5 6 7; do t=$(for i in 0 1 2 3 4 5 6 7 8 9; do"
            " printf '040000 tree %%s\\t%%s\\n' $t $i; done | git mktree); done;"
            "t=$( (git ls-tree v1; printf '040000 tree %%s\\tbomb\\n' $t) | git mktree);"
            "git push -q ../upstream.git $(git commit-tree -p 'v1^{commit}' -m bomb $t):refs/heads/bomb");
    EQ_INT(fetch("refs/heads/bomb", bomb, &err), 0);
    tap_case("no memory is left");
    if (!SANITIZED) {
        OK(merge_within(RLIMIT_DATA, 64 << 20, bomb, &err) == -1);
        EQ_INT(err.class, ERR_LIMIT);
        HAS(err.text, "emory");
    }
    tap_case("it is killed");
    struct rusage used;
    OK(getrusage(RUSAGE_SELF, &used) == 0);
    OK(merge_within(RLIMIT_CPU, (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 2, bomb, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    HAS(err.text, bomb);
}

static int commit(const char *path, const char *text, char sha[GIT_SHA_BYTES],
                  struct err *err)
{
    struct git_change change = {.path = path, .bytes = text, .len = strlen(text)};
    return git_commit_files(repo, sha_of("main"), &change, 1, "ratchet", "r@localhost",
                            "promote\n\nbody\n", sha, err);
}

static void test_commit_files(void)
{
    struct err err = {0};
    char sha[GIT_SHA_BYTES];
    struct git_commit_info info;
    tap_case("a new file in new folders, the rest untouched");
    EQ_INT(commit("baselines/cpu/baseline.json", "{}\n", sha, &err), 0);
    EQ_STR(box_line("git -C cache.git diff-tree -r --name-status %s %s", sha_of("main"),
                    sha),
           "A\tbaselines/cpu/baseline.json");
    EQ_STR(box_line("git -C cache.git ls-tree -r %s baselines | cut -c1-6", sha),
           "100644");
    EQ_STR(box_line("git -C cache.git show %s:baselines/cpu/baseline.json", sha), "{}");
    EQ_INT(git_read_commit(repo, sha, &info, &err), 0);
    EQ_STR(info.parents[0], sha_of("main"));
    EQ_STR(info.subject, "promote");
    EQ_STR(box_line("git -C cache.git fsck --full >/dev/null 2>&1; echo $?"), "0");

    tap_case("a file replaced");
    EQ_INT(commit("kernels/a.cu", "three\n", sha, &err), 0);
    EQ_STR(box_line("git -C cache.git diff-tree -r --name-status %s %s", sha_of("main"),
                    sha),
           "M\tkernels/a.cu");

    tap_case("paths that cannot be");
    static const char *const paths[] = {"",     "/x",     "x/",          "a//b",
                                        "../x", "a/../b", ".git/config", "a/.GIT/x",
                                        "a\nb", "./x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        OK(commit(paths[i], "x", sha, &err) < 0);
        EQ_INT(err.class, ERR_INPUT);
    }
    tap_case("below a file there is no room");
    OK(commit("README/x", "x", sha, &err) < 0);
    HAS(err.text, "README");
}

/* What git itself writes of an edit in a clone of main. */
static void patch_of(const char *edit, struct buf *out)
{
    struct err err = {0};
    buf_clear(out);
    box_run("rm -rf edit; git clone -q upstream.git edit; cd edit; %s; git add -A; "
            "git diff --cached --binary >../edit.patch",
            edit);
    EQ_INT(file_read("edit.patch", out, &err), 0);
}

static void test_commit_patch(void)
{
    struct err err = {0};
    char sha[GIT_SHA_BYTES], again[GIT_SHA_BYTES];
    BUF_AUTO patch;
    buf_init(&patch, 1 << 20);
    tap_case("a file edited, one added, one removed: what the edit left");
    patch_of("echo more >>kernels/a.cu; mkdir new; echo x >new/b; git rm -q README", &patch);
    EQ_INT(git_commit_patch(repo, sha_of("main"), patch.data, patch.len, "one", sha, &err), 0);
    EQ_STR(err.text, "");
    EQ_STR(box_line("git -C cache.git rev-parse %s^{tree}", sha),
           box_line("git -C edit write-tree"));
    EQ_STR(box_line("git -C cache.git rev-parse %s^", sha), sha_of("main"));
    tap_case("the same patch is the same commit");
    EQ_INT(git_commit_patch(repo, sha_of("main"), patch.data, patch.len, "one", again, &err),
           0);
    EQ_STR(again, sha);

    tap_case("what does not apply, changes nothing or is no patch");
    OK(git_commit_patch(repo, sha, patch.data, patch.len, "two", again, &err) != 0);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "does not apply");
    static const char *const none[] = {"", "no patch\n", "diff --git a/x b/x\n",
                                       "--- a/README\n+++ b/README\n@@ -1 +1 @@\n"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        OK(git_commit_patch(repo, sha_of("main"), none[i], strlen(none[i]), "x", again,
                            &err) != 0);
        EQ_INT(err.class, ERR_INPUT);
    }
    tap_case("paths that lead out of the tree");
    static const char out[] = "diff --git a/../x b/../x\nnew file mode 100644\n--- /dev/null\n"
                              "+++ b/../x\n@@ -0,0 +1 @@\n+x\n";
    OK(git_commit_patch(repo, sha_of("main"), out, strlen(out), "x", again, &err) != 0);
}

static void test_push(void)
{
    struct err err = {0};
    char sha[GIT_SHA_BYTES], later[GIT_SHA_BYTES];
    const char *tip = sha_of("main");
    tap_case("forward, when the ref is where it was");
    EQ_INT(commit("kernels/c.cu", "c\n", sha, &err), 0);
    EQ_INT(git_push_commit(repo, &upstream, sha, "refs/heads/main", tip, &err), 0);
    EQ_STR(box_line("git -C upstream.git rev-parse main"), sha);
    EQ_STR(box_line("git -C upstream.git fsck --full >/dev/null 2>&1; echo $?"), "0");

    tap_case("again: it is there, so it is done");
    EQ_INT(git_push_commit(repo, &upstream, sha, "refs/heads/main", tip, &err), 0);

    tap_case("a lost race");
    EQ_INT(commit("kernels/d.cu", "d\n", later, &err), 0);
    OK(git_push_commit(repo, &upstream, later, "refs/heads/main", tip, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    HAS(err.text, sha);
    EQ_STR(box_line("git -C upstream.git rev-parse main"), sha);

    tap_case("not forward");
    OK(git_push_commit(repo, &upstream, later, "refs/heads/main", sha, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    OK(git_push_commit(repo, &upstream, tip, "refs/heads/main", sha, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);
    EQ_STR(box_line("git -C upstream.git rev-parse main"), sha);

    tap_case("a new branch, once");
    EQ_INT(
        git_push_commit(repo, &upstream, later, "refs/heads/new/one", GIT_ZERO_SHA, &err),
        0);
    EQ_STR(box_line("git -C upstream.git rev-parse new/one"), later);
    OK(git_push_commit(repo, &upstream, sha, "refs/heads/new/one", GIT_ZERO_SHA, &err) <
       0);
    EQ_INT(err.class, ERR_CONFLICT);

    tap_case("the ref is gone");
    OK(git_push_commit(repo, &upstream, later, "refs/heads/gone", tip, &err) < 0);
    EQ_INT(err.class, ERR_CONFLICT);

    tap_case("what cannot be pushed");
    OK(git_push_commit(repo, &upstream, sha, "main", tip, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    OK(git_push_commit(repo, &upstream, sha, "refs/heads/a b", tip, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    OK(git_push_commit(repo, &upstream, GIT_ZERO_SHA, "refs/heads/main", tip, &err) < 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    struct git_remote_spec work = box_remote("work");
    OK(git_push_commit(repo, &work, sha, "refs/heads/main", tip, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
}

static struct git_repo *found;

static void reopen(const char *path)
{
    struct err err = {0};
    git_close(&found);
    OK(git_open_existing(path, &found, &err) == 0);
}

static void test_shallow(void)
{
    struct err err = {0};
    bool shallow = true;
    tap_case("a shallow clone is one");
    box_run("git init -q -b main old; cd old; git commit -q --allow-empty -m one; "
            "git commit -q --allow-empty -m two; cd ..; "
            "git clone -q --depth 1 file://$PWD/old shallow");
    reopen("old");
    OK(git_is_shallow(found, &shallow, &err) == 0 && !shallow);
    reopen("shallow");
    OK(git_is_shallow(found, &shallow, &err) == 0 && shallow);
    git_close(&found);
}

int main(void)
{
    int before = box_descriptors();
    box_open();
    make_upstream();
    upstream = box_remote("upstream.git");
    test_names();
    test_open();
    test_open_existing();
    test_fetch();
    test_fetch_limits();
    test_commits();
    test_files();
    test_differs();
    test_shallow();
    test_merge();
    test_merge_bomb();
    test_commit_files();
    test_commit_patch();
    test_push();
    git_close(&repo);
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
