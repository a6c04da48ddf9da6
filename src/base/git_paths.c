/* SPDX-License-Identifier: Apache-2.0 */
/* What lies at a path, or at a list of paths, of a commit's tree. Nothing is written and no
 * folder is walked through: that is git_checkout.c. */
#include "base/git_internal.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists of paths ---- */

int gitlib_clean_path(const char *path, char *out, size_t size, struct err *err)
{
    size_t used = 0;
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len > 0 && !(len == 1 && *at == '.')) {
            if (used + len + 2 > size)
                return err_set(err, ERR_LIMIT, "path `%.80s…` is too long", path);
            if (used > 0)
                out[used++] = '/';
            memcpy(out + used, at, len);
            used += len;
        }
        at += len + (at[len] == '/');
    }
    out[used] = '\0';
    return 0;
}

void gitlib_paths_free(struct gitlib_paths *paths)
{
    free(paths->list);
}

static int by_name(const void *left, const void *right)
{
    const struct gitlib_path *a = left, *b = right;
    return strcmp(a->name, b->name);
}

int gitlib_paths_make(const char *const *names, size_t count, struct gitlib_paths *out,
                      struct err *err)
{
    struct gitlib_path *list = calloc(count + 1, sizeof *list);
    *out = (struct gitlib_paths){.list = list};
    if (list == NULL)
        return err_errno(err, ERR_HOST, ENOMEM, "%zu paths", count);
    for (size_t i = 0; i < count; i++)
        if (gitlib_clean_path(names[i], list[i].name, sizeof list[i].name, err) != 0)
            return -1;
    qsort(list, count, sizeof *list, by_name);
    /* A folder sorts before all that lies below it, if not always right before it. */
    for (size_t i = 0; i < count; i++) {
        bool covered = false;
        for (size_t j = 0; j < out->count && !covered; j++)
            covered = file_is_at_or_below(list[i].name, list[j].name);
        if (!covered)
            list[out->count++] = list[i];
    }
    return 0;
}

/* ---- one path ---- */

struct found {
    enum git_path_kind kind;
    bool whole;      /* all of the path was followed: not behind a link, not in a submodule */
    bool other_case; /* some part was met in another case only */
    unsigned mode;
    git_oid oid;
    char where[GITLIB_PATH_BYTES]; /* the way that was followed, as the tree spells it */
};

static const git_tree_entry *find_name(const git_tree *tree, const char *name, bool any_case,
                                       bool *other_case)
{
    const git_tree_entry *entry = git_tree_entry_byname(tree, name);
    for (size_t i = 0; entry == NULL && any_case && i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *other = git_tree_entry_byindex(tree, i);
        if (strcasecmp(git_tree_entry_name(other), name) == 0)
            entry = other;
    }
    if (entry != NULL && strcmp(git_tree_entry_name(entry), name) != 0)
        *other_case = true;
    return entry;
}

static enum git_path_kind kind_of(const git_tree_entry *entry)
{
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return GIT_PATH_FOLDER;
    case GIT_FILEMODE_COMMIT:
        return GIT_PATH_SUBMODULE;
    case GIT_FILEMODE_LINK:
        return GIT_PATH_LINK;
    default:
        return GIT_PATH_FILE;
    }
}

/* Where paths are looked for. */
struct ground {
    git_repository *lib;
    const git_tree *root;    /* NULL: nothing is there */
    git_odb *odb;            /* NULL: folders of any size are read */
    unsigned long long left; /* bytes of folders, where there is an odb */
};

/* Read a folder; *tree stays NULL where that is too much. Parsing one takes memory for each
 * entry, so its size is looked at before. */
static int read_folder(struct ground *ground, const git_oid *oid, const char *where,
                       git_tree **tree, struct err *err)
{
    size_t size = 0;
    git_object_t type;
    git_error_clear();
    int code = ground->odb == NULL ? 0 : git_odb_read_header(&size, &type, ground->odb, oid);
    if (code == 0 && ground->odb != NULL) {
        if (size > ground->left)
            return 0;
        ground->left -= size;
    }
    if (code == 0)
        code = git_tree_lookup(tree, ground->lib, oid);
    return code < 0 ? gitlib_error(err, code, "cannot read folder `%s`", where) : 0;
}

/* Follow a clean path from a tree, part by part. */
static int find(struct ground *ground, const char *path, bool any_case, struct found *out,
                struct err *err)
{
    LIB_AUTO(tree) *inner = NULL;
    const git_tree *tree = ground->root;
    *out = (struct found){.kind = GIT_PATH_ABSENT};
    if (tree == NULL)
        return 0;
    *out = (struct found){
        .kind = GIT_PATH_FOLDER, .mode = GIT_FILEMODE_TREE, .oid = *git_tree_id(tree)};
    while (*path != '\0' && out->kind == GIT_PATH_FOLDER) {
        char name[GITLIB_PATH_BYTES];
        size_t len = strcspn(path, "/"), used = strlen(out->where);
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        path += len + (path[len] == '/');
        const git_tree_entry *entry = find_name(tree, name, any_case, &out->other_case);
        if (entry == NULL) {
            *out = (struct found){.kind = GIT_PATH_ABSENT};
            return 0;
        }
        snprintf(out->where + used, sizeof out->where - used, "%s%s", used > 0 ? "/" : "",
                 git_tree_entry_name(entry));
        out->kind = kind_of(entry);
        out->mode = git_tree_entry_filemode_raw(entry);
        out->oid = *git_tree_entry_id(entry);
        if (out->kind != GIT_PATH_FOLDER || *path == '\0')
            break;
        git_tree *next = NULL;
        if (read_folder(ground, &out->oid, out->where, &next, err) != 0)
            return -1;
        if (next == NULL) {
            *out = (struct found){.kind = GIT_PATH_ABSENT};
            return 0;
        }
        git_tree_free(inner);
        tree = inner = next;
    }
    out->whole = *path == '\0';
    if (out->kind == GIT_PATH_FILE && !out->whole) /* nothing lies below a file */
        *out = (struct found){.kind = GIT_PATH_ABSENT};
    return 0;
}

int git_check_path(struct git_repo *repo, const char *sha, const char *path,
                   enum git_path_kind *kind, char where[256], struct err *err)
{
    LIB_AUTO(tree) *root = NULL;
    struct found found;
    char clean[GITLIB_PATH_BYTES];
    if (gitlib_root(repo, sha, &root, err) != 0 ||
        gitlib_clean_path(path, clean, sizeof clean, err) != 0)
        return -1;
    struct ground ground = {.lib = repo->lib, .root = root};
    if (find(&ground, clean, false, &found, err) != 0 ||
        (found.kind == GIT_PATH_ABSENT && find(&ground, clean, true, &found, err) != 0))
        return -1;
    *kind = found.other_case ? GIT_PATH_ABSENT : found.kind;
    snprintf(where, 256, "%.255s", found.where);
    return 0;
}

/* ---- many paths ---- */

struct git_lookup {
    struct ground ground;
    git_tree *root;
};

void git_lookup_close(struct git_lookup **lookup)
{
    if (*lookup == NULL)
        return;
    git_tree_free((*lookup)->root);
    git_odb_free((*lookup)->ground.odb);
    free(*lookup);
    *lookup = NULL;
}

static int open_ground(struct git_lookup *lookup, struct git_repo *repo, const char *sha,
                       struct err *err)
{
    LIB_AUTO(commit) *commit = NULL;
    if (gitlib_commit(repo, sha, &commit, err) != 0)
        return -1;
    git_error_clear();
    int code = git_repository_odb(&lookup->ground.odb, repo->lib);
    if (code < 0)
        return gitlib_error(err, code, "cannot read %s", repo->path);
    lookup->ground.lib = repo->lib;
    if (read_folder(&lookup->ground, git_commit_tree_id(commit), "", &lookup->root, err) != 0)
        return -1;
    lookup->ground.root = lookup->root;
    return 0;
}

int git_lookup_open(struct git_repo *repo, const char *sha, unsigned long long bytes,
                    struct git_lookup **lookup, struct err *err)
{
    *lookup = calloc(1, sizeof **lookup);
    if (*lookup == NULL)
        return err_set(err, ERR_HOST, "out of memory for the tree of %s", sha);
    (*lookup)->ground.left = bytes;
    if (open_ground(*lookup, repo, sha, err) == 0)
        return 0;
    git_lookup_close(lookup);
    return -1;
}

int git_lookup_path(struct git_lookup *lookup, const char *path, enum git_path_kind *kind,
                    struct err *err)
{
    struct found found;
    char clean[GITLIB_PATH_BYTES];
    if (gitlib_clean_path(path, clean, sizeof clean, err) != 0 ||
        find(&lookup->ground, clean, false, &found, err) != 0)
        return -1;
    *kind = found.kind;
    return 0;
}

/* ---- keys ---- */

int git_paths_key(struct git_repo *repo, const char *sha, const char *const *paths,
                  size_t count, char key[GIT_KEY_BYTES], struct err *err)
{
    _Static_assert(GIT_KEY_BYTES == (int)FILE_SHA256_BYTES, "a key is a SHA-256");
    LIB_AUTO(tree) *root = NULL;
    PATHS_AUTO list = {0};
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    if (gitlib_root(repo, sha, &root, err) != 0 ||
        gitlib_paths_make(paths, count, &list, err) != 0)
        return -1;
    struct ground ground = {.lib = repo->lib, .root = root};
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.list[i].name;
        struct found found;
        if (find(&ground, name, false, &found, err) != 0)
            return -1;
        /* Behind a link there is nothing; in a submodule, what its commit says. */
        if (found.kind == GIT_PATH_LINK && !found.whole)
            found = (struct found){.kind = GIT_PATH_ABSENT};
        char oid[GIT_SHA_BYTES];
        git_oid_tostr(oid, sizeof oid, &found.oid);
        buf_addf(&text, "%zu:%s %o %s\n", strlen(name), name, found.mode,
                 found.kind == GIT_PATH_ABSENT ? "-" : oid);
    }
    if (buf_check(&text, "the list of paths", err) != 0)
        return -1;
    file_sha256(text.data, text.len, key);
    return 0;
}
