/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the opening of a pipeline: the host's words on repository and device, the token, the bare
 * cache of the repository. */
#include "pipeline/pipeline.h"

#include "base/name.h"
#include "pipeline/credential.h"

#include <stdio.h>
#include <string.h>

/* `name`: of a repository at GitHub in its one spelling, or a path. */
static int open_cache(struct measurement *measurement, const char *name, struct err *err)
{
    const char *state = measurement->host->state;
    char key[FILE_KEY_BYTES], path[FILE_PATH_BYTES];
    file_key(name, key);
    if (file_path(path, err, "%s/repos", state) != 0 || file_mkdirs(path, 0700, err) != 0 ||
        file_path(path, err, "%s/repos/%s.git", state, key) != 0)
        return -1;
    return git_cache_open(path, &measurement->repo, err);
}

/* Where submodules may be fetched from; their caches lie beside the repository's own. */
static int allow_submodules(struct measurement *measurement, struct err *err)
{
    const struct host_repository *repository = measurement->repository;
    struct checkout_submodules *submodules = &measurement->submodules;
    for (size_t i = 0; i < repository->submodule_count; i++)
        submodules->addresses[submodules->address_count++] = (struct checkout_address){
            repository->submodules[i].path, repository->submodules[i].git};
    return file_path(submodules->folder, err, "%s/repos", measurement->host->state);
}
_Static_assert((int)HOST_SUBMODULES_MAX <= (int)CHECKOUT_SUBMODULES_MAX,
               "room for every address");

static void set_remote(struct origin *origin, const struct limits *limits, const char *url)
{
    origin->remote = (struct git_remote_spec){
        .url = url,
        .token = origin->token[0] == '\0' ? NULL : origin->token,
        .timeout_ms = (unsigned)limits->fetch_ms,
        .retry_ms = (unsigned)limits->github_ms,
        .max_bytes = limits->fetch_bytes,
    };
}

static int open_github(struct pipeline *pipeline, const struct pipeline_request *request,
                       struct err *err)
{
    const char *token = request->token;
    struct measurement *measurement = &pipeline->measurement;
    struct origin *origin = &pipeline->origin;
    struct job *job = &measurement->job;
    const struct limits *limits = &measurement->host->limits;
    const struct host_repository *repository = host_find_repository(measurement->host,
                                                                    job->repository);
    if (repository == NULL)
        return err_set(err, ERR_INPUT, "repository `%s` is not allowed on this host",
                       job->repository);
    measurement->repository = repository;
    memcpy(job->repository, repository->name, sizeof job->repository);
    if (repository->credential == CREDENTIAL_HOST) {
        if (host_read_token(repository, origin->token, err) != 0 && !request->only_tell)
            return -1; /* what only tells waits until there is one */
    } else if (repository->credential == CREDENTIAL_JOB && token != NULL) {
        snprintf(origin->token, sizeof origin->token, "%s", token);
    }
    set_remote(origin, limits, repository->git);
    origin->github = (struct github){.api = repository->api,
                                     .token = origin->token,
                                     .borrowed = repository->credential == CREDENTIAL_JOB,
                                     .repository = repository->name,
                                     .author = repository->author,
                                     .limits = limits,
                                     .trouble = &origin->trouble,
                                     .no_wait = request->no_wait};
    if (allow_submodules(measurement, err) != 0)
        return -1;
    char name[JOB_REPOSITORY_BYTES];
    name_fold(repository->name, name, sizeof name);
    return open_cache(measurement, name, err) == 0 || request->only_tell ? 0 : -1;
}

int pipeline_open(struct pipeline *pipeline, const struct pipeline_request *request,
                  struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    *pipeline = (struct pipeline){0};
    measurement_init(measurement, request->host, request->progress, request->context);
    measurement->job = *request->job;
    measurement->budget_ns = request->budget_ns;
    measurement->store = request->store;
    measurement->no_baseline = request->no_baseline;
    if (file_path(measurement->folder, err, "%s", request->folder) != 0 ||
        file_path(measurement->work, err, "%s", request->work) != 0 ||
        (request->only_tell ? measurement_name_device(measurement, request->job->device, err)
                            : measurement_set_device(measurement, request->job->device,
                                                     request->lane, err)) != 0)
        return -1;
    if (request->local == NULL)
        return open_github(pipeline, request, err);
    set_remote(&pipeline->origin, &request->host->limits, request->local);
    return open_cache(measurement, request->local, err);
}

void pipeline_close(struct pipeline *pipeline)
{
    credential_drop(pipeline);
    measurement_free(&pipeline->measurement);
}
