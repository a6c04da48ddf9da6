/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and merges commits. libgit2 is started in git_lib.c; repositories are opened in git_open.c, our
 * caches in git_cache.c; trees are git_tree.c's, folders on disk git_checkout.c's, configuration
 * text git_config.c's, the network git_remote.c's, git_retry.c's, git_fetch.c's and
 * git_push.c's. */
#include "base/git_internal.h"

#include "base/name.h"
#include "base/proc.h"
#include "base/sanitized.h"
#include "base/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MERGE_MS = 120000, SHARE_BYTES = 4096 };

/* ---- commits and trees ---- */

int gitlib_oid(const char *sha, git_oid *oid, struct err *err)
{
    if (!name_is_sha(sha) || git_oid_fromstr(oid, sha) < 0)
        return err_set(err, ERR_INPUT, "`%.60s` is not a commit's 40 hex digits",
                       sha == NULL ? "" : sha);
    return 0;
}

int gitlib_commit(struct git_repo *repo, const char *sha, git_commit **commit, struct err *err)
{
    git_oid oid;
    git_repository *lib;
    if (gitlib_oid(sha, &oid, err) != 0 || gitlib_repo(repo, &lib, err) != 0)
        return -1;
    git_error_clear();
    int code = git_commit_lookup(commit, lib, &oid);
    if (code == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "no commit %s in %s", sha, repo->path);
    return code < 0 ? gitlib_error(err, code, "cannot read commit %s", sha) : 0;
}

int gitlib_root(struct git_repo *repo, const char *sha, git_tree **tree, struct err *err)
{
    LIB_AUTO(commit) *commit = NULL;
    if (gitlib_commit(repo, sha, &commit, err) != 0)
        return -1;
    git_error_clear();
    int code = git_commit_tree(tree, commit);
    return code < 0 ? gitlib_error(err, code, "cannot read the tree of %s", sha) : 0;
}

/* A ref that says so already, or that another process is just writing, says the same: its
 * name is its value. */
int gitlib_keep(git_repository *lib, const git_oid *oid, struct err *err)
{
    LIB_AUTO(reference) *ref = NULL;
    char name[sizeof "refs/ratchet/" + GIT_SHA_BYTES] = "refs/ratchet/";
    git_oid_tostr(name + strlen(name), GIT_SHA_BYTES, oid);
    git_error_clear();
    int code = git_reference_create(&ref, lib, name, oid, 0, NULL);
    if (code < 0 && code != GIT_EEXISTS && code != GIT_ELOCKED)
        return gitlib_error(err, code, "cannot keep %s", name);
    char file[FILE_PATH_BYTES];
    if (code == GIT_EEXISTS &&
        file_path(file, err, "%s%s", git_repository_commondir(lib), name) != 0)
        return -1;
    if (code == GIT_EEXISTS && utimensat(AT_FDCWD, file, NULL, 0) != 0 && errno != ENOENT)
        return err_errno(err, ERR_HOST, errno, "cannot keep %s", name);
    return 0;
}

void git_keep(struct git_repo *repo, const char *sha)
{
    git_oid oid;
    git_repository *lib;
    struct err err;
    if (gitlib_oid(sha, &oid, &err) == 0 && gitlib_repo(repo, &lib, &err) == 0 &&
        gitlib_keep(lib, &oid, &err) != 0)
        return; /* then it is kept less long */
}

/* ---- work in a child ---- */

struct call {
    int (*function)(void *, struct err *);
    void *context;
};

/* A few kilobytes on the wire can be objects of gigabytes. RLIMIT_DATA counts what is
 * allocated and not the packs that are mapped. The sanitizers' own memory would pass
 * it. */
static int limit_memory(struct err *err)
{
    const rlim_t most = 4ull << 30;
    struct rlimit limit;
    if (!SANITIZED && getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur > most &&
        setrlimit(RLIMIT_DATA, &(struct rlimit){most, most}) != 0)
        return err_errno(err, ERR_HOST, errno, "cannot limit memory");
    return 0;
}

static int limited(void *context, struct err *err)
{
    const struct call *call = context;
    return limit_memory(err) != 0 ? -1 : call->function(call->context, err);
}

int gitlib_call(struct git_repo *repo, int (*function)(void *, struct err *), void *context,
                unsigned wall_ms, struct err *err)
{
    git_repository_free(repo->lib);
    repo->lib = NULL;
    struct call call = {.function = function, .context = context};
    return proc_call(limited, &call, wall_ms, err);
}

char *gitlib_share(struct err *err)
{
    void *page = mmap(NULL, SHARE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
    if (page == MAP_FAILED) {
        err_errno(err, ERR_HOST, errno, "cannot share memory with a child");
        return NULL;
    }
    return page;
}

void gitlib_unshare(char **page)
{
    if (*page != NULL)
        munmap(*page, SHARE_BYTES);
}

/* ---- what is known of a commit ---- */

int git_resolve(struct git_repo *repo, const char *name, char sha[GIT_SHA_BYTES],
                struct err *err)
{
    git_repository *lib;
    if (gitlib_repo(repo, &lib, err) != 0)
        return -1;
    LIB_AUTO(object) *found = NULL;
    LIB_AUTO(object) *commit = NULL;
    git_error_clear();
    int code = git_revparse_single(&found, lib, name);
    if (code == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "no commit `%s` in %s", name, repo->path);
    if (code == 0)
        code = git_object_peel(&commit, found, GIT_OBJECT_COMMIT);
    if (code < 0)
        return gitlib_error(err, code, "`%s` in %s names no commit", name, repo->path);
    git_oid_tostr(sha, GIT_SHA_BYTES, git_object_id(commit));
    return 0;
}

/* The first line of foreign text, cut between characters, safe to show. */
static void copy_line(char *out, size_t size, const char *text)
{
    size_t len = strcspn(text, "\n");
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(out, text, len);
    out[len] = '\0';
    scan_line(out);
}

int git_read_commit(struct git_repo *repo, const char *sha, struct git_commit_info *out,
                    struct err *err)
{
    LIB_AUTO(commit) *commit = NULL;
    if (gitlib_commit(repo, sha, &commit, err) != 0)
        return -1;
    *out = (struct git_commit_info){.parent_count = git_commit_parentcount(commit),
                                    .time = git_commit_time(commit)};
    git_oid_tostr(out->sha, GIT_SHA_BYTES, git_commit_id(commit));
    git_oid_tostr(out->tree, GIT_SHA_BYTES, git_commit_tree_id(commit));
    for (unsigned i = 0; i < 2 && i < out->parent_count; i++)
        git_oid_tostr(out->parents[i], GIT_SHA_BYTES, git_commit_parent_id(commit, i));
    const git_signature *author = git_commit_author(commit);
    copy_line(out->author, sizeof out->author, author == NULL ? "" : author->name);
    const char *message = git_commit_message(commit);
    copy_line(out->subject, sizeof out->subject, message == NULL ? "" : message);
    return 0;
}

int git_is_ancestor(struct git_repo *repo, const char *ancestor, const char *descendant,
                    bool *yes, struct err *err)
{
    LIB_AUTO(commit) *old = NULL;
    LIB_AUTO(commit) *new = NULL;
    if (gitlib_commit(repo, ancestor, &old, err) != 0 ||
        gitlib_commit(repo, descendant, &new, err) != 0)
        return -1;
    if (strcmp(ancestor, descendant) == 0) {
        *yes = true;
        return 0;
    }
    git_error_clear();
    int code = git_graph_descendant_of(repo->lib, git_commit_id(new), git_commit_id(old));
    if (code < 0)
        return gitlib_error(err, code, "cannot follow the history of %s", descendant);
    *yes = code == 1;
    return 0;
}

/* ---- merges ---- */

struct merge {
    const char *path;
    const char *ours, *theirs;
    char *sha; /* in memory shared with the child */
};

static int name_conflict(git_index *index, const struct merge *merge, struct err *err)
{
    LIB_AUTO(index_conflict_iterator) *conflicts = NULL;
    const git_index_entry *sides[3] = {NULL, NULL, NULL};
    int code = git_index_conflict_iterator_new(&conflicts, index);
    if (code == 0)
        code = git_index_conflict_next(&sides[0], &sides[1], &sides[2], conflicts);
    const char *path = "?";
    for (int i = 0; code == 0 && i < 3; i++)
        if (sides[i] != NULL)
            path = sides[i]->path;
    return err_set(err, ERR_CONFLICT, "%.10s does not merge into %.10s: conflict in `%s`",
                   merge->theirs, merge->ours, path);
}

static int write_merge(git_repository *lib, const struct merge *merge, git_index *index,
                       git_commit *ours, git_commit *theirs, struct err *err)
{
    LIB_AUTO(tree) *tree = NULL;
    LIB_AUTO(signature) *who = NULL;
    git_oid tree_id, commit_id;
    char message[128];
    snprintf(message, sizeof message, "Merge %s into %s\n", merge->theirs, merge->ours);
    const git_commit *parents[] = {ours, theirs};
    int code = git_index_write_tree_to(&tree_id, index, lib);
    if (code == 0)
        code = git_tree_lookup(&tree, lib, &tree_id);
    if (code == 0)
        code = git_signature_new(&who, "ratchet", "ratchet@localhost", git_commit_time(theirs),
                                 0);
    if (code == 0)
        code = git_commit_create(&commit_id, lib, NULL, who, who, NULL, message, tree, 2,
                                 parents);
    if (code < 0)
        return gitlib_error(err, code, "cannot write the merge of %s into %s", merge->theirs,
                            merge->ours);
    git_oid_tostr(merge->sha, GIT_SHA_BYTES, &commit_id);
    return 0;
}

static int make_merge(const struct merge *merge, struct err *err)
{
    LIB_AUTO(repository) *lib = NULL;
    LIB_AUTO(commit) *ours = NULL;
    LIB_AUTO(commit) *theirs = NULL;
    LIB_AUTO(index) *index = NULL;
    git_oid ours_id, theirs_id;
    if (gitlib_open(merge->path, &lib, err) != 0 ||
        gitlib_oid(merge->ours, &ours_id, err) != 0 ||
        gitlib_oid(merge->theirs, &theirs_id, err) != 0)
        return -1;
    git_error_clear();
    int code = git_commit_lookup(&ours, lib, &ours_id);
    if (code == 0)
        code = git_commit_lookup(&theirs, lib, &theirs_id);
    if (code == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "cannot merge %s into %s: %s", merge->theirs,
                       merge->ours, gitlib_words());
    git_merge_options options = {.version = GIT_MERGE_OPTIONS_VERSION,
                                 .flags = GIT_MERGE_FIND_RENAMES};
    if (code == 0)
        code = git_merge_commits(&index, lib, ours, theirs, &options);
    if (code < 0)
        return gitlib_error(err, code, "cannot merge %s into %s", merge->theirs, merge->ours);
    if (git_index_has_conflicts(index))
        return name_conflict(index, merge, err);
    return write_merge(lib, merge, index, ours, theirs, err);
}

static int merge_in_child(void *context, struct err *err)
{
    if (make_merge(context, err) == 0)
        return 0;
    if (err->errnum == ENOMEM)
        err->class = ERR_LIMIT;
    return -1;
}

/* In a child: a pull request can make libgit2 load and compare files of any size. What the child dies of is no
 * fault of this host's. */
int git_make_merge(struct git_repo *repo, const char *ours, const char *theirs,
                   char sha[GIT_SHA_BYTES], struct err *err)
{
    SHARED_AUTO *page = gitlib_share(err);
    if (page == NULL)
        return -1;
    struct merge merge = {.path = repo->path, .ours = ours, .theirs = theirs, .sha = page};
    struct err why;
    if (gitlib_call(repo, merge_in_child, &merge, MERGE_MS, &why) == 0) {
        memcpy(sha, page, GIT_SHA_BYTES);
        git_keep(repo, sha);
        return 0;
    }
    if (why.class == ERR_TIMEOUT || why.class == ERR_INTERNAL)
        return err_set(err, ERR_LIMIT, "cannot merge %s into %s: %s", theirs, ours, why.text);
    if (err != NULL)
        *err = why;
    return -1;
}
