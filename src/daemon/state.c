/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the names in the state folder. Makes and opens nothing. */
#include "daemon/state.h"

int state_database(const struct host *host, char out[FILE_PATH_BYTES], struct err *err)
{
    return file_path(out, err, "%s/queue.db", host->state);
}

int state_jobs(const struct host *host, char out[FILE_PATH_BYTES], struct err *err)
{
    return file_path(out, err, "%s/jobs", host->state);
}

int state_job(const struct host *host, long long job, char out[FILE_PATH_BYTES],
              struct err *err)
{
    return file_path(out, err, "%s/jobs/%lld", host->state, job);
}

int state_job_file(const struct host *host, long long job, const char *name,
                   char out[FILE_PATH_BYTES], struct err *err)
{
    return file_path(out, err, "%s/jobs/%lld/%s", host->state, job, name);
}

int state_scratch(const struct host *host, char out[FILE_PATH_BYTES], struct err *err)
{
    return file_path(out, err, "%s/work", host->state);
}

int state_job_scratch(const struct host *host, long long job, char out[FILE_PATH_BYTES],
                      struct err *err)
{
    return file_path(out, err, "%s/work/%lld", host->state, job);
}
