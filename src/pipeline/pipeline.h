/* SPDX-License-Identifier: Apache-2.0 */
/* The road a job takes, in order. The only place that knows all rooms: what one room made is
 * handed to the next here, as a noun of model.h.
 *
 *     pin       which commits, asked of GitHub and of git             (network, token)
 *     check     config → baseline → touched? → build → bench → judge  (network: anchors)
 *     promote   the same on main's tip, twice, then what moves         (network, token)
 *     publish   comment and status, through the outbox                (network, token)
 *
 * `ratchet check` walks it in one process; ratchetd walks it in a child per job. */
#ifndef RATCHET_PIPELINE_H
#define RATCHET_PIPELINE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/git.h"
#include "intake/config.h"
#include "intake/host.h"
#include "judge/baseline.h"
#include "judge/calibration.h"
#include "measure/checkout.h"
#include "measure/gpu.h"
#include "model.h"
#include "publish/github.h"
#include "publish/outbox.h"

#include <stdbool.h>

enum { PIPELINE_NOTES_MAX = MODEL_CONFIGS_MAX + 16, SHORT_SHA = 10 };
#define CONFIG_PATH "ci/ratchet.conf"

struct pipeline_request {
    const struct host *host;
    const struct job *job; /* copied */
    const char *local;     /* path of a local repository: no GitHub; else NULL; not copied */
    const char *token;     /* NULL: none */
    const char *folder;    /* existing folder for what stays: samples, verdict, report, log */
    const char *work;      /* existing empty folder for what goes; see sandbox_uid */
    void (*progress)(void *context, const char *line); /* one line of text, may be NULL */
    void *context;
};

struct pipeline {
    const struct host *host;
    const struct host_device *device;
    const struct host_repository *repository; /* NULL: a local one */
    char token[256];
    struct job job;
    char folder[FILE_PATH_BYTES], work[FILE_PATH_BYTES];
    void (*progress)(void *context, const char *line);
    void *context;

    struct git_repo *repo;
    struct git_remote_spec remote;
    struct checkout_submodules submodules; /* those that builds may see */
    struct github github;

    bool has_config;
    struct ratchet_config config;
    bool has_baseline;
    struct baseline baseline;
    bool has_calibration;
    struct calibration calibration;
    char calibration_problem[ERR_TEXT_BYTES]; /* why it cannot be used, or "" */
    enum clause stage; /* what an input of base that cannot be used means just now */
    struct samples samples;
    struct comparison comparison;
    struct buf log; /* of the build that failed, or empty */
    char notes[PIPELINE_NOTES_MAX][MODEL_TEXT_BYTES];
    size_t note_count;
    double build_s, bench_s; /* where the time went */
    unsigned builds, cached;
};

/* Finds the repository and device in the host's configuration and opens the bare cache of
 * the repository. A repository that is not configured is ERR_INPUT. */
MUST_CHECK int pipeline_open(struct pipeline *pipeline, const struct pipeline_request *request,
                             struct err *err);
void pipeline_close(struct pipeline *pipeline);

/* Fill in the job's commits. A fork, a closed pull request or one of another repository is
 * ERR_INPUT, a merge conflict ERR_CONFLICT. For a job that is pinned already this only makes
 * sure that its commits are here. */
MUST_CHECK int pipeline_pin(struct pipeline *pipeline, struct err *err);

/* From pinned commits to pipeline->comparison. Whatever goes wrong becomes an unmeasured
 * verdict that says whose fault it is; an error is returned for defects of ours only. */
MUST_CHECK int pipeline_check(struct pipeline *pipeline, struct err *err);

/* Make an unmeasured verdict of an error; its class says whose fault it is, and `input` and
 * `clause` what a malformed or forbidden input means at this stage. */
void pipeline_unmeasured(struct pipeline *pipeline, enum fault input, enum clause clause,
                         const struct err *problem);

/* Promotion of main's tip. The two runs lie `gap` apart: when the second is not due yet, the
 * first is kept in the folder, *wait_s says how long, and the call is to be made again. */
struct promotion_accept {
    char configs[MODEL_CONFIGS_MAX][MODEL_NAME_BYTES];
    size_t count;
    char who[64];
};
MUST_CHECK int pipeline_promote(struct pipeline *pipeline,
                                const struct promotion_accept *accept, unsigned *wait_s,
                                struct err *err);

/* Write samples.json, verdict.json, explain.txt and report.md into the folder. */
MUST_CHECK int pipeline_write(struct pipeline *pipeline, struct err *err);

/* Set the status of a check, ratchet/<device> on the PR's head, at once and without the outbox:
 * that it is on its way ("pending"), or that it was cancelled ("error"). */
MUST_CHECK int pipeline_announce(struct pipeline *pipeline, const char *state,
                                 const char *text, struct err *err);

/* Put comment and status into the outbox and send them. Trouble with GitHub is in `result`. */
MUST_CHECK int pipeline_publish(struct pipeline *pipeline, struct outbox *outbox,
                                struct outbox_result *result, struct err *err);

/* ---- between the files of the pipeline ---- */

void pipeline_say(struct pipeline *pipeline, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pipeline_note(struct pipeline *pipeline, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ci/ratchet.conf, and baseline.json and calibration.json of baselines/<device>, of a commit.
 * A calibration decides nothing: one that cannot be used is no failure. Configs of the baseline
 * that the configuration lists no more are marked as retired. */
MUST_CHECK int pipeline_read_rules(struct pipeline *pipeline, const char *commit,
                                   struct err *err);

/* Mark what the baseline has and ci/ratchet.conf lists no more: nobody waits for it. */
void pipeline_mark_retired(struct pipeline *pipeline);

/* Could a check take its rules from this commit? ERR_INPUT says why not. */
MUST_CHECK int pipeline_try_rules(struct pipeline *pipeline, const char *commit,
                                  struct err *err);

/* Is each path of a source a file or folder of one of these commits, and in none a link, or a
 * path in a submodule that leads nowhere or may not be fetched? Else ERR_INPUT, by name: a path
 * that is nothing would guard nothing. *at is the index of the commit that is wrong by itself,
 * or `count`. */
MUST_CHECK int pipeline_check_paths(struct pipeline *pipeline,
                                    const struct kernel_source *source,
                                    const char *const *commits, size_t count, size_t *at,
                                    struct err *err);

/* The paths of a source as an array of pointers into it; returns how many. */
size_t pipeline_paths(const struct kernel_source *source, const char *out[MODEL_PATHS_MAX]);

/* Have two commits the same under the paths of `source`, submodules' pins included? `first`
 * names something that differs, or is "". */
MUST_CHECK int pipeline_same_kernel(struct pipeline *pipeline,
                                    const struct kernel_source *source, const char *old_commit,
                                    const char *new_commit, bool *same, char first[256],
                                    struct err *err);

/* What a commit's own ci/ratchet.conf says of its kernel. None, or one that cannot be used, is
 * ERR_INPUT. */
MUST_CHECK int pipeline_read_source(struct pipeline *pipeline, const char *commit,
                                    struct kernel_source *out, struct err *err);

/* The lock that whoever measures on a device of this host holds, and one at a time can:
 * lock-dir/ratchet-cpu.lock, or of a GPU, whatever lane means it, ratchet-gpu-HASH.lock with
 * the hash of its UUID that reports have as gpu_id. `gpu` NULL: not a GPU. */
MUST_CHECK int pipeline_device_lock(const struct host *host, const char *device,
                                    const struct gpu *gpu, char out[FILE_PATH_BYTES],
                                    struct err *err);

/* At the start of a daemon: unlock the clocks that a killed run left locked, of GPUs that
 * nobody measures on. Does nothing, and loads no driver, where none were. */
MUST_CHECK int pipeline_undo_clocks(const struct host *host, struct err *err);

/* Build the arms and measure `head` against the anchors (and against job.base where
 * `with_base`) until every config is settled or the budget is spent. */
MUST_CHECK int pipeline_measure(struct pipeline *pipeline, const char *head, bool with_base,
                                struct err *err);

/* Libraries that somebody built before and vouches for: `ratchet sweep`. */
struct bench_config;
struct sandbox_bind;
struct pipeline_libraries {
    const struct bench_config *configs;     /* one for each config of pipeline->config */
    const char (*others)[MODEL_NAME_BYTES]; /* names of the arms from ARM_OTHER on */
    const struct sandbox_bind *expose;      /* folders of libraries that these need */
    size_t expose_count;
};
/* Hold the device and measure them, until the rule's looks are over. The pipeline needs host,
 * device, job, config, work and progress, and no repository. */
MUST_CHECK int pipeline_sweep(struct pipeline *pipeline,
                              const struct pipeline_libraries *libraries, struct err *err);

/* What a lab does with the device: `request` has the kernel of one commit as every arm of every
 * config, and pipeline->samples the facts of the environment. */
struct bench_request;
struct pipeline_lab {
    int (*use)(void *context, const struct bench_request *request, struct err *err);
    void *context;
};

/* Build the kernel of `commit`, hold the device, and lend both to a lab. A kernel that does not
 * build is ERR_INPUT. */
MUST_CHECK int pipeline_lend(struct pipeline *pipeline, const char *commit,
                             const struct pipeline_lab *lab, struct err *err);

#endif
