/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a part of a commit's tree, which a stranger made, and shows what is in it. All of the part is
 * looked at, within the limits, before anybody does anything with it. */
#include "base/git_walk.h"

#include <stdio.h>
#include <string.h>

/* Recursion and one descriptor per level, whatever the caller allows. */
enum { DEPTH_CEILING = 200 };

void walk_free(struct walk *walk)
{
    git_odb_free(walk->odb);
    gitlib_paths_free(&walk->paths);
}

static int object_size(struct walk *walk, const git_oid *oid, git_object_t want, size_t *size,
                       struct err *err)
{
    git_object_t type;
    git_error_clear();
    int code = git_odb_read_header(size, &type, walk->odb, oid);
    if (code < 0)
        return gitlib_error(err, code, "cannot look at `%s`", walk->path);
    if (type != want)
        return err_set(err, ERR_INPUT, "`%s` is not what its mode says", walk->path);
    return 0;
}

/* All that is read of commits and folders is added up before it is, for each may be of any size, and be named
 * as often as a stranger likes. What is not of the part, in folders on the way to it, counts for no entry. */
static int count(struct walk *walk, const git_oid *oid, git_object_t type, struct err *err)
{
    enum { ENTRY_BYTES = 300, ON_THE_WAY_BYTES = 64 << 20 };
    const unsigned long long most = walk->limits->entries * ENTRY_BYTES + ON_THE_WAY_BYTES;
    size_t size;
    if (object_size(walk, oid, type, &size, err) != 0)
        return -1;
    walk->named += size;
    if (walk->named > most)
        return err_set(err, ERR_LIMIT, "the commit and its folders have more than %llu bytes",
                       most);
    return 0;
}

int walk_open(struct walk *walk, struct git_repo *repo, const char *sha,
              const struct git_part *part, const struct git_tree_limits *limits, git_oid *tree,
              struct err *err)
{
    LIB_AUTO(commit) *commit = NULL;
    *walk = (struct walk){.part = part, .limits = limits};
    if (gitlib_commit(repo, sha, &commit, err) != 0 ||
        gitlib_paths_make(part->paths, part->path_count, &walk->paths, err) != 0)
        return -1;
    git_error_clear();
    walk->lib = repo->lib;
    int code = git_repository_odb(&walk->odb, repo->lib);
    if (code < 0)
        return gitlib_error(err, code, "cannot read %s", repo->path);
    *tree = *git_commit_tree_id(commit);
    return count(walk, git_commit_id(commit), GIT_OBJECT_COMMIT, err);
}

size_t walk_enter(struct walk *walk, const char *name)
{
    size_t used = strlen(walk->path);
    snprintf(walk->path + used, sizeof walk->path - used, "%s%s", used > 0 ? "/" : "", name);
    return used;
}

enum reach walk_reach(struct walk *walk, bool written)
{
    size_t len = strlen(walk->path);
    enum reach found = OUTSIDE;
    for (size_t i = 0; i < walk->paths.count && found != WHOLE; i++) {
        struct gitlib_path *path = &walk->paths.list[i];
        if (strncmp(path->name, walk->path, len) != 0 && path->name[0] != '\0')
            continue;
        if (path->name[0] == '\0' || path->name[len] == '\0') {
            path->there = true;
            found = WHOLE;
        } else if ((len == 0 || path->name[len] == '/') && (!written || path->there)) {
            found = ON_THE_WAY;
        }
    }
    return found;
}

int walk_tree(struct walk *walk, const git_oid *oid, git_tree **tree, struct err *err)
{
    git_error_clear();
    int code = git_tree_lookup(tree, walk->lib, oid);
    return code < 0 ? gitlib_error(err, code, "cannot read folder `%s`", walk->path) : 0;
}

/* ---- submodules ---- */

int walk_into(struct walk *walk, const git_oid *pinned, struct outside *outside, git_oid *tree,
              struct err *err)
{
    LIB_AUTO(commit) *commit = NULL;
    const struct git_submodule *found = NULL;
    if (walk->in_submodule)
        return err_set(err, ERR_INPUT,
                       "submodule `%s` lies in another submodule, which is "
                       "not supported",
                       walk->path);
    for (size_t i = 0; i < walk->part->submodule_count && found == NULL; i++)
        if (strcmp(walk->part->submodules[i].path, walk->path) == 0)
            found = &walk->part->submodules[i];
    if (found == NULL)
        return err_set(err, ERR_INPUT, "submodule `%s` is not here", walk->path);
    char sha[GIT_SHA_BYTES];
    git_odb *odb = NULL;
    git_oid_tostr(sha, sizeof sha, pinned);
    if (gitlib_commit(found->repo, sha, &commit, err) != 0)
        return err_wrap(err, "submodule `%s`", walk->path);
    int code = git_repository_odb(&odb, found->repo->lib);
    if (code < 0)
        return gitlib_error(err, code, "cannot read %s", found->repo->path);
    *outside = (struct outside){walk->lib, walk->odb};
    *tree = *git_commit_tree_id(commit);
    walk->lib = found->repo->lib;
    walk->odb = odb;
    walk->in_submodule = true;
    return 0;
}

void walk_back(struct walk *walk, const struct outside *outside)
{
    git_odb_free(walk->odb);
    walk->lib = outside->lib;
    walk->odb = outside->odb;
    walk->in_submodule = false;
}

/* ---- first pass: look ---- */

static int check_tree(struct walk *walk, const git_oid *oid, enum reach how, unsigned depth,
                      struct err *err);

static int show_file(struct walk *walk, const git_oid *oid, size_t size, bool link,
                     struct err *err)
{
    LIB_AUTO(blob) *blob = NULL;
    struct git_file file = {.path = walk->path, .len = size, .link = link};
    if (size <= walk->max) {
        git_error_clear();
        int code = git_blob_lookup(&blob, walk->lib, oid);
        if (code < 0)
            return gitlib_error(err, code, "cannot read `%s`", walk->path);
        file.bytes = git_blob_rawcontent(blob);
    }
    return walk->file(walk->context, &file, err);
}

static int show_object(struct walk *walk, const git_oid *oid, struct err *err)
{
    return walk->object == NULL ? 0 : walk->object(walk->context, walk->odb, oid, err);
}

static int check_blob(struct walk *walk, const git_oid *oid, bool link, struct err *err)
{
    size_t size;
    if (object_size(walk, oid, GIT_OBJECT_BLOB, &size, err) != 0)
        return -1;
    if (size > walk->limits->bytes - walk->bytes)
        return err_set(err, ERR_LIMIT, "the tree has more than %llu bytes, `%s` passes that",
                       walk->limits->bytes, walk->path);
    walk->bytes += size;
    if (walk->file != NULL)
        return show_file(walk, oid, size, link, err);
    return show_object(walk, oid, err);
}

static bool is_listed(const struct walk *walk)
{
    for (size_t i = 0; i < walk->part->submodule_count; i++)
        if (strcmp(walk->part->submodules[i].path, walk->path) == 0)
            return true;
    return false;
}

static int check_submodule(struct walk *walk, const git_oid *pinned, enum reach how,
                           unsigned depth, struct err *err)
{
    struct outside outside = {0};
    git_oid tree;
    if (walk->file != NULL && !is_listed(walk))
        return 0;
    if (walk->submodule != NULL) {
        char sha[GIT_SHA_BYTES];
        git_oid_tostr(sha, sizeof sha, pinned);
        return walk->submodule(walk->context, walk->path, sha, err);
    }
    if (walk_into(walk, pinned, &outside, &tree, err) != 0)
        return -1;
    int rc = count(walk, pinned, GIT_OBJECT_COMMIT, err);
    if (rc == 0)
        rc = show_object(walk, pinned, err);
    if (rc == 0)
        rc = check_tree(walk, &tree, how, depth, err);
    walk_back(walk, &outside);
    return rc;
}

static int check_entry(struct walk *walk, const git_tree_entry *entry, enum reach how,
                       unsigned depth, struct err *err)
{
    const git_oid *oid = git_tree_entry_id(entry);
    git_filemode_t mode = git_tree_entry_filemode(entry);
    if (how == ON_THE_WAY && mode != GIT_FILEMODE_TREE && mode != GIT_FILEMODE_COMMIT)
        return 0; /* the way ends here */
    if (!gitlib_name_ok(git_tree_entry_name(entry)))
        return err_set(err, ERR_INPUT, "the tree holds a forbidden name `%s`", walk->path);
    if (++walk->entries > walk->limits->entries)
        return err_set(err, ERR_LIMIT, "the tree has more than %llu entries",
                       walk->limits->entries);
    switch (mode) {
    case GIT_FILEMODE_TREE:
        return check_tree(walk, oid, how, depth + 1, err);
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
    case GIT_FILEMODE_LINK:
        return check_blob(walk, oid, mode == GIT_FILEMODE_LINK, err);
    case GIT_FILEMODE_COMMIT:
        return check_submodule(walk, oid, how, depth + 1, err);
    default:
        return err_set(err, ERR_INPUT, "`%s` is of an unknown kind", walk->path);
    }
}

/* `depth` counts folders within folders: 0 at the root. */
static int check_tree(struct walk *walk, const git_oid *oid, enum reach how, unsigned depth,
                      struct err *err)
{
    if (depth > walk->limits->depth || depth > DEPTH_CEILING)
        return err_set(err, ERR_LIMIT, "the tree is more than %u folders deep at `%.100s`",
                       depth - 1, walk->path);
    LIB_AUTO(tree) *tree = NULL;
    if (count(walk, oid, GIT_OBJECT_TREE, err) != 0 || walk_tree(walk, oid, &tree, err) != 0 ||
        show_object(walk, oid, err) != 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        size_t cut = walk_enter(walk, git_tree_entry_name(entry));
        enum reach below = how == WHOLE ? WHOLE : walk_reach(walk, false);
        if (below != OUTSIDE && check_entry(walk, entry, below, depth, err) != 0)
            return -1;
        walk->path[cut] = '\0';
    }
    return 0;
}

/* ---- the whole ---- */

int walk_look(struct walk *walk, const git_oid *tree, const char *sha, struct err *err)
{
    return check_tree(walk, tree, walk_reach(walk, false), 0, err) != 0
               ? err_wrap(err, "commit %s", sha)
               : 0;
}

int git_each_submodule(struct git_repo *repo, const char *sha, const struct git_part *part,
                       const struct git_tree_limits *limits,
                       int (*each)(void *context, const char *path, const char *commit,
                                   struct err *err),
                       void *context, struct err *err)
{
    WALK_AUTO walk = {0};
    git_oid tree;
    if (walk_open(&walk, repo, sha, part, limits, &tree, err) != 0)
        return -1;
    walk.submodule = each;
    walk.context = context;
    return walk_look(&walk, &tree, sha, err);
}

int git_each_file(struct git_repo *repo, const char *sha, const struct git_part *part,
                  const struct git_tree_limits *limits, size_t max,
                  int (*each)(void *context, const struct git_file *file, struct err *err),
                  void *context, struct err *err)
{
    WALK_AUTO walk = {0};
    git_oid tree;
    if (walk_open(&walk, repo, sha, part, limits, &tree, err) != 0)
        return -1;
    walk.file = each;
    walk.context = context;
    walk.max = max;
    return walk_look(&walk, &tree, sha, err);
}
