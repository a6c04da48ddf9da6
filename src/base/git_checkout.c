/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the tree of a commit, which a stranger made, to disk. The whole tree is walked
 * and checked before the first file is made; files are made with openat below a folder
 * that we hold open, never over something that is there, and links become plain files, so
 * no name in the tree can lead out of that folder. */
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
    git_repository *lib;
    git_odb *odb;
    const struct git_tree_limits *limits;
    unsigned long long bytes, entries;
    char path[512]; /* of the entry at hand, for messages; cut if it does not fit */
};

/* Add a name to walk->path. Returns where to cut it again. */
static size_t enter(struct walk *walk, const char *name)
{
    size_t used = strlen(walk->path);
    snprintf(walk->path + used, sizeof walk->path - used, "%s%s", used > 0 ? "/" : "",
             name);
    return used;
}

static int object_size(struct walk *walk, const git_oid *oid, git_object_t want,
                       size_t *size, struct err *err)
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
static int open_tree(struct walk *walk, const git_oid *oid, git_tree **tree,
                     struct err *err)
{
    size_t size;
    if (object_size(walk, oid, GIT_OBJECT_TREE, &size, err) < 0)
        return -1;
    if (size / ENTRY_BYTES_MAX > walk->limits->entries)
        return err_set(err, ERR_LIMIT, "the tree has more than %llu entries",
                       walk->limits->entries);
    git_error_clear();
    int code = git_tree_lookup(tree, walk->lib, oid);
    return code < 0 ? gitlib_error(err, code, "cannot read folder `%s`", walk->path) : 0;
}

/* ---- first pass: look ---- */

static int check_tree(struct walk *walk, const git_oid *oid, unsigned depth,
                      struct err *err);

static int check_blob(struct walk *walk, const git_oid *oid, struct err *err)
{
    size_t size;
    if (object_size(walk, oid, GIT_OBJECT_BLOB, &size, err) < 0)
        return -1;
    if (size > walk->limits->bytes - walk->bytes)
        return err_set(err, ERR_LIMIT,
                       "the tree has more than %llu bytes, `%s` passes that",
                       walk->limits->bytes, walk->path);
    walk->bytes += size;
    return 0;
}

static int check_entry(struct walk *walk, const git_tree_entry *entry, unsigned depth,
                       struct err *err)
{
    if (!gitlib_name_ok(git_tree_entry_name(entry)))
        return err_set(err, ERR_INPUT, "the tree holds a forbidden name `%s`",
                       walk->path);
    if (++walk->entries > walk->limits->entries)
        return err_set(err, ERR_LIMIT, "the tree has more than %llu entries",
                       walk->limits->entries);
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return check_tree(walk, git_tree_entry_id(entry), depth + 1, err);
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
    case GIT_FILEMODE_LINK:
        return check_blob(walk, git_tree_entry_id(entry), err);
    case GIT_FILEMODE_COMMIT:
        return 0;
    default:
        return err_set(err, ERR_INPUT, "`%s` is of an unknown kind", walk->path);
    }
}

/* `depth` counts folders within folders: 0 at the root. */
static int check_tree(struct walk *walk, const git_oid *oid, unsigned depth,
                      struct err *err)
{
    if (depth > walk->limits->depth || depth > DEPTH_CEILING)
        return err_set(err, ERR_LIMIT,
                       "the tree is more than %u folders deep at `%.100s`", depth - 1,
                       walk->path);
    LIB_AUTO(tree) *tree = NULL;
    if (open_tree(walk, oid, &tree, err) < 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        size_t cut = enter(walk, git_tree_entry_name(entry));
        if (check_entry(walk, entry, depth, err) < 0)
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
    FD_AUTO fd = openat(folder, name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
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

static int write_tree(struct walk *walk, int folder, const git_oid *oid, struct err *err);

static int write_folder(struct walk *walk, int folder, const char *name,
                        const git_oid *oid, struct err *err)
{
    if (mkdirat(folder, name, 0700) != 0)
        return made_twice(walk, "create folder", err);
    FD_AUTO inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0 || fchmod(inner, 0755) != 0)
        return err_errno(err, ERR_HOST, errno, "cannot open folder `%s`", walk->path);
    return oid == NULL ? 0 : write_tree(walk, inner, oid, err);
}

static int write_entry(struct walk *walk, int folder, const git_tree_entry *entry,
                       struct err *err)
{
    const char *name = git_tree_entry_name(entry);
    const git_oid *oid = git_tree_entry_id(entry);
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return write_folder(walk, folder, name, oid, err);
    case GIT_FILEMODE_COMMIT: /* a submodule: its place, and nothing in it */
        return write_folder(walk, folder, name, NULL, err);
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        return write_blob(walk, folder, name, oid, 0755, err);
    default:
        return write_blob(walk, folder, name, oid, 0644, err);
    }
}

static int write_tree(struct walk *walk, int folder, const git_oid *oid, struct err *err)
{
    LIB_AUTO(tree) *tree = NULL;
    if (open_tree(walk, oid, &tree, err) < 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        size_t cut = enter(walk, git_tree_entry_name(entry));
        if (write_entry(walk, folder, entry, err) < 0)
            return -1;
        walk->path[cut] = '\0';
    }
    return 0;
}

/* Take back what a failed write left. The names were checked: each is directly below
 * path. */
static void undo(const char *path, const git_tree *root, bool made)
{
    int ignored = 0;
    for (size_t i = 0; i < git_tree_entrycount(root); i++) {
        char below[FILE_PATH_BYTES];
        if (file_path(below, NULL, "%s/%s", path,
                      git_tree_entry_name(git_tree_entry_byindex(root, i))) == 0)
            ignored |= file_remove_tree(below, NULL);
    }
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
    return 0;
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static int need_empty(const char *path, struct err *err)
{
    __attribute__((cleanup(close_dir))) DIR *dir = opendir(path);
    if (dir == NULL)
        return err_errno(err, ERR_HOST, errno, "cannot read folder %s", path);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return err_set(err, ERR_HOST, "folder %s is not empty", path);
    return 0;
}

int git_checkout(struct git_repo *repo, const char *sha, const char *path,
                 const struct git_tree_limits *limits, struct err *err)
{
    LIB_AUTO(commit) *commit = NULL;
    LIB_AUTO(odb) *odb = NULL;
    LIB_AUTO(tree) *root = NULL;
    if (gitlib_commit(repo, sha, &commit, err) < 0)
        return -1;
    int code = git_repository_odb(&odb, repo->lib);
    if (code < 0)
        return gitlib_error(err, code, "cannot read %s", repo->path);
    struct walk walk = {.lib = repo->lib, .odb = odb, .limits = limits};
    const git_oid *oid = git_commit_tree_id(commit);
    if (check_tree(&walk, oid, 0, err) < 0 || open_tree(&walk, oid, &root, err) < 0)
        return err_wrap(err, "commit %s", sha);

    FD_AUTO fd = -1;
    bool made = false;
    if (open_target(path, &made, &fd, err) < 0 || need_empty(path, err) < 0)
        return -1;
    walk.path[0] = '\0';
    if (write_tree(&walk, fd, oid, err) < 0) {
        undo(path, root, made);
        return err_wrap(err, "commit %s", sha);
    }
    return 0;
}
