/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox from inside, with the real bwrap: what a stranger's code can see, reach,
 * use up and leave behind. As root the jobs run as user 65534, and the whole test runs a
 * second time as that user itself; otherwise as whoever we are. */
#include "measure/sandbox.h"

#include "base/file.h"
#include "tests/tap.h"
#include "tests/unit/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static char temp[64];
static char source[128]; /* bound to /src of a bench, writable; a build has one of its own */
static char inside[128]; /* the program below, bound to /inside */
static uid_t job_uid = (uid_t)-1;
static gid_t job_gid = (gid_t)-1;

/* What runs in the sandbox where a shell cannot: BENCH has none. Built without
 * sanitizers, which cannot live under a limit of address space. */
static const char inside_source[] =
    "#define _GNU_SOURCE\n"
    "#include <arpa/inet.h>\n#include <errno.h>\n#include <fcntl.h>\n#include <ftw.h>\n"
    "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "#include <sys/socket.h>\n#include <sys/stat.h>\n#include <unistd.h>\n"
    "static char **names;\n"
    "static int seen(const char *p, const struct stat *s, int t, struct FTW *f) {\n"
    "  if (strncmp(p, \"/proc\", 5) == 0) return FTW_SKIP_SUBTREE;\n"
    "  for (char **n = names; *n; n++) if (strcmp(p + f->base, *n) == 0 && "
    "S_ISREG(s->st_mode)\n"
    "      && (s->st_mode & 0111)) printf(\"%s\\n\", p);\n"
    "  if (!names[0] && (S_ISCHR(s->st_mode) || S_ISBLK(s->st_mode))) printf(\"%s\\n\", "
    "p);\n"
    "  (void)t; return FTW_CONTINUE; }\n"
    "static int reach(int port) {\n"
    "  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),\n"
    "    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};\n"
    "  int s = socket(AF_INET, SOCK_STREAM, 0);\n"
    "  return s >= 0 && connect(s, (void *)&a, sizeof a) == 0; }\n"
    "int main(int c, char **v) {\n"
    "  const char *verb = v[1]; names = v + 2;\n"
    "  if (!strcmp(verb, \"connect\")) return reach(atoi(v[2])) ? 0 : 9;\n"
    "  if (!strcmp(verb, \"write\")) { for (int i = 2; i < c; i++) {\n"
    "    int f = open(v[i], O_WRONLY | O_CREAT, 0644);\n"
    "    if (f >= 0) { printf(\"%s\\n\", v[i]); close(f); } } return 0; }\n"
    "  if (!strcmp(verb, \"read\")) { for (int i = 2; i < c; i++)\n"
    "    if (open(v[i], O_RDONLY) >= 0) printf(\"%s\\n\", v[i]); return 0; }\n"
    "  if (!strcmp(verb, \"memory\")) { size_t n = (size_t)atoi(v[2]) << 20;\n"
    "    char *p = malloc(n); if (!p) return 9; memset(p, 1, n); return p[n / 2] == 1 ? "
    "0 : 1; }\n"
    "  if (!strcmp(verb, \"fill\")) { static char b[65536]; int f = open(v[2], O_WRONLY "
    "| O_CREAT,\n"
    "    0644); for (int i = 0; i < 16 * atoi(v[3]); i++) if (write(f, b, sizeof b) < "
    "0)\n"
    "    return 9; return 0; }\n"
    "  if (!strcmp(verb, \"fork\")) { int n = 0; while (n < 2000) { int p = fork();\n"
    "    if (p == 0) { pause(); _exit(0); } if (p < 0) break; n++; }\n"
    "    printf(\"%d\\n\", n); return 0; }\n"
    "  if (!strcmp(verb, \"find\")) return nftw(\"/\", seen, 16, FTW_PHYS |\n"
    "    FTW_ACTIONRETVAL) < 0;\n"
    "  if (!strcmp(verb, \"die\")) { raise(SIGKILL); }\n"
    "  return 64; }\n";

/* ---- helpers ---- */

static bool set_up(void)
{
    strcpy(temp, "/tmp/ratchet-sandbox-XXXXXX");
    if (mkdtemp(temp) == NULL || chmod(temp, 0755) < 0)
        return false;
    snprintf(source, sizeof source, "%s/src", temp);
    snprintf(inside, sizeof inside, "%s/inside", temp);
    char code[128];
    snprintf(code, sizeof code, "%s/inside.c", temp);
    const char *const compile[] = {"gcc", "-O1", "-o", inside, code, NULL};
    if (mkdir(source, 0755) < 0 ||
        (job_uid != (uid_t)-1 && chown(source, job_uid, job_gid) < 0) ||
        file_write(code, inside_source, strlen(inside_source), 0644, NULL) < 0)
        return false;
    return jobs_run_host(compile, NULL, NULL);
}

struct run {
    struct err err;
    struct proc_result result;
    struct buf said;
    int rc;
};

static void run_free(struct run *run)
{
    buf_free(&run->said);
}
#define RUN_AUTO __attribute__((cleanup(run_free))) struct run

static struct run run_sandbox(enum sandbox_kind kind, const char *const *argv,
                              struct proc_limits limits)
{
    struct run run = {0};
    buf_init(&run.said, MIB);
    struct sandbox_bind binds[] = {{.from = inside, .to = "/inside"},
                                   {.from = source, .to = "/src", .writable = 1}};
    const char *const env[] = {"RATCHET_DEVICE=cpu", "EMPTY=", NULL};
    struct sandbox sandbox = {.kind = kind,
                              .device = &device_kind_cpu,
                              .binds = binds,
                              .bind_count = kind == SANDBOX_BUILD ? 1 : 2,
                              .argv = argv,
                              .env = env,
                              .cwd = "/src",
                              .uid = job_uid,
                              .gid = job_gid,
                              .limits = limits};
    if (sandbox.limits.wall_ms == 0)
        sandbox.limits.wall_ms = 60000;
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    run.rc = sandbox_command(&sandbox, &command, &spec, &run.err);
    if (run.rc == 0)
        run.rc = proc_run(&spec, &run.said, &run.result, &run.err);
    if (run.rc < 0)
        printf("# %s\n", run.err.text);
    return run;
}

static struct run shell_limited(const char *script, struct proc_limits limits)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    return run_sandbox(SANDBOX_BUILD, argv, limits);
}

static struct run shell(const char *script)
{
    return shell_limited(script, (struct proc_limits){0});
}

#define BENCH(limits, ...)                                                               \
    run_sandbox(SANDBOX_BENCH, (const char *const[]){"/inside", __VA_ARGS__, NULL},      \
                limits)
#define NO_LIMITS ((struct proc_limits){0})

/* ---- cases ---- */

static void test_not_bubblewrap(void)
{
    tap_case("a program that is not bubblewrap is refused");
    char path[128];
    snprintf(path, sizeof path, "%s/bwrap", temp);
    static const char text[] = "#!/bin/sh\necho hello\n";
    OK(file_write(path, text, strlen(text), 0755, NULL) == 0);
    char *old = strdup(getenv("PATH")), both[4096];
    snprintf(both, sizeof both, "%s:%s", temp, old);
    setenv("PATH", both, 1);
    struct err err = {0};
    OK(sandbox_probe(job_uid, job_gid, &err) < 0);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "is not bubblewrap");
    setenv("PATH", old, 1);
    free(old);
    unlink(path);
}

static void test_probe(void)
{
    struct err err = {0};
    tap_case("the probe passes here");
    if (!OK(sandbox_probe(job_uid, job_gid, &err) == 0))
        printf("# %s\n", err.text);

    tap_case("no bwrap says what to install");
    char *old = strdup(getenv("PATH"));
    setenv("PATH", temp, 1);
    OK(sandbox_probe(job_uid, job_gid, &err) < 0);
    setenv("PATH", old, 1);
    free(old);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "bubblewrap");
    OK(strchr(err.text, '\n') == NULL);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* In a user namespace of its own, where user namespaces can be forbidden for this process
 * alone. Exit 0: refused as it should be; 1: not; 77: could not be tried. */
static int probe_without_namespaces(void)
{
    char map[64];
    snprintf(map, sizeof map, "0 %lu 1", (unsigned long)geteuid());
    if (unshare(CLONE_NEWUSER) < 0 || !write_text("/proc/self/uid_map", map) ||
        !write_text("/proc/sys/user/max_user_namespaces", "0"))
        return 77;
    struct err err = {0};
    if (sandbox_probe((uid_t)-1, (gid_t)-1, &err) == 0)
        return 1;
    printf("# %s\n", err.text);
    fflush(stdout);
    return err.class == ERR_HOST &&
                   strstr(err.text, "max_user_namespaces above 0") != NULL
               ? 0
               : 1;
}

static void test_no_namespaces(void)
{
    tap_case("where user namespaces are refused the error says what to set");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(probe_without_namespaces());
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        tap_skip("cannot make a user namespace to forbid them in");
    else
        OK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    tap_case("bwrap's own words are kept, in one line");
    struct err err = {0};
    EQ_INT(sandbox_refused("noise\nbwrap: setting up uid map: Permission denied\n", &err),
           -1);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "bwrap: setting up uid map: Permission denied; ");
    sandbox_refused("", &err);
    HAS(err.text, "it said nothing");
}

static void test_environment(void)
{
    tap_case("the environment is exactly what was asked for");
    RUN_AUTO env = shell("env | sort");
    EQ_STR(env.said.data, "EMPTY=\nHOME=/home\nLANG=C.UTF-8\n"
                          "PATH=/usr/local/cuda/bin:/usr/bin:/bin\nPWD=/src\n"
                          "RATCHET_DEVICE=cpu\nSOURCE_DATE_EPOCH=315532800\n");

    tap_case("our token is nowhere in /proc");
    RUN_AUTO proc = shell("cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; true");
    HAS(proc.said.data, "RATCHET_DEVICE=cpu");
    OK(strstr(proc.said.data, "ghs_secret") == NULL);

    tap_case("an entry that is not NAME=value is ours to mend");
    const char *const argv[] = {"/bin/true", NULL};
    const char *const bad[] = {"NOVALUE", NULL};
    struct sandbox sandbox = {
        .kind = SANDBOX_BUILD, .argv = argv, .env = bad, .uid = job_uid, .gid = job_gid};
    struct sandbox_command *command = NULL;
    struct proc_spec spec;
    struct err err = {0};
    OK(sandbox_command(&sandbox, &command, &spec, &err) < 0);
    EQ_INT(err.class, ERR_INTERNAL);
    OK(command == NULL);
}

static void test_identity(void)
{
    tap_case("a user that owns nothing, no groups, no capabilities, no way to get any");
    RUN_AUTO run = shell("id; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status;"
                         "unshare -U true 2>/dev/null && echo nested; hostname; true");
    HAS(run.said.data, "uid=1000 gid=1000 groups=1000");
    HAS(run.said.data, "CapEff:\t0000000000000000");
    HAS(run.said.data, "CapBnd:\t0000000000000000");
    HAS(run.said.data, "NoNewPrivs:\t1");
    HAS(run.said.data, "\nratchet\n");
    OK(strstr(run.said.data, "nested") == NULL);

    tap_case("nothing of the host is seen among the processes");
    RUN_AUTO processes = shell("ls /proc | grep -c '^[0-9]'");
    OK(atoi(processes.said.data) > 0 && atoi(processes.said.data) <= 6);
}

static void test_network(void)
{
    tap_case("no network, not even the host's loopback");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof at;
    OK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
       listen(listener, 4) == 0 &&
       getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    char port[16];
    snprintf(port, sizeof port, "%d", ntohs(at.sin_port));
    const char *const outside[] = {inside, "connect", port, NULL};
    OK(jobs_run_host(outside, NULL, NULL)); /* the check itself can succeed */
    RUN_AUTO run = BENCH(NO_LIMITS, "connect", port);
    EQ_INT(run.result.code, 9);
    RUN_AUTO devices = shell("tail -n +3 /proc/net/dev | grep -vc ' lo:'");
    EQ_STR(devices.said.data, "0\n");
    close(listener);
}

static void test_files(void)
{
    tap_case("secrets and homes of the host are not there");
    RUN_AUTO secrets =
        shell("cat /etc/shadow /etc/passwd /root/.profile 2>/dev/null; "
              "ls -A /etc /home /root /var /mnt /srv /opt 2>/dev/null; true");
    OK(strstr(secrets.said.data, "root:") == NULL);
    OK(strstr(secrets.said.data, "/root:") == NULL);
    HAS(secrets.said.data, "/home:\n");

    tap_case("BUILD writes in /src and the private folders only");
    const char *const argv[] = {
        "/inside", "write", "/src/x", "/tmp/x", "/home/x", "/dev/shm/x", "/x", "/usr/x",
        "/usr/bin/x", "/etc/x", "/etc/alternatives/x", "/dev/x", "/run/x", "/inside",
        "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", NULL};
    RUN_AUTO build = run_sandbox(SANDBOX_BUILD, argv, NO_LIMITS);
    EQ_STR(build.said.data, "/src/x\n/tmp/x\n/home/x\n/dev/shm/x\n");
    RUN_AUTO bench = run_sandbox(SANDBOX_BENCH, argv, NO_LIMITS);
    EQ_STR(bench.said.data, "/src/x\n/tmp/x\n/home/x\n/dev/shm/x\n");

    tap_case("what was written belongs to the job's user");
    char path[160];
    snprintf(path, sizeof path, "%s/x", source);
    struct stat st = {0};
    OK(stat(path, &st) == 0);
    EQ_INT(st.st_uid, job_uid == (uid_t)-1 ? geteuid() : job_uid);

    tap_case("the private folders are bounded");
    RUN_AUTO mounts =
        shell("grep -E '^tmpfs /(build .*size=524288k|dev/shm .*size=65536k)' /proc/mounts | "
              "wc -l; df -P /src /tmp /home | tail -n 3 | sort -u | wc -l");
    EQ_STR(mounts.said.data, "2\n1\n");
}

static void test_bench(void)
{
    tap_case("BENCH has no compiler, no shell, no interpreter");
    RUN_AUTO tools = BENCH(NO_LIMITS, "find", "gcc", "cc", "cc1", "cc1plus", "clang",
                           "as", "ld", "ld.bfd", "collect2", "sh", "dash", "bash",
                           "python3", "perl", "nvcc", "ptxas", "bwrap");
    EQ_INT(tools.result.code, 0);
    EQ_STR(tools.said.data, "");
    RUN_AUTO self = BENCH(NO_LIMITS, "find", "inside"); /* the search does find things */
    EQ_STR(self.said.data, "/inside\n");

    tap_case("the CPU's BENCH has no device and no /sys");
    RUN_AUTO devices = BENCH(NO_LIMITS, "find");
    HAS(devices.said.data, "/dev/null\n");
    for (char *line = strtok(devices.said.data, "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        static const char *const known[] = {"/dev/null",    "/dev/zero",     "/dev/full",
                                            "/dev/random",  "/dev/urandom",  "/dev/tty",
                                            "/dev/console", "/dev/pts/ptmx", "/dev/ptmx"};
        bool ok = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            ok = ok || strcmp(line, known[i]) == 0;
        if (!OK(ok))
            printf("# %s\n", line);
    }
    RUN_AUTO sys =
        BENCH(NO_LIMITS, "read", "/sys/kernel", "/usr/bin", "/etc", "/proc/self");
    EQ_STR(sys.said.data, "/etc\n/proc/self\n");
}

/* 0, or -1 with the class and a part of the text of the error. */
static void exposes(const char *dir, const char *part)
{
    char real[FILE_PATH_BYTES] = "untouched";
    struct sandbox_bind bind = {.from = "untouched"};
    struct err err = {0};
    bool fine = sandbox_expose(dir, real, &bind, &err) == 0;
    if (!EQ_INT(fine, part == NULL))
        printf("# `%s`: %s\n", dir, err.text);
    if (fine)
        return;
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, part);
    HAS(err.text, dir);
    EQ_STR(bind.from, "untouched");
    EQ_STR(real, "untouched");
}

static void test_expose(void)
{
    static const char *const refused[] = {
        "/proc", "/proc/self", "/sys", "/dev", "/run", "/etc", "/etc/ssl", "/bin", "/usr",
        "/usr/bin", "/usr/lib", "/usr/include", "/tmp", "/home", "/root", "/var", "/var/lib"};
    static const char *const unplain[] = {"",       ".",         "usr/share",  "/",
                                          "/usr/",  "/usr/./share", "/usr//share", "/usr/..",
                                          "/usr/../usr/share"};
    char link[160], folder[160], file[160];
    tap_case("what may be exposed to a bench");
    exposes("/usr/share", NULL);
    exposes(source, NULL);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (access(refused[i], F_OK) == 0)
            exposes(refused[i], "may not be seen");
    for (size_t i = 0; i < sizeof unplain / sizeof *unplain; i++)
        exposes(unplain[i], "absolute path");
    exposes("/usr/share/no such folder", "No such file");
    snprintf(file, sizeof file, "%s/a-file", temp);
    OK(file_write(file, "x", 1, 0644, NULL) == 0);
    exposes(file, "is not a folder");
    tap_case("a link is what it leads to, and is seen under its own name");
    snprintf(link, sizeof link, "%s/to-etc", temp);
    OK(symlink("/etc/ssl", link) == 0);
    exposes(link, "may not be seen");
    snprintf(link, sizeof link, "%s/to-folder", temp);
    snprintf(folder, sizeof folder, "%s/folder", temp);
    OK(mkdir(folder, 0755) == 0 && symlink(folder, link) == 0);
    char real[FILE_PATH_BYTES];
    struct sandbox_bind bind;
    OK(sandbox_expose(link, real, &bind, NULL) == 0);
    EQ_STR(bind.from, folder);
    EQ_STR(bind.to, link);
    EQ_INT(bind.writable, 0);
}

static bool has_pair(const struct proc_spec *spec, const char *a, const char *b)
{
    for (size_t i = 0; spec->argv[i] != NULL && spec->argv[i + 1] != NULL; i++)
        if (strcmp(spec->argv[i], a) == 0 && strcmp(spec->argv[i + 1], b) == 0)
            return true;
    return false;
}

static void test_cuda(void)
{
    const char *const argv[] = {"/inside", "find", NULL};
    struct sandbox_bind bind = {.from = inside, .to = "/inside"};
    struct sandbox sandbox = {.kind = SANDBOX_BENCH,
                              .device = &device_kind_nvidia,
                              .argv = argv,
                              .binds = &bind,
                              .bind_count = 1,
                              .uid = job_uid,
                              .gid = job_gid,
                              .limits = {.memory_bytes = MIB}};
    tap_case("a bench's private folders are bounded");
    struct sandbox_command *plain __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec bounded;
    OK(sandbox_command(&sandbox, &plain, &bounded, NULL) == 0);
    OK(has_pair(&bounded, "--size", "536870912") == sandbox_bounds_disk());

    tap_case("a CUDA bench sees /sys read-only and keeps its address space");
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    OK(sandbox_command(&sandbox, &command, &spec, NULL) == 0);
    OK(has_pair(&spec, "--ro-bind", "/sys"));
    EQ_INT(spec.limits.memory_bytes, 0);
    EQ_INT(has_pair(&spec, "--dev-bind", "/dev/nvidiactl"),
           access("/dev/nvidiactl", F_OK) == 0);
    struct proc_result result = {0};
    OK(proc_run(&spec, NULL, &result, NULL) == 0 && result.end == PROC_EXITED);
    EQ_INT(result.code, 0);

    tap_case("a CUDA bench sees its own GPU alone");
    const struct gpu gpus[] = {{.minor = 0}, {.minor = 1}};
    for (size_t i = 0; i < 2; i++) {
        struct sandbox_command *own __attribute__((cleanup(sandbox_free))) = NULL;
        sandbox.gpu = &gpus[i];
        OK(sandbox_command(&sandbox, &own, &spec, NULL) == 0);
        EQ_INT(has_pair(&spec, "--dev-bind", "/dev/nvidia0"),
               i == 0 && access("/dev/nvidia0", F_OK) == 0);
        EQ_INT(has_pair(&spec, "--dev-bind", "/dev/nvidia1"),
               i == 1 && access("/dev/nvidia1", F_OK) == 0);
        OK(!has_pair(&spec, "--dev-bind", "/dev/nvidia-caps"));
    }

    tap_case("a CUDA build sees no device");
    struct sandbox_command *build __attribute__((cleanup(sandbox_free))) = NULL;
    sandbox.kind = SANDBOX_BUILD;
    OK(sandbox_command(&sandbox, &build, &spec, NULL) == 0);
    OK(!has_pair(&spec, "--ro-bind", "/sys"));
    OK(!has_pair(&spec, "--dev-bind", "/dev/nvidiactl"));
    EQ_INT(spec.limits.memory_bytes, MIB);
}

static void test_exit(void)
{
    tap_case("exit status comes through");
    RUN_AUTO seven = shell("exit 7");
    EQ_INT(seven.result.end, PROC_EXITED);
    EQ_INT(seven.result.code, 7);
    RUN_AUTO killed = BENCH(NO_LIMITS, "die");
    EQ_INT(killed.result.code, 128 + SIGKILL);
    RUN_AUTO pwd = shell("pwd");
    EQ_STR(pwd.said.data, "/src\n");
}

static void test_limits(void)
{
    tap_case("the memory limit bites");
    RUN_AUTO fits =
        BENCH(((struct proc_limits){.memory_bytes = 512ull * MIB}), "memory", "64");
    EQ_INT(fits.result.code, 0);
    RUN_AUTO over =
        BENCH(((struct proc_limits){.memory_bytes = 128ull * MIB}), "memory", "256");
    EQ_INT(over.result.code, 9);

    tap_case("the file size limit bites");
    RUN_AUTO file =
        BENCH(((struct proc_limits){.file_bytes = MIB}), "fill", "/src/big", "4");
    EQ_INT(file.result.code, 128 + SIGXFSZ);
    char path[160];
    snprintf(path, sizeof path, "%s/big", source);
    struct stat st = {0};
    OK(stat(path, &st) == 0);
    EQ_INT(st.st_size, MIB);
}

static void test_processes(void)
{
    tap_case("a fork bomb is bounded");
    RUN_AUTO bomb = BENCH(((struct proc_limits){.processes = 24}), "fork");
    EQ_INT(bomb.result.code, 0);
    OK(atoi(bomb.said.data) >= 8 && atoi(bomb.said.data) <= 24);

    tap_case("the user's processes outside do not count");
    pid_t others[40];
    for (size_t i = 0; i < 40; i++) {
        others[i] = fork();
        if (others[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (job_uid != (uid_t)-1 && setuid(job_uid) < 0)
                _exit(1);
            pause();
            _exit(0);
        }
    }
    RUN_AUTO few = shell_limited("/bin/true; /bin/true | /bin/true && echo fine",
                                 (struct proc_limits){.processes = 16});
    EQ_STR(few.said.data, "fine\n");
    for (size_t i = 0; i < 40; i++) {
        kill(others[i], SIGKILL);
        waitpid(others[i], NULL, 0);
    }
}

static void test_orphans(void)
{
    char mark[64], script[256];
    tap_case("what a job leaves behind dies with it");
    snprintf(mark, sizeof mark, "300.1%d", (int)getpid());
    snprintf(script, sizeof script,
             "setsid sleep %s >/dev/null 2>&1 </dev/null & sleep 0.1; exit 3", mark);
    RUN_AUTO orphan = shell(script);
    EQ_INT(orphan.result.code, 3);
    OK(jobs_gone(mark));

    tap_case("a timeout kills everything");
    snprintf(mark, sizeof mark, "300.2%d", (int)getpid());
    snprintf(script, sizeof script,
             "trap '' TERM INT HUP; setsid sleep %s & echo begun; sleep %s", mark, mark);
    RUN_AUTO timeout = shell_limited(script, (struct proc_limits){.wall_ms = 1500});
    EQ_INT(timeout.result.end, PROC_TIMED_OUT);
    HAS(timeout.said.data, "begun");
    OK(jobs_gone(mark));
}

static void test_total(void)
{
    char folder[FILE_PATH_BYTES];
    struct err why = {0};
    tap_case("all that is in a bench has a cgroup of its own");
    if (cgroup_find(folder, &why) < 0) {
        printf("# %s\n", why.text);
        tap_skip("NOT TESTED: THE TOTAL MEMORY OF A BENCH: no cgroup v2 is delegated to us");
        return;
    }
    const char *const argv[] = {"/inside", "memory", "256", NULL};
    const struct sandbox_bind bind = {.from = inside, .to = "/inside"};
    struct sandbox sandbox = {.kind = SANDBOX_BENCH,
                              .device = &device_kind_cpu,
                              .binds = &bind,
                              .bind_count = 1,
                              .argv = argv,
                              .cwd = "/",
                              .uid = job_uid,
                              .gid = job_gid,
                              .limits = {.wall_ms = 60000, .processes = 16}};
    for (int fits = 0; fits <= 1; fits++) {
        struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
        struct proc_spec spec;
        struct proc_result result = {0};
        sandbox.total_bytes = fits ? 512ull * MIB : 64ull * MIB;
        if (!OK(sandbox_command(&sandbox, &command, &spec, NULL) == 0 && spec.cgroup != NULL))
            continue;
        snprintf(folder, sizeof folder, "%s", spec.cgroup);
        OK(access(folder, F_OK) == 0);
        OK(proc_run(&spec, NULL, &result, NULL) == 0);
        EQ_INT(result.end == PROC_EXITED && result.code == 0, fits);
        EQ_INT(sandbox_memory(command), fits ? CGROUP_FITS : CGROUP_RAN_OUT);
        OK(sandbox_end(&command, NULL) == 0 && command == NULL);
        OK(access(folder, F_OK) != 0);
    }
}

static void wait_us(unsigned us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000L}, NULL);
}

/* A sandbox that sleeps, while which it may be found by its mark. */
static struct run sleeper(const char *mark, unsigned wall_ms)
{
    char script[96];
    snprintf(script, sizeof script, "exec sleep %s", mark);
    return shell_limited(script, (struct proc_limits){.wall_ms = wall_ms});
}

/* It takes a few milliseconds to make one: each of them is tried. */
static void test_half_made(void)
{
    enum { TRIES = 100, STEP_US = 200, WALL_MS = 20 };
    char mark[64];
    tap_case("whoever wants a sandbox is killed while it is made: it ends, too");
    snprintf(mark, sizeof mark, "300.3%d", (int)getpid());
    for (unsigned i = 0; i < TRIES; i++) {
        pid_t owner = fork();
        if (owner == 0) {
            RUN_AUTO run = sleeper(mark, 0);
            _exit(run.result.code);
        }
        wait_us(i * STEP_US);
        kill(owner, SIGKILL);
        waitpid(owner, NULL, 0);
    }
    OK(jobs_gone(mark));

    tap_case("its time is up while it is made");
    snprintf(mark, sizeof mark, "300.4%d", (int)getpid());
    for (unsigned i = 0; i < TRIES; i++) {
        RUN_AUTO run = sleeper(mark, 1 + i % WALL_MS);
        if (run.result.end != PROC_TIMED_OUT)
            EQ_INT(run.result.end, PROC_TIMED_OUT);
    }
    OK(jobs_gone(mark));

    tap_case("bubblewrap is killed while it makes it");
    snprintf(mark, sizeof mark, "300.5%d", (int)getpid());
    const char *const argv[] = {"/bin/sleep", mark, NULL};
    struct sandbox sandbox = {
        .kind = SANDBOX_BUILD, .argv = argv, .cwd = "/", .uid = job_uid, .gid = job_gid};
    for (unsigned i = 0; i < TRIES; i++) {
        struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
        struct proc_spec spec;
        struct proc_child *child = NULL;
        if (!(sandbox_command(&sandbox, &command, &spec, NULL) == 0 &&
              proc_start(&spec, MIB, &child, NULL) == 0))
            OK(child != NULL);
        wait_us(i * STEP_US);
        if (child != NULL)
            kill(proc_pid(child), SIGKILL);
        proc_finish(child, 1000, NULL);
    }
    OK(jobs_gone(mark));
}

static void test_users(void)
{
    const char *const argv[] = {"/bin/true", NULL};
    char hidden[128], below[160];
    snprintf(hidden, sizeof hidden, "%s/hidden", temp);
    snprintf(below, sizeof below, "%s/src", hidden);
    OK(mkdir(hidden, 0700) == 0 && mkdir(below, 0755) == 0);
    struct sandbox_bind bind = {.from = below, .to = "/run/source"};
    struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                              .argv = argv,
                              .binds = &bind,
                              .bind_count = 1,
                              .uid = JOBS_NOBODY,
                              .gid = JOBS_NOBODY};
    struct sandbox_command *command = NULL;
    struct proc_spec spec;
    struct err err = {0};
    if (geteuid() == 0) {
        tap_case("a folder that the user cannot reach is named");
        OK(sandbox_command(&sandbox, &command, &spec, &err) < 0);
        char want[256];
        snprintf(want, sizeof want,
                 "user nobody cannot reach `%s`; put [daemon] state elsewhere", hidden);
        EQ_STR(err.text, want);
        EQ_INT(err.class, ERR_HOST);
        tap_case("a folder that is not there is named");
        bind.from = "/nonexistent/work";
        OK(sandbox_command(&sandbox, &command, &spec, &err) < 0);
        HAS(err.text, "`/nonexistent/work`");
    } else {
        tap_case("only root changes users");
        sandbox.uid = geteuid() + 1;
        OK(sandbox_command(&sandbox, &command, &spec, &err) < 0);
        EQ_INT(err.class, ERR_HOST);
        HAS(err.text, "only root");
        tap_case("our own user by number is no change");
        sandbox.uid = geteuid();
        OK(sandbox_command(&sandbox, &command, &spec, &err) == 0);
        OK(spec.uid == (uid_t)-1);
        sandbox_free(&command);
    }
    OK(command == NULL);
}

int main(void)
{
    tap_case("the sandbox");
    if (access("/usr/bin/bwrap", X_OK) < 0) {
        tap_skip("NOTHING OF THE SANDBOX IS TESTED: bubblewrap is not installed");
        return tap_done();
    }
    setenv("GITHUB_TOKEN", "ghs_secret", 1);
    if (geteuid() == 0)
        job_uid = job_gid = JOBS_NOBODY;
    if (!OK(set_up()))
        return tap_done();
    test_not_bubblewrap();
    test_probe();
    test_no_namespaces();
    test_environment();
    test_identity();
    test_network();
    test_files();
    test_bench();
    test_expose();
    test_cuda();
    test_exit();
    test_limits();
    test_processes();
    test_orphans();
    test_half_made();
    test_total();
    test_users();
    if (geteuid() == 0)
        jobs_again_as_nobody(temp);
    struct err err = {0};
    if (!OK(file_remove_tree(temp, &err) == 0))
        printf("# %s\n", err.text);
    return tap_done();
}
