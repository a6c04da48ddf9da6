/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of a measurement: starts ratchet-bench in the sandbox, draws the order of
 * the arms and the seeds turn by turn, reads its bounded lines, watches the host's own clock,
 * and turns one fresh process into one replicate of every config. */
#ifndef RATCHET_MEASURE_BENCH_H
#define RATCHET_MEASURE_BENCH_H

#include "base/err.h"
#include "limit.h"
#include "measure/device/gpu.h"
#include "model.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Libraries by path; one file may serve several configs and several arms, each with a copy of
 * its own. The control is the anchor's file once more. */
struct bench_config {
    struct config config;
    const char *library[ARM_COUNT]; /* absolute path; NULL: no such arm (ARM_CONTROL: ignored,
                                       there is one exactly where there is an anchor) */
    struct arm_info info[ARM_COUNT];
};

/* What is told while it is measured. */
enum bench_event_kind {
    BENCH_LINE,      /* `line`, for people */
    BENCH_REPLICATE, /* a replicate of `config` is there: `line`, for people */
    BENCH_BUSY       /* nothing but that time passes; no line */
};
struct bench_event {
    enum bench_event_kind kind;
    const char *line;
    size_t config;  /* of the request's; config_count: of none in particular */
    double seconds; /* that its replicate took, or has taken up to now */
};
typedef void bench_progress(void *context, const struct bench_event *event);

struct sandbox_bind;
struct bench_request {
    const char *device;      /* slug */
    const struct gpu *gpu;   /* the one to measure on; NULL: not a GPU */
    struct gpu_watch *watch; /* grows with every replicate; may be NULL */
    unsigned threads;        /* CPU; 0: physical cores */
    const unsigned *cpus;    /* CPU: pinned to these; NULL: not */
    size_t cpu_count;
    unsigned samples; /* per arm */
    unsigned warmup;  /* samples per arm thrown away first */
    double target_ns; /* device time of one sample */
    bool warm_inputs;
    /* Of a time budget. A config that has begun is finished, however long that takes. */
    double replicate_ns;  /* that one config's replicate should take: its launches, warm-up and
                             samples are cut for it, the samples to 5 at least; 0: as it comes */
    uint64_t deadline_ns; /* of proc_now_ns: no config begins later; 0: none */
    const struct bench_config *configs;
    size_t config_count;
    const char *harness;                    /* path of ratchet-bench */
    const char *work;                       /* existing folder of this job */
    const char (*others)[MODEL_NAME_BYTES]; /* ARM_OTHERS_MAX names; NULL: no other arms */
    bool
        peers; /* arms may be libraries of others that are not verified while they are timed */
    const struct sandbox_bind *expose; /* what they need besides; see sandbox_expose */
    size_t expose_count;
    bool head_is_main; /* a promotion: what head cannot do is main's fault, not a PR's */
    bool sandboxed;    /* false only for `ratchet bench --no-sandbox`, one's own code */
    uid_t uid;
    gid_t gid;
    const struct limits *limits;
    bench_progress *progress; /* may be NULL */
    void *context;
    unsigned busy_ms; /* BENCH_BUSY comes after so long without a word; 0: never */
};

/* Fill in device and environment alone, of a request that names no configs: nothing is run. */
MUST_CHECK int bench_look(const struct bench_request *request, struct samples *out,
                          struct err *err);

/* Fill in device, environment and one zeroed config_samples per config. */
MUST_CHECK int bench_begin(const struct bench_request *request, struct samples *out,
                           struct err *err);

/* One fresh process: appends one replicate (perhaps marked) to each config of `samples` that
 * `want[i]` asks for and that has no failure yet; configs with a failure are left alone. A
 * wrong result, a crash, a hang or an impossible time of an arm is written down as that config's
 * fault, failure or anchor_failure; of another arm, in left_out, and its samples of this config
 * go. A config that had not begun at the deadline has neither. Only the host's own trouble is an
 * error. */
MUST_CHECK int bench_replicate(const struct bench_request *request, const bool *want,
                               struct samples *samples, struct err *err);

/* The same without head: one process of the anchor and its control, or base where there is no anchor
 * that runs, for each config of `want`. Their median goes to without_head; a config that gives none,
 * or is marked, gets none. */
MUST_CHECK int bench_without_head(const struct bench_request *request, const bool *want,
                                  struct samples *samples, struct err *err);

#endif
