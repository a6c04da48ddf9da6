/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a device's kernels: how the baseline moved, by git's log of baseline.json, and what the
 * checks said whose results this host still keeps. Reads only.
 *
 *     history_git.c      moves: what each commit changed in baseline.json, and by how much
 *     history_state.c    checks: verdict.json of the folders below the state folder, and the queue's rows
 *     history_months.c   what follows: how often the same head was checked, what a month took
 *     history_text.c, history_json.c, history_page.c (history_figures.c)    all of it, for people and programs
 *
 * All that is read may be anybody's, old, or half there. What cannot be read is a note; only a lack of
 * memory, or a repository that cannot be read at all, is an error. Times are UTC epoch seconds, durations
 * ns. */
#ifndef RATCHET_LAB_HISTORY_H
#define RATCHET_LAB_HISTORY_H

#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "base/git.h"
#include "base/utc.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

#define HISTORY_SCHEMA "ratchet.history/1"

/* Bounds of what is looked at, the newest first. What is beyond them is counted in a note. */
enum {
    HISTORY_COMMITS_MAX = 100000,
    HISTORY_BASELINES_MAX = 2000, /* versions of baseline.json */
    HISTORY_MOVES_MAX = 20000,
    HISTORY_CHECKS_MAX = 2000,
    HISTORY_NOTES_MAX = 20
};

/* A config's row in baseline.json that a commit added, changed or removed. */
struct history_move {
    char commit[MODEL_SHA_BYTES]; /* that changed it… */
    long long time;               /* …when */
    bool inherited;               /* of a shallow clone: recorded then, or before */
    char config[MODEL_NAME_BYTES];
    char why[MODEL_NAME_BYTES]; /* "new", "improved", "accepted", "gone" */
    char who[MODEL_WHO_BYTES];  /* who accepted a loss, or "" */
    char recorded[32];          /* as the row has it */
    char kernel[MODEL_SHA_BYTES];
    double ns; /* median of the replicates' medians, 95% interval beside it; 0: no samples */
    struct interval ci;
    size_t replicates;
    char protocol[MODEL_PROTOCOL_BYTES]; /* how these were measured (wire.h)… */
    char before
        [MODEL_PROTOCOL_BYTES]; /* …and those of the row before, where that is another; or "" */
    /* The row against the one before it, where both are of one problem and one protocol: the ratio of two
     * recordings, unpaired. What the machine did between them is in it. */
    struct change step;
};

/* What a check said of one config. */
struct history_reading {
    char config[MODEL_NAME_BYTES];
    enum verdict verdict;
    double ns; /* head's median; 0: not measured */
    struct interval ci;
    struct change change; /* against what it was judged against */
};

/* A check, or a promotion's look at main, whose verdict.json is still here. */
struct history_check {
    char result[64]; /* its folder, "jobs/17" */
    long long time;  /* when it ended, or else its file was written */
    bool queued;     /* the four below are known */
    enum job_kind kind;
    char repository[JOB_REPOSITORY_BYTES]; /* "" for a local one */
    int pr;
    unsigned starts;
    char head[MODEL_SHA_BYTES]; /* "" where neither the queue nor samples.json tells */
    char protocol[MODEL_PROTOCOL_BYTES]; /* of its times, by env.json; "": not told */
    enum verdict verdict;
    char reason[MODEL_TEXT_BYTES];
    struct spent spent;
    unsigned long long cost_micro;    /* millionths of spent.price.currency */
    struct history_reading *readings; /* owned */
    size_t count;
    size_t again; /* earlier checks of the same head, of those here */
};

enum { HISTORY_CURRENCIES_MAX = 4, HISTORY_SHORT_SHA = 10 /* digits that people are shown */ };
/* A calendar month, UTC. */
struct history_month {
    int year, month; /* 1 to 12 */
    size_t checks, again;
    size_t of_verdict[VERDICT_REGRESSED + 1];
    size_t untold; /* checks without a time: verdicts of older versions */
    unsigned long long device_ms, unpriced_ms;
    size_t unpriced; /* checks that tell the time and no price */
    struct {
        char currency[PRICE_CURRENCY_BYTES];
        unsigned long long micro;
    } costs[HISTORY_CURRENCIES_MAX];
    size_t cost_count;
};

struct history {
    char device[MODEL_NAME_BYTES];
    char head[MODEL_SHA_BYTES]; /* the commit that was asked for */
    struct history_move *moves; /* owned; newest commit first */
    size_t move_count;
    struct history_check *checks; /* owned; oldest first */
    size_t check_count;
    struct history_month *months; /* owned; in order, by history_sum_up */
    size_t month_count;
    char (*notes)[MODEL_TEXT_BYTES]; /* owned */
    size_t note_count, notes_left_out;
};
void history_free(struct history *history);
#define HISTORY_AUTO __attribute__((cleanup(history_free))) struct history

/* What could not be read; one line of any bytes. ERR_HOST for a lack of memory. */
MUST_CHECK int history_note(struct history *history, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Append a zeroed element; NULL with err set. */
struct history_move *history_add_move(struct history *history, struct err *err);
struct history_check *history_add_check(struct history *history, struct err *err);

/* Along first parents from history->head. `config` NULL: all of them. */
struct history_git {
    struct git_repo *repo;
    const struct limits *limits;
    const char *config;
};
MUST_CHECK int history_read_git(const struct history_git *from, struct history *history,
                                struct err *err);

struct history_state {
    const char *folder; /* of the host's state; jobs/ and runs/ in it */
    struct db *db;      /* its queue; NULL: not to be had */
    const struct limits *limits;
    const char *config;     /* NULL: all of them */
    const char *repository; /* "owner/name"; NULL: those of `repo`, and what names no commit */
    struct git_repo *repo;  /* whose history it is */
};
/* A state folder that is not there has no checks. */
MUST_CHECK int history_read_state(const struct history_state *from, struct history *history,
                                  struct err *err);

/* Counts what is a check of the same head again, and fills in the months. */
MUST_CHECK int history_sum_up(struct history *history, struct err *err);

const char *history_day(long long time, char out[UTC_BYTES]); /* "2026-11-21" */
/* "12.345 GPU-seconds", of a CPU "device-seconds"; "0.003302 USD". */
enum { HISTORY_COST_BYTES = 96 };
const char *history_seconds(const struct history *history, unsigned long long ms,
                            char out[HISTORY_COST_BYTES]);
const char *history_money(unsigned long long micro, const char *currency,
                          char out[HISTORY_COST_BYTES]);
/* What the month took, in a sentence without a full stop. */
void history_month_text(const struct history *history, const struct history_month *month,
                        struct buf *out);

/* The most times that there can be of one config: the moves and all readings. */
size_t history_times_max(const struct history *history);
/* Times that may be set side by side: of one config, by one protocol. Names are borrowed from `history`. */
struct history_series {
    const char *config, *protocol;
    bool alone; /* the config has no other protocol */
};
/* Those that there are, in order of config and protocol. ERR_HOST. The caller frees *list. */
MUST_CHECK int history_series(const struct history *history, struct history_series **list,
                              size_t *count, struct err *err);
bool history_is_of(const struct history_series *series, const char *config,
                   const char *protocol);
/* "NAME, measuring protocol 1", where the config has another as well. */
enum { HISTORY_TITLE_BYTES = MODEL_NAME_BYTES + 48 };
const char *history_title(const struct history_series *series, char out[HISTORY_TITLE_BYTES]);
/* "measuring protocol 1 → 2": why there is no step. */
const char *history_break(const struct history_move *move, char out[HISTORY_TITLE_BYTES]);

/* For a terminal of 80 columns; the moves' lines may be longer. */
MUST_CHECK int history_text(const struct history *history, struct buf *out, struct err *err);
MUST_CHECK int history_json(const struct history *history, struct buf *out, struct err *err);
/* One page of HTML with its figures. */
MUST_CHECK int history_page(const struct history *history, struct buf *out, struct err *err);

#endif
