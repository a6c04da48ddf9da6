/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of one run by hand. Whatever ends it, its scratch goes, and so do results that it never
 * had. */
#ifndef RATCHET_CLI_FOLDERS_H
#define RATCHET_CLI_FOLDERS_H

#include "base/err.h"
#include "base/file.h"
#include "intake/host.h"

/* Run what follows in a child: 0 is returned there. Its parent waits and cleans up; 1 is returned
 * there, with the exit code. A child that a signal ended ends its parent by the same one, after
 * `ratchet COMMAND: interrupted; LOST`. */
MUST_CHECK int cli_in_child(const char *command, const char *lost, int *code, struct err *err);

/* Results (`output`, or a fresh folder below the state folder) and a fresh scratch folder. For the
 * child of cli_in_child. */
struct cli_folders {
    int lock; /* held while the scratch folder is in use, so that nobody else removes it */
    char results[FILE_PATH_BYTES];
    char scratch[FILE_PATH_BYTES];
};
MUST_CHECK int cli_folders(const struct host *host, const char *output,
                           struct cli_folders *folders, struct err *err);
/* None here: the commands that this one starts have theirs on that host. */
void cli_folders_of_others(const struct host *host);
/* The scratch folder alone, for what leaves no results. */
MUST_CHECK int cli_scratch(const struct host *host, struct cli_folders *folders,
                           struct err *err);

#endif
