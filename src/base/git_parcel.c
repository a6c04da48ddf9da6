/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form of a parcel: a part of a commit that can be handed to another process, which has no
 * repository. First what is wanted, as words that end with a NUL each: the commit, the limits, the paths,
 * those of submodules. Then objects as git has them, each behind its type and its size: the commit, every
 * folder on the way to the part, all that is in it. Who takes it hashes each object, so that what comes out
 * is that commit's or nothing is. */
#include "base/git_walk.h"

#include "base/words.h"

#include <errno.h>
#include <git2/sys/mempack.h>
#include <git2/sys/repository.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARCEL_VERSION "ratchet.parcel/1"

enum { PATHS_MAX = 64, SUBMODULES_MAX = 64 };

/* ---- written ---- */

struct writer {
    int fd;
    struct buf front; /* what stands before an object */
};

static void writer_free(struct writer *writer)
{
    buf_free(&writer->front);
}

static int write_bytes(struct writer *writer, const char *bytes, size_t len, struct err *err)
{
    while (len > 0) {
        ssize_t put = write(writer->fd, bytes, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(err, ERR_HOST, errno, "cannot write down a commit");
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

static int flush_front(struct writer *writer, struct err *err)
{
    if (buf_check(&writer->front, "what is wanted of a commit", err) != 0 ||
        write_bytes(writer, writer->front.data, writer->front.len, err) != 0)
        return -1;
    buf_clear(&writer->front);
    return 0;
}

static void put_wanted(struct buf *out, const char *sha, const struct git_part *part,
                       const struct git_tree_limits *limits)
{
    words_put(out, PARCEL_VERSION);
    words_put(out, sha);
    words_put_number(out, limits->bytes);
    words_put_number(out, limits->entries);
    words_put_number(out, limits->depth);
    words_put_number(out, part->path_count);
    for (size_t i = 0; i < part->path_count; i++)
        words_put(out, part->paths[i]);
    words_put_number(out, part->submodule_count);
    for (size_t i = 0; i < part->submodule_count; i++)
        words_put(out, part->submodules[i].path);
}

static void free_object(git_odb_object **object)
{
    git_odb_object_free(*object);
}

static int put_object(void *context, git_odb *odb, const git_oid *oid, struct err *err)
{
    struct writer *writer = context;
    __attribute__((cleanup(free_object))) git_odb_object *object = NULL;
    char sha[GIT_SHA_BYTES];
    git_oid_tostr(sha, sizeof sha, oid);
    git_error_clear();
    int code = git_odb_read(&object, odb, oid);
    if (code < 0)
        return gitlib_error(err, code, "cannot read object %s", sha);
    words_put(&writer->front, git_object_type2string(git_odb_object_type(object)));
    words_put_number(&writer->front, git_odb_object_size(object));
    return flush_front(writer, err) != 0 ? -1
                                         : write_bytes(writer, git_odb_object_data(object),
                                                       git_odb_object_size(object), err);
}

int git_parcel_write(struct git_repo *repo, const char *sha, const struct git_part *part,
                     const struct git_tree_limits *limits, int fd, struct err *err)
{
    WALK_AUTO walk = {0};
    __attribute__((cleanup(writer_free))) struct writer writer = {.fd = fd};
    git_oid commit, tree;
    buf_init(&writer.front, 1 << 20);
    if (gitlib_oid(sha, &commit, err) != 0 ||
        walk_open(&walk, repo, sha, part, limits, &tree, err) != 0)
        return -1;
    put_wanted(&writer.front, sha, part, limits);
    walk.object = put_object;
    walk.context = &writer;
    if (put_object(&writer, walk.odb, &commit, err) != 0)
        return err_wrap(err, "commit %s", sha);
    return walk_look(&walk, &tree, sha, err);
}

int git_parcel_write_empty(int fd, struct err *err)
{
    static const char
        bytes[] = /* in git's words; of 0 bytes, 1 entry, no path, no submodule */
        PARCEL_VERSION "\0"
                       "e3f33bccb8a3d93bd17443f125a986546ffac24a\0"
                       "0\0"
                       "1\0"
                       "0\0"
                       "0\0"
                       "0\0"
                       "commit\0"
                       "112\0"
                       "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
                       "author R <r@localhost> 0 +0000\n"
                       "committer R <r@localhost> 0 +0000\n\n"
                       "tree\0"
                       "0";
    struct writer writer = {.fd = fd};
    return write_bytes(&writer, bytes, sizeof bytes, err);
}

/* ---- read ---- */

/* It borrows the bytes of the parcel. */
struct parcel {
    struct words words;
    const char *sha, *paths[PATHS_MAX];
    struct git_submodule submodules[SUBMODULES_MAX];
    struct git_part part;
    struct git_tree_limits limits;
};

static int malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "no commit, or one of another version's");
}

static int take_wanted(struct parcel *parcel, struct err *err)
{
    if (strcmp(words_take(&parcel->words), PARCEL_VERSION) != 0)
        return malformed(err);
    parcel->sha = words_take(&parcel->words);
    parcel->limits.bytes = words_take_number(&parcel->words, ~0ull);
    parcel->limits.entries = words_take_number(&parcel->words, ~0ull);
    parcel->limits.depth = (unsigned)words_take_number(&parcel->words, ~0u);
    parcel->part = (struct git_part){.paths = parcel->paths, .submodules = parcel->submodules};
    parcel->part.path_count = words_take_number(&parcel->words, PATHS_MAX);
    for (size_t i = 0; i < parcel->part.path_count; i++)
        parcel->paths[i] = words_take(&parcel->words);
    parcel->part.submodule_count = words_take_number(&parcel->words, SUBMODULES_MAX);
    for (size_t i = 0; i < parcel->part.submodule_count; i++)
        parcel->submodules[i].path = words_take(&parcel->words);
    return parcel->words.failed ? malformed(err) : 0;
}

static int take_object(struct parcel *parcel, git_odb *odb, struct err *err)
{
    git_oid oid;
    git_object_t type = git_object_string2type(words_take(&parcel->words));
    size_t size = words_take_number(&parcel->words, ~0ull);
    if (parcel->words.failed || size > (size_t)(parcel->words.end - parcel->words.at) ||
        (type != GIT_OBJECT_COMMIT && type != GIT_OBJECT_TREE && type != GIT_OBJECT_BLOB))
        return malformed(err);
    git_error_clear();
    int code = git_odb_write(&oid, odb, parcel->words.at, size, type);
    parcel->words.at += size;
    return code < 0 ? gitlib_error(err, code, "cannot take an object") : 0;
}

/* A repository in memory. */
static int open_empty(struct git_repo **repo, git_odb **odb, struct err *err)
{
    git_odb_backend *backend = NULL;
    git_repository *lib = NULL;
    if (gitlib_start(err) != 0)
        return -1;
    git_error_clear();
    int code = git_odb_new(odb);
    if (code == 0 && (code = git_mempack_new(&backend)) == 0)
        code = git_odb_add_backend(*odb, backend, 1);
    if (code == 0)
        code = git_repository_wrap_odb(&lib, *odb);
    if (code < 0)
        return gitlib_error(err, code, "cannot make a repository in memory");
    *repo = calloc(1, sizeof **repo);
    char *name = strdup("what was handed over");
    if (*repo == NULL || name == NULL) {
        free(name);
        git_repository_free(lib);
        return err_errno(err, ERR_HOST, ENOMEM, "cannot make a repository in memory");
    }
    **repo = (struct git_repo){.path = name, .lib = lib, .in_use = -1};
    return 0;
}

static int check_out(struct parcel *parcel, const char *folder, struct err *err)
{
    GIT_AUTO *repo = NULL;
    LIB_AUTO(odb) *odb = NULL;
    if (take_wanted(parcel, err) != 0 || open_empty(&repo, &odb, err) != 0)
        return -1;
    while (parcel->words.at < parcel->words.end)
        if (take_object(parcel, odb, err) != 0)
            return -1;
    for (size_t i = 0; i < parcel->part.submodule_count; i++)
        parcel->submodules[i].repo = repo;
    return git_checkout(repo, parcel->sha, &parcel->part, folder, &parcel->limits, err);
}

int git_parcel_checkout(int fd, const char *folder, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0)
        return malformed(err);
    size_t len = (size_t)info.st_size;
    char *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_errno(err, ERR_HOST, errno, "cannot read a commit");
    struct parcel parcel = {.words = {.at = bytes, .end = bytes + len}};
    int rc = check_out(&parcel, folder, err);
    munmap(bytes, len);
    return rc;
}
