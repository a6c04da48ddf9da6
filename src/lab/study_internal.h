/* SPDX-License-Identifier: Apache-2.0 */
/* A study between its files, while it is made. */
#ifndef RATCHET_LAB_STUDY_INTERNAL_H
#define RATCHET_LAB_STUDY_INTERNAL_H

#include "base/git.h"
#include "intake/config.h"
#include "lab/study_run.h"

#include <stdint.h>

#define STUDY_WORK "work" /* for what goes: in the study's folder */
#define STUDY_REPO STUDY_WORK "/repo.git"
#define STUDY_FIRST STUDY_WORK "/first.so"

enum { STUDY_PATCHES_MAX = 64, STUDY_PATCH_BYTES = 4 << 20 };

/* One of --candidates. */
struct study_patch {
    char name[MODEL_NAME_BYTES]; /* of its step: "02-tiles" */
    struct buf text;             /* owned */
};

struct study_making {
    struct study *study;
    const struct study_options *options;
    const struct host *host;
    const struct host_device *device;
    struct ratchet_config config; /* of the first kernel's commit */
    struct study_patch patches[STUDY_PATCHES_MAX];
    size_t patch_count;
    const char *kept_folder;     /* whose optimise/NAME/change.patch are read */
    bool again;                  /* of a study that is there: its study.json is not written */
    bool tunes;                  /* [tune] has parameters: the first proposal is autotune's */
    struct git_repo *repo;       /* owned: STUDY_REPO, with the commits of this study alone */
    char built[MODEL_SHA_BYTES]; /* whose library STUDY_WORK "/best.so" is, or "" */
    int lock;
    /* the step that runs */
    struct study_step *step;
    uint64_t begin_ns, saved_ns;
    double before_s;
    char said[STUDY_TEXT_BYTES]; /* the last line that began with "ratchet", without that */
    size_t line_len;
    char line[STUDY_TEXT_BYTES];
};

/* ---- study_open.c: what is asked, and the folder ---- */

/* Make the folder or go on in it, and list the steps. */
MUST_CHECK int study_open(struct study_making *making, struct err *err);
void study_close(struct study_making *making);
/* Remove STUDY_WORK: it can be made again. */
MUST_CHECK int study_drop_work(struct study_making *making, struct err *err);
MUST_CHECK int study_save(struct study_making *making, struct err *err);
/* A path in the folder. */
MUST_CHECK int study_path(const struct study_making *making, char out[FILE_PATH_BYTES],
                          struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- study_commits.c: the first kernel's commit, and what patches make on top of it ---- */

/* The first kernel's commit, from options->repo into STUDY_REPO. */
MUST_CHECK int study_fetch(struct study_making *making, struct err *err);
/* change.patch of a proposal, into the folder; and as a commit on top of `parent`: the same of both give the same. */
MUST_CHECK int study_keep_patch(struct study_making *making, const char *name,
                                const struct buf *patch, struct err *err);
MUST_CHECK int study_commit(const struct study_making *making, const char *name,
                            const char *parent, char commit[GIT_SHA_BYTES], struct err *err);
/* The commits of all that was kept; ERR_INPUT where the last is not study->best. */
MUST_CHECK int study_replay(struct study_making *making, struct err *err);

/* ---- study_child.c: one command of ratchet ---- */

enum { STUDY_WORDS_MAX = 64 };
/* A word as it is given, and as somebody would give it by hand. Both borrowed. */
struct study_words {
    const char *given[STUDY_WORDS_MAX + 1];
    const char *shown[STUDY_WORDS_MAX];
    size_t count;
};
void study_add(struct study_words *words, const char *word);
void study_add_as(struct study_words *words, const char *word, const char *shown);
/* "--repo", "--device" and "--config", which every command takes. */
void study_add_where(struct study_words *words, const struct study_making *making);
/* Append a command to the step's, after " && " where there is one: of ratchet, or any. */
void study_show(struct study_step *step, const struct study_words *words);
void study_show_text(struct study_step *step, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Append the git commands that put a proposal's patch on top of HEAD, and those that make the best kernel's commit the
 * HEAD of a clone. STUDY stands for the study's folder. */
void study_show_patch(struct study_step *step, const char *name);
void study_show_best(struct study_making *making);
/* Run it; its lines go to stderr. *code: its exit code; making->said: the reason of one that is not 0. One that was killed
 * is an error. Counts the step's seconds. */
MUST_CHECK int study_child(struct study_making *making, const struct study_words *words,
                           int *code, struct err *err);
/* The reason of the command that failed, for people: never empty. */
const char *study_said(const struct study_making *making);

/* ---- study_step.c ---- */

/* The next step of a phase that is still to be done, which begins now; NULL: there is none. */
struct study_step *study_next(struct study_making *making, enum study_phase phase);
/* Seconds of the budget that are left. */
double study_left(const struct study_making *making);
/* The step is over, and this is on the disk. `why`: a format, or NULL. */
MUST_CHECK int study_settle(struct study_making *making, struct study_step *step,
                            enum study_state state, struct err *err, const char *why, ...)
    __attribute__((format(printf, 5, 6)));
/* `ratchet build` of a commit, by hand of `shown`; *built is false where it cannot be built. */
MUST_CHECK int study_build(struct study_making *making, const char *commit, const char *shown,
                           const char *output, bool *built, struct err *err);

/* Samples of the folder with all their arms. None there is ERR_NOT_FOUND. */
MUST_CHECK int study_read_samples(const struct study_making *making, const char *name,
                                  struct samples *out, struct err *err);

/* What study_build would be by hand, where the library is there already. */
void study_show_build(const struct study_making *making, const char *output);
/* A step without which there is no study failed: it stays open. ERR_INPUT, with the command's reason. */
MUST_CHECK int study_stop(const struct study_making *making, struct err *err);

/* ---- study_proposals.c ---- */

MUST_CHECK int study_optimise(struct study_making *making, struct err *err);

#endif
