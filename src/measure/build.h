/* SPDX-License-Identifier: Apache-2.0 */
/* A commit's kernel library: from the cache, or built in the sandbox by a recipe that sees the
 * files under the kernel's paths and no others. */
#ifndef RATCHET_MEASURE_BUILD_H
#define RATCHET_MEASURE_BUILD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/git.h"
#include "limit.h"
#include "measure/checkout.h"
#include "model.h"

#include <stdbool.h>
#include <sys/types.h>

struct build_request {
    struct git_repo *repo;
    const char *commit;
    const char *const *paths; /* [kernel] path: the files and folders of the tree that a build
                                 sees; at least one */
    size_t path_count;
    struct checkout_submodules *submodules; /* what may be fetched of those under the paths,
                                               and what was; NULL: none has an address */
    const char *command;                    /* recipe, for /bin/sh -c at the top of the tree */
    const char *output;                     /* recipe, path in the tree */
    const char *device;                     /* slug */
    const char *work;  /* existing folder for this job; a subfolder is made */
    const char *cache; /* folder of the build cache; NULL: none */
    bool may_store;    /* the commit is on main: its library may enter the cache */
    uid_t uid;         /* build as; (uid_t)-1: ours */
    gid_t gid;
    const unsigned *cpus; /* the processors it may use… */
    size_t cpu_count;     /* …0: any */
    const struct limits *limits;
};

struct build_result {
    bool built; /* false: `failure` says why, and the log */
    bool cached;
    double seconds;
    char library[4096];             /* absolute path of our own copy, 0755 */
    char code[MODEL_CODE_BYTES];    /* code_hash of it */
    char failure[MODEL_TEXT_BYTES]; /* one line, where not built */
};

/* A build that fails (compiler error, timeout, no output, output too large or not a regular
 * file, a recipe that needs what is not under the paths, a submodule that may not be fetched)
 * is a result with built = false; only what is the host's fault is an error. The log,
 * capped, goes to `log` in both cases. */
MUST_CHECK int build_kernel(const struct build_request *request, struct build_result *result,
                            struct buf *log, struct err *err);

/* Where ratchet-run makes the sandboxes: does a build take a commit there? `state` has a folder work/. ERR_HOST
 * says why not. */
MUST_CHECK int build_probe(const char *state, const struct limits *limits, struct err *err);

/* What the library was made with, for the environment: compiler versions, and eight digits
 * that stand for all the files that a build sees. Text of up to BUILD_TOOLCHAIN_BYTES. */
enum { BUILD_TOOLCHAIN_BYTES = 512 };
MUST_CHECK int build_toolchain(const char *device, char *text, size_t size, struct err *err);

/* Drop the least recently used entries until the cache holds at most `bytes`. */
MUST_CHECK int build_cache_collect(const char *cache, unsigned long long bytes,
                                   struct err *err);

#endif
