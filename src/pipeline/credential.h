/* SPDX-License-Identifier: Apache-2.0 */
/* What a step of a job shows to GitHub and git. A token of a job's or of a file is there from the start.
 * A GitHub App is given one for the one repository, when it is needed, and another before that ends; it
 * is revoked when the step is over, and lies in no file. */
#ifndef RATCHET_PIPELINE_CREDENTIAL_H
#define RATCHET_PIPELINE_CREDENTIAL_H

#include "intake/host.h"
#include "pipeline/pipeline.h"
#include "publish/github_app.h"

/* A token for `github->repository`, which must be that of `repository`, where it has an App. The App's
 * key is read now, and wiped. `may_push`: see github_app_token(). Two requests; trouble is told by github->trouble.
 * Whatever fails is ERR_HOST or ERR_TIMEOUT. */
MUST_CHECK int credential_of_app(const struct host_repository *repository,
                                 const struct github *github, bool may_push,
                                 struct github_installed *out, struct err *err);

/* What is left of such a token is worth nothing then. Best effort, and quick: it ends by itself, too. */
bool credential_revoke(const struct github *github);

/* Before each part of a step that speaks with GitHub. `limits`: how long it may take; NULL: as long as
 * any call. */
MUST_CHECK int credential_take(struct pipeline *pipeline, const struct limits *limits,
                               struct err *err);
void credential_drop(struct pipeline *pipeline);

#endif
