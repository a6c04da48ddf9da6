/* SPDX-License-Identifier: Apache-2.0 */
/* Our bare caches: that they stay small, that a damaged one is left behind, and that nobody
 * loses what he has open. */
#include "base/git.h"
#include "gitbox.h"
#include "tap.h"

static struct git_remote_spec upstream;
static struct err err;

/* Commits on refs/heads/bNNN of the upstream, each on its own beside main, as pull requests are. */
static void make_upstream(int count)
{
    box_run("git init -q --bare -b main upstream.git; cd upstream.git; "
            "tree=$(git mktree </dev/null); root=$(git commit-tree -m root $tree); "
            "git update-ref refs/heads/main $root; i=0; "
            "while [ $i -lt %d ]; do blob=$(echo $i | git hash-object -w --stdin); "
            "tree=$(printf '100644 blob %%s\\tfile\\n' $blob | git mktree); "
            "echo create refs/heads/b$i $(git commit-tree -p $root -m $i $tree); i=$((i+1)); "
            "done | git update-ref --stdin",
            count);
    upstream = box_remote("upstream.git");
}

static void fetch(struct git_repo *repo, const char *branch, char sha[GIT_SHA_BYTES])
{
    char ref[64];
    snprintf(ref, sizeof ref, "refs/heads/%s", branch);
    if (git_fetch(repo, &upstream, ref, sha, &err) != 0)
        printf("# fetch %s: %s\n", branch, err.text);
}

static int count_of(const char *pattern)
{
    return atoi(box_line("ls -d %s 2>/dev/null | wc -l", pattern));
}

static void opened(struct git_repo **repo)
{
    if (!OK(git_cache_open("cache.git", repo, &err) == 0)) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }
}

static bool has(struct git_repo *repo, const char *sha)
{
    struct git_commit_info info;
    return git_read_commit(repo, sha, &info, &err) == 0;
}

/* As jobs do it: open, tidy, fetch, close. */
static void job(const char *branch, char sha[GIT_SHA_BYTES])
{
    GIT_AUTO *repo = NULL;
    if (git_cache_open("cache.git", &repo, &err) != 0 || git_cache_tidy(repo, &err) != 0)
        printf("# %s\n", err.text);
    else
        fetch(repo, branch, sha);
}

static void test_flat(int jobs)
{
    char pinned[GIT_SHA_BYTES] = "", main[GIT_SHA_BYTES] = "", sha[GIT_SHA_BYTES], name[16];
    struct git_repo *repo = NULL;
    tap_case("packs, refs and folders stay few, whatever the number of jobs");
    opened(&repo);
    fetch(repo, "b0", pinned); /* a job of many hours */
    int packs = 0, refs = 0, folders = 0;
    bool kept = true;
    for (int i = 1; i < jobs; i++) {
        snprintf(name, sizeof name, "b%d", i);
        job("main", main);
        job(name, sha);
        if (i % 10 != 0)
            continue;
        int now_packs = count_of("cache.git*/objects/pack/*.pack");
        int now_refs = count_of("cache.git*/refs/ratchet/*");
        packs = now_packs > packs ? now_packs : packs;
        refs = now_refs > refs ? now_refs : refs;
        folders = count_of("cache.git*") > folders ? count_of("cache.git*") : folders;
        kept = kept && has(repo, pinned);
    }
    printf("# at most %d packs, %d refs, %d folders\n", packs, refs, folders);
    OK(packs <= 3 * 51 && refs <= 3 * 180 && packs > 0);
    OK(folders <= 4); /* that of the long job, the one before, the last, and a lock */
    OK(kept);
    git_close(&repo);

    tap_case("the last that were needed are kept, with their history");
    opened(&repo);
    OK(has(repo, sha) && has(repo, main));
    OK(!has(repo, pinned));
    EQ_INT(err.class, ERR_NOT_FOUND);
    char again[GIT_SHA_BYTES];
    fetch(repo, "b0", again);
    EQ_STR(again, pinned);
    OK(has(repo, pinned));
    EQ_INT(count_of("cache.git cache.git.[0-9]*"), 1);
    EQ_STR(box_line("for g in cache.git*; do case $g in *.lock) ;; *) git -C $g fsck --strict "
                    "2>&1;; esac; done | grep -v '^notice\\|^dangling' | wc -l"),
           "0");
    git_close(&repo);
}

/* Damage what there is of the cache, in the shell; `$c` is its folder. */
static void test_damage(const char *what, const char *script)
{
    char sha[GIT_SHA_BYTES], main[GIT_SHA_BYTES];
    struct git_repo *repo = NULL;
    tap_case(what);
    box_run("rm -rf cache.git*");
    opened(&repo);
    fetch(repo, "main", main);
    fetch(repo, "b1", sha);
    git_close(&repo);
    box_run("c=$PWD/cache.git; chmod -R u+w $c; %s", script);
    opened(&repo);
    OK(git_cache_tidy(repo, &err) == 0);
    HAS(git_path(repo), "/cache.git.1");
    OK(!has(repo, sha));
    fetch(repo, "b1", sha);
    OK(has(repo, sha));
    git_close(&repo);
    opened(&repo);
    EQ_INT(count_of("cache.git cache.git.[0-9]*"), 1); /* the damaged one is gone */
    git_close(&repo);
}

static void test_damages(void)
{
    test_damage("a truncated pack", "for p in $c/objects/pack/*.pack; do truncate -s -30 $p; done");
    test_damage("an empty pack", "for p in $c/objects/pack/*.pack; do : > $p; done");
    test_damage("a pack without its index", "rm $c/objects/pack/*.idx");
    test_damage("packs that are gone", "rm $c/objects/pack/*");
    test_damage("garbage in packed-refs", "head -c 300 /dev/urandom > $c/packed-refs");
    test_damage("a ref that leads nowhere",
                "echo 1111111111111111111111111111111111111111 > "
                "$c/refs/ratchet/1111111111111111111111111111111111111111");
    test_damage("no HEAD", "rm $c/HEAD");
    test_damage("garbage in its configuration", "echo '[[[[' > $c/config");
}

/* What is met only later: a call says so, and is told from what was never there. */
static void test_said(void)
{
    char sha[GIT_SHA_BYTES];
    struct git_repo *repo = NULL;
    BUF_AUTO text;
    buf_init(&text, 1000);
    tap_case("a lost object is not taken for a file that is not there");
    box_run("rm -rf cache.git*");
    opened(&repo);
    fetch(repo, "b2", sha);
    OK(git_read_file(repo, sha, "file", &text, &err) == 0);
    OK(git_read_file(repo, sha, "other", &text, &err) != 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    OK(!git_is_damage(&err));
    git_close(&repo);
    /* All objects loose, and one of them gone. */
    box_run("cd cache.git; mv objects/pack/*.pack ..; rm -f objects/pack/*; "
            "for p in ../*.pack; do git unpack-objects -q < $p; done; rm -f ../*.pack; "
            "blob=$(git rev-parse %s:file); p=$(echo $blob | sed 's,^..,&/,'); "
            "rm -f objects/$p",
            sha);
    opened(&repo);
    OK(git_read_file(repo, sha, "file", &text, &err) != 0);
    EQ_INT(err.class, ERR_HOST);
    OK(git_is_damage(&err));
    OK(git_cache_renew(repo, &err) == 0);
    HAS(git_path(repo), "/cache.git.1");

    tap_case("two who find the same damage renew it once");
    struct git_repo *other = NULL;
    opened(&other);
    OK(git_cache_renew(repo, &err) == 0);
    HAS(git_path(repo), "/cache.git.2");
    OK(git_cache_renew(other, &err) == 0);
    EQ_STR(git_path(other), git_path(repo));
    git_close(&other);
    git_close(&repo);
}

int main(void)
{
    int before = box_descriptors();
    box_open();
    make_upstream(200);
    test_flat(200);
    test_damages();
    test_said();
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
