/* SPDX-License-Identifier: Apache-2.0 */
/* Trees that were made to hurt whoever writes them to disk, and an honest one: from a repository, and from a
 * parcel. */
#include "gitbox.h"
#include "tests/tap.h"

#include <sys/mman.h>
#include <sys/stat.h>

static struct git_repo *repo; /* work/.git itself */

static const struct git_tree_limits roomy = {
    .bytes = 1 << 20, .entries = 1000, .depth = 32};

static bool by_parcel;

/* Whoever writes it, and whoever takes it, may refuse. */
static int parcel(const char *sha, const struct git_part *part, const char *path,
                  const struct git_tree_limits *limits, struct err *err)
{
    FD_AUTO fd = memfd_create("parcel", 0);
    return git_parcel_write(repo, sha, part, limits, fd, err) != 0
               ? -1
               : git_parcel_checkout(fd, path, err);
}

static int checkout_part(const char *name, const char *only, const char *path,
                         const struct git_tree_limits *limits, struct err *err)
{
    char sha[GIT_SHA_BYTES];
    struct git_part part = {.paths = &only, .path_count = 1};
    *err = (struct err){0};
    if (git_resolve(repo, name, sha, err) < 0)
        return -2;
    return by_parcel ? parcel(sha, &part, path, limits, err)
                     : git_checkout(repo, sha, &part, path, limits, err);
}

static int checkout(const char *name, const char *path,
                    const struct git_tree_limits *limits, struct err *err)
{
    return checkout_part(name, "", path, limits, err);
}

/* ---- trees byte by byte: git's own commands would refuse some of these ---- */

static char raw[1 << 18];
static size_t raw_len;

static void raw_entry(const char *mode, const char *name, const char *sha)
{
    raw_len += (size_t)snprintf(raw + raw_len, sizeof raw - raw_len, "%s %s", mode,
                                name) +
               1;
    for (int i = 0; i < 20; i++) {
        unsigned byte = 0;
        sscanf(sha + 2 * i, "%2x", &byte);
        raw[raw_len++] = (char)byte;
    }
}

/* The tree of the entries so far; a commit of it for `commit`. */
static const char *raw_tree(void)
{
    FILE *file = fopen("tree", "w");
    if (file == NULL || fwrite(raw, 1, raw_len, file) != raw_len || fclose(file) != 0)
        abort();
    raw_len = 0;
    return box_line("git -C work hash-object -t tree --literally -w ../tree");
}

static void raw_commit(const char *branch)
{
    const char *tree = raw_tree();
    box_run("cd work; git update-ref refs/heads/%s $(echo hostile | git commit-tree %s)",
            branch, tree);
}

static const char *blob(void)
{
    return box_line("echo inside | git -C work hash-object -w --stdin");
}

static void expect_refused(const char *what, enum err_class class, const char *words)
{
    struct err err;
    OK(checkout("hostile", "out", &roomy, &err) == -1);
    EQ_INT(err.class, class);
    HAS(err.text, words);
    if (!OK(access("out", F_OK) != 0))
        printf("# %s was written\n", what);
    box_run("rm -rf out");
}

/* ---- an honest tree ---- */

static void make_work(void)
{
    box_run(
        "git init -q -b main work; cd work; mkdir -p a/b;"
        "printf '* text eol=crlf ident filter=shout\\n' > .gitattributes;"
        "git config filter.shout.smudge 'tr a-z A-Z'; git config core.symlinks true;"
        "git config core.autocrlf true;"
        "printf '$Id$\\nplain\\n' > plain; printf 'run\\n' > a/b/run; chmod +x a/b/run;"
        "ln -s /etc/passwd a/link; : > empty; echo x > 'na me ü'; git add -A 2>/dev/null;"
        "git -c core.safecrlf=false commit -q -m honest");
}

static void test_honest(void)
{
    struct err err;
    tap_case("files, folders, links as text, nothing filtered");
    umask(077);
    EQ_INT(checkout("main", "out", &roomy, &err), 0);
    umask(022);
    EQ_STR(
        box_line("cd out; find . -mindepth 1 | LC_ALL=C sort | tr '\\n' ' '"),
        "./.gitattributes ./a ./a/b ./a/b/run ./a/link ./empty ./na me ü ./plain ");
    EQ_STR(box_line("tr '\\n' ' ' < out/plain"), "$Id$ plain ");
    EQ_STR(
        box_line("stat -c '%%a %%F' out/a/b/run out/plain out/a | tr '\\n' ' '"),
        "755 regular file 644 regular file 755 directory ");
    EQ_STR(box_line("stat -c '%%s %%F' out/a/link"), "11 regular file");
    EQ_STR(box_line("cat out/a/link"), "/etc/passwd");

    tap_case("an empty folder will do, another will not");
    box_run("mkdir -m 700 given full; echo x > full/mine; ln -s given pointer");
    EQ_INT(checkout("main", "given", &roomy, &err), 0);
    EQ_STR(box_line("stat -c %%a given"), "700");
    OK(checkout("main", "full", &roomy, &err) == -1);
    HAS(err.text, "not empty");
    EQ_STR(box_line("ls full"), "mine");
    OK(checkout("main", "pointer", &roomy, &err) == -1);
    box_run("rm -rf out given full pointer");
}

static void test_limits(void)
{
    struct err err;
    static const struct {
        struct git_tree_limits limits;
        const char *words;
    } tight[] = {
        {{.bytes = 40, .entries = 1000, .depth = 32}, "more than 40 bytes"},
        {{.bytes = 1 << 20, .entries = 7, .depth = 32}, "more than 7 entries"},
        {{.bytes = 1 << 20, .entries = 1000, .depth = 1}, "more than 1 folders deep"}};
    for (size_t i = 0; i < sizeof tight / sizeof *tight; i++) {
        tap_case(tight[i].words);
        OK(checkout("main", "out", &tight[i].limits, &err) == -1);
        EQ_INT(err.class, ERR_LIMIT);
        HAS(err.text, tight[i].words);
        OK(access("out", F_OK) != 0);
    }
    tap_case("exactly at the limits");
    struct git_tree_limits exact = {.entries = 8, .depth = 2};
    exact.bytes = strtoull(
        box_line("cd work; git ls-tree -r -l main | awk '{s += $4} END {print s}'"), NULL,
        10);
    EQ_INT(checkout("main", "out", &exact, &err), 0);
    box_run("rm -rf out");
    exact.bytes--;
    OK(checkout("main", "out", &exact, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
}

/* ---- hostile ones ---- */

static void test_names(void)
{
    static const char *const names[] = {".git",    ".GIT",  ".git.",  ".git ", "git~1",
                                        "GIT~1",   "..",    ".",      "a\\b",  "a\nb",
                                        "\x1b[2J", "a\x7f", "../../x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char title[64];
        snprintf(title, sizeof title, "forbidden name %zu", i);
        tap_case(title);
        raw_entry("100644", names[i], blob());
        raw_commit("hostile");
        expect_refused(names[i], ERR_INPUT, "forbidden name");
        raw_entry("100644", "config", blob());
        const char *inner = raw_tree();
        raw_entry("40000", names[i], inner);
        const char *middle = raw_tree();
        raw_entry("40000", "sub", middle);
        raw_commit("hostile");
        expect_refused(names[i], ERR_INPUT, "forbidden name");
    }
    tap_case("names that only look strange");
    struct err err;
    static const char *const fine[] = {"...",   ".git2", ".github", ".gitmodules",
                                       "git~2", "a b",   "-rf"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        raw_entry("100644", fine[i], blob());
    raw_commit("hostile");
    EQ_INT(checkout("hostile", "out", &roomy, &err), 0);
    EQ_STR(box_line("ls -A out | wc -l"), "7");
    box_run("rm -rf out");
}

static void test_shapes(void)
{
    tap_case("a link and a folder of one name");
    raw_entry("100644", "passwd", blob());
    const char *inner = raw_tree();
    raw_entry("100644", "c", blob());
    raw_entry("120000", "d",
              box_line("printf /tmp | git -C work hash-object -w --stdin"));
    raw_entry("40000", "d", inner);
    raw_commit("hostile");
    expect_refused("d", ERR_INPUT, "twice");

    tap_case("what failed half-way leaves a given folder as it was");
    struct err err;
    box_run("mkdir -m 711 given");
    OK(checkout("hostile", "given", &roomy, &err) == -1);
    EQ_STR(box_line("stat -c %%a given"), "711");
    EQ_STR(box_line("ls -A given | wc -l"), "0");
    box_run("rm -rf given");

    tap_case("a file that says it is a folder, and the other way round");
    raw_entry("40000", "d", blob());
    raw_commit("hostile");
    expect_refused("d", ERR_INPUT, "not what its mode says");
    raw_entry("100644", "f", box_line("git -C work rev-parse main^{tree}"));
    raw_commit("hostile");
    expect_refused("f", ERR_INPUT, "not what its mode says");

    tap_case("a file that is missing: the repository lacks what it should have");
    raw_entry("100644", "f", "1111111111111111111111111111111111111111");
    raw_commit("hostile");
    expect_refused("f", ERR_HOST, "`f`");
}

/* What is not under the paths is neither looked at nor touched, however odd. */
static void test_beside(void)
{
    struct err err;
    tap_case("hostile names beside the part");
    raw_entry("100644", "..", blob());
    raw_entry("100644", ".git", blob());
    raw_entry("100644", "k", blob());
    raw_entry("40000", "missing", "1111111111111111111111111111111111111111");
    raw_commit("hostile");
    EQ_INT(checkout_part("hostile", "k", "out", &roomy, &err), 0);
    EQ_STR(box_line("ls -A out"), "k");
    box_run("rm -r out");
    OK(checkout_part("hostile", ".git", "out", &roomy, &err) == -1);
    HAS(err.text, "forbidden name");

    tap_case("a failed write takes back its own files alone");
    raw_entry("100644", "twice", blob());
    raw_entry("100644", "twice", blob());
    const char *inner = raw_tree();
    raw_entry("40000", "..", inner);
    raw_entry("40000", "k", inner);
    raw_commit("hostile");
    box_run("mkdir -p outer/given; echo mine > outer/twice");
    OK(checkout_part("hostile", "k", "outer/given", &roomy, &err) == -1);
    HAS(err.text, "twice");
    EQ_STR(box_line("cd outer; find . | sort | tr '\\n' ' '"), ". ./given ./twice ");

    tap_case("a file and a folder of one name on the way");
    raw_entry("100644", "f", blob());
    inner = raw_tree();
    raw_entry("100644", "d", blob());
    raw_entry("40000", "d", inner);
    raw_commit("hostile");
    OK(checkout_part("hostile", "d/f", "out", &roomy, &err) == -1);
    HAS(err.text, "twice");
    box_run("rm -rf outer");
}

static void test_bombs(void)
{
    tap_case("60 MB of zeros");
    raw_entry(
        "100644", "zeros",
        box_line("head -c 60000000 /dev/zero | git -C work hash-object -w --stdin"));
    raw_commit("hostile");
    expect_refused("zeros", ERR_LIMIT, "more than 1048576 bytes");

    tap_case("ten folders of ten folders of ...");
    raw_entry("100644", "f", blob());
    const char *tree = raw_tree();
    for (int level = 0; level < 12; level++) {
        char name[2] = "0";
        for (; name[0] <= '9'; name[0]++)
            raw_entry("40000", name, tree);
        tree = raw_tree();
    }
    raw_entry("40000", "bomb", tree);
    raw_commit("hostile");
    expect_refused("bomb", ERR_LIMIT, "more than 1000 entries");

    tap_case("folders in folders in ...");
    raw_entry("100644", "f", blob());
    tree = raw_tree();
    for (int level = 0; level < 60; level++) {
        raw_entry("40000", "d", tree);
        tree = raw_tree();
    }
    raw_entry("40000", "d", tree);
    raw_commit("hostile");
    expect_refused("deep", ERR_LIMIT, "more than 32 folders deep");

    tap_case("one huge tree object");
    box_run(
        "cd work; b=$(echo inside | git hash-object -w --stdin); for i in $(seq 12000); do"
        " printf '100644 blob %%s\\t%%0250d\\n' $b $i; done | git mktree > ../big;"
        "git update-ref refs/heads/hostile $(echo big | git commit-tree $(cat ../big))");
    expect_refused("big", ERR_LIMIT, "more than 1000 entries");

    tap_case("a large folder of one file, named many times");
    char mode[250001] = "";
    memset(mode, '0', sizeof mode - 1);
    memcpy(mode + sizeof mode - 7, "100644", 6);
    raw_entry(mode, "f", blob());
    tree = raw_tree();
    for (int i = 0; i < 400; i++) {
        char name[8];
        snprintf(name, sizeof name, "%03d", i);
        raw_entry("40000", name, tree);
    }
    raw_commit("hostile");
    expect_refused("padded", ERR_LIMIT, "the commit and its folders have more than 67408864 bytes");
}

int main(void)
{
    int before = box_descriptors();
    struct err err = {0};
    box_open();
    umask(022);
    make_work();
    if (!OK(git_open("work", &repo, &err) == 0))
        printf("# %s\n", err.text);
    for (int i = 0; i < 2; i++) {
        by_parcel = i > 0;
        test_honest();
        test_limits();
        test_names();
        test_shapes();
        test_beside();
        test_bombs();
    }
    git_close(&repo);
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
