/* SPDX-License-Identifier: Apache-2.0 */
/* A walk through a part of a commit's tree, which a stranger made: what reads a part (git_walk.c), and what
 * writes it to disk (git_checkout.c). */
#ifndef RATCHET_BASE_GIT_WALK_H
#define RATCHET_BASE_GIT_WALK_H

#include "base/git_internal.h"

struct walk {
    git_repository *lib; /* where the objects at hand lie: a submodule's, within one */
    git_odb *odb;        /* of it; owned */
    const struct git_part *part;
    struct gitlib_paths paths;
    const struct git_tree_limits *limits;
    unsigned long long bytes, entries; /* of the part */
    unsigned long long named;          /* bytes of what says so: commits and folders */
    bool in_submodule;
    /* The first pass shows files of at most `max` bytes, or submodules instead of entering
     * them, or each object that it comes by, to whoever asks. */
    int (*file)(void *context, const struct git_file *file, struct err *err);
    int (*submodule)(void *context, const char *path, const char *commit, struct err *err);
    int (*object)(void *context, git_odb *odb, const git_oid *oid, struct err *err);
    void *context;
    size_t max;
    /* Of the entry at hand. Whole as long as it leads to one of `paths`; cut in messages. */
    char path[GITLIB_PATH_BYTES + 512];
};

/* Start a walk; *tree is the commit's. */
MUST_CHECK int walk_open(struct walk *walk, struct git_repo *repo, const char *sha,
                         const struct git_part *part, const struct git_tree_limits *limits,
                         git_oid *tree, struct err *err);
void walk_free(struct walk *walk);
#define WALK_AUTO __attribute__((cleanup(walk_free))) struct walk

/* The first pass: look at all of the part, and show it. */
MUST_CHECK int walk_look(struct walk *walk, const git_oid *tree, const char *sha,
                         struct err *err);

/* ---- for the second ---- */

/* Does the entry at hand belong to the part, or lie on the way to something that does?
 * `written`: on the second pass, a path that the first did not meet leads nowhere. */
enum reach { OUTSIDE, ON_THE_WAY, WHOLE };
enum reach walk_reach(struct walk *walk, bool written);

/* Add a name to walk->path. Returns where to cut it again. */
size_t walk_enter(struct walk *walk, const char *name);

/* A folder that the first pass has counted. */
MUST_CHECK int walk_tree(struct walk *walk, const git_oid *oid, git_tree **tree,
                         struct err *err);

/* Go on in the commit that a submodule is pinned to; *tree is its tree. */
struct outside { /* what a walk goes back to after a submodule */
    git_repository *lib;
    git_odb *odb;
};
MUST_CHECK int walk_into(struct walk *walk, const git_oid *pinned, struct outside *outside,
                         git_oid *tree, struct err *err);
void walk_back(struct walk *walk, const struct outside *outside);

#endif
