/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the hash of what a library runs.
 *
 * It is taken of what the dynamic loader sees, and of nothing else: the program
 * headers and the bytes of the loadable segments. They hold code, constants, data,
 * relocations and dynamic symbols; comments, debug sections and the symbol table lie
 * outside them. A section table is not evidence, since the loader never looks at it and
 * anybody can write one: it only names places inside the segments that vary between two
 * builds of one source, and each of those is blanked by a rule that says exactly what it
 * leaves out. A change hidden in there, in what a page holds beyond the end of its
 * segment, or in the rest of the file has no effect without code that reads it, and that code is
 * hashed.
 *
 * What the compiler writes into code or constants stays: __LINE__, __DATE__ and a
 * __FILE__ with a folder in it make two builds differ. They are then measured, which
 * costs time, and cannot make the verdict wrong. */
#include "measure/code.h"

#include "base/buf.h"
#include "base/file.h"
#include "measure/elf.h"

#include <stdio.h>
#include <string.h>

enum {
    CODE_BLANKS_MAX = 16,
    CODE_NOTE_BYTES_MAX = 4096, /* of a section of notes that a rule reads */
    CODE_BUILD_ID_MAX = 64      /* bytes; SHA-1 has 20 */
};

/* Changes when the same library would get another hash; part of what is hashed. */
static const char code_schema[] = "ratchet.code/1";

/* What is hashed: places of the file that count as zeros, and `parts`, which a rule may
 * use for a reading of its own of the bytes it blanks. */
struct canon {
    struct blank {
        uint64_t offset, len; /* in the file */
    } blanks[CODE_BLANKS_MAX];
    size_t blank_count;
    unsigned build_ids; /* blanked */
    struct buf *parts;
};

static int canon_blank(struct canon *canon, const struct elf *elf, uint64_t offset,
                       uint64_t len, struct err *err)
{
    if (canon->blank_count == CODE_BLANKS_MAX)
        return elf_malformed(elf, err, "more than %d places to leave out", CODE_BLANKS_MAX);
    canon->blanks[canon->blank_count++] = (struct blank){offset, len};
    return 0;
}

/* Append bytes of the file, blanks as zeros, with a label and a length before them, so
 * that no two files run together into the same parts. */
static void canon_add(struct canon *canon, const struct elf *elf, const char *label,
                      uint64_t offset, uint64_t len)
{
    struct buf *parts = canon->parts;
    buf_addf(parts, "\n%s %llu\n", label, (unsigned long long)len);
    size_t start = parts->len;
    buf_add(parts, elf->bytes + offset, (size_t)len);
    if (parts->failed)
        return;
    for (size_t i = 0; i < canon->blank_count; i++) {
        uint64_t from = canon->blanks[i].offset;
        uint64_t to = from + canon->blanks[i].len;
        from = from < offset ? offset : from;
        to = to > offset + len ? offset + len : to;
        if (from < to)
            memset(parts->data + start + (from - offset), 0, (size_t)(to - from));
    }
}

/* The build id is a hash of the whole file, debug sections included. Only the id itself
 * is blanked, not its note, and only one. */
static int blank_build_id(struct canon *canon, const struct elf *elf,
                          const Elf64_Shdr *section, struct err *err)
{
    if ((section->sh_flags & SHF_EXECINSTR) != 0 || section->sh_size > CODE_NOTE_BYTES_MAX)
        return elf_malformed(elf, err, "a build id that is code, or too long");
    uint64_t at = section->sh_offset, end = at + section->sh_size;
    while (at < end) {
        Elf64_Nhdr note;
        if (end - at < sizeof note)
            return elf_malformed(elf, err, "half a note");
        memcpy(&note, elf->bytes + at, sizeof note);
        uint64_t name = at + sizeof note;
        uint64_t id = name + (((uint64_t)note.n_namesz + 3) & ~(uint64_t)3);
        uint64_t next = id + (((uint64_t)note.n_descsz + 3) & ~(uint64_t)3);
        if (next > end)
            return elf_malformed(elf, err, "a note longer than its section");
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(elf->bytes + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            if (note.n_descsz > CODE_BUILD_ID_MAX || canon->build_ids++ != 0)
                return elf_malformed(elf, err, "more than one build id, or a long one");
            if (canon_blank(canon, elf, id, note.n_descsz, err) != 0)
                return -1;
        }
        at = next;
    }
    return 0;
}

/* Sections that vary between two builds of one source, by name and type. Whatever has no
 * rule is hashed as it is. CUDA adds its fat binary and its module ids here. */
static const struct section_rule {
    const char *name;
    uint32_t type;
    int (*apply)(struct canon *canon, const struct elf *elf, const Elf64_Shdr *section,
                 struct err *err);
} section_rules[] = {
    {".note.gnu.build-id", SHT_NOTE, blank_build_id},
};

static const struct section_rule *find_rule(const struct elf *elf, const Elf64_Shdr *names,
                                            const Elf64_Shdr *section)
{
    for (size_t i = 0; i < sizeof section_rules / sizeof section_rules[0]; i++) {
        const struct section_rule *rule = &section_rules[i];
        size_t size = strlen(rule->name) + 1;
        if (section->sh_type == rule->type && (section->sh_flags & SHF_ALLOC) != 0 &&
            elf_holds(section->sh_name, size, names->sh_size) &&
            memcmp(elf->bytes + names->sh_offset + section->sh_name, rule->name, size) == 0)
            return rule;
    }
    return NULL;
}

static Elf64_Shdr section_at(const struct elf *elf, size_t index)
{
    Elf64_Shdr section;
    memcpy(&section, elf->bytes + elf->header.e_shoff + index * sizeof section,
           sizeof section);
    return section;
}

/* A file stripped of its section table is a sound library; nothing of it is left out. */
static int apply_rules(struct canon *canon, const struct elf *elf, struct err *err)
{
    const Elf64_Ehdr *header = &elf->header;
    size_t count = header->e_shnum;
    if (count == 0)
        return 0;
    if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shstrndx >= count ||
        !elf_holds(header->e_shoff, count * sizeof(Elf64_Shdr), elf->len))
        return elf_malformed(elf, err, "section headers beyond its end");
    Elf64_Shdr names = section_at(elf, header->e_shstrndx);
    if (!elf_holds(names.sh_offset, names.sh_size, elf->len))
        return elf_malformed(elf, err, "section names beyond its end");
    for (size_t i = 1; i < count; i++) {
        Elf64_Shdr section = section_at(elf, i);
        const struct section_rule *rule = find_rule(elf, &names, &section);
        if (rule == NULL)
            continue;
        if (!elf_holds(section.sh_offset, section.sh_size, elf->len))
            return elf_malformed(elf, err, "section `%s` beyond its end", rule->name);
        if (rule->apply(canon, elf, &section, err) != 0)
            return -1;
    }
    return 0;
}

/* Where the section table lies and how long it is follows from what no segment holds. */
static int blank_section_table(struct canon *canon, const struct elf *elf, struct err *err)
{
    static const struct blank fields[] = {
        {offsetof(Elf64_Ehdr, e_shoff), sizeof(Elf64_Off)},
        {offsetof(Elf64_Ehdr, e_shentsize), sizeof(Elf64_Half)},
        {offsetof(Elf64_Ehdr, e_shnum), sizeof(Elf64_Half)},
        {offsetof(Elf64_Ehdr, e_shstrndx), sizeof(Elf64_Half)},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (canon_blank(canon, elf, fields[i].offset, fields[i].len, err) != 0)
            return -1;
    return 0;
}

static int canon_fill(struct canon *canon, const struct elf *elf, struct err *err)
{
    buf_adds(canon->parts, code_schema);
    if (blank_section_table(canon, elf, err) != 0 || apply_rules(canon, elf, err) != 0)
        return -1;
    canon_add(canon, elf, "header", 0, sizeof(Elf64_Ehdr));
    canon_add(canon, elf, "segments", elf->header.e_phoff,
              elf->segment_count * sizeof(Elf64_Phdr));
    for (size_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_LOAD)
            canon_add(canon, elf, "segment", elf->segments[i].p_offset,
                      elf->segments[i].p_filesz);
    if (canon->parts->no_memory)
        return err_set(err, ERR_HOST, "out of memory for a library's segments");
    if (canon->parts->failed)
        return elf_malformed(elf, err, "segments larger than the file");
    return 0;
}

int code_hash(const char *path, char out[MODEL_CODE_BYTES], struct err *err)
{
    BUF_AUTO bytes;
    buf_init(&bytes, ELF_FILE_BYTES_MAX);
    struct elf elf;
    if (elf_open(path, &bytes, &elf, err) != 0)
        return -1;
    /* Twice the file: segments that show the same bytes again and again end there. */
    BUF_AUTO parts;
    buf_init(&parts, 2 * bytes.len + 4096);
    struct canon canon = {.parts = &parts};
    if (canon_fill(&canon, &elf, err) != 0)
        return -1;
    char hex[FILE_SHA256_BYTES];
    file_sha256(parts.data, parts.len, hex);
    snprintf(out, MODEL_CODE_BYTES, "sha256:%s", hex);
    return 0;
}
