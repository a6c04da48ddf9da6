/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline over a repository of this host, for what engineers run by hand: `bench`, `verify`,
 * `calibrate`. */
#ifndef RATCHET_CLI_LOCAL_H
#define RATCHET_CLI_LOCAL_H

#include "base/err.h"
#include "cli/cli.h"
#include "cli/folders.h"
#include "cli/progress.h"
#include "pipeline/pipeline.h"

struct local_options {
    const char *repo, *head, *compare, *device,
        *config; /* compare NULL: head is its own base */
    bool quiet;
};

struct local {
    char repo[FILE_PATH_BYTES];
    struct host host;
    struct cli_folders folders;
    struct pipeline pipeline;
    struct progress progress;
};

/* Pinned, with the rules of `head` read. Not copied: the pipeline points into *out. */
MUST_CHECK int local_open(const struct local_options *given, struct local *out,
                          struct err *err);
void local_free(struct local **local); /* of a calloc; closed first */

/* The notes of the report, for a terminal, on stdout. */
MUST_CHECK int local_print_notes(const struct measurement *measurement, struct err *err);

/* The last lines of the log of a build that failed, likewise; nothing where none did. */
MUST_CHECK int local_print_log(const struct measurement *measurement, struct err *err);
/* Where the results lie, as seen from here. */
void local_print_folder(const struct measurement *measurement);

/* Comment and status of a check or promotion that runs in this process. What GitHub declines
 * is said on stderr and fails nothing; `command` is who says it. */
MUST_CHECK int local_publish(struct pipeline *pipeline, const char *command, struct err *err);

#endif
