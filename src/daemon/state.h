/* SPDX-License-Identifier: Apache-2.0 */
/* Where ratchetd keeps things, below the host's state folder:
 *
 *     queue.db     every job that was accepted, and what GitHub is owed (store.h)
 *     jobs/ID      what a job leaves, until keep-days after its end
 *     work/ID      scratch of a job's step; nothing in it is worth keeping. Commands that people run
 *                  have work/run-… with a lock beside it (cli/cli.h)
 *     runs/…       what such a command leaves
 *     repos/KEY    bare caches, and cache/ the libraries of main's commits */
#ifndef RATCHET_DAEMON_STATE_H
#define RATCHET_DAEMON_STATE_H

#include "base/err.h"
#include "base/file.h"
#include "intake/host.h"

#define STATE_COMMENT "comment" /* a file of a job: the address of its comment at GitHub */

MUST_CHECK int state_database(const struct host *host, char out[FILE_PATH_BYTES],
                              struct err *err);
/* The folder above all jobs', and that of one job. */
MUST_CHECK int state_jobs(const struct host *host, char out[FILE_PATH_BYTES], struct err *err);
MUST_CHECK int state_job(const struct host *host, long long job, char out[FILE_PATH_BYTES],
                         struct err *err);
/* A file in it, one of src/result_files.h or STATE_COMMENT. */
MUST_CHECK int state_job_file(const struct host *host, long long job, const char *name,
                              char out[FILE_PATH_BYTES], struct err *err);
/* The folder above all scratch, and that of one job. */
MUST_CHECK int state_scratch(const struct host *host, char out[FILE_PATH_BYTES],
                             struct err *err);
MUST_CHECK int state_job_scratch(const struct host *host, long long job,
                                 char out[FILE_PATH_BYTES], struct err *err);

#endif
