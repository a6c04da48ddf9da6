/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders: whole reads with a ceiling, writes that are all or nothing, trees made
 * and removed without following links, locks that die with their process, SHA-256. */
#ifndef RATCHET_BASE_FILE_H
#define RATCHET_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { FILE_PATH_BYTES = 4096, FILE_SHA256_BYTES = 65 /* hex digits and NUL */ };

/* Append the whole file to `out`. A file longer than out's ceiling is ERR_LIMIT, a missing
 * one ERR_NOT_FOUND, a directory or device ERR_INPUT. */
MUST_CHECK int file_read(const char *path, struct buf *out, struct err *err);

/* Read a descriptor to its end into `out`; `name` is for the message. */
MUST_CHECK int file_read_fd(int fd, const char *name, struct buf *out, struct err *err);

/* Write a temporary file beside `path`, sync it, rename it over `path`: readers see the old
 * bytes or the new ones, never half. On failure nothing is left behind. A device, FIFO or socket is no place for a
 * file: ERR_INPUT. */
MUST_CHECK int file_write(const char *path, const void *bytes, size_t len, mode_t mode,
                          struct err *err);

/* Where file_write is killed it leaves "NAME.a1B2c3". Does a file have such a name? And remove those of `path`, where
 * nobody may be writing now. */
bool file_is_half(const char *name);
MUST_CHECK int file_drop_half(const char *path, struct err *err);

MUST_CHECK int file_append(const char *path, const void *bytes, size_t len, struct err *err);

/* A copy with bytes of its own (never a hard link or a reflink of the same inode). */
MUST_CHECK int file_copy(const char *from, const char *to, mode_t mode, struct err *err);

/* `mkdir -p`, every new folder with `mode`. */
MUST_CHECK int file_mkdirs(const char *path, mode_t mode, struct err *err);

/* Remove a tree without following links; a path that does not exist is no error. */
MUST_CHECK int file_remove_tree(const char *path, struct err *err);

/* Bytes of all regular files below `path`. */
MUST_CHECK int file_tree_bytes(const char *path, unsigned long long *bytes, struct err *err);

/* Take an exclusive lock on `path` (created where absent, for everybody to lock). Returns a
 * descriptor to close for unlocking; the kernel drops the lock when the process dies. One that is
 * held is ERR_CONFLICT, and the text says by whom. */
MUST_CHECK int file_lock(const char *path, int *fd, struct err *err);
/* The same beside others who share it, but not beside one who has it alone. */
MUST_CHECK int file_lock_shared(const char *path, int *fd, struct err *err);
/* The same as file_lock, tried again for so many milliseconds. */
MUST_CHECK int file_lock_within(const char *path, unsigned ms, int *fd, struct err *err);

void file_sha256(const void *bytes, size_t len, char out[FILE_SHA256_BYTES]);
/* What a file is called that belongs to `name`, such as a repository's: half of its SHA-256 in
 * hex, so that no name can climb out of a folder. */
enum { FILE_KEY_BYTES = 33 };
void file_key(const char *name, char out[FILE_KEY_BYTES]);
MUST_CHECK int file_sha256_path(const char *path, char out[FILE_SHA256_BYTES],
                                struct err *err);

/* By their names alone: is `path` the folder itself, or something in it? "" is above all. */
bool file_is_at_or_below(const char *path, const char *folder);

/* snprintf into a path buffer; too long is ERR_LIMIT. */
MUST_CHECK int file_path(char out[FILE_PATH_BYTES], struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* cleanup helper: closes *fd unless it is negative. */
void file_close(int *fd);
#define FD_AUTO __attribute__((cleanup(file_close))) int

#endif
