/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong in a harness process, and with which arm. Whose fault that is, bench_fault.c
 * says. */
#ifndef RATCHET_MEASURE_TROUBLE_H
#define RATCHET_MEASURE_TROUBLE_H

#include "measure/session.h"

#include <stdbool.h>

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_REFUSED, /* the library does not load */
    TROUBLE_WRONG,   /* a wrong result, an error returned, a problem not supported */
    TROUBLE_CRASH,
    TROUBLE_KILLED, /* by the host, or by a library that makes it look so: bench_fault.c */
    TROUBLE_HANG,
    TROUBLE_GARBLED, /* the answer did not follow the protocol; a library may have written it */
    TROUBLE_IMPLAUSIBLE, /* faster than the device can be, or more time than passed */
    TROUBLE_HOST,        /* no memory, or ended while no arm was at work */
    TROUBLE_OURS         /* a defect of ours */
};

struct trouble {
    enum trouble_kind kind;
    bool whole; /* applies to every config that uses this library */
    char text[MODEL_TEXT_BYTES];
};

/* Those of one config: one for each arm, and the last of no arm in particular. */
enum { TROUBLE_COUNT = ARM_COUNT + 1 };
bool trouble_any(const struct trouble all[TROUBLE_COUNT]);
/* Was the process killed? *arm is who was at work, or ARM_COUNT. */
bool trouble_killed(const struct trouble all[TROUBLE_COUNT], enum arm *arm);

/* The first trouble of an arm is the cause: later ones are not written down. `stage`, which may
 * be "", says when and goes behind the text. */
void trouble_set(struct trouble *trouble, enum trouble_kind kind, bool whole,
                 const char *stage, const char *text);

/* The session is lost, and `arm` was at work; ARM_COUNT: no arm, so that it is the host's. */
void trouble_set_loss(struct trouble all[TROUBLE_COUNT], const struct session *session,
                      enum arm arm, const char *stage);

/* Write down that a step ended otherwise than it should: `want` was due. `arm` ARM_COUNT: no arm
 * was at work, so a death is the host's; but an answer out of place was a library's doing, and of
 * the libraries only head's is not reviewed yet. `line` is what REPLY_WRONG and REPLY_FAILED
 * said. */
void trouble_note(struct trouble all[TROUBLE_COUNT], const bool arms[ARM_COUNT],
                  const struct session *session, enum reply reply, enum arm arm,
                  enum line_kind want, const struct line *line, const char *stage);

#endif
