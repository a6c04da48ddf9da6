/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of the baselines that were pushed from here. */
#include "pipeline/promoted.h"

#include "base/db.h"
#include "base/file.h"

const char promoted_schema[] = "CREATE TABLE promoted ("
                               " repository TEXT NOT NULL COLLATE NOCASE,"
                               " device TEXT NOT NULL,"
                               " bytes TEXT NOT NULL," /* their SHA-256 */
                               " PRIMARY KEY (repository, device, bytes)) WITHOUT ROWID;";

int promoted_remember(const struct measurement *measurement, const char *bytes, size_t len,
                      struct err *err)
{
    char digest[FILE_SHA256_BYTES];
    if (measurement->store == NULL)
        return 0;
    file_sha256(bytes, len, digest);
    return db_run(measurement->store, err, "INSERT OR IGNORE INTO promoted VALUES (?, ?, ?)",
                  "ttt", measurement->job.repository, measurement->job.device, digest);
}

/* Is there a row with these bytes, or, where they are NULL, any? */
static bool is_there(const struct measurement *measurement, const char *digest)
{
    struct err ignored;
    DB_STMT_AUTO *stmt = NULL;
    return measurement->store != NULL &&
           db_prepare(measurement->store, &stmt, &ignored,
                      "SELECT 1 FROM promoted WHERE repository = ?1 AND device = ?2"
                      " AND bytes = coalesce(?3, bytes)",
                      "ttt", measurement->job.repository, measurement->job.device,
                      digest) == 0 &&
           db_step(stmt, &ignored) > 0;
}

bool promoted_any(const struct measurement *measurement)
{
    return is_there(measurement, NULL);
}

bool promoted_knows(const struct measurement *measurement, const char *commit)
{
    char path[FILE_PATH_BYTES], digest[FILE_SHA256_BYTES];
    struct err ignored;
    BUF_AUTO bytes;
    buf_init(&bytes, measurement->host->limits.baseline_bytes);
    if (file_path(path, &ignored, "baselines/%s/baseline.json", measurement->job.device) !=
            0 ||
        git_read_file(measurement->repo, commit, path, &bytes, &ignored) != 0)
        return false;
    file_sha256(bytes.data, bytes.len, digest);
    return is_there(measurement, digest);
}
