/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a part of a commit's tree, which a stranger made, to disk. All of the part is walked and
 * checked (git_walk.c) before the first file is made; files are made with openat below
 * a folder that we hold open, never over something that is there, and links become plain
 * files, so no name in the tree can lead out of that folder. */
#include "base/git_walk.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    if (walk_into(walk, pinned, &outside, &tree, err) != 0)
        return -1;
    int rc = write_folder(walk, folder, name, &tree, how, err);
    walk_back(walk, &outside);
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
    if (walk_tree(walk, oid, &tree, err) != 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        size_t cut = walk_enter(walk, git_tree_entry_name(entry));
        enum reach below = how == WHOLE ? WHOLE : walk_reach(walk, true);
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
    if (walk_look(&walk, &tree, sha, err) != 0)
        return -1;

    FD_AUTO fd = -1;
    bool made = false;
    if (open_target(path, &made, &fd, err) != 0)
        return -1;
    walk.path[0] = '\0';
    if (write_tree(&walk, fd, &tree, walk_reach(&walk, false), err) != 0) {
        undo(path, made);
        return err_wrap(err, "commit %s", sha);
    }
    return 0;
}
