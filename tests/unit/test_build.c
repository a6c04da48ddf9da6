/* SPDX-License-Identifier: Apache-2.0 */
/* Builds with the real git, bwrap and compiler: what becomes a library, what is a failure
 * of the build and what of the host, what the cache gives back, and that nothing is left
 * behind. As root the builds run as user 65534, and the whole test runs once more as that
 * user. */
#include "measure/build_internal.h"

#include "base/file.h"
#include "measure/cgroup.h"
#include "tests/tap.h"
#include "tests/unit/jobs.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char temp[64];
static char work[128], cache[128];
static char good[GIT_SHA_BYTES], same_tree[GIT_SHA_BYTES], other_file[GIT_SHA_BYTES],
    other_tree[GIT_SHA_BYTES], marked[GIT_SHA_BYTES];
static struct git_repo *repo;
static struct limits limits;
static uid_t job_uid = (uid_t)-1;
static gid_t job_gid = (gid_t)-1;

#define OUTPUT "kernels/k.so"
#define COMPILE "gcc -O2 -shared -fPIC -fvisibility=hidden -o kernels/k.so kernels/k.c"

static const char kernel_source[] =
    "#define EXPORT __attribute__((visibility(\"default\")))\n"
    "EXPORT const void *attention_kernel(void);\n"
    "EXPORT const void *attention_kernel(void) { static const int table = 7;\n"
    "    return &table; }\n"
    "#ifdef TWO\nEXPORT int another(void); int another(void) { return 1; }\n#endif\n";

/* ---- a repository to build from ---- */

static bool git(const char *a, const char *b, const char *c, const char *d)
{
    char tree[128];
    snprintf(tree, sizeof tree, "%s/tree", temp);
    const char *const argv[] = {
        "git", "-c", "user.name=t", "-c", "user.email=t@example.org", a, b, c, d, NULL};
    return jobs_run_host(argv, tree, NULL);
}

static bool put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/tree/%s", temp, name);
    return file_write(path, text, strlen(text), 0644, NULL) == 0;
}

static bool commit(const char *option, char sha[GIT_SHA_BYTES])
{
    char tree[128];
    snprintf(tree, sizeof tree, "%s/tree", temp);
    const char *const argv[] = {"git", "rev-parse", "HEAD", NULL};
    BUF_AUTO out;
    buf_init(&out, 256);
    if (!git("add", ".", NULL, NULL) || !git("commit", "-qm", "x", option) ||
        !jobs_run_host(argv, tree, &out) || out.len != GIT_SHA_BYTES)
        return false;
    memcpy(sha, out.data, GIT_SHA_BYTES - 1);
    sha[GIT_SHA_BYTES - 1] = '\0';
    return true;
}

#define LFS "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"

/* A kernel, and around it what people have. */
static bool put_all(void)
{
    static const char *const folders[] = {"common/inc", "cpu",         "lib",     "notes",
                                          "kernels/lib", "out/objects", "far/src/a/deep",
                                          "far/src/common", "old/far/src/a",
                                          "far/tools/src", "far/tools/units", "far/tools/1",
                                          "far/tools/2", "far/tools/3", "far/tools/4"};
    char path[256];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/tree/%s", temp, folders[i]);
        if (file_mkdirs(path, 0755, NULL) != 0)
            return false;
    }
    return put("kernels/k.c", kernel_source) && put("kernels/k.h", "") &&
           put("kernels/needs.c", "#include \"../common/util.h\"\n") &&
           put("kernels/build.sh", COMPILE "\n") && put("kernels/lib/x.c", "") &&
           put("build.sh", COMPILE "\n") && put("common/util.h", "") &&
           put("common/inc/i.h", "") && put("cpu/x", "") && put("lib/x.c", "") &&
           put("notes/n", "") && put("out/objects/.gitkeep", "") && put("top.h", "") &&
           put("far/src/a/near.c", "#include \"../common/far.h\"\n") &&
           put("far/src/a/beside.h", "") &&
           put("far/src/a/deep/d.c", "#include \"../../common/far.h\"\n") &&
           put("far/src/a/deep/gone.c", "#include \"../top.h\"\n") &&
           put("far/src/a/one.c", "#include \"beside.h\"\n") &&
           put("far/src/a/bare.c", "#include \"far.h\"\n") &&
           put("far/src/a/deep/up.c", "#include \"beside.h\"\n") &&
           put("far/src/a/lost.c", "#include \"lost.h\"\n") &&
           put("old/far/src/a/lost.c", "\n") && put("far/tools/gen.sh", "\n") &&
           put("far/tools/kernel.ld", "\n") && put("far/tools/src/other.c", "\n") &&
           put("far/tools/units/1.c", "\n") && put("far/tools/units/2.c", "\n") &&
           put("far/tools/1/twice.c", "\n") && put("far/tools/2/twice.c", "\n") &&
           put("far/tools/1/often.c", "\n") && put("far/tools/2/often.c", "\n") &&
           put("far/tools/3/often.c", "\n") && put("far/tools/4/often.c", "\n") &&
           put("far/src/common/far.h", "") && put("Makefile", "cpu:\n\ttrue\n") &&
           put("README", "first\n") && put("k.c", "not this one\n");
}

static bool link_to(const char *target, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/tree/%s", temp, name);
    return symlink(target, path) == 0;
}

static bool set_up(void)
{
    char path[256];
    strcpy(temp, "/tmp/ratchet-build-XXXXXX");
    if (mkdtemp(temp) == NULL || chmod(temp, 0755) < 0)
        return false;
    snprintf(work, sizeof work, "%s/work", temp);
    snprintf(cache, sizeof cache, "%s/state/cache", temp);
    snprintf(path, sizeof path, "%s/tree/kernels", temp);
    return mkdir(work, 0755) == 0 && file_mkdirs(path, 0755, NULL) == 0 &&
           git("init", "-q", NULL, NULL) && put_all() && commit(NULL, good) &&
           commit("--allow-empty", same_tree) && put("README", "changed\n") &&
           commit(NULL, other_file) && put("kernels/k.h", "/* changed */\n") &&
           commit(NULL, other_tree) && put("kernels/big.h", LFS) && put("notes/big.h", LFS) &&
           put("kernels/merged.h", "int a;\n\n<<<<<<< ours\nint b;\n=======\nint c;\n"
                                   ">>>>>>> theirs\n") &&
           link_to("../common/util.h", "kernels/linked.h") && commit(NULL, marked);
}

static bool open_repo(void)
{
    char tree[128], bare[128];
    snprintf(tree, sizeof tree, "%s/tree", temp);
    snprintf(bare, sizeof bare, "%s/repo.git", temp);
    const char *const argv[] = {"git", "clone", "-q", "--bare", tree, bare, NULL};
    struct err err = {0};
    if (!jobs_run_host(argv, NULL, NULL))
        return false;
    if (git_open(bare, &repo, &err) == 0)
        return true;
    printf("# %s\n", err.text);
    return false;
}

/* ---- one build ---- */

struct built {
    struct build_result result;
    struct buf log;
    struct err err;
    int rc;
};

static void built_free(struct built *built)
{
    buf_free(&built->log);
}
#define BUILT_AUTO __attribute__((cleanup(built_free))) struct built

static struct build_request request_for(const char *command)
{
    static const char *const paths[] = {"kernels"};
    return (struct build_request){.repo = repo,
                                  .commit = good,
                                  .paths = paths,
                                  .path_count = 1,
                                  .command = command,
                                  .output = OUTPUT,
                                  .device = "cpu",
                                  .work = work,
                                  .uid = job_uid,
                                  .gid = job_gid,
                                  .limits = &limits};
}

static struct built build(const struct build_request *request)
{
    struct built built = {0};
    buf_init(&built.log, 4 << 20);
    snprintf(built.result.failure, sizeof built.result.failure, "untouched");
    built.rc = build_kernel(request, &built.result, &built.log, &built.err);
    if (built.rc < 0)
        printf("# %s\n", built.err.text);
    return built;
}

static struct built build_command(const char *command)
{
    struct build_request request = request_for(command);
    return build(&request);
}

/* The number of files and folders below `path`; -1 where it is not there. */
static int count_below(const char *path)
{
    const char *const argv[] = {"find", path, "-mindepth", "1", NULL};
    BUF_AUTO out;
    buf_init(&out, 1 << 20);
    if (access(path, F_OK) < 0 || !jobs_run_host(argv, NULL, &out))
        return -1;
    int lines = 0;
    for (const char *at = out.data; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

static int count_folders(const char *path, const char *front)
{
    char name[32];
    snprintf(name, sizeof name, "%s*", front);
    const char *const argv[] = {"find", path, "-mindepth", "1", "-maxdepth", "1",
                                "-name", name, NULL};
    BUF_AUTO out;
    buf_init(&out, 1 << 20);
    return !jobs_run_host(argv, NULL, &out) ? -1 : out.len > 0;
}

/* Take away what a build left, and say whether it was what it should be: a folder with
 * the library, or nothing. */
static void only_library_left(const struct built *built)
{
    EQ_INT(count_below(work), built->result.built ? 2 : 0);
    OK(file_remove_tree(work, NULL) == 0 && mkdir(work, 0755) == 0);
}

static void fails(const char *command, const char *failure)
{
    tap_case(command);
    BUILT_AUTO built = build_command(command);
    EQ_INT(built.rc, 0);
    OK(!built.result.built);
    EQ_STR(built.result.failure, failure);
    EQ_STR(built.result.library, "");
    only_library_left(&built);
}

/* ---- cases ---- */

static void test_good(void)
{
    tap_case("a build that works");
    BUILT_AUTO built = build_command("echo $RATCHET_DEVICE; pwd; " COMPILE);
    EQ_INT(built.rc, 0);
    OK(built.result.built && !built.result.cached);
    EQ_STR(built.result.failure, "");
    OK(built.result.seconds > 0);
    OK(strncmp(built.result.library, work, strlen(work)) == 0);
    OK(strncmp(built.result.code, "sha256:", 7) == 0);
    HAS(built.log.data, "$ echo $RATCHET_DEVICE; pwd; gcc");
    HAS(built.log.data, "\ncpu\n/src\n");
    struct stat st = {0};
    OK(stat(built.result.library, &st) == 0 && S_ISREG(st.st_mode));
    EQ_INT(st.st_mode & 07777, 0755);
    EQ_INT(st.st_uid, geteuid());
    only_library_left(&built);

    tap_case("nothing of our environment is in a build");
    BUILT_AUTO env = build_command("env; false");
    HAS(env.log.data, "RATCHET_DEVICE=cpu\n");
#if defined(__x86_64__)
    HAS(env.log.data, "RATCHET_ARCH=x86-64-v3\n");
#endif
    OK(strstr(env.log.data, "ghs_secret") == NULL);

    tap_case("a device's architecture is known to its recipe");
    struct build_request request = request_for("echo arch:$RATCHET_ARCH.; false");
    static const char *const pairs[][2] = {
        {"nvidia-l4", "arch:sm_89."},   {"nvidia-l40s", "arch:sm_89."},
        {"nvidia-h200", "arch:sm_90."}, {"nvidia-a100-sxm4-80gb", "arch:sm_80."},
        {"nvidia-l400", "arch:."},      {"other", "arch:."}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        request.device = pairs[i][0];
        BUILT_AUTO arch = build(&request);
        HAS(arch.log.data, pairs[i][1]);
    }
}

static void test_failures(void)
{
    fails("exit 2", "build failed: exit code 2");
    fails("kill -9 $$", "build failed: exit code 137");
    fails("true", "build made no `kernels/k.so`, its output by [build]");
    fails("rm -r kernels", "build made no `kernels/k.so`, its output by [build]");
    fails("ln -s /etc/hostname kernels/k.so", "`kernels/k.so` is not a regular file");
    fails("ln -s k.h kernels/k.so", "`kernels/k.so` is not a regular file");
    fails(COMPILE " && mv kernels real && ln -s real kernels",
          "`kernels/k.so` is not a regular file");
    fails("rm -r kernels; ln -s /etc kernels", "`kernels/k.so` is not a regular file");
    fails("rm -r kernels; echo > kernels", "`kernels/k.so` is not a regular file");
    fails("mkfifo kernels/k.so", "`kernels/k.so` is not a regular file");
    fails("mkdir kernels/k.so", "`kernels/k.so` is not a regular file");
    if (access("/usr/bin/python3", X_OK) == 0)
        fails("/usr/bin/python3 -c 'from socket import *; "
              "socket(AF_UNIX).bind(\"kernels/k.so\")'",
              "`kernels/k.so` is not a regular file");
    fails(COMPILE " && chmod 0 kernels/k.so",
          "`kernels/k.so` cannot be read: permission denied");
    fails(COMPILE " && chmod 0 kernels", "`kernels/k.so` cannot be read: permission denied");
    fails("cd ..; mv /build/src /build/x; ln -s /build/x /build/src",
          "`kernels/k.so` is not a regular file");
    limits.kernel_bytes = 100000;
    fails("head -c 100001 /dev/zero > kernels/k.so",
          "`kernels/k.so` is larger than 100000 bytes");
    fails("truncate -s 250M kernels/k.so", "`kernels/k.so` is larger than 100000 bytes");
    limits = limits_default();
    limits.build_ms = 1500;
    fails("echo begun; sleep 300", "build timed out after 1.5 s");
    limits = limits_default();
    limits.build_file = 1 << 20;
    fails("head -c 2000000 /dev/zero > big", "build failed: exit code 153");
    limits = limits_default();
}

/* How much of the worktree, /tmp and HOME a build fills, in KiB, until there is no room. */
#define FILL "i=0; while [ $i -lt 400 ]; do i=$((i+1)); for at in /src /tmp $HOME; do " \
             "head -c 100000 /dev/zero > $at/f$i || { du -sk /build | cut -f1; exit 5; }; " \
             "done; done 2>/dev/null"

static void test_disk(void)
{
    tap_case("what a build writes is bounded as a whole, in memory");
    limits.build_disk = 16 << 20;
    BUILT_AUTO built = build_command(FILL);
    EQ_INT(built.rc, 0);
    EQ_STR(built.result.failure, "build failed: exit code 5; no space left: a build may hold "
                                 "16777216 bytes in files");
    const char *line = strstr(built.log.data, "\n1");
    int used = line == NULL ? 0 : atoi(line);
    OK(used > 15 << 10 && used <= 16 << 10);
    only_library_left(&built);

    tap_case("the worktree, /tmp and HOME are one file system");
    BUILT_AUTO nothing = build_command("df -P /src /tmp /home | tail -n 3 | uniq | wc -l");
    HAS(nothing.log.data, "\n1\n"); /* one file system */
    only_library_left(&nothing);

    tap_case("sources that do not fit are the build's failure, and nothing of it runs");
    limits.build_disk = 4096;
    struct build_request request = request_for("echo it ran");
    request.commit = other_tree;
    BUILT_AUTO large = build(&request);
    EQ_INT(large.rc, 0);
    EQ_STR(large.result.failure, "the sources do not fit: a build may hold 4096 bytes in files, "
                                 "and 268435456 in one");
    OK(strstr(large.log.data, "it ran\n") == NULL);
    only_library_left(&large);
    limits = limits_default();
    limits.build_file = 16;
    BUILT_AUTO one = build_command("echo it ran");
    HAS(one.result.failure, "the sources do not fit: ");
    limits = limits_default();

    tap_case("the host's disks are written nowhere");
    BUILT_AUTO elsewhere = build_command(
        "for at in / /usr /etc /run /run/source /run/source/kernels /build/src/.. /dev; do "
        "(: > $at/x) 2>/dev/null && echo wrote $at; done; ls /run/source; false");
    HAS(elsewhere.log.data, "wrote /build/src/..\nkernels\n");
    only_library_left(&elsewhere);
}

static void test_memory(void)
{
    char folder[FILE_PATH_BYTES];
    struct err why = {0};
    tap_case("the memory of all processes of a build is bounded together");
    if (cgroup_find(folder, &why) < 0) {
        printf("# %s\n", why.text);
        tap_skip("NOT TESTED: THE TOTAL MEMORY OF A BUILD: no cgroup v2 is delegated to us");
        return;
    }
    printf("# %s\n", folder);
    limits.build_memory = 256 << 20;
    fails("for i in 1 2 3 4; do (head -c 120000000 /dev/zero | tail -c 120000000 | "
          "(sleep 2; cat) > /dev/null) & done; wait; " COMPILE,
          "out of memory: the build's limit is 268435456 bytes");
    tap_case("files in memory count");
    fails("for i in 1 2 3 4; do head -c 100000000 /dev/zero > big.$i; done; " COMPILE,
          "out of memory: the build's limit is 268435456 bytes");
    limits = limits_default();
    tap_case("a build below its limit knows nothing of it");
    BUILT_AUTO fine = build_command(COMPILE);
    OK(fine.rc == 0 && fine.result.built);
    only_library_left(&fine);
    tap_case("its cgroup goes with it");
    EQ_INT(count_folders(folder, "sandbox-"), 0);
}

/* Write to what the script keeps open for us. */
#define OURS(what) \
    "for at in /proc/$PPID/fd/1?; do [ ! -p $at ] || " what " > $at; done 2>/dev/null; exit 6"

/* A recipe runs as the user that our script in the sandbox is: it can do to that what it likes. */
static void test_hostile(void)
{
    tap_case("what is left running can neither change the output nor hold it up");
    BUILT_AUTO swapped = build_command(
        COMPILE "; (setsid sh -c \"while kill -0 $$ 2>/dev/null; do :; done; "
                "rm -f kernels/k.so; mkfifo kernels/k.so\" >/dev/null 2>&1 &)");
    /* It may be quicker than we are: then it has harmed its own build. */
    OK(swapped.rc == 0 && (swapped.result.built ||
                           strcmp(swapped.result.failure, "build made no `kernels/k.so`, its output by [build]") == 0 ||
                           strstr(swapped.result.failure, "not a regular file") != NULL));
    only_library_left(&swapped);

    tap_case("processes that are left behind do not hide the recipe's exit code");
    limits.build_processes = 24;
    fails("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 300 & done; exit 3",
          "build failed: exit code 3");
    limits = limits_default();

    tap_case("a recipe that speaks in our script's name speaks of its own library");
    limits.kernel_bytes = 1 << 20;
    bool reached = geteuid() != 0; /* root's pipe is not the sandbox user's to open */
    fails(OURS("(echo output; cat /dev/zero)"),
          reached ? "`kernels/k.so` is larger than 1048576 bytes" : "build failed: exit code 6");
    fails(OURS("(echo output; echo hello)"),
          reached ? "`kernels/k.so` cannot be read" : "build failed: exit code 6");
    fails(OURS("(echo; echo started full of itself; head -c 99999 /dev/zero)"),
          "build failed: exit code 6");
    limits = limits_default();
    fails("kill -9 $PPID; sleep 300", "build failed: exit code 137");
    limits.build_ms = 1500;
    fails("kill -STOP $PPID", "build timed out after 1.5 s");
    limits = limits_default();

    tap_case("nor is the host blamed in its words");
    fails("echo 'bwrap: No permissions to create new namespace' >&2; exit 1",
          "build failed: exit code 1");
    fails("echo 'No space left on device' >&2; exit 1", "build failed: exit code 1");
}

static void test_bad_library(void)
{
    tap_case("what is no library is the build's failure, with the recipe's path");
    BUILT_AUTO text = build_command("echo hello > kernels/k.so");
    EQ_INT(text.rc, 0);
    OK(!text.result.built);
    HAS(text.result.failure, OUTPUT);
    OK(strstr(text.result.failure, work) == NULL);
    only_library_left(&text);
    BUILT_AUTO empty = build_command(": > kernels/k.so");
    OK(empty.rc == 0 && !empty.result.built);

    tap_case("a library that exports more is refused by name");
    BUILT_AUTO two = build_command(COMPILE " -DTWO");
    EQ_INT(two.rc, 0);
    OK(!two.result.built);
    HAS(two.result.failure, "another");
    only_library_left(&two);
}

static void test_tree_limits(void)
{
    tap_case("a tree that is too large is the build's failure");
    limits.tree_bytes = 10;
    BUILT_AUTO built = build_command("true");
    limits = limits_default();
    EQ_INT(built.rc, 0);
    OK(!built.result.built);
    OK(built.result.failure[0] != '\0');
    only_library_left(&built);

    tap_case("an output outside the tree is refused before anything runs");
    static const char *const bad[] = {"",     "/etc/x", "../x", "a/../../x",
                                      "a//b", "a/.",    "a/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct build_request request = request_for("true");
        request.output = bad[i];
        BUILT_AUTO refused = build(&request);
        OK(refused.rc < 0);
        EQ_INT(refused.err.class, ERR_INPUT);
        EQ_STR(refused.result.failure, "untouched");
    }
    EQ_INT(count_below(work), 0);
}

/* ---- only what is under the paths ---- */

static void test_paths(void)
{
    tap_case("a build sees what is under its paths and nothing else");
    BUILT_AUTO all = build_command("find . -type f | sort; " COMPILE);
    OK(all.result.built);
    HAS(all.log.data, "\n./kernels/build.sh\n./kernels/k.c\n./kernels/k.h\n"
                      "./kernels/lib/x.c\n./kernels/needs.c\n");
    OK(strstr(all.log.data, "util.h") == NULL && strstr(all.log.data, "README") == NULL);
    only_library_left(&all);
    static const char *const two[] = {"kernels/k.c", "common/util.h"};
    struct build_request request = request_for("find . -type f; false");
    request.paths = two;
    request.path_count = 2;
    BUILT_AUTO few = build(&request);
    HAS(few.log.data, "./kernels/k.c\n");
    HAS(few.log.data, "./common/util.h\n");
    OK(strstr(few.log.data, "k.h") == NULL);

    tap_case("nor which commit it is");
    BUILT_AUTO which = build_command("cat /proc/self/mountinfo /proc/*/cmdline /proc/*/environ; ls -l /proc/*/fd; false");
    OK(!which.result.built && strstr(which.log.data, "/run/source") != NULL);
    OK(memmem(which.log.data, which.log.len, good, 7) == NULL);
    tap_case("without paths there is no build");
    request.path_count = 0;
    BUILT_AUTO none = build(&request);
    EQ_INT(none.err.class, ERR_INTERNAL);
}

/* A recipe that names what it will not see fails before anything runs. */
static void refused(const char *command, const char *path)
{
    char failure[128];
    tap_case(command);
    snprintf(failure, sizeof failure, "`%s`: not under [kernel] path", path);
    BUILT_AUTO built = build_command(command);
    EQ_INT(built.rc, 0);
    OK(!built.result.built);
    EQ_STR(built.result.failure, failure);
    EQ_STR(built.log.data, "");
    only_library_left(&built);
}

static void allowed(const char *command)
{
    tap_case(command);
    BUILT_AUTO built = build_command(command);
    if (strstr(built.result.failure, "[kernel] path") != NULL)
        printf("# %s\n", built.result.failure);
    OK(built.rc == 0 && strstr(built.result.failure, "[kernel] path") == NULL);
    HAS(built.log.data, command);
    only_library_left(&built);
}

static void hinted(const char *commit_sha, const char *command, const char *hint)
{
    char failure[256];
    tap_case(hint);
    struct build_request request = request_for(command);
    request.commit = commit_sha;
    BUILT_AUTO built = build(&request);
    OK(built.rc == 0 && !built.result.built);
    snprintf(failure, sizeof failure, "build failed: exit code %s", hint);
    EQ_STR(built.result.failure, failure);
    only_library_left(&built);
}

/* What it would do without, if it could, is named when it fails. */
static void named_after(const char *command, const char *path)
{
    char hint[128];
    tap_case(command);
    snprintf(hint, sizeof hint, "; `%s`: not under [kernel] path", path);
    BUILT_AUTO built = build_command(command);
    EQ_INT(built.rc, 0);
    OK(!built.result.built);
    HAS(built.result.failure, hint);
    HAS(built.log.data, command);
    only_library_left(&built);
}

static void test_words(void)
{
    refused("sh build.sh", "build.sh");
    refused("./build.sh", "build.sh");
    refused("cd kernels; sh ../build.sh", "build.sh");
    refused("sh /src/build.sh", "build.sh");
    refused("exec sh -c 'sh build.sh'", "build.sh");
    refused("true&&(sh<build.sh)", "build.sh");
    named_after("gcc -Icommon kernels/k.c", "common");
    named_after("gcc -I common kernels/k.c", "common");
    named_after("gcc -isystem ./common/inc kernels/k.c", "common/inc");
    refused("gcc -include common/util.h kernels/k.c", "common/util.h");
    refused("gcc -includecommon/util.h kernels/k.c", "common/util.h");
    named_after("gcc -Wl,-T,common/util.h kernels/k.c", "common/util.h");
    refused("gcc @common/util.h", "common/util.h");
    named_after("make -C common", "common");
    named_after("make --directory=common", "common");
    named_after("cd common && make", "common");
    named_after("make -f Makefile", "Makefile");

    allowed("gcc kernels/k.c kernels/lib/*.c -o /tmp/x; false");
    allowed("make -C kernels cpu");           /* a target, and a folder by chance */
    allowed("cd kernels && sh build.sh");     /* its own, not the one at the top */
    allowed("cd kernels && gcc k.c; false");
    allowed("mkdir -p new/folder; test -d kernels; false");
    allowed("gcc -I. -I./ -L. -Ikernels kernels/k.c; false");
    allowed("mkdir -p out/objects && gcc -c -o out/objects/k.o kernels/k.c; false");
    allowed("OUT=out/objects; mkdir -p ./$OUT/ out/; false");
    allowed("mkdir -p out && cd out && gcc -Iobjects ../kernels/k.c; false");
    allowed("rm -f out/objects/*.o lib/?; false");
    allowed("true -S kernels -B out/objects; false"); /* cmake */
    allowed("gcc -DWHICH=Makefile -c kernels/k.c -o /tmp/x; false");
    allowed("");
    tap_case("a file that is named like a word of the command changes nothing");
    BUILT_AUTO namesake = build_command("README=1; sh -c true; rm -f build.sh Makefile; " COMPILE);
    OK(namesake.result.built);
    only_library_left(&namesake);
    tap_case("a command that chooses its way may do without");
    BUILT_AUTO chosen = build_command("[ -f Makefile ] || sh build.sh || " COMPILE);
    OK(chosen.result.built);
    only_library_left(&chosen);
    hinted(good, "[ -f Makefile ] || exit 3", "3; `Makefile`: not under [kernel] path");
    struct build_request request = request_for("mkdir -p ./lib && false");
    request.output = "lib/k.so";
    BUILT_AUTO output = build(&request);
    EQ_STR(output.result.failure, "build failed: exit code 1");
    char long_command[1024];
    memset(long_command, '=', sizeof long_command - 1);
    long_command[sizeof long_command - 1] = '\0';
    BUILT_AUTO odd = build_command(long_command);
    EQ_INT(odd.rc, 0);
}

/* The same of a kernel in a folder further down. */
static void hinted_far(const char *path, const char *command, const char *hint)
{
    char failure[256];
    tap_case(command);
    struct build_request request = request_for(command);
    request.paths = &path;
    BUILT_AUTO built = build(&request);
    OK(built.rc == 0 && !built.result.built);
    snprintf(failure, sizeof failure, "build failed: exit code %s", hint);
    EQ_STR(built.result.failure, failure);
    only_library_left(&built);
}

static void test_far_hints(void)
{
    static const char common[] = "1; `far/src/common/far.h`: not under [kernel] path";
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/near.c", common);
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/deep/d.c", common);
    hinted_far("far/src/a", "gcc -c -o /tmp/x $(pwd -P)/far/src/a/deep/d.c", common);
    hinted_far("far/src/a", "cd far/src/a && gcc -c -o /tmp/x near.c", common);
    hinted_far("far/src/a/near.c", "gcc -c -o /tmp/x far/src/a/near.c", common);
    /* nobody says from where */
    hinted_far("far/src/a", "echo \"No rule to make target '../common/far.h'\"; exit 1", common);
    /* a file of the same name elsewhere is not the one that is missed */
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/deep/gone.c", "1");
    /* by its name alone, as a compiler says it that was not told where to look… */
    static const char bare[] =
        "1; `far.h` is at `far/src/common/far.h`, which is not under [kernel] path";
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/bare.c", bare);
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/bare.c 2>&1 | cat; exit 1", bare);
    /* …and where it is listed, and the command says too little */
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/deep/up.c", "1");
    /* whatever is missed by less than its path */
    static const char named[] = "1; `%s` is at `%s`, which is not under [kernel] path";
    static const struct {
        const char *command, *name, *where;
    } missed[] = {
        {"sh gen.sh || exit 1", "gen.sh", "far/tools/gen.sh"},
        {"./gen.sh || exit 1", "gen.sh", "far/tools/gen.sh"},
        {"sh /build/src/gen.sh || exit 1", "gen.sh", "far/tools/gen.sh"},
        {"ld -T kernel.ld -o /tmp/x", "kernel.ld", "far/tools/kernel.ld"},
        {"gcc -c -o /tmp/x other.c", "other.c", "far/tools/src/other.c"},
        {"gcc -c -o /tmp/x src/other.c", "src/other.c", "far/tools/src/other.c"},
        {"gcc -c -o /tmp/x units/*.c", "units", "far/tools/units"},
        {"echo \"Kernels.cu(3): fatal error: cannot open source file \\\"other.c\\\".\"; exit 1",
         "other.c", "far/tools/src/other.c"},
    };
    for (size_t i = 0; i < sizeof missed / sizeof missed[0]; i++) {
        char hint[256];
        snprintf(hint, sizeof hint, named, missed[i].name, missed[i].where);
        hinted_far("far/src/a", missed[i].command, hint);
    }
    hinted_far("far/src/a", "gcc -c -o /tmp/x twice.c",
               "1; `twice.c` is at `far/tools/1/twice.c` and `far/tools/2/twice.c`, which are not "
               "under [kernel] path");
    hinted_far("far/src/a", "gcc -c -o /tmp/x often.c", "1"); /* too many to tell anything */
    /* the includer is no file that is missed, whatever else is called like it */
    hinted_far("far/src/a", "gcc -c -o /tmp/x far/src/a/lost.c", "1");
    /* beside its includer, where the path is a file */
    hinted_far("far/src/a/one.c", "gcc -c -o /tmp/x far/src/a/one.c",
               "1; `far/src/a/beside.h`: not under [kernel] path");
}

static void test_hints(void)
{
    hinted(good, "gcc kernels/k.c lib/*.c", "1; `lib`: not under [kernel] path");
    hinted(good, "cp -r common/ kernels", "1; `common`: not under [kernel] path");
    hinted(good, "cat $(pwd -P)/common/util.h", "1; `common/util.h`: not under [kernel] path");
    hinted(good, "gcc -c -o /tmp/x kernels/needs.c",
           "1; `common/util.h`: not under [kernel] path");
    hinted(good, "f=common; sh $f/util.h", "2; `common/util.h`: not under [kernel] path");
    if (access("/usr/bin/make", X_OK) == 0)
        hinted(good, "make cpu", "2; `Makefile`: not under [kernel] path");
    hinted(good, "echo 'README: No such file'; exit 3", "3");
    hinted(good, "f=common; echo $f/util.h is fine; exit 3", "3");
    hinted(good, "echo /usr/include/k.c: No such file; exit 3", "3");
    hinted(marked, "gcc -include kernels/big.h -c -o /tmp/x kernels/k.c",
           "1; `kernels/big.h`, line 1: pointer of Git LFS");
    hinted(marked, "gcc -include kernels/merged.h -c -o /tmp/x kernels/k.c",
           "1; `kernels/merged.h`, line 3: conflict marker `<<<<<<<`");
    hinted(marked, "exit 3", "3; `kernels/big.h`, line 1: pointer of Git LFS");
    hinted(marked, "gcc -include kernels/linked.h -c -o /tmp/x kernels/k.c",
           "1; `kernels/linked.h` is a link, which a build does not follow");
    tap_case("neither stops a build that does without");
    struct build_request request = request_for(COMPILE);
    request.commit = marked;
    BUILT_AUTO fine = build(&request);
    OK(fine.result.built);
    only_library_left(&fine);
}

static void test_log(void)
{
    tap_case("a huge log keeps its head and its tail");
    limits.log_bytes = 64 << 10;
    BUILT_AUTO built = build_command("yes line | head -c 20000000; echo the end; exit 4");
    limits = limits_default();
    EQ_STR(built.result.failure, "build failed: exit code 4");
    OK(strncmp(built.log.data, "$ yes line", 10) == 0);
    HAS(built.log.data, "left out");
    HAS(built.log.data, "the end\n");
    OK(built.log.len < (64 << 10) + 1024);
}

static void test_leftovers(void)
{
    char command[512], mark[64];
    tap_case("what a build leaves running dies, its folders go");
    snprintf(mark, sizeof mark, "300.3%d", (int)getpid());
    snprintf(
        command, sizeof command,
        "setsid sleep %s >/dev/null 2>&1 & "
        "(setsid sh -c 'i=0; while :; do i=$((i+1)); echo > new.$i; done' %s) & " COMPILE,
        mark, mark);
    BUILT_AUTO built = build_command(command);
    OK(built.rc == 0 && built.result.built);
    only_library_left(&built);
    OK(jobs_gone(mark));

    tap_case("folders that may not be entered go too");
    BUILT_AUTO locked = build_command(COMPILE " && mkdir -p a && echo > a/x && chmod 0 a "
                                              "&& chmod 0555 kernels .");
    OK(locked.rc == 0 && locked.result.built);
    only_library_left(&locked);

    tap_case("a timeout takes everything with it");
    snprintf(mark, sizeof mark, "300.4%d", (int)getpid());
    snprintf(command, sizeof command, "trap '' TERM; setsid sleep %s & sleep %s", mark,
             mark);
    limits.build_ms = 1500;
    BUILT_AUTO late = build_command(command);
    limits = limits_default();
    EQ_STR(late.result.failure, "build timed out after 1.5 s");
    only_library_left(&late);
    OK(jobs_gone(mark));
}

static void test_host_trouble(void)
{
    tap_case("no sandbox is the host's trouble, not the build's");
    char *path = strdup(getenv("PATH"));
    setenv("PATH", temp, 1);
    BUILT_AUTO none = build_command(COMPILE);
    setenv("PATH", path, 1);
    free(path);
    OK(none.rc < 0);
    EQ_INT(none.err.class, ERR_HOST);
    HAS(none.err.text, "bubblewrap");
    EQ_STR(none.result.failure, "untouched");
    EQ_INT(count_below(work), 0);

    tap_case("a commit that is not there");
    struct build_request request = request_for("true");
    request.commit = "00000000000000000000000000000000000000ab";
    BUILT_AUTO missing = build(&request);
    OK(missing.rc < 0);
    EQ_INT(missing.err.class, ERR_NOT_FOUND);
    EQ_INT(count_below(work), 0);
    request.commit = "main";
    BUILT_AUTO name = build(&request);
    EQ_INT(name.err.class, ERR_INTERNAL);

    if (geteuid() != 0)
        return;
    tap_case("a state folder that the user cannot reach");
    char hidden[160], below[192];
    snprintf(hidden, sizeof hidden, "%s/hidden", temp);
    snprintf(below, sizeof below, "%s/work", hidden);
    OK(mkdir(hidden, 0700) == 0 && mkdir(below, 0755) == 0);
    request = request_for("true");
    request.work = below;
    BUILT_AUTO unreachable = build(&request);
    EQ_INT(unreachable.err.class, ERR_HOST);
    HAS(unreachable.err.text, "user nobody cannot reach `");
    EQ_INT(count_below(below), 0);
}

/* ---- a host in trouble, in namespaces of our own ---- */

static bool write_text(const char *path, const char *text)
{
    FD_AUTO fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A user namespace of our own, with ourselves as its root. */
static bool enter_namespaces(int flags)
{
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %lu 1", (unsigned long)geteuid());
    snprintf(groups, sizeof groups, "0 %lu 1", (unsigned long)getegid());
    job_uid = (uid_t)-1;
    job_gid = (gid_t)-1;
    return unshare(CLONE_NEWUSER | flags) == 0 &&
           write_text("/proc/self/uid_map", users) &&
           write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/gid_map", groups);
}

static int no_namespaces_child(const char *command)
{
    if (!enter_namespaces(0) || !write_text("/proc/sys/user/max_user_namespaces", "0"))
        return 77;
    BUILT_AUTO built = build_command(command);
    bool ok = built.rc < 0 && built.err.class == ERR_HOST &&
              strstr(built.err.text, "the sandbox does not start: bwrap: ") != NULL &&
              strstr(built.err.text, "; see ratchet(1), NO SANDBOX") != NULL &&
              count_below(work) == 0;
    fflush(stdout);
    return ok ? 0 : 1;
}

static int full_disk_child(const char *command)
{
    if (!enter_namespaces(CLONE_NEWNS) ||
        mount("small", work, "tmpfs", 0, "size=1200k") < 0)
        return 77;
    BUILT_AUTO built = build_command(command);
    bool ok = built.rc < 0 && built.err.class == ERR_HOST &&
              strcasestr(built.err.text, "no space left") != NULL &&
              count_below(work) == 0;
    if (!ok)
        printf("# rc %d class %d `%s` log `%s` left %d\n", built.rc, built.err.class,
               built.result.failure, built.log.data, count_below(work));
    fflush(stdout);
    return ok ? 0 : 1;
}

/* Our own script fails before the recipe starts: another `cp`. */
static int no_copy_child(const char *command)
{
    if (!enter_namespaces(CLONE_NEWNS) ||
        mount("/usr/bin/false", "/usr/bin/cp", NULL, MS_BIND, NULL) < 0)
        return 77;
    BUILT_AUTO built = build_command(command);
    bool ok = built.rc < 0 && built.err.class == ERR_HOST &&
              strstr(built.err.text, "the sources cannot be copied into the sandbox: exit code 1")
                  != NULL &&
              count_below(work) == 0;
    fflush(stdout);
    return ok ? 0 : 1;
}

/* Run a check in a child that can take its namespaces to pieces. */
static void in_child(int (*check)(const char *command), const char *command)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(check(command));
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        tap_skip("NOT TESTED: no user namespace of our own to try it in");
    else
        OK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_namespaces(void)
{
    tap_case("a full disk under our copy of the output is the host's trouble");
    in_child(full_disk_child, "head -c 1300000 /dev/urandom > kernels/k.so");
    tap_case("so is what goes wrong before the recipe starts");
    in_child(no_copy_child, COMPILE);
    tap_case("a sandbox that does not start is the host's trouble");
    in_child(no_namespaces_child, COMPILE);
}

/* ---- the cache ---- */

static struct built build_cached(const char *commit_sha, const char *command,
                                 bool may_store)
{
    struct build_request request = request_for(command);
    request.commit = commit_sha;
    request.cache = cache;
    request.may_store = may_store;
    return build(&request);
}

/* The one entry of the cache. */
static void entry_path(const char *file, char out[512])
{
    const char *const argv[] = {"find", cache, "-mindepth", "1", "-maxdepth", "1", NULL};
    BUF_AUTO found;
    buf_init(&found, 4096);
    OK(jobs_run_host(argv, NULL, &found));
    snprintf(out, 512, "%.*s%s", (int)strcspn(found.data, "\n"), found.data, file);
}

/* A header of another day: the same tree and recipe are not what is in the cache. */
static int upgraded_child(const char *command)
{
    BUILT_AUTO before = build_cached(good, command, false);
    if (!enter_namespaces(CLONE_NEWNS) ||
        mount("other", "/usr/local/include", "tmpfs", 0, "size=100k") < 0)
        return 77;
    BUILT_AUTO after = build_cached(good, command, false);
    bool ok = before.result.cached && after.rc == 0 && after.result.built &&
              !after.result.cached;
    if (!ok)
        printf("# %d %d %d `%s`\n", before.result.cached, after.rc, after.result.cached,
               after.result.failure);
    fflush(stdout);
    return ok ? 0 : 1;
}

static void test_cache(void)
{
    tap_case("what is not on main never enters the cache");
    BUILT_AUTO pr = build_cached(good, COMPILE, false);
    OK(pr.result.built && !pr.result.cached);
    EQ_INT(count_below(cache), -1);

    tap_case("a failed build never enters the cache");
    BUILT_AUTO failed = build_cached(good, "false", true);
    OK(failed.rc == 0 && !failed.result.built);
    EQ_INT(count_below(cache), -1);

    tap_case("a build of main does");
    BUILT_AUTO stored = build_cached(good, COMPILE, true);
    OK(stored.result.built && !stored.result.cached);
    EQ_INT(count_below(cache), 3); /* the entry, the library, its SHA-256 */

    tap_case("and is used for the same tree under another commit");
    BUILT_AUTO hit = build_cached(same_tree, COMPILE, false);
    OK(hit.rc == 0 && hit.result.built && hit.result.cached);
    EQ_STR(hit.result.code, stored.result.code);
    HAS(hit.log.data, "is used");
    OK(strncmp(hit.result.library, work, strlen(work)) == 0);
    struct stat st = {0};
    OK(stat(hit.result.library, &st) == 0);
    EQ_INT(st.st_mode & 07777, 0755);
    EQ_INT(st.st_nlink, 1);
    char one[FILE_SHA256_BYTES], two[FILE_SHA256_BYTES];
    OK(file_sha256_path(stored.result.library, one, NULL) == 0 &&
       file_sha256_path(hit.result.library, two, NULL) == 0);
    EQ_STR(one, two);

    tap_case("and for what differs only where a build does not see it");
    BUILT_AUTO beside = build_cached(other_file, COMPILE, false);
    OK(beside.result.built && beside.result.cached);

    tap_case("what another toolchain made is not used");
    in_child(upgraded_child, COMPILE);
    BUILT_AUTO still = build_cached(good, COMPILE, false);
    OK(still.result.cached);

    tap_case("another kernel, command, output, path or device is another entry");
    BUILT_AUTO tree = build_cached(other_tree, COMPILE, false);
    OK(tree.result.built && !tree.result.cached);
    BUILT_AUTO command = build_cached(good, COMPILE " ", false);
    OK(command.result.built && !command.result.cached);
    struct build_request request = request_for(COMPILE);
    request.cache = cache;
    request.output = "kernels/other.so";
    BUILT_AUTO output = build(&request);
    OK(output.rc == 0 && !output.result.built && !output.result.cached);
    request.output = OUTPUT;
    request.device = "cpu-2";
    BUILT_AUTO device = build(&request);
    OK(device.result.built && !device.result.cached);
    static const char *const more[] = {"kernels", "common"};
    request = request_for(COMPILE);
    request.cache = cache;
    request.paths = more;
    request.path_count = 2;
    BUILT_AUTO paths = build(&request);
    OK(paths.result.built && !paths.result.cached);
    EQ_INT(count_below(cache), 3);
}

static void test_cache_damage(void)
{
    char path[512];
    tap_case("a damaged entry is built again, not used");
    entry_path("/kernel.so", path);
    OK(file_append(path, "x", 1, NULL) == 0);
    BUILT_AUTO rebuilt = build_cached(good, COMPILE, true);
    OK(rebuilt.result.built && !rebuilt.result.cached);
    HAS(rebuilt.log.data, "damaged");
    BUILT_AUTO again = build_cached(good, COMPILE, true);
    OK(again.result.built && again.result.cached);

    tap_case("nor is half an entry");
    entry_path("/sha256", path);
    OK(unlink(path) == 0);
    BUILT_AUTO half = build_cached(good, COMPILE, true);
    OK(half.result.built && !half.result.cached);
    entry_path("/kernel.so", path);
    OK(unlink(path) == 0);
    BUILT_AUTO other = build_cached(good, COMPILE, false);
    OK(other.result.built && !other.result.cached);
    EQ_INT(count_below(cache), 0);

    tap_case("a cache that cannot be written costs nothing but a line");
    struct build_request request = request_for(COMPILE);
    request.cache = "/proc/cache";
    request.may_store = true;
    BUILT_AUTO refused = build(&request);
    OK(refused.rc == 0 && refused.result.built);
    HAS(refused.log.data, "build cache: not stored: ");
}

static void set_age(const char *path, long seconds)
{
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    OK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void make_entry(const char *name, size_t bytes, long age)
{
    char folder[512], path[600];
    snprintf(folder, sizeof folder, "%s/%s", cache, name);
    snprintf(path, sizeof path, "%s/kernel.so", folder);
    char *zeros = calloc(1, bytes + 1);
    OK(zeros != NULL && file_mkdirs(folder, 0700, NULL) == 0 &&
       file_write(path, zeros, bytes, 0644, NULL) == 0);
    free(zeros);
    set_age(folder, age);
}

static bool has_entry(const char *name)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s", cache, name);
    return access(folder, F_OK) == 0;
}

static void test_collect(void)
{
    char a[65], b[65], c[65];
    memset(a, 'a', 64);
    memset(b, 'b', 64);
    memset(c, 'c', 64);
    a[64] = b[64] = c[64] = '\0';
    OK(file_remove_tree(cache, NULL) == 0);

    tap_case("no cache, nothing to collect");
    OK(build_cache_collect(cache, 0, NULL) == 0);

    tap_case("the least recently used entries go, until the rest fits");
    make_entry(a, 1000, 30);
    make_entry(b, 1000, 300);
    make_entry(c, 1000, 3);
    make_entry("tmp-fresh", 1000, 3);
    make_entry("tmp-stale", 1000, 3 * 24 * 3600);
    OK(build_cache_collect(cache, 3000, NULL) == 0);
    OK(has_entry(a) && has_entry(b) && has_entry(c));
    OK(has_entry("tmp-fresh") && !has_entry("tmp-stale"));
    OK(build_cache_collect(cache, 2999, NULL) == 0);
    OK(has_entry(a) && !has_entry(b) && has_entry(c));
    OK(build_cache_collect(cache, 999, NULL) == 0);
    OK(!has_entry(a) && !has_entry(c));

    tap_case("a use makes an entry young");
    OK(file_remove_tree(cache, NULL) == 0);
    BUILT_AUTO stored = build_cached(good, COMPILE, true);
    OK(stored.result.built && !stored.result.cached);
    char path[512];
    entry_path("", path);
    set_age(path, 1000);
    make_entry(a, 1, 100);
    BUILT_AUTO used = build_cached(good, COMPILE, false);
    OK(used.result.cached);
    unsigned long long bytes = 0;
    OK(file_tree_bytes(path, &bytes, NULL) == 0);
    OK(build_cache_collect(cache, bytes, NULL) == 0);
    OK(access(path, F_OK) == 0 && !has_entry(a));
}

static void test_toolchain(void)
{
    char first[BUILD_TOOLCHAIN_BYTES] = "", second[BUILD_TOOLCHAIN_BYTES] = "",
         cuda[BUILD_TOOLCHAIN_BYTES] = "";
    struct err err = {0};
    tap_case("the toolchain is named");
    OK(build_toolchain("cpu", first, sizeof first, NULL) == 0);
    HAS(first, "gcc");
    HAS(first, "; files ");
    OK(strchr(first, '\n') == NULL);
    OK(strstr(first, "nvcc") == NULL);
    printf("# %s\n", first);
    OK(build_toolchain("cpu", second, sizeof second, NULL) == 0);
    EQ_STR(second, first);
    OK(build_toolchain("cpu", second, 4, &err) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    EQ_STR(second, first);
    tap_case("nvcc belongs to it where the device is NVIDIA's");
    if (build_toolchain("nvidia-l4", cuda, sizeof cuda, &err) == 0)
        HAS(cuda, "; nvcc ");
    else
        HAS(err.text, "no nvcc in the build sandbox");
    printf("# %s\n", cuda);
}

/* The key and the line of a folder that stands for /usr. */
static struct toolchain look_at(const char *root)
{
    const char *const roots[] = {root, "/nonexistent/lib32", NULL};
    struct toolchain found = {.key = "failed"};
    OK(toolchain_of("gcc 12", roots, 1000, &found, NULL) == 0);
    return found;
}

/* Something was done to the files: is it another toolchain, for the key and for people? */
static void changes(struct toolchain *before, const char *root, bool key, bool text,
                    const char *what)
{
    tap_case(what);
    struct toolchain after = look_at(root);
    EQ_INT(strcmp(before->key, after.key) != 0, key);
    EQ_INT(strcmp(before->text, after.text) != 0, text);
    *before = after;
}

static void test_toolchain_files(void)
{
    char root[128], bin[160], tool[192], link[192], copy[192];
    snprintf(root, sizeof root, "%s/usr", temp);
    snprintf(bin, sizeof bin, "%s/bin", root);
    snprintf(tool, sizeof tool, "%s/clang", bin);
    snprintf(copy, sizeof copy, "%s/clang.new", bin);
    snprintf(link, sizeof link, "%s/cc", bin);
    OK(file_mkdirs(bin, 0755, NULL) == 0 && file_write(tool, "one", 3, 0755, NULL) == 0 &&
       symlink("clang", link) == 0);
    struct toolchain now = look_at(root);
    EQ_INT(strlen(now.key), 64);
    EQ_INT(strncmp(now.text, "gcc 12; files ", 14), 0);
    EQ_INT(strlen(now.text), 22);
    changes(&now, root, false, false, "nothing changed");
    OK(file_write(tool, "another", 7, 0755, NULL) == 0);
    changes(&now, root, true, true, "a tool was replaced");
    struct stat st;
    OK(stat(tool, &st) == 0 && file_write(copy, "ANOTHER", 7, 0755, NULL) == 0);
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    OK(utimensat(AT_FDCWD, copy, times, 0) == 0 && rename(copy, tool) == 0);
    changes(&now, root, true, false, "… by one of the same size and date");
    OK(unlink(link) == 0 && symlink("gcc", link) == 0);
    changes(&now, root, true, true, "a link leads elsewhere");
    OK(file_write(copy, "", 0, 0644, NULL) == 0);
    changes(&now, root, true, true, "a file was added");
    OK(unlink(copy) == 0);
    changes(&now, root, true, true, "a file was removed");
    OK(chmod(tool, 0700) == 0);
    changes(&now, root, true, true, "a mode was changed");

    tap_case("more than can be looked at has no key, and builds are not cached");
    const char *const roots[] = {root, NULL};
    OK(toolchain_of("gcc 12", roots, 2, &now, NULL) == 0);
    EQ_STR(now.key, "");
    EQ_STR(now.text, "gcc 12; files not known");
}

int main(void)
{
    tap_case("builds");
    if (access("/usr/bin/bwrap", X_OK) < 0) {
        tap_skip("NO BUILD IS TESTED: bubblewrap is not installed");
        return tap_done();
    }
    setenv("GITHUB_TOKEN", "ghs_secret", 1);
    limits = limits_default();
    if (geteuid() == 0)
        job_uid = job_gid = JOBS_NOBODY;
    if (!OK(set_up()) || !OK(open_repo()))
        return tap_done();
    test_good();
    OK(file_remove_tree(work, NULL) == 0 && mkdir(work, 0755) == 0);
    test_failures();
    test_disk();
    test_memory();
    test_hostile();
    test_bad_library();
    OK(file_remove_tree(work, NULL) == 0 && mkdir(work, 0755) == 0);
    test_tree_limits();
    test_paths();
    test_words();
    test_hints();
    test_far_hints();
    test_log();
    test_leftovers();
    test_host_trouble();
    test_namespaces();
    test_cache();
    test_cache_damage();
    test_collect();
    test_toolchain();
    test_toolchain_files();
    git_close(&repo);
    if (geteuid() == 0)
        jobs_again_as_nobody(temp);
    struct err err = {0};
    if (!OK(file_remove_tree(temp, &err) == 0))
        printf("# %s\n", err.text);
    return tap_done();
}
