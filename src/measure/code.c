/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of ELF files: the hash of what a library runs, and what it exports.
 * Loads nothing, and does not know what a kernel is.
 *
 * The hash is taken of what the dynamic loader sees, and of nothing else: the program
 * headers and the bytes of the loadable segments. They hold code, constants, data,
 * relocations and dynamic symbols; comments, debug sections and the symbol table lie
 * outside them. A section table is not evidence, since the loader never looks at it and
 * anybody can write one: it only names places inside the segments that vary between two
 * builds of one source, and each of those is blanked by a rule that says exactly what it
 * leaves out. Whoever wants to hide a change in there, in what a page holds beyond the end of
 * its segment, or in the rest of the file, must first have merged code that reads it.
 *
 * What the compiler writes into code or constants stays: __LINE__, __DATE__ and a
 * __FILE__ with a folder in it make two builds differ. They are then measured, which
 * costs time and no truth. */
#include "measure/code.h"

#include "base/buf.h"
#include "base/file.h"

#include <elf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    CODE_FILE_BYTES_MAX = 512 << 20, /* of a library; [limits] has less for a build */
    CODE_SEGMENTS_MAX = 64,          /* program headers; linkers write about ten */
    CODE_BLANKS_MAX = 16,
    CODE_NOTE_BYTES_MAX = 4096, /* of a section of notes that a rule reads */
    CODE_BUILD_ID_MAX = 64,     /* bytes; SHA-1 has 20 */
    CODE_PAGE_BYTES = 4096      /* the smallest page that a loader maps by */
};

/* Changes when the same library would get another hash; part of what is hashed. */
static const char code_schema[] = "ratchet.code/1";

/* A library in memory, its headers checked and copied out. */
struct elf {
    const char *path; /* for messages */
    const unsigned char *bytes;
    size_t len;
    Elf64_Ehdr header;
    Elf64_Phdr segments[CODE_SEGMENTS_MAX]; /* all program headers */
    size_t segment_count;
};

static int malformed(const struct elf *elf, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int malformed(const struct elf *elf, struct err *err, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "%s: not a sound shared object: %s", elf->path, text);
}

/* Is [offset, offset + size) inside [0, len)? */
static bool inside(uint64_t offset, uint64_t size, uint64_t len)
{
    return offset <= len && size <= len - offset;
}

/* ---- headers ---- */

static int read_header(struct elf *elf, struct err *err)
{
    Elf64_Ehdr *header = &elf->header;
    if (elf->len < sizeof *header || memcmp(elf->bytes, ELFMAG, SELFMAG) != 0)
        return malformed(elf, err, "no ELF header");
    memcpy(header, elf->bytes, sizeof *header);
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return malformed(elf, err, "not 64-bit little-endian ELF");
    if (header->e_type != ET_DYN)
        return malformed(elf, err, "ELF type %u, expected %u (shared object)", header->e_type,
                         ET_DYN);
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phnum > CODE_SEGMENTS_MAX)
        return malformed(elf, err, "%u program headers of %u bytes, expected 1 to %d of %zu",
                         header->e_phnum, header->e_phentsize, CODE_SEGMENTS_MAX,
                         sizeof(Elf64_Phdr));
    elf->segment_count = header->e_phnum;
    size_t size = elf->segment_count * sizeof(Elf64_Phdr);
    if (!inside(header->e_phoff, size, elf->len))
        return malformed(elf, err, "program headers beyond its end");
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
        if (!inside(segment->p_offset, segment->p_filesz, elf->len))
            return malformed(elf, err, "segment %zu lies beyond its end", i);
        if (segment->p_filesz > segment->p_memsz || segment->p_memsz > UINT64_MAX / 4 ||
            segment->p_vaddr > UINT64_MAX / 4 ||
            (segment->p_vaddr - segment->p_offset) % CODE_PAGE_BYTES != 0)
            return malformed(elf, err, "segment %zu has impossible sizes", i);
        if (segment->p_vaddr / CODE_PAGE_BYTES * CODE_PAGE_BYTES < end)
            return malformed(elf, err, "segment %zu is out of order or overlaps", i);
        end = (segment->p_vaddr + segment->p_memsz + CODE_PAGE_BYTES - 1) / CODE_PAGE_BYTES *
              CODE_PAGE_BYTES;
    }
    if (loads == 0)
        return malformed(elf, err, "nothing to load");
    if (dynamics != 1)
        return malformed(elf, err, "%zu dynamic segments, expected 1", dynamics);
    return 0;
}

/* Reads the file into `bytes`, which `elf` then points into. */
static int elf_open(const char *path, struct buf *bytes, struct elf *elf, struct err *err)
{
    if (file_read(path, bytes, err) != 0)
        return -1;
    *elf = (struct elf){
        .path = path, .bytes = (const unsigned char *)bytes->data, .len = bytes->len};
    if (read_header(elf, err) != 0 || check_segments(elf, err) != 0)
        return -1;
    return 0;
}

/* ---- the hash ---- */

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
        return malformed(elf, err, "more than %d places to leave out", CODE_BLANKS_MAX);
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
        return malformed(elf, err, "a build id that is code, or too long");
    uint64_t at = section->sh_offset, end = at + section->sh_size;
    while (at < end) {
        Elf64_Nhdr note;
        if (end - at < sizeof note)
            return malformed(elf, err, "half a note");
        memcpy(&note, elf->bytes + at, sizeof note);
        uint64_t name = at + sizeof note;
        uint64_t id = name + (((uint64_t)note.n_namesz + 3) & ~(uint64_t)3);
        uint64_t next = id + (((uint64_t)note.n_descsz + 3) & ~(uint64_t)3);
        if (next > end)
            return malformed(elf, err, "a note longer than its section");
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(elf->bytes + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            if (note.n_descsz > CODE_BUILD_ID_MAX || canon->build_ids++ != 0)
                return malformed(elf, err, "more than one build id, or a long one");
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
            inside(section->sh_name, size, names->sh_size) &&
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
        !inside(header->e_shoff, count * sizeof(Elf64_Shdr), elf->len))
        return malformed(elf, err, "section headers beyond its end");
    Elf64_Shdr names = section_at(elf, header->e_shstrndx);
    if (!inside(names.sh_offset, names.sh_size, elf->len))
        return malformed(elf, err, "section names beyond its end");
    for (size_t i = 1; i < count; i++) {
        Elf64_Shdr section = section_at(elf, i);
        const struct section_rule *rule = find_rule(elf, &names, &section);
        if (rule == NULL)
            continue;
        if (!inside(section.sh_offset, section.sh_size, elf->len))
            return malformed(elf, err, "section `%s` beyond its end", rule->name);
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
    if (canon->parts->failed)
        return malformed(elf, err, "segments larger than the file, or no memory for them");
    return 0;
}

int code_hash(const char *path, char out[MODEL_CODE_BYTES], struct err *err)
{
    BUF_AUTO bytes;
    buf_init(&bytes, CODE_FILE_BYTES_MAX);
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

/* ---- exports ---- */

/* The bytes that an address will have when loaded: from `address` to the end of what its
 * segment takes from the file. NULL where no file byte is mapped. */
static const unsigned char *bytes_at(const struct elf *elf, uint64_t address, uint64_t *left)
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

/* One 32-bit word of an array at `address`. */
static bool word_at(const struct elf *elf, uint64_t address, uint64_t index, uint32_t *word)
{
    uint64_t left;
    const unsigned char *bytes = bytes_at(elf, address, &left);
    if (bytes == NULL || index >= left / sizeof *word)
        return false;
    memcpy(word, bytes + index * sizeof *word, sizeof *word);
    return true;
}

/* Addresses from the dynamic segment; 0 where there is no such entry. */
struct dynamic {
    uint64_t symbols, strings, hash, gnu_hash;
};

static int read_dynamic(const struct elf *elf, struct dynamic *dynamic, struct err *err)
{
    *dynamic = (struct dynamic){0};
    const struct {
        int64_t tag;
        uint64_t *value;
    } wanted[] = {{DT_SYMTAB, &dynamic->symbols},
                  {DT_STRTAB, &dynamic->strings},
                  {DT_HASH, &dynamic->hash},
                  {DT_GNU_HASH, &dynamic->gnu_hash}};
    uint64_t address = 0, left;
    for (size_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_DYNAMIC)
            address = elf->segments[i].p_vaddr;
    const unsigned char *bytes = bytes_at(elf, address, &left);
    for (Elf64_Dyn entry;; bytes += sizeof entry, left -= sizeof entry) {
        if (bytes == NULL || left < sizeof entry)
            return malformed(elf, err, "its dynamic segment has no end");
        memcpy(&entry, bytes, sizeof entry);
        if (entry.d_tag == DT_NULL)
            break;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (entry.d_tag != wanted[i].tag)
                continue;
            if (*wanted[i].value != 0)
                return malformed(elf, err, "dynamic entry %lld is there twice",
                                 (long long)entry.d_tag);
            *wanted[i].value = entry.d_un.d_ptr;
        }
    }
    if (dynamic->symbols == 0 || dynamic->strings == 0)
        return malformed(elf, err, "no dynamic symbols");
    return 0;
}

/* Symbols that a lookup by the GNU hash table can meet: up to the end of the chain that
 * starts last. Chains lie one after another, so none that starts earlier ends later. */
static bool gnu_hash_count(const struct elf *elf, uint64_t address, uint64_t *count)
{
    uint32_t bucket_count, first, bloom_words, word;
    if (!word_at(elf, address, 0, &bucket_count) || !word_at(elf, address, 1, &first) ||
        !word_at(elf, address, 2, &bloom_words))
        return false;
    uint64_t buckets = 4 + 2 * (uint64_t)bloom_words; /* in words; four of a header */
    uint32_t last = 0;
    for (uint64_t i = 0; i < bucket_count; i++) {
        if (!word_at(elf, address, buckets + i, &word))
            return false;
        last = word > last ? word : last;
    }
    *count = first;
    if (last == 0)
        return true; /* every bucket is empty */
    if (last < first)
        return false;
    for (uint64_t i = last;; i++) {
        if (!word_at(elf, address, buckets + bucket_count + (i - first), &word))
            return false;
        *count = i + 1;
        if ((word & 1) != 0) /* the end of a chain */
            return true;
    }
}

static int count_symbols(const struct elf *elf, const struct dynamic *dynamic, uint64_t *count,
                         struct err *err)
{
    uint64_t gnu = 0;
    uint32_t plain = 0;
    if (dynamic->hash == 0 && dynamic->gnu_hash == 0)
        return malformed(elf, err, "no hash table of its symbols");
    if (dynamic->gnu_hash != 0 && !gnu_hash_count(elf, dynamic->gnu_hash, &gnu))
        return malformed(elf, err, "its GNU hash table is broken");
    if (dynamic->hash != 0 && !word_at(elf, dynamic->hash, 1, &plain))
        return malformed(elf, err, "its hash table is broken");
    *count = gnu > plain ? gnu : plain;
    return 0;
}

static bool is_exported(const Elf64_Sym *symbol)
{
    unsigned char bind = ELF64_ST_BIND(symbol->st_info);
    unsigned char visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    return symbol->st_shndx != SHN_UNDEF && bind != STB_LOCAL && visibility != STV_HIDDEN &&
           visibility != STV_INTERNAL;
}

static int check_symbol(const struct elf *elf, const Elf64_Sym *symbol, const char *name,
                        const char *allowed, struct err *err)
{
    if (ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE)
        return err_set(err, ERR_INPUT,
                       "%s: exports the unique symbol `%.200s`, which all arms of a process "
                       "would share: build with -fno-gnu-unique and -fvisibility=hidden",
                       elf->path, name);
    if (strcmp(name, allowed) != 0)
        return err_set(err, ERR_INPUT,
                       "%s: exports `%.200s`, expected `%s` alone: build with "
                       "-fvisibility=hidden, C++ with a version script as well",
                       elf->path, name, allowed);
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
        return err_set(err, ERR_INPUT, "%s: exports `%s`, but not as a function", elf->path,
                       allowed);
    return 0;
}

static int check_symbols(const struct elf *elf, const struct dynamic *dynamic, uint64_t count,
                         const char *allowed, bool *found, struct err *err)
{
    uint64_t left;
    const unsigned char *symbols = bytes_at(elf, dynamic->symbols, &left);
    if (symbols == NULL || count > left / sizeof(Elf64_Sym))
        return malformed(elf, err, "dynamic symbols beyond their segment");
    for (uint64_t i = 1; i < count; i++) { /* the first is none */
        Elf64_Sym symbol;
        memcpy(&symbol, symbols + i * sizeof symbol, sizeof symbol);
        if (!is_exported(&symbol))
            continue;
        uint64_t room = 0;
        const char *name = NULL;
        if (symbol.st_name <= UINT64_MAX - dynamic->strings)
            name = (const char *)bytes_at(elf, dynamic->strings + symbol.st_name, &room);
        if (name == NULL || memchr(name, '\0', (size_t)room) == NULL)
            return malformed(elf, err, "a symbol's name beyond its segment");
        if (check_symbol(elf, &symbol, name, allowed, err) != 0)
            return -1;
        *found = true;
    }
    return 0;
}

int code_check_exports(const char *path, const char *allowed, struct err *err)
{
    BUF_AUTO bytes;
    buf_init(&bytes, CODE_FILE_BYTES_MAX);
    struct elf elf;
    struct dynamic dynamic;
    uint64_t count = 0;
    bool found = false;
    if (elf_open(path, &bytes, &elf, err) != 0 || read_dynamic(&elf, &dynamic, err) != 0 ||
        count_symbols(&elf, &dynamic, &count, err) != 0 ||
        check_symbols(&elf, &dynamic, count, allowed, &found, err) != 0)
        return -1;
    if (!found)
        return err_set(err, ERR_INPUT, "%s: does not export `%s`", path, allowed);
    return 0;
}
