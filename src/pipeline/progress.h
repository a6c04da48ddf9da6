/* SPDX-License-Identifier: Apache-2.0 */
/* What a measurement tells while it runs. Whoever listens gets the kind and the figures; the line of
 * text is made for people, and nobody reads it back. */
#ifndef RATCHET_PIPELINE_PROGRESS_H
#define RATCHET_PIPELINE_PROGRESS_H

enum progress_kind {
    PROGRESS_LINE,      /* nothing more than its text */
    PROGRESS_BUILD,     /* a build ended */
    PROGRESS_REPLICATE, /* a replicate of one config ended */
    PROGRESS_LOOK,      /* the judge looked */
    PROGRESS_WAITING,   /* somebody else holds the device */
    PROGRESS_VERDICT    /* the whole is judged */
};

struct progress_event {
    enum progress_kind kind;
    const char *text; /* one line without its end, valid during the call */
};

typedef void progress_function(void *context, const struct progress_event *event);

#endif
