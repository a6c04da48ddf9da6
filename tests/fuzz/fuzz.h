/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. A target is one file with one LLVMFuzzerTestOneInput(): it hands the
 * bytes to a parser, and says with HOLDS what must be true of whatever comes out. Linked with
 * replay.c it runs over the files of its corpus, with libFuzzer (ci/fuzz) over whatever that
 * thinks of. */
#ifndef RATCHET_TESTS_FUZZ_H
#define RATCHET_TESTS_FUZZ_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert(), whatever NDEBUG says. */
#define HOLDS(expression) \
    ((expression) ? (void)0 : fuzz_broken(#expression, __FILE__, __LINE__))
static inline void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* No controls, so that it is one line and does nothing to a terminal. */
static inline bool fuzz_is_plain(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

/* The error of somebody else's bytes: it has a class, not that of a defect of ours or of the host,
 * and a line of text. */
static inline void fuzz_error(const struct err *err)
{
    HOLDS(err->class != ERR_NONE && err->class != ERR_INTERNAL && err->class != ERR_HOST);
    HOLDS(err->text[0] != '\0' && memchr(err->text, '\0', sizeof err->text) != NULL);
    HOLDS(fuzz_is_plain(err->text));
}

/* The input as a C string; the caller frees it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    HOLDS(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* Cuts the first line off what is at *data: the rest of the input is the parser's, and this says
 * how it is called. */
static inline void fuzz_first_line(const uint8_t **data, size_t *size, char *out, size_t room)
{
    const uint8_t *end = *size == 0 ? NULL : memchr(*data, '\n', *size);
    size_t len = end == NULL ? *size : (size_t)(end - *data);
    size_t taken = end == NULL ? len : len + 1;
    size_t kept = len < room ? len : room - 1;
    if (kept > 0)
        memcpy(out, *data, kept);
    out[kept] = '\0';
    *data += taken;
    *size -= taken;
}

/* Cuts off what is before the next line `====`, for a target that takes several files. */
static inline void fuzz_part(const uint8_t **data, size_t *size, const char **bytes,
                             size_t *len)
{
    static const char between[] = "\n====\n";
    const uint8_t *end = *size == 0 ? NULL : memmem(*data, *size, between, sizeof between - 1);
    *bytes = (const char *)*data;
    *len = end == NULL ? *size : (size_t)(end - *data);
    size_t gone = end == NULL ? *size : *len + sizeof between - 1;
    *data += gone;
    *size -= gone;
}

/* The input as a file that lies nowhere, for what wants a path. */
struct fuzz_file {
    int fd;
    char path[64];
};
static inline struct fuzz_file fuzz_file(const void *data, size_t size)
{
    struct fuzz_file file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};
    HOLDS(file.fd >= 0 && write(file.fd, data, size) == (ssize_t)size);
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline bool fuzz_same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* What is read can be written, and says the same when it is read again. `through` reads, and where
 * that is possible writes into `out`, which it initialises. */
static inline void fuzz_again(bool (*through)(const char *bytes, size_t size, struct buf *out),
                              const void *data, size_t size)
{
    BUF_AUTO first, second;
    buf_init(&second, 0);
    if (!through(data, size, &first))
        return;
    HOLDS(through(first.data, first.len, &second));
    HOLDS(fuzz_same(&first, &second));
}

#endif
