/* SPDX-License-Identifier: Apache-2.0 */
/* The timed part of a config: turns of all arms in random order, taken again where something
 * disturbed them; and our own clock, which the harness's is held against (agree.h). */
#ifndef RATCHET_MEASURE_TURNS_H
#define RATCHET_MEASURE_TURNS_H

#include "measure/bench.h"
#include "measure/device/device.h"
#include "measure/device/witness.h"
#include "measure/agree.h"
#include "measure/session.h"

enum { TURNS_ENTRIES_MAX = 16 };

/* One sample of a turn: of which arm, and how much longer the device is kept busy in it. */
struct turns_entry {
    enum arm arm;
    unsigned long long delay_ns;
};

struct turns {
    struct session *session;
    const struct bench_request *request;
    const struct device_kind *kind;
    struct witness *witness; /* turns_take's own */
    struct turns_entry entries[TURNS_ENTRIES_MAX];
    size_t count;
    bool clock_apart;            /* the harness's: it is not held against ours */
    bool delays;                 /* entries have delays, 0 included: all pay for that */
    unsigned long long launches; /* of one sample, about: see wire.h */
    double floor_ns;             /* per launch: below it no time can be */
    double
        wall_ns; /* that all of it should take, at the cost of launches, warm-up and samples;
                       0: as it comes */
};

/* What was wrong with samples (enum mark, ored); and of that, what was seen while which arm was at
 * work, at least half as often as while the arm was of which it was seen most. What is of no arm
 * in particular (another process, stolen time) is only in `all`. */
struct turns_marks {
    unsigned all;
    unsigned of[ARM_COUNT];
};

/* What stopped the turns. */
struct turns_end {
    enum reply reply; /* REPLY_OK: they went through, or a time was impossible */
    enum arm arm;     /* who was at work; ARM_COUNT: unknown */
    struct line line; /* of REPLY_WRONG and REPLY_FAILED */
    struct clock_slope slopes[TURNS_ENTRIES_MAX]; /* of what each entry claimed: see agree.h */
    bool shortened; /* for wall_ns: fewer launches, warm-up or samples than were asked for */
    bool implausible;
    char text[MODEL_TEXT_BYTES]; /* where `implausible` */
};

/* Samples of every entry are added to `out`, which has one series for each, and what was wrong
 * with them to *marks. 0, or -1 where *end says what came between, or with ERR_HOST in `err`
 * where it is neither. */
MUST_CHECK int turns_take(const struct turns *turns, struct series *out,
                          struct turns_marks *marks, struct turns_end *end, struct err *err);

#endif
