/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the generations of our bare caches: each fetch adds a pack and a ref, so that now and then
 * what is still needed moves on to a new one, and a damaged one is left behind.
 *
 * A generation is never changed but by adding to it. Whoever uses it has a shared lock on its
 * folder, and the next opener removes the old ones that nobody has locked. */
#include "base/git_internal.h"

#include "base/name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKS_MAX = 50,
    COMMITS_KEPT = 128, /* a job needs base, head, merge and a few anchors */
    REFS_MAX = 2 * COMMITS_KEPT,
    TIDY_MS = 120000,
    LOOK_MS = 60000,
    HALF_MADE_S = 6 * 3600 /* by then whoever made it is gone */
};
#define LOOSE_BYTES (64ull << 20) /* that small packs may hold beside one as large as they */

bool git_is_damage(const struct err *err)
{
    return err->class == ERR_HOST && err->errnum == EUCLEAN;
}

/* ---- the row of generations ---- */

static int folder_of(const char *path, unsigned generation, char out[FILE_PATH_BYTES],
                     struct err *err)
{
    return generation == 0 ? file_path(out, err, "%s", path)
                           : file_path(out, err, "%s.%u", path, generation);
}

/* Which generation of the cache `name` a folder's entry is, or -1. */
static long generation_of(const char *name, const char *entry)
{
    size_t len = strlen(name);
    if (strncmp(entry, name, len) != 0)
        return -1;
    const char *digits = entry + len + 1;
    if (entry[len] == '\0')
        return 0;
    if (entry[len] != '.' || *digits < '1' || *digits > '9' || strlen(digits) > 9 ||
        digits[strspn(digits, "0123456789")] != '\0')
        return -1;
    return strtol(digits, NULL, 10);
}

/* The folder that the cache lies in, and its name there. */
static DIR *open_row(const char *path, const char **name, struct err *err)
{
    char folder[FILE_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    *name = slash == NULL ? path : slash + 1;
    if (file_path(folder, err, "%.*s", (int)(*name - path), path) != 0)
        return NULL;
    DIR *row = opendir(folder[0] == '\0' ? "." : folder);
    if (row == NULL)
        err_write_errno(err, ERR_HOST, errno, "cannot look for repository %s", path);
    return row;
}

static int find_last(const char *path, unsigned *last, struct err *err)
{
    const char *name;
    DIR *row = open_row(path, &name, err);
    if (row == NULL)
        return -1;
    *last = 0;
    for (const struct dirent *entry; (entry = readdir(row)) != NULL;) {
        long generation = generation_of(name, entry->d_name);
        if (generation > (long)*last)
            *last = (unsigned)generation;
    }
    closedir(row);
    return 0;
}

static bool is_half_made(const char *name, int row, const char *entry)
{
    static const char word[] = ".new-";
    size_t len = strlen(name);
    struct stat info;
    return strncmp(entry, name, len) == 0 &&
           strncmp(entry + len, word, sizeof word - 1) == 0 &&
           fstatat(row, entry, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           info.st_mtime < time(NULL) - HALF_MADE_S;
}

/* A lock on the folder of a generation, -1 where it cannot be had. Shared: it is in use.
 * Exclusive: it is not. */
static int lock_folder(const char *folder, int how)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, how | LOCK_NB) != 0)
        file_close(&fd);
    return fd;
}

/* Remove what came before the last generation and is not in use. What cannot be removed costs
 * room and no more. */
static void remove_old(const char *path, unsigned last)
{
    const char *name;
    char folder[FILE_PATH_BYTES];
    struct err err;
    DIR *row = open_row(path, &name, &err);
    if (row == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(row)) != NULL;) {
        long generation = generation_of(name, entry->d_name);
        bool old = generation >= 0 && generation < (long)last;
        if ((!old && !is_half_made(name, dirfd(row), entry->d_name)) ||
            file_path(folder, &err, "%.*s%s", (int)(name - path), path, entry->d_name) != 0)
            continue;
        FD_AUTO unused = lock_folder(folder, LOCK_EX);
        if (unused >= 0 && file_remove_tree(folder, &err) != 0)
            continue;
    }
    closedir(row);
}

/* ---- the next generation ---- */

struct kept {
    git_oid oid;
    struct timespec needed;
};

struct move {
    const char *from, *to;
};

static int newest_first(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;
    if (a->needed.tv_sec != b->needed.tv_sec)
        return a->needed.tv_sec < b->needed.tv_sec ? 1 : -1;
    if (a->needed.tv_nsec != b->needed.tv_nsec)
        return a->needed.tv_nsec < b->needed.tv_nsec ? 1 : -1;
    return git_oid_cmp(&a->oid, &b->oid);
}

/* All commits that a cache keeps, the last needed first; at most `max`. */
static int list_kept(git_repository *lib, struct kept *kept, size_t max, size_t *count,
                     struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct stat info;
    *count = 0;
    if (file_path(path, err, "%srefs/ratchet", git_repository_commondir(lib)) != 0)
        return -1;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "cannot read %s", path);
    for (const struct dirent *entry; *count < max && (entry = readdir(folder)) != NULL;)
        if (name_is_sha(entry->d_name) &&
            git_oid_fromstr(&kept[*count].oid, entry->d_name) == 0 &&
            fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0)
            kept[(*count)++].needed = info.st_mtim;
    closedir(folder);
    qsort(kept, *count, sizeof *kept, newest_first);
    return 0;
}

static int keep_as_before(git_repository *lib, const struct kept *kept, struct err *err)
{
    char sha[GIT_SHA_BYTES], path[FILE_PATH_BYTES];
    const struct timespec times[2] = {kept->needed, kept->needed};
    git_oid_tostr(sha, sizeof sha, &kept->oid);
    if (gitlib_keep(lib, &kept->oid, err) != 0 ||
        file_path(path, err, "%srefs/ratchet/%s", git_repository_commondir(lib), sha) != 0)
        return -1;
    return utimensat(AT_FDCWD, path, times, 0) == 0
               ? 0
               : err_errno(err, ERR_HOST, errno, "cannot keep %s", path);
}

/* In a child: a repository may be large, and damaged. */
static int move_kept(void *context, struct err *err)
{
    enum { LISTED_MAX = 65536 };
    const struct move *move = context;
    static struct kept kept[LISTED_MAX];
    git_oid wanted[COMMITS_KEPT];
    size_t count;
    LIB_AUTO(repository) *from = NULL;
    LIB_AUTO(repository) *to = NULL;
    if (gitlib_open(move->from, &from, err) != 0 || gitlib_open(move->to, &to, err) != 0 ||
        list_kept(from, kept, LISTED_MAX, &count, err) != 0)
        return -1;
    count = count < COMMITS_KEPT ? count : COMMITS_KEPT;
    for (size_t i = 0; i < count; i++)
        wanted[i] = kept[i].oid;
    if (gitlib_copy(from, to, wanted, count, ~0ull, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (keep_as_before(to, &kept[i], err) != 0)
            return -1;
    return 0;
}

/* A new folder with what is to be kept. Where that cannot be moved, with nothing: it is fetched
 * again. */
static int make_next(struct git_repo *repo, bool empty, char folder[FILE_PATH_BYTES],
                     struct err *err)
{
    struct err why;
    if (gitlib_create(repo->cache, folder, err) != 0)
        return -1;
    struct move move = {.from = repo->path, .to = folder};
    if (empty || gitlib_call(repo, move_kept, &move, TIDY_MS, &why) == 0)
        return 0;
    return file_remove_tree(folder, err) != 0 ? -1 : gitlib_create(repo->cache, folder, err);
}

/* ---- using the last one ---- */

/* Open a generation and lock it. *last is false where it is not the last any more. */
static int open_generation(const char *path, unsigned generation, struct git_repo **repo,
                           bool *last, struct err *err)
{
    char folder[FILE_PATH_BYTES];
    unsigned now;
    GIT_AUTO *opened = NULL;
    *last = false;
    if (folder_of(path, generation, folder, err) != 0 || git_open(folder, &opened, err) != 0)
        return -1;
    opened->in_use = lock_folder(opened->path, LOCK_SH);
    if (find_last(path, &now, err) != 0)
        return -1;
    if (opened->in_use < 0 || now != generation)
        return 0;                         /* it is just being removed */
    (void)futimens(opened->in_use, NULL); /* the time of last use, for collecting */
    opened->generation = generation;
    opened->cache = strdup(path);
    if (opened->cache == NULL)
        return err_set(err, ERR_HOST, "out of memory for repository %s", path);
    *last = true;
    *repo = opened;
    opened = NULL;
    return 0;
}

/* A folder that was a repository of ours once, whatever became of it. */
static bool was_repository(const char *path, unsigned generation)
{
    char folder[FILE_PATH_BYTES], objects[FILE_PATH_BYTES];
    struct stat info;
    return folder_of(path, generation, folder, NULL) == 0 &&
           file_path(objects, NULL, "%s/objects/pack", folder) == 0 &&
           stat(objects, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Put an empty generation behind one that cannot be opened, unless somebody else just did. */
static int step_over(const char *path, unsigned broken, struct err *err)
{
    char made[FILE_PATH_BYTES], folder[FILE_PATH_BYTES];
    if (folder_of(path, broken + 1, folder, err) != 0 || gitlib_create(path, made, err) != 0)
        return -1;
    if (rename(made, folder) == 0)
        return 0;
    int errnum = errno;
    if (file_remove_tree(made, err) != 0)
        return -1;
    return errnum == ENOTEMPTY || errnum == EEXIST
               ? 0
               : err_errno(err, ERR_HOST, errnum, "cannot create repository %s", folder);
}

int git_cache_open(const char *path, struct git_repo **repo, struct err *err)
{
    enum { TRIES = 100 }; /* each time somebody else went on meanwhile */
    for (int i = 0; i < TRIES; i++) {
        unsigned generation;
        bool last;
        struct err why = {0};
        if (find_last(path, &generation, err) != 0)
            return -1;
        if (open_generation(path, generation, repo, &last, &why) == 0) {
            remove_old(path, last ? generation : 0);
            if (last)
                return 0;
            continue;
        }
        bool broken = git_is_damage(&why) || why.class == ERR_NOT_FOUND;
        if (!broken || !was_repository(path, generation)) {
            if (err != NULL)
                *err = why;
            return -1;
        }
        if (step_over(path, generation, err) != 0)
            return -1;
    }
    return err_set(err, ERR_HOST, "repository %s is replaced again and again", path);
}

/* Let an open handle go on in the last generation. What it had is unlocked by that. */
static int follow(struct git_repo *repo, struct err *err)
{
    struct git_repo *next;
    if (git_cache_open(repo->cache, &next, err) != 0)
        return -1;
    struct git_repo before = *repo;
    *repo = *next;
    *next = before;
    git_close(&next);
    remove_old(repo->cache, repo->generation);
    return 0;
}

/* Go on in the next generation, made here unless there is one. */
static int go_on(struct git_repo *repo, bool empty, struct err *err)
{
    char lock[FILE_PATH_BYTES], made[FILE_PATH_BYTES], folder[FILE_PATH_BYTES];
    FD_AUTO making = -1;
    unsigned last;
    struct err why = {0};
    if (file_path(lock, err, "%s.lock", repo->cache) != 0)
        return -1;
    /* Only tidying can be left to who is at it. */
    if (file_lock_within(lock, empty ? TIDY_MS : 0, &making, &why) != 0) {
        if (why.class == ERR_CONFLICT)
            return 0;
        if (err != NULL)
            *err = why;
        return -1;
    }
    if (find_last(repo->cache, &last, err) != 0)
        return -1;
    if (last == repo->generation) {
        if (folder_of(repo->cache, last + 1, folder, err) != 0 ||
            make_next(repo, empty, made, err) != 0)
            return -1;
        if (rename(made, folder) != 0) {
            int errnum = errno;
            int ignored = file_remove_tree(made, NULL);
            (void)ignored;
            return err_errno(err, ERR_HOST, errnum, "cannot create repository %s", folder);
        }
    }
    return follow(repo, err);
}

/* ---- when ---- */

/* Packs of a cache and their bytes, those of the largest apart. */
struct packs {
    unsigned count;
    unsigned long long largest, others;
};

static int count_packs(const struct git_repo *repo, struct packs *packs, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct stat info;
    *packs = (struct packs){0};
    if (file_path(path, err, "%s/objects/pack", repo->path) != 0)
        return -1;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "cannot read %s", path);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 5, ".pack") != 0 ||
            fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        unsigned long long bytes = (unsigned long long)info.st_size;
        packs->count++;
        packs->others += bytes < packs->largest ? bytes : packs->largest;
        packs->largest = bytes > packs->largest ? bytes : packs->largest;
    }
    closedir(folder);
    return 0;
}

struct look {
    struct git_repo *repo;
    unsigned *refs; /* in memory shared with the child: how many there are */
    const char *sha;
    const struct git_part *part;
    const struct git_tree_limits *limits;
};

/* Does each ref lead to a commit, and that to its tree? */
static int look_at_refs(void *context, struct err *err)
{
    const struct look *look = context;
    git_repository *lib;
    LIB_AUTO(reference_iterator) *refs = NULL;
    git_reference *next = NULL;
    if (gitlib_repo(look->repo, &lib, err) != 0)
        return -1;
    git_error_clear();
    int code = git_reference_iterator_new(&refs, lib);
    while (code == 0 && (code = git_reference_next(&next, refs)) == 0) {
        LIB_AUTO(reference) *ref = next;
        LIB_AUTO(commit) *commit = NULL;
        LIB_AUTO(tree) *tree = NULL;
        const git_oid *oid = git_reference_target(ref);
        ++*look->refs;
        if (oid != NULL && (code = git_commit_lookup(&commit, lib, oid)) == 0)
            code = git_commit_tree(&tree, commit);
    }
    return code == 0 || code == GIT_ITEROVER
               ? 0
               : gitlib_error(err, code, "a ref of %s", look->repo->path);
}

static int pass(void *context, const struct git_file *file, struct err *err)
{
    (void)context;
    (void)file;
    (void)err;
    return 0;
}

static int read_files(void *context, struct err *err)
{
    const struct look *look = context;
    return git_each_file(look->repo, look->sha, look->part, look->limits, look->limits->bytes,
                         pass, NULL, err);
}

/* In a child: libgit2 1.5 goes round for ever in an object file that was cut short. So whoever
 * does not come back has met damage, too. */
static int look_in_child(struct look *look, int (*function)(void *, struct err *),
                         struct err *err)
{
    struct err why = {0};
    if (gitlib_call(look->repo, function, look, LOOK_MS, &why) == 0)
        return 0;
    if (why.class == ERR_TIMEOUT) {
        err_set(&why, ERR_HOST, "no end of reading %s", look->repo->path);
        why.errnum = EUCLEAN;
    }
    if (err != NULL)
        *err = why;
    return -1;
}

int git_cache_read(struct git_repo *repo, const char *sha, const struct git_part *part,
                   const struct git_tree_limits *limits, struct err *err)
{
    struct look look = {.repo = repo, .sha = sha, .part = part, .limits = limits};
    return look_in_child(&look, read_files, err);
}

int git_cache_tidy(struct git_repo *repo, struct err *err)
{
    struct packs packs;
    struct err why = {0};
    SHARED_AUTO *page = gitlib_share(err);
    if (page == NULL || count_packs(repo, &packs, err) != 0)
        return -1;
    unsigned *refs = (unsigned *)(void *)page;
    struct look look = {.repo = repo, .refs = refs};
    if (look_in_child(&look, look_at_refs, &why) != 0) {
        if (git_is_damage(&why))
            return go_on(repo, true, err);
        if (err != NULL)
            *err = why;
        return -1;
    }
    return packs.count > PACKS_MAX || *refs > REFS_MAX ||
                   packs.others > packs.largest + LOOSE_BYTES
               ? go_on(repo, false, err)
               : 0;
}

int git_cache_renew(struct git_repo *repo, struct err *err)
{
    return go_on(repo, true, err);
}
