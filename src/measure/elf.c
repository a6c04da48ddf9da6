/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of ELF headers: afterwards every segment lies inside the file, and no two on
 * one page. */
#include "measure/elf.h"

#include "base/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 4096 /* the smallest page that a loader maps by */ };

int elf_malformed(const struct elf *elf, struct err *err, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "%s: not a sound shared object: %s", elf->path, text);
}

bool elf_holds(uint64_t offset, uint64_t size, uint64_t len)
{
    return offset <= len && size <= len - offset;
}

/* What this program itself is built for; EM_NONE: not known, and not asked. */
#if defined __x86_64__
enum { OWN_MACHINE = EM_X86_64 };
#elif defined __aarch64__
enum { OWN_MACHINE = EM_AARCH64 };
#else
enum { OWN_MACHINE = EM_NONE };
#endif

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_X86_64, "x86-64"},     {EM_AARCH64, "AArch64"}, {EM_386, "32-bit x86"},
                 {EM_ARM, "32-bit ARM"},    {EM_PPC64, "PowerPC"},   {EM_RISCV, "RISC-V"},
                 {EM_CUDA, "an NVIDIA GPU"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

static int check_machine(const struct elf *elf, struct err *err)
{
    unsigned machine = elf->header.e_machine;
    if (OWN_MACHINE == EM_NONE || machine == OWN_MACHINE)
        return 0;
    return err_set(
        err, ERR_INPUT,
        "%s: built for another architecture: %s (ELF machine %u), this host runs %s",
        elf->path, machine_name(machine), machine, machine_name(OWN_MACHINE));
}

static int read_header(struct elf *elf, struct err *err)
{
    Elf64_Ehdr *header = &elf->header;
    if (elf->len < sizeof *header || memcmp(elf->bytes, ELFMAG, SELFMAG) != 0)
        return elf_malformed(elf, err, "no ELF header");
    memcpy(header, elf->bytes, sizeof *header);
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return elf_malformed(elf, err, "not 64-bit little-endian ELF");
    if (check_machine(elf, err) != 0)
        return -1;
    if (header->e_type != ET_DYN)
        return elf_malformed(elf, err, "ELF type %u, expected %u (shared object)",
                             header->e_type, ET_DYN);
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phnum > ELF_SEGMENTS_MAX)
        return elf_malformed(
            elf, err, "%u program headers of %u bytes, expected 1 to %d of %zu",
            header->e_phnum, header->e_phentsize, ELF_SEGMENTS_MAX, sizeof(Elf64_Phdr));
    elf->segment_count = header->e_phnum;
    size_t size = elf->segment_count * sizeof(Elf64_Phdr);
    if (!elf_holds(header->e_phoff, size, elf->len))
        return elf_malformed(elf, err, "program headers beyond its end");
    memcpy(elf->segments, elf->bytes + header->e_phoff, size);
    return 0;
}

/* Segments in ascending order, no two on one page: so that an address has one content,
 * ours and the loader's. */
static int check_segments(const struct elf *elf, struct err *err)
{
    uint64_t end = 0; /* of the pages so far */
    size_t loads = 0, dynamics = 0;
    for (size_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        dynamics += segment->p_type == PT_DYNAMIC;
        if (segment->p_type != PT_LOAD)
            continue;
        loads++;
        if (!elf_holds(segment->p_offset, segment->p_filesz, elf->len))
            return elf_malformed(elf, err, "segment %zu lies beyond its end", i);
        if (segment->p_filesz > segment->p_memsz || segment->p_memsz > UINT64_MAX / 4 ||
            segment->p_vaddr > UINT64_MAX / 4 ||
            (segment->p_vaddr - segment->p_offset) % PAGE_BYTES != 0)
            return elf_malformed(elf, err, "segment %zu has impossible sizes", i);
        if (segment->p_vaddr / PAGE_BYTES * PAGE_BYTES < end)
            return elf_malformed(elf, err, "segment %zu is out of order or overlaps", i);
        end = (segment->p_vaddr + segment->p_memsz + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    }
    if (loads == 0)
        return elf_malformed(elf, err, "nothing to load");
    if (dynamics != 1)
        return elf_malformed(elf, err, "%zu dynamic segments, expected 1", dynamics);
    return 0;
}

int elf_open(const char *path, struct buf *bytes, struct elf *elf, struct err *err)
{
    if (file_read(path, bytes, err) != 0)
        return -1;
    *elf = (struct elf){
        .path = path, .bytes = (const unsigned char *)bytes->data, .len = bytes->len};
    if (read_header(elf, err) != 0 || check_segments(elf, err) != 0)
        return -1;
    return 0;
}

const unsigned char *elf_bytes_at(const struct elf *elf, uint64_t address, uint64_t *left)
{
    for (size_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        if (segment->p_type != PT_LOAD || address < segment->p_vaddr)
            continue;
        uint64_t offset = address - segment->p_vaddr;
        if (offset >= segment->p_filesz)
            continue;
        *left = segment->p_filesz - offset;
        return elf->bytes + segment->p_offset + offset;
    }
    *left = 0;
    return NULL;
}
