/* SPDX-License-Identifier: Apache-2.0 */
/* samples.json (schema ratchet.samples/1), both ways, bytes only. The keys are
 * a contract: old files stay readable. A reader needs schema, device, and of each config name,
 * unit ("ns") and replicates with `head`. `problem` is for throughput only: a config without it
 * matches a baseline by its name; `heads_kv` in it is `heads` where absent. Unknown keys are ignored; a value of
 * the wrong type, a sample that is not a finite number > 0, a mark that is not known,
 * a duplicate name, another schema or more than the caps are ERR_INPUT
 * with the path of the key. Where all configs have the same arms they stand once at the
 * top, else in each config, which then counts. Arrays may be empty: "no samples" is for
 * the judge to say.
 *
 * Beside these a config may have
 *     "arms": {…}               as at the top, for this config alone
 *     "attempts": 9             replicates started; the number of replicates where absent
 *     "earlier": [16, 0]        of a re-run: how many of the replicates, which stand first, each
 *                               earlier check of the same code took; 0 where they were lost
 *     "identical": "anchor"     the arm whose machine code is the head's: not measured
 *     "fault": "the PR", "failure": "wrong result: …"    it could not be measured
 *     "anchor_failure": "…"     the anchor cannot run
 *     "anchor_unbuilt": true    … for no recipe builds it: unclear at most
 *     "shortened": true         a time budget cut samples, launches or warm-up
 *     "out_of_time": true       … and took no more replicates, though they could have settled it
 *     "peak_bytes": {"head": 1048576}
 *     "without_head": [50120.5] medians of the anchor, or base, in processes without head
 *     "left_out": {"cudnn": "wrong result: …"}           another arm of the file is not here
 * and a replicate any of the marks of model.h, and, of those, which were seen while which arm was
 * at work, where that is known:
 *     "marks": ["preempted"], "provoked": {"head": ["preempted"]}
 * and how the times that an arm claims agree with the host's clock (measure/agree.h), by arm: slope,
 * its standard error, degrees of freedom:
 *     "clock": {"head": [1.002, 0.01, 45]}
 * Arms beyond those of a check are written under
 * their own names wherever arms stand, and not read unless one is asked for. */
#ifndef RATCHET_JUDGE_SAMPLES_H
#define RATCHET_JUDGE_SAMPLES_H

#include "base/buf.h"
#include "base/err.h"
#include "limit.h"
#include "model.h"

#define SAMPLES_SCHEMA "ratchet.samples/1"

MUST_CHECK int samples_parse(const char *bytes, size_t len, const char *name,
                             const struct limits *limits, struct samples *out,
                             struct err *err);
/* Head and one more arm, whatever its name, in the anchor's place; no other arm is read, and
 * nothing that was found out about another anchor. A file without it is ERR_INPUT; a config
 * that has none has no anchor. */
MUST_CHECK int samples_parse_against(const char *bytes, size_t len, const char *name,
                                     const char *arm, const struct limits *limits,
                                     struct samples *out, struct err *err);
/* The arms of a check and those of a sweep, `others`, ARM_OTHERS_MAX names or "", whose places in
 * *out are theirs in `others`; and why some were left out. */
MUST_CHECK int samples_parse_others(const char *bytes, size_t len, const char *name,
                                    const char (*others)[MODEL_NAME_BYTES],
                                    const struct limits *limits, struct samples *out,
                                    struct err *err);
/* The same, whose others are all arms that the file declares besides a check's, in its order; more than
 * ARM_OTHERS_MAX are ERR_INPUT. */
MUST_CHECK int samples_parse_all(const char *bytes, size_t len, const char *name,
                                 const struct limits *limits, struct samples *out,
                                 struct err *err);
MUST_CHECK int samples_format(const struct samples *samples, struct buf *out, struct err *err);

#endif
