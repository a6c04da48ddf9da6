/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libgit2. No git program, hook, filter, alternate, include or host
 * configuration is ever consulted; trees are walked and capped before they are written out;
 * links are never followed, and submodules only to where the caller says. Knows nothing of
 * kernels or baselines.
 *
 * A commit is named by 40 lower-case hex digits everywhere. libgit2's own names begin with
 * git_ too: nothing here may take one of them, or the program would replace the library's. */
#ifndef RATCHET_BASE_GIT_H
#define RATCHET_BASE_GIT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { GIT_SHA_BYTES = 41 };
#define GIT_ZERO_SHA "0000000000000000000000000000000000000000"

struct git_part;
struct git_repo;
struct git_tree_limits;

/* Where a repository is and how to speak to it. */
struct git_remote_spec {
    const char *url;              /* https://…, http://127.0.0.1…, or a local path */
    const char *token;            /* password of user x-access-token; NULL: none */
    unsigned timeout_ms;          /* of one try; it runs in a child that is killed */
    unsigned retry_ms;            /* how long tries follow one that may yet work; 0: one try */
    unsigned long long max_bytes; /* received by one fetch */
};

/* Open the bare repository at `path`, creating it if it is not there. */
MUST_CHECK int git_open(const char *path, struct git_repo **repo, struct err *err);

/* Our own bare caches (git_cache.c). One is a row of generations: `path`, `path.1`, … of which the
 * last counts. Whoever has one open keeps it, as it is, until it is closed, whatever others do;
 * nobody waits.
 *
 * Opens the last generation; where there is none, or it cannot be opened, an empty one is made. */
MUST_CHECK int git_cache_open(const char *path, struct git_repo **repo, struct err *err);
/* Where too many packs, refs or bytes have come together, or a ref leads nowhere, go on in a next
 * generation: with the commits that were needed last and their history in one pack, or empty. */
MUST_CHECK int git_cache_tidy(struct git_repo *repo, struct err *err);
/* Read a part of a commit to the last byte, within a bound on time. It may fail like git_each_file;
 * that what is there is damaged is found for certain. */
MUST_CHECK int git_cache_read(struct git_repo *repo, const char *sha,
                              const struct git_part *part,
                              const struct git_tree_limits *limits, struct err *err);
/* Go on in an empty generation: this one is damaged. If somebody else did that before, in theirs. */
MUST_CHECK int git_cache_renew(struct git_repo *repo, struct err *err);
/* Did a call fail since the repository that it read is damaged? */
bool git_is_damage(const struct err *err);
/* A commit is needed just now: it is among the last that a cache forgets. */
void git_keep(struct git_repo *repo, const char *sha);

/* Open the repository, bare or not, that holds the folder `path`, whoever owns it: `path`
 * itself or the nearest folder above it on the same file system. Nothing is made or changed;
 * for reading only. None there, or no such folder, is ERR_NOT_FOUND; errors name `path`. */
MUST_CHECK int git_open_existing(const char *path, struct git_repo **repo, struct err *err);
/* Its absolute path without links: of the bare repository, or of the folder with `.git` in
 * it. Borrowed. A struct git_remote_spec may name it. */
const char *git_path(const struct git_repo *repo);
/* Was it cloned without all of its history? */
MUST_CHECK int git_is_shallow(struct git_repo *repo, bool *yes, struct err *err);
void git_close(struct git_repo **repo);
#define GIT_AUTO __attribute__((cleanup(git_close))) struct git_repo

/* Fetch one ref (`refs/heads/main`, `refs/pull/7/head`) or one commit by SHA into the
 * repository; *sha is what it was. A ref the other side lacks is ERR_NOT_FOUND, refused
 * credentials ERR_AUTH. A host that is in trouble is asked again for `retry_ms`; then it is
 * ERR_HOST or ERR_TIMEOUT. Objects are kept alive under refs/ratchet/. */
MUST_CHECK int git_fetch(struct git_repo *repo, const struct git_remote_spec *remote,
                         const char *what, char sha[GIT_SHA_BYTES], struct err *err);

/* The full SHA of a commit named by a SHA, a prefix, a branch, a tag or HEAD of this (local)
 * repository. */
MUST_CHECK int git_resolve(struct git_repo *repo, const char *name, char sha[GIT_SHA_BYTES],
                           struct err *err);

struct git_commit_info {
    char sha[GIT_SHA_BYTES];
    char tree[GIT_SHA_BYTES];
    char parents[2][GIT_SHA_BYTES]; /* the first two; "" where there is none */
    unsigned parent_count;
    long long time;    /* committer's, UTC epoch seconds */
    char author[128];  /* name, control characters replaced */
    char subject[256]; /* first line, likewise */
};
MUST_CHECK int git_read_commit(struct git_repo *repo, const char *sha,
                               struct git_commit_info *out, struct err *err);

/* The bytes of a regular file in a commit; no such path is ERR_NOT_FOUND, a link or folder
 * ERR_INPUT, longer than out->max ERR_LIMIT. */
MUST_CHECK int git_read_file(struct git_repo *repo, const char *sha, const char *path,
                             struct buf *out, struct err *err);

/* What a path is in a commit, in exact case. */
enum git_path_kind {
    GIT_PATH_ABSENT, /* nothing; `where` has the path in another case that there is, or "" */
    GIT_PATH_FILE,
    GIT_PATH_FOLDER,    /* also "" and `.`, the whole tree */
    GIT_PATH_SUBMODULE, /* one, or a path in one, which is not looked into: `where` names it */
    GIT_PATH_LINK       /* a symbolic link, or a path behind one: `where` names it */
};
MUST_CHECK int git_check_path(struct git_repo *repo, const char *sha, const char *path,
                              enum git_path_kind *kind, char where[256], struct err *err);

/* Many paths of one commit, in exact case, where neither the commit nor the paths are to be
 * trusted: the top is read once, and `bytes` bound the folders that are read in all. What lies in
 * one that would pass that is ABSENT. Borrows `repo`. */
struct git_lookup;
MUST_CHECK int git_lookup_open(struct git_repo *repo, const char *sha,
                               unsigned long long bytes, struct git_lookup **lookup,
                               struct err *err);
MUST_CHECK int git_lookup_path(struct git_lookup *lookup, const char *path,
                               enum git_path_kind *kind, struct err *err);
void git_lookup_close(struct git_lookup **lookup);

/* A part of a commit's tree: all that lies at or below some paths; "" is the whole tree. A path
 * that the commit lacks, or that lies behind a link, adds nothing. */
struct git_part {
    const char *const *paths;
    size_t path_count;
    const struct git_submodule *submodules; /* those that may be entered */
    size_t submodule_count;
};
/* The tree names the commit that a submodule is pinned to; `repo` has it. */
struct git_submodule {
    const char *path; /* in the tree */
    struct git_repo *repo;
};
struct git_tree_limits {
    unsigned long long bytes; /* of all files together */
    unsigned long long entries;
    unsigned depth;
};

/* A key of what lies at some paths of a commit, a SHA-256: equal if and only if the paths are
 * the same (order, repetition, spelling and paths below others aside) and so is all that the
 * trees have there: names, bytes, modes, the commits of submodules. */
enum { GIT_KEY_BYTES = 65 };
MUST_CHECK int git_paths_key(struct git_repo *repo, const char *sha, const char *const *paths,
                             size_t count, char key[GIT_KEY_BYTES], struct err *err);

/* Call `each` for every submodule that a part holds or leads into, with the commit that it is
 * pinned to; not for those within submodules. -1 from `each`, with err set, ends it. */
MUST_CHECK int git_each_submodule(struct git_repo *repo, const char *sha,
                                  const struct git_part *part,
                                  const struct git_tree_limits *limits,
                                  int (*each)(void *context, const char *path,
                                              const char *commit, struct err *err),
                                  void *context, struct err *err);

struct git_file {
    const char *path;
    const char *bytes; /* NULL: more than were asked for */
    size_t len;
    bool link; /* the bytes are where it leads */
};
/* Call `each` for every file of a part, with its bytes where they are at most `max`. Submodules
 * that the part does not list are passed over. */
MUST_CHECK int
git_each_file(struct git_repo *repo, const char *sha, const struct git_part *part,
              const struct git_tree_limits *limits, size_t max,
              int (*each)(void *context, const struct git_file *file, struct err *err),
              void *context, struct err *err);

/* Do the trees of two commits differ below any of the `count` paths (files or folders)?
 * `first`, if not NULL, gets the first path that differs. */
MUST_CHECK int git_differs(struct git_repo *repo, const char *old_sha, const char *new_sha,
                           const char *const *paths, size_t count, bool *differs,
                           char first[256], struct err *err);

/* What of the work tree, at or below the paths, is not as HEAD has it: changed, new or gone, staged
 * or not. Ignored files do not count, and a bare repository has none. *changed is how many, `first`
 * the name of one. Nothing is written, the index included. */
enum { GIT_UNCOMMITTED_PATHS_MAX = 64 };
MUST_CHECK int git_uncommitted(struct git_repo *repo, const char *const *paths, size_t count,
                               size_t *changed, char first[256], struct err *err);

/* Is `ancestor` the same as `descendant`, or reachable from it? */
MUST_CHECK int git_is_ancestor(struct git_repo *repo, const char *ancestor,
                               const char *descendant, bool *yes, struct err *err);

/* A merge commit of `theirs` into `ours` (first parent), made here with a fixed author and
 * the time of `theirs`, so the same two commits give the same SHA. A conflict is
 * ERR_CONFLICT, and the text names the first conflicting path; what takes more memory or time
 * than there is for a merge, ERR_LIMIT. */
MUST_CHECK int git_make_merge(struct git_repo *repo, const char *ours, const char *theirs,
                              char sha[GIT_SHA_BYTES], struct err *err);

/* Write a part of a commit's tree into the empty or absent folder `path`, where it lies as it
 * does in the tree. The limits count what is written. Links become plain files holding the
 * target's text, no filter runs. A submodule that is not listed in the part, or that lies in
 * another, is ERR_INPUT. */
MUST_CHECK int git_checkout(struct git_repo *repo, const char *sha,
                            const struct git_part *part, const char *path,
                            const struct git_tree_limits *limits, struct err *err);

/* The same in another process, which has no repository: a file with the commit and every object that it
 * takes, and no other (git_parcel.c). It may be larger than limits->bytes by the folders that lead to the part. */
MUST_CHECK int git_parcel_write(struct git_repo *repo, const char *sha,
                                const struct git_part *part,
                                const struct git_tree_limits *limits, int fd, struct err *err);
/* One of a commit that has no files, to try whether it is taken. */
MUST_CHECK int git_parcel_write_empty(int fd, struct err *err);
/* The folder gets that part of that commit, or nothing: whoever wrote the file is not believed. As
 * git_checkout, and ERR_INTERNAL: it is no such file. */
MUST_CHECK int git_parcel_checkout(int fd, const char *folder, struct err *err);

struct git_change {
    const char *path; /* inside the tree, no leading slash */
    const void *bytes;
    size_t len;
};
/* A commit on top of `parent` with files added or replaced. Moves no ref. */
MUST_CHECK int git_commit_files(struct git_repo *repo, const char *parent,
                                const struct git_change *changes, size_t count,
                                const char *name, const char *email, const char *message,
                                char sha[GIT_SHA_BYTES], struct err *err);

/* A commit on top of `parent` with a patch as `git diff` writes it. The same parent and patch give the same
 * SHA: the time is the parent's. One that does not apply, or that changes nothing, is ERR_INPUT. Moves no ref. */
MUST_CHECK int git_commit_patch(struct git_repo *repo, const char *parent, const char *patch,
                                size_t len, const char *message, char sha[GIT_SHA_BYTES],
                                struct err *err);

/* Push a commit to a ref, fast-forward only: the ref must still be at `expected` (or absent
 * for GIT_ZERO_SHA). A lost race is ERR_CONFLICT; a declined update (protected branch, hook;
 * libgit2 itself returns 0 then) or refused credentials ERR_AUTH with the server's own words.
 * A ref is also looked at again after the push: success means it was seen there. A push
 * that broke off is tried again like a fetch: it can only do the same, once. */
MUST_CHECK int git_push_commit(struct git_repo *repo, const struct git_remote_spec *remote,
                               const char *sha, const char *ref, const char *expected,
                               struct err *err);

/* Read text in git-config syntax (comments, [section "sub"], key = value). `include` and
 * `includeIf` are refused. `each` gets lower-case `section`, `subsection` ("" where there is
 * none; case kept), lower-case `key`, and `value` ("true" for a bare key); it returns 0, or
 * -1 with err set, which ends the reading. */
MUST_CHECK int git_read_config(const char *text, size_t len, const char *name,
                               int (*each)(void *context, const char *section,
                                           const char *subsection, const char *key,
                                           const char *value, struct err *err),
                               void *context, struct err *err);

#endif
