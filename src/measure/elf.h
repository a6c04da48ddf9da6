/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF64 little-endian shared object as the dynamic loader sees it. Loads nothing, and does not
 * know what a kernel is. Every malformed file is ERR_INPUT. */
#ifndef RATCHET_MEASURE_ELF_H
#define RATCHET_MEASURE_ELF_H

#include "base/buf.h"
#include "base/err.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_FILE_BYTES_MAX = 512 << 20, /* of a library; [limits] has less for a build */
    ELF_SEGMENTS_MAX = 64           /* program headers; linkers write about ten */
};

/* A library in memory, its headers checked and copied out. */
struct elf {
    const char *path; /* for messages */
    const unsigned char *bytes;
    size_t len;
    Elf64_Ehdr header;
    Elf64_Phdr segments[ELF_SEGMENTS_MAX]; /* all program headers */
    size_t segment_count;
};

/* Reads the file into `bytes`, which `elf` then points into; `path` is kept as well. */
MUST_CHECK int elf_open(const char *path, struct buf *bytes, struct elf *elf, struct err *err);

/* ERR_INPUT that names the file. Always -1. */
int elf_malformed(const struct elf *elf, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Is [offset, offset + size) inside [0, len)? */
bool elf_holds(uint64_t offset, uint64_t size, uint64_t len);

/* The bytes that an address will have when loaded: from `address` to the end of what its
 * segment takes from the file, `left` of them. NULL where no file byte is mapped. */
const unsigned char *elf_bytes_at(const struct elf *elf, uint64_t address, uint64_t *left);

#endif
