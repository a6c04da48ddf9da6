/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bubblewrap command line: what untrusted code sees, as tables that end up in
 * one argument vector. Does not start jobs (base/proc does) and knows neither builds nor
 * benches beyond the two kinds. What to say when there is none is sandbox_probe.c's. */
#include "measure/sandbox_internal.h"

#include "base/buf.h"
#include "base/file.h"
#include "measure/away.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of each of a bench's /tmp, HOME and /dev/shm, and of a build's /dev/shm: they live in
 * memory. */
#define SANDBOX_TMP_BYTES (512ull << 20)
#define SANDBOX_SHM_BYTES (64ull << 20)
/* Where its process 1 is found inside. */
#define SANDBOX_INIT "/run/ratchet-init"

enum {
    SANDBOX_ARGS_MAX = 4096,
    SANDBOX_OPEN_FILES = 4096,
    SANDBOX_PROCESSES = 8 /* bubblewrap's own and ours, on top of the job's */
};

/* A growing, NULL-terminated vector of strings of its own. */
struct args {
    char **items;
    size_t count, cap;
    bool failed;
};

static const char *const no_environment[] = {NULL};

struct sandbox_command {
    struct args args;
    int init; /* our process 1's program, as bubblewrap reads it */
    struct cgroup cgroup;
    bool grouped;
    int paper; /* of the proxy in its place; 0: it is ours */
    const char *proxy[4];
};

static void args_add(struct args *args, const char *word)
{
    if (args->failed)
        return;
    if (args->count + 2 > args->cap) {
        size_t cap = args->cap == 0 ? 128 : args->cap * 2;
        char **items = cap > SANDBOX_ARGS_MAX ? NULL
                                              : realloc(args->items, cap * sizeof *items);
        if (items == NULL) {
            args->failed = true;
            return;
        }
        args->items = items;
        args->cap = cap;
    }
    char *copy = strdup(word);
    if (copy == NULL) {
        args->failed = true;
        return;
    }
    args->items[args->count++] = copy;
    args->items[args->count] = NULL;
}

static void args_add3(struct args *args, const char *a, const char *b, const char *c)
{
    args_add(args, a);
    args_add(args, b);
    args_add(args, c);
}

static void args_add_all(struct args *args, const char *const *more)
{
    for (; *more != NULL; more++)
        args_add(args, *more);
}

enum cgroup_memory sandbox_memory(const struct sandbox_command *command)
{
    if (command != NULL && command->paper > 0)
        return away_read(command->paper).memory;
    return command != NULL && command->grouped ? cgroup_memory(&command->cgroup) : CGROUP_FITS;
}

bool sandbox_is_lost(const struct sandbox_command *command)
{
    return command != NULL && command->paper > 0 &&
           away_read(command->paper).loss != AWAY_SEEN;
}

int sandbox_check(const struct sandbox_command *command, const char *said, struct err *err)
{
    if (!sandbox_is_lost(command))
        return 0;
    const char *why = strstr(said, "ratchet-run");
    return why == NULL ? err_set(err, ERR_HOST, "ratchet-run ended before what it ran")
                       : err_set(err, ERR_HOST, "the sandbox does not start: %.*s",
                                 (int)strcspn(why, "\n"), why);
}

int sandbox_end(struct sandbox_command **command, struct err *err)
{
    if (*command == NULL)
        return 0;
    int rc = (*command)->grouped ? cgroup_end(&(*command)->cgroup, err) : 0;
    for (size_t i = 0; i < (*command)->args.count; i++)
        free((*command)->args.items[i]);
    file_close(&(*command)->init);
    if ((*command)->paper > 0)
        file_close(&(*command)->paper);
    free((*command)->args.items);
    free(*command);
    *command = NULL;
    return rc;
}

void sandbox_free(struct sandbox_command **command)
{
    struct err ignored;
    if (sandbox_end(command, &ignored) != 0)
        return; /* it is gone all the same: who wants to know calls sandbox_end() */
}

/* ---- what is inside ---- */

/* Namespaces, identity and life time. The uid inside is only a label: files get the uid
 * of whoever runs bwrap. A terminal is not kept (TIOCSTI), capabilities neither. Not
 * --die-with-parent: bubblewrap asks for that when its child has long begun, and where it is
 * killed before, the child waits for its word for ever. Ours ends by its lifeline. */
static const char *const args_always[] = {"--unshare-all", "--unshare-user",
                                          "--as-pid-1",    "--new-session",
                                          "--cap-drop",    "ALL",
                                          "--uid",         "1000",
                                          "--gid",         "1000",
                                          "--hostname",    "ratchet",
                                          "--clearenv",    NULL};

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

static const struct device_needs *needs_of(const struct sandbox *sandbox)
{
    return sandbox->kind == SANDBOX_BENCH && sandbox->device != NULL ? sandbox->device->needs
                                                                     : NULL;
}

static void add_host_path(struct args *args, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return;
    if (!S_ISLNK(st.st_mode)) {
        args_add3(args, "--ro-bind", path, path);
        return;
    }
    char target[FILE_PATH_BYTES];
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len <= 0)
        return;
    target[len] = '\0';
    args_add3(args, "--symlink", target, path);
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

static void add_root(struct args *args, enum sandbox_kind kind)
{
    struct sandbox_roots build;
    sandbox_build_roots(&build);
    const char *const *paths = kind == SANDBOX_BUILD ? build.paths : root_bench;
    for (; *paths != NULL; paths++)
        add_host_path(args, *paths);
    args_add3(args, "--proc", "/proc", "--dev");
    args_add(args, "/dev");
}

static void add_nodes(struct args *args, const char *pattern)
{
    glob_t found;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t j = 0; j < found.gl_pathc; j++)
        args_add3(args, "--dev-bind", found.gl_pathv[j], found.gl_pathv[j]);
    globfree(&found);
}

static void add_device(struct args *args, const struct device_needs *needs,
                       const struct gpu *gpu)
{
    char node[64];
    for (size_t i = 0; needs->nodes[i] != NULL; i++)
        add_nodes(args, needs->nodes[i]);
    if (gpu != NULL)
        snprintf(node, sizeof node, "%s%u", needs->numbered, gpu->minor);
    else
        snprintf(node, sizeof node, "%s[0-9]*", needs->numbered);
    add_nodes(args, node);
    for (size_t i = 0; needs->folders[i] != NULL; i++) {
        char real[FILE_PATH_BYTES];
        if (realpath(needs->folders[i], real) != NULL)
            args_add3(args, "--ro-bind", real, needs->folders[i]);
    }
    if (needs->sys)
        args_add3(args, "--ro-bind", "/sys", "/sys");
}

/* …a program would not find it without LD_LIBRARY_PATH, and only then has one. */
static void add_library_path(struct args *args, const struct device_needs *needs)
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
        args_add3(args, "--setenv", "LD_LIBRARY_PATH", needs->folders[i]);
        return;
    }
}

static void add_one_tmpfs(struct args *args, const struct sandbox_tools *tools,
                          const char *place, unsigned long long bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", bytes);
    if (tools->size) {
        args_add(args, "--size");
        args_add(args, text);
    }
    args_add(args, "--tmpfs");
    args_add(args, place);
}

/* All that a build can write lies in one tmpfs, so one number bounds it: bubblewrap cannot
 * bind a folder of one tmpfs to several places, so the places are links. (/dev/shm cannot be
 * one, for bubblewrap makes the folder.) Empty files are bounded by the kernel's own number for
 * a tmpfs, at 1 KiB each an eighth of the memory, and by a memory cgroup where there is one. */
static void add_build_tmpfs(struct args *args, const struct sandbox_tools *tools,
                            unsigned long long bytes)
{
    static const char *const folders[][2] = {
        {"/build/src", "/src"}, {"/build/tmp", "/tmp"}, {"/build/home", "/home"}};
    add_one_tmpfs(args, tools, "/build", bytes == 0 ? SANDBOX_TMP_BYTES : bytes);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        args_add(args, "--dir");
        args_add(args, folders[i][0]);
        args_add3(args, "--symlink", folders[i][0], folders[i][1]);
    }
    add_one_tmpfs(args, tools, "/dev/shm", SANDBOX_SHM_BYTES);
}

static void add_tmpfs(struct args *args, const struct sandbox_tools *tools,
                      const struct sandbox *sandbox)
{
    static const char *const places[] = {"/tmp", "/home", "/dev/shm"};
    if (sandbox->kind == SANDBOX_BUILD) {
        add_build_tmpfs(args, tools, sandbox->disk_bytes);
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        add_one_tmpfs(args, tools, places[i], SANDBOX_TMP_BYTES);
}

static int add_environment(struct args *args, const char *const *env, struct err *err)
{
    for (size_t i = 0; i < sizeof env_always / sizeof *env_always; i++)
        args_add3(args, "--setenv", env_always[i][0], env_always[i][1]);
    for (; env != NULL && *env != NULL; env++) {
        const char *equals = strchr(*env, '=');
        if (equals == NULL || equals == *env)
            return err_set(err, ERR_INTERNAL, "sandbox environment: `%s` is not NAME=value",
                           *env);
        char *name = strndup(*env, (size_t)(equals - *env));
        if (name == NULL)
            args->failed = true;
        else
            args_add3(args, "--setenv", name, equals + 1);
        free(name);
    }
    return 0;
}

/* ---- the command ---- */

/* The number of processes is limited inside, in the new user namespace, where only the
 * job's own count: set outside it would count every process of this user on the host, and
 * a desktop's browser alone would stop a build. (Linux never counts the real root's.) The
 * size of files, too: bubblewrap writes one, which is no job's. */
static void add_init(struct args *args, const struct sandbox *sandbox)
{
    char processes[16], bytes[32], known[FILE_PATH_BYTES + 64];
    snprintf(processes, sizeof processes, "%u", sandbox->limits.processes);
    snprintf(bytes, sizeof bytes, "%llu", sandbox->limits.file_bytes);
    args_add3(args, "--", SANDBOX_INIT, processes);
    args_add(args, bytes);
    for (size_t i = 0; i < sandbox->bind_count; i++) {
        const struct sandbox_bind *bind = &sandbox->binds[i];
        snprintf(known, sizeof known, "=%llu:%llu:%s", (unsigned long long)bind->device,
                 (unsigned long long)bind->inode, bind->to);
        if (bind->known)
            args_add(args, known);
    }
}

static int add_all(struct args *args, const struct sandbox *sandbox,
                   const struct sandbox_tools *tools, struct err *err)
{
    args_add(args, tools->bwrap);
    args_add_all(args, args_always);
    if (tools->disable_userns)
        args_add(args, "--disable-userns");
    add_root(args, sandbox->kind);
    const struct device_needs *needs = needs_of(sandbox);
    if (needs != NULL)
        add_device(args, needs, sandbox->gpu);
    add_tmpfs(args, tools, sandbox);
    char number[16];
    snprintf(number, sizeof number, "%d", PROC_DATA);
    args_add3(args, "--perms", "0555", "--ro-bind-data");
    args_add(args, number);
    args_add(args, SANDBOX_INIT);
    for (size_t i = 0; i < sandbox->bind_count; i++)
        args_add3(args, sandbox->binds[i].writable ? "--bind" : "--ro-bind",
                  sandbox->binds[i].from, sandbox->binds[i].to);
    /* Last, when every mount point is there: both are tmpfs of the user's own. */
    args_add3(args, "--remount-ro", "/dev", "--remount-ro");
    args_add(args, "/");
    if (add_environment(args, sandbox->env, err) != 0)
        return -1;
    if (needs != NULL)
        add_library_path(args, needs);
    args_add(args, "--chdir");
    args_add(args, sandbox->cwd == NULL ? "/" : sandbox->cwd);
    add_init(args, sandbox);
    args_add_all(args, sandbox->argv);
    if (args->failed)
        return err_set(err, ERR_HOST, "sandbox: out of memory, or more than %d arguments",
                       (int)SANDBOX_ARGS_MAX);
    return 0;
}

/* Where cgroups are to be had, its memory and its processes are counted together. */
static int add_cgroup(struct sandbox_command *command, const struct sandbox *sandbox,
                      struct proc_spec *spec, struct err *err)
{
    char folder[FILE_PATH_BYTES];
    const unsigned processes = sandbox->limits.processes;
    const struct cgroup_limits total = {sandbox->total_bytes,
                                        processes == 0 ? 0 : processes + SANDBOX_PROCESSES};
    if (cgroup_find(folder, NULL) != 0)
        return 0;
    if (cgroup_make(folder, &total, &command->cgroup, err) != 0)
        return -1;
    command->grouped = true;
    spec->cgroup = command->cgroup.folder;
    if (sandbox->kind == SANDBOX_BUILD && sandbox->total_bytes > 0)
        spec->limits.memory_bytes = 0; /* that one is enough */
    return 0;
}

/* A proxy is started in its place. */
static int send_away(struct sandbox_command *command, const struct sandbox *sandbox,
                     struct proc_spec *spec, struct err *err)
{
    if (away_write(sandbox, &command->paper, err) != 0)
        return -1;
    const char *const proxy[] = {"/proc/self/exe", AWAY_PROXY, away_socket(), NULL};
    memcpy(command->proxy, proxy, sizeof proxy);
    *spec = (struct proc_spec){.argv = command->proxy,
                               .envp = no_environment,
                               .stdin_fd = sandbox->input > 0 ? sandbox->input : -1,
                               .uid = (uid_t)-1,
                               .gid = (gid_t)-1,
                               .limits = {.wall_ms = sandbox->limits.wall_ms},
                               .lifeline = true,
                               .paper = command->paper};
    return 0;
}

static int make_here(struct sandbox_command *command, const struct sandbox *sandbox,
                     struct proc_spec *spec, struct err *err)
{
    struct sandbox_tools tools;
    if (sandbox_find_tools(&tools, err) != 0 || sandbox_check_user(sandbox, err) != 0)
        return -1;
    command->init = sandbox_init(err);
    if (command->init < 0 || add_all(&command->args, sandbox, &tools, err) != 0)
        return -1;

    bool other = sandbox_changes_user(sandbox);
    const struct device_kind *device = sandbox->device;
    *spec = (struct proc_spec){
        .argv = (const char *const *)command->args.items,
        .envp = no_environment,
        .stdin_fd = sandbox->input > 0 ? sandbox->input : -1,
        .uid = other ? sandbox->uid : (uid_t)-1,
        .gid = other ? sandbox->gid : (gid_t)-1,
        .limits = sandbox->limits,
        .cpus = sandbox->cpus,
        .cpu_count = sandbox->cpu_count,
        .lifeline = true,
        .data = command->init,
    };
    spec->limits.processes = 0; /* its process 1 does these two inside */
    spec->limits.file_bytes = 0;
    if (sandbox->kind == SANDBOX_BENCH && device != NULL && device->reserves_memory)
        spec->limits.memory_bytes = 0;
    if (spec->limits.open_files == 0)
        spec->limits.open_files = SANDBOX_OPEN_FILES;
    return add_cgroup(command, sandbox, spec, err);
}

int sandbox_command(const struct sandbox *sandbox, struct sandbox_command **out,
                    struct proc_spec *spec, struct err *err)
{
    struct sandbox_command *command
        __attribute__((cleanup(sandbox_free))) = calloc(1, sizeof *command);
    if (command == NULL)
        return err_set(err, ERR_HOST, "sandbox: out of memory");
    command->init = -1;
    if ((away_socket()[0] != '\0' ? send_away(command, sandbox, spec, err)
                                  : make_here(command, sandbox, spec, err)) != 0)
        return -1;
    *out = command;
    command = NULL;
    return 0;
}

int sandbox_run(const struct sandbox *sandbox, struct buf *said, struct proc_result *result,
                struct err *err)
{
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    if (sandbox_command(sandbox, &command, &spec, err) != 0 ||
        proc_run(&spec, said, result, err) != 0)
        return -1;
    return sandbox_check(command, said->data, err);
}
