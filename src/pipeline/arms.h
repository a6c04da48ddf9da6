/* SPDX-License-Identifier: Apache-2.0 */
/* The arms of a job and their libraries: by which recipe each is built, and what stands in where
 * one cannot be. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_ARMS_H
#define RATCHET_PIPELINE_ARMS_H

#include "intake/config.h"
#include "measure/build.h"
#include "pipeline/measurement.h"

/* Facts of the environment, which a baseline keeps: how head was built. */
#define ARMS_FACT_COMMAND "build"
#define ARMS_FACT_OUTPUT "build_output"

/* One commit built by one recipe. It is built once, whatever arms it serves. */
struct library {
    char commit[MODEL_SHA_BYTES];
    struct kernel_source source;
    struct build_result result;
};

/* The anchor of the configs that record this commit. */
struct anchor {
    char commit[MODEL_SHA_BYTES];
    const struct library *library;  /* NULL: it cannot be built… */
    char failure[MODEL_TEXT_BYTES]; /* …and why */
    bool unbuilt;                   /* no recipe builds it here: nothing can be decided */
};

struct arms {
    struct library *libraries; /* owned */
    size_t count;
    const struct library *head, *base; /* base NULL: no such arm */
    struct anchor *anchors;            /* owned */
    size_t anchor_count;
    const struct anchor *of_config[MODEL_CONFIGS_MAX]; /* NULL: base is the config's anchor */
};

/* NULL: out of memory, said in `err`. */
struct arms *arms_new(const struct measurement *measurement, struct err *err);
void arms_free(struct arms **arms);

/* Build head by its own commit's recipe, base by its own, and each anchor by its own, or as its
 * baseline records, or as base is built. 1: all there is to build is built; 0: the verdict
 * stands already, measurement->comparison; -1: error. */
MUST_CHECK int arms_build(struct measurement *measurement, struct arms *arms, const char *head,
                          bool with_base, struct err *err);

/* One commit by its own recipe, as `role` in messages. */
MUST_CHECK int arms_build_one(struct measurement *measurement, struct arms *arms,
                              const char *commit, const char *role, const struct library **out,
                              struct err *err);

/* The library of its commit, by its source. */
MUST_CHECK int arms_build_library(struct measurement *measurement, struct library *library,
                                  struct err *err);

/* The library that a config's head is compared with; NULL: its anchor cannot run. */
const struct library *arms_anchor(const struct arms *arms, size_t config);
/* Do both run the same machine code? False where either is NULL. */
bool arms_same_code(const struct library *a, const struct library *b);

#endif
