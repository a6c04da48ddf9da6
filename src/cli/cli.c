/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the host's configuration, and the files and revisions that a command line names. */
#include "cli/cli.h"

#include "base/line.h"
#include "base/proc.h"
#include "intake/config.h"
#include "intake/values.h"
#include "judge/baseline.h"
#include "judge/samples.h"
#include "measure/away.h"
#include "measure/device/clocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int cli_guard(int argc, char **argv)
{
    int guarded = clocks_guard(argc, argv);
    return guarded >= 0 ? guarded : away_proxy(argc, argv);
}

int cli_find_self(char out[FILE_PATH_BYTES], struct err *err)
{
    ssize_t len = readlink("/proc/self/exe", out, FILE_PATH_BYTES - 1);
    out[len > 0 ? len : 0] = '\0';
    return len > 0 ? 0 : err_errno(err, ERR_HOST, errno, "find this program");
}

int cli_find_file(const char *given, const char *option, char out[PATH_MAX], struct err *err)
{
    return realpath(given, out) != NULL
               ? 0
               : err_errno(err, ERR_USAGE, errno, "%s: `%.512s`", option, given);
}

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

int cli_check_program(const char *given, const char *option, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (proc_find(given, path, NULL) == 0 && is_program(path))
        return 0;
    return strchr(given, '/') != NULL
               ? err_set(err, ERR_USAGE, "%s: `%.512s` is no program", option, given)
               : err_set(err, ERR_USAGE, "%s: no program `%.128s` on PATH", option, given);
}

int cli_find_harness(struct host *host, struct err *err)
{
    if (host->harness[0] != '\0')
        return 0;
    char self[FILE_PATH_BYTES];
    char beside[FILE_PATH_BYTES];
    struct err ignored;
    char *slash = cli_find_self(self, &ignored) == 0 ? strrchr(self, '/') : NULL;
    const char *found = LIBEXECDIR "/ratchet-bench";
    if (slash != NULL) {
        *slash = '\0';
        if (file_path(beside, err, "%s/ratchet-bench", self) != 0)
            return -1;
        if (access(beside, X_OK) == 0)
            found = beside;
    }
    if (strlen(found) >= sizeof host->harness)
        return err_set(err, ERR_HOST, "path of ratchet-bench is longer than %zu bytes: `%s`",
                       sizeof host->harness - 1, found);
    memcpy(host->harness, found, strlen(found) + 1);
    return 0;
}

int cli_check_device(const char *slug, struct err *err)
{
    if (model_name_ok(slug))
        return 0;
    return err_set(err, ERR_USAGE, "--device: `%s` is not a slug", slug);
}

int cli_budget(const char *given, double *ns, struct err *err)
{
    return given == NULL ? 0
                         : value_duration_ns(given, BUDGET_LEAST_NS, BUDGET_MOST_NS,
                                             "--budget", ns, err);
}

static const char *config_path(const char *given)
{
    return given != NULL ? given : access(CLI_HOST_CONFIG, R_OK) == 0 ? CLI_HOST_CONFIG : NULL;
}

static int load_host(const char *path, struct host *host, struct err *err)
{
    if (host_load(path, host, err) == 0)
        return 0;
    if (err->class == ERR_NOT_FOUND)
        err->class = ERR_USAGE; /* a file named on the command line */
    if (err->class != ERR_USAGE || !model_name_ok(path) || strchr(path, '.') != NULL)
        return -1;
    struct err why = *err; /* a config's name, by the looks of it */
    return err_set(err, ERR_USAGE,
                   "--config is the file ratchetd.conf of this host: %s; a config of "
                   "ci/ratchet.conf is picked by --configs, or history's --config-name",
                   why.text);
}

int cli_host(const char *path, struct host *host, struct err *err)
{
    path = config_path(path);
    if ((path == NULL ? host_default(host, err) : load_host(path, host, err)) != 0)
        return -1;
    return cli_find_harness(host, err);
}

int cli_limits(const char *path, struct limits *limits, struct err *err)
{
    struct host host = {.limits = limits_default()}; /* needs no home, as host_default would */
    path = config_path(path);
    if (path != NULL && load_host(path, &host, err) != 0)
        return -1;
    *limits = host.limits;
    return 0;
}

int cli_open_repo(const char *path, struct git_repo **repo, struct err *err)
{
    if (git_open_existing(path, repo, err) == 0)
        return 0;
    if (err->class == ERR_NOT_FOUND)
        err->class = ERR_USAGE; /* a folder named on the command line */
    return err_wrap(err, "--repo");
}

int cli_real_path(const char *path, char out[FILE_PATH_BYTES], struct err *err)
{
    GIT_AUTO *repo = NULL;
    return cli_open_repo(path, &repo, err) == 0 ? file_path(out, err, "%s", git_path(repo))
                                                : -1;
}

int cli_resolve_in(struct git_repo *repo, const char *path, const char *revision,
                   char sha[MODEL_SHA_BYTES], struct err *err)
{
    if (git_resolve(repo, revision, sha, err) == 0)
        return 0;
    bool shallow = false, empty = strcmp(revision, "HEAD") == 0;
    struct err ignored;
    if (err->class == ERR_NOT_FOUND && git_is_shallow(repo, &shallow, &ignored) == 0)
        return err_set(err, ERR_USAGE, "no commit `%.128s` in `%s`: %s", revision, path,
                       empty     ? "nothing is committed there yet"
                       : shallow ? "it is a shallow clone, `git fetch --unshallow` fetches all"
                                 : "`git branch -a` lists the names that it has");
    err->class = ERR_USAGE; /* a name on the command line */
    return err_wrap(err, "`%s`", path);
}

int cli_resolve(const char *path, const char *revision, char sha[MODEL_SHA_BYTES],
                struct err *err)
{
    GIT_AUTO *repo = NULL;
    return cli_open_repo(path, &repo, err) == 0
               ? cli_resolve_in(repo, path, revision, sha, err)
               : -1;
}

const struct host_repository *cli_repository(const struct host *host, const char *name,
                                             struct err *err)
{
    const struct host_repository *repository = host_find_repository(host, name);
    if (repository == NULL)
        err_set(err, ERR_INPUT, "repository `%s` is not configured on this host", name);
    return repository;
}

int cli_token(const struct host_repository *repository, char token[MODEL_TOKEN_BYTES],
              struct err *err)
{
    const char *given = getenv("GITHUB_TOKEN");
    if (repository->credential == CREDENTIAL_HOST)
        return host_read_token(repository, token, err);
    bool brought = repository->credential == CREDENTIAL_JOB && given != NULL;
    int length = snprintf(token, MODEL_TOKEN_BYTES, "%s", brought ? given : "");
    if (length < MODEL_TOKEN_BYTES)
        return 0;
    explicit_bzero(token, MODEL_TOKEN_BYTES);
    return err_set(err, ERR_LIMIT, "GITHUB_TOKEN: %d bytes, a token has %d at most", length,
                   MODEL_TOKEN_BYTES - 1);
}

int cli_read(const char *path, struct buf *out, struct err *err)
{
    if (file_read(path, out, err) == 0)
        return 0;
    err->class = ERR_INPUT;
    return -1;
}

int cli_read_samples(const char *path, const struct limits *limits, struct samples *out,
                     struct err *err)
{
    return cli_read_samples_against(path, NULL, limits, out, err);
}

int cli_read_samples_against(const char *path, const char *arm, const struct limits *limits,
                             struct samples *out, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, limits->samples_bytes);
    if (cli_read(path, &text, err) != 0)
        return -1;
    return arm == NULL
               ? samples_parse(text.data, text.len, path, limits, out, err)
               : samples_parse_against(text.data, text.len, path, arm, limits, out, err);
}

int cli_read_baseline(const char *path, const struct limits *limits, struct baseline *out,
                      struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, limits->baseline_bytes);
    if (cli_read(path, &text, err) != 0)
        return -1;
    return baseline_parse(text.data, text.len, path, limits, out, err);
}

int cli_print(const struct buf *text, struct err *err)
{
    if (buf_check(text, "what is to be printed", err) != 0)
        return -1;
    line_text(stdout, text->data, text->len); /* main looks whether all of it was written */
    return 0;
}

int cli_print_document(const struct buf *document, struct err *err)
{
    if (buf_check(document, "what is to be printed", err) != 0)
        return -1;
    line_document(document);
    return 0;
}

void cli_say(void *context, const struct progress_event *event)
{
    (void)context;
    if (event->text[0] != '\0')
        line_err("ratchet: %s", event->text);
}

int cli_read_rule(const char *path, const char *slug, const struct limits *limits,
                  struct rule *rule, struct err *err)
{
    *rule = rule_default();
    if (path == NULL)
        return 0;
    struct ratchet_config *config = malloc(sizeof *config);
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    int result = config == NULL ? err_set(err, ERR_HOST, "out of memory")
                 : cli_read(path, &text, err) != 0
                     ? -1
                     : config_parse(text.data, text.len, path, slug, limits, config, err);
    if (result == 0)
        *rule = config->rule;
    free(config);
    return result;
}

int cli_write_samples(const struct samples *samples, const char *path,
                      const struct limits *limits, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, limits->samples_bytes);
    if (path == NULL)
        return 0;
    if (samples_format(samples, &text, err) != 0)
        return -1;
    return file_write(path, text.data, text.len, 0644, err);
}
