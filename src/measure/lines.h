/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness says, one line at a time, as bytes from a process that runs
 * untrusted code. Pure: no descriptor, no clock, no memory of earlier lines. */
#ifndef RATCHET_MEASURE_LINES_H
#define RATCHET_MEASURE_LINES_H

#include "base/err.h"
#include "model.h"
#include "wire.h"

#include <stddef.h>

enum line_kind {
    LINE_HELLO, /* numbers: version; name: device */
    LINE_OPENED, /* numbers: bytes of L2, of free and of all memory; is its clock out of reach? */
    LINE_LOADED,  /* numbers: slot; name: the kernel's */
    LINE_REFUSED, /* numbers: slot; text */
    LINE_CONFIGURED,
    LINE_PREPARED,  /* arm; numbers: workspace bytes */
    LINE_ALLOCATED, /* numbers: sets, bytes of one set */
    LINE_RAN,       /* arm; numbers: bytes of device memory that the launch took */
    LINE_RIGHT,     /* arm; numbers: rows, worst error in millionths of its tolerance */
    LINE_HASHED,    /* arm; numbers: high and low 32 bits of the hash */
    LINE_FILLED,
    LINE_CALIBRATED, /* arm; numbers: launches */
    LINE_STAGED,     /* arm */
    LINE_SAMPLE,     /* arm; numbers: total ns, disturbances */
    LINE_DONE,
    LINE_COMPARED,
    LINE_TRACED,   /* arm; numbers: the kernels' ns, total ns */
    LINE_LAUNCHES, /* arm; numbers: of kernels */
    LINE_LAUNCHED, /* arm; numbers: threads, blocks, shared bytes, warps; text: its name */
    LINE_RELEASED,
    LINE_WRONG,   /* arm; text */
    LINE_FAILED,  /* text */
    LINE_DIED,    /* numbers: signal */
    LINE_CRASHED, /* text */
    LINE_KINDS
};

enum { LINE_NUMBERS = 4 };

struct line {
    enum line_kind kind;
    enum arm arm;                             /* ARM_COUNT where the line has none */
    unsigned long long numbers[LINE_NUMBERS]; /* in the order of the line */
    char name[WIRE_NAME_BYTES];
    char text[WIRE_TEXT_BYTES];
};

/* Read one line without its newline. Anything but a line of wire.h is ERR_INPUT. */
MUST_CHECK int line_parse(const char *bytes, size_t len, struct line *out, struct err *err);

const char *line_kind_name(enum line_kind kind); /* its first word */

#endif
