/* SPDX-License-Identifier: Apache-2.0 */
/* The timed part of a config: turns of all arms in random order, taken again where something
 * disturbed them, and audits that hold the harness's clock against ours. */
#ifndef RATCHET_MEASURE_TURNS_H
#define RATCHET_MEASURE_TURNS_H

#include "measure/machine.h"
#include "measure/process.h"
#include "measure/session.h"

/* How a conversation about one config ended. */
struct turns {
    struct session *session;
    const struct bench_request *request;
    struct witness *witness;        /* turns_take's own */
    enum arm arms[ARM_COUNT];       /* that take part */
    size_t arm_count;
    unsigned long long launches;    /* of one sample */
    double floor_ns;                /* per launch: below it no time can be */
};

/* What stopped the turns. */
struct turns_end {
    enum talk talk;    /* TALK_OK: they went through, or a lie was seen */
    enum arm arm;      /* who was at work; ARM_COUNT: unknown */
    struct line line;  /* of TALK_WRONG and TALK_FAILED */
    bool lie;
    char text[MODEL_TEXT_BYTES]; /* of a lie */
};

/* Fill in replicate->arms and ->marks. 0, or -1 where *end says what came between, or with
 * ERR_HOST in `err` where it is neither. */
MUST_CHECK int turns_take(const struct turns *turns, struct replicate *replicate,
                          struct turns_end *end, struct err *err);

#endif
