/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of a long measurement on stderr, with the time that is left once that is known: one line that is
 * drawn again on a terminal, a line a step elsewhere, nothing where it is to be quiet. */
#ifndef RATCHET_CLI_PROGRESS_H
#define RATCHET_CLI_PROGRESS_H

#include "model.h"
#include "pipeline/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_SAID_BYTES = 512 };

struct progress {
    bool quiet;
    bool terminal;      /* set by progress_begin */
    bool drawn;         /* the line is there */
    size_t done, all;   /* replicates of configs; 0 of 0: no bar */
    struct price price; /* set by whoever knows the device: what it costs is told */
    uint64_t held_ns;   /* when measuring began; 0: not yet */
    char left[PROGRESS_TEXT_BYTES]; /* time left, as it was said last */
    char said[PROGRESS_SAID_BYTES]; /* the last event that had a text */
};

void progress_begin(struct progress *progress, bool quiet);
/* A progress_function; `context` is the struct progress. A replicate moves the bar. */
void progress_show(void *context, const struct progress_event *event);
/* The line goes; what is written next begins one of its own. May be called again. */
void progress_end(struct progress *progress);

#endif
