/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be said to GitHub, kept in SQLite until it was said. A message is put in once
 * per job and kind, and sent until GitHub took it or refused it for good; then it is gone. */
#ifndef RATCHET_PUBLISH_OUTBOX_H
#define RATCHET_PUBLISH_OUTBOX_H

#include "base/err.h"
#include "model.h"
#include "publish/github.h"

#include <stdbool.h>

struct outbox;
MUST_CHECK int outbox_open(const char *path, struct outbox **outbox, struct err *err);
void outbox_close(struct outbox **outbox);

/* A comment (pr, marker, body) and a final status for a job; a second call for the same job
 * replaces what was not sent yet. */
MUST_CHECK int outbox_put_comment(struct outbox *outbox, long long job, const char *repository,
                                  int pr, const char *marker, const char *body, size_t len,
                                  struct err *err);
MUST_CHECK int outbox_put_status(struct outbox *outbox, long long job, const char *repository,
                                 const char *sha, const char *context, const char *state,
                                 const char *description, const char *url, struct err *err);

struct outbox_result {
    unsigned sent;
    unsigned refused;               /* 401, 403, 404, 422: not tried again */
    unsigned waiting;               /* unreachable or rate-limited: still in the box */
    char refusal[MODEL_TEXT_BYTES]; /* the last refusal or trouble, one line */
    char comment_url[JOB_URL_BYTES];
};
/* Send what waits for one job. Trouble with GitHub is a result, not an error. */
MUST_CHECK int outbox_send(struct outbox *outbox, long long job, const struct github *github,
                           struct outbox_result *result, struct err *err);
/* Is anything waiting for this job? */
MUST_CHECK int outbox_waiting(struct outbox *outbox, long long job, bool *waiting,
                              struct err *err);

#endif
