/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which of the earlier checks of a code the next one goes on from, and that no two are at it at once. */
#include "pipeline/attempts_internal.h"

#include "judge/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one at a time ---- */

/* A byte of one file for each code: nothing is left behind, whoever dies. Two codes on one byte only wait for each
 * other. */
static off_t byte_of(const struct attempts *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (attempts->codes[i][0] != '\0') {
            char digits[16] = "";
            memcpy(digits, attempts->codes[i], sizeof digits - 1);
            return (off_t)(strtoull(digits, NULL, 16) & 0x7fffffff);
        }
    return -1;
}

int attempts_lock(struct measurement *measurement, struct attempts *out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    range.l_start = byte_of(out, measurement->samples.count);
    if (range.l_start < 0)
        return 0;
    if (file_path(path, err, "%s/attempts.lock", measurement->host->state) != 0)
        return -1;
    out->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->lock < 0)
        return err_errno(err, ERR_HOST, errno, "open `%s`", path);
    if (fcntl(out->lock, F_OFD_SETLK, &range) == 0)
        return 0;
    measurement_say(measurement, "waits: the same code is being measured by another check");
    int locked;
    do
        locked = fcntl(out->lock, F_OFD_SETLKW, &range);
    while (locked != 0 && errno == EINTR);
    return locked == 0 ? 0 : err_errno(err, ERR_HOST, errno, "lock `%s`", path);
}

/* ---- what was before ---- */

static int count(const struct row *row, struct attempts_before *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(row->measurement->store, &stmt, err,
                   "SELECT count(samples), coalesce(sum(spoiled), 0) FROM attempt"
                   " WHERE code = ? AND who <> ?",
                   "tt", row->code, row->who) != 0 ||
        db_step(stmt, err) < 0)
        return -1;
    out->others = db_int(stmt, 0);
    out->spoiled = db_int(stmt, 1);
    return 0;
}

static void move(struct config_samples *from, struct config_samples *to)
{
    struct config_samples kept = *from;
    kept.config = to->config;
    memcpy(kept.arms, to->arms, sizeof kept.arms);
    kept.clock_resolution_ns = to->clock_resolution_ns;
    kept.anchor_failed = to->anchor_failed;
    kept.anchor_unbuilt = to->anchor_unbuilt;
    memcpy(kept.anchor_failure, to->anchor_failure, sizeof kept.anchor_failure);
    *to = kept;
    *from = (struct config_samples){0};
}

/* What one row knows. Regressed is final, whatever was measured beside it; then this very check, which was killed;
 * then a check that was cut off after all those which count, for it holds them too; then whoever measured most. */
struct candidate {
    struct samples samples; /* owned */
    bool regressed, own, partial;
};

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (b->samples.count == 0 || a->regressed != b->regressed)
        return b->samples.count == 0 || a->regressed;
    if (a->partial != b->partial && a->own == b->own)
        return a->partial;
    if (a->own != b->own)
        return a->own;
    return a->samples.configs[0].count > b->samples.configs[0].count;
}

static bool can_be_read(const struct row *row, const char *text, struct samples *out)
{
    struct err ignored;
    return samples_parse(text, strlen(text), "attempt", &row->measurement->host->limits, out,
                         &ignored) == 0 &&
           out->count == 1;
}

/* A check that was cut off before others came to their looks is no part of the series: they began anew, or beside it. */
static bool goes_on(const struct candidate *candidate, long long others)
{
    return !candidate->partial || candidate->samples.configs[0].earlier_count == others;
}

static int choose(const struct row *row, long long others, struct candidate *best,
                  struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    int more;
    if (db_prepare(row->measurement->store, &stmt, err,
                   "SELECT coalesce(samples, partial) AS measured, who = ?, samples IS NULL,"
                   " regressed FROM attempt WHERE code = ? AND measured IS NOT NULL"
                   " ORDER BY id DESC",
                   "tt", row->who, row->code) != 0)
        return -1;
    while ((more = db_step(stmt, err)) > 0) {
        struct candidate found = {.own = db_int(stmt, 1) != 0,
                                  .partial = db_int(stmt, 2) != 0,
                                  .regressed = db_int(stmt, 3) != 0};
        if (!can_be_read(row, db_text(stmt, 0), &found.samples)) {
            if (!found.partial)
                measurement_note(row->measurement,
                                 "%s: the samples of an earlier attempt cannot be read: it "
                                 "counts all the same.",
                                 row->config->config.name);
        } else if (goes_on(&found, others) && is_better(&found, best)) {
            struct candidate worse = *best;
            *best = found;
            found = worse;
        }
        samples_free(&found.samples);
    }
    return more;
}

int attempts_load(const struct row *row, struct attempts_before *out, struct err *err)
{
    struct candidate best = {.own = false};
    *out = (struct attempts_before){.any = false};
    if (count(row, out, err) != 0)
        return -1;
    int chosen = choose(row, out->others, &best, err);
    if (chosen == 0 && best.samples.count == 1) {
        out->any = true;
        out->own = best.own;
        out->counts = !best.partial;
        move(&best.samples.configs[0], row->config);
    }
    samples_free(&best.samples);
    return chosen;
}
