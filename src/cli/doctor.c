/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet doctor`: everything this host needs, tried by doing it. One line each; exit 3 if
 * a needed thing does not work. */
#include "cli/cli.h"

#include "base/proc.h"
#include "daemon/client.h"
#include "measure/build.h"
#include "measure/sandbox.h"
#include "publish/github.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
    printf("%-4s  %-22s %s\n", word, what, result == 0 ? good : err->text);
    doctor->failed += needed && result != 0;
}

/* A folder of ours inside a sandbox: its user has to get through to it, not only we. */
static int enter_sandbox(const struct host *host, const char *folder, struct err *err)
{
    const struct sandbox_bind binds[] = {{.from = folder, .to = "/job"}};
    const char *const argv[] = {"/bin/true", NULL}, *const env[] = {NULL};
    const struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                                    .device = "cpu",
                                    .binds = binds,
                                    .bind_count = 1,
                                    .argv = argv,
                                    .env = env,
                                    .cwd = "/",
                                    .uid = host->sandbox_uid,
                                    .gid = host->sandbox_gid};
    struct sandbox_command *command = NULL;
    struct proc_spec spec;
    int result = sandbox_command(&sandbox, &command, &spec, err);
    sandbox_free(&command);
    return result;
}

static int try_state(const struct host *host, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_mkdirs(host->state, 0711, err) != 0 ||
        file_path(path, err, "%s/doctor-%ld", host->state, (long)getpid()) != 0 ||
        file_mkdirs(path, 0711, err) != 0)
        return -1;
    int result = enter_sandbox(host, path, err);
    struct err problem;
    if (file_remove_tree(path, &problem) != 0 && result == 0) {
        *err = problem;
        return -1;
    }
    return result;
}

static int try_lock(const struct host *host, const char *slug, struct err *err)
{
    char path[FILE_PATH_BYTES];
    FD_AUTO lock = -1;
    if (file_path(path, err, "%s/ratchet-%s.lock", host->lock_dir, slug) != 0)
        return -1;
    if (file_lock(path, false, &lock, err) != 0 && err->class != ERR_CONFLICT)
        return -1;
    return 0; /* held by a job that runs: that works too */
}

static int try_harness(const struct host *host, char *version, size_t size, struct err *err)
{
    const char *argv[] = {host->harness, "cpu", NULL}; /* greets, and ends with its input */
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .uid = (uid_t)-1,
                             .limits = {.wall_ms = 10000}};
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

static int try_github(const struct host *host, const struct host_repository *repository,
                      struct err *err)
{
    char token[CLI_TOKEN_BYTES], tip[MODEL_SHA_BYTES];
    if (cli_token(repository, token, err) != 0)
        return -1;
    struct github github = {.api = repository->api,
                            .token = token[0] == '\0' ? NULL : token,
                            .repository = repository->name,
                            .author = repository->author,
                            .limits = &host->limits};
    return github_branch_tip(&github, repository->branch, tip, err);
}

static int try_daemon(const struct host *host, struct err *err)
{
    struct client_connection connection = {.fd = -1};
    int result = client_connect(host->socket, &connection, err);
    client_close(&connection);
    return result;
}

static void examine(struct doctor *doctor)
{
    const struct host *host = &doctor->host;
    struct err err;
    char text[256];
    tell(doctor, true, try_state(host, &err), "state folder", host->state, &err);
    tell(doctor, true, sandbox_probe(host->sandbox_uid, host->sandbox_gid, &err), "sandbox",
         "bubblewrap: no network, read-only /usr", &err);
    tell(doctor, true, try_harness(host, text, sizeof text, &err), "harness", text, &err);
    for (size_t i = 0; i < host->device_count; i++) {
        char what[MODEL_NAME_BYTES + 16];
        snprintf(what, sizeof what, "device %s", host->devices[i].slug);
        int result = try_lock(host, host->devices[i].slug, &err);
        if (result == 0)
            result = build_toolchain(host->devices[i].slug, text, sizeof text, &err);
        tell(doctor, true, result, what, text, &err);
    }
    for (size_t i = 0; i < host->repository_count; i++)
        tell(doctor, host->repositories[i].host_token,
             try_github(host, &host->repositories[i], &err), host->repositories[i].name,
             "the API answers, the branch is there", &err);
    tell(doctor, false, try_daemon(host, &err), "ratchetd", host->socket, &err);
}

int cli_doctor(int argc, char **argv, struct err *err)
{
    struct doctor doctor = {0};
    const struct cli_option options[] = {{"config", &doctor.config, NULL}, {NULL, NULL, NULL}};
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        cli_host(doctor.config, &doctor.host, err) != 0)
        return -1;
    examine(&doctor);
    if (doctor.failed == 0)
        return EXIT_HELD;
    printf("%u of the needed things do not work\n", doctor.failed);
    return EXIT_UNMEASURED;
}
