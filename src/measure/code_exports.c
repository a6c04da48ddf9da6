/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a library exports, by the dynamic symbols that a loader's lookup can meet. */
#include "measure/code.h"

#include "measure/elf.h"

#include <string.h>

/* One 32-bit word of an array at `address`. */
static bool word_at(const struct elf *elf, uint64_t address, uint64_t index, uint32_t *word)
{
    uint64_t left;
    const unsigned char *bytes = elf_bytes_at(elf, address, &left);
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
    const unsigned char *bytes = elf_bytes_at(elf, address, &left);
    for (Elf64_Dyn entry;; bytes += sizeof entry, left -= sizeof entry) {
        if (bytes == NULL || left < sizeof entry)
            return elf_malformed(elf, err, "its dynamic segment has no end");
        memcpy(&entry, bytes, sizeof entry);
        if (entry.d_tag == DT_NULL)
            break;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (entry.d_tag != wanted[i].tag)
                continue;
            if (*wanted[i].value != 0)
                return elf_malformed(elf, err, "dynamic entry %lld is there twice",
                                     (long long)entry.d_tag);
            *wanted[i].value = entry.d_un.d_ptr;
        }
    }
    if (dynamic->symbols == 0 || dynamic->strings == 0)
        return elf_malformed(elf, err, "no dynamic symbols");
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
        return elf_malformed(elf, err, "no hash table of its symbols");
    if (dynamic->gnu_hash != 0 && !gnu_hash_count(elf, dynamic->gnu_hash, &gnu))
        return elf_malformed(elf, err, "its GNU hash table is broken");
    if (dynamic->hash != 0 && !word_at(elf, dynamic->hash, 1, &plain))
        return elf_malformed(elf, err, "its hash table is broken");
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
                       "%s: exports `%.200s`, expected `%s` alone, by that name: build with "
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
    const unsigned char *symbols = elf_bytes_at(elf, dynamic->symbols, &left);
    if (symbols == NULL || count > left / sizeof(Elf64_Sym))
        return elf_malformed(elf, err, "dynamic symbols beyond their segment");
    for (uint64_t i = 1; i < count; i++) { /* the first is none */
        Elf64_Sym symbol;
        memcpy(&symbol, symbols + i * sizeof symbol, sizeof symbol);
        if (!is_exported(&symbol))
            continue;
        uint64_t room = 0;
        const char *name = NULL;
        if (symbol.st_name <= UINT64_MAX - dynamic->strings)
            name = (const char *)elf_bytes_at(elf, dynamic->strings + symbol.st_name, &room);
        if (name == NULL || memchr(name, '\0', (size_t)room) == NULL)
            return elf_malformed(elf, err, "a symbol's name beyond its segment");
        if (check_symbol(elf, &symbol, name, allowed, err) != 0)
            return -1;
        *found = true;
    }
    return 0;
}

int code_check_exports(const char *path, const char *allowed, struct err *err)
{
    BUF_AUTO bytes;
    buf_init(&bytes, ELF_FILE_BYTES_MAX);
    struct elf elf;
    struct dynamic dynamic;
    uint64_t count = 0;
    bool found = false;
    if (elf_open(path, &bytes, &elf, err) != 0 || read_dynamic(&elf, &dynamic, err) != 0 ||
        count_symbols(&elf, &dynamic, &count, err) != 0 ||
        check_symbols(&elf, &dynamic, count, allowed, &found, err) != 0)
        return -1;
    if (!found)
        return err_set(
            err, ERR_INPUT,
            "%s: does not export `%s`: mark it ATTENTION_EXPORT, in C++ within extern \"C\" "
            "(attention.h)",
            path, allowed);
    return 0;
}
