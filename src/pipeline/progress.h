/* SPDX-License-Identifier: Apache-2.0 */
/* What a measurement tells while it runs. Whoever listens gets the kind and the figures; the line of
 * text is made for people, and nobody reads it back. */
#ifndef RATCHET_PIPELINE_PROGRESS_H
#define RATCHET_PIPELINE_PROGRESS_H

#include <stddef.h>

enum progress_kind {
    PROGRESS_LINE,      /* nothing more than its text */
    PROGRESS_STAGE,     /* another stage begins; no text */
    PROGRESS_BUILD,     /* a build ended */
    PROGRESS_REPLICATE, /* a replicate of one config ended */
    PROGRESS_ROUND,     /* a process ended that measured every config that was open; no text */
    PROGRESS_BUSY,      /* a replicate takes its time: comes every 10 s or so */
    PROGRESS_LOOK,      /* the judge looked */
    PROGRESS_WAITING,   /* somebody else holds the device */
    PROGRESS_VERDICT    /* the whole is judged */
};

enum progress_stage { STAGE_NONE, STAGE_BUILD, STAGE_DEVICE, STAGE_MEASURE };

/* How far it is. Replicates are those that count, of the open config that has fewest of them. Time is
 * told once each open config has one, from what they took; never before. */
struct progress_figures {
    enum progress_stage stage;
    size_t replicates, replicates_max; /* 0 of 0: not known */
    size_t configs;                    /* that are still open */
    double least_s, most_s; /* left: to the next look, to the whole budget; < 0: not known */
};

struct progress_event {
    enum progress_kind kind;
    const char *text; /* one line without its end, or "", valid during the call */
    struct progress_figures now;
};

typedef void progress_function(void *context, const struct progress_event *event);

enum { PROGRESS_TEXT_BYTES = 160 };

/* "measuring: replicate 3 of at most 16, 5 configs, 40 s to 9 min left"; what is not known is left
 * out. And the time alone, "40 s to 9 min left", or "". */
void progress_words(const struct progress_figures *now, char out[PROGRESS_TEXT_BYTES]);
void progress_left(const struct progress_figures *now, char out[PROGRESS_TEXT_BYTES]);

#endif
