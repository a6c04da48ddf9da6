/* SPDX-License-Identifier: Apache-2.0 */
/* base/err, buf, file, json and proc: ceilings, all-or-nothing, kill timers. */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/name.h"
#include "base/near.h"
#include "base/proc.h"
#include "base/utc.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/ratchet-test-base-XXXXXX";

static void test_err(void)
{
    struct err err;
    tap_case("an error is one line, wrapped outermost first");
    OK(err_set(&err, ERR_INPUT, "key `%s`", "a\nb") == -1);
    EQ_STR(err.text, "key `a?b`");
    OK(err_wrap(&err, "file `%s`", "f") == -1);
    EQ_STR(err.text, "file `f`: key `a?b`");
    EQ_INT(err_exit_code(err.class), 64);
    err_errno(&err, ERR_INPUT, ENOSPC, "write `x`");
    tap_case("a full disk is the host's problem, whoever wrote");
    EQ_INT(err.class, ERR_HOST);
    EQ_INT(err_exit_code(err.class), EXIT_UNMEASURED);
    EQ_STR(err.text, "write `x`: No space left on device");
}

static void test_buf(void)
{
    tap_case("a buffer stops at its ceiling and keeps what it had");
    BUF_AUTO buf;
    buf_init(&buf, 5);
    EQ_STR(buf.data, "");
    buf_adds(&buf, "abcd");
    buf_adds(&buf, "ef");
    OK(buf.failed);
    EQ_STR(buf.data, "abcd");
    buf_addc(&buf, 'x');
    EQ_INT(buf.len, 4);
    buf_clear(&buf);
    buf_addf(&buf, "%d", 12345);
    EQ_STR(buf.data, "12345");
    OK(!buf.failed);
}

static void test_file(void)
{
    struct err err;
    char path[FILE_PATH_BYTES], other[FILE_PATH_BYTES];
    OK(file_path(path, &err, "%s/a/b/c", folder) == 0);
    tap_case("folders, whole writes, copies, hashes");
    OK(file_mkdirs(path, 0700, &err) == 0);
    OK(file_mkdirs(path, 0700, &err) == 0);
    OK(file_path(path, &err, "%s/a/b/c/f", folder) == 0);
    OK(file_write(path, "hello", 5, 0640, &err) == 0);
    OK(file_write(path, "hallo", 5, 0600, &err) == 0);
    OK(file_append(path, "!", 1, &err) == 0);
    BUF_AUTO text;
    buf_init(&text, 6);
    OK(file_read(path, &text, &err) == 0);
    EQ_STR(text.data, "hallo!");
    char hash[FILE_SHA256_BYTES];
    file_sha256("abc", 3, hash); /* FIPS 180-2, appendix B.1 */
    EQ_STR(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    OK(file_path(other, &err, "%s/copy", folder) == 0);
    OK(file_copy(path, other, 0755, &err) == 0);
    OK(file_copy(path, other, 0755, &err) != 0);
    tap_case("errors say what and where");
    buf_free(&text);
    buf_init(&text, 3);
    OK(file_read(path, &text, &err) == -1 && err.class == ERR_LIMIT);
    OK(file_path(other, &err, "%s/absent", folder) == 0);
    OK(file_read(other, &text, &err) == -1 && err.class == ERR_NOT_FOUND);
    OK(file_read(folder, &text, &err) == -1 && err.class == ERR_INPUT);
    HAS(err.text, "is not a regular file");
    OK(file_write("/proc/absent/f", "x", 1, 0600, &err) == -1);
    char fifo[FILE_PATH_BYTES];
    struct stat info;
    OK(file_path(fifo, NULL, "%s/fifo", folder) == 0 && mkfifo(fifo, 0600) == 0);
    OK(file_write(fifo, "x", 1, 0600, &err) == -1);
    EQ_INT(err.class, ERR_INPUT);
    OK(stat(fifo, &info) == 0 && S_ISFIFO(info.st_mode)); /* nor is a file put in its place */

    tap_case("what a killed write left is known by its name, and that of one file removed");
    static const char *const names[] = {"half.a1B2c3",  "half.a1B2c3d", "half.a1B2-3",
                                        "half.x.a1B2c3", "halfa.a1B2c3", "half"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        OK(file_path(other, &err, "%s/%s", folder, names[i]) == 0 &&
           file_write(other, "x", 1, 0600, &err) == 0);
        EQ_INT(file_is_half(names[i]), i == 0 || i == 3 || i == 4);
    }
    OK(file_path(other, &err, "%s/half", folder) == 0 && file_drop_half(other, &err) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        OK(file_path(other, &err, "%s/%s", folder, names[i]) == 0);
        EQ_INT(access(other, F_OK), i == 0 ? -1 : 0);
    }
    OK(file_drop_half("/proc/absent/f", &err) == 0);

    tap_case("a lock is exclusive and dies with its holder");
    OK(file_path(other, &err, "%s/lock", folder) == 0);
    int held = -1, second = -1;
    OK(file_lock(other, &held, &err) == 0);
    OK(file_lock(other, &second, &err) == -1 && err.class == ERR_CONFLICT);
    EQ_INT(second, -1);
    char holder[64];
    snprintf(holder, sizeof holder, "held by process %d (test_base, user %u)", (int)getpid(),
             (unsigned)geteuid());
    HAS(err.text, holder);
    file_close(&held);
    OK(file_lock(other, &second, &err) == 0);
    file_close(&second);
}

/* As fs.protected_regular has it in a folder that others may write: whoever opens with O_CREAT what
 * may be there already is refused. */
static bool refuse_plain_creat(void)
{
    enum { FLAGS = offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t) };
    struct sock_filter lines[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FLAGS),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, O_CREAT | O_EXCL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, O_CREAT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = sizeof lines / sizeof lines[0], .filter = lines};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* How the child ended that locks `path`, twice. */
static int lock_protected(const char *path)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = -1;
        if (!refuse_plain_creat() || open(path, O_RDWR | O_CREAT, 0600) >= 0 || errno != EACCES)
            _exit(1);
        if (file_lock(path, &fd, NULL) != 0) /* made */
            _exit(2);
        file_close(&fd);
        _exit(file_lock(path, &fd, NULL) == 0 ? 0 : 3);
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_shared_lock(void)
{
    struct err err;
    struct stat info;
    char path[FILE_PATH_BYTES];
    tap_case("a lock is everybody's, whatever the umask of who made it");
    OK(file_path(path, &err, "%s/shared.lock", folder) == 0);
    mode_t before = umask(077);
    int fd = -1;
    OK(file_lock(path, &fd, &err) == 0);
    umask(before);
    OK(stat(path, &info) == 0);
    EQ_INT(info.st_mode & 0777, 0644);
    file_close(&fd);

    tap_case("fs.protected_regular");
    OK(file_path(path, &err, "%s/protected.lock", folder) == 0);
    EQ_INT(lock_protected(path), 0);
}

static void test_remove(void)
{
    struct err err;
    char path[FILE_PATH_BYTES], outside[FILE_PATH_BYTES];
    tap_case("a tree is removed whatever its depth, and links are not followed");
    OK(file_path(outside, &err, "%s/outside", folder) == 0);
    OK(file_write(outside, "kept", 4, 0600, &err) == 0);
    OK(file_path(path, &err, "%s/deep", folder) == 0);
    OK(file_mkdirs(path, 0700, &err) == 0);
    char here[FILE_PATH_BYTES];
    OK(getcwd(here, sizeof here) != NULL);
    bool made = chdir(path) == 0;
    for (int i = 0; made && i < 3000; i++)
        made = mkdir("d", 0700) == 0 && chdir("d") == 0;
    OK(made && symlink(folder, "link") == 0);
    OK(chdir(here) == 0);
    OK(file_remove_tree(path, &err) == 0);
    OK(access(path, F_OK) != 0 && access(outside, F_OK) == 0);
    OK(file_remove_tree(path, &err) == 0);
}

static int parse(const char *text, json_t **out, struct err *err)
{
    return json_parse(text, strlen(text), "f.json", out, err);
}

static void test_json(void)
{
    struct err err;
    JSON_AUTO *json = NULL;
    tap_case("foreign JSON is refused with file and line");
    OK(parse("{\"a\": 1, \"a\": 2}", &json, &err) == -1);
    HAS(err.text, "f.json: line 1: not JSON: duplicate");
    OK(parse("[1]", &json, &err) == -1);
    OK(parse("{\"a\":", &json, &err) == -1);
    OK(parse("{} x", &json, &err) == -1);
    OK(parse("{\"a\": NaN}", &json, &err) == -1);
    char deep[101];
    memset(deep, '[', 100);
    deep[100] = '\0';
    OK(parse(deep, &json, &err) == -1);
    HAS(err.text, "nested deeper than 32");
    OK(json == NULL);

    tap_case("what git left in it is named");
    OK(parse("{\n<<<<<<< HEAD\n\"a\": 1\n=======\n\"a\": 2\n>>>>>>> x\n}", &json, &err) == -1);
    EQ_STR(err.text, "f.json: line 2: conflict marker `<<<<<<<`, not JSON");
    OK(parse("{\"a\": 1\n||||||| base\n}", &json, &err) == -1);
    HAS(err.text, "line 2: conflict marker `|||||||`");
    OK(parse("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", &json, &err) == -1);
    EQ_STR(err.text, "f.json: line 1: pointer of Git LFS, not JSON");
    OK(parse("{\"a\": \"========\", <<<<<<<<}", &json, &err) == -1);
    HAS(err.text, "not JSON: ");
    EQ_INT(err.class, ERR_INPUT);
    OK(parse("{\"a\": \"<<<<<<< x\"}", &json, &err) == 0);
    json_free(&json);

    tap_case("a value of the wrong type names its path");
    OK(parse("{\"c\": [{\"n\": \"x\", \"i\": 1.5, \"r\": 7, \"z\": null}]}", &json, &err) == 0);
    struct json_at root = {.key = "f.json"};
    json_t *list;
    OK(json_get_array(json, "c", &root, &list, &err) == 0);
    struct json_at in_list = {.parent = &root, .key = "c"};
    struct json_at item = {.parent = &in_list, .index = 0};
    const json_t *object = json_array_get(list, 0);
    char text[8] = "kept";
    long long number = 3;
    OK(json_get_int(object, "i", &item, 0, 9, &number, &err) == -1);
    EQ_STR(err.text, "f.json: c[0].i: expected a whole number");
    OK(json_get_int(object, "r", &item, 0, 6, &number, &err) == -1);
    EQ_INT(number, 3);
    OK(json_get_string(object, "absent", &item, text, sizeof text, &err) == -1);
    EQ_STR(err.text, "f.json: c[0].absent: missing, expected a string");
    EQ_STR(text, "kept");
    OK(json_get_string(object, "n", &item, text, sizeof text, &err) == 0);
    EQ_STR(text, "x");
    OK(!json_has(object, "z") && json_has(object, "r"));
}

static struct proc_spec shell(const char *script, const char *argv[4])
{
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = NULL;
    return (struct proc_spec){.argv = argv, .stdin_fd = -1, .uid = (uid_t)-1};
}

static void test_run(void)
{
    struct err err;
    struct proc_result result;
    const char *argv[4];
    BUF_AUTO out;
    buf_init(&out, 4096);
    setenv("RATCHET_TEST_SECRET", "hunter2", 1);
    tap_case("a child has an empty environment and gives its exit code");
    struct proc_spec spec = shell("/usr/bin/env; echo to-stderr >&2; exit 7", argv);
    OK(proc_run(&spec, &out, &result, &err) == 0);
    EQ_INT(result.end, PROC_EXITED);
    EQ_INT(result.code, 7);
    HAS(out.data, "to-stderr");
    OK(strstr(out.data, "hunter2") == NULL);

    tap_case("only three descriptors are the child's");
    int leak = dup(0);
    buf_clear(&out);
    spec = shell("ls /proc/self/fd | wc -l", argv);
    OK(proc_run(&spec, &out, &result, &err) == 0);
    EQ_INT(atoi(out.data), 4); /* 0, 1, 2 and the folder that ls reads */
    close(leak);

    tap_case("long output keeps its head and its tail");
    BUF_AUTO small;
    buf_init(&small, 400);
    spec = shell("echo first; seq 1 5000; echo last", argv);
    OK(proc_run(&spec, &small, &result, &err) == 0);
    OK(result.truncated && small.len < 600);
    HAS(small.data, "first\n");
    HAS(small.data, "last\n");
    HAS(small.data, "bytes left out");

    tap_case("a child that hangs is killed with what it started");
    spec = shell("sleep 1000 & sleep 1000", argv);
    spec.limits.wall_ms = 100;
    OK(proc_run(&spec, NULL, &result, &err) == 0);
    EQ_INT(result.end, PROC_TIMED_OUT);
    tap_case("so is one that closed its output");
    spec = shell("exec >&- 2>&-; exec sleep 1000", argv);
    spec.limits.wall_ms = 100;
    OK(proc_run(&spec, NULL, &result, &err) == 0);
    EQ_INT(result.end, PROC_TIMED_OUT);
    tap_case("death by signal is told");
    spec = shell("kill -SEGV $$", argv);
    OK(proc_run(&spec, NULL, &result, &err) == 0);
    OK(result.end == PROC_SIGNALLED && result.code == 11);
    tap_case("a program that is not there is the host's problem");
    argv[0] = "no-such-program-here";
    OK(proc_run(&spec, NULL, &result, &err) == -1 && err.class == ERR_HOST);
    argv[0] = "/etc/hostname";
    OK(proc_run(&spec, NULL, &result, &err) == -1);
    HAS(err.text, "start `/etc/hostname`: ");
}

static int keep_some(void *context, const char *bytes, size_t len)
{
    struct buf *kept = context;
    buf_add(kept, bytes, len);
    return kept->failed ? -1 : 0;
}

/* Slower than any writer: there is always something ready. */
static int take_slowly(void *context, const char *bytes, size_t len)
{
    (void)context;
    (void)bytes;
    (void)len;
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    return 0;
}

static void test_side(void)
{
    struct err err;
    struct proc_result result;
    const char *argv[4];
    BUF_AUTO out, side;
    buf_init(&out, 1000);
    buf_init(&side, 1000);
    struct proc_side taker = {keep_some, &side};
    tap_case("a child's descriptor 3 is taken apart from its output");
    struct proc_spec spec = shell("echo one; echo two >&3; ls /proc/self/fd | wc -l", argv);
    spec.side = &taker;
    OK(proc_run(&spec, &out, &result, &err) == 0 && result.end == PROC_EXITED);
    EQ_STR(side.data, "two\n");
    EQ_STR(out.data, "one\n5\n"); /* 0 to 3, and the folder that ls reads */
    tap_case("a taker that has enough ends the writer, not the run");
    buf_clear(&out);
    buf_clear(&side);
    spec = shell("cat /dev/zero >&3; echo $?; exit 4", argv);
    spec.side = &taker;
    OK(proc_run(&spec, &out, &result, &err) == 0);
    OK(result.end == PROC_EXITED && result.code == 4);
    EQ_STR(out.data, "141\n");
    tap_case("a child that never stops talking is killed all the same");
    const struct proc_side slow = {take_slowly, NULL};
    spec = shell("cat /dev/zero >&3", argv);
    spec.side = &slow;
    spec.limits.wall_ms = 100;
    OK(proc_run(&spec, NULL, &result, &err) == 0);
    EQ_INT(result.end, PROC_TIMED_OUT);
    tap_case("a child joins the cgroup it is given, and starts in no other");
    char procs[160];
    snprintf(procs, sizeof procs, "%s/cgroup.procs", folder);
    spec = shell("exit 0", argv);
    spec.cgroup = folder;
    OK(proc_run(&spec, NULL, &result, &err) == -1 && err.class == ERR_HOST);
    OK(file_write(procs, "", 0, 0644, NULL) == 0);
    OK(proc_run(&spec, NULL, &result, &err) == 0 && result.code == 0);
    buf_clear(&out);
    OK(file_read(procs, &out, NULL) == 0);
    EQ_STR(out.data, "0");
}

/* ---- a long silence ---- */

static bool hurried; /* then the longest wait of one poll() is over in a moment */

int __real_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms)
{
    return __real_poll(fds, count, hurried && ms >= 1000000 ? 1 : ms);
}

static int be_silent(void *context, struct err *err)
{
    (void)err;
    return nanosleep(context, NULL);
}

/* A limit far beyond what one poll() waits. */
static void test_silence(void)
{
    enum { LIMIT_MS = 3000000000u };
    struct err err;
    struct proc_result result;
    struct timespec pause = {.tv_nsec = 100000000};
    const char *argv[4];
    BUF_AUTO out;
    buf_init(&out, 100);
    hurried = true;
    tap_case("a child that is silent for longer than one poll() lives as long as its limit says");
    struct proc_spec spec = shell("sleep 0.1; echo said", argv);
    spec.limits.wall_ms = LIMIT_MS;
    OK(proc_run(&spec, &out, &result, &err) == 0);
    OK(result.end == PROC_EXITED && result.code == 0);
    EQ_STR(out.data, "said\n");
    tap_case("so does a call");
    OK(proc_call(be_silent, &pause, LIMIT_MS, &err) == 0);
    tap_case("and a child that is talked to");
    struct proc_child *child;
    OK(proc_start(&spec, 100, &child, &err) == 0);
    buf_clear(&out);
    OK(proc_read_line(child, proc_now_ns() + LIMIT_MS * 1000000ull, &out, &err) == 0);
    EQ_STR(out.data, "said");
    proc_finish(child, 1000, NULL);
    hurried = false;
}

static int fail_with_conflict(void *context, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "seen %d", *(int *)context);
}

static int hang(void *context, struct err *err)
{
    (void)context;
    (void)err;
    while (pause() != 0)
        ;
    return 0;
}

static int die(void *context, struct err *err)
{
    (void)context;
    (void)err;
    raise(SIGKILL);
    return 0;
}

static void test_call(void)
{
    struct err err;
    int seven = 7;
    tap_case("a call in a child brings its error back");
    OK(proc_call(fail_with_conflict, &seven, 10000, &err) == -1);
    OK(err.class == ERR_CONFLICT);
    EQ_STR(err.text, "seen 7");
    OK(proc_call(hang, NULL, 50, &err) == -1 && err.class == ERR_TIMEOUT);
    OK(proc_call(die, NULL, 10000, &err) == -1 && err.class == ERR_INTERNAL);
}

static void test_talk(void)
{
    struct err err;
    const char *argv[4];
    struct proc_child *child = NULL;
    tap_case("a child is talked to line by line");
    struct proc_spec spec =
        shell("read a; echo got $a; echo oops >&2; head -c 9999 /dev/zero; read b", argv);
    OK(proc_start(&spec, 100, &child, &err) == 0);
    OK(proc_send(child, "hi\n", 3, &err) == 0);
    BUF_AUTO line;
    buf_init(&line, 100);
    OK(proc_read_line(child, proc_now_ns() + 10000000000u, &line, &err) == 0);
    EQ_STR(line.data, "got hi");
    buf_clear(&line);
    OK(proc_read_line(child, proc_now_ns() + 10000000000u, &line, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    EQ_STR(proc_stderr(child)->data, "oops\n");
    struct proc_result result;
    proc_finish(child, 10000, &result);
    EQ_INT(result.end, PROC_EXITED);

    tap_case("silence and death are told apart");
    spec = shell("read a; exit 3", argv);
    OK(proc_start(&spec, 100, &child, &err) == 0);
    buf_clear(&line);
    OK(proc_read_line(child, proc_now_ns() + 1000000, &line, &err) == -1);
    EQ_INT(err.class, ERR_TIMEOUT);
    OK(proc_send(child, "x\n", 2, &err) == 0);
    OK(proc_read_line(child, 0, &line, &err) == -1);
    EQ_INT(err.class, ERR_NOT_FOUND);
    proc_finish(child, 10000, &result);
    EQ_INT(result.code, 3);
}

static void test_near(void)
{
    static const char *const names[] = {"head", "heads", "heads-kv", "device", "pr"};
    static const struct {
        const char *given, *near;
    } cases[] = {{"haed", NULL}, {"hea", "head"}, {"headss", "heads"}, {"heds-k", "heads-kv"}, {"devcie", "device"},
                 {"dvce", "device"}, {"dvc", NULL}, {"p", NULL}, {"", NULL}, {"head", "head"}, {"heads=3", "heads"}};
    tap_case("what a misspelt name was meant to be");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct near near = {.word = cases[i].given, .len = strcspn(cases[i].given, "=")};
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++)
            near_offer(&near, names[j]);
        EQ_STR(near.name == NULL ? "none" : near.name, cases[i].near == NULL ? "none" : cases[i].near);
    }
    char said[NEAR_TEXT_BYTES], word[200];
    memset(word, 'x', sizeof word);
    struct near near = {.word = word, .len = sizeof word};
    near_offer(&near, "x");
    EQ_STR(near_text(&near, "--", said), "");
    near = (struct near){.word = "hea", .len = 3};
    near_offer(&near, "head");
    EQ_STR(near_text(&near, "--", said), "; did you mean `--head`?");
}

static void test_names(void)
{
    tap_case("names");
    OK(name_ok("a", 2) && name_ok("nvidia-h200", 64) && name_ok("_x.1", 5));
    OK(!name_ok("", 64) && !name_ok("ab", 2) && !name_ok("a b", 64) && !name_ok("a/b", 64));
    OK(!name_ok(".a", 64) && !name_ok("-a", 64) && !name_ok("\xc3\xa4", 64));
    OK(name_is_branch("main") && name_is_branch("release/1.0") && name_is_branch("a@b"));
    static const char *const bad[] = {"", "refs/heads/main", "/a", "a/", "a//b", "a..b", "-a", "a b",
                                      "a~1", "a^", "a:b", "a?", "a*", "[a", "a\\b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(!name_is_branch(bad[i]));
    OK(name_is_hex("00ff", 4) && !name_is_hex("00ff", 3) && !name_is_hex("00ff", 5));
    OK(!name_is_hex("00FF", 4) && !name_is_hex("00fg", 4));

    tap_case("a key for any name");
    char key[FILE_KEY_BYTES], other[FILE_KEY_BYTES];
    file_key("../acme/kernels", key);
    file_key("acme/kernels", other);
    OK(name_is_hex(key, 32) && name_is_hex(other, 32) && strcmp(key, other) != 0);
}

static void test_programs(void)
{
    struct err err = {0};
    char path[FILE_PATH_BYTES], before[4096];
    const char *old = getenv("PATH");
    snprintf(before, sizeof before, "%s", old == NULL ? "" : old);
    tap_case("a program is looked up on PATH");
    setenv("PATH", "/nowhere::bin:/usr/bin:/bin", 1);
    OK(proc_find("sh", path, &err) == 0);
    OK(path[0] == '/' && access(path, X_OK) == 0);
    OK(proc_find("/bin/sh", path, &err) == 0);
    EQ_STR(path, "/bin/sh");
    OK(proc_find("no-such-program", path, &err) == -1 && err.class == ERR_HOST);
    EQ_STR(err.text, "program `no-such-program` is not installed");
    OK(proc_find("no-such-program", path, NULL) == -1);
    char place[] = "/tmp/ratchet-find-XXXXXX";
    OK(mkdtemp(place) != NULL && chdir(place) == 0);
    OK(mkdir("bin", 0700) == 0 && symlink("/bin/sh", "bin/of-a-relative-folder") == 0);
    OK(proc_find("of-a-relative-folder", path, &err) == -1); /* the child is elsewhere */
    OK(chdir("/") == 0 && file_remove_tree(place, &err) == 0);
    setenv("PATH", before, 1);
}

static void test_utc(void)
{
    static const struct {
        long long seconds;
        const char *text;
    } times[] = {{0, "1970-01-01T00:00:00Z"},
                 {1763687420, "2025-11-21T01:10:20Z"},
                 {-1, "1970-01-01T00:00:00Z"},
                 {253402300799, "9999-12-31T23:59:59Z"},
                 {253402300800, "9999-12-31T23:59:59Z"},
                 {LLONG_MIN, "1970-01-01T00:00:00Z"},
                 {LLONG_MAX, "9999-12-31T23:59:59Z"}};
    char text[UTC_BYTES];
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        tap_case(times[i].text);
        EQ_STR(utc_text(text, times[i].seconds), times[i].text);
    }
    OK(strlen(utc_now(text)) == strlen(times[0].text));
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    test_err();
    test_buf();
    test_file();
    test_shared_lock();
    test_remove();
    test_json();
    test_run();
    test_side();
    test_silence();
    test_call();
    test_talk();
    struct err err;
    tap_case("clean-up");
    OK(file_remove_tree(folder, &err) == 0);
    test_near();
    test_names();
    test_programs();
    test_utc();
    return tap_done();
}
