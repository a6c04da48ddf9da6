/* SPDX-License-Identifier: Apache-2.0 */
/* A commit that is handed over: that it is whole, that it has nothing else of its repository, and that not a bit of
 * it can be changed unseen. What its trees may be is test_git_checkout.c's. */
#include "gitbox.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static struct git_repo *repo, *vendor;
static const struct git_tree_limits roomy = {.bytes = 1 << 20, .entries = 1000, .depth = 32};
static char head[GIT_SHA_BYTES];

/* ---- what is in it ---- */

static char bytes[1 << 16];
static size_t len;

static int write_part(const char *sha, const char *const *paths, size_t count,
                      const struct git_tree_limits *limits, struct err *err)
{
    const struct git_submodule submodule = {.path = "kernels/vendor", .repo = vendor};
    const struct git_part part = {
        .paths = paths, .path_count = count, .submodules = &submodule, .submodule_count = 1};
    FD_AUTO fd = memfd_create("parcel", 0);
    len = 0;
    if (git_parcel_write(repo, sha, &part, limits, fd, err) != 0)
        return -1;
    ssize_t got = pread(fd, bytes, sizeof bytes, 0);
    OK(got > 0 && (size_t)got < sizeof bytes);
    len = (size_t)got;
    return 0;
}

static int take(const char *from, size_t size, struct err *err)
{
    FD_AUTO fd = memfd_create("parcel", 0);
    if (write(fd, from, size) != (ssize_t)size)
        abort();
    *err = (struct err){0};
    return git_parcel_checkout(fd, "out", err);
}

static void test_whole(void)
{
    static const char *const paths[] = {"kernels", "include/a.h"};
    struct err err = {0};
    tap_case("the same as from the repository, a submodule with it");
    const struct git_submodule submodule = {.path = "kernels/vendor", .repo = vendor};
    const struct git_part part = {
        .paths = paths, .path_count = 2, .submodules = &submodule, .submodule_count = 1};
    EQ_INT(git_checkout(repo, head, &part, "want", &roomy, &err), 0);
    EQ_INT(write_part(head, paths, 2, &roomy, &err), 0);
    if (!OK(take(bytes, len, &err) == 0))
        printf("# %s\n", err.text);
    EQ_STR(box_line("diff -r want out && cd out && find . -type f | LC_ALL=C sort | tr '\\n' ' '"),
           "./include/a.h ./kernels/attention.c ./kernels/run ./kernels/vendor/v.h ");
    EQ_STR(box_line("for d in want out; do (cd $d; find . -printf '%%p %%m\\n' | sort | sha256sum); done | uniq | wc -l"), "1");
    box_run("rm -r want out");

    tap_case("and nothing else");
    OK(memmem(bytes, len, "a kernel", 8) != NULL);
    OK(memmem(bytes, len, "private", 7) == NULL);
    OK(memmem(bytes, len, "in another", 10) == NULL);
    OK(memmem(bytes, len, "of before", 9) == NULL);
}

/* ---- what is changed ---- */

/* Is what was written by mistake a part of this commit all the same? Its own words say which. */
static bool is_of_head(void)
{
    return strcmp(box_line("git -C work archive HEAD | tar -x -C all; cp -r vendor/v.h all/kernels/vendor/; cd out;"
                           " for f in $(find . -type f); do cmp -s $f ../all/$f || echo no; done;"
                           " rm -rf ../all/* ; echo yes"),
                  "yes") == 0;
}

static void test_spoilt(void)
{
    static const char *const paths[] = {"kernels", "include/a.h"};
    struct err err = {0};
    size_t taken = 0, objects = 0;
    EQ_INT(write_part(head, paths, 2, &roomy, &err), 0);
    objects = (size_t)((char *)memmem(bytes, len, "commit\0", 7) - bytes);
    tap_case("the first or the last bit of any byte of its objects");
    box_run("mkdir all");
    for (size_t at = objects; at < len; at++)
        for (int bit = 0; bit < 8; bit += 7) {
            bytes[at] ^= (char)(1 << bit);
            bool fine = take(bytes, len, &err) == 0;
            if (fine)
                printf("# byte %zu\n", at);
            taken += fine || access("out", F_OK) == 0;
            bytes[at] ^= (char)(1 << bit);
        }
    EQ_INT(taken, 0);

    tap_case("of what is wanted: it may be another part of that commit");
    taken = 0;
    for (size_t at = 0; at < objects; at++) {
        bytes[at] ^= 1;
        if (take(bytes, len, &err) == 0) {
            taken++;
            OK(at > sizeof "ratchet.parcel/1" + GIT_SHA_BYTES - 1 && is_of_head());
            box_run("rm -r out");
        }
        bytes[at] ^= 1;
    }
    OK(taken > 0);

    tap_case("cut short anywhere");
    taken = 0;
    for (size_t size = 1; size < len; size++)
        taken += take(bytes, size, &err) == 0 || access("out", F_OK) == 0;
    EQ_INT(taken, 0);
    tap_case("objects that nobody asked for change nothing");
    static const char more[] = "blob\0" "5\0" "hello";
    memcpy(bytes + len, more, sizeof more - 1);
    EQ_INT(take(bytes, len + sizeof more - 1, &err), 0);
    box_run("rm -r out");
}

static void test_empty(void)
{
    struct err err = {0};
    tap_case("one of no files");
    FD_AUTO fd = memfd_create("parcel", 0);
    EQ_INT(git_parcel_write_empty(fd, &err), 0);
    if (!OK(git_parcel_checkout(fd, "out", &err) == 0))
        printf("# %s\n", err.text);
    EQ_STR(box_line("ls -A out | wc -l; rmdir out"), "0");
}

/* ---- what is none ---- */

static void test_none(void)
{
    static const char *const paths[] = {"kernels"};
    struct err err = {0};
    tap_case("a tree, a file or a tag is no commit, nor is one that is not there");
    const char *const others[] = {box_line("git -C work rev-parse HEAD^{tree}"),
                                  box_line("git -C work rev-parse HEAD:include/a.h"),
                                  box_line("git -C work rev-parse v1"), GIT_ZERO_SHA,
                                  "HEAD", "../../../../../../../../../../../../etc", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        OK(write_part(others[i], paths, 1, &roomy, &err) == -1);
        OK(err.class == ERR_NOT_FOUND || err.class == ERR_INPUT);
    }
    EQ_INT(write_part(head, paths, 1, &roomy, &err), 0);
    for (size_t i = 0; i < 4; i++) {
        memcpy(strstr(bytes, "/1") + 3, others[i], GIT_SHA_BYTES - 1);
        OK(take(bytes, len, &err) == -1);
        HAS(err.text, others[i]);
    }

    tap_case("what is no file");
    int ends[2];
    OK(pipe(ends) == 0);
    const int fds[] = {ends[0], open("/dev/zero", O_RDONLY), open(".", O_RDONLY), open("/dev/null", O_RDWR), -1,
                       memfd_create("empty", 0)};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        OK(git_parcel_checkout(fds[i], "out", &err) == -1);
        EQ_INT(err.class, ERR_INTERNAL);
        if (fds[i] >= 0)
            close(fds[i]);
    }
    close(ends[1]);

    tap_case("more on the way than a tree may have");
    box_run("cd work; head -c 70000000 /dev/zero | tr '\\0' m > ../long; git update-ref refs/heads/long"
            " $(git commit-tree HEAD^{tree} < ../long); rm ../long");
    OK(write_part(box_line("git -C work rev-parse long"), paths, 1, &roomy, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    tap_case("a full disk is the host's");
    FD_AUTO full = open("/dev/full", O_WRONLY);
    const struct git_part part = {.paths = paths, .path_count = 1};
    OK(git_parcel_write(repo, head, &part, &roomy, full, &err) == -1);
    EQ_INT(err.class, ERR_HOST);
}

/* A repository of which a pack is spoilt in the middle of a file: nobody is given that. */
static void test_damaged(void)
{
    static const char *const paths[] = {"kernels"};
    struct err err = {0};
    tap_case("a damaged pack");
    box_run("cp -r work damaged; cd damaged; git update-ref -d refs/heads/long; head -c 100000 /dev/urandom > kernels/noise; git add -A; git commit -q -m noise;"
            "git repack -q -a -d; p=$(ls .git/objects/pack/*.pack); chmod u+w $p;"
            "dd if=/dev/zero of=$p bs=1 seek=50000 count=50 conv=notrunc 2>/dev/null");
    git_close(&repo);
    OK(git_open("damaged", &repo, &err) == 0);
    OK(write_part(box_line("git -C damaged rev-parse HEAD"), paths, 1, &roomy, &err) == -1);
    OK(git_is_damage(&err));
}

int main(void)
{
    int before = box_descriptors();
    struct err err = {0};
    box_open();
    umask(022);
    box_run("git init -q -b main vendor; cd vendor; echo vendored > v.h; git add -A; git commit -q -m v; cd ..;"
            "git init -q -b main work; cd work; mkdir -p kernels include; echo 'of before' > kernels/attention.c;"
            "git add -A; git commit -q -m before; echo 'a kernel' > kernels/attention.c; echo run > kernels/run;"
            "chmod +x kernels/run; echo '#define A' > include/a.h; echo 'in another' > include/b.h; echo private > secret;"
            "git add -A; git update-index --add --cacheinfo 160000,$(git -C ../vendor rev-parse HEAD),kernels/vendor;"
            "git commit -q -m honest; git tag -a -m tagged v1");
    snprintf(head, sizeof head, "%s", box_line("git -C work rev-parse HEAD"));
    if (!OK(git_open("work", &repo, &err) == 0 && git_open("vendor", &vendor, &err) == 0))
        printf("# %s\n", err.text);
    test_whole();
    test_spoilt();
    test_empty();
    test_none();
    test_damaged();
    git_close(&repo);
    git_close(&vendor);
    tap_case("no descriptor is left open");
    EQ_INT(box_descriptors(), before);
    box_close();
    return tap_done();
}
