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
    KEPT_S = 45 *
             60, /* of the hour that GitHub gives an installation's token: a fetch or a push
                           that begins with it comes to its end */
    REVOKE_MS = 5000
};

int credential_of_app(const struct host_repository *repository, const struct github *github,
                      struct github_installed *out, struct err *err)
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
        result = github_app_token(&as_app, out, err);
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

int credential_take(struct pipeline *pipeline, const struct limits *limits, struct err *err)
{
    struct origin *origin = &pipeline->origin;
    struct github github = origin->github;
    if (!has_app(pipeline) ||
        (origin->renew_at_ns != 0 && proc_now_ns() < origin->renew_at_ns))
        return 0;
    struct github_installed installed = {0};
    github.limits = limits != NULL ? limits : github.limits;
    int result = credential_of_app(pipeline->measurement.repository, &github, &installed, err);
    if (result == 0) {
        memcpy(origin->token, installed.token, sizeof origin->token);
        memcpy(origin->author, installed.author, sizeof origin->author);
        origin->github.author = origin->author;
        origin->github.checks = installed.checks;
        origin->remote.token = origin->token;
        origin->renew_at_ns = proc_now_ns() + KEPT_S * 1000000000ull;
    }
    explicit_bzero(&installed, sizeof installed);
    return result;
}

/* Best effort, and quick: it dies by itself, too. */
void credential_drop(struct pipeline *pipeline)
{
    struct origin *origin = &pipeline->origin;
    if (origin->renew_at_ns != 0) {
        struct limits limits = *origin->github.limits;
        limits.github_ms = limits.github_ms < REVOKE_MS ? limits.github_ms : REVOKE_MS;
        struct github github = origin->github;
        struct err ignored;
        github.limits = &limits;
        github.trouble = NULL;
        github.no_wait = true;
        if (github_app_revoke(&github, &ignored) == 0)
            origin->renew_at_ns = 0;
    }
    explicit_bzero(origin->token, sizeof origin->token);
}
