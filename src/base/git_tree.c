/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into the trees of commits, compares them, and builds new ones with files
 * replaced. Nothing here touches a working folder: that is git_checkout.c. */
#include "base/git_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Deeper than any path that fits into a message; a hostile tree may nest without end. */
enum { DEPTH_MAX = 128 };

bool gitlib_name_ok(const char *name)
{
    static const char *const never[] = {".", "..", ".git", "git~1"};
    size_t len = strlen(name);
    if (len == 0 || len > 255)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\')
            return false;
    /* Windows and macOS take trailing dots and spaces, and other cases, for the same
     * name. A name that is nothing else needs no caring about: it is `.` or `..` or
     * harmless. */
    size_t kept = len;
    while (kept > 1 && (name[kept - 1] == '.' || name[kept - 1] == ' '))
        kept--;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (strcasecmp(name, never[i]) == 0)
            return false;
        if (strlen(never[i]) == kept && strncasecmp(name, never[i], kept) == 0 && i >= 2)
            return false;
    }
    return true;
}

/* ---- reading ---- */

/* The entry at a path that is not the root; *entry stays NULL where there is none. */
static int find_entry(const git_tree *root, const char *path, git_tree_entry **entry,
                      struct err *err)
{
    git_error_clear();
    int code = git_tree_entry_bypath(entry, root, path);
    if (code == GIT_ENOTFOUND && !gitlib_damaged(code))
        return 0;
    return code < 0 ? gitlib_error(err, code, "cannot look up `%s`", path) : 0;
}

static int need_entry(const git_tree *root, const char *sha, const char *path,
                      git_tree_entry **entry, struct err *err)
{
    if (find_entry(root, path, entry, err) != 0)
        return -1;
    if (*entry == NULL)
        return err_set(err, ERR_NOT_FOUND, "no `%s` in commit %s", path, sha);
    return 0;
}

/* The size is asked for first: a few hundred bytes on disk can be gigabytes in memory. */
static int read_blob(git_repository *lib, const git_oid *oid, const char *path,
                     struct buf *out, struct err *err)
{
    LIB_AUTO(odb) *odb = NULL;
    LIB_AUTO(blob) *blob = NULL;
    size_t size = 0;
    git_object_t type;
    git_error_clear();
    int code = git_repository_odb(&odb, lib);
    if (code == 0)
        code = git_odb_read_header(&size, &type, odb, oid);
    if (code == 0 && size > out->max - out->len)
        return err_set(err, ERR_LIMIT, "`%s` is longer than %zu bytes", path, out->max);
    if (code == 0)
        code = git_blob_lookup(&blob, lib, oid);
    if (code < 0)
        return gitlib_error(err, code, "cannot read `%s`", path);
    buf_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    return out->failed ? err_set(err, ERR_HOST, "out of memory for `%s`", path) : 0;
}

int git_read_file(struct git_repo *repo, const char *sha, const char *path, struct buf *out,
                  struct err *err)
{
    LIB_AUTO(tree) *root = NULL;
    LIB_AUTO(tree_entry) *entry = NULL;
    char clean[1024];
    if (gitlib_root(repo, sha, &root, err) != 0 ||
        gitlib_clean_path(path, clean, sizeof clean, err) != 0 ||
        need_entry(root, sha, clean, &entry, err) != 0)
        return -1;
    git_filemode_t mode = git_tree_entry_filemode(entry);
    if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
        return err_set(err, ERR_INPUT, "`%s` in commit %s is not a regular file", path, sha);
    return read_blob(repo->lib, git_tree_entry_id(entry), path, out, err);
}

/* ---- comparing ---- */

static bool same_entry(const git_tree_entry *a, const git_tree_entry *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return git_oid_equal(git_tree_entry_id(a), git_tree_entry_id(b)) &&
           git_tree_entry_filemode_raw(a) == git_tree_entry_filemode_raw(b);
}

/* The first name of `tree` that is not the same in `other`. */
static const git_tree_entry *first_unlike(const git_tree *tree, const git_tree *other)
{
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        if (!same_entry(entry, git_tree_entry_byname(other, git_tree_entry_name(entry))))
            return entry;
    }
    return NULL;
}

/* Two trees that differ: append the path of a file in which they do, as far as it
 * fits. */
static int name_difference(git_repository *lib, const git_oid *old_id, const git_oid *new_id,
                           unsigned depth, char *first, size_t size, struct err *err)
{
    LIB_AUTO(tree) *old_tree = NULL;
    LIB_AUTO(tree) *new_tree = NULL;
    git_error_clear();
    int code = git_tree_lookup(&old_tree, lib, old_id);
    if (code == 0)
        code = git_tree_lookup(&new_tree, lib, new_id);
    if (code < 0)
        return gitlib_error(err, code, "cannot compare below `%s`", first);
    const git_tree_entry *entry = first_unlike(new_tree, old_tree);
    if (entry == NULL)
        entry = first_unlike(old_tree, new_tree);
    if (entry == NULL)
        return 0;
    const char *name = git_tree_entry_name(entry);
    size_t used = strlen(first);
    if (used + strlen(name) + 2 > size)
        return 0;
    snprintf(first + used, size - used, "%s%s", used > 0 ? "/" : "", name);
    const git_tree_entry *then = git_tree_entry_byname(old_tree, name);
    const git_tree_entry *now = git_tree_entry_byname(new_tree, name);
    if (depth == 0 || then == NULL || now == NULL ||
        git_tree_entry_type(then) != GIT_OBJECT_TREE ||
        git_tree_entry_type(now) != GIT_OBJECT_TREE)
        return 0;
    return name_difference(lib, git_tree_entry_id(then), git_tree_entry_id(now), depth - 1,
                           first, size, err);
}

static bool is_folder(const git_tree_entry *entry)
{
    return entry != NULL && git_tree_entry_type(entry) == GIT_OBJECT_TREE;
}

/* Does one path differ? `name` (256 bytes) gets where. */
static int path_differs(git_repository *lib, const git_tree *old_root,
                        const git_tree *new_root, const char *path, bool *differs, char *name,
                        struct err *err)
{
    LIB_AUTO(tree_entry) *then = NULL;
    LIB_AUTO(tree_entry) *now = NULL;
    const git_oid *old_id = git_tree_id(old_root);
    const git_oid *new_id = git_tree_id(new_root);
    bool folders = true;
    if (gitlib_clean_path(path, name, 256, err) != 0)
        return -1;
    if (name[0] != '\0') {
        if (find_entry(old_root, name, &then, err) != 0 ||
            find_entry(new_root, name, &now, err) != 0)
            return -1;
        if (same_entry(then, now))
            return 0;
        folders = is_folder(then) && is_folder(now);
        old_id = folders ? git_tree_entry_id(then) : NULL;
        new_id = folders ? git_tree_entry_id(now) : NULL;
    } else if (git_oid_equal(old_id, new_id)) {
        return 0;
    }
    *differs = true;
    return folders ? name_difference(lib, old_id, new_id, DEPTH_MAX, name, 256, err) : 0;
}

int git_differs(struct git_repo *repo, const char *old_sha, const char *new_sha,
                const char *const *paths, size_t count, bool *differs, char first[256],
                struct err *err)
{
    LIB_AUTO(tree) *old_root = NULL;
    LIB_AUTO(tree) *new_root = NULL;
    if (gitlib_root(repo, old_sha, &old_root, err) != 0 ||
        gitlib_root(repo, new_sha, &new_root, err) != 0)
        return -1;
    bool found = false;
    char name[256] = "";
    for (size_t i = 0; i < count && !found; i++)
        if (path_differs(repo->lib, old_root, new_root, paths[i], &found, name, err) != 0)
            return -1;
    *differs = found;
    if (first != NULL)
        memcpy(first, found ? name : "", found ? strlen(name) + 1 : 1);
    return 0;
}

/* ---- writing ---- */

static int check_path(const char *path, struct err *err)
{
    char part[256];
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        snprintf(part, sizeof part, "%.*s", (int)len, at);
        if (len >= sizeof part || !gitlib_name_ok(part))
            return err_set(err, ERR_INPUT, "`%.200s` cannot be a path in a tree", path);
        at += len;
        if (*at == '\0')
            return 0;
    }
}

static void free_updates(git_tree_update **updates)
{
    free(*updates);
}

static int write_tree(git_repository *lib, git_tree *parent, const struct git_change *changes,
                      size_t count, git_oid *tree, struct err *err)
{
    __attribute__((cleanup(free_updates)))
    git_tree_update *updates = calloc(count + 1, sizeof *updates);
    if (updates == NULL)
        return err_set(err, ERR_HOST, "out of memory for a commit of %zu files", count);
    git_error_clear();
    for (size_t i = 0; i < count; i++) {
        if (check_path(changes[i].path, err) != 0)
            return -1;
        updates[i] = (git_tree_update){.action = GIT_TREE_UPDATE_UPSERT,
                                       .filemode = GIT_FILEMODE_BLOB,
                                       .path = changes[i].path};
        int code = git_blob_create_from_buffer(&updates[i].id, lib, changes[i].bytes,
                                               changes[i].len);
        if (code < 0)
            return gitlib_error(err, code, "cannot store `%s`", changes[i].path);
    }
    int code = git_tree_create_updated(tree, lib, parent, count, updates);
    return code < 0 ? gitlib_error(err, code, "cannot put `%s` into the tree",
                                   count > 0 ? changes[0].path : "")
                    : 0;
}

int git_commit_files(struct git_repo *repo, const char *parent,
                     const struct git_change *changes, size_t count, const char *name,
                     const char *email, const char *message, char sha[GIT_SHA_BYTES],
                     struct err *err)
{
    LIB_AUTO(commit) *base = NULL;
    LIB_AUTO(tree) *root = NULL;
    LIB_AUTO(tree) *tree = NULL;
    LIB_AUTO(signature) *who = NULL;
    git_oid tree_id, commit_id;
    if (gitlib_commit(repo, parent, &base, err) != 0 ||
        gitlib_root(repo, parent, &root, err) != 0 ||
        write_tree(repo->lib, root, changes, count, &tree_id, err) != 0)
        return -1;
    const git_commit *parents[] = {base};
    int code = git_tree_lookup(&tree, repo->lib, &tree_id);
    if (code == 0)
        code = git_signature_new(&who, name, email, time(NULL), 0);
    if (code == 0)
        code = git_commit_create(&commit_id, repo->lib, NULL, who, who, NULL, message, tree, 1,
                                 parents);
    if (code < 0)
        return gitlib_error(err, code, "cannot commit on top of %s", parent);
    git_oid_tostr(sha, GIT_SHA_BYTES, &commit_id);
    return 0;
}
