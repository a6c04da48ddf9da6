/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of jobs as each version of it made it: a step that was released is never changed. */
#include "intake/queue.h"

/* AUTOINCREMENT: folders are named after ids, so an id is never given twice. The key
 * alone does not make a job: the legs of a matrix over devices share it, and a step could
 * name the key of a run that is not its own. */
const char queue_schema_1[] =
    "CREATE TABLE job ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " repository TEXT NOT NULL,"
    " device TEXT NOT NULL,"
    " key TEXT NOT NULL CHECK (key <> ''),"
    " pr INTEGER NOT NULL,"
    " base_ref TEXT NOT NULL,"
    " head TEXT NOT NULL,"
    " base TEXT NOT NULL,"
    " merge TEXT NOT NULL,"
    " run_url TEXT NOT NULL,"
    " state TEXT NOT NULL"
    "  CHECK (state IN ('accepted', 'pinned', 'running', 'judged', 'done', 'cancelled')),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " exit_code INTEGER NOT NULL DEFAULT 0,"
    " verdict TEXT NOT NULL DEFAULT '',"
    " accepted_s INTEGER NOT NULL,"
    " finished_s INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (key, repository, device, kind, pr));"
    "CREATE INDEX job_lane ON job (device, state, id);";

/* SQLite cannot change a CHECK: the table is made again. The row of sqlite_sequence follows the
 * new table's name, so that ids go on where they were. What GitHub is owed for a job that is judged
 * was not kept with it: it is measured again. */
const char queue_schema_2[] =
    "CREATE TABLE job_2 ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " repository TEXT NOT NULL COLLATE NOCASE,"
    " device TEXT NOT NULL,"
    " key TEXT NOT NULL CHECK (key <> ''),"
    " pr INTEGER NOT NULL,"
    " base_ref TEXT NOT NULL,"
    " event_head TEXT NOT NULL DEFAULT '',"
    " head TEXT NOT NULL,"
    " base TEXT NOT NULL,"
    " merge TEXT NOT NULL,"
    " run_url TEXT NOT NULL,"
    " uid INTEGER NOT NULL DEFAULT -1,"
    " secret TEXT NOT NULL DEFAULT '',"
    " state TEXT NOT NULL"
    "  CHECK (state IN ('accepted', 'pinned', 'running', 'ending', 'judged', 'done')),"
    " clause TEXT NOT NULL DEFAULT '',"
    " why TEXT NOT NULL DEFAULT '',"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " exit_code INTEGER NOT NULL DEFAULT 0,"
    " verdict TEXT NOT NULL DEFAULT '',"
    " accepted_s INTEGER NOT NULL,"
    " finished_s INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (key, repository, device, kind, pr, uid));"
    "INSERT OR IGNORE INTO job_2 (id, kind, repository, device, key, pr, base_ref, head, "
    "base, merge,"
    "  run_url, state, attempts, exit_code, verdict, accepted_s, finished_s)"
    " SELECT id, kind, repository, device, key, pr, base_ref, head, base, merge, run_url,"
    "  CASE state WHEN 'cancelled' THEN 'done'"
    "   WHEN 'judged' THEN iif(merge = '', 'accepted', 'pinned') ELSE state END,"
    "  iif(state = 'judged', 0, attempts),"
    "  iif(state = 'cancelled', 3, exit_code), iif(state = 'cancelled', 'unmeasured', "
    "verdict),"
    "  accepted_s, finished_s"
    " FROM job ORDER BY id DESC;" /* of one that was spelled in two ways the newer */
    "DELETE FROM sqlite_sequence WHERE name = 'job_2';"
    "INSERT INTO sqlite_sequence (name, seq)"
    " SELECT 'job_2', seq FROM sqlite_sequence WHERE name = 'job';"
    "DROP TABLE job;"
    "ALTER TABLE job_2 RENAME TO job;"
    "CREATE INDEX job_state ON job (state, id);";

/* lane: of its device, that a job was started on. tried_s: for how long a verdict has been owed while a
 * daemon ran. Thousands may be owed while GitHub is away: hence the index. */
const char queue_schema_3[] = "ALTER TABLE job ADD COLUMN lane TEXT NOT NULL DEFAULT '';"
                              "ALTER TABLE job ADD COLUMN tried_s INTEGER NOT NULL DEFAULT 0;"
                              "CREATE INDEX job_owed ON job (state, repository, id);";

/* Of a merge group: its branch, and what the step says that it is built on. */
const char queue_schema_4[] =
    "ALTER TABLE job ADD COLUMN merge_group TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE job ADD COLUMN event_base TEXT NOT NULL DEFAULT '';";

/* What its step chose of a check, and since it is pinned: what of that is taken, or why not. */
const char queue_schema_5[] = "ALTER TABLE job ADD COLUMN configs TEXT NOT NULL DEFAULT '';"
                              "ALTER TABLE job ADD COLUMN budget_s INTEGER NOT NULL DEFAULT 0;"
                              "ALTER TABLE job ADD COLUMN profile INTEGER NOT NULL DEFAULT 0;"
                              "ALTER TABLE job ADD COLUMN refused TEXT NOT NULL DEFAULT '';";

/* Since it is pinned: who let a fork's head run. */
const char queue_schema_6[] =
    "ALTER TABLE job ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';";

/* Once judged: what GitHub answered last, where it did not take what it is told. */
const char queue_schema_7[] = "ALTER TABLE job ADD COLUMN untold TEXT NOT NULL DEFAULT '';";
