/* SPDX-License-Identifier: Apache-2.0 */
/* What the git*.c files share. Only they may include it: it pulls in libgit2. */
#ifndef RATCHET_BASE_GIT_INTERNAL_H
#define RATCHET_BASE_GIT_INTERNAL_H

#include "base/file.h"
#include "base/git.h"

#include <git2.h>

struct git_repo {
    char *path;          /* owned, absolute */
    git_repository *lib; /* NULL after gitlib_call, until gitlib_repo opens it again */
    /* Of a cache (git_cache.c); else NULL and -1. */
    char *cache; /* owned: its path without the generation */
    unsigned generation;
    int in_use; /* a shared lock on the folder of this generation */
};

/* LIB_AUTO(tree) *tree = NULL; frees it at the end of the block. */
#define LIB_AUTO(type) __attribute__((cleanup(gitlib_drop_##type))) git_##type
#define GITLIB_DROP(type)                                     \
    static inline void gitlib_drop_##type(git_##type **thing) \
    {                                                         \
        git_##type##_free(*thing);                            \
    }
GITLIB_DROP(blob)
GITLIB_DROP(commit)
GITLIB_DROP(config)
GITLIB_DROP(config_iterator)
GITLIB_DROP(diff)
GITLIB_DROP(index)
GITLIB_DROP(index_conflict_iterator)
GITLIB_DROP(indexer)
GITLIB_DROP(object)
GITLIB_DROP(odb)
GITLIB_DROP(packbuilder)
GITLIB_DROP(reference)
GITLIB_DROP(reference_iterator)
GITLIB_DROP(remote)
GITLIB_DROP(repository)
GITLIB_DROP(revwalk)
GITLIB_DROP(signature)
GITLIB_DROP(tree)
GITLIB_DROP(tree_entry)
#undef GITLIB_DROP

/* Start libgit2 without the host's configuration; does nothing when it already runs. */
MUST_CHECK int gitlib_start(struct err *err);

/* libgit2's last error message, or a stand-in where there is none. It is stale unless
 * git_error_clear() was called before the call that failed. */
const char *gitlib_words(void);

/* The error path of a libgit2 call: maps its code to a class, adds its words. Returns
 * -1. The errnum is ENOMEM where there was no memory. */
int gitlib_error(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Does the call that just failed with this code mean that the repository it read is damaged:
 * an object or ref that must be there is not, or is not what it was? gitlib_error makes that
 * ERR_HOST with the errnum EUCLEAN. */
bool gitlib_damaged(int code);

/* Make an empty bare repository in a new folder beside `path`. */
MUST_CHECK int gitlib_create(const char *path, char folder[FILE_PATH_BYTES], struct err *err);

/* Open an existing repository, bare or not, and close its configuration to later
 * look-ups. */
MUST_CHECK int gitlib_open(const char *path, git_repository **lib, struct err *err);

/* The open repository; borrowed until the next gitlib_call. */
MUST_CHECK int gitlib_repo(struct git_repo *repo, git_repository **lib, struct err *err);

/* Run `function` in a child with a kill timer and a ceiling on memory. The child must
 * open the repository by its path: the parent's handle is closed meanwhile, since libgit2
 * keeps descriptors of packs and would not see packs that the child adds. */
MUST_CHECK int gitlib_call(struct git_repo *repo, int (*function)(void *, struct err *),
                           void *context, unsigned wall_ms, struct err *err);

/* A zeroed page that a child's answer can be written to, NULL with err set; and its
 * end. */
char *gitlib_share(struct err *err);
void gitlib_unshare(char **page);
#define SHARED_AUTO __attribute__((cleanup(gitlib_unshare))) char

MUST_CHECK int gitlib_oid(const char *sha, git_oid *oid, struct err *err);
MUST_CHECK int gitlib_commit(struct git_repo *repo, const char *sha, git_commit **commit,
                             struct err *err);
MUST_CHECK int gitlib_root(struct git_repo *repo, const char *sha, git_tree **tree,
                           struct err *err);

/* Name a commit under refs/ratchet/, so that it is kept, the next fetch says that we have
 * it, and a push can name it: libgit2 1.5 pushes refs only. The time of the ref's file is
 * when it was last needed. */
MUST_CHECK int gitlib_keep(git_repository *lib, const git_oid *oid, struct err *err);

/* May this be the name of a file or folder that we write? Not `.git` and what some file
 * systems take for it, `.`, `..`, and nothing with slashes or control characters. */
bool gitlib_name_ok(const char *name);

/* A person's spellings of a path, `a//b/` and `./a`, made one: `a/b` and `a`; "" is the root.
 * Longer than `size` - 1 is ERR_LIMIT. */
enum { GITLIB_PATH_BYTES = 1024 };
MUST_CHECK int gitlib_clean_path(const char *path, char *out, size_t size, struct err *err);

struct gitlib_path {
    char name[GITLIB_PATH_BYTES];
    bool there; /* for whoever walks the tree: it was met */
};
/* Paths of a part: clean, sorted, none below or equal to another. */
struct gitlib_paths {
    struct gitlib_path *list; /* owned */
    size_t count;
};
MUST_CHECK int gitlib_paths_make(const char *const *names, size_t count,
                                 struct gitlib_paths *out, struct err *err);
void gitlib_paths_free(struct gitlib_paths *paths);
#define PATHS_AUTO __attribute__((cleanup(gitlib_paths_free))) struct gitlib_paths

/* Make a local repository `to` hold the `count` commits `wanted` of `from` with all their
 * history, as one pack of at most `max_bytes`. */
MUST_CHECK int gitlib_copy(git_repository *from, git_repository *to, const git_oid *wanted,
                           size_t count, unsigned long long max_bytes, struct err *err);

/* ---- remotes ---- */

/* The folder that a `/…` or `file:///…` URL names, or NULL for one of the network. */
const char *gitlib_local_path(const char *url);

/* Refuses URLs of other schemes, with credentials or strange characters, and sending a
 * token in clear text to another machine. */
MUST_CHECK int gitlib_check_remote(const struct git_remote_spec *remote, struct err *err);

/* One conversation with a remote and why our callbacks broke it off. */
struct gitlib_session {
    const struct git_remote_spec *spec;
    bool asked;          /* credentials were asked for once */
    bool refused;        /* and again: the other side does not take them */
    bool too_much;       /* max_bytes was passed */
    struct buf sideband; /* what the server's hooks print */
};
void gitlib_session_init(struct gitlib_session *session, const struct git_remote_spec *spec);
void gitlib_session_free(struct gitlib_session *session);
#define SESSION_AUTO __attribute__((cleanup(gitlib_session_free))) struct gitlib_session

/* Callbacks, and connection options that follow no redirect and no proxy. */
git_remote_callbacks gitlib_callbacks(struct gitlib_session *session);
MUST_CHECK int gitlib_connect(git_repository *lib, struct gitlib_session *session,
                              git_direction direction, git_remote **remote, struct err *err);
/* gitlib_call for work that talks to a remote, made again while it fails for a reason that
 * passes and remote->retry_ms last (git_retry.c). */
MUST_CHECK int gitlib_call_remote(struct git_repo *repo, int (*function)(void *, struct err *),
                                  void *context, const struct git_remote_spec *remote,
                                  struct err *err);
/* Might a network call that failed so work in a while? By its code and libgit2's words. */
bool gitlib_passes(int code, const char *words);
/* What a failed network call means. Returns -1. ERR_HOST has the errnum EAGAIN where the
 * same call may work in a while. */
int gitlib_remote_error(const struct gitlib_session *session, int code, const char *doing,
                        struct err *err);
/* Look a ref up among those a connected remote advertised; found or not. */
MUST_CHECK int gitlib_advertised(git_remote *remote, const char *ref, bool *found,
                                 git_oid *oid, struct err *err);

#endif
