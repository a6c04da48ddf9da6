/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups, in a folder that looks like some: who may divide one, what is written where. And
 * in the real ones, where controllers are delegated to this test: a loud skip elsewhere. (They
 * are in `systemd-run --scope -p Delegate=yes tests/unit/test_cgroup`.) */
#include "measure/cgroup.h"

#include "base/file.h"
#include "base/proc.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PID = 4711 };
static char temp[] = "/tmp/ratchet-cgroup-XXXXXX";

/* ---- a tree of files ---- */

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", temp, name);
    OK(file_write(path, text, strlen(text), 0644, NULL) == 0);
}

static void holds(const char *name, const char *text)
{
    char path[256];
    BUF_AUTO bytes;
    buf_init(&bytes, 1000);
    snprintf(path, sizeof path, "%s/%s", temp, name);
    OK(file_read(path, &bytes, NULL) == 0);
    EQ_STR(bytes.data, text);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", temp, name);
    OK(file_mkdirs(path, 0755, NULL) == 0);
}

static void make_cgroup(const char *name, const char *procs)
{
    char file[128];
    static const char *const empty[] = {"cgroup.type", "cgroup.subtree_control"};
    make_folder(name);
    for (size_t i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s", name, empty[i]);
        put(file, i == 0 ? "domain\n" : "\n");
    }
    snprintf(file, sizeof file, "%s/cgroup.controllers", name);
    put(file, "cpuset cpu io memory hugetlb pids\n");
    snprintf(file, sizeof file, "%s/cgroup.procs", name);
    put(file, procs);
}

/* Where may we make cgroups, being in `own`? "" where nowhere, and then why. */
static void finds(const char *self, const char *folder, const char *why)
{
    char path[128], found[FILE_PATH_BYTES] = "", want[256] = "";
    struct err err = {0};
    put("self", self);
    snprintf(path, sizeof path, "%s/self", temp);
    int rc = cgroup_find_in(temp, path, PID, found, &err);
    EQ_INT(rc, folder == NULL ? -1 : 0);
    if (folder != NULL)
        snprintf(want, sizeof want, "%s%s", temp, folder);
    EQ_STR(found, want);
    if (folder == NULL) {
        EQ_INT(err.class, ERR_NOT_FOUND);
        HAS(err.text, why);
    }
}

static void test_find(void)
{
    static const char none[] = "no cgroup v2 controllers are delegated to this process "
                               "(systemd unit: Delegate=memory pids)";
    tap_case("the first version, or none, is nothing to divide");
    finds("", NULL, none);
    finds("9:name=systemd:/\n4:memory:/a\n", NULL, none);
    finds("4:memory:/a\n0::/\n", NULL, none);
    finds("0::/gone\n", NULL, none);
    finds("0::/../outside\n", NULL, none);

    tap_case("nor is a cgroup that was given no controllers, nor the root of them all");
    make_cgroup("unit", "4711\n");
    put("unit/cgroup.controllers", "cpuset cpu pids\n");
    finds("0::/unit\n", NULL, none);
    put("unit/cgroup.controllers", "memory\n");
    finds("0::/unit\n", NULL, none);
    put("unit/cgroup.controllers", "memory_x xmemory pids_x pids\n");
    finds("0::/unit\n", NULL, none);
    put("cgroup.controllers", "memory pids\n");
    finds("0::/\n", NULL, none);

    tap_case("a cgroup with others in it is theirs too");
    put("unit/cgroup.controllers", "cpu memory pids\n");
    put("unit/cgroup.procs", "4710\n4711\n");
    finds("0::/unit\n", NULL, "other processes are in our cgroup `");
    put("unit/cgroup.procs", "47110\n");
    finds("0::/unit\n", NULL, "other processes are in our cgroup `");
    holds("unit/cgroup.subtree_control", "\n");

    tap_case("alone in it, we move into a leaf and hand the controllers on");
    put("unit/cgroup.procs", "4711\n");
    make_folder("unit/ratchet-self");
    put("unit/ratchet-self/cgroup.procs", "");
    finds("1:x:/y\n0::/unit\n", "/unit", NULL);
    holds("unit/ratchet-self/cgroup.procs", "4711");
    holds("unit/cgroup.subtree_control", "+memory +pids");

    tap_case("from the leaf it is the one above, and what we start finds it too");
    put("unit/cgroup.subtree_control", "memory pids\n");
    put("unit/cgroup.procs", "");
    finds("0::/unit/ratchet-self\n", "/unit", NULL);

    tap_case("a container's own root is a cgroup as any other");
    make_cgroup(".", "");
    put("cgroup.subtree_control", "cpu memory pids\n");
    finds("0::/\n", "", NULL);
}

static void test_limit(void)
{
    struct cgroup cgroup, made = {.folder = "untouched"};
    const struct cgroup_limits limits = {123456789, 42};
    struct err err = {0};
    tap_case("the limits are written, swap and group where there are files for them");
    make_folder("job");
    snprintf(cgroup.folder, sizeof cgroup.folder, "%s/job", temp);
    put("job/memory.max", "max\n");
    OK(cgroup_limit(&cgroup, &limits, &err) < 0);
    HAS(err.text, "pids.max");
    put("job/pids.max", "max\n");
    OK(cgroup_limit(&cgroup, &limits, NULL) == 0);
    holds("job/memory.max", "123456789");
    holds("job/pids.max", "42");
    put("job/memory.swap.max", "max\n");
    put("job/memory.oom.group", "0\n");
    OK(cgroup_limit(&cgroup, &limits, NULL) == 0);
    holds("job/memory.swap.max", "0");
    holds("job/memory.oom.group", "1");

    tap_case("no limit is `max`, whatever was there");
    const struct cgroup_limits none = {0};
    OK(cgroup_limit(&cgroup, &none, NULL) == 0);
    holds("job/memory.max", "max");
    holds("job/pids.max", "max");

    tap_case("a process that was killed for memory is counted");
    EQ_INT(cgroup_memory(&cgroup), CGROUP_FITS);
    put("job/memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\noom_group_kill 0\n");
    EQ_INT(cgroup_memory(&cgroup), CGROUP_FITS);
    put("job/memory.events", "low 0\nmax 9\noom 1\noom_kill 3\noom_group_kill 1\n");
    EQ_INT(cgroup_memory(&cgroup), CGROUP_RAN_OUT);

    tap_case("… and when it was not by its own limit");
    put("job/memory.events", "low 0\nmax 0\noom 0\noom_kill 3\noom_group_kill 1\n");
    EQ_INT(cgroup_memory(&cgroup), CGROUP_HOST_RAN_OUT);

    tap_case("a cgroup that cannot be limited is not left behind");
    make_folder("parent");
    char parent[128];
    snprintf(parent, sizeof parent, "%s/parent", temp);
    OK(cgroup_make(parent, &limits, &made, &err) < 0);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "memory.max");
    EQ_STR(made.folder, "untouched");
    OK(rmdir(parent) == 0); /* empty */

    tap_case("one that is empty is removed, one that is gone is gone");
    make_folder("empty");
    snprintf(cgroup.folder, sizeof cgroup.folder, "%s/empty", temp);
    OK(cgroup_end(&cgroup, NULL) == 0);
    OK(access(cgroup.folder, F_OK) != 0);
    OK(cgroup_end(&cgroup, NULL) == 0);
    snprintf(cgroup.folder, sizeof cgroup.folder, "%s/job", temp);
    OK(cgroup_end(&cgroup, &err) < 0);
    EQ_INT(err.class, ERR_HOST);
}

static bool is_there(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", temp, name);
    return access(path, F_OK) == 0;
}

static void test_sweep(void)
{
    char dead[64], alive[64], held[64], file[128], folder[128];
    tap_case("those of makers that are dead are ended, and no other");
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    OK(waitpid(pid, NULL, 0) == pid);
    snprintf(dead, sizeof dead, "sweep/sandbox-%ld-0", (long)pid);
    snprintf(held, sizeof held, "sweep/sandbox-%ld-17", (long)pid);
    snprintf(alive, sizeof alive, "sweep/sandbox-%ld-0", (long)getpid());
    snprintf(file, sizeof file, "%s/cgroup.kill", held);
    snprintf(folder, sizeof folder, "%s/sweep", temp);
    static const char *const others[] = {"sweep/ratchet-self", "sweep/sandbox-x-1",
                                         "sweep/sandbox-0-1", "sweep/sandbox--1-1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        make_folder(others[i]);
    make_folder(dead);
    make_folder(alive);
    make_folder(held);
    put(file, "");
    cgroup_sweep(folder);
    OK(!is_there(dead) && is_there(alive) && is_there(held));
    holds(file, "1"); /* and it goes when it is empty */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        OK(is_there(others[i]));
}

/* ---- the real ones ---- */

static struct proc_result run_in(const struct cgroup *cgroup, const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    struct proc_spec spec = {.argv = argv, .envp = env, .stdin_fd = -1, .uid = (uid_t)-1,
                             .gid = (gid_t)-1, .limits = {.wall_ms = 60000},
                             .cgroup = cgroup->folder};
    struct proc_result result = {0};
    OK(proc_run(&spec, NULL, &result, NULL) == 0);
    return result;
}

static void test_real(void)
{
    char folder[FILE_PATH_BYTES], again[FILE_PATH_BYTES] = "";
    struct err why = {0};
    tap_case("real cgroups");
    if (cgroup_find(folder, &why) < 0) {
        printf("# %s\n", why.text);
        tap_skip("NO REAL CGROUP IS TESTED: none is delegated to this test");
        return;
    }
    printf("# %s\n", folder);
    OK(cgroup_find(again, NULL) == 0);
    EQ_STR(again, folder);

    tap_case("memory is bounded in total");
    struct cgroup cgroup;
    struct cgroup_limits limits = {128 << 20, 64};
    OK(cgroup_make(folder, &limits, &cgroup, NULL) == 0);
    run_in(&cgroup, "head -c 9000000 /dev/zero | tail -c 9000000 | wc -c");
    EQ_INT(cgroup_memory(&cgroup), CGROUP_FITS);
    run_in(&cgroup, "for i in 1 2 3 4; do (head -c 60000000 /dev/zero | tail -c 60000000 | "
                    "(sleep 1; cat) > /dev/null) & done; wait");
    EQ_INT(cgroup_memory(&cgroup), CGROUP_RAN_OUT);
    OK(cgroup_end(&cgroup, NULL) == 0 && access(cgroup.folder, F_OK) != 0);

    tap_case("processes too, and what stays behind ends with the cgroup");
    limits.processes = 16;
    OK(cgroup_make(folder, &limits, &cgroup, NULL) == 0);
    struct proc_result bomb =
        run_in(&cgroup, "i=0; while [ $i -lt 64 ]; do setsid sleep 300 >/dev/null 2>&1 & "
                        "i=$((i+1)); done; exit 7");
    OK(bomb.end == PROC_EXITED && bomb.code != 7); /* a shell that cannot fork gives up */
    EQ_INT(cgroup_memory(&cgroup), CGROUP_FITS);
    OK(cgroup_end(&cgroup, NULL) == 0 && access(cgroup.folder, F_OK) != 0);
}

int main(void)
{
    if (mkdtemp(temp) == NULL)
        return 1;
    test_find();
    test_limit();
    test_sweep();
    test_real();
    tap_case("clean-up");
    OK(file_remove_tree(temp, NULL) == 0);
    return tap_done();
}
