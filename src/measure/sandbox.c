/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bubblewrap command line: what a stranger's code sees, as tables that end up in
 * one argument vector. Does not start jobs (base/proc does) and knows neither builds nor
 * benches beyond the two kinds. What to say when there is none is sandbox_probe.c's. */
#include "measure/sandbox.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Bytes of each of a bench's /tmp, HOME and /dev/shm, and of a build's /dev/shm: they live in
 * memory. */
#define SANDBOX_TMP_BYTES (512ull << 20)
#define SANDBOX_SHM_BYTES (64ull << 20)
/* Where the program that lowers the limits is found inside. */
#define SANDBOX_PRLIMIT "/run/prlimit"

enum { SANDBOX_WORDS_MAX = 4096, SANDBOX_OPEN_FILES = 4096 };

/* A growing, NULL-terminated vector of strings of its own. */
struct words {
    char **items;
    size_t count, cap;
    bool failed;
};

struct sandbox_command {
    struct words words;
};

static void words_add(struct words *words, const char *word)
{
    if (words->failed)
        return;
    if (words->count + 2 > words->cap) {
        size_t cap = words->cap == 0 ? 128 : words->cap * 2;
        char **items = cap > SANDBOX_WORDS_MAX ? NULL
                                               : realloc(words->items, cap * sizeof *items);
        if (items == NULL) {
            words->failed = true;
            return;
        }
        words->items = items;
        words->cap = cap;
    }
    char *copy = strdup(word);
    if (copy == NULL) {
        words->failed = true;
        return;
    }
    words->items[words->count++] = copy;
    words->items[words->count] = NULL;
}

static void words_add3(struct words *words, const char *a, const char *b, const char *c)
{
    words_add(words, a);
    words_add(words, b);
    words_add(words, c);
}

static void words_add_all(struct words *words, const char *const *more)
{
    for (; *more != NULL; more++)
        words_add(words, *more);
}

void sandbox_free(struct sandbox_command **command)
{
    if (*command == NULL)
        return;
    for (size_t i = 0; i < (*command)->words.count; i++)
        free((*command)->words.items[i]);
    free((*command)->words.items);
    free(*command);
    *command = NULL;
}

/* ---- the host's programs ---- */

/* Options that not every bubblewrap has. Debian 12 and Ubuntu 24.04 have both. */
struct features {
    bool asked;
    bool disable_userns;
    bool size;
};

static int read_features(const char *bwrap, struct features *features, struct err *err)
{
    struct buf help __attribute__((cleanup(buf_free)));
    buf_init(&help, 64 << 10);
    const char *const argv[] = {bwrap, "--help", NULL};
    struct proc_spec spec = {.argv = argv,
                             .stdin_fd = -1,
                             .uid = (uid_t)-1,
                             .gid = (gid_t)-1,
                             .limits = {.wall_ms = 20000}};
    struct proc_result result;
    if (proc_run(&spec, &help, &result, err) != 0)
        return -1;
    if (strstr(help.data, "--unshare-all") == NULL)
        return err_set(err, ERR_HOST, "`%s` is not bubblewrap: it has no `--unshare-all`",
                       bwrap);
    features->disable_userns = strstr(help.data, "--disable-userns") != NULL;
    features->size = strstr(help.data, "--size") != NULL;
    features->asked = true;
    return 0;
}

static int bwrap_features(const char *bwrap, struct features *out, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct features known;
    pthread_mutex_lock(&lock);
    int rc = known.asked ? 0 : read_features(bwrap, &known, err);
    if (rc == 0)
        *out = known;
    pthread_mutex_unlock(&lock);
    return rc;
}

bool sandbox_bounds_disk(void)
{
    char bwrap[FILE_PATH_BYTES];
    struct features features = {0};
    return proc_find("bwrap", bwrap, NULL) == 0 &&
           bwrap_features(bwrap, &features, NULL) == 0 && features.size;
}

/* ---- what is inside ---- */

/* Namespaces, identity and life time. The uid inside is only a label: files get the uid
 * of whoever runs bwrap. A terminal is not kept (TIOCSTI), capabilities neither. */
static const char *const args_always[] = {"--unshare-all",
                                          "--unshare-user",
                                          "--die-with-parent",
                                          "--new-session",
                                          "--cap-drop",
                                          "ALL",
                                          "--uid",
                                          "1000",
                                          "--gid",
                                          "1000",
                                          "--hostname",
                                          "ratchet",
                                          "--clearenv",
                                          NULL};

/* Host paths that appear at the same place, read-only: a folder or file is bound, a link
 * is made again, what the host lacks is left out. */
static const char *const root_build[] = {"/usr",
                                         "/bin",
                                         "/sbin",
                                         "/lib",
                                         "/lib32",
                                         "/libx32",
                                         "/lib64",
                                         "/etc/alternatives",
                                         "/etc/ld.so.cache",
                                         NULL};

/* No /usr/bin, /usr/lib/gcc or /usr/libexec: shared libraries and the loader alone. */
static const char *const root_bench[] = {
#if defined(__x86_64__)
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/ld-linux-aarch64.so.1",
#endif
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    NULL};

static const char *const env_always[][2] = {
    {"PATH", "/usr/local/cuda/bin:/usr/bin:/bin"},
    {"HOME", "/home"},
    {"LANG", "C.UTF-8"},
    {"SOURCE_DATE_EPOCH", "315532800"}, /* 1980: the oldest date every format can hold */
};

/* What a bench needs on top, by the front of the device's slug; what the host lacks is left
 * out. The driver's libraries are where a distribution puts them, or in a folder of their own,
 * which a container's linker cache may not know. CUPTI is for `ratchet study`. */
static const struct device_needs {
    const char *prefix;
    const char *nodes[3];
    const char *numbered; /* front of the nodes of which there is one for each device */
    const char *folders[5];
    const char *library; /* of the driver: where only a folder of these has it… */
    bool sys;
    bool address_space_unlimited; /* CUDA reserves far more than it uses */
} device_table[] = {
    {"nvidia-",
     {"/dev/nvidiactl", "/dev/nvidia-uvm", NULL},
     "/dev/nvidia",
     {"/usr/local/cuda/lib64", "/usr/local/cuda/extras/CUPTI/lib64", "/usr/local/nvidia/lib64",
      "/usr/lib64/nvidia", NULL},
     "libcuda.so.1",
     true,
     true},
};

static const struct device_needs *needs_of(const struct sandbox *sandbox)
{
    if (sandbox->kind != SANDBOX_BENCH || sandbox->device == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof device_table / sizeof *device_table; i++) {
        const char *prefix = device_table[i].prefix;
        if (strncmp(sandbox->device, prefix, strlen(prefix)) == 0)
            return &device_table[i];
    }
    return NULL;
}

static void add_host_path(struct words *words, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return;
    if (!S_ISLNK(st.st_mode)) {
        words_add3(words, "--ro-bind", path, path);
        return;
    }
    char target[FILE_PATH_BYTES];
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len <= 0)
        return;
    target[len] = '\0';
    words_add3(words, "--symlink", target, path);
}

/* /usr/local/cuda may be a link out of /usr: then what it leads to is bound as well. */
void sandbox_build_roots(struct sandbox_roots *out)
{
    enum { COUNT = sizeof root_build / sizeof *root_build };
    _Static_assert(COUNT + 1 <= SANDBOX_ROOTS_MAX, "room for CUDA and the end");
    memset(out, 0, sizeof *out);
    memcpy(out->paths, root_build, sizeof root_build);
    if (realpath("/usr/local/cuda", out->cuda) != NULL && strncmp(out->cuda, "/usr/", 5) != 0)
        out->paths[COUNT - 1] = out->cuda;
}

static void add_root(struct words *words, enum sandbox_kind kind)
{
    struct sandbox_roots build;
    sandbox_build_roots(&build);
    const char *const *paths = kind == SANDBOX_BUILD ? build.paths : root_bench;
    for (; *paths != NULL; paths++)
        add_host_path(words, *paths);
    words_add3(words, "--proc", "/proc", "--dev");
    words_add(words, "/dev");
}

static void add_nodes(struct words *words, const char *pattern)
{
    glob_t found;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t j = 0; j < found.gl_pathc; j++)
        words_add3(words, "--dev-bind", found.gl_pathv[j], found.gl_pathv[j]);
    globfree(&found);
}

static void add_device(struct words *words, const struct device_needs *needs,
                       const struct gpu *gpu)
{
    char node[64];
    for (size_t i = 0; needs->nodes[i] != NULL; i++)
        add_nodes(words, needs->nodes[i]);
    if (gpu != NULL)
        snprintf(node, sizeof node, "%s%u", needs->numbered, gpu->minor);
    else
        snprintf(node, sizeof node, "%s[0-9]*", needs->numbered);
    add_nodes(words, node);
    for (size_t i = 0; needs->folders[i] != NULL; i++) {
        char real[FILE_PATH_BYTES];
        if (realpath(needs->folders[i], real) != NULL)
            words_add3(words, "--ro-bind", real, needs->folders[i]);
    }
    if (needs->sys)
        words_add3(words, "--ro-bind", "/sys", "/sys");
}

/* …a program would not find it without LD_LIBRARY_PATH, and only then has one. */
static void add_library_path(struct words *words, const struct device_needs *needs)
{
    static const char *const usual[] = {
#if defined(__x86_64__)
        "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
        "/usr/lib/aarch64-linux-gnu",
#endif
        "/usr/lib64",
        NULL
    };
    char path[FILE_PATH_BYTES];
    for (size_t i = 0; usual[i] != NULL; i++)
        if (file_path(path, NULL, "%s/%s", usual[i], needs->library) == 0 &&
            access(path, F_OK) == 0)
            return;
    for (size_t i = 0; needs->folders[i] != NULL; i++) {
        if (file_path(path, NULL, "%s/%s", needs->folders[i], needs->library) != 0 ||
            access(path, F_OK) != 0)
            continue;
        words_add3(words, "--setenv", "LD_LIBRARY_PATH", needs->folders[i]);
        return;
    }
}

static void add_one_tmpfs(struct words *words, const struct features *features,
                          const char *place, unsigned long long bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", bytes);
    if (features->size) {
        words_add(words, "--size");
        words_add(words, text);
    }
    words_add(words, "--tmpfs");
    words_add(words, place);
}

/* All that a build can write lies in one tmpfs, so one number bounds it: bubblewrap cannot
 * bind a folder of one tmpfs to several places, so the places are links. (/dev/shm cannot be
 * one, for bubblewrap makes the folder.) Empty files are bounded by the kernel's own number for
 * a tmpfs, at 1 KiB each an eighth of the memory, and by a memory cgroup where there is one. */
static void add_build_tmpfs(struct words *words, const struct features *features,
                            unsigned long long bytes)
{
    static const char *const folders[][2] = {
        {"/build/src", "/src"}, {"/build/tmp", "/tmp"}, {"/build/home", "/home"}};
    add_one_tmpfs(words, features, "/build", bytes == 0 ? SANDBOX_TMP_BYTES : bytes);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        words_add(words, "--dir");
        words_add(words, folders[i][0]);
        words_add3(words, "--symlink", folders[i][0], folders[i][1]);
    }
    add_one_tmpfs(words, features, "/dev/shm", SANDBOX_SHM_BYTES);
}

static void add_tmpfs(struct words *words, const struct features *features,
                      const struct sandbox *sandbox)
{
    static const char *const places[] = {"/tmp", "/home", "/dev/shm"};
    if (sandbox->kind == SANDBOX_BUILD) {
        add_build_tmpfs(words, features, sandbox->disk_bytes);
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        add_one_tmpfs(words, features, places[i], SANDBOX_TMP_BYTES);
}

static int add_environment(struct words *words, const char *const *env, struct err *err)
{
    for (size_t i = 0; i < sizeof env_always / sizeof *env_always; i++)
        words_add3(words, "--setenv", env_always[i][0], env_always[i][1]);
    for (; env != NULL && *env != NULL; env++) {
        const char *equals = strchr(*env, '=');
        if (equals == NULL || equals == *env)
            return err_set(err, ERR_INTERNAL, "sandbox environment: `%s` is not NAME=value",
                           *env);
        char *name = strndup(*env, (size_t)(equals - *env));
        if (name == NULL)
            words->failed = true;
        else
            words_add3(words, "--setenv", name, equals + 1);
        free(name);
    }
    return 0;
}

/* ---- folders that the command line exposes ---- */

/* Within these nothing can be exposed, nor a folder that one of them lies in… */
static const char *const kept_out[] = {
    "/proc",     "/sys",           "/dev",         "/run",         "/etc",
    "/bench",    "/boot",          "/bin",         "/sbin",        "/usr/bin",
    "/usr/sbin", "/usr/local/bin", "/usr/lib/gcc", "/usr/libexec", "/usr/include"};
/* …and these are more than a folder of libraries. */
static const char *const too_much[] = {"/",    "/home",    "/root", "/tmp",
                                       "/var", "/var/lib", "/opt",  "/mnt"};

static bool may_expose(const char *path)
{
    for (size_t i = 0; i < sizeof kept_out / sizeof *kept_out; i++)
        if (file_is_at_or_below(path, kept_out[i]) || file_is_at_or_below(kept_out[i], path))
            return false;
    for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++)
        if (strcmp(path, too_much[i]) == 0)
            return false;
    return true;
}

/* A path that is not as short as can be could pass for another one. */
static bool is_plain(const char *path)
{
    size_t len = strlen(path);
    return path[0] == '/' && strstr(path, "//") == NULL && strstr(path, "/./") == NULL &&
           strstr(path, "/../") == NULL && len > 1 && path[len - 1] != '/' &&
           path[len - 1] != '.' && len < FILE_PATH_BYTES;
}

int sandbox_expose(const char *dir, char *real, struct sandbox_bind *out, struct err *err)
{
    char found[PATH_MAX];
    struct stat st;
    if (!is_plain(dir))
        return err_set(
            err, ERR_INPUT,
            "expected the absolute path of a folder, without `..`, `.` and a slash at"
            " its end, not `%s`",
            dir);
    if (realpath(dir, found) == NULL || stat(found, &st) != 0)
        return err_errno(err, ERR_INPUT, errno, "`%s`", dir);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INPUT, "`%s` is not a folder", dir);
    if (!may_expose(dir) || !may_expose(found))
        return err_set(err, ERR_INPUT, "`%s` may not be seen from inside the sandbox", dir);
    snprintf(real, FILE_PATH_BYTES, "%s", found);
    *out = (struct sandbox_bind){.from = real, .to = dir, .writable = 0};
    return 0;
}

/* ---- who runs it, and can they reach the files? ---- */

static bool changes_user(const struct sandbox *sandbox)
{
    return sandbox->uid != (uid_t)-1 && sandbox->uid != geteuid();
}

/* May this user, with no other groups, pass through the folder? Where an access list says
 * more than the mode bits do, bubblewrap finds out. */
static bool may_search(const char *folder, uid_t uid, gid_t gid)
{
    struct stat st;
    if (stat(folder, &st) < 0)
        return false;
    mode_t bit = st.st_uid == uid ? S_IXUSR : st.st_gid == gid ? S_IXGRP : S_IXOTH;
    return (st.st_mode & bit) != 0 || getxattr(folder, "system.posix_acl_access", NULL, 0) > 0;
}

static int refuse_unreachable(const char *path, uid_t uid, struct err *err)
{
    char name[64];
    char bytes[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, bytes, sizeof bytes, &found) != 0 || found == NULL)
        snprintf(name, sizeof name, "%lu", (unsigned long)uid);
    else
        snprintf(name, sizeof name, "%s", found->pw_name);
    return err_set(err, ERR_HOST, "user %s cannot reach `%s`; put [daemon] state elsewhere",
                   name, path);
}

static int check_reach(const char *from, uid_t uid, gid_t gid, struct err *err)
{
    char real[FILE_PATH_BYTES];
    if (realpath(from, real) == NULL)
        return err_errno(err, ERR_HOST, errno, "sandbox: `%s`", from);
    struct stat st;
    if (stat(real, &st) < 0)
        return err_errno(err, ERR_HOST, errno, "sandbox: `%s`", from);
    size_t len = strlen(real);
    for (size_t i = 1; i <= len; i++) {
        if (real[i] != '/' && !(i == len && S_ISDIR(st.st_mode)))
            continue;
        char kept = real[i];
        real[i] = '\0';
        if (!may_search(real, uid, gid))
            return refuse_unreachable(real, uid, err);
        real[i] = kept;
    }
    return 0;
}

static int check_user(const struct sandbox *sandbox, struct err *err)
{
    if (!changes_user(sandbox))
        return 0;
    if (geteuid() != 0)
        return err_set(err, ERR_HOST,
                       "only root can start a sandbox as user %lu; we are user %lu",
                       (unsigned long)sandbox->uid, (unsigned long)geteuid());
    for (size_t i = 0; i < sandbox->bind_count && sandbox->uid != 0; i++)
        if (check_reach(sandbox->binds[i].from, sandbox->uid, sandbox->gid, err) != 0)
            return -1;
    return 0;
}

/* ---- the command ---- */

/* The number of processes is limited inside, in the new user namespace, where only the
 * job's own count: set outside it would count every process of this user on the host, and
 * a desktop's browser alone would stop a build. (Linux never counts the real root's.) */
static void add_limits(struct words *words, const struct sandbox *sandbox)
{
    if (sandbox->limits.processes == 0)
        return;
    char text[32];
    snprintf(text, sizeof text, "--nproc=%u", sandbox->limits.processes);
    words_add3(words, SANDBOX_PRLIMIT, text, "--");
}

static int add_all(struct words *words, const struct sandbox *sandbox, const char *bwrap,
                   const char *prlimit, struct err *err)
{
    struct features features = {0};
    if (bwrap_features(bwrap, &features, err) != 0)
        return -1;
    words_add(words, bwrap);
    words_add_all(words, args_always);
    if (features.disable_userns)
        words_add(words, "--disable-userns");
    add_root(words, sandbox->kind);
    const struct device_needs *needs = needs_of(sandbox);
    if (needs != NULL)
        add_device(words, needs, sandbox->gpu);
    add_tmpfs(words, &features, sandbox);
    words_add3(words, "--ro-bind", prlimit, SANDBOX_PRLIMIT);
    for (size_t i = 0; i < sandbox->bind_count; i++)
        words_add3(words, sandbox->binds[i].writable ? "--bind" : "--ro-bind",
                   sandbox->binds[i].from, sandbox->binds[i].to);
    /* Last, when every mount point is there: both are tmpfs of the user's own. */
    words_add3(words, "--remount-ro", "/dev", "--remount-ro");
    words_add(words, "/");
    if (add_environment(words, sandbox->env, err) != 0)
        return -1;
    if (needs != NULL)
        add_library_path(words, needs);
    words_add3(words, "--chdir", sandbox->cwd == NULL ? "/" : sandbox->cwd, "--");
    add_limits(words, sandbox);
    words_add_all(words, sandbox->argv);
    if (words->failed)
        return err_set(err, ERR_HOST, "sandbox: out of memory, or more than %d arguments",
                       (int)SANDBOX_WORDS_MAX);
    return 0;
}

static int find_tools(char bwrap[FILE_PATH_BYTES], char prlimit[FILE_PATH_BYTES],
                      struct err *err)
{
    if (proc_find("bwrap", bwrap, NULL) != 0)
        return err_set(err, ERR_HOST,
                       "no sandbox: `bwrap` is not on PATH; install bubblewrap");
    if (proc_find("prlimit", prlimit, NULL) != 0)
        return err_set(err, ERR_HOST,
                       "no sandbox: `prlimit` is not on PATH; install util-linux");
    return 0;
}

int sandbox_command(const struct sandbox *sandbox, struct sandbox_command **out,
                    struct proc_spec *spec, struct err *err)
{
    static const char *const no_environment[] = {NULL};
    char bwrap[FILE_PATH_BYTES], prlimit[FILE_PATH_BYTES];
    if (find_tools(bwrap, prlimit, err) != 0 || check_user(sandbox, err) != 0)
        return -1;
    struct sandbox_command *command
        __attribute__((cleanup(sandbox_free))) = calloc(1, sizeof *command);
    if (command == NULL)
        return err_set(err, ERR_HOST, "sandbox: out of memory");
    if (add_all(&command->words, sandbox, bwrap, prlimit, err) != 0)
        return -1;

    bool other = changes_user(sandbox);
    const struct device_needs *needs = needs_of(sandbox);
    *spec = (struct proc_spec){
        .argv = (const char *const *)command->words.items,
        .envp = no_environment,
        .stdin_fd = -1,
        .uid = other ? sandbox->uid : (uid_t)-1,
        .gid = other ? sandbox->gid : (gid_t)-1,
        .limits = sandbox->limits,
    };
    spec->limits.processes = 0; /* prlimit does it inside */
    if (needs != NULL && needs->address_space_unlimited)
        spec->limits.memory_bytes = 0;
    if (spec->limits.open_files == 0)
        spec->limits.open_files = SANDBOX_OPEN_FILES;
    *out = command;
    command = NULL;
    return 0;
}

int sandbox_run(const struct sandbox *sandbox, struct buf *said, struct proc_result *result,
                struct err *err)
{
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    return sandbox_command(sandbox, &command, &spec, err) != 0
               ? -1
               : proc_run(&spec, said, result, err);
}
