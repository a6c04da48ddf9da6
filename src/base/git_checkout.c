/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a part of a commit's tree, which a stranger made, and writes it to disk. All of the
 * part is walked and checked before the first file is made; files are made with openat below
 * a folder that we hold open, never over something that is there, and links become plain
 * files, so no name in the tree can lead out of that folder. */
#include "base/git_internal.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Recursion and one descriptor per level, whatever the caller allows. */
enum { DEPTH_CEILING = 200, ENTRY_BYTES_MAX = 300 };

struct walk {
    git_repository *lib; /* where the objects at hand lie: a submodule's, within one */
    git_odb *odb;        /* of it; owned */
    const struct git_part *part;
    struct gitlib_paths paths;
    const struct git_tree_limits *limits;
    unsigned long long bytes, entries;
    bool in_submodule;
    /* The first pass shows files of at most `max` bytes, or submodules instead of entering
     * them, to whoever asks. */
    int (*file)(void *context, const struct git_file *file, struct err *err);
    int (*submodule)(void *context, const char *path, const char *commit, struct err *err);
    void *context;
    size_t max;
    /* Of the entry at hand. Whole as long as it leads to one of `paths`; cut in messages. */
    char path[GITLIB_PATH_BYTES + 512];
};

static void walk_free(struct walk *walk)
{
    git_odb_free(walk->odb);
    gitlib_paths_free(&walk->paths);
}
#define WALK_AUTO __attribute__((cleanup(walk_free))) struct walk

/* Start a walk; *tree is the commit's. */
static int walk_open(struct walk *walk, struct git_repo *repo, const char *sha,
                     const struct git_part *part, const struct git_tree_limits *limits,
                     git_oid *tree, struct err *err)
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
    return 0;
}

/* Add a name to walk->path. Returns where to cut it again. */
static size_t enter(struct walk *walk, const char *name)
{
    size_t used = strlen(walk->path);
    snprintf(walk->path + used, sizeof walk->path - used, "%s%s", used > 0 ? "/" : "", name);
    return used;
}

/* Does the entry at hand belong to the part, or lie on the way to something that does? */
enum reach { OUTSIDE, ON_THE_WAY, WHOLE };

/* `written`: on the second pass, a path that the first did not meet leads nowhere. */
static enum reach reach(struct walk *walk, bool written)
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

/* Parsing a tree takes memory for each entry, so its size is looked at before. */
static int open_tree(struct walk *walk, const git_oid *oid, git_tree **tree, struct err *err)
{
    size_t size;
    if (object_size(walk, oid, GIT_OBJECT_TREE, &size, err) != 0)
        return -1;
    if (size / ENTRY_BYTES_MAX > walk->limits->entries)
        return err_set(err, ERR_LIMIT, "the tree has more than %llu entries",
                       walk->limits->entries);
    git_error_clear();
    int code = git_tree_lookup(tree, walk->lib, oid);
    return code < 0 ? gitlib_error(err, code, "cannot read folder `%s`", walk->path) : 0;
}

/* ---- submodules ---- */

struct outside { /* what a walk goes back to after a submodule */
    git_repository *lib;
    git_odb *odb;
};

/* Go on in the commit that a submodule is pinned to; *tree is its tree. */
static int enter_submodule(struct walk *walk, const git_oid *pinned, struct outside *outside,
                           git_oid *tree, struct err *err)
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

static void leave_submodule(struct walk *walk, const struct outside *outside)
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

static int check_blob(struct walk *walk, const git_oid *oid, bool link, struct err *err)
{
    size_t size;
    if (object_size(walk, oid, GIT_OBJECT_BLOB, &size, err) != 0)
        return -1;
    if (size > walk->limits->bytes - walk->bytes)
        return err_set(err, ERR_LIMIT, "the tree has more than %llu bytes, `%s` passes that",
                       walk->limits->bytes, walk->path);
    walk->bytes += size;
    return walk->file == NULL ? 0 : show_file(walk, oid, size, link, err);
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
    if (enter_submodule(walk, pinned, &outside, &tree, err) != 0)
        return -1;
    int rc = check_tree(walk, &tree, how, depth, err);
    leave_submodule(walk, &outside);
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
    if (open_tree(walk, oid, &tree, err) != 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        size_t cut = enter(walk, git_tree_entry_name(entry));
        enum reach below = how == WHOLE ? WHOLE : reach(walk, false);
        if (below != OUTSIDE && check_entry(walk, entry, below, depth, err) != 0)
            return -1;
        walk->path[cut] = '\0';
    }
    return 0;
}

/* ---- second pass: write ---- */

static int made_twice(const struct walk *walk, const char *doing, struct err *err)
{
    if (errno == EEXIST)
        return err_set(err, ERR_INPUT, "`%s` stands in the tree twice", walk->path);
    return err_errno(err, ERR_HOST, errno, "cannot %s `%s`", doing, walk->path);
}

static int write_blob(struct walk *walk, int folder, const char *name, const git_oid *oid,
                      mode_t mode, struct err *err)
{
    LIB_AUTO(blob) *blob = NULL;
    git_error_clear();
    int code = git_blob_lookup(&blob, walk->lib, oid);
    if (code < 0)
        return gitlib_error(err, code, "cannot read `%s`", walk->path);
    FD_AUTO fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        mode);
    if (fd < 0)
        return made_twice(walk, "create", err);
    const char *at = git_blob_rawcontent(blob);
    size_t left = (size_t)git_blob_rawsize(blob);
    while (left > 0) {
        ssize_t put = write(fd, at, left);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(err, ERR_HOST, errno, "cannot write `%s`", walk->path);
        at += put;
        left -= (size_t)put;
    }
    if (fchmod(fd, mode) != 0) /* whatever the umask */
        return err_errno(err, ERR_HOST, errno, "cannot write `%s`", walk->path);
    return 0;
}

static int write_tree(struct walk *walk, int folder, const git_oid *oid, enum reach how,
                      struct err *err);

static int write_folder(struct walk *walk, int folder, const char *name, const git_oid *oid,
                        enum reach how, struct err *err)
{
    if (mkdirat(folder, name, 0700) != 0)
        return made_twice(walk, "create folder", err);
    FD_AUTO inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0 || fchmod(inner, 0755) != 0)
        return err_errno(err, ERR_HOST, errno, "cannot open folder `%s`", walk->path);
    return write_tree(walk, inner, oid, how, err);
}

static int write_submodule(struct walk *walk, int folder, const char *name,
                           const git_oid *pinned, enum reach how, struct err *err)
{
    struct outside outside = {0};
    git_oid tree;
    if (enter_submodule(walk, pinned, &outside, &tree, err) != 0)
        return -1;
    int rc = write_folder(walk, folder, name, &tree, how, err);
    leave_submodule(walk, &outside);
    return rc;
}

static int write_entry(struct walk *walk, int folder, const git_tree_entry *entry,
                       enum reach how, struct err *err)
{
    const char *name = git_tree_entry_name(entry);
    const git_oid *oid = git_tree_entry_id(entry);
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return write_folder(walk, folder, name, oid, how, err);
    case GIT_FILEMODE_COMMIT:
        return write_submodule(walk, folder, name, oid, how, err);
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        return write_blob(walk, folder, name, oid, 0755, err);
    default:
        return write_blob(walk, folder, name, oid, 0644, err);
    }
}

static int write_tree(struct walk *walk, int folder, const git_oid *oid, enum reach how,
                      struct err *err)
{
    LIB_AUTO(tree) *tree = NULL;
    if (open_tree(walk, oid, &tree, err) != 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        size_t cut = enter(walk, git_tree_entry_name(entry));
        enum reach below = how == WHOLE ? WHOLE : reach(walk, true);
        if (below != OUTSIDE && write_entry(walk, folder, entry, below, err) != 0)
            return -1;
        walk->path[cut] = '\0';
    }
    return 0;
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* Call `each` for the names in a folder. */
static int each_name(const char *path,
                     int (*each)(const char *path, const char *name, struct err *err),
                     struct err *err)
{
    __attribute__((cleanup(close_dir))) DIR *dir = opendir(path);
    if (dir == NULL)
        return err_errno(err, ERR_HOST, errno, "cannot read folder %s", path);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            each(path, entry->d_name, err) < 0)
            return -1;
    return 0;
}

static int not_empty(const char *path, const char *name, struct err *err)
{
    (void)name;
    return err_set(err, ERR_HOST, "folder %s is not empty", path);
}

static int remove_name(const char *path, const char *name, struct err *err)
{
    char below[FILE_PATH_BYTES];
    if (file_path(below, err, "%s/%s", path, name) < 0)
        return -1;
    return file_remove_tree(below, err);
}

/* Take back what a failed write left: the folder was empty before. */
static void undo(const char *path, bool made)
{
    int ignored = each_name(path, remove_name, NULL);
    if (made)
        ignored |= rmdir(path);
    (void)ignored;
}

static int open_target(const char *path, bool *made, int *fd, struct err *err)
{
    *made = mkdir(path, 0755) == 0;
    if (!*made && errno != EEXIST)
        return err_errno(err, ERR_HOST, errno, "cannot create folder %s", path);
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return err_errno(err, ERR_HOST, errno, "cannot open folder %s", path);
    return each_name(path, not_empty, err);
}

/* ---- the whole ---- */

int git_checkout(struct git_repo *repo, const char *sha, const struct git_part *part,
                 const char *path, const struct git_tree_limits *limits, struct err *err)
{
    WALK_AUTO walk = {0};
    git_oid tree;
    if (walk_open(&walk, repo, sha, part, limits, &tree, err) != 0)
        return -1;
    enum reach how = reach(&walk, false);
    if (check_tree(&walk, &tree, how, 0, err) != 0)
        return err_wrap(err, "commit %s", sha);

    FD_AUTO fd = -1;
    bool made = false;
    if (open_target(path, &made, &fd, err) != 0)
        return -1;
    walk.path[0] = '\0';
    if (write_tree(&walk, fd, &tree, how, err) != 0) {
        undo(path, made);
        return err_wrap(err, "commit %s", sha);
    }
    return 0;
}

/* The first pass alone, for what it shows. */
static int look(struct walk *walk, const git_oid *tree, const char *sha, struct err *err)
{
    return check_tree(walk, tree, reach(walk, false), 0, err) != 0
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
    return look(&walk, &tree, sha, err);
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
    return look(&walk, &tree, sha, err);
}
