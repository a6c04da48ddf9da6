/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the check of every field of a submit. The workflow that sends it may be a stranger's:
 * it names a repository and a pull request, and that is all it decides. */
#include "daemon/request.h"

#include "base/name.h"
#include "intake/choices.h"
#include "intake/event.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool request_user_ok(const struct host *host, uid_t uid)
{
    if (uid == 0 || uid == geteuid())
        return true;
    for (size_t i = 0; i < host->allowed_count; i++)
        if (host->allowed[i] == uid)
            return true;
    return false;
}

static const struct json_at at = {.key = "submit"};

/* A piece of the job's key: names and numbers, nothing that could separate. */
static int get_piece(const json_t *message, const char *key, char *out, size_t size,
                     struct err *err)
{
    if (json_get_string(message, key, &at, out, size, err) != 0)
        return -1;
    struct json_at here = {.parent = &at, .key = key};
    if (out[name_span(out)] != '\0')
        return json_error(&here, err, "expected letters, digits, `_`, `-`, `.`, not `%s`",
                          out);
    return 0;
}

static int parse_key(const struct host_repository *repository, const json_t *message,
                     struct job *job, struct err *err)
{
    char repository_id[24], run[24], attempt[12], name[100];
    if (get_piece(message, "repository_id", repository_id, sizeof repository_id, err) != 0 ||
        get_piece(message, "run", run, sizeof run, err) != 0 ||
        get_piece(message, "attempt", attempt, sizeof attempt, err) != 0 ||
        get_piece(message, "job", name, sizeof name, err) != 0)
        return -1;
    /* What was chosen in a run is another job than its whole check: neither is found for the other. */
    snprintf(job->key, sizeof job->key, "%s/%s/%s/%s%s", repository_id, run, attempt, name,
             choices_any(&job->choices) ? "/chosen" : "");
    if (strspn(run, "0123456789") == strlen(run))
        snprintf(job->run_url, sizeof job->run_url, "%s/actions/runs/%s", repository->web,
                 run);
    return 0;
}

/* Which branch was pushed is the step's word, and which one is promoted the host's: names of git
 * are compared byte for byte. A client of before says nothing; what is measured is the host's
 * branch as it is fetched, whatever was said. */
static int parse_push(const struct host_repository *repository, const json_t *message,
                      struct request *out, struct err *err)
{
    static const char heads[] = "refs/heads/";
    char ref[JOB_REF_BYTES];
    out->job.kind = JOB_PROMOTE;
    memcpy(out->job.base_ref, repository->branch, sizeof out->job.base_ref);
    if (!json_has(message, "ref"))
        return 0;
    if (json_get_string(message, "ref", &at, ref, sizeof ref, err) != 0)
        return -1;
    bool is_branch = strncmp(ref, heads, sizeof heads - 1) == 0;
    const char *name = is_branch ? ref + sizeof heads - 1 : ref;
    if (is_branch && strcmp(name, repository->branch) == 0)
        return 0;
    out->ignored = true;
    snprintf(out->why, sizeof out->why, "the push is to `%s`, not to `%.200s`: nothing to do",
             name, repository->branch);
    return 0;
}

/* All that the step says of a merge group is asked of GitHub when the job is pinned. */
static int parse_group(const json_t *message, struct job *job, struct err *err)
{
    static const char heads[] = "refs/heads/";
    char ref[JOB_REF_BYTES], folder[JOB_REF_BYTES + 32];
    struct json_at here = {.parent = &at, .key = "ref"};
    if (json_get_string(message, "base_ref", &at, job->base_ref, sizeof job->base_ref, err) !=
            0 ||
        json_get_string(message, "ref", &at, ref, sizeof ref, err) != 0 ||
        json_get_sha(message, "base", &at, job->event_base, err) != 0 ||
        json_get_sha(message, "head", &at, job->event_head, err) != 0)
        return -1;
    int len = snprintf(folder, sizeof folder, "%sgh-readonly-queue/%s/", heads, job->base_ref);
    if (!name_is_branch(job->base_ref) || strncmp(ref, folder, (size_t)len) != 0 ||
        !name_is_branch(ref + sizeof heads - 1) || strchr(ref + len, '/') != NULL)
        return json_error(&here, err, "`%s` is no merge group of `%s`", ref, job->base_ref);
    job->kind = JOB_CHECK;
    memcpy(job->group, ref + sizeof heads - 1, strlen(ref + sizeof heads - 1) + 1);
    return 0;
}

/* Who may choose is asked when the job is pinned. */
static int parse_choices(const json_t *message, struct job *job, struct err *err)
{
    json_t *choices;
    const struct json_at here = {.parent = &at, .key = "choices"};
    return json_get_object(message, "choices", &at, &choices, err) == 0
               ? choices_read(choices, &here, &job->choices, err)
               : -1;
}

static int parse_kind(const struct host_repository *repository, const json_t *message,
                      struct request *out, struct err *err)
{
    char kind[16];
    long long pr = 0;
    struct job *job = &out->job;
    if (json_get_string(message, "kind", &at, kind, sizeof kind, err) != 0)
        return -1;
    if (strcmp(kind, "promote") == 0)
        return parse_push(repository, message, out, err);
    if (strcmp(kind, "group") == 0)
        return parse_group(message, job, err);
    if (strcmp(kind, "check") != 0)
        return err_set(err, ERR_INPUT,
                       "submit: kind: expected `check`, `group` or `promote`, not `%s`", kind);
    if (json_get_int(message, "pr", &at, 1, INT_MAX, &pr, err) != 0)
        return -1;
    job->kind = JOB_CHECK;
    job->pr = (int)pr;
    return json_has(message, "choices") ? parse_choices(message, job, err) : 0;
}

/* A step can set GITHUB_API_URL to any address; a daemon that believed it would send its
 * token there. So the address is compared, and never used. */
static int check_api(const struct host_repository *repository, const json_t *message,
                     struct err *err)
{
    char api[HOST_PATH_BYTES];
    if (!json_has(message, "api"))
        return 0;
    if (json_get_string(message, "api", &at, api, sizeof api, err) != 0)
        return -1;
    size_t len = strlen(api);
    while (len > 0 && api[len - 1] == '/')
        api[--len] = '\0';
    if (strcmp(api, repository->api) != 0)
        return err_set(err, ERR_INPUT,
                       "the step names API `%s`, this host knows `%s` for `%s`: refused", api,
                       repository->api, repository->name);
    return 0;
}

static int get_token(const struct host_repository *repository, const json_t *message,
                     char token[MODEL_TOKEN_BYTES], struct err *err)
{
    token[0] = '\0';
    if (repository->credential != CREDENTIAL_JOB)
        return 0;
    if (!json_has(message, "token"))
        return err_set(err, ERR_INPUT, "submit: `%s` needs the job's token (GITHUB_TOKEN)",
                       repository->name);
    return json_get_string(message, "token", &at, token, MODEL_TOKEN_BYTES, err);
}

static const struct host_repository *find_repository(const struct host *host, const char *name,
                                                     struct err *err)
{
    const struct host_repository *repository = name_is_repository(name, JOB_REPOSITORY_BYTES)
                                                   ? host_find_repository(host, name)
                                                   : NULL;
    if (repository == NULL)
        err_set(
            err, ERR_INPUT,
            "repository `%s` is not allowed on this host: %s has no `[repository \"%s\"]`; if "
            "one of those there was renamed to it, rename its section, and the addresses in "
            "it",
            name, host->file[0] == '\0' ? "its configuration" : host->file, name);
    return repository;
}

/* Which repository the message is about, in words of the right version. */
static const struct host_repository *parse_repository(const struct host *host,
                                                      const json_t *message, struct err *err)
{
    char name[JOB_REPOSITORY_BYTES];
    long long version;
    if (json_get_int(message, "version", &at, 0, INT_MAX, &version, err) != 0)
        return NULL;
    if (version != MESSAGE_VERSION) {
        err_set(err, ERR_INPUT, "the client speaks version %lld, this daemon %d", version,
                MESSAGE_VERSION);
        return NULL;
    }
    return json_get_string(message, "repository", &at, name, sizeof name, err) == 0
               ? find_repository(host, name, err)
               : NULL;
}

int request_parse_settle(const struct host *host, const json_t *message,
                         const struct host_repository **out, char token[MODEL_TOKEN_BYTES],
                         unsigned *wait_s, struct err *err)
{
    long long wait;
    const struct host_repository *repository = parse_repository(host, message, err);
    if (repository == NULL || json_get_int(message, "wait", &at, 0, 86400, &wait, err) != 0 ||
        check_api(repository, message, err) != 0 ||
        get_token(repository, message, token, err) != 0)
        return -1;
    *out = repository;
    *wait_s = (unsigned)wait;
    return 0;
}

/* The event's word on the head, and what the daemon gave this client before. An old client says
 * neither. */
static int parse_optional(const json_t *message, struct request *out, struct err *err)
{
    if (json_has(message, "head") &&
        json_get_sha(message, "head", &at, out->job.event_head, err) != 0)
        return -1;
    return json_has(message, "secret")
               ? json_get_string(message, "secret", &at, out->secret, sizeof out->secret, err)
               : 0;
}

int request_parse(const struct host *host, const json_t *message, struct request *out,
                  struct err *err)
{
    struct request request = {0};
    struct job *job = &request.job;
    const struct host_repository *repository = parse_repository(host, message, err);
    if (repository == NULL ||
        get_piece(message, "device", job->device, sizeof job->device, err) != 0)
        return -1;
    memcpy(job->repository, repository->name, sizeof job->repository); /* case and all */
    if (host_need_device(host, job->device, err) == NULL)
        return -1;
    if (check_api(repository, message, err) != 0 ||
        parse_kind(repository, message, &request, err) != 0 ||
        parse_key(repository, message, job, err) != 0 ||
        parse_optional(message, &request, err) != 0 ||
        get_token(repository, message, request.token, err) != 0)
        return -1;
    *out = request;
    explicit_bzero(request.token, sizeof request.token);
    return 0;
}
