/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet doctor`: everything this host needs, tried by doing it. One line each; exit 3 if
 * a needed thing does not work. */
#include "cli/cli.h"
#include "cli/doctor_system.h"

#include "base/http.h"
#include "base/line.h"
#include "base/proc.h"
#include "daemon/client.h"
#include "measure/away.h"
#include "measure/build.h"
#include "measure/cgroup.h"
#include "measure/device/clocks.h"
#include "measure/device/device.h"
#include "measure/profiler.h"
#include "measure/sandbox.h"
#include "measure/session.h"
#include "measure/machine.h"
#include "pipeline/credential.h"
#include "pipeline/lane_lock.h"
#include "publish/github_watch.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct doctor {
    struct host host;
    const char *config;
    unsigned failed;
};

static void tell(struct doctor *doctor, bool needed, int result, const char *what,
                 const char *good, const struct err *err)
{
    const char *word = result == 0 ? "ok" : needed ? "FAIL" : "note";
    line_out("%-4s  %-22s %s", word, what, result == 0 ? good : err->text);
    fflush(stdout); /* the next one may take a while */
    doctor->failed += needed && result != 0;
}

/* A folder of ours inside a sandbox: its user has to get through to it, not only we. */
static int enter_sandbox(const struct host *host, const char *folder, struct err *err)
{
    const struct sandbox_bind binds[] = {{.from = folder, .to = "/job"}};
    const char *const argv[] = {"/bin/true", NULL};
    const struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                                    .binds = binds,
                                    .bind_count = 1,
                                    .argv = argv,
                                    .uid = host->sandbox_uid,
                                    .gid = host->sandbox_gid};
    struct sandbox_command *command = NULL;
    struct proc_spec spec;
    int result = sandbox_command(&sandbox, &command, &spec, err);
    sandbox_free(&command);
    return result;
}

/* What bounds a sandbox as a whole, in this process; the daemon says its own when it starts. */
static void tell_sandbox_limits(struct doctor *doctor)
{
    char folder[FILE_PATH_BYTES];
    struct err why, err;
    int grouped = cgroup_find(folder, &why);
    if (grouped != 0)
        err_set(&err, ERR_HOST, "per process; %s", why.text);
    tell(doctor, false, grouped, "sandbox limits", "cgroup v2 (memory, pids)", &err);
    if (!sandbox_bounds_disk() &&
        err_set(&err, ERR_HOST, "half of the memory: this bubblewrap has no --size") != 0)
        tell(doctor, false, -1, "build disk", "", &err);
}

static int make_scratch(const struct host *host, char path[FILE_PATH_BYTES], struct err *err)
{
    if (file_mkdirs(host->state, 0711, err) != 0 ||
        file_path(path, err, "%s/work/doctor-%ld", host->state, (long)getpid()) != 0)
        return -1;
    return file_mkdirs(path, 0711, err);
}

static int remove_scratch(const char *path, int result, struct err *err)
{
    struct err problem;
    if (file_remove_tree(path, &problem) == 0 || result != 0)
        return result;
    *err = problem;
    return -1;
}

/* Who may make a file in the folder of locks, for somebody who may not. */
static int advise_lock(const char *folder, struct err *err)
{
    struct stat info;
    const struct group *group = stat(folder, &info) == 0 && (info.st_mode & S_IWGRP) != 0
                                    ? getgrgid(info.st_gid)
                                    : NULL;
    return group == NULL ? -1 : err_wrap(err, "members of group `%s` may", group->gr_name);
}

static int try_lock(const struct host *host, const struct host_device *device,
                    const struct host_lane *lane, const struct gpu *gpu, struct err *err)
{
    struct lane_lock lock = LANE_LOCK_NONE;
    int result = lane_lock_try(host, device, lane, gpu, &lock, err);
    lane_lock_drop(&lock);
    if (result == 0 || err->class == ERR_CONFLICT) /* held by a job that runs: fine, too */
        return 0;
    return advise_lock(host->lock_dir, err);
}

static int try_harness(const struct host *host, char *version, size_t size, struct err *err)
{
    const char *argv[] = {host->harness, "cpu", NULL}; /* greets, and ends with its input */
    struct proc_spec spec = {
        .argv = argv, .stdin_fd = -1, .uid = (uid_t)-1, .limits = {.wall_ms = 10000}};
    struct proc_result result;
    BUF_AUTO out;
    buf_init(&out, 256);
    if (proc_run(&spec, &out, &result, err) != 0)
        return -1;
    if (result.end != PROC_EXITED || result.code != 0)
        return err_set(err, ERR_HOST, "`%s cpu` did not exit with 0", host->harness);
    snprintf(version, size, "%.*s", (int)strcspn(out.data, "\n"), out.data);
    return 0;
}

/* ---- a GPU ---- */

static int try_alone(const struct device_kind *kind, const struct gpu *gpu, struct err *err)
{
    char text[256];
    if (!kind->is_in_use(gpu, text, sizeof text))
        return 0;
    return err_set(err, ERR_HOST, "%s: what is measured beside them is marked `shared`", text);
}

/* The harness opens the GPU where it will be measured: in the sandbox, as its user. */
static int open_inside(const struct host *host, const struct host_device *device,
                       const struct gpu *gpu, const char *folder, struct err *err)
{
    enum { OPEN_MS = 60000 };
    const struct bench_request request = {.device = device->slug,
                                          .gpu = gpu,
                                          .harness = host->harness,
                                          .work = folder,
                                          .sandboxed = true,
                                          .uid = host->sandbox_uid,
                                          .gid = host->sandbox_gid,
                                          .limits = &host->limits};
    char program[FILE_PATH_BYTES];
    struct session *session = NULL;
    struct line line;
    if (file_path(program, err, "%s/%s", folder, SESSION_PROGRAM) != 0 ||
        file_copy(host->harness, program, 0755, err) != 0)
        return -1;
    if (chmod(folder, 0755) != 0) /* whatever our umask is */
        return err_errno(err, ERR_HOST, errno, "chmod `%s`", folder);
    if (session_start(&request, folder, OPEN_MS, &session, err) != 0)
        return -1;
    enum reply reply = session_send(session, "open 1 %d", OPEN_MS);
    if (reply == REPLY_OK)
        reply = session_receive(session, LINE_OPENED, ARM_COUNT, &line);
    int result = reply == REPLY_OK
                     ? 0
                     : err_set(err, ERR_HOST, "%s",
                               reply == REPLY_FAILED ? line.text : session_text(session));
    session_end(session);
    return result;
}

static int try_context(const struct host *host, const struct host_device *device,
                       const struct gpu *gpu, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (make_scratch(host, path, err) != 0)
        return -1;
    return remove_scratch(path, open_inside(host, device, gpu, path, err), err);
}

/* Whether ratchet-run is for this folder is seen by a sandbox that runs. */
static int try_state(const struct host *host, struct err *err)
{
    static const struct host_device cpu = {.slug = "cpu"};
    char path[FILE_PATH_BYTES];
    if (away_socket()[0] != '\0')
        return try_context(host, &cpu, NULL, err);
    if (make_scratch(host, path, err) != 0)
        return -1;
    return remove_scratch(path, enter_sandbox(host, path, err), err);
}

static void tell_gpu(struct doctor *doctor, bool needed, int result, const char *what,
                     const char *good, const struct err *err)
{
    char indented[64];
    snprintf(indented, sizeof indented, "  %s", what);
    tell(doctor, needed, result, indented, good, err);
}

static void try_checks(struct doctor *doctor, const struct device_checks *checks, bool needed,
                       const struct gpu *gpu)
{
    struct err err;
    for (const struct device_check *check = checks->list; check->what != NULL; check++)
        if (check->needed == needed)
            tell_gpu(doctor, needed, check->try(gpu, &err), check->what, check->good, &err);
}

/* 0 where the lane's GPU was found; what else is wrong with it has a line of its own. */
static int examine_gpu(struct doctor *doctor, const struct host_device *device,
                       const struct host_lane *lane, const struct device_kind *kind,
                       struct gpu *gpu)
{
    const struct device_checks *checks = kind->checks;
    unsigned mhz = device->clock_lock_mhz;
    struct err err;
    char text[256], sandboxed[32];
    int found = device_find_gpu(device->slug, lane->gpu, gpu, &err);
    if (found == 0)
        checks->describe(gpu, text, sizeof text);
    tell_gpu(doctor, true, found, checks->driver, text, &err);
    if (found != 0)
        return -1;
    try_checks(doctor, checks, true, gpu);
    snprintf(sandboxed, sizeof sandboxed, "%s, sandboxed", checks->runtime);
    tell_gpu(doctor, true, try_context(&doctor->host, device, gpu, &err), sandboxed,
             "a context was made", &err);
    try_checks(doctor, checks, false, gpu);
    if (kind->is_in_use != NULL)
        tell_gpu(doctor, false, try_alone(kind, gpu, &err), "alone", "nobody else is on it",
                 &err);
    tell_gpu(doctor, false, mhz == 0 ? 0 : clocks_try(device->slug, gpu, mhz, &err), "clocks",
             mhz == 0 ? "left as they are" : "locked while it is measured on", &err);
    return 0;
}

static void examine_lane(struct doctor *doctor, const struct host_device *device,
                         const struct host_lane *lane)
{
    struct err err;
    struct gpu gpu;
    const struct device_kind *kind = device_kind_of(device->slug);
    bool is_gpu = kind != NULL && kind->find != NULL;
    if (lane->name[0] != '\0')
        tell(doctor, false, 0, "  lane", lane->name, &err);
    if (is_gpu && examine_gpu(doctor, device, lane, kind, &gpu) != 0)
        return;
    tell(doctor, true, try_lock(&doctor->host, device, lane, is_gpu ? &gpu : NULL, &err),
         "  lock", doctor->host.lock_dir, &err);
}

static void examine_lanes(struct doctor *doctor)
{
    struct err err;
    size_t lanes = 0;
    char text[64];
    for (size_t i = 0; i < doctor->host.device_count; i++)
        lanes += doctor->host.devices[i].lane_count;
    snprintf(text, sizeof text, "%zu, none shares a GPU or a core", lanes);
    int bad = lanes_check(&doctor->host, machine_core_of, &err);
    if (lanes > 1 || bad != 0)
        tell(doctor, true, bad, "lanes", text, &err);
}

/* Where the profiler is; what it may count shows a check. */
static void examine_profiler(struct doctor *doctor, const struct host_device *device)
{
    struct err err;
    struct profiler profiler;
    const struct device_kind *kind = device_kind_of(device->slug);
    bool usual = device->profiler[0] == '\0';
    if (kind == NULL || (usual && kind->profilers == NULL) ||
        strcmp(device->profiler, HOST_PROFILER_OFF) == 0)
        return;
    int found = profiler_find(device->profiler, kind, &profiler, &err);
    tell(doctor, false, found, "  profiler", profiler.program, &err);
}

static void examine_device(struct doctor *doctor, const struct host_device *device)
{
    struct err err;
    char text[BUILD_TOOLCHAIN_BYTES];
    char what[MODEL_NAME_BYTES + 16];
    snprintf(what, sizeof what, "device %s", device->slug);
    int result = build_toolchain(device->slug, text, sizeof text, &err);
    tell(doctor, true, result, what, text, &err);
    examine_profiler(doctor, device);
    for (size_t i = 0; i < device->lane_count; i++)
        examine_lane(doctor, device, &device->lanes[i]);
}

static int ask_for_branch(const struct github *github,
                          const struct host_repository *repository, struct err *err)
{
    char tip[MODEL_SHA_BYTES];
    return github_branch_tip(github, repository->branch, tip, err);
}

/* What a look at a watched repository asks, and who may write, as a word of somebody's has it asked. */
static int ask_as_watch(const struct github *github, const struct host_repository *repository,
                        struct err *err)
{
    static struct github_pulls pulls;
    static struct github_remarks remarks;
    struct github_known known = {.etag = ""}, none = known;
    char owner[GITHUB_LOGIN_BYTES];
    bool changed, may_write;
    snprintf(owner, sizeof owner, "%.*s", (int)strcspn(repository->name, "/"),
             repository->name);
    if (github_list_pulls(github, repository->branch, 1, &known, &changed, &pulls, err) != 0)
        return err_wrap(err, "to read pull requests takes pull-requests: read");
    if (github_list_remarks(github, 1, &none, &changed, &remarks, err) != 0)
        return err_wrap(err, "to read comments takes issues: read, or pull-requests: read");
    if (github_may_write(github, owner, &may_write, err) != 0)
        return err_wrap(err, "to ask who may write takes metadata: read");
    return 0;
}

struct tried {
    int result, watch; /* watch: where it is watched, and the first went well */
    struct err err, watch_err;
};

/* A person waits for the answer: five seconds. */
static int try_github(const struct host *host, const struct host_repository *repository,
                      struct tried *tried)
{
    struct err *err = &tried->err;
    struct limits limits = host->limits;
    limits.http_ms = limits.http_ms < 5000 ? limits.http_ms : 5000;
    limits.github_ms = limits.github_ms < 5000 ? limits.github_ms : 5000;
    char token[MODEL_TOKEN_BYTES];
    struct github_installed installed = {0};
    if (cli_token(repository, token, err) != 0)
        return -1;
    struct github github = {.api = repository->api,
                            .token = token[0] == '\0' ? NULL : token,
                            .repository = repository->name,
                            .author = repository->author,
                            .limits = &limits};
    if (repository->credential == CREDENTIAL_APP) {
        if (credential_of_app(repository, &github, true, &installed, err) != 0)
            return -1;
        github.token = installed.token;
    }
    int result = ask_for_branch(&github, repository, err);
    if (repository->watch && result == 0)
        tried->watch = ask_as_watch(&github, repository, &tried->watch_err);
    if (repository->credential == CREDENTIAL_APP)
        (void)credential_revoke(&github);
    explicit_bzero(&installed, sizeof installed);
    explicit_bzero(token, sizeof token);
    return result;
}

/* ---- repositories, those of different APIs side by side: a person waits ---- */

static bool is_first_of_api(const struct host *host, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (http_same_origin(host->repositories[i].api, host->repositories[index].api))
            return false;
    return true;
}

/* All of one API in turn; whoever was silent is not asked again. */
static void try_api(const struct host *host, size_t first, struct tried *tried)
{
    const char *api = host->repositories[first].api;
    bool silent = false;
    for (size_t i = first; i < host->repository_count; i++) {
        const struct host_repository *repository = &host->repositories[i];
        struct err *err = &tried[i].err;
        if (!http_same_origin(api, repository->api))
            continue;
        tried[i].result = silent
                              ? err_set(err, ERR_HOST, "%s did not answer a moment ago", api)
                              : try_github(host, repository, &tried[i]);
        silent = silent || (tried[i].result != 0 &&
                            (err->class == ERR_HOST || err->class == ERR_TIMEOUT));
    }
}

/* In a child for each API. One that ends early leaves what stands there before. */
static int try_all(const struct host *host, struct tried *tried, struct err *err)
{
    for (size_t i = 0; i < host->repository_count; i++)
        tried[i].result = err_set(&tried[i].err, ERR_INTERNAL, "its try ended early");
    int result = 0;
    for (size_t i = 0; result == 0 && i < host->repository_count; i++) {
        pid_t child = is_first_of_api(host, i) ? fork() : 1;
        if (child < 0)
            result = err_errno(err, ERR_HOST, errno, "fork");
        if (child != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        try_api(host, i, tried);
        _exit(0);
    }
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    return result;
}

/* Without a token of the host's a refusal says nothing; no answer at all does. */
static void tell_repository(struct doctor *doctor, const struct host_repository *repository,
                            const struct tried *tried)
{
    const struct err *err = &tried->err;
    bool silent = tried->result != 0 && (err->class == ERR_HOST || err->class == ERR_TIMEOUT);
    tell(doctor, repository->credential != CREDENTIAL_JOB || silent, tried->result,
         repository->name, "the API answers, the branch is there", err);
    if (repository->watch && tried->result == 0)
        tell(doctor, true, tried->watch, "  watch",
             "pull requests, comments and permissions can be read", &tried->watch_err);
}

static void examine_repositories(struct doctor *doctor)
{
    const struct host *host = &doctor->host;
    struct err err = {0};
    struct tried *tried = mmap(NULL, HOST_REPOSITORIES_MAX * sizeof *tried,
                               PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool shared = tried != MAP_FAILED;
    int result = !shared ? err_errno(&err, ERR_HOST, errno, "share a page")
                         : try_all(host, tried, &err);
    const struct tried none = {.result = result, .err = err};
    for (size_t i = 0; i < host->repository_count; i++)
        tell_repository(doctor, &host->repositories[i], result != 0 ? &none : &tried[i]);
    if (shared)
        munmap(tried, HOST_REPOSITORIES_MAX * sizeof *tried);
}

static int try_daemon(const struct host *host, struct err *err)
{
    struct client_connection connection = {.fd = -1};
    int result = client_connect(host->socket, NULL, &connection, err);
    client_close(&connection);
    return result;
}

static void tell_system(struct doctor *doctor, bool sandbox_works)
{
    struct err err;
    char text[64];
    bool there = false;
    int result = system_userns(SYSTEM_USERNS, sandbox_works, &there, text, sizeof text, &err);
    if (there)
        tell(doctor, false, result, "user namespaces", text, &err);
    for (size_t i = 0; i < SYSTEM_UNITS; i++) {
        result = system_unit(i, &there, text, sizeof text, &err);
        if (there)
            tell(doctor, false, result, system_unit_name(i), text, &err);
    }
}

static void examine(struct doctor *doctor)
{
    const struct host *host = &doctor->host;
    struct err err;
    char text[256];
    tell(doctor, true, try_state(host, &err), "state folder", host->state, &err);
    snprintf(text, sizeof text, "bubblewrap%s%.180s: no network, read-only /usr",
             away_socket()[0] == '\0' ? "" : ", by ratchet-run at ", away_socket());
    bool works = sandbox_probe(host->sandbox_uid, host->sandbox_gid, &err) == 0 &&
                 build_probe(host->state, &host->limits, &err) == 0;
    tell(doctor, true, works ? 0 : -1, "sandbox", text, &err);
    tell_system(doctor, works);
    tell_sandbox_limits(doctor);
    tell(doctor, true, try_harness(host, text, sizeof text, &err), "harness", text, &err);
    examine_lanes(doctor);
    for (size_t i = 0; i < host->device_count; i++)
        examine_device(doctor, &host->devices[i]);
    examine_repositories(doctor);
    tell(doctor, false, try_daemon(host, &err), "ratchetd", host->socket, &err);
}

int cli_doctor(int argc, char **argv, struct err *err)
{
    struct doctor doctor = {0};
    const struct cli_option options[] = {CLI_CONFIG(doctor.config), CLI_OPTIONS_END};
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        cli_host(doctor.config, &doctor.host, err) != 0)
        return -1;
    away_use(host_run_socket(&doctor.host, HOST_RUN_SOCKET));
    clocks_use(host_clocks_socket(&doctor.host, HOST_CLOCKS_SOCKET));
    examine(&doctor);
    if (doctor.failed > 0)
        line_out("%u of the needed things do not work", doctor.failed);
    return doctor.failed == 0 ? EXIT_HELD : EXIT_UNMEASURED;
}
