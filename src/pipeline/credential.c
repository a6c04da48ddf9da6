/* SPDX-License-Identifier: Apache-2.0 */
/* Owns when an App's token is made, renewed and revoked. */
#include "pipeline/credential.h"

#include "base/jwt.h"
#include "base/proc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    CLOCK_OFF_S = 60,  /* that our clock may be ahead of GitHub's */
    APP_TOKEN_S = 540, /* of the ten minutes that GitHub takes for an App's own token */
    CLEAR_S =
        15 * 60, /* before a token ends there is another: a fetch or a push that begins with it
                            comes to its end */
    TOKEN_S = 60 * 60, /* how long GitHub's tokens last, where it does not say */
    REVOKE_MS = 5000
};

int credential_of_app(const struct host_repository *repository, const struct github *github,
                      bool may_push, struct github_installed *out, struct err *err)
{
    char key[HOST_KEY_BYTES], own[JWT_BYTES];
    long long now_s = (long long)time(NULL);
    int result = host_read_app_key(repository, key, err);
    if (result == 0)
        result = jwt_sign(key, strlen(key), repository->app_key, repository->app,
                          now_s - CLOCK_OFF_S, now_s + APP_TOKEN_S, own, err);
    explicit_bzero(key, sizeof key);
    if (result == 0) {
        struct github as_app = *github;
        as_app.token = own;
        result = github_app_token(&as_app, may_push, out, err);
    }
    explicit_bzero(own, sizeof own);
    if (result != 0 && err->class != ERR_TIMEOUT)
        err->class =
            ERR_HOST; /* whoever runs the host mends it: till then what is owed waits */
    return result;
}

static bool has_app(const struct pipeline *pipeline)
{
    const struct host_repository *repository = pipeline->measurement.repository;
    return repository != NULL && repository->credential == CREDENTIAL_APP;
}

bool credential_revoke(const struct github *github)
{
    struct limits limits = *github->limits;
    limits.github_ms = limits.github_ms < REVOKE_MS ? limits.github_ms : REVOKE_MS;
    limits.http_ms = limits.http_ms < REVOKE_MS ? limits.http_ms : REVOKE_MS;
    struct github quick = *github;
    struct err ignored;
    quick.limits = &limits;
    quick.trouble = NULL;
    quick.no_wait = true;
    return github_app_revoke(&quick, &ignored) == 0;
}

static void revoke(struct origin *origin)
{
    if (origin->renew_at_ns != 0 && credential_revoke(&origin->github))
        origin->renew_at_ns = 0;
}

/* How long it is used. */
static unsigned long long kept_s(const struct github_installed *installed)
{
    long long left_s = TOKEN_S;
    if (installed->ends_s >= 0)
        left_s = installed->ends_s - (long long)time(NULL);
    left_s = left_s < TOKEN_S ? left_s : TOKEN_S;
    return left_s > CLEAR_S ? (unsigned long long)(left_s - CLEAR_S) : 0;
}

int credential_take(struct pipeline *pipeline, const struct limits *limits, struct err *err)
{
    struct origin *origin = &pipeline->origin;
    struct github github = origin->github;
    if (!has_app(pipeline) ||
        (origin->renew_at_ns != 0 && proc_now_ns() < origin->renew_at_ns))
        return 0;
    struct github_installed installed = {0};
    github.limits = limits != NULL ? limits : github.limits;
    int result = credential_of_app(pipeline->measurement.repository, &github,
                                   pipeline->measurement.job.kind == JOB_PROMOTE, &installed,
                                   err);
    if (result == 0) {
        revoke(origin);
        memcpy(origin->token, installed.token, sizeof origin->token);
        memcpy(origin->author, installed.author, sizeof origin->author);
        origin->github.author = origin->author;
        origin->github.checks = installed.checks;
        origin->remote.token = origin->token;
        origin->renew_at_ns = proc_now_ns() + kept_s(&installed) * 1000000000ull;
    }
    explicit_bzero(&installed, sizeof installed);
    return result;
}

void credential_drop(struct pipeline *pipeline)
{
    revoke(&pipeline->origin);
    explicit_bzero(pipeline->origin.token, sizeof pipeline->origin.token);
}
