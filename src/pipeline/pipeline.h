/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a job, in order. The only place that knows all folders: what one made is handed to
 * the next here, in the structures of model.h.
 *
 *     pin       which commits, asked of GitHub and of git; fetches everything  (network, token)
 *     check     config → baseline → touched? → build → bench → judge
 *     promote   measure: the same on main's tip, twice
 *               settle: who accepted a loss, what moves, the push              (network, token)
 *     publish   owe: comment and status into the outbox, then send             (network, token)
 *
 * What measures is given a struct measurement, which has neither. `ratchet check` goes this way in one
 * process; ratchetd in a child for each step of a job. */
#ifndef RATCHET_PIPELINE_H
#define RATCHET_PIPELINE_H

#include "pipeline/measurement.h"
#include "publish/github.h"
#include "publish/outbox.h"

struct pipeline_request {
    const struct host *host;
    const struct job *job; /* copied */
    const char *lane;      /* see measurement_set_device */
    const char *local;     /* path of a local repository: no GitHub; else NULL; not copied */
    const char *token;     /* NULL: none */
    bool no_wait;          /* see struct github */
    double budget_ns;      /* for measuring; 0: what the rules say */
    const char *folder;    /* existing folder for what stays: samples, verdict, report, log */
    const char *work;      /* existing empty folder for what goes; see sandbox_uid */
    struct db
        *store; /* with attempts_schema and promoted_schema; NULL: nothing is remembered */
    bool no_baseline; /* judged against base alone, whatever was recorded */
    bool only_tell; /* nothing is measured: device and cache are not needed, and not missed */
    progress_function *progress; /* may be NULL */
    void *context;
};

/* Where the repository is, and what opens it. For pin, what settles a promotion, and publish. */
struct origin {
    char token[MODEL_TOKEN_BYTES];
    char author[64]; /* an App's login */
    uint64_t
        renew_at_ns; /* an App's token is to be another from then on (monotonic); 0: it has none */
    struct git_remote_spec remote;
    struct github github;
    struct github_trouble trouble; /* of the last call of the API that failed */
};

struct pipeline {
    struct measurement measurement;
    struct origin origin;
    bool awaits_word; /* it could not be pinned, as nobody has let its fork's head run yet */
};

/* Finds the repository and device in the host's configuration and opens the bare cache of
 * the repository. A repository that is not configured is ERR_INPUT. */
MUST_CHECK int pipeline_open(struct pipeline *pipeline, const struct pipeline_request *request,
                             struct err *err);
void pipeline_close(struct pipeline *pipeline);

/* Fill in the job's commits, and fetch them, the anchors of base's baseline and the submodules that
 * builds will see. A fork that may not run here, a closed pull request or one of another repository is ERR_INPUT, a merge
 * conflict ERR_CONFLICT; an anchor or submodule that cannot be fetched is no error here: what
 * measures needs it or not. For a job that is pinned already this only makes sure that all is
 * here. */
MUST_CHECK int pipeline_pin(struct pipeline *pipeline, struct err *err);

/* The verdict of a job that cannot be pinned: unmeasured. */
void pipeline_unpinned(struct pipeline *pipeline, const struct err *problem);

/* Of a job that a person let run (approved_by), right before it does: does that word, or another's, still
 * count? ERR_INPUT: it does not; tell it by pipeline_unpinned. */
MUST_CHECK int pipeline_ask_word(struct pipeline *pipeline, struct err *err);

/* GitHub is asked again, once: is what was pinned still to be measured? False, with `why`: its pull
 * request is closed, has a newer head or goes to another branch, or its merge group is gone. */
MUST_CHECK bool pipeline_is_wanted(struct pipeline *pipeline, struct err *why);

/* From pinned commits to a comparison. Whatever goes wrong becomes an unmeasured verdict that says
 * whose fault it is; an error is returned for defects of ours only. */
MUST_CHECK int pipeline_check(struct measurement *measurement, struct err *err);
/* The part of it that needs no device: *settled where the verdict stands already. */
MUST_CHECK int pipeline_look(struct measurement *measurement, bool *settled, struct err *err);

/* Promotion of main's tip. The two runs lie `gap` apart: when the second is not due yet, the
 * first is kept in the folder, *wait_s says how long, and the call is to be made again. */
struct promotion_accept {
    char configs[MODEL_CONFIGS_MAX][MODEL_NAME_BYTES];
    size_t count;
    char who[MODEL_WHO_BYTES];
};
MUST_CHECK int pipeline_promote(struct pipeline *pipeline,
                                const struct promotion_accept *accept, unsigned *wait_s,
                                struct err *err);

/* Write the files of result_files.h into the measurement's folder. */
MUST_CHECK int results_write(struct measurement *measurement, struct err *err);

/* Is this host's last verdict on that commit, in the context of this job, one that lets merge? */
MUST_CHECK int pipeline_was_green(const struct pipeline *pipeline, const char *sha,
                                  bool *green, struct err *err);

/* Set the status of a check, ratchet/<device> on the PR's head, to pending, at once; unless it was
 * chosen in part, and so has no status, or by the outbox (NULL: there is none) a newer job has had its word there. */
MUST_CHECK int pipeline_announce(struct pipeline *pipeline, struct db *outbox,
                                 const char *text, struct err *err);

/* Put what GitHub is owed into the outbox, inside the caller's transaction: the comment and the
 * status of a comparison whose files are in the folder. */
MUST_CHECK int pipeline_owe(struct pipeline *pipeline, struct db *outbox, struct err *err);
/* Send it, as far as it waits. A job that was never pinned has no head: GitHub is asked for it, and
 * where it cannot tell, the event's commit is taken, once GitHub says that it is the pull
 * request's. Trouble with GitHub is in `result`. */
MUST_CHECK int pipeline_send(struct pipeline *pipeline, struct db *outbox,
                             struct outbox_result *result, struct err *err);

#endif
