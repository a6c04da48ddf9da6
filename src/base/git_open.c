/* SPDX-License-Identifier: Apache-2.0 */
/* Opens repositories: our own bare caches, made where they are missing, and those of other
 * people, found from any folder in them. */
#include "base/git_internal.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2/sys/repository.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STALE_S = 6 * 3600 };

static void free_text(char **text)
{
    free(*text);
}

/* libgit2 would follow alternates to objects that nobody here has bounded or checked. */
static int refuse_alternates(git_repository *lib, const char *path, struct err *err)
{
    char file[FILE_PATH_BYTES];
    const char *folder = git_repository_commondir(lib);
    if (file_path(file, err, "%sobjects/info/alternates", folder) < 0)
        return -1;
    if (access(file, F_OK) == 0)
        return err_set(err, ERR_INPUT,
                       "%s borrows objects (objects/info/alternates), which "
                       "is not followed: run `git repack -ad` there and remove that file",
                       path);
    return 0;
}

int gitlib_open(const char *path, git_repository **lib, struct err *err)
{
    LIB_AUTO(repository) *opened = NULL;
    LIB_AUTO(config) *nothing = NULL;
    git_error_clear();
    int code = git_repository_open_ext(&opened, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
    if (code == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "%s is not a git repository", path);
    if (code < 0) {
        const git_error *last = git_error_last();
        bool config = last != NULL && last->klass == GIT_ERROR_CONFIG;
        gitlib_error(err, code, "cannot open repository %s", path);
        if (err != NULL && config)
            err->errnum = EUCLEAN;
        return err_failed();
    }
    if (refuse_alternates(opened, path, err) != 0)
        return -1;
    /* A repository's own configuration (proxies, rewritten URLs, merge drivers) counts no
     * more than the host's. */
    if ((code = git_config_new(&nothing)) < 0 ||
        (code = git_repository_set_config(opened, nothing)) < 0)
        return gitlib_error(err, code, "cannot open repository %s", path);
    *lib = opened;
    opened = NULL;
    return 0;
}

int gitlib_repo(struct git_repo *repo, git_repository **lib, struct err *err)
{
    if (repo->lib == NULL && gitlib_open(repo->path, &repo->lib, err) != 0)
        return -1;
    *lib = repo->lib;
    return 0;
}

int gitlib_create(const char *path, char folder[FILE_PATH_BYTES], struct err *err)
{
    LIB_AUTO(repository) *made = NULL;
    git_repository_init_options options = {
        .version = GIT_REPOSITORY_INIT_OPTIONS_VERSION,
        .flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT,
        .initial_head = "main",
    };
    if (file_path(folder, err, "%s.new-XXXXXX", path) < 0)
        return -1;
    if (mkdtemp(folder) == NULL)
        return err_errno(err, ERR_HOST, errno, "cannot create repository %s", path);
    git_error_clear();
    int code = git_repository_init_ext(&made, folder, &options);
    if (code == 0)
        return 0;
    gitlib_error(err, code, "cannot create repository %s", path);
    int ignored = file_remove_tree(folder, NULL);
    (void)ignored;
    return -1;
}

/* Made beside its place and renamed into it, so that a half-made one is never found
 * there. Somebody else may have been faster: theirs is as good. */
static int create(const char *path, struct err *err)
{
    char temporary[FILE_PATH_BYTES];
    if (gitlib_create(path, temporary, err) != 0)
        return -1;
    if (rename(temporary, path) == 0)
        return 0;
    int errnum = errno;
    int removed = file_remove_tree(temporary, err);
    if (errnum == ENOTEMPTY || errnum == EEXIST)
        return removed;
    return err_errno(err, ERR_HOST, errnum, "cannot create repository %s", path);
}

/* A killed fetch leaves libgit2's temporary file behind, up to a whole pack. Hours
 * later it cannot be anybody's who still writes. What cannot be removed costs room and
 * no more. */
static void sweep(git_repository *lib, const char *folder)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, NULL, "%s%s", git_repository_commondir(lib), folder) < 0)
        return;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    const struct dirent *entry;
    struct stat info;
    while ((entry = readdir(dir)) != NULL)
        if (strstr(entry->d_name, "_git2_") != NULL &&
            fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && info.st_mtime < time(NULL) - STALE_S)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

/* Our own handle on an open repository, which it takes over. */
static int hold(git_repository *lib, const char *path, struct git_repo **repo, struct err *err)
{
    struct git_repo *opened = calloc(1, sizeof *opened);
    char *real = realpath(path, NULL);
    if (opened == NULL || real == NULL) {
        free(opened);
        free(real);
        git_repository_free(lib);
        return err_errno(err, ERR_HOST, errno, "cannot open repository %s", path);
    }
    *opened = (struct git_repo){.path = real, .lib = lib, .in_use = -1};
    *repo = opened;
    return 0;
}

int git_open(const char *path, struct git_repo **repo, struct err *err)
{
    if (gitlib_start(err) != 0)
        return -1;
    git_repository *lib = NULL;
    struct err why = {0};
    if (gitlib_open(path, &lib, &why) < 0) {
        /* A folder with something else in it makes the rename fail, and the second look
         * at it says so. */
        if (why.class != ERR_NOT_FOUND) {
            if (err != NULL)
                *err = why;
            return -1;
        }
        if (create(path, err) != 0 || gitlib_open(path, &lib, err) != 0)
            return -1;
    }
    if (git_repository_is_bare(lib)) { /* ours, not somebody's work */
        sweep(lib, "objects");
        sweep(lib, "objects/pack");
    }
    return hold(lib, path, repo, err);
}

/* Cut a real path down to the folder above it, on the same file system, as git does.
 * False: there is none. */
static bool go_up(char *path)
{
    struct stat here, above;
    char *slash = strrchr(path, '/');
    if (slash[1] == '\0' || stat(path, &here) != 0)
        return false;
    slash[slash == path] = '\0';
    return stat(path, &above) == 0 && here.st_dev == above.st_dev;
}

int git_open_existing(const char *path, struct git_repo **repo, struct err *err)
{
    if (gitlib_start(err) != 0)
        return -1;
    __attribute__((cleanup(free_text))) char *real = realpath(path, NULL);
    struct stat info;
    if (real == NULL || stat(real, &info) != 0)
        return err_errno(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_HOST,
                         errno, "%s", path);
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_NOT_FOUND, "%s is not a folder", path);
    git_repository *lib = NULL;
    struct err why = {0};
    do {
        if (gitlib_open(real, &lib, &why) == 0)
            return hold(lib, real, repo, err);
    } while (why.class == ERR_NOT_FOUND && go_up(real));
    if (why.class == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "%s is not in a git repository", path);
    if (err != NULL)
        *err = why;
    return -1;
}

int git_is_shallow(struct git_repo *repo, bool *yes, struct err *err)
{
    git_repository *lib;
    if (gitlib_repo(repo, &lib, err) != 0)
        return -1;
    *yes = git_repository_is_shallow(lib) == 1;
    return 0;
}

const char *git_path(const struct git_repo *repo)
{
    return repo->path;
}

void git_close(struct git_repo **repo)
{
    if (*repo == NULL)
        return;
    git_repository_free((*repo)->lib);
    file_close(&(*repo)->in_use);
    free((*repo)->cache);
    free((*repo)->path);
    free(*repo);
    *repo = NULL;
}
