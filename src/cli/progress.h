/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of a long measurement on stderr, with the time that is left once that is known: a bar that
 * redraws itself on a terminal, plain lines elsewhere, nothing where it is to be quiet. */
#ifndef RATCHET_CLI_PROGRESS_H
#define RATCHET_CLI_PROGRESS_H

#include "pipeline/progress.h"

#include <stdbool.h>
#include <stddef.h>

struct progress {
    bool quiet;
    bool terminal;                  /* set by progress_begin */
    size_t done, all;               /* replicates of configs */
    char left[PROGRESS_TEXT_BYTES]; /* time left, as it was said last */
};

void progress_begin(struct progress *progress, bool quiet);
/* A progress_function; `context` is the struct progress. A replicate moves the bar. */
void progress_show(void *context, const struct progress_event *event);
void progress_end(struct progress *progress);

#endif
