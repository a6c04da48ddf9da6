/* SPDX-License-Identifier: Apache-2.0 */
/* A GitHub App as the one who speaks: with a token that says which App it is, another is made that
 * opens one repository for an hour, with no more permissions than are used here. */
#ifndef RATCHET_PUBLISH_GITHUB_APP_H
#define RATCHET_PUBLISH_GITHUB_APP_H

#include "publish/github.h"

struct github_installed {
    char token[MODEL_TOKEN_BYTES]; /* wiping it is the caller's part */
    long long ends_s;              /* when it ends, seconds since the epoch; -1: not told */
    char author[64];               /* login under which it writes: "slug[bot]" */
    bool checks;                   /* it may make check runs; else it sets statuses */
};

/* `github->token` is the App's own (a JWT, base/jwt.h). Two requests. `may_push`: the token may write
 * contents, else it may read them. An App that is not installed on
 * the repository, or suspended there, or unknown to GitHub, or another's key: ERR_AUTH, and what to do. */
MUST_CHECK int github_app_token(const struct github *github, bool may_push,
                                struct github_installed *out, struct err *err);

/* The token of `github` is worth nothing any more. */
MUST_CHECK int github_app_revoke(const struct github *github, struct err *err);

#endif
